"""One pass over draws: Bayes' rule for a block of draws at a time, never for all of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmix.derive import Derivation, bayes, row_weights
from unmix.derive.theta import Stack
from unmix.errors import UnmixError


@dataclass(frozen=True)
class Block:
    """Some consecutive draws.

    Attributes
    ----------
    samples
        Which of the stack.
    log_marginal
        log p(x_i | θ_s), shape (sample, obs).
    responsibility
        p(z_i = k | x_i, θ_s), shape (sample, obs, component), raw labels.
    """

    samples: slice
    log_marginal: NDArray[np.float64]
    responsibility: NDArray[np.float64]


def stream(derivation: Derivation, stack: Stack, *, fast: bool = True) -> Iterator[Block]:
    """Responsibilities of draws, block by block; a block never crosses two chains.

    Parameters
    ----------
    fast
        Whether the compiled pass may be used where the model has one. The checks say no: they
        hold what the pass gave to the derived table.

    Raises
    ------
    UnmixError
        If a row is impossible under every component of a draw.
    """
    per_chain = stack.shape[-1] if len(stack.dims) > 1 else len(stack)
    for chain in range(0, len(stack), max(1, per_chain)):
        for part in derivation.blocks(min(per_chain, len(stack) - chain)):
            samples = slice(chain + part.start, chain + part.stop)
            log_marginal, r = _bayes(derivation, stack[samples], fast)
            if np.isnan(r).any():
                s, i = (int(v) for v in np.argwhere(np.isnan(r).any(axis=-1))[0])
                raise UnmixError(
                    f"row {derivation.obs_labels[i]} is impossible under every component at "
                    f"sample {samples.start + s} of the fit, so no component can have made it: "
                    "add a component that allows it, or remove the row"
                )
            yield Block(samples, log_marginal, r)


def _bayes(
    derivation: Derivation, theta: dict[str, NDArray], fast: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log p(x_i | θ_s) and responsibilities of some draws, by the pass or by the table."""
    if fast and derivation.onepass is not None:
        onepass = derivation.onepass
        try:
            log_w, packed = onepass.recognised.pack_stack(theta)
        except (ValueError, AssertionError, ArithmeticError):
            packed = np.array(np.nan)
        # Where θ breaks a constraint the table is asked, which says which one.
        if not np.isnan(packed).any() and onepass.recognised.sums_to_one(log_w, packed):
            return onepass.responsibilities(log_w, packed)
    if fast and derivation.parts is not None:
        try:
            joint = derivation.parts.joint_stack(theta)
        except (ValueError, AssertionError, ArithmeticError):
            joint = np.array(np.nan)
        if not np.isnan(joint).any():
            return bayes.normalise(joint)
    return bayes.normalise(bayes.joint(*derivation.log_terms(theta)))


def reference_responsibility(
    derivation: Derivation, stack: Stack, looks: int = 64
) -> NDArray[np.float64]:
    """Responsibilities at the likeliest of some evenly spread draws, shape (obs, component)."""
    return likeliest_draw(derivation, stack, looks)[1]


def likeliest_draw(
    derivation: Derivation, stack: Stack, looks: int = 64
) -> tuple[int, NDArray[np.float64]]:
    """The likeliest of some evenly spread draws, and its responsibilities (obs, component)."""
    picks = np.unique(np.linspace(0, len(stack) - 1, looks).astype(int))
    best, at, found = -np.inf, 0, None
    for part in derivation.blocks(len(picks)):
        log_marginal, r = _bayes(derivation, stack[picks[part]], True)
        total = row_weights.total(log_marginal, derivation.weight)
        top = int(np.argmax(total))
        if found is None or total[top] > best:
            best, at, found = float(total[top]), int(picks[part][top]), r[top]
    assert found is not None
    return at, np.nan_to_num(found, nan=1.0 / derivation.n_components)


def draw_responsibility(derivation: Derivation, stack: Stack, sample: int) -> NDArray[np.float64]:
    """Responsibilities at one draw, shape (obs, component)."""
    r = _bayes(derivation, stack[slice(sample, sample + 1)], True)[1][0]
    return np.nan_to_num(r, nan=1.0 / derivation.n_components)
