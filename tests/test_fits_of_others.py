"""A fit of another model, of other rows of rows in another order: refused or seen to be wrong."""

import json

import numpy as np
import pymc as pm
import pytest
import xarray as xr

import unmix
from unmix.fingerprint import fingerprint, require_same

RNG = np.random.default_rng(5)
X = np.r_[RNG.normal(-1.2, 1, 30), RNG.normal(1.2, 1, 30)]
MOVED = np.random.default_rng(6).permutation(60)
DRAWS = 400


def mixture(x, scale=1.0):
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 3, shape=2)
        z = pm.Categorical("z", w, shape=len(x))
        pm.Normal("x", mu[z], scale, observed=x)
    return model


@pytest.fixture(scope="module")
def right():
    return mixture(X)


@pytest.fixture(scope="module")
def fit(right):
    """What `unmix.sample` gives, by a Gibbs sampler of its own: it starts near the two heaps."""
    rng = np.random.default_rng(7)
    w, mu = np.zeros((2, DRAWS, 2)), np.zeros((2, DRAWS, 2))
    at_w, at_mu = np.array([0.5, 0.5]), np.array([-1.2, 1.2])
    for t in np.ndindex(2, DRAWS):
        joint = at_w * np.exp(-0.5 * (X[:, None] - at_mu) ** 2)
        is_one = rng.random(60) < joint[:, 1] / joint.sum(axis=1)
        n = np.array([60 - is_one.sum(), is_one.sum()])
        sums = np.array([X[~is_one].sum(), X[is_one].sum()])
        at_w = rng.dirichlet(1 + n)
        at_mu = rng.normal(sums / (n + 1 / 9), 1 / np.sqrt(n + 1 / 9))
        w[t], mu[t] = at_w, at_mu
    dims = ("chain", "draw", "component")
    posterior = xr.Dataset(
        {"mu": (dims, mu), "w": (dims, w)}, coords={"chain": [0, 1], "draw": np.arange(DRAWS)}
    )
    z = unmix.draw_assignments(right, posterior, rng=8)
    tree = xr.DataTree.from_dict({"posterior": posterior, "assignments": z})
    tree.attrs = {"fingerprint": fingerprint(unmix.derive(right)), "z_kind": "fresh"}
    return tree


OTHERS = {
    "rows": (lambda: mixture(X + 0.01), "its data, their weights or its likelihood differ"),
    "likelihood": (lambda: mixture(X, 1.01), "its data, their weights or its likelihood differ"),
    "order of rows": (lambda: mixture(X[MOVED]), "the order of its rows differ"),
    "two rows exchanged": (lambda: mixture(X[[1, 0, *range(2, 60)]]), "the order of its rows"),
}
VERBS = {
    "responsibilities": unmix.responsibilities,
    "crosscheck": unmix.crosscheck,
    "align": unmix.align,
    "summary": unmix.summary,
    "relabel": unmix.relabel,
    "co_assignment": unmix.co_assignment,
    "partition": unmix.partition,
    "assignments": lambda m, f: unmix.assignments(m, f, tail=False),
    "explain": lambda m, f: unmix.explain(m, f, obs=0),
}


@pytest.fixture(scope="module", params=list(OTHERS))
def other(request):
    build, words = OTHERS[request.param]
    return build(), words


@pytest.mark.parametrize("verb", VERBS)
def test_a_fit_of_another_model_is_refused(other, fit, verb):
    model, words = other
    with pytest.raises(unmix.UnmixError, match=f"made with another model: {words}"):
        VERBS[verb](model, fit)


def test_a_fit_is_taken_by_its_own_model(right, fit):
    assert unmix.crosscheck(right, fit, rng=1).verdict == "consistent"
    again = mixture(X)
    assert unmix.crosscheck(again, fit, rng=1).verdict == "consistent"


def test_a_fit_from_before_rows_had_an_order_is_taken(right, fit):
    old = fit.copy()
    old.attrs["fingerprint"] = old.attrs["fingerprint"].split(', "in_order"')[0] + "}"
    assert unmix.responsibilities(right, old).sizes["obs"] == 60


def test_data_that_are_shifted_with_their_priors_are_other_data():
    """The likelihood at the initial point is then the same to the last digit or so."""
    one, other = (
        json.loads(fingerprint(unmix.derive(unmix.models.gaussian(v)))) for v in (X, X + 1)
    )
    assert one["log_marginal"] == pytest.approx(other["log_marginal"], rel=1e-12)
    with pytest.raises(unmix.UnmixError, match=r"its data \(shifted, .* differ$"):
        require_same(unmix.derive(unmix.models.gaussian(X + 1)), json.dumps(one))
    old = {key: value for key, value in one.items() if key != "point"}
    require_same(unmix.derive(unmix.models.gaussian(X + 1)), json.dumps(old))  # says nothing of it


@pytest.mark.parametrize("kind", ["fresh", "dependent"])
def test_rows_of_z_in_another_order_are_inconsistent(right, fit, kind):
    """A trace of one's own says nothing of its model: the check has only the numbers."""
    z = fit["assignments"].to_dataset()["z"].values[:, :, MOVED]
    posterior = fit["posterior"].to_dataset().assign(z=(("chain", "draw", "obs"), z))
    trace = xr.DataTree.from_dict({"posterior": posterior})
    found = unmix.crosscheck(right, trace, kind=kind, rng=1)
    assert found.verdict == "inconsistent", str(found)


@pytest.mark.parametrize("kind", ["fresh", "dependent"])
def test_draws_of_another_model_without_a_fingerprint_are_inconsistent(right, fit, kind):
    """z drawn where components are half as wide, held against this model."""
    z = unmix.draw_assignments(mixture(X, 0.5), fit["posterior"].to_dataset(), rng=9)
    trace = xr.DataTree.from_dict({"posterior": fit["posterior"].to_dataset(), "assignments": z})
    found = unmix.crosscheck(right, trace, kind=kind, rng=1)
    assert found.verdict == "inconsistent", str(found)
