"""Multivariate normals of four and six features, against SciPy: the table, the pass, EM, θ by hand.

With six features one column is nearly the sum of two others, so that covariances are close to
singular, which is where formulas and storage lose digits.
"""

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

import unmix
from unmix.onepass.onepass import OnePass

NEAR = 1e-3  # standard deviation of the sixth column less the sum of the first two


def rows(d, n=150):
    rng = np.random.default_rng(d)
    x = rng.normal(size=(n, d)) @ np.triu(rng.normal(size=(d, d)) * 0.3 + np.eye(d))
    x[: n // 3] += np.linspace(2, 4, d)
    if d == 6:
        x[:, 5] = x[:, 0] + x[:, 1] + NEAR * rng.normal(size=n)
    return x


def theta_of(x, cut, w):
    """Weights, means and covariances of the rows before and after a cut, as the model has them."""
    both = [x[:cut], x[cut:]]
    covariance = [np.cov(part.T) for part in both]
    sigma = np.sqrt([np.diag(c) for c in covariance])
    corr = [np.linalg.cholesky(c / np.outer(s, s)) for c, s in zip(covariance, sigma, strict=True)]
    mean = np.array([part.mean(axis=0) for part in both])
    return {"w": np.asarray(w), "mu": mean, "sigma": sigma, "corr": np.array(corr)}


def log_joint(x, theta):
    """log w_k + log N(x_i | μ_k, Σ_k), shape (obs, component)."""
    out = []
    for w, mean, sigma, corr in zip(*(theta[n] for n in ("w", "mu", "sigma", "corr")), strict=True):
        chol = sigma[:, None] * corr
        density = multivariate_normal(mean, chol @ chol.T, allow_singular=False).logpdf(x)
        with np.errstate(divide="ignore"):
            out.append(np.log(w) + density)
    return np.stack(out, axis=1)


@pytest.fixture(scope="module", params=[4, 6])
def problem(request):
    x = rows(request.param)
    return x, unmix.models.gaussian(x, 2)


def rounding(x, theta):
    """What a log-density may be off by: its size, in units of rounding, times the condition."""
    chols = theta["sigma"][:, :, None] * theta["corr"]
    condition = max(np.linalg.cond(c @ c.T) for c in chols)
    return 50 * np.finfo(float).eps * condition * x.shape[1]


@pytest.mark.parametrize("w", [[0.3, 0.7], [0.0, 1.0]], ids=["weights", "a weight of zero"])
def test_bayes_rule_is_scipys(problem, w):
    x, model = problem
    theta = theta_of(x, 60, w)
    expected = log_joint(x, theta)
    found = unmix.bayes_rule(model, theta)
    within = rounding(x, theta)
    joint = found["log_joint"].transpose("obs", "component").values
    np.testing.assert_allclose(joint, expected, rtol=within, atol=within)
    r = found["responsibility"].transpose("obs", "component").values
    marginal = logsumexp(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(r, np.exp(expected - marginal), atol=10 * within)
    if w[0] == 0:
        assert (r[:, 0] == 0).all()
        assert (r[:, 1] == 1).all()


@pytest.mark.parametrize("w", [[0.3, 0.7], [0.0, 1.0]], ids=["weights", "a weight of zero"])
def test_the_pass_is_scipys(problem, w):
    x, model = problem
    theta = theta_of(x, 60, w)
    expected = log_joint(x, theta)
    onepass = unmix.derive(model).onepass
    recognised = onepass.recognised
    log_w, packed = recognised.pack(theta)
    within = rounding(x, theta)
    total = float(logsumexp(expected, axis=1).sum())
    size = np.abs(expected[np.isfinite(expected)]).sum()
    assert abs(onepass.run(log_w, packed).log_marginal - total) < within * size
    # Stored in single precision a row is off by 2^-24 max|x| in each feature, and a log-density by
    # that times its slope, |P (x - μ)|_1 of the narrower component, and half its curvature |P|_1.
    step = 2.0**-24 * np.abs(x - x.mean(axis=0)).max()
    slope = 0.0
    for mean, sigma, corr in zip(theta["mu"], theta["sigma"], theta["corr"], strict=True):
        chol = sigma[:, None] * corr
        precision = np.linalg.inv(chol @ chol.T)
        steps = np.abs((x - mean) @ precision).sum(axis=1) * step
        slope = max(slope, float((steps + step**2 * np.abs(precision).sum()).sum()))
    single = OnePass(recognised, dtype=np.float32)
    assert abs(single.run(log_w, packed).log_marginal - total) < slope + within * size


def test_em_stands_still_where_an_em_step_by_hand_does(problem):
    x, model = problem
    start = theta_of(x, 60, [0.4, 0.6])
    found = unmix.em(model, start=start, progress=False, tolerance=1e-10)
    theta = {n: np.asarray(found.theta[n]) for n in ("w", "mu", "sigma", "corr")}
    joint = log_joint(x, theta)
    marginal = logsumexp(joint, axis=1, keepdims=True)
    within = rounding(x, theta)
    size = np.abs(marginal).sum()
    assert abs(found.log_likelihood - marginal.sum()) < within * size
    assert marginal.sum() > logsumexp(log_joint(x, start), axis=1).sum()
    r = np.exp(joint - marginal)
    n = r.sum(axis=0)
    # A step from a maximum gains nothing: what it gained last was below tol for each row.
    mean = (r.T @ x) / n[:, None]
    covariance = [((x - m) * r[:, [k]]).T @ (x - m) / n[k] for k, m in enumerate(mean)]
    sigma = np.sqrt([np.diag(c) for c in covariance])
    corr = [np.linalg.cholesky(c / np.outer(s, s)) for c, s in zip(covariance, sigma, strict=True)]
    after = {"w": n / len(x), "mu": mean, "sigma": sigma, "corr": np.array(corr)}
    gained = logsumexp(log_joint(x, after), axis=1).sum() - marginal.sum()
    assert -within * size < gained < 1e-6
    np.testing.assert_allclose(after["mu"], theta["mu"], atol=1e-3)
    averaged = unmix.responsibilities(model, found)["responsibility"].values
    np.testing.assert_allclose(averaged, r, atol=10 * within)


def test_a_weight_of_zero_in_a_table_and_a_figure(problem):
    """Nothing is divided by it, and nobody is made by it."""
    x, model = problem
    theta = theta_of(x, 60, [0.0, 1.0])
    table = unmix.assignments(model, theta, tail=False)
    assert (table["most_likely"] == 1).all()
    assert (table["entropy"] == 0).all()
    assert "0" in str(unmix.explain(model, theta, obs=3))
    unmix.show.fitted_components(model, theta, unmix.responsibilities(model, theta))
