"""Which part of θ belongs to which component, and which components may change places.

Three facts are measured on the derived table, never guessed from names or sizes:

*Component axis.* Take a feasible θ and a second one, θ'. Replacing one slice along an axis of a
parameter by that of θ' moves the likelihood of a single component, and of the prior only that
component's odds against the others (the others may share a normalising constant, as in a softmax):
then the axis is indexed by ``z`` and the slice belongs to that component. An axis may cover fewer
than K components, as beside a noise component whose parameters are fixed.

*Family.* Parameters declared one by one (``chol_0``, ``chol_1``, …, stacked afterwards) belong to
one component each in the same sense.

*Symmetry.* Components j and k are exchangeable when swapping them, in every parameter and in
``z``, leaves the model's full log-density and its parameter space unchanged. Such swaps generate
the permutations under which labels carry no meaning (Stephens 2000, JRSS B 62:795, section 2).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Theta = dict[str, NDArray]


@dataclass(frozen=True)
class Components:
    """How θ is laid out over components.

    Attributes
    ----------
    axes
        Component axis of each parameter that has one, counted from the front.
    members
        For each of those, the component that every slice along the axis belongs to.
    families
        Tuples of K parameter names, one for each component, that together play one role.
    symmetry
        The components split into blocks; components in one block are exchangeable.
    n_components
        K.
    """

    axes: dict[str, int]
    members: dict[str, tuple[int, ...]]
    families: tuple[tuple[str, ...], ...]
    symmetry: tuple[tuple[int, ...], ...]
    n_components: int

    @property
    def symmetric(self) -> bool:
        """Whether any two components are exchangeable."""
        return any(len(block) > 1 for block in self.symmetry)

    def allows(self, permutation: NDArray) -> bool:
        """Whether a permutation stays within the symmetry (each block maps to itself)."""
        block_of = {k: i for i, block in enumerate(self.symmetry) for k in block}
        return all(block_of[k] == block_of[int(p)] for k, p in enumerate(permutation))

    def permute(self, theta: Mapping[str, NDArray], permutation: NDArray) -> Theta:
        """θ with its components reordered: new component k is old component ``permutation[k]``.

        Parameters
        ----------
        theta
            Arrays by name, each with the same leading sample dims (…) before the parameter's own.
        permutation
            Shape (component,), or (…, component) with one permutation per sample.
        """
        permutation = np.asarray(permutation)
        moved = dict(theta)
        for name, axis in self.axes.items():
            if name in moved:
                order = slice_order(permutation, self.members[name])
                moved[name] = take_components(moved[name], order, axis)
        for family in self.families:
            if all(name in moved for name in family):
                stacked = np.stack([theta[name] for name in family], axis=permutation.ndim - 1)
                stacked = take_components(stacked, permutation, 0)
                for k, name in enumerate(family):
                    moved[name] = stacked[(slice(None),) * (permutation.ndim - 1) + (k,)]
        return moved


def slice_order(permutation: NDArray, members: tuple[int, ...]) -> NDArray:
    """What a permutation of components means for the slices of an axis that covers some of them.

    Raises
    ------
    ValueError
        If a component that the axis covers would be taken from one that it does not.
    """
    position = np.full(int(permutation.shape[-1]), -1)
    position[list(members)] = np.arange(len(members))
    order = position[permutation[..., list(members)]]
    if (order < 0).any():
        raise ValueError("the permutation mixes components that play different roles")
    return order


def take_components(values: NDArray, permutation: NDArray, axis: int) -> NDArray:
    """Reorder one axis of an array by one permutation, or by one per leading sample."""
    lead = permutation.ndim - 1
    values = np.asarray(values)
    shape = (
        *permutation.shape[:-1],
        *(permutation.shape[-1] if a == axis else 1 for a in range(values.ndim - lead)),
    )
    return np.take_along_axis(values, permutation.reshape(shape), axis=lead + axis)


Tables = Callable[[Theta], tuple[NDArray, NDArray]]


def find_axes(
    tables: Tables, first: Theta, second: Theta, k: int
) -> tuple[dict[str, int], dict[str, tuple[int, ...]], dict[str, int]]:
    """Component axes, whose slices they hold, and parameters owned by a single component.

    Parameters
    ----------
    tables
        The (component, obs) log prior and log likelihood at θ.
    first, second
        Two feasible points.
    k
        Number of components.

    Returns
    -------
    axes
        Component axis by parameter name.
    members
        The component of each slice along it.
    owners
        The one component that a parameter without component axis belongs to.
    """
    base = tables(first)
    axes: dict[str, int] = {}
    members: dict[str, tuple[int, ...]] = {}
    owners: dict[str, int] = {}
    if k == 1:
        return axes, members, owners
    for name, value in first.items():
        for axis in [a for a, length in enumerate(value.shape) if 2 <= length <= k]:
            moved = [
                _mover(tables, base, {**first, name: _with_slice(value, second[name], axis, j)})
                for j in range(value.shape[axis])
            ]
            if len(set(moved)) == len(moved) and None not in moved and _ODDS not in moved:
                axes[name], members[name] = axis, tuple(moved)
                break
            swapped = {**first, name: np.flip(value, axis)}
            if k == 2 and set(moved) == {_ODDS} and _swaps_odds(tables, base, swapped):
                axes[name], members[name] = axis, (0, 1)
                break
        else:
            owner = _mover(tables, base, {**first, name: second[name]})
            if owner is not None and owner != _ODDS:
                owners[name] = owner
    return axes, members, owners


# With two components, moving either one's share of a softmax moves the same odds: whose slice it
# was cannot be told from one change, and is asked of a swap instead.
_ODDS = -1


def _with_slice(value: NDArray, other: NDArray, axis: int, j: int) -> NDArray:
    mixed = np.array(value)
    index = (slice(None),) * axis + (j,)
    mixed[index] = other[index]
    return mixed


def _try(tables: Tables, theta: Theta) -> tuple[NDArray, NDArray] | None:
    """The tables at a mixed point, or None where it broke a constraint of the model."""
    try:
        moved = tables(theta)
    except (ValueError, ArithmeticError, AssertionError):
        return None
    return None if any(np.isnan(t).any() for t in moved) else moved


def _change(moved: NDArray, base: NDArray) -> NDArray:
    """Change of a table, with rounding set to zero and equal infinities counted as no change."""
    with np.errstate(invalid="ignore"):
        change = np.where(moved == base, 0.0, moved - base)
    size = np.where(np.isfinite(base), np.abs(base), 0.0).max() + 1.0
    return np.where(np.abs(change) <= 1e-10 * size, 0.0, change)


def _mover(tables: Tables, base: tuple[NDArray, NDArray], theta: Theta) -> int | None:
    """The one component that going to θ moves, or None; `_ODDS` where two share the change."""
    moved = _try(tables, theta)
    if moved is None:
        return None
    prior, likelihood = (_change(m, b) for m, b in zip(moved, base, strict=True))
    rows = np.flatnonzero(np.any(likelihood != 0, axis=1))
    if len(rows) > 1:
        return None
    k = len(prior)
    in_prior = np.flatnonzero(np.any(prior != 0, axis=1))
    candidates = [int(rows[0])] if len(rows) else list(range(k))
    if len(in_prior) == 0:
        return candidates[0] if len(rows) else None
    if len(in_prior) == 1:
        return int(in_prior[0]) if int(in_prior[0]) in candidates else None
    if k == 2:
        return candidates[0] if len(rows) else _ODDS
    scale = 1e-10 * (1.0 + np.abs(base[0][np.isfinite(base[0])]).max(initial=0.0))
    for j in candidates:
        others = np.delete(prior, j, axis=0)
        with np.errstate(invalid="ignore"):
            if np.all((others == others[:1]) | (np.abs(others - others[:1]) <= scale)):
                return j
    return None


def _swaps_odds(tables: Tables, base: tuple[NDArray, NDArray], theta: Theta) -> bool:
    """Whether θ turns the prior odds of two components around."""
    moved = _try(tables, theta)
    if moved is None:
        return False
    before, after = base[0][0] - base[0][1], moved[0][0] - moved[0][1]
    return bool(np.allclose(after, -before, rtol=1e-9, atol=1e-9))


def spread_axes(
    axes: dict[str, int],
    members: dict[str, tuple[int, ...]],
    prior_terms: Callable[[Theta], dict[str, NDArray]],
    first: Theta,
    second: Theta,
) -> tuple[dict[str, int], dict[str, tuple[int, ...]]]:
    """Component axes of hyperparameters, found through the priors of the parameters below them.

    A hyperparameter's axis is a component axis when replacing its slice j moves only entry j, on
    the component axis, of the log-densities of parameters whose component axis is known.
    """
    axes, members = dict(axes), dict(members)
    base = prior_terms(first)
    found = True
    while found:
        found = False
        for name, value in first.items():
            if name in axes:
                continue
            for axis in range(value.ndim):
                inherited = _members_through_prior(
                    axes, members, prior_terms, base, first, second, name, axis
                )
                if inherited is not None:
                    axes[name], members[name] = axis, inherited
                    found = True
                    break
    return axes, members


def _members_through_prior(axes, members, prior_terms, base, first, second, name, axis):
    inherited: set[tuple[int, ...]] = set()
    for j in range(first[name].shape[axis]):
        theta = {**first, name: _with_slice(first[name], second[name], axis, j)}
        try:
            moved = prior_terms(theta)
        except (ValueError, ArithmeticError, AssertionError):
            return None
        for child, before in base.items():
            if child == name:
                continue
            after = np.broadcast_to(moved[child], np.shape(before))
            changed = ~((after == before) | (np.isnan(after) & np.isnan(before)))
            if not changed.any():
                continue
            child_axis = axes.get(child)
            if child_axis is None or child_axis >= np.ndim(before):
                return None
            if np.shape(before)[child_axis] != first[name].shape[axis]:
                return None
            if np.delete(changed, j, axis=child_axis).any():
                return None
            inherited.add(members[child])
    return inherited.pop() if len(inherited) == 1 else None


def pair_families(owners: Mapping[str, int], theta: Theta, k: int) -> tuple[tuple[str, ...], ...]:
    """Families from single-component parameters: the r-th of each component play one role."""
    owned = [[name for name in theta if owners.get(name) == j] for j in range(k)]
    shapes = [[np.shape(theta[name]) for name in names] for names in owned]
    if not owned[0] or any(shape != shapes[0] for shape in shapes):
        return ()
    return tuple(zip(*owned, strict=True))


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


def _unchanged(elements: Elements, contains, components: Components, swap, theta, z) -> bool:
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
