"""Normal components: one feature, two features, two with cells missing."""

from typing import Any

import numpy as np
import pymc as pm
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import stats

from sbc.problem import Array, K, Problem, Theta, weights

# --- One feature ----------------------------------------------------------------------------------


def normal_prior(rng: Generator, size: int) -> Theta:
    """Of `gaussian` below, with one feature."""
    return {
        "w": weights(rng, size),
        "mu": rng.normal(0, 3, size=(size, K)),
        "sigma": rng.gamma(2, 0.5, size=(size, K)),
    }


def normal_data(rng: Generator, theta: Theta, z: NDArray) -> Array:
    """Rows given their components."""
    return rng.normal(theta["mu"][0, z], theta["sigma"][0, z])


def gaussian(x: Array, spread: float = 3.0, weights: float = 1.0, **options: Any) -> pm.Model:
    """The catalogue's, with priors that do not look at the data."""
    from unmix.models import gaussian

    return gaussian(
        x, K, centre=0.0, spread=spread, scale=1.0, correlation=2.0, concentration=weights,
        **options,
    )  # fmt: skip


def normal_density(theta: Theta, x: Array) -> Array:
    """Of every row under every component."""
    return stats.norm.logpdf(x[:, None], theta["mu"][:, None], theta["sigma"][:, None])


def level(theta: Theta) -> Array:
    """Means."""
    return theta["mu"]


def variance(theta: Theta) -> Array:
    """Squared standard deviations."""
    return theta["sigma"] ** 2


# --- Two features ---------------------------------------------------------------------------------


def _bivariate_prior(rng: Generator, size: int) -> Theta:
    # LKJ(2) of two features: (1 + r) / 2 is Beta(2, 2).
    r = 2 * rng.beta(2, 2, size=(size, K)) - 1
    corr = np.zeros((size, K, 2, 2))
    corr[..., 0, 0], corr[..., 1, 0], corr[..., 1, 1] = 1.0, r, np.sqrt(1 - r**2)
    return {
        "w": weights(rng, size),
        "mu": rng.normal(0, 3, size=(size, K, 2)),
        "sigma": rng.gamma(2, 0.5, size=(size, K, 2)),
        "corr": corr,
    }


def _factor(theta: Theta) -> Array:
    return theta["sigma"][..., None] * theta["corr"]


def _bivariate_data(rng: Generator, theta: Theta, z: NDArray) -> Array:
    e = rng.standard_normal((len(z), 2))
    return theta["mu"][0, z] + np.einsum("nij,nj->ni", _factor(theta)[0, z], e)


def _bivariate_density(theta: Theta, x: Array) -> Array:
    factor = _factor(theta)[:, None]
    apart = x[:, None] - theta["mu"][:, None]
    first = apart[..., 0] / factor[..., 0, 0]
    second = (apart[..., 1] - factor[..., 1, 0] * first) / factor[..., 1, 1]
    size = np.log(factor[..., 0, 0] * factor[..., 1, 1])
    return -np.log(2 * np.pi) - size - 0.5 * (first**2 + second**2)


def _mean_level(theta: Theta) -> Array:
    return theta["mu"].mean(axis=-1)


def _bivariate_spread(theta: Theta) -> Array:
    """The determinant of the covariance knows the correlation too."""
    return np.square(np.prod(np.diagonal(_factor(theta), axis1=-2, axis2=-1), axis=-1))


# --- Two features, cells missing ------------------------------------------------------------------

# Which cells are not there: of some rows the first, of some the second, of one both.
MISSING = np.zeros((40, 2), dtype=bool)
MISSING[:9, 0] = MISSING[8:16, 1] = True


def _cells(theta: Theta, x: Array) -> Array:
    """Log-density of each cell by itself, 0 where it is missing, (sample, row, component)."""
    mu, sigma = theta["mu"][:, None], theta["sigma"][:, None]
    cells = stats.norm.logpdf(np.nan_to_num(x)[:, None], mu, sigma)
    return np.where(MISSING[:, None], 0.0, cells).sum(axis=-1)


def _missing_density(theta: Theta, x: Array) -> Array:
    """A row says what its other cells say: a marginal of the bivariate, or nothing."""
    both = _bivariate_density(theta, np.nan_to_num(x))
    return np.where(MISSING.any(axis=1)[:, None], _cells(theta, x), both)


def _independent_prior(rng: Generator, size: int) -> Theta:
    return {
        "w": weights(rng, size),
        "mu": rng.normal(0, 3, size=(size, K, 2)),
        "sigma": rng.gamma(2, 0.5, size=(size, K, 2)),
    }


def _independent_data(rng: Generator, theta: Theta, z: NDArray) -> Array:
    return np.where(MISSING, np.nan, normal_data(rng, theta, z))


PROBLEMS = {
    "normal": Problem(
        rows=50,
        prior=normal_prior,
        data=normal_data,
        declare=gaussian,
        density=normal_density,
        level=level,
        spread=variance,
        number=1,
    ),
    "bivariate": Problem(
        rows=50,
        prior=_bivariate_prior,
        data=_bivariate_data,
        declare=gaussian,
        density=_bivariate_density,
        level=_mean_level,
        spread=_bivariate_spread,
        number=0,
    ),
    "missing": Problem(
        rows=40,
        prior=_independent_prior,
        data=_independent_data,
        declare=lambda x: gaussian(x, covariance="diagonal"),
        density=_cells,
        level=_mean_level,
        spread=lambda theta: np.square(np.prod(theta["sigma"], axis=-1)),
        number=6,
        method="nuts",
    ),
    "missing_full": Problem(
        rows=40,
        prior=_bivariate_prior,
        data=lambda rng, theta, z: np.where(MISSING, np.nan, _bivariate_data(rng, theta, z)),
        declare=gaussian,
        density=_missing_density,
        level=_mean_level,
        spread=_bivariate_spread,
        number=17,
        method="nuts",
    ),
}
