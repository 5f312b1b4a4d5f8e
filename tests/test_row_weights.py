"""A weight of a counts a row a times: against the same rows repeated, on both roads."""

import numpy as np
import pymc as pm
import pytest
from mutants_parts import WEIGHTS

import unmix
from unmix import io
from unmix.derive import derive
from unmix.infer.marginal import compile_log_density, flatten

PRIORS = {"centre": 2.0, "spread": 8.0, "scale": 2.0}


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(1)
    x = np.r_[rng.normal(0, 1, 25), rng.normal(4, 1, 20)]
    # Some rows do not count at all, some count several times.
    return x, rng.integers(0, 4, len(x)).astype(float)


def students(x):
    """A model of the general road."""
    with pm.Model(coords={"component": range(2)}) as model:
        w = pm.Dirichlet("w", [1, 1], dims="component")
        mu = pm.Normal("mu", 2, 8, dims="component")
        sigma = pm.Gamma("sigma", 2, 1, dims="component")
        z = pm.Categorical("z", w, shape=len(x))
        pm.StudentT("x", nu=5, mu=mu[z], sigma=sigma[z], observed=x)
    return model


@pytest.fixture(scope="module")
def pairs(rows):
    """Each model with weights beside the same one with its rows repeated."""
    x, a = rows
    repeated = np.repeat(x, a.astype(int))
    return {
        "fast": (
            unmix.models.gaussian(x, 2, weights=a, **PRIORS),
            unmix.models.gaussian(repeated, 2, **PRIORS),
        ),
        "general": (unmix.weigh(students(x), a), students(repeated)),
    }


ROADS = pytest.mark.parametrize("road", ["fast", "general"])


@ROADS
def test_the_density_that_is_sampled_is_that_of_the_rows_repeated(pairs, road):
    weighted, repeated = (derive(model) for model in pairs[road])
    theta = weighted.space.unconstrain(weighted.space.jittered(np.random.default_rng(3)))
    u = flatten(weighted, theta)
    (one, slope), (other, same_slope) = (compile_log_density(d)(u) for d in (weighted, repeated))
    # Sums of some 70 terms of size 10: rounding only.
    assert one == pytest.approx(other, rel=1e-12)
    np.testing.assert_allclose(slope, same_slope, rtol=1e-9, atol=1e-9)


@ROADS
def test_em_finds_the_maximum_of_the_rows_repeated(pairs, road):
    weighted, repeated = (unmix.em(model, starts=2, rng=1) for model in pairs[road])
    assert weighted.log_likelihood == pytest.approx(repeated.log_likelihood, rel=1e-10)
    for name in ("w", "mu", "sigma"):
        # Both stop within 1e-9 of the maximum, or where BFGS does on the general road.
        np.testing.assert_allclose(weighted.theta[name], repeated.theta[name], rtol=2e-5)
    assert weighted.total_weight == repeated.n_obs
    assert weighted.bic == pytest.approx(repeated.bic, rel=1e-9)


def test_a_partition_is_of_rows_whatever_they_count(pairs, rows):
    theta = {"w": [0.5, 0.5], "mu": [0.0, 4.0], "sigma": [1.0, 1.0]}
    weighted, plain = pairs["fast"][0], unmix.models.gaussian(rows[0], 2, **PRIORS)
    one, other = (unmix.co_assignment(model, theta) for model in (weighted, plain))
    np.testing.assert_array_equal(one, other)
    for verb in (unmix.partition, unmix.co_assignment, unmix.agreement):
        assert "unmix.weigh" in verb.__doc__


def test_classification_em_counts_weights(pairs):
    begin = unmix.em(pairs["fast"][1], starts=2, rng=1)  # random partitions differ with the rows
    weighted, repeated = (
        unmix.em(model, assignments="hard", start=begin) for model in pairs["fast"]
    )
    assert weighted.objective == pytest.approx(repeated.objective, rel=1e-10)


def test_what_is_averaged_over_rows_is_averaged_with_weights(pairs, rows):
    weighted, repeated = pairs["fast"]
    em = unmix.em(repeated, starts=2, rng=1)
    draws = em.theta.expand_dims(chain=1, draw=2)
    one, other = (unmix.summary(model, draws, rng=1).label_free for model in (weighted, repeated))
    for name in ("log_likelihood", "entropy", "concentration", "share_(1)"):
        assert one.loc[name, "mean"] == pytest.approx(other.loc[name, "mean"], rel=1e-10)


def test_samplers_that_need_a_z_in_the_chain_are_refused(pairs):
    model = pairs["fast"][0]
    for method in ("gibbs", "pymc"):
        with pytest.raises(unmix.UnmixError, match=r"weights.*method='nuts'"):
            unmix.sample(model, method=method)


def test_a_fit_knows_its_weights(pairs, rows, tmp_path):
    model = pairs["fast"][0]
    em = unmix.em(model, starts=2, rng=1)
    path = unmix.save(em, tmp_path / "em.nc", model=model)
    tree = io.load_tree(path)
    again = io.load_model(tree)
    np.testing.assert_array_equal(derive(again).weight, rows[1])
    assert unmix.load(path).bic == em.bic


def test_other_weights_are_another_model(pairs, rows):
    from unmix.fingerprint import fingerprint, require_same

    note = fingerprint(derive(pairs["fast"][0]))
    other = unmix.models.gaussian(rows[0], 2, weights=rows[1] + 1, **PRIORS)
    with pytest.raises(unmix.UnmixError, match="another model"):
        require_same(derive(other), note)


def test_weights_taken_away_are_gone(rows):
    x, a = rows
    model = unmix.models.gaussian(x, 2, weights=a, **PRIORS)
    assert derive(model).weight is not None
    assert derive(unmix.weigh(model, None)).weight is None


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ([1.0] * 44 + [-1.0], "weight of row 44 is -1.0"),
        ([np.nan] + [1.0] * 44, "weight of row 0 is nan"),
        ([0.0] * 45, "all 0"),
        ([1.0] * 44, "44 weights and 45 rows"),
        (["a"] * 45, "not numbers"),
        (np.ones((45, 2)), r"shape \(45, 2\)"),
    ],
)
def test_wrong_weights_are_one_sentence(rows, weights, sentence):
    with pytest.raises(unmix.UnmixError, match=sentence):
        unmix.models.gaussian(rows[0], 2, weights=weights, **PRIORS)


@pytest.mark.parametrize("mutant", WEIGHTS.values(), ids=WEIGHTS)
def test_wrong_weights_are_rejected(pairs, mutant, monkeypatch):
    weighted, repeated = pairs["general"]
    right = unmix.em(repeated, starts=2, rng=1)
    mutant(monkeypatch)
    wrong = unmix.em(weighted, starts=2, rng=1)
    assert abs(wrong.log_likelihood - right.log_likelihood) > 1e-3


def test_weights_of_subjects_are_one_for_each_subject(rows):
    x = rows[0][:12]
    together = list("aabbccddeeff")
    model = unmix.models.gaussian(x, 2, together=together, weights=np.arange(6.0), **PRIORS)
    np.testing.assert_array_equal(derive(model).weight, np.arange(6.0))
    with pytest.raises(unmix.UnmixError, match="12 values for 6 rows"):
        unmix.weigh(model, np.ones(12))
