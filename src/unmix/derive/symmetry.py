"""Which components may change places.

Components j and k are exchangeable when swapping them, in every parameter and in ``z``, leaves the
model's full log-density and its parameter space unchanged. Such swaps generate the permutations
under which labels carry no meaning (Stephens 2000, JRSS B 62:795, section 2). Like the component
axes it is measured, at a few points, never guessed from names or sizes.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from unmix.derive.components import Components, Theta

Elements = Callable[[Theta, NDArray], dict[str, NDArray]]
# Of sums of terms in another order, relative to the sizes of what is summed.
ROUNDING = 1e-11


def find_symmetry(
    elements: Elements,
    contains: Callable[[Theta], bool],
    components: Components,
    points: list[tuple[Theta, NDArray]],
    corners: Sequence[Theta],
    rest: Callable[[Theta], dict[str, NDArray]],
    scattered: Sequence[Theta],
) -> tuple[tuple[int, ...], ...]:
    """Blocks of exchangeable components.

    Parameters
    ----------
    elements
        Every element-wise term of the model's full constrained log-density at (θ, z).
    contains
        Whether θ lies in the model's parameter space.
    components
        Axes and families (the symmetry in it is not read).
    points
        Feasible (θ, z) at which a swap must leave the density unchanged.
    corners
        θ far out (`unmix.derive.space.Space.corners`), which a swap must not take out of the space:
        priors that are flat differ in nothing but their bounds.
    rest
        The terms that z does not enter: priors and potentials.
    scattered
        θ near and far, at which a swap must leave the sum of these unchanged: a potential may bite
        in a part of the space only.
    """
    k = components.n_components
    block = list(range(k))
    for i in range(k):
        for j in range(i + 1, k):
            if block[i] == block[j]:
                continue
            swap = np.arange(k)
            swap[[i, j]] = j, i
            if not all(_stays(contains, components, swap, c) for c in corners):
                continue
            if not all(_rest_stays(rest, components, swap, t) for t in scattered):
                continue
            if all(_unchanged(elements, contains, components, swap, *p) for p in points):
                block = [block[i] if b == block[j] else b for b in block]
    return tuple(tuple(c for c in range(k) if block[c] == b) for b in dict.fromkeys(block))


def _stays(
    contains: Callable[[Theta], bool], components: Components, swap: NDArray, theta: Theta
) -> bool:
    """Whether swapping components leaves θ in the model's space."""
    try:
        return contains(components.permute(theta, swap))
    except ValueError:  # they play different roles
        return False


def _rest_stays(
    rest: Callable[[Theta], dict[str, NDArray]],
    components: Components,
    swap: NDArray,
    theta: Theta,
) -> bool:
    """Whether swapping components leaves the sum of the terms without z as it was."""
    sums = []
    for at in (theta, components.permute(theta, swap)):
        terms = [np.asarray(v, dtype=float) for v in rest(at).values()]
        with np.errstate(invalid="ignore"):
            sums.append((sum(v.sum() for v in terms), sum(np.abs(v).sum() for v in terms)))
    (before, size), (after, other) = sums
    if np.isnan(before) or np.isnan(after):
        return True  # says nothing
    if np.isinf(before) or np.isinf(after):
        return bool(before == after)
    return bool(abs(before - after) <= ROUNDING * (1.0 + max(size, other)))


def _unchanged(
    elements: Elements,
    contains: Callable[[Theta], bool],
    components: Components,
    swap: NDArray,
    theta: Theta,
    z: NDArray,
) -> bool:
    """Whether swapping components leaves the density of one point (θ, z) as it was."""
    try:
        moved = components.permute(theta, swap)
    except ValueError:
        return False
    if all(np.array_equal(moved[name], theta[name]) for name in theta) or not contains(moved):
        return False
    before, after = elements(theta, z), elements(moved, swap[z])
    prior_before, prior_after, prior_size = 0.0, 0.0, 1.0
    for name, b in before.items():
        a, b = np.asarray(after[name], dtype=float), np.asarray(b, dtype=float)
        if name in theta:
            # Components of a prior change places within its term, so only the sum can agree.
            with np.errstate(invalid="ignore"):
                prior_before += b.sum()
                prior_after += a.sum()
                prior_size += np.abs(b).sum()
        elif not _same(a, b).all():
            # Each row keeps its component, so each entry must keep its density: in a sum over all
            # rows one far row would hide the others.
            return False
    return bool(abs(prior_before - prior_after) <= ROUNDING * prior_size)


def _same(a: NDArray, b: NDArray) -> NDArray[np.bool_]:
    """Equal up to rounding, equal infinities included."""
    with np.errstate(invalid="ignore"):
        return (a == b) | (np.abs(a - b) <= ROUNDING * (1.0 + np.abs(b)))


def generators(symmetry: tuple[tuple[int, ...], ...], k: int) -> list[NDArray]:
    """A swap and a turn of each block: together they make every permutation within it."""
    found = []
    for block in symmetry:
        members = np.array(block)
        if len(block) < 2:
            continue
        swap = members[[1, 0, *range(2, len(block))]]
        for moved in (swap, np.roll(members, 1)):
            order = np.arange(k)
            order[members] = moved
            found.append(order)
    return found


def entries_unchanged(
    elements: Elements, components: Components, orders: list[NDArray], theta: Theta, z: NDArray
) -> bool:
    """Whether every entry keeps its density where components are put in other orders."""
    before = elements(theta, z)
    for order in orders:
        after = elements(components.permute(theta, order), np.argsort(order)[z])
        if not all(_same(np.asarray(after[n]), np.asarray(v)).all() for n, v in before.items()):
            return False
    return True
