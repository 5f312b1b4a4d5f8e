"""The priors as the sweeps know them, held to the model's own before anything is drawn."""

import numpy as np
from numpy.typing import NDArray

from unmix.derive import Derivation
from unmix.errors import UnmixError
from unmix.infer.exact.blocks import (
    CHANCE,
    EXPONENTIAL_RATE,
    LEVELS,
    MEAN,
    MV_MEAN,
    MV_SCALE,
    RATE,
    SCALE,
    SHARED,
    WEIGHTS,
    Blocks,
)
from unmix.infer.exact.priors import log_positive

# Both add up a few logarithms of the same numbers.
TOLERANCE = 1e-9


def require_priors(derivation: Derivation, blocks: Blocks) -> None:
    """Compare how the log-density of each prior changes between two points.

    Correlations are left to the tests: their density depends on the coordinates it is taken in.

    Raises
    ------
    UnmixError
        If one differs: a defect of unmix, never of the model.
    """
    rng = np.random.default_rng(20261124)
    points = [derivation.space.jittered(rng, 0.5) for _ in range(2)]
    z = np.zeros(derivation.n_obs, dtype=int)
    theirs = [derivation.elements(theta, z) for theta in points]
    for row in blocks.table:
        name = _name_at(blocks, int(row[2]))
        ours = [_log_prior(row, blocks.hyper, np.ravel(theta[name])) for theta in points]
        change = float(np.sum(theirs[1][name]) - np.sum(theirs[0][name]))
        found = ours[1] - ours[0]
        size = 1.0 + sum(abs(o) for o in ours)
        if not abs(found - change) <= TOLERANCE * size:
            raise UnmixError(
                f"the prior of {name!r} changes by {change:.9g} in the model and by {found:.9g} in "
                "the Gibbs sweeps: please report the model, and use method='nuts'"
            )


def _name_at(blocks: Blocks, at: int) -> str:
    starts = np.cumsum([0, *(int(np.prod(s)) for s in blocks.shapes)])
    return blocks.names[int(np.searchsorted(starts, at, side="right")) - 1]


def _log_prior(row: NDArray, hyper: NDArray, x: NDArray) -> float:
    """Log prior density of one block's parameter, up to a constant."""
    kind, h, family = int(row[0]), int(row[3]), int(row[4])
    a, b = hyper[h : h + len(x)], hyper[h + len(x) : h + 2 * len(x)]
    with np.errstate(divide="ignore"):
        if kind in (WEIGHTS, LEVELS):
            return float(((a - 1) * np.log(x)).sum())
        if kind in (MEAN, MV_MEAN):
            return float((-0.5 * ((x - a) / b) ** 2).sum())
        if kind in (RATE, EXPONENTIAL_RATE):
            return float(((a - 1) * np.log(x) - b * x).sum())
        if kind == CHANCE:
            return float(((a - 1) * np.log(x) + (b - 1) * np.log1p(-x)).sum())
        assert kind in (SCALE, SHARED, MV_SCALE)
        return float(sum(log_positive(family, *v) for v in zip(x, a, b, strict=True)))
