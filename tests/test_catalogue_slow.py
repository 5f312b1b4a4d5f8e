"""Every model of the catalogue finds the parameters that its own rows were simulated with.

With θ fixed, z = (posterior mean − θ) / posterior sd is about N(0, 1) where rows are many (the
Bernstein–von Mises theorem). A test fails where the largest |z| of a model's m parameters passes
the two-sided Bonferroni bound at `FALSE_ALARM`, and as seeds are fixed that happens in one choice
of seeds in a hundred per model; a prior that is some tenths of an sd off adds to it.
"""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import unmix
from unmix import models

FALSE_ALARM = 0.01
N = 600


def simulated(rng):
    """Component of each row; the first is the smaller one."""
    return (rng.random(N) < 0.6).astype(int)


def poisson(rng, z):
    rate = np.array([[2.0, 8.0], [9.0, 3.0]])
    return models.poisson(rng.poisson(rate[z])), {"rate": rate}


def exponential(rng, z):
    rate = np.array([[2.0, 0.2, 1.0], [0.1, 3.0, 0.05]])
    return models.exponential(rng.exponential(1 / rate[z])), {"rate": rate}


def negative_binomial(rng, z):
    mu, alpha = np.array([4.0, 60.0]), np.array([3.0, 5.0])
    counts = rng.poisson(rng.gamma(alpha[z], mu[z] / alpha[z]))
    return models.negative_binomial(counts), {"mu": mu, "alpha": alpha}


def student_t(rng, z):
    mu, sigma = np.array([[-6.0, 0.0], [4.0, 3.0]]), np.array([[1.0, 2.0], [2.0, 0.5]])
    nu = np.array([3.0, 6.0])
    x = mu[z] + sigma[z] * rng.standard_t(nu[z][:, None], size=(N, 2))
    return models.student_t(x), {"mu": mu, "sigma": sigma, "nu": nu}


def latent_class(rng, z):
    p = rng.dirichlet(np.full(3, 0.7), size=(2, 8)).clip(0.05)
    p /= p.sum(axis=-1, keepdims=True)
    below = p[z].cumsum(axis=-1)
    x = (rng.random((N, 8, 1)) > below[..., :-1]).sum(axis=-1)
    return models.latent_class(x), {"p": p}


def mixed(rng, z):
    known = {
        "mu_age": np.array([30.0, 55.0]),
        "sigma_age": np.array([6.0, 9.0]),
        "rate_visits": np.array([1.0, 6.0]),
        "p_ill": np.array([0.2, 0.7]),
    }
    frame = pd.DataFrame(
        {
            "age": rng.normal(known["mu_age"][z], known["sigma_age"][z]),
            "visits": rng.poisson(known["rate_visits"][z]),
            "ill": rng.random(N) < known["p_ill"][z],
        }
    )
    return models.mixed(frame), known


FAST = (poisson, exponential, latent_class, mixed)


@pytest.mark.slow
@pytest.mark.parametrize(
    "simulate", [*FAST, negative_binomial, student_t], ids=lambda simulate: simulate.__name__
)
def test_a_model_finds_what_made_its_rows(simulate):
    rng = np.random.default_rng(20)
    z = simulated(rng)
    model, known = simulate(rng, z)
    known = {"w": np.array([0.4, 0.6]), **known}
    em = unmix.em(model, rng=1, starts=4, progress=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", unmix.UnmixWarning)  # few draws are enough here
        post = unmix.sample(
            model, method="gibbs" if simulate in FAST else "nuts", draws=400, tune=400, chains=2,
            cores=1, rng=2, em=em, progress=False,
        )  # fmt: skip
        aligned = unmix.align(model, post)
        r = unmix.responsibilities(model, post)["responsibility"].to_numpy()
    # Which fitted component is which: rows say, and nothing of θ is looked at.
    order = [0, 1] if r[z == 0, 0].mean() > 0.5 else [1, 0]
    scores = {}
    for name, value in known.items():
        draws = aligned[name].isel(component=order)
        mean, sd = (
            f(draws, ["chain", "draw"]) for f in (lambda d, a: d.mean(a), lambda d, a: d.std(a))
        )
        scores[name] = ((mean - value) / sd).to_numpy().ravel()
    every = np.concatenate(list(scores.values()))
    print(simulate.__name__, {n: v.round(2).tolist() for n, v in scores.items()})
    assert np.abs(every).max() < stats.norm.isf(FALSE_ALARM / 2 / len(every))
