"""The posterior's mode with z summed out, and what proposals the curvature there gives."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmix.infer.gibbs import compiled
from unmix.infer.gibbs.layout import Layout
from unmix.infer.gibbs.plan import dimensions
from unmix.infer.whiten import find_whitening
from unmix.onepass.onepass import OnePass

# Beyond this, proposals for all parameters at once are hardly ever taken.
MOST_DIMENSIONS = 40
# Tails of the proposal must not be lighter than the posterior's.
INFLATED = 1.05
# Draws for each dimension that it takes to know better, and that the Laplace approximation is worth.
ENOUGH, PRIOR_DRAWS = 10, 5


@dataclass(frozen=True, eq=False)
class Laplace:
    """Normal approximation of the posterior of the unbounded vector.

    Attributes
    ----------
    centre
        The mode, (dimension,).
    factor
        Cholesky factor of the covariance, (dimension, dimension).
    """

    centre: NDArray[np.float64]
    factor: NDArray[np.float64]

    @property
    def inverse(self) -> NDArray[np.float64]:
        """Inverse of the factor."""
        return np.tril(np.linalg.inv(self.factor))


def no_laplace(layout: Layout) -> Laplace:
    """In place of one that there is not; with it no marginal moves are made."""
    size = dimensions(layout.plan)
    return Laplace(np.zeros(size), np.eye(size))


def find_laplace(layout: Layout, onepass: OnePass, theta: dict[str, NDArray]) -> Laplace | None:
    """Climb from θ; None with too many dimensions, or no proper mode nearby.

    Each gradient is one pass, by Fisher's identity.
    """
    plan = layout.plan
    size = dimensions(plan)
    if not 1 <= size <= MOST_DIMENSIONS:
        return None
    values = layout.values(theta)
    k = plan.source.shape[0]
    log_w, packed = np.empty(k), np.empty((k, int(plan.terms[-1, 3] + plan.terms[-1, 4])))
    back, slope_of = compiled.prior_and_pack(), compiled.gradient()
    start = np.empty(size)
    compiled.unconstrain()(plan, values, start)

    def log_density(v: NDArray) -> tuple[float, NDArray]:
        v = np.array(v, dtype=float)
        prior = back(plan, v, values, log_w, packed)
        if not np.isfinite(prior) or not np.isfinite(packed).all():
            return -np.inf, np.zeros(size)
        sums = onepass.run(log_w, packed)
        slope = np.empty(size)
        slope_of(plan, v, values, sums.n, sums.statistics, packed, slope)
        return prior + sums.log_marginal, slope

    with np.errstate(all="ignore"):
        found = find_whitening(log_density, start)
    if found is None or not np.isfinite(found.factor).all():
        return None
    return Laplace(found.centre, np.ascontiguousarray(INFLATED * found.factor))


def reshape(layout: Layout, laplace: Laplace, theta: NDArray) -> Laplace:
    """A proposal with the mean and covariance of draws, shrunk towards the one before.

    Where components overlap the posterior is skewed, and its mean and spread are not those at its
    mode.
    """
    size = len(laplace.centre)
    if len(theta) < ENOUGH * size:
        return laplace
    v = np.empty((len(theta), size))
    for row, into in zip(theta, v, strict=True):
        compiled.unconstrain()(layout.plan, np.concatenate([row, layout.constants]), into)
    if not np.isfinite(v).all():
        return laplace
    weight = len(v) / (len(v) + PRIOR_DRAWS * size)
    centre = weight * v.mean(axis=0) + (1 - weight) * laplace.centre
    covariance = weight * np.atleast_2d(np.cov(v.T)) * INFLATED**2
    covariance += (1 - weight) * laplace.factor @ laplace.factor.T
    try:
        return Laplace(centre, np.ascontiguousarray(np.linalg.cholesky(covariance)))
    except np.linalg.LinAlgError:
        return laplace
