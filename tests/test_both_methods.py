"""One small model under both methods, and traces that unmix did not make, through every verb.

``"nuts"`` sums z out and draws it from the derived table; ``"pymc"`` keeps z in the chain and knows
nothing of that table. Where they agree the table cannot be why.
"""

from dataclasses import dataclass

import arviz as az
import numpy as np
import pymc as pm
import pytest
import xarray as xr
from test_truth_posteriors import bound, pairs, responsibility, sample

import unmix

# 24 numbers, rounded: ten around −2 and fourteen around 1.6, some of which either could have made.
X = np.array([
    -2.9, -2.3, -2.1, -3.4, -1.2, -1.9, -0.6, -2.6, -1.5, -0.2,
    0.4, 1.1, 1.9, 2.4, 0.9, 1.6, 2.0, 1.3, 2.9, -0.1, 0.7, 1.8, 1.5, 2.2,
])  # fmt: skip


def declare() -> pm.Model:
    with pm.Model(coords={"component": range(2), "obs": range(len(X))}) as model:
        w = pm.Dirichlet("w", [2, 2], dims="component")
        mu = pm.Normal("mu", 0, 3, dims="component")
        sigma = pm.Gamma("sigma", alpha=16, beta=16, dims="component")
        z = pm.Categorical("z", w, dims="obs")
        pm.Normal("x", mu[z], sigma[z], observed=X, dims="obs")
    return model


@pytest.fixture(scope="module")
def model() -> pm.Model:
    return declare()


@pytest.fixture(scope="module")
def by_nuts(model) -> xr.DataTree:
    return sample(model, method="nuts", draws=1000, chains=4, rng=20264)[0]


@pytest.fixture(scope="module")
def by_pymc(model) -> xr.DataTree:
    # Few draws, because they are slow; the slow test below has twenty times as many.
    options = {"draws": 500, "tune": 200, "chains": 2, "cores": 1, "rng": 20265}
    return sample(model, method="pymc", **options)[0]


# --- They agree -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Means:
    """Posterior means of label-free quantities, and their Monte Carlo errors (ArviZ's)."""

    names: list[str]
    mean: np.ndarray
    error: np.ndarray


def label_free(model: pm.Model, post: xr.DataTree) -> Means:
    """Log-likelihood, Σw², the mixture's mean, P(z_i = z_j) counted and given θ.

    Pairs that are all but certain either way say nothing here: they are left out where the two
    methods together put less than 0.05 or more than 0.95 on them (`compared`).
    """
    held = post["posterior"].to_dataset()
    w, mu = (held[n].transpose("chain", "draw", "component").values for n in ("w", "mu"))
    z = post["assignments"]["z"].transpose("chain", "draw", "obs").values
    r = responsibility(model, post)
    likelihood = post["sample_stats"]["log_likelihood"].transpose("chain", "draw").values
    series = {
        "log-likelihood": likelihood,
        "sum of w squared": np.square(w).sum(-1),
        "mixture mean": (w * mu).sum(-1),
    }
    for i, j in pairs(len(X)):
        series[f"given theta P(z_{i} = z_{j})"] = (r[:, :, i] * r[:, :, j]).sum(-1)
        series[f"counted P(z_{i} = z_{j})"] = (z[..., i] == z[..., j]).astype(float)
    draws = np.stack(list(series.values()), axis=-1)
    moving = draws.std(axis=(0, 1)) > 0  # a pair that no draw parted has no error
    names = [name for name, kept in zip(series, moving, strict=True) if kept]
    draws = draws[..., moving]
    return Means(names, draws.mean(axis=(0, 1)), az.mcse(draws, method="mean"))


def differences(one: Means, other: Means) -> dict[str, float]:
    """Difference of the means over the combined error."""
    first = dict(zip(one.names, zip(one.mean, one.error, strict=True), strict=True))
    scores = {}
    for name, mean, error in zip(other.names, other.mean, other.error, strict=True):
        if name not in first:
            continue
        half = (first[name][0] + mean) / 2
        if " P(" in name and not 0.05 < half < 0.95:
            continue
        scores[name] = float((first[name][0] - mean) / np.hypot(first[name][1], error))
    return scores


def require_agreement(scores: dict[str, float]) -> None:
    """Bonferroni over the quantities, one false alarm in a thousand choices of seeds at most."""
    worst = max(scores, key=lambda name: abs(scores[name]))
    assert abs(scores[worst]) < bound(len(scores)), f"{worst} differs: z = {scores[worst]:.2f}"


def test_methods_agree(model, by_nuts, by_pymc):
    scores = differences(label_free(model, by_nuts), label_free(model, by_pymc))
    assert len(scores) > 300
    require_agreement(scores)


def test_disagreement_is_seen(model, by_nuts, by_pymc):
    """Responsibilities with the weights in another order, as if one method had mixed them up."""
    wrong = by_nuts.copy()
    held = wrong["posterior"].to_dataset()
    held["w"] = held["w"].copy(data=held["w"].values[..., ::-1])
    wrong["posterior"] = xr.DataTree(held)
    scores = differences(label_free(model, wrong), label_free(model, by_pymc))
    with pytest.raises(AssertionError, match="differs: z = "):
        require_agreement(scores)


@pytest.mark.slow
def test_methods_agree_over_long_chains(model):
    nuts, _ = sample(model, method="nuts", draws=5000, chains=4, rng=20266)
    steps, _ = sample(model, method="pymc", draws=5000, chains=4, rng=20267)
    scores = differences(label_free(model, nuts), label_free(model, steps))
    values = np.array(list(scores.values()))
    print(
        f"{len(values)} quantities, max |z| {np.abs(values).max():.2f}, "
        f"bound {bound(len(values)):.2f}, rms {np.sqrt(np.mean(values**2)):.2f}"
    )
    require_agreement(scores)


@pytest.mark.parametrize(("made_by", "kind"), [("by_nuts", "fresh"), ("by_pymc", "dependent")])
def test_crosscheck_of_both(model, made_by, kind, request):
    post = request.getfixturevalue(made_by)
    check = unmix.crosscheck(model, post, rng=1)
    assert check.kind == kind
    assert check.verdict != "inconsistent", str(check)
    wrong = post.copy()
    drawn = post["assignments"].to_dataset()
    wrong["assignments"] = xr.DataTree(drawn.assign(z=1 - drawn["z"]))
    assert unmix.crosscheck(model, wrong, rng=1).verdict == "inconsistent"


# --- Traces that unmix did not make ---------------------------------------------------------------


@pytest.fixture(scope="module")
def em(model) -> unmix.EMResult:
    return unmix.em(model, starts=4, rng=1, progress=False)


@pytest.fixture(scope="module")
def with_z(model) -> xr.DataTree:
    """Plain `pm.sample` of the declaration: z is one of the variables of the posterior."""
    return pm.sample(
        model=model, draws=200, tune=200, chains=2, cores=1, random_seed=1, progressbar=False,
        compute_convergence_checks=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def without_z() -> xr.DataTree:
    """`pm.sample` of the same mixture as someone may have written it: marginal, without dims."""
    with pm.Model():
        w = pm.Dirichlet("w", [2, 2])
        mu = pm.Normal("mu", 0, 3, shape=2, initval=[-1, 1])
        sigma = pm.Gamma("sigma", alpha=16, beta=16, shape=2)
        pm.NormalMixture("x", w, mu, sigma, observed=X)
        return pm.sample(
            draws=200, tune=300, chains=2, cores=1, random_seed=1, progressbar=False,
            compute_convergence_checks=False, step=pm.Metropolis(),  # it compiles no gradient
        )  # fmt: skip


TRACES = ["with_z", "without_z"]


@pytest.fixture(params=TRACES)
def trace(request) -> xr.DataTree:
    return request.getfixturevalue(request.param)


def normal_densities(trace: xr.DataTree) -> np.ndarray:
    """log w_k + log N(x_i | μ_k, σ_k), shape (chain, draw, obs, component), written out."""
    w, mu, sigma = (trace["posterior"][n].values[:, :, None, :] for n in ("w", "mu", "sigma"))
    z = (X[:, None] - mu) / sigma
    return np.log(w) - np.log(sigma) - 0.5 * np.log(2 * np.pi) - 0.5 * z**2


def by_hand(trace: xr.DataTree) -> np.ndarray:
    log_joint = normal_densities(trace)
    joint = np.exp(log_joint - log_joint.max(axis=-1, keepdims=True))
    return joint / joint.sum(axis=-1, keepdims=True)


def test_bayes_rule_of_a_trace(model, trace):
    terms = unmix.bayes_rule(model, trace, obs=[0, 9, 19])
    r = terms["responsibility"].transpose("chain", "draw", "obs", "component").values
    # Rounding: exponents up to a few hundred lose as many units in the last place.
    np.testing.assert_allclose(r, by_hand(trace)[:, :, [0, 9, 19]], atol=1e-12, rtol=1e-10)
    expected = normal_densities(trace)[:, :, [0, 9, 19]]
    got = terms["log_joint"].transpose("chain", "draw", "obs", "component").values
    np.testing.assert_allclose(got, expected, atol=1e-12, rtol=1e-12)


def test_responsibilities_and_align_of_a_trace(model, trace):
    table = unmix.responsibilities(model, trace)
    assert table.attrs["identified"] == 1
    assert table["responsibility"].dims == ("obs", "component")
    aligned = unmix.align(model, trace)
    # The components are told apart by their means in every draw where they are well apart.
    low = aligned["mu"].values.argmin(axis=-1)
    apart = np.abs(np.diff(aligned["mu"].values, axis=-1))[..., 0] > 2
    assert apart.any()
    assert len(np.unique(low[apart])) == 1
    # The same by hand: put the component with the lower mean first, then average.
    order = np.argsort(trace["posterior"]["mu"].values, axis=-1)
    r = np.take_along_axis(by_hand(trace), order[:, :, None, :], axis=-1).mean(axis=(0, 1))
    first = int(np.bincount(low[apart]).argmax())
    agreed = table["responsibility"].values[:, [first, 1 - first]]
    # Draws whose means are close may be matched the other way; they are few.
    assert np.abs(agreed - r).max() < 1 - apart.mean() + 1e-9


def test_crosscheck_of_a_trace_with_z(model, with_z):
    check = unmix.crosscheck(model, with_z, rng=1)
    assert check.kind == "dependent"
    assert check.verdict != "inconsistent", str(check)


def test_frequencies_of_a_trace_with_z(model, with_z):
    table = unmix.responsibilities(model, with_z)
    counted = table["assignment_frequency"].values
    np.testing.assert_allclose(counted.sum(axis=1), 1, rtol=1e-12)
    order = np.argsort(with_z["posterior"]["mu"].values, axis=-1)
    z = with_z["posterior"]["z"].values
    by_mean = np.take_along_axis(np.argsort(order, axis=-1), z, axis=-1).mean(axis=(0, 1))
    averaged = table["responsibility"].values
    # A count over T draws is within √(ln(2·24/α)/2T') of its mean (Hoeffding); T' is the number
    # of draws over an autocorrelation time, taken as 20 at most, and α one in a thousand.
    width = np.sqrt(np.log(2 * len(X) / 1e-3) / (2 * z.shape[0] * z.shape[1] / 20))
    assert np.abs(counted - averaged).max() < width
    either = np.minimum(np.abs(counted[:, 1] - by_mean), np.abs(counted[:, 0] - by_mean))
    assert either.max() < width


def test_crosscheck_of_a_trace_without_z(model, without_z):
    with pytest.raises(unmix.UnmixError, match="draw_assignments"):
        unmix.crosscheck(model, without_z)
    whole = without_z.copy()
    drawn = unmix.draw_assignments(model, without_z, rng=1)
    whole["assignments"] = xr.DataTree(drawn)
    check = unmix.crosscheck(model, whole, kind="fresh", rng=1)
    assert check.verdict != "inconsistent", str(check)
    assert check.n_recomputed > 0
    stale = drawn.assign(z=drawn["z"].copy(data=drawn["z"].values[:, ::-1]))
    whole["assignments"] = xr.DataTree(stale)
    assert unmix.crosscheck(model, whole, kind="fresh", rng=1).verdict == "inconsistent"


def test_compare_with_a_trace(model, em, trace):
    comparison = unmix.compare(model, em, trace, mode=False)
    assert {"w[0]", "mu[1]", "sigma[0]"} <= set(comparison.parameters.index)
    mean = comparison.parameters["mean"]
    assert np.isfinite(mean).all()
    # EM's own labels were laid over the draws': its means are on the same side as theirs.
    ml = comparison.parameters["ml"]
    assert (ml["mu[0]"] < ml["mu[1]"]) == (mean["mu[0]"] < mean["mu[1]"])
    plug_in = comparison.rows["plug_in"].sum("component").values
    np.testing.assert_allclose(plug_in, 1, rtol=1e-12)


def test_explain_a_trace(model, trace):
    text = str(unmix.explain(model, trace, obs=9))
    r = unmix.responsibilities(model, trace)["responsibility"].sel(obs=9).values
    for value in r:
        assert f"{value:.4f}" in text
    assert ("counted" in text) == ("z" in trace["posterior"])
