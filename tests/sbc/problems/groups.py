"""Normal components of one feature, where rows come in groups or priors have priors."""

import numpy as np
import pymc as pm
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import stats

from sbc.problem import Array, K, Problem, Theta, weights
from sbc.problems.normals import level, normal_data, normal_density, normal_prior, variance

# Group of each of 48 rows: 4 groups of 20, 14, 10 and 4.
GROUP = np.repeat(np.arange(4), [20, 14, 10, 4])

# --- Weights by group -----------------------------------------------------------------------------


def _grouped_weights_prior(rng: Generator, size: int) -> Theta:
    w0 = weights(rng, size)
    c = rng.lognormal(2, 1, size=size)
    # A Dirichlet of two is a beta; both of its tails are kept.
    w = rng.beta((c * w0[:, 0])[:, None], (c * w0[:, 1])[:, None], size=(size, 4))
    return {
        "w0": w0,
        "c": c,
        "w": np.stack([w, 1 - w], axis=-1),
        "mu": rng.normal(0, 3, size=(size, K)),
        "sigma": rng.gamma(2, 0.5, size=(size, K)),
    }


def grouped_weights(x: Array) -> pm.Model:
    """The catalogue's, with priors that do not look at the data."""
    from unmix.models import grouped_weights

    return grouped_weights(x, GROUP, K, centre=0.0, spread=3.0, scale=1.0)


# --- Means by group -------------------------------------------------------------------------------


def _varying_means_prior(rng: Generator, size: int) -> Theta:
    mu = rng.normal(0, 3, size=(size, K))
    between = rng.gamma(2, 0.25, size=size)
    return {
        "w": weights(rng, size),
        "mu": mu,
        "between": between,
        "mu_group": mu[:, None] + between[:, None, None] * rng.standard_normal((size, 4, K)),
        "sigma": rng.gamma(2, 0.5, size=(size, K)),
    }


def _varying_means_data(rng: Generator, theta: Theta, z: NDArray) -> Array:
    return rng.normal(theta["mu_group"][0, GROUP, z], theta["sigma"][0, z])


def varying_means(x: Array) -> pm.Model:
    """The catalogue's, with priors that do not look at the data."""
    from unmix.models import varying_means

    return varying_means(x, GROUP, K, centre=0.0, spread=3.0, scale=1.0)


def _varying_means_density(theta: Theta, x: Array) -> Array:
    return stats.norm.logpdf(x[:, None], theta["mu_group"][:, GROUP], theta["sigma"][:, None])


# --- Priors of priors -----------------------------------------------------------------------------

# What stands for the length of the data's range.
RANGE = 6.0


def _hierarchical_prior(rng: Generator, size: int) -> Theta:
    centre = rng.normal(0, RANGE, size=size)
    spread = rng.gamma(2, RANGE / 2, size=size)
    beta = rng.gamma(0.2, RANGE**2 / 10, size=size)
    return {
        "centre": centre,
        "spread": spread,
        "beta": beta,
        "w": weights(rng, size),
        "mu": rng.normal(centre[:, None], spread[:, None], size=(size, K)),
        "variance": beta[:, None] / rng.gamma(2, 1.0, size=(size, K)),
    }


def _hierarchical_data(rng: Generator, theta: Theta, z: NDArray) -> Array:
    return rng.normal(theta["mu"][0, z], np.sqrt(theta["variance"][0, z]))


def _spread_out(x: Array) -> bool:
    """Whether rows do not lie on needles.

    The prior of beta has a tenth of its mass below 1e-4, where components are points for all that a
    sampler can find: of those data sets nothing is to be learnt about the posterior.
    """
    gaps = np.diff(np.sort(x))
    return bool(np.median(gaps) > 1e-3 * gaps.sum())


def hierarchical(x: Array) -> pm.Model:
    """The catalogue's, with priors that do not look at the data."""
    from unmix.models import hierarchical

    return hierarchical(x, K, centre=0.0, spread=RANGE)


def _hierarchical_density(theta: Theta, x: Array) -> Array:
    sd = np.sqrt(theta["variance"])[:, None]
    return stats.norm.logpdf(x[:, None], theta["mu"][:, None], sd)


# --- Subjects measured several times --------------------------------------------------------------

# 20 subjects of 1 to 4 rows, 47 rows in all.
SUBJECT = np.repeat(np.arange(20), [1, 2, 3, 2, 4, 1, 3, 2, 3, 2, 4, 1, 2, 3, 2, 1, 4, 2, 3, 2])


def repeated_measures(x: Array) -> pm.Model:
    """The catalogue's, with priors that do not look at the data."""
    from unmix.models import repeated_measures

    return repeated_measures(x, SUBJECT, K, centre=0.0, spread=3.0, scale=1.0)


PROBLEMS = {
    "grouped_weights": Problem(
        rows=len(GROUP),
        prior=_grouped_weights_prior,
        data=normal_data,
        declare=grouped_weights,
        density=normal_density,
        level=level,
        spread=variance,
        number=9,
        method="nuts",
        weights=lambda theta: theta["w"][:, GROUP],
        more=lambda theta, z: {
            "largest weight in general": theta["w0"].max(axis=1),
            "alikeness of groups": theta["c"],
        },
    ),
    "varying_means": Problem(
        rows=len(GROUP),
        prior=_varying_means_prior,
        data=_varying_means_data,
        declare=varying_means,
        density=_varying_means_density,
        level=level,
        spread=variance,
        number=10,
        method="nuts",
        more=lambda theta, z: {
            "spread between groups": theta["between"],
            "mean of the smallest group": (theta["w"] * theta["mu_group"][:, -1]).sum(axis=1),
        },
    ),
    "hierarchical": Problem(
        rows=50,
        prior=_hierarchical_prior,
        data=_hierarchical_data,
        declare=hierarchical,
        density=_hierarchical_density,
        level=level,
        spread=lambda theta: theta["variance"],
        number=11,
        method="general gibbs",
        more=lambda theta, z: {name: theta[name] for name in ("centre", "spread", "beta")},
        usable=_spread_out,
    ),
    "repeated_measures": Problem(
        rows=len(SUBJECT),
        prior=normal_prior,
        data=normal_data,
        declare=repeated_measures,
        density=normal_density,
        level=level,
        spread=variance,
        number=12,
        method="nuts",
        unit_of=SUBJECT,
    ),
}
