"""Which components may change places.

Components j and k are exchangeable when swapping them, in every parameter and in ``z``, leaves the
model's full log-density and its parameter space unchanged. Such swaps generate the permutations
under which labels carry no meaning (Stephens 2000, JRSS B 62:795, section 2). Like the component
axes it is measured, at a few points, never guessed from names or sizes.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from unmix.derive.components import Components, Theta

Elements = Callable[[Theta, NDArray], dict[str, NDArray]]


def find_symmetry(
    elements: Elements,
    contains: Callable[[Theta], bool],
    components: Components,
    points: list[tuple[Theta, NDArray]],
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
    """
    k = components.n_components
    block = list(range(k))
    for i in range(k):
        for j in range(i + 1, k):
            if block[i] == block[j]:
                continue
            swap = np.arange(k)
            swap[[i, j]] = j, i
            if all(_unchanged(elements, contains, components, swap, *p) for p in points):
                block = [block[i] if b == block[j] else b for b in block]
    return tuple(tuple(c for c in range(k) if block[c] == b) for b in dict.fromkeys(block))


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
    total_before, total_after, size = 0.0, 0.0, 1.0
    impossible_before, impossible_after = 0, 0
    prior_before, prior_after, prior_size = 0.0, 0.0, 1.0
    for name, b in before.items():
        a = np.asarray(after[name])
        b = np.asarray(b)
        finite_b, finite_a = b[np.isfinite(b)], a[np.isfinite(a)]
        impossible_before += b.size - finite_b.size
        impossible_after += a.size - finite_a.size
        total_before += finite_b.sum()
        total_after += finite_a.sum()
        size += np.abs(finite_b).sum()
        if name in theta:
            # Priors are also compared on their own: beside a million rows their differences
            # would drown in rounding.
            prior_before += finite_b.sum()
            prior_after += finite_a.sum()
            prior_size += np.abs(finite_b).sum()
    return bool(
        impossible_before == impossible_after
        and abs(total_before - total_after) <= 1e-11 * size
        and abs(prior_before - prior_after) <= 1e-11 * prior_size
    )
