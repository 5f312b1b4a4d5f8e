"""Classification EM against every assignment of few rows, and against k-means."""

from itertools import product

import mutants_large
import numpy as np
import pymc as pm
import pytest
from registry import built
from scipy.special import gammaln
from sklearn.cluster import KMeans

import unmix

RNG = np.random.default_rng(1)
X = np.concatenate([RNG.normal(-1, 1, 7), RNG.normal(1.5, 0.6, 3)]).round(2)
EQUAL_ROWS = np.array([5.0] * 4 + [-3.0, -2.5, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5])
BEGIN = {"w": [0.9, 0.1], "mu": [-0.5, 1.0], "sigma": [1.0, 1.0]}
COUNTS = np.array([0, 1, 2, 2, 1, 3, 9, 14])


@pytest.fixture(scope="module")
def normals():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 5, shape=2)
        sigma = pm.HalfNormal("sigma", 2, shape=2)
        z = pm.Categorical("z", w, shape=len(X))
        pm.Normal("x", mu[z], sigma[z], observed=X)
    return model


@pytest.fixture(scope="module")
def poissons():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        rate = pm.Gamma("rate", 1, 0.1, shape=2)
        z = pm.Categorical("z", w, shape=len(COUNTS))
        pm.Poisson("x", rate[z], observed=COUNTS)
    return model


def fit(model, **more):
    return unmix.em(model, assignments="hard", starts=40, rng=0, progress=False, **more)


def best_of_all(x, log_density, smallest):
    """The largest classification log-likelihood over all assignments of two components."""
    best = -np.inf
    for z in product((0, 1), repeat=len(x)):
        parts = [x[np.array(z) == k] for k in (0, 1)]
        if min(map(len, parts)) >= smallest:
            value = sum(len(p) * np.log(len(p) / len(x)) + log_density(p) for p in parts)
            best = max(best, value)
    return best


def normal_at_its_best(x):
    return -0.5 * len(x) * (np.log(2 * np.pi * x.var()) + 1)


def poisson_at_its_best(x):
    rate = x.mean()
    return float((x * np.log(rate) if rate else 0 * x).sum() - len(x) * rate - gammaln(x + 1).sum())


def best_normals():
    # A component of one row has no variance; no two rows here are close enough to be the best.
    return best_of_all(X, normal_at_its_best, 2)


def first_value():
    """Each row with its most likely component at `BEGIN`."""
    w, mu, sigma = (np.array(BEGIN[name]) for name in ("w", "mu", "sigma"))
    u = (X[:, None] - mu) / sigma
    return (np.log(w / sigma) - 0.5 * u**2 - 0.5 * np.log(2 * np.pi)).max(axis=1).sum()


def is_right(model):
    result = fit(model)
    begun = unmix.em(model, assignments="hard", start=BEGIN, progress=False)
    # Sums of ten numbers of order ten.
    return (
        result.status.name == "converged"
        and abs(result.objective - best_normals()) < 1e-12 * 100
        and abs(begun.trace[0] - first_value()) < 1e-12 * 100
    )


def test_the_best_of_all_assignments(normals, poissons):
    assert is_right(normals)
    right = best_of_all(COUNTS, poisson_at_its_best, 1)
    assert abs(fit(poissons).objective - right) < 1e-12 * 100


@pytest.mark.parametrize("name", mutants_large.CLASSIFICATIONS)
def test_mistakes_miss_it(name, normals, monkeypatch):
    mutants_large.CLASSIFICATIONS[name](monkeypatch)
    assert not is_right(normals)


def test_what_is_reported(normals):
    result = fit(normals)
    assert np.all(np.diff(result.trace) >= 0)
    assert result.trace[-1] == result.objective
    # Of all assignments at this θ the one found is the most likely: less than their sum.
    assert result.objective < result.log_likelihood
    assert result.assignments == "hard"
    assert np.isnan(result.aic)
    assert np.isnan(result.bic)
    assert "maximum classification likelihood" in str(result)
    assert "AIC" not in str(result)
    terms = unmix.bayes_rule(normals, result)["log_joint"].max("component").sum()
    assert abs(float(terms) - result.objective) < 1e-12 * 100
    plain = unmix.em(normals, rng=0, progress=False, starts=10)
    assert plain.assignments == "expected"
    assert np.isfinite(plain.aic)


def test_it_is_k_means():
    """Equal weights and one known spherical variance; from the same centres."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 2)) + np.array([[0, 0], [4, 0], [0, 4]])[rng.integers(3, size=60)]
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 5, shape=(3, 2))
        z = pm.Categorical("z", np.ones(3) / 3, shape=60)
        pm.Normal("x", mu[z], 1.0, observed=x)
    begin = x[[0, 1, 2]]
    result = unmix.em(model, assignments="hard", start={"mu": begin}, progress=False)
    kmeans = KMeans(3, init=begin, n_init=1, algorithm="lloyd", tol=0).fit(x)
    constant = 60 * (-np.log(3) - np.log(2 * np.pi))
    # The M-step climbs by gradients of at most 1e-9, on a curvature of some twenty rows.
    assert abs(-2 * (result.objective - constant) - kmeans.inertia_) < 1e-9 * kmeans.inertia_
    order = np.lexsort(kmeans.cluster_centers_.T[::-1])
    centres = result.theta["mu"].to_numpy()
    found = centres[np.lexsort(centres.T[::-1])]
    np.testing.assert_allclose(found, kmeans.cluster_centers_[order], atol=1e-6)


def test_a_component_on_equal_rows_is_set_aside():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 5, shape=2)
        sigma = pm.HalfNormal("sigma", 2, shape=2)
        z = pm.Categorical("z", w, shape=12)
        pm.Normal("x", mu[z], sigma[z], observed=EQUAL_ROWS)
    result = unmix.em(
        model, assignments="hard", progress=False,
        start={"w": [0.5, 0.5], "mu": [-2.0, 5.0], "sigma": [1.0, 0.5]},
    )  # fmt: skip
    assert result.status.name == "collapsed"
    floored = unmix.em(
        model, assignments="hard", progress=False, floor=1e-3,
        start={"w": [0.5, 0.5], "mu": [-2.0, 5.0], "sigma": [1.0, 0.5]},
    )  # fmt: skip
    assert floored.status.name == "converged"
    assert "floor" in floored.status.advice


def test_what_is_refused(normals):
    with pytest.raises(unmix.UnmixError, match="'expected' or 'hard'"):
        unmix.em(normals, assignments="soft")
    with pytest.raises(unmix.UnmixError, match="priors play no part"):
        unmix.em(normals, assignments="hard", kind="posterior")
    with pytest.raises(unmix.UnmixError, match="needs the compiled pass"):
        unmix.em(built("regression_inside_the_components"), assignments="hard", progress=False)


def test_a_start_is_a_point_of_the_model(normals):
    with pytest.raises(unmix.UnmixError, match="sum to 3"):
        unmix.em(normals, start={**BEGIN, "w": [1.0, 2.0]}, progress=False)
    with pytest.raises(unmix.UnmixError, match="'sigma' is -2 in the fit and positive"):
        unmix.em(normals, start={**BEGIN, "sigma": [1.0, -2.0]}, progress=False)


def test_saved_and_loaded(normals, tmp_path):
    result = fit(normals)
    unmix.save(result, tmp_path / "em.nc")
    again = unmix.load(tmp_path / "em.nc")
    assert again.assignments == "hard"
    assert np.isnan(again.aic)
