"""Which part of θ belongs to which component: measured on the table, never guessed from names.

Take a feasible θ and a second one, θ'. Replacing one slice along an axis of a parameter by that of
θ' moves the likelihood of a single component, and of the prior only that component's odds against
the others (the others may share a normalising constant, as in a softmax): then the axis is indexed
by ``z`` and the slice belongs to that component. A whole parameter that does the same belongs to
one component. Hyperparameters are reached through the priors of the parameters below them.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from unmix.derive.components import Components, Theta

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
            single = [j for j in moved if j is not None and j != _ODDS]
            if len(set(single)) == len(moved):
                axes[name], members[name] = axis, tuple(single)
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
    """Change of a table; equal infinities are no change.

    Exact: what a slice does not touch is computed by the same operations on the same numbers. A
    tolerance would hide the change beside data far from the origin.
    """
    with np.errstate(invalid="ignore"):
        return np.where(moved == base, 0.0, moved - base)


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
                slices = [
                    {**first, name: _with_slice(value, second[name], axis, j)}
                    for j in range(value.shape[axis])
                ]
                inherited = _members_through_prior(axes, members, prior_terms, base, name, slices)
                if inherited is not None:
                    axes[name], members[name] = axis, inherited
                    found = True
                    break
    return axes, members


def _members_through_prior(
    axes: dict[str, int],
    members: dict[str, tuple[int, ...]],
    prior_terms: Callable[[Theta], dict[str, NDArray]],
    base: dict[str, NDArray],
    name: str,
    slices: list[Theta],
) -> tuple[int, ...] | None:
    """The components of a hyperparameter's slices, from the entries that each of them moves.

    ``base`` are the prior terms at one θ, and ``slices`` that θ with each slice replaced in turn.
    """
    inherited: set[tuple[int, ...]] = set()
    for j, theta in enumerate(slices):
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
            if np.shape(before)[child_axis] != len(slices):
                return None
            if np.delete(changed, j, axis=child_axis).any():
                return None
            inherited.add(members[child])
    return inherited.pop() if len(inherited) == 1 else None


def complete_axes(
    found: Components,
    prior_terms: Callable[[Theta], dict[str, NDArray]],
    contains: Callable[[Theta], bool],
    theta: Theta,
) -> tuple[dict[str, int], dict[str, tuple[int, ...]]]:
    """Component axes of hyperparameters that a prior takes whole, as in w_g ~ Dirichlet(c w_0).

    There no entry of the log-density belongs to one component, and what tells is invariance: an
    axis of length K is a component axis when swapping components leaves the priors unchanged with
    it, and does not without it.
    """
    axes, members = dict(found.axes), dict(found.members)
    k = found.n_components
    for name, value in theta.items():
        for axis in [a for a, n in enumerate(value.shape) if n == k and name not in axes]:
            trial = replace(
                found, axes={**axes, name: axis}, members={**members, name: tuple(range(k))}
            )
            without = replace(found, axes=axes, members=members)
            swaps = [_swapped(i, i + 1, k) for i in range(k - 1)]
            if all(
                _prior_unchanged(trial, prior_terms, contains, theta, swap)
                and not _prior_unchanged(without, prior_terms, contains, theta, swap)
                for swap in swaps
            ):
                axes[name], members[name] = axis, tuple(range(k))
    return axes, members


def _swapped(i: int, j: int, k: int) -> NDArray:
    order = np.arange(k)
    order[[i, j]] = j, i
    return order


def _prior_unchanged(
    components: Components,
    prior_terms: Callable[[Theta], dict[str, NDArray]],
    contains: Callable[[Theta], bool],
    theta: Theta,
    swap: NDArray,
) -> bool:
    try:
        moved = components.permute(theta, swap)
    except ValueError:
        return False
    if not contains(moved):
        return False
    before = sum(float(np.sum(v)) for v in prior_terms(theta).values())
    after = sum(float(np.sum(v)) for v in prior_terms(moved).values())
    return bool(abs(after - before) <= 1e-10 * (1.0 + abs(before)))
