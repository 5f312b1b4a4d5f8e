"""Mixtures with moving parameters, on which the checks in `unmix.check` are tried.

θ_t wanders around the truth as an autoregression, as the draws of a sampler do that mixes slowly:
what is true of z drawn given θ_t must hold whatever the mixing.
"""

from collections.abc import Callable

import numpy as np
from mutants import Array, Integers, Normals, drawn, normal_responsibilities
from numpy.random import Generator


def wandering(rng: Generator, n_draws: int, n_values: int, memory: float = 0.9) -> Array:
    """Stationary autoregression, variance 1, lag-1 correlation `memory`; (draw, value)."""
    a = rng.standard_normal((n_draws, n_values))
    for t in range(1, n_draws):
        a[t] = memory * a[t - 1] + np.sqrt(1 - memory**2) * a[t]
    return a


def mixture(
    rng: Generator,
    *,
    n: int,
    n_draws: int,
    w: list[float],
    mu: list[float],
    sigma: list[float],
    memory: float = 0.9,
) -> Normals:
    """Data from the mixture; draws as far from its parameters as a posterior's would be."""
    z = rng.choice(len(w), size=n, p=w)
    x = rng.normal(np.array(mu)[z], np.array(sigma)[z])
    # Standard errors if z were known: of log w, of mu / sigma and of log sigma.
    error = 1 / np.sqrt(n * np.array(w))
    a, b, c = (wandering(rng, n_draws, len(w), memory) for _ in range(3))
    weights = np.array(w) * np.exp(error * a)
    return Normals(
        x=x,
        w=weights / weights.sum(axis=1, keepdims=True),
        mu=np.array(mu) + np.array(sigma) * error * b,
        sigma=np.array(sigma) * np.exp(error / np.sqrt(2) * c),
    )


def overlapping(rng: Generator, n: int = 60, n_draws: int = 800) -> Normals:
    """Three components that overlap strongly."""
    return mixture(
        rng, n=n, n_draws=n_draws, w=[0.5, 0.3, 0.2], mu=[-1.0, 0.5, 2.0], sigma=[1.0, 0.7, 1.2]
    )


def old_faithful_like(rng: Generator, n: int = 272, n_draws: int = 1000) -> Normals:
    """Waiting times of Old Faithful: two components, nine rows in ten hardly in doubt."""
    return mixture(
        rng, n=n, n_draws=n_draws, w=[0.361, 0.639], mu=[54.61, 80.09], sigma=[5.87, 5.87]
    )


def far_apart(rng: Generator, n: int = 200, n_draws: int = 1000, gap: float = 10.0) -> Normals:
    """Two components ten standard deviations apart."""
    return mixture(rng, n=n, n_draws=n_draws, w=[0.4, 0.6], mu=[0.0, gap], sigma=[1.0, 1.0])


def sampled(
    rng: Generator,
    x: Array,
    *,
    n_components: int,
    n_draws: int,
    n_chains: int = 4,
    tune: int = 200,
    alpha: float = 2.0,
    fresh: bool = True,
    table: Callable[[Normals], Array] = normal_responsibilities,
) -> tuple[list[Normals], list[Integers]]:
    """A normal mixture's posterior by Gibbs, every chain its own θ and z; all chains at once.

    Priors: w ~ Dirichlet(α), μ_k ~ Normal(mean x, (2 sd x)²), σ_k² ~ inverse gamma(3, var x). Given
    z every block has its textbook conditional. z itself is drawn from its conditional (`fresh`) or
    by one Metropolis proposal an element, uniform over components (to the other one, for two),
    which is what PyMC's steps for an explicit z do. Stored is θ_t, and z_t drawn after it.
    `table` is the Bayes' rule that z is drawn by.
    """
    c, k, n = n_chains, n_components, len(x)
    center, spread, scale = x.mean(), 2 * x.std(), x.var()
    order = np.argsort(x)
    z = np.empty((c, n), dtype=int)
    z[:, order] = np.arange(n) * k // n
    kept_w, kept_mu, kept_sigma = np.empty((3, c, n_draws, k))
    kept_z = np.empty((c, n_draws, n), dtype=int)
    sigma2 = np.full((c, k), scale)
    for t in range(-tune, n_draws):
        one_hot = (z[..., None] == np.arange(k)).astype(float)
        counts = one_hot.sum(axis=1)
        gamma = rng.standard_gamma(alpha + counts)
        w = gamma / gamma.sum(axis=1, keepdims=True)
        precision = 1 / spread**2 + counts / sigma2
        mean = (center / spread**2 + np.einsum("cnk,n->ck", one_hot, x) / sigma2) / precision
        mu = mean + rng.standard_normal((c, k)) / np.sqrt(precision)
        squares = np.einsum("cnk,cnk->ck", one_hot, (x[:, None] - mu[:, None]) ** 2)
        sigma2 = (scale + squares / 2) / rng.standard_gamma(3 + counts / 2)
        r = table(Normals(x, w, mu, np.sqrt(sigma2)))  # chains stand where draws do
        z = drawn(rng, r) if fresh else _one_proposal(rng, r, z)
        if t >= 0:
            kept_w[:, t], kept_mu[:, t], kept_sigma[:, t] = w, mu, np.sqrt(sigma2)
            kept_z[:, t] = z
    theta = [Normals(x, kept_w[j], kept_mu[j], kept_sigma[j]) for j in range(c)]
    return theta, list(kept_z)


def _one_proposal(rng: Generator, r: Array, z: Integers) -> Integers:
    k = r.shape[2]
    proposed = 1 - z if k == 2 else rng.integers(0, k, size=z.shape)
    now = np.take_along_axis(r, z[..., None], axis=2)[..., 0]
    then = np.take_along_axis(r, proposed[..., None], axis=2)[..., 0]
    return np.where(rng.random(z.shape) * now < then, proposed, z)
