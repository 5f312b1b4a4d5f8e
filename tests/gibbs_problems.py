"""Small models with exact conditionals, and draws of their priors and data, for Geweke's test."""

from functools import lru_cache

import numpy as np
import pymc as pm
from pytensor.compile.mode import Mode
from scipy import stats

FALSE_ALARM = 1e-4
CHAINS = 100
ROWS, K = 8, 2
# Independent draws of the prior.
FREE = 6_000


def declare(kind):
    """A small model of each kind; its data are overwritten."""
    one, two = np.linspace(-1, 1, ROWS), np.linspace(-1, 1, 2 * ROWS).reshape(ROWS, 2)
    three = np.random.default_rng(0).normal(size=(ROWS, 3))
    with pm.Model() as model:
        w = pm.Dirichlet("w", [2.0, 2.0] if kind == "exchangeable" else [2.0, 3.0])
        z = pm.Categorical("z", w, shape=ROWS)
        if kind in (
            "exchangeable",
            "gamma",
            "half normal",
            "inverse gamma",
            "log normal",
            "exponential prior",
        ):
            mu = pm.Normal("mu", 1.0, 1.5, shape=K)
            prior = {
                "exchangeable": lambda: pm.Gamma("sigma", 4, 3, shape=K),
                "gamma": lambda: pm.Gamma("sigma", 4, 3, shape=K),
                "half normal": lambda: pm.HalfNormal("sigma", 1.0, shape=K),
                "inverse gamma": lambda: pm.InverseGamma("sigma", 6, 5, shape=K),
                "log normal": lambda: pm.LogNormal("sigma", 0.2, 0.4, shape=K),
                "exponential prior": lambda: pm.Exponential("sigma", 1.5, shape=K),
            }
            pm.Normal("x", mu[z], prior[kind]()[z], observed=one)
        elif kind == "shared":
            mu = pm.Normal("mu", 1.0, 1.5, shape=(K, 2))
            pm.Normal("x", mu[z], pm.Gamma("sigma", 4, 3), observed=two)
        elif kind in ("plane", "space"):
            d = 2 if kind == "plane" else 3
            mu = pm.Normal("mu", 1.0, 1.5, shape=(K, d))
            sigma = pm.Gamma("sigma", 4, 3, shape=(K, d))
            corr = pm.LKJCorr("corr", n=d, eta=1.5, shape=(K, d, d))
            chol = sigma[..., None] * corr
            pm.MvNormal("x", mu[z], chol=chol[z], observed=two if d == 2 else three)
        elif kind == "poisson":
            rate = pm.Gamma("rate", 3, 1, shape=K)
            pm.Poisson("x", rate[z], observed=np.arange(ROWS))
        elif kind == "exponential":
            rate = pm.Gamma("rate", 3, 1, shape=K)
            pm.Exponential("x", rate[z], observed=1.0 + np.arange(ROWS))
        elif kind == "bernoulli":
            p = pm.Beta("p", 2, 3, shape=(K, 2))
            pm.Bernoulli("x", p[z], observed=np.arange(2 * ROWS).reshape(ROWS, 2) % 2)
        else:
            p = pm.Dirichlet("p", [1.0, 2.0, 3.0], shape=(K, 3))
            pm.Categorical("x", p[z], observed=np.arange(ROWS) % 3)
    return model


def simulate(kind, theta, rng):
    """z and data given θ of each chain: (chain, obs), (chain, column, obs)."""
    w = theta["w"]
    chains = np.arange(len(w))[:, None]
    z = drawn(w[:, None], rng, (len(w), ROWS))
    if "mu" in theta:
        mu = theta["mu"].reshape(len(w), K, -1)
        noise = rng.normal(size=(len(w), ROWS, mu.shape[2]))
        if "corr" in theta:
            factor = theta["sigma"][..., None] * theta["corr"]
            x = mu[chains, z] + np.einsum("cnij,cnj->cni", factor[chains, z], noise)
        else:
            sigma = theta["sigma"].reshape(len(w), -1, 1) * np.ones((K, 1))
            x = mu[chains, z] + sigma[chains, z] * noise
    elif kind == "poisson":
        x = rng.poisson(theta["rate"][chains, z])[..., None]
    elif kind == "exponential":
        x = rng.exponential(1 / theta["rate"][chains, z])[..., None]
    elif kind == "bernoulli":
        x = rng.random((len(w), ROWS, 2)) < theta["p"][chains, z]
    else:
        x = drawn(theta["p"][chains, z], rng, z.shape)[..., None]
    return z, np.ascontiguousarray(x.transpose(0, 2, 1), dtype=float)


def drawn(p, rng, shape):
    """Categories by the inverse of their distribution function."""
    return (rng.random(shape)[..., None] >= p.cumsum(axis=-1)[..., :-1]).sum(axis=-1)


def coordinates(blocks, flat):
    """θ in coordinates with light tails, (draw, coordinate)."""
    out = []
    for name, value in blocks.unflatten(flat).items():
        value = value.reshape(len(flat), -1)
        value = value[:, np.ptp(value, axis=0) > 0]
        out.append(np.log(value) if name in ("sigma", "rate") else value)
    return np.concatenate(out, axis=1)


@lru_cache
def independent(kind, names):
    """θ from the prior, flat, (draw, value)."""
    with DECLARED[kind]:
        # In Python: PyTensor's machine code takes longer to compile than these draws do.
        prior = pm.sample_prior_predictive(
            FREE, var_names=list(names), random_seed=1,
            compile_kwargs={"mode": Mode(linker="py", optimizer="fast_compile")},
        )  # fmt: skip
    return np.concatenate([prior["prior"][n].values[0].reshape(FREE, -1) for n in names], axis=1)


def largest_score(chain, free, sweeps):
    """|t| of the mean and the mean square of every coordinate along chains, and its bound.

    Parameters
    ----------
    chain
        (sweep · chain, coordinate), all chains begun in the prior.
    free
        Independent draws of the prior, (draw, coordinate).
    """
    scores = []
    for f in (lambda v: v, np.square):
        means = f(chain).reshape(sweeps, CHAINS, -1).mean(axis=0)
        error = np.sqrt(means.var(axis=0, ddof=1) / CHAINS + f(free).var(axis=0) / len(free))
        scores.append(np.abs(means.mean(axis=0) - f(free).mean(axis=0)) / error)
    scores = np.concatenate(scores)
    return scores.max(), stats.t.isf(FALSE_ALARM / 2 / len(scores), CHAINS - 1)


KINDS = [
    "gamma", "half normal", "inverse gamma", "log normal", "exponential prior", "shared", "plane",
    "space", "poisson", "exponential", "bernoulli", "categorical",
]  # fmt: skip
DECLARED = {kind: declare(kind) for kind in (*KINDS, "exchangeable")}
