"""Maximum likelihood of the catalogue's models: known answers, scipy's optimum, and the edges."""

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
import truth
from scipy import stats
from scipy.special import expit, logsumexp

import unmix
from unmix import models
from unmix.infer.readings import _probabilities

# --- Carcinoma: 118 slides, seven pathologists (Agresti 2002, Categorical Data Analysis, 13.1) ----
# poLCA 1.6 (R), best of many starts: log-likelihood and class shares, in order.

CARCINOMA = {
    2: (-317.256837299492, [0.501212386547102, 0.498787613452898]),
    3: (-293.704979, [0.4447, 0.3736, 0.1817]),
}


@pytest.fixture(scope="module")
def carcinoma():
    values = np.genfromtxt(
        truth.SHARED / "data" / "lca_carcinoma.csv", delimiter=",", skip_header=1, dtype=int
    ) if (truth.SHARED / "data" / "lca_carcinoma.csv").exists() else None  # fmt: skip
    if values is None:
        pytest.skip("the carcinoma data lie outside the repository and are not here")
    return pd.DataFrame(values[:, :7], columns=list("ABCDEFG"))


@pytest.mark.parametrize("k", CARCINOMA)
def test_latent_classes_of_the_carcinoma_slides(carcinoma, k):
    value, shares = CARCINOMA[k]
    model = models.latent_class(carcinoma, k)
    result = unmix.em(model, rng=1, starts=20, progress=False)
    assert result.status.name == "converged"
    # The truth is printed to six decimals.
    assert result.log_likelihood == pytest.approx(value, abs=1e-6)
    assert result.df == (k - 1) + 7 * k
    np.testing.assert_allclose(np.sort(result.theta["w"])[::-1], shares, atol=6e-5)
    assert "probabilities in 'p' have an entry that is 0 or 1" in str(result.status)
    p = result.theta["p"].to_numpy()
    assert p.min() >= 0
    assert p.max() <= 1
    # Nothing that is done with a fit stumbles over log 0.
    rule = unmix.bayes_rule(model, result)
    np.testing.assert_allclose(rule["responsibility"].sum("component"), 1, rtol=1e-12)
    assert "responsibility" in str(unmix.explain(model, result, obs=0))


def test_a_probability_is_never_above_one():
    """Sums in another order leave an ulp, which PyMC refuses."""
    assert np.exp(np.log(np.nextafter(1.0, 2.0))) > 1
    assert _probabilities(np.log(np.nextafter(1.0, 2.0))) == 1


# --- An independent optimiser ---------------------------------------------------------------------


def negative_binomial(x, u):
    w, mu, alpha = expit(u[0]), np.exp(u[1:3]), np.exp(u[3:5])
    terms = stats.nbinom.logpmf(x[:, None], alpha, alpha / (alpha + mu))
    return w, terms


def student_t(x, u):
    w, mu, sigma, nu = expit(u[0]), u[1:3], np.exp(u[3:5]), np.exp(u[5:7])
    return w, stats.t.logpdf(x[:, None], nu, mu, sigma)


def optimum(x, terms, start):
    """The largest log-likelihood near a start, by Nelder and Mead and then by BFGS."""

    def negative(u):
        w, log_density = terms(x, u)
        with np.errstate(divide="ignore"):
            value = -logsumexp(log_density + np.log([w, 1 - w]), axis=1).sum()
        return value if np.isfinite(value) else 1e10

    found = scipy.optimize.minimize(
        negative, start, method="Nelder-Mead", options={"maxiter": 20_000, "maxfev": 20_000}
    )
    found = scipy.optimize.minimize(negative, found.x, method="BFGS", options={"gtol": 1e-6})
    return -found.fun, found.x


def counts(rng, n):
    z = rng.random(n) < 0.4
    mu, alpha = np.where(z, 3.0, 40.0), np.where(z, 3.0, 2.0)
    return rng.poisson(rng.gamma(alpha, mu / alpha))


def tails(rng, n):
    z = rng.random(n) < 0.4
    return np.where(z, -6.0, 6.0) + np.where(z, 0.7, 1.5) * rng.standard_t(2.5, n)


CASES = {
    "negative_binomial": (
        models.negative_binomial, counts, negative_binomial,
        [0.0, 1.0, 3.6, 1.0, 1.0], ("mu", "alpha"),
    ),
    "student_t": (
        models.student_t, tails, student_t,
        [0.0, -6.0, 6.0, 0.0, 0.0, 1.0, 1.0], ("mu", "sigma", "nu"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_em_ends_where_another_optimiser_does(name):
    model, simulate, terms, start, names = CASES[name]
    x = simulate(np.random.default_rng(3), 300)
    result = unmix.em(model(x), rng=1, starts=2, progress=False)
    value, u = optimum(x, terms, start)
    assert result.status.name == "converged"
    # BFGS by differences stops at a gradient of 1e-6 to 1e-4; the value is off by its square.
    assert result.log_likelihood == pytest.approx(value, abs=1e-5)
    for j, parameter in enumerate(names):
        known = u[1 + 2 * j : 3 + 2 * j]
        known = known if (name, parameter) == ("student_t", "mu") else np.exp(known)
        # A gradient of 1e-4 over a curvature of ten rows is 1e-5 in θ; a hundred times that.
        np.testing.assert_allclose(result.theta[parameter], known, rtol=1e-3)
    steps = np.diff(result.trace)
    assert steps.min() >= -1e-11 * (abs(result.trace[-1]) + len(x))


# --- Edges ----------------------------------------------------------------------------------------


def test_counts_less_scattered_than_poisson_have_no_finite_alpha():
    x = np.array([4, 5, 5, 6, 5, 4, 6, 5, 5, 5, 20, 21, 20, 19, 20, 22, 20, 20])
    result = unmix.em(models.negative_binomial(x), rng=1, starts=2, progress=False)
    assert result.status.name == "converged"
    said = str(result.status)
    assert "alpha[0] = " in said
    assert "alpha[1] = " in said
    assert "does not fall as each grows tenfold, so it has no finite maximum" in said
    # A parameter that moves for ever does not use up the iterations.
    assert "iteration limit" not in set(result.starts["status"].values)
    # At the limit it is the Poisson mixture, whose optimum EM knows in closed form.
    limit = unmix.em(models.poisson(x), rng=1, starts=2, progress=False)
    # alpha of 1e6 and more: mu² / (2 alpha) a row.
    assert result.log_likelihood == pytest.approx(limit.log_likelihood, abs=1e-3)
    np.testing.assert_allclose(result.theta["mu"], limit.theta["rate"], rtol=1e-3)


def test_rows_without_tails_have_no_finite_nu():
    z = stats.norm.ppf((np.arange(30) + 0.5) / 30)
    x = np.concatenate([z - 8, 2 * z + 8])
    result = unmix.em(models.student_t(x), rng=1, starts=2, progress=False)
    assert result.status.name == "converged"
    assert "nu[0] = " in str(result.status)
    assert "no finite maximum" in str(result.status)
    limit = unmix.em(models.gaussian(x), rng=1, starts=2, progress=False)
    assert result.log_likelihood == pytest.approx(limit.log_likelihood, abs=1e-3)


def test_a_finite_maximum_is_not_called_endless():
    x = tails(np.random.default_rng(3), 300)
    assert "finite" not in str(
        unmix.em(models.student_t(x), rng=1, starts=2, progress=False).status
    )


def test_a_t_that_shrinks_onto_equal_rows_is_collapsed():
    x = np.concatenate([np.full(6, 2.0), np.linspace(-5, 9, 30)])
    start = {
        "w": np.array([0.2, 0.8]),
        "mu": np.array([2.0, 2.0]),
        "sigma": np.array([1e-2, 4.0]),
        "nu": np.array([10.0, 10.0]),
    }
    result = unmix.em(models.student_t(x), start=start, progress=False)
    assert result.status.name == "collapsed"
    assert not result.converged
