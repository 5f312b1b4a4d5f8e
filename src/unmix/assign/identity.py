r"""Whether components keep their identity over draws: one verdict, for every verb that averages.

Three shares of the draws can speak against it, and more than `OPEN_SHARE` in any of them does:

- *open*: swapping two components would cost less than `OPEN_MARGIN` of what they agree on;
- *tied*: another permutation is exactly as good;
- *not a permutation*: the components' parameters do not fall one into each heap of the point
  process (`unmix.assign.pointprocess`).

The first two look at rows, the last at parameters: components that share no row can still lie on
top of each other, and then a mean of μ_k over draws means nothing.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pytensor.graph.traversal import ancestors

from unmix.assign.matching import OPEN_MARGIN, OPEN_SHARE
from unmix.assign.pointprocess import not_permutations
from unmix.derive import Derivation
from unmix.derive.components import Components, Theta
from unmix.derive.theta import stack_theta, theta_dataset

DECLARED = "labels come from the declaration: no two components are exchangeable"
LIKELIEST = "the likeliest of some draws"
WHERE_EM_ENDED = "where EM ended"
STORED = "the reference that the fit was matched to"
_SAID = {
    "tied": "another permutation is as good",
    "open": (
        f"a swap would cost less than {100 * OPEN_MARGIN:.0f} % of the two components' agreement"
    ),
    "not a permutation": "the parameters of two components fall into one and the same cluster",
}


def verdict(shares: Mapping[str, float], aligned_to: str) -> tuple[bool, str]:
    """Whether components keep their identity over draws, and a sentence that says so.

    Parameters
    ----------
    shares
        Shares of the draws: ``tied``, ``open``, ``not a permutation``, those that are known.
    aligned_to
        What the draws were aligned to, in words.
    """
    known = {name: value for name, value in shares.items() if name in _SAID}
    words = ", ".join(f"in {100 * v:.1f} % of the draws {_SAID[n]}" for n, v in known.items())
    if all(value <= OPEN_SHARE for value in known.values()):
        return True, f"aligned to {aligned_to}; {words}" if words else f"aligned to {aligned_to}"
    return False, (
        f"not identified: aligned to {aligned_to}, {words}; components cannot be told "
        "apart over draws: use fewer, or label-free answers"
    )


def identity(
    derivation: Derivation,
    fit: Any,
    permutation: NDArray[np.int64],
    margin: NDArray[np.float64],
    aligned_to: str = LIKELIEST,
) -> tuple[bool, str]:
    """The verdict on a fit's draws of a derived model, matched to a reference.

    Parameters
    ----------
    derivation
        The model on the rows of the fit.
    fit
        Its draws.
    permutation
        Raw component of each matched one, shape (sample, component).
    margin
        What the best swap would lose of each draw's agreement, shape (sample,).
    aligned_to
        What they were matched to, in words.
    """
    components = derivation.components
    if not components.symmetric:
        return True, DECLARED
    shares = {"open": float(np.mean(margin < OPEN_MARGIN))}
    dataset = theta_dataset(fit)
    telling = told_by(derivation)
    names = (*telling.axes, *(name for family in telling.families for name in family))
    values = stack_theta(derivation, fit, tuple(n for n in names if n in dataset)).values
    astray = draws_astray(telling, values, permutation)
    if astray is not None:
        shares["not a permutation"] = float(astray.mean())
    return verdict(shares, aligned_to)


def told_by(derivation: Derivation) -> Components:
    """The components with those of their parameters that say what they are.

    Weights by group say how common a component is, in many numbers near 0.
    """
    above = set(ancestors([derivation.table.log_likelihood]))
    found, theta = derivation.components, derivation.opened.theta
    axes = {n: axis for n, axis in found.axes.items() if theta[n].ndim < 2 or theta[n] in above}
    return replace(found, axes=axes)


def reference_of(fit: Any, stored: bool) -> str:
    """What a fit's draws were matched to, in words: by the fit, or anew."""
    if not stored:
        return LIKELIEST
    return str(fit["alignment"].attrs.get("aligned_to", STORED))


def draws_astray(
    components: Components, values: Theta, permutation: NDArray[np.int64]
) -> NDArray[np.bool_] | None:
    """Draws that do not have one component in each heap, (sample,); None where nothing tells."""
    moved = components.permute(values, permutation)
    astray = None
    for block in components.symmetry:
        if len(block) < 2:
            continue
        numbers = side_by_side(components, moved, block)
        if numbers.shape[-1]:
            here = not_permutations(numbers)
            astray = here if astray is None else astray | here
    return astray


def side_by_side(
    components: Components, values: Theta, block: tuple[int, ...]
) -> NDArray[np.float64]:
    """All that a component has, for the components of one block.

    Returns
    -------
    numpy.ndarray
        Shape (sample, component of the block, number).
    """
    parts = []
    for name, axis in components.axes.items():
        members = components.members[name]
        if name in values and set(block) <= set(members):
            slices = np.moveaxis(values[name], 1 + axis, 1)
            slices = slices[:, [members.index(k) for k in block]]
            parts.append(slices.reshape(len(slices), len(block), -1).astype(float))
    for family in components.families:
        if all(name in values for name in family):
            own = np.stack([values[family[k]] for k in block], axis=1)
            parts.append(own.reshape(len(own), len(block), -1).astype(float))
    if not parts:
        return np.zeros((len(next(iter(values.values()), [])), len(block), 0))
    return np.concatenate(parts, axis=-1)
