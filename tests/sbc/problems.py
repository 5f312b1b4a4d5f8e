"""What is simulated: a prior, a story, and quantities that no relabelling changes.

Draws from the priors and the log-likelihoods are written here in NumPy and SciPy, so that the
declaration, its derivation and the sampler are all on the other side of the comparison.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pymc as pm
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import stats
from scipy.special import logsumexp

Array = NDArray[np.float64]
# A sample of parameters, (sample, component, …).
Theta = dict[str, Array]

K = 2


@dataclass(frozen=True)
class Problem:
    """A model to be calibrated.

    Attributes
    ----------
    rows
        Observations in a data set.
    prior
        One draw of θ.
    data
        Rows given θ and z.
    declare
        The model on rows.
    density
        log p(x_i | z_i = k, θ), (sample, obs, component).
    level, spread
        A component's mean, and its mean square about zero or variance, (sample, component).
    number
        What its random numbers are seeded with, beside the simulation's own.
    method
        How it is fitted unless another is asked for, one of `sbc.runs.FITS`.
    """

    rows: int
    prior: Callable[[Generator], Theta]
    data: Callable[[Generator, Theta, NDArray], Array]
    declare: Callable[[Array], pm.Model]
    density: Callable[[Theta, Array], Array]
    level: Callable[[Theta], Array]
    spread: Callable[[Theta], Array]
    number: int
    method: str = "gibbs"

    def simulate(self, rng: Generator) -> tuple[Theta, NDArray, Array]:
        """θ, z and rows; θ and z as samples of one."""
        theta = self.prior(rng)
        z = rng.choice(K, size=self.rows, p=theta["w"][0])
        return theta, z[None], self.data(rng, theta, z)

    def quantities(self, theta: Theta, z: NDArray, x: Array) -> dict[str, Array]:
        """Label-free quantities of a sample, (sample,) each."""
        log_w = np.log(theta["w"])
        joint = log_w[:, None] + self.density(theta, x)
        at_z = np.take_along_axis(joint, z[..., None].astype(int), axis=2)
        counts = np.stack([(z == k).sum(axis=1) for k in range(K)])
        return {
            "log-likelihood": logsumexp(joint, axis=2).sum(axis=1),
            "log-density with z": at_z.sum(axis=(1, 2)),
            "largest weight": theta["w"].max(axis=1),
            "mean of the mixture": (theta["w"] * self.level(theta)).sum(axis=1),
            "spread of the components": np.log((theta["w"] * self.spread(theta)).sum(axis=1)),
            "rows in the largest": counts.max(axis=0).astype(float),
        }


# --- Normal, one feature --------------------------------------------------------------------------


def _weights(rng: Generator) -> Array:
    return rng.dirichlet(np.ones(K), size=1)


def _normal_prior(rng: Generator) -> Theta:
    return {
        "w": _weights(rng),
        "mu": rng.normal(0, 3, size=(1, K)),
        "sigma": rng.gamma(2, 0.5, size=(1, K)),
    }


def _normal_data(rng: Generator, theta: Theta, z: NDArray) -> Array:
    return rng.normal(theta["mu"][0, z], theta["sigma"][0, z])


def gaussian(x: Array, spread: float = 3.0, weights: float = 1.0) -> pm.Model:
    """The catalogue's, with priors that do not look at the data."""
    from unmix.models import gaussian

    return gaussian(
        x, K, centre=0.0, spread=spread, scale=1.0, correlation=2.0, concentration=weights
    )


def _normal_density(theta: Theta, x: Array) -> Array:
    return stats.norm.logpdf(x[:, None], theta["mu"][:, None], theta["sigma"][:, None])


# --- Normal, two features -------------------------------------------------------------------------


def _bivariate_prior(rng: Generator) -> Theta:
    # LKJ(2) of two features: (1 + r) / 2 is Beta(2, 2).
    r = 2 * rng.beta(2, 2, size=(1, K)) - 1
    corr = np.zeros((1, K, 2, 2))
    corr[..., 0, 0], corr[..., 1, 0], corr[..., 1, 1] = 1.0, r, np.sqrt(1 - r**2)
    return {
        "w": _weights(rng),
        "mu": rng.normal(0, 3, size=(1, K, 2)),
        "sigma": rng.gamma(2, 0.5, size=(1, K, 2)),
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


# --- Poisson --------------------------------------------------------------------------------------


def _poisson_prior(rng: Generator) -> Theta:
    return {"w": _weights(rng), "rate": rng.gamma(2, 2.0, size=(1, K))}


def poisson(x: Array, shape: float = 2.0, weights: float = 1.0) -> pm.Model:
    """Not in the catalogue yet."""
    with pm.Model(coords={"component": range(K), "obs": range(len(x))}) as model:
        w = pm.Dirichlet("w", [weights] * K, dims="component")
        rate = pm.Gamma("rate", shape, 0.5, dims="component")
        z = pm.Categorical("z", w, dims="obs")
        pm.Poisson("x", rate[z], observed=x.astype(int), dims="obs")
    return model


# --- Student's t ----------------------------------------------------------------------------------


def _student_t_prior(rng: Generator) -> Theta:
    return {**_normal_prior(rng), "nu": rng.gamma(2, 10.0, size=(1, K))}


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


def _negative_binomial_prior(rng: Generator) -> Theta:
    return {
        "w": _weights(rng),
        "mu": rng.exponential(5.0, size=(1, K)),
        "alpha": rng.exponential(10.0, size=(1, K)),
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


def _latent_class_prior(rng: Generator) -> Theta:
    return {"w": _weights(rng), "p": rng.dirichlet(np.ones(LEVELS), size=(1, K, ITEMS))}


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


PROBLEMS: dict[str, Problem] = {
    "normal": Problem(
        rows=50,
        prior=_normal_prior,
        data=_normal_data,
        declare=gaussian,
        density=_normal_density,
        level=lambda theta: theta["mu"],
        spread=lambda theta: theta["sigma"] ** 2,
        number=1,
    ),
    "bivariate": Problem(
        rows=50,
        prior=_bivariate_prior,
        data=_bivariate_data,
        declare=gaussian,
        density=_bivariate_density,
        level=lambda theta: theta["mu"].mean(axis=-1),
        # The determinant of the covariance knows the correlation too.
        spread=lambda theta: np.square(
            np.prod(np.diagonal(_factor(theta), axis1=-2, axis2=-1), axis=-1)
        ),
        number=0,
    ),
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
    "student_t": Problem(
        rows=50,
        prior=_student_t_prior,
        data=_student_t_data,
        declare=student_t,
        density=_student_t_density,
        level=lambda theta: theta["mu"],
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
}
