"""Components of other families: Poisson, exponential, Student's t, negative binomial, levels."""

import numpy as np
import pandas as pd
import pymc as pm
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import stats

from sbc.problem import Array, K, Problem, Theta, weights
from sbc.problems.normals import level, normal_prior

# --- Poisson --------------------------------------------------------------------------------------


def _poisson_prior(rng: Generator, size: int) -> Theta:
    return {"w": weights(rng, size), "rate": rng.gamma(2, 2.0, size=(size, K))}


def poisson(x: Array, shape: float = 2.0, weights: float = 1.0) -> pm.Model:
    """By hand, with a prior that the catalogue's does not have."""
    with pm.Model(coords={"component": range(K), "obs": range(len(x))}) as model:
        w = pm.Dirichlet("w", [weights] * K, dims="component")
        rate = pm.Gamma("rate", shape, 0.5, dims="component")
        z = pm.Categorical("z", w, dims="obs")
        pm.Poisson("x", rate[z], observed=x.astype(int), dims="obs")
    return model


# --- Exponential ----------------------------------------------------------------------------------


def _exponential_prior(rng: Generator, size: int) -> Theta:
    return {"w": weights(rng, size), "rate": rng.gamma(2, 0.5, size=(size, K))}


def exponential(x: Array) -> pm.Model:
    """The catalogue's, with a prior that does not look at the data: rates Gamma(2, 2)."""
    from unmix.models import exponential

    return exponential(x, K, shape=2.0, mean=1.0)


def _exponential_density(theta: Theta, x: Array) -> Array:
    rate = theta["rate"][:, None]
    return np.log(rate) - rate * x[:, None]


# --- Student's t ----------------------------------------------------------------------------------


def _student_t_prior(rng: Generator, size: int) -> Theta:
    return {**normal_prior(rng, size), "nu": rng.gamma(2, 10.0, size=(size, K))}


def _student_t_data(rng: Generator, theta: Theta, z: NDArray) -> Array:
    return theta["mu"][0, z] + theta["sigma"][0, z] * rng.standard_t(theta["nu"][0, z])


def student_t(x: Array) -> pm.Model:
    """The catalogue's, with priors that do not look at the data."""
    from unmix.models import student_t

    return student_t(x, K, centre=0.0, spread=3.0, scale=1.0)


def _student_t_density(theta: Theta, x: Array) -> Array:
    nu, mu, sigma = (theta[name][:, None] for name in ("nu", "mu", "sigma"))
    return stats.t.logpdf(x[:, None], nu, mu, sigma)


# --- Negative binomial ----------------------------------------------------------------------------


def _negative_binomial_prior(rng: Generator, size: int) -> Theta:
    return {
        "w": weights(rng, size),
        "mu": rng.exponential(5.0, size=(size, K)),
        "alpha": rng.exponential(10.0, size=(size, K)),
    }


def _negative_binomial_data(rng: Generator, theta: Theta, z: NDArray) -> Array:
    mu, alpha = theta["mu"][0, z], theta["alpha"][0, z]
    return rng.poisson(rng.gamma(alpha, mu / alpha)).astype(float)


def negative_binomial(x: Array) -> pm.Model:
    """The catalogue's, with priors that do not look at the data."""
    from unmix.models import negative_binomial

    return negative_binomial(x, K, mean=5.0, alpha=10.0)


def _negative_binomial_density(theta: Theta, x: Array) -> Array:
    mu, alpha = theta["mu"][:, None], theta["alpha"][:, None]
    return stats.nbinom.logpmf(x[:, None], alpha, alpha / (alpha + mu))


# --- Latent classes -------------------------------------------------------------------------------

ITEMS, LEVELS = 4, 3


def _latent_class_prior(rng: Generator, size: int) -> Theta:
    return {"w": weights(rng, size), "p": rng.dirichlet(np.ones(LEVELS), size=(size, K, ITEMS))}


def _latent_class_data(rng: Generator, theta: Theta, z: NDArray) -> Array:
    below = theta["p"][0, z].cumsum(axis=-1)
    return (rng.random((len(z), ITEMS, 1)) > below[..., :-1]).sum(axis=-1).astype(float)


def latent_class(x: Array) -> pm.Model:
    """The catalogue's."""
    from unmix.models import latent_class

    levels = {f"x{j}": list(range(LEVELS)) for j in range(ITEMS)}
    return latent_class(x.astype(int), K, levels=levels)


def _latent_class_density(theta: Theta, x: Array) -> Array:
    logs = np.log(theta["p"])
    return sum(logs[:, :, j, x[:, j].astype(int)].transpose(0, 2, 1) for j in range(ITEMS))


# --- Columns of different kinds -------------------------------------------------------------------

# `mixed` takes no priors: they look at the rows that it is declared on, which are these whatever
# the simulation. Middle 0, length 6, mean count 3.9.
MIXED = np.stack(
    [np.linspace(-3, 3, 40), np.arange(40) % 9, np.arange(40) % LEVELS], axis=1
).astype(float)


def _mixed_prior(rng: Generator, size: int) -> Theta:
    number, count = MIXED[:, 0], MIXED[:, 1]
    length = number.max() - number.min()
    return {
        "w": weights(rng, size),
        "mu_number": rng.normal(0, length, size=(size, K)),
        "sigma_number": rng.gamma(2, number.std() / 2, size=(size, K)),
        "rate_count": rng.exponential(count.mean(), size=(size, K)),
        "p_kind": rng.dirichlet(np.ones(LEVELS), size=(size, K)),
    }


def _mixed_data(rng: Generator, theta: Theta, z: NDArray) -> Array:
    below = theta["p_kind"][0, z].cumsum(axis=-1)
    return np.stack(
        [
            rng.normal(theta["mu_number"][0, z], theta["sigma_number"][0, z]),
            rng.poisson(theta["rate_count"][0, z]),
            (rng.random((len(z), 1)) > below[:, :-1]).sum(axis=-1),
        ],
        axis=1,
    )


def _mixed_columns(x: Array) -> dict[str, NDArray]:
    return {"number": x[:, 0], "count": x[:, 1].astype(int), "kind": x[:, 2].astype(int)}


def mixed(x: Array) -> pm.Model:
    """The catalogue's."""
    from unmix.models import mixed

    families = {"number": "normal", "count": "poisson", "kind": "categorical"}
    levels = {"kind": list(range(LEVELS))}
    return mixed(pd.DataFrame(_mixed_columns(x)), K, families=families, levels=levels)


def _mixed_density(theta: Theta, x: Array) -> Array:
    columns = _mixed_columns(x)
    number = stats.norm.logpdf(
        columns["number"][:, None], theta["mu_number"][:, None], theta["sigma_number"][:, None]
    )
    count = stats.poisson.logpmf(columns["count"][:, None], theta["rate_count"][:, None])
    return number + count + np.log(theta["p_kind"])[:, :, columns["kind"]].transpose(0, 2, 1)


PROBLEMS = {
    "poisson": Problem(
        rows=40,
        prior=_poisson_prior,
        data=lambda rng, theta, z: rng.poisson(theta["rate"][0, z]).astype(float),
        declare=poisson,
        density=lambda theta, x: stats.poisson.logpmf(x[:, None], theta["rate"][:, None]),
        level=lambda theta: theta["rate"],
        spread=lambda theta: theta["rate"] ** 2,
        number=2,
    ),
    "exponential": Problem(
        rows=40,
        prior=_exponential_prior,
        data=lambda rng, theta, z: rng.exponential(1 / theta["rate"][0, z]),
        declare=exponential,
        density=_exponential_density,
        level=lambda theta: 1 / theta["rate"],
        spread=lambda theta: theta["rate"] ** 2,
        number=7,
    ),
    "student_t": Problem(
        rows=50,
        prior=_student_t_prior,
        data=_student_t_data,
        declare=student_t,
        density=_student_t_density,
        level=level,
        # The tails enter beside the scale.
        spread=lambda theta: theta["sigma"] ** 2 / theta["nu"],
        number=3,
        method="nuts",
    ),
    "negative_binomial": Problem(
        rows=40,
        prior=_negative_binomial_prior,
        data=_negative_binomial_data,
        declare=negative_binomial,
        density=_negative_binomial_density,
        level=lambda theta: theta["mu"],
        spread=lambda theta: theta["mu"] + theta["mu"] ** 2 / theta["alpha"],
        number=4,
        method="nuts",
    ),
    "latent_class": Problem(
        rows=40,
        prior=_latent_class_prior,
        data=_latent_class_data,
        declare=latent_class,
        density=_latent_class_density,
        level=lambda theta: theta["p"][..., 0].mean(axis=-1),
        spread=lambda theta: np.square(theta["p"]).sum(axis=(-2, -1)),
        number=5,
    ),
    "mixed": Problem(
        rows=40,
        prior=_mixed_prior,
        data=_mixed_data,
        declare=mixed,
        density=_mixed_density,
        level=lambda theta: theta["mu_number"],
        spread=lambda theta: theta["sigma_number"] ** 2,
        number=8,
        more=lambda theta, z: {
            "counts": (theta["w"] * theta["rate_count"]).sum(axis=1),
            "kinds": (theta["w"] * np.square(theta["p_kind"]).sum(axis=-1)).sum(axis=1),
        },
        observed=_mixed_columns,
        example=MIXED,
    ),
}
