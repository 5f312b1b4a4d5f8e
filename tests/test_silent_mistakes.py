"""Ways to a wrong number that nothing used to notice: each is now refused, or answered rightly."""

import sys

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from registry import built

import unmix
from unmix.check.compare_words import in_sentences

X = np.concatenate([np.linspace(-3, -1, 6), np.linspace(1, 3, 6)])
THETA = {"w": [0.4, 0.6], "mu": [-2.0, 2.0]}


def mixture(mean=lambda z, mu: mu[z], x=X, **data):
    with pm.Model() as model:
        for name, value in data.items():
            pm.Data(name, value)
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 3, shape=2)
        z = pm.Categorical("z", w, shape=len(x))
        pm.Normal("x", mean(z, mu), 1.0, observed=x)
    return model


# -- units ----


@pytest.mark.parametrize("unit", [1e9, 1e12])
def test_component_axes_are_found_in_any_unit(unit):
    rng = np.random.default_rng(0)
    y = unit * np.concatenate([rng.normal(-2, 0.5, 40), rng.normal(2, 1.5, 80)])
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 3, shape=2)
        s = pm.HalfNormal("s", 1, shape=2)
        z = pm.Categorical("z", w, shape=120)
        pm.Normal("y", mu[z], s[z], observed=y)
    derivation = unmix.derive(model)
    assert derivation.components.axes == {"w": 0, "mu": 0, "s": 0}
    assert derivation.components.symmetry == ((0, 1),)
    result = unmix.em(model, rng=0, starts=4, progress=False)
    # The same number by the same sums, before and after components were put in order.
    assert abs(result.log_likelihood - result.objective) < 1e-9 * abs(result.objective)
    assert float(result.theta["mu"][0]) < float(result.theta["mu"][1])


def test_one_far_row_does_not_hide_the_components():
    derivation = unmix.derive(mixture(x=np.append(X, 1e9)))
    assert derivation.components.axes == {"w": 0, "mu": 0}
    assert derivation.components.symmetry == ((0, 1),)


# -- new rows ----


@pytest.mark.parametrize("rows", [1, 3])
def test_an_array_that_is_no_pm_data_keeps_its_old_rows(rows):
    model = mixture(lambda z, mu: mu[z] * np.linspace(-1, 1, 12))
    with pytest.raises(unmix.UnmixError, match=r"pm\.Data|second model"):
        unmix.bayes_rule(model, THETA, new={"x": np.ones(rows)})


@pytest.mark.parametrize(
    ("new", "words"),
    [
        ({"x": np.zeros(3), "t": [0.5, 0.5, 0.5]}, "'t' are 0.5 in row 0"),
        ({"x": [1.0, np.nan]}, "'x' are nan in row 1"),
        ({"x": ["1", "a"]}, "'x' are not numbers"),
        ({"x": np.zeros((2, 2))}, "'x' have 2 dims"),
        ({"x": []}, "'x' have no rows"),
        ({"x": np.ma.masked_array([1.0, 99.0], mask=[False, True])}, "masked"),
    ],
)
def test_new_rows_that_would_be_read_as_others(new, words):
    model = mixture(lambda z, mu: mu[z] * model_data("t"), t=np.arange(12))
    with pytest.raises(unmix.UnmixError, match=words):
        unmix.bayes_rule(model, THETA, new=new)


def model_data(name):
    return pm.modelcontext(None)[name]


def test_counts_are_whole():
    with pytest.raises(unmix.UnmixError, match=r"'x' are 1\.7 in row 0"):
        unmix.bayes_rule(
            built("poisson"), {"w": [0.2, 0.3, 0.5], "rate": [1.0, 2.0, 3.0]}, new={"x": [1.7, 1]}
        )


def test_counts_that_pymc_would_cut_to_whole_ones_are_refused():
    given = np.array([0.0, 4, 2, 7, 1, 12])
    with pm.Model(coords={"obs": list("abcdef")}) as model:
        counts = pm.Data("counts", given, dims="obs")
        rate = pm.Gamma("rate", 2, 0.5, shape=2)
        z = pm.Categorical("z", pm.Dirichlet("w", [1, 1]), dims="obs")
        pm.Poisson("x", rate[z], observed=counts, dims="obs")
    assert unmix.derive(model).n_obs == 6  # whole numbers of floating type are
    with model:
        pm.set_data({"counts": given + np.array([0, 0, 0.5, 0, 0, 1e-9])})
    with pytest.raises(unmix.UnmixError, match=r"'x' is 2\.5 in row c, .*whole.*so are rows f"):
        unmix.derive(model)


def test_new_rows_do_not_borrow_the_labels_of_the_old_ones():
    with pm.Model(coords={"obs": [f"p{i}" for i in range(12)]}) as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 3, shape=2)
        z = pm.Categorical("z", w, dims="obs")
        pm.Normal("x", mu[z], 1.0, observed=X, dims="obs")
    assert unmix.bayes_rule(model, THETA)["obs"].values[0] == "p0"
    assert unmix.bayes_rule(model, THETA, new={"x": X})["obs"].values[0] == 0


# -- θ ----


@pytest.mark.parametrize(
    ("theta", "words"),
    [
        ({**THETA, "w": [1.0, 2.0]}, "sum to 3"),
        ({**THETA, "w": [1.2, -0.2]}, "sum to"),
    ],
)
def test_weights_are_weights(theta, words):
    with pytest.raises(unmix.UnmixError, match=words):
        unmix.bayes_rule(mixture(), theta)


def test_a_negative_scale_is_one_sentence():
    with pytest.raises(unmix.UnmixError, match="'sigma' is -1 in the fit and positive"):
        unmix.bayes_rule(built("normal"), {**THETA, "sigma": [1.0, -1.0]})


@pytest.mark.parametrize("value", [[1.0, 2.0], [np.nan, 1.0]])
def test_fixed_weights_are_weights(value):
    with pytest.raises(unmix.UnmixError, match="fixed parameter 'w'"):
        unmix.em(mixture(), fixed={"w": value}, progress=False)


def test_a_model_that_grew_is_derived_again():
    model = mixture()
    before = unmix.bayes_rule(model, THETA)["responsibility"].values
    with model:
        pm.Potential("preference", pm.math.switch(pm.math.eq(model["z"], 0), 3.0, 0.0))
    after = unmix.bayes_rule(model, THETA)["responsibility"].values
    odds = np.log(after[5, 0] / after[5, 1]) - np.log(before[5, 0] / before[5, 1])
    assert abs(odds - 3.0) < 1e-9


def test_dims_and_labels_are_read_by_name():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(20, 2)) + np.where(rng.random(20) < 0.5, 3, -3)[:, None]
    with pm.Model(coords={"component": ["low", "high"], "feature": ["a", "b"]}) as model:
        w = pm.Dirichlet("w", [1, 1], dims="component")
        mu = pm.Normal("mu", 0, 3, dims=("component", "feature"))
        z = pm.Categorical("z", w, shape=20)
        pm.Normal("x", mu[z], 1.0, observed=rows)
    dims = ("chain", "draw")
    coords = {"component": ["low", "high"], "feature": ["a", "b"]}
    fit = xr.Dataset(
        {
            "w": ((*dims, "component"), rng.dirichlet([3, 5], size=(1, 10))),
            "mu": ((*dims, "component", "feature"), rng.normal(size=(1, 10, 2, 2))),
        },
        coords=coords,
    )
    expected = unmix.bayes_rule(model, fit)
    turned = fit.transpose("chain", "draw", "feature", "component")
    xr.testing.assert_equal(unmix.bayes_rule(model, turned), expected)
    xr.testing.assert_equal(unmix.bayes_rule(model, fit.sortby("component")), expected)


# -- groups of a tree ----


def two_chains_apart():
    """Two chains, one in each labelling, with z drawn from them."""
    rng = np.random.default_rng(0)
    mu = np.array([-2.0, 2.0]) + 0.05 * rng.standard_normal((2, 30, 2))
    w = np.broadcast_to([0.45, 0.55], (2, 30, 2)).copy()
    mu[1], w[1] = mu[1, :, ::-1].copy(), w[1, :, ::-1].copy()
    dims = ("chain", "draw", "component")
    samples = {"chain": [0, 1], "draw": np.arange(30)}
    model = mixture()
    posterior = xr.Dataset({"mu": (dims, mu), "w": (dims, w)}, coords=samples)
    z = unmix.draw_assignments(model, posterior, rng=1)
    permutation = np.broadcast_to([0, 1], (2, 30, 2)).copy()
    permutation[1] = [1, 0]
    alignment = xr.Dataset(
        {"permutation": (dims, permutation), "margin": (dims[:2], np.ones((2, 30)))}, coords=samples
    )
    groups = {"posterior": posterior, "assignments": z, "alignment": alignment}
    return model, groups, unmix.responsibilities(model, xr.DataTree.from_dict(groups))


@pytest.mark.parametrize("what", ["aligned posterior", "permutation of zeros", "chains reversed"])
def test_an_alignment_of_other_draws_is_not_used(what):
    model, groups, right = two_chains_apart()
    if what == "aligned posterior":
        groups["posterior"] = unmix.align(model, xr.DataTree.from_dict(groups))
        groups["posterior"] = groups["posterior"].assign_coords(chain=[0, 1], draw=np.arange(30))
        del groups["assignments"]
    elif what == "permutation of zeros":
        groups["alignment"] = groups["alignment"] * 0
    else:
        groups["alignment"] = groups["alignment"].isel(chain=[1, 0]).assign_coords(chain=[0, 1])
        groups["alignment"]["permutation"][0] = [0, 1]
        groups["alignment"]["permutation"][0, :5] = [1, 0]
    again = unmix.responsibilities(model, xr.DataTree.from_dict(groups))["responsibility"].values
    # The labels of the whole may differ; averages of the same sixty draws do not.
    best = min(np.abs(again - right["responsibility"].values[:, o]).max() for o in ([0, 1], [1, 0]))
    assert best < 1e-12


def test_draws_of_z_that_are_not_those_of_theta_are_refused():
    model, groups, _ = two_chains_apart()
    groups["posterior"] = groups["posterior"].isel(draw=slice(10, None))
    del groups["alignment"]
    with pytest.raises(unmix.UnmixError, match="'draw' differs"):
        unmix.responsibilities(model, xr.DataTree.from_dict(groups))


def test_z_in_another_order_of_rows_is_put_back():
    model, groups, right = two_chains_apart()
    groups["assignments"] = groups["assignments"].isel(obs=np.arange(12)[::-1])
    again = unmix.responsibilities(model, xr.DataTree.from_dict(groups))
    np.testing.assert_array_equal(again["assignment_frequency"], right["assignment_frequency"])


# -- EM ----


def test_a_saddle_is_no_start():
    with pytest.raises(unmix.UnmixError, match="saddle"):
        unmix.em(mixture(), start={"w": [0.5, 0.5], "mu": [0.0, 0.0]}, progress=False)


def test_em_of_other_data_is_not_compared():
    other = unmix.em(mixture(x=X + 3), rng=0, starts=2, progress=False)
    draws = xr.Dataset(
        {n: (("chain", "draw", "k"), np.tile(v, (1, 5, 1))) for n, v in THETA.items()}
    )
    with pytest.raises(unmix.UnmixError, match="is it a fit of other data"):
        unmix.compare(mixture(), other, draws, mode=False)


def test_duplicated_rows_with_a_shared_scale_collapse_with_a_status():
    x = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 3, shape=2)
        sigma = pm.HalfNormal("sigma", 1)
        z = pm.Categorical("z", w, shape=6)
        pm.Normal("x", mu[z], sigma, observed=x)
    result = unmix.em(model, rng=0, starts=2, progress=False)
    assert result.status.name == "collapsed"


# -- what a newcomer does ----


def test_observed_was_forgotten():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 3, shape=2)
        z = pm.Categorical("z", w, shape=12)
        pm.Normal("x", mu[z], 1.0)
    with pytest.raises(unmix.UnmixError, match=r"'x' its data with observed="):
        unmix.derive(model)


def test_columns_of_new_rows_go_by_name():
    frame = unmix.datasets.old_faithful()
    model = unmix.models.gaussian(frame, 2, covariance="diagonal")
    theta = {
        "w": [0.4, 0.6],
        "mu": [[2.0, 55.0], [4.3, 80.0]],
        "sigma": [[0.3, 6.0], [0.4, 6.0]],
    }
    expected = unmix.bayes_rule(model, theta, new={"x": frame.iloc[:5]})
    turned = frame.iloc[:5][["waiting", "eruptions"]]
    xr.testing.assert_equal(unmix.bayes_rule(model, theta, new={"x": turned}), expected)
    xr.testing.assert_equal(unmix.bayes_rule(model, theta, new=turned), expected)
    with pytest.raises(unmix.UnmixError, match="no column 'eruptions'"):
        unmix.bayes_rule(model, theta, new=frame[["waiting"]])


@pytest.mark.parametrize("option", ["draw", "random_seed", "seed"])
def test_options_of_sample_are_checked_before_anything_is_compiled(option):
    with pytest.raises(unmix.UnmixError, match=f"no option '{option}'.*rng"):
        unmix.sample(built("normal"), **{option: 1})


def test_missing_cells_are_named_as_such():
    with pytest.raises(unmix.UnmixError, match="'x' has missing values"):
        unmix.em(built("masked_cells"), progress=False)


def test_em_puts_components_where_the_priors_want_them():
    """The likelihood has no say in the order; the declaration has."""
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", [2.0, -2.0], 0.5, shape=2)
        z = pm.Categorical("z", w, shape=12)
        pm.Normal("x", mu[z], 1.0, observed=X)
    for seed in range(4):
        result = unmix.em(model, rng=seed, starts=1, progress=False)
        assert float(result.theta["mu"][0]) > 0 > float(result.theta["mu"][1])


@pytest.mark.parametrize("method", ["nuts", "pymc"])
def test_options_of_the_samplers_are_known(method):
    """What the warning of divergent draws advises must be taken."""
    from unmix.infer.sample import _require_known

    _require_known(method, {"target_accept": 0.95})
    with pytest.raises(unmix.UnmixError, match="'target_acept', did you mean 'target_accept'"):
        _require_known(method, {"target_acept": 0.95})


@pytest.mark.parametrize(
    ("low", "high"), [(0.05, (1.0, 1.25)), (0.0, (5.0, 6.0)), ((0.0, 0.5), 5.0)]
)
def test_flat_priors_with_other_bounds_are_not_exchangeable(low, high):
    """Where a uniform prior is flat a swap changes nothing; at its bounds it leaves the space."""
    with pm.Model() as model:
        w = pm.Dirichlet("w", [2, 2])
        mu = pm.Normal("mu", 1, 2, shape=2)
        sigma = pm.Uniform("sigma", low, high, shape=2)
        z = pm.Categorical("z", w, shape=4)
        pm.Normal("x", mu[z], sigma[z], observed=[0.0, 0.1, 1.7, 1.9])
    assert unmix.derive(model).components.symmetry == ((0,), (1,))


# -- labels and masks that stand for something ----


def in_pandas_order():
    with pm.Model(coords={"component": ["a", "b"]}) as model:
        w = pm.Dirichlet("w", [1, 1], dims="component")
        mu = pm.Normal("mu", 0, 3, dims="component")
        z = pm.Categorical("z", w, shape=len(X))
        pm.Normal("x", mu[z], 1.0, observed=X)
    return model


def test_labels_of_pandas_are_not_dropped():
    model = in_pandas_order()
    mu = pd.Series([2.0, -2.0], index=["b", "a"])
    with pytest.raises(unmix.UnmixError, match="'mu' is a pandas object, whose labels"):
        unmix.responsibilities(model, {**THETA, "mu": mu})
    with pytest.raises(unmix.UnmixError, match="'w' is a pandas object"):
        unmix.em(model, fixed={"w": pd.Series([0.6, 0.4], index=["b", "a"])}, progress=False)
    labelled = xr.DataArray(mu.to_numpy(), dims="component", coords={"component": ["b", "a"]})
    right = unmix.responsibilities(model, THETA)["responsibility"]
    found = unmix.responsibilities(model, {**THETA, "mu": labelled})["responsibility"]
    np.testing.assert_array_equal(found, right)


def test_new_rows_with_labels_are_read_by_them():
    rows = np.random.default_rng(2).normal(size=(30, 2))
    model = unmix.models.gaussian(pd.DataFrame(rows, columns=["u", "v"]), 2)
    theta = unmix.derive(model).space.constrain(unmix.derive(model).space.initial)
    features = list(model.coords["feature"])
    rows = np.random.default_rng(1).normal(size=(2, len(features)))
    right = unmix.responsibilities(model, theta, new={"x": rows})["responsibility"]
    turned = xr.DataArray(
        rows[:, ::-1].T, dims=("feature", "obs"), coords={"feature": features[::-1]}
    )
    found = unmix.responsibilities(model, theta, new={"x": turned})["responsibility"]
    np.testing.assert_array_equal(found, right)
    with pytest.raises(unmix.UnmixError, match="have dims f, obs and the model's are obs, feature"):
        unmix.responsibilities(model, theta, new={"x": turned.rename(feature="f")})


def test_masked_cells_are_no_values():
    masked = np.ma.array([0, 1, 1, 0], mask=[0, 1, 0, 1])
    with pytest.raises(unmix.UnmixError, match="has masked cells, which hold no value"):
        unmix.agreement(masked, [0, 0, 1, 1])
    with pytest.raises(unmix.UnmixError, match="z has masked cells"):
        unmix.occupied(z=np.ma.array([[0, 1, 1]] * 2, mask=[[0, 1, 0]] * 2))
    mu = np.ma.array([-2.0, 2.0], mask=[0, 1])
    with pytest.raises(unmix.UnmixError, match="parameter 'mu' has masked cells"):
        unmix.responsibilities(mixture(), {**THETA, "mu": mu})


def foreign(order="abc"):
    rng = np.random.default_rng(3)
    mu = np.array([-3.0, 0.0, 4.0]) + 0.1 * rng.normal(size=(2, 50, 3))
    w = rng.dirichlet([200, 300, 500], size=(2, 50))
    dims = ("chain", "draw")
    return xr.Dataset(
        {"mu": ((*dims, "c1"), mu), "w": ((*dims, "c2"), w)},
        coords={"c1": list("abc"), "c2": list(order)},
    )


def test_components_of_a_foreign_trace_have_one_order():
    axes = {"mu": "c1", "w": "c2"}
    with pytest.raises(unmix.UnmixError, match="'mu' and 'w' label the same components in diff"):
        unmix.relabel(None, foreign("cba"), axes=axes, method="order", by="mu")
    said = unmix.summary(None, foreign(), axes={"mu": "c1"}, method="order", by="mu")
    assert any(flag.startswith("w stay under raw labels") for flag in said.flags)
    both = unmix.summary(None, foreign(), axes=axes, method="order", by="mu")
    assert not any("raw labels" in flag for flag in both.flags)


def test_single_precision_says_where_it_is_too_coarse():
    rng = np.random.default_rng(2)
    a = 1.0 + rng.normal(size=200)
    model = unmix.models.gaussian(np.c_[a, a + 1e-5 * rng.normal(size=200)], 1)
    with pytest.warns(unmix.UnmixWarning, match="rounds column 1 of 'x' to within"):
        unmix.em(model, storage="float32", starts=1, rng=1, progress=False)


# -- EM and MCMC on different modes ----


def said_of(plug_in, averaged):
    cells, n = ("obs", "component"), len(plug_in)
    first, second = np.argmax(plug_in, axis=1), np.argmax(averaged, axis=1)
    zero = ("obs", np.zeros(n))
    rows = xr.Dataset({
        "plug_in": (cells, plug_in), "averaged": (cells, averaged),
        "changed": ("obs", first != second), "difference": zero, "over_confident": zero,
        "overlap": zero, "parameter_uncertainty": zero,
    }, coords={"obs": range(n)})  # fmt: skip
    averaged = xr.Dataset(attrs={"identified": 1})
    inside = pd.DataFrame({"em_inside": [True]})
    return " ".join(in_sentences(rows, inside, averaged, {"EM": 1.0}, ""))


def test_different_modes_are_not_taken_for_uncertainty():
    sure, unsure = [0.99, 0.01], [0.6, 0.4]
    assert "1 of 3 rows are surely of one component under EM and surely of another" in said_of(
        np.array([sure, sure, unsure]), np.array([sure[::-1], unsure[::-1], unsure[::-1]])
    )
    assert "surely" not in said_of(np.array([sure, sure]), np.array([unsure[::-1], sure]))


def test_why_there_is_no_posterior_mode(monkeypatch):
    model = unmix.models.gaussian(X, 2)
    em = unmix.em(model, starts=2, rng=1, progress=False)
    shift = xr.DataArray(0.01 * np.arange(4), dims="draw")
    post = xr.Dataset({"w": em.theta["w"] + 0 * shift, "mu": em.theta["mu"] + shift,
                       "sigma": em.theta["sigma"] + shift}).expand_dims(chain=1)  # fmt: skip

    def refuse(*_, **options):
        raise unmix.UnmixError("a hyper-scale is free")

    assert "posterior mode" in unmix.compare(model, em, post).seconds
    monkeypatch.setattr(sys.modules["unmix.check.compare"], "em", refuse)
    compared = unmix.compare(model, em, post)
    assert "posterior mode" not in compared.seconds
    assert "No posterior mode: a hyper-scale is free." in compared.text
