"""Arguments that pandas names, and numbers that a parameter cannot be: by name, or refused."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from unmix.models import exponential, gaussian, hierarchical, poisson, student_t

import unmix
from unmix import UnmixError

X = np.random.default_rng(1).normal(size=(20, 2))
ROWS = pd.DataFrame(X, columns=["a", "b"])
THETA = {"w": [0.5, 0.5], "mu": np.array([[0, 0], [1, 1.0]]), "sigma": np.ones((2, 2))}
MATRICES = np.array([[[1, 0.8], [0.8, 1]]] * 2)


def shares(model, theta=THETA):
    return unmix.responsibilities(model, theta)["responsibility"].values


def diagonal(**options):
    return gaussian(ROWS, 2, covariance="diagonal", **options)


# Each names columns in the other order, and stands beside the same in the model's order.
ERROR = pd.DataFrame({"b": np.full(20, 3.0), "a": np.full(20, 0.1)})
MEANS = pd.DataFrame({"b": [0.0, 5.0], "a": [0.0, 1.0]})
CORNERS = [pd.Series({"b": far, "a": near}) for far, near in ((-9.0, -3.0), (9.0, 3.0))]
TURNED = {
    "error": ({"error": ERROR}, {"error": ERROR[["a", "b"]].to_numpy()}, THETA),
    "fixed": (
        {"fixed": {"mu": MEANS}}, {"fixed": {"mu": MEANS[["a", "b"]].to_numpy()}},
        {name: value for name, value in THETA.items() if name != "mu"},
    ),
    "noise": (
        {"noise": CORNERS}, {"noise": [c[["a", "b"]].to_numpy() for c in CORNERS]},
        {**THETA, "w": [0.4, 0.4, 0.2]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TURNED)
def test_columns_are_found_by_their_names(name):
    turned, right, theta = TURNED[name]
    np.testing.assert_array_equal(
        shares(diagonal(**turned), theta), shares(diagonal(**right), theta)
    )


@pytest.mark.parametrize("name", ["centre", "spread", "scale"])
def test_scales_of_priors_are_found_by_their_names(name):
    def density(value):
        model = diagonal(**{name: value})
        start = {n: v for n, v in diagonal().initial_point(0).items() if n != "z"}
        point = {n: v + np.linspace(0.1, 1.3, v.size).reshape(v.shape) for n, v in start.items()}
        return float(model.compile_logp(mode="FAST_COMPILE")({**point, "z": np.zeros(20, int)}))

    turned = pd.Series({"b": 5.0, "a": 2.0})
    assert density(turned) == density([2.0, 5.0])
    assert density(turned) != density([5.0, 2.0])


@pytest.mark.parametrize("option", [
    {"error": ERROR.rename(columns={"a": "z"})}, {"centre": pd.Series({"q": 1, "a": 2})},
    {"fixed": {"mu": MEANS.rename(columns={"a": "z"})}},
])  # fmt: skip
def test_names_that_the_model_does_not_have_are_refused(option):
    with pytest.raises(UnmixError, match="and the model has 'a' and 'b': name what"):
        diagonal(**option)


@pytest.mark.parametrize(("declare", "option", "said"), [
    (gaussian, {"concentration": -1}, "concentration is -1: give positive"),
    (gaussian, {"spread": -1}, "spread is -1: give positive"),
    (gaussian, {"correlation": -1}, "correlation is -1: give positive"),
    (gaussian, {"scale": 0}, "scale is 0: give positive"),
    (gaussian, {"centre": [1, 2, 3]}, "centre has shape"),
    (gaussian, {"spread": "x"}, "spread is 'x', which holds no numbers"),
    (student_t, {"correlation": -1}, "correlation is -1: give positive"),
    (student_t, {"centre": [1, 2, 3]}, "centre has shape"),
    (hierarchical, {"spread": -1}, "spread is -1: give positive"),
])  # fmt: skip
def test_priors_that_are_none_are_refused(declare, option, said):
    with pytest.raises(UnmixError, match=said):
        declare(ROWS, 2, **option)


def test_lists_are_taken_where_arrays_are():
    for declare in (gaussian, student_t):
        declare(ROWS, 2, scale=[1, 1], spread=[1.0, 2.0])
    for declare in (poisson, exponential):
        declare(np.abs(X).round(), 2, mean=[3.0, 3.0])


def test_theta_that_the_model_cannot_have_is_refused():
    model = gaussian(ROWS, 2)
    factor = np.linalg.cholesky(MATRICES)
    shares(model, {**THETA, "corr": factor})
    with pytest.raises(UnmixError, match=r"give np.linalg.cholesky"):
        shares(model, {**THETA, "corr": MATRICES})
    with pytest.raises(UnmixError, match="parameter 'sigma' is -1 in the fit and positive"):
        shares(model, {**THETA, "sigma": -np.ones((2, 2)), "corr": factor})


def test_names_that_rows_share_in_part_are_refused():
    some = pd.Series(["x"] + [None] * 19, index=range(5, 25))
    with pytest.raises(UnmixError, match="labels has an index that does not name row '0'"):
        gaussian(ROWS, ["x", "y"], labels=some)
    gaussian(
        ROWS, ["x", "y"], labels=some.set_axis(list("abcdefghijklmnopqrst"))
    )  # no names of rows


def test_a_frame_of_similarities_is_read_by_its_names():
    p = pd.DataFrame(np.eye(4), index=list("abcd"), columns=list("abcd"))
    p.loc["a", "b"] = p.loc["b", "a"] = 0.9
    z = xr.DataArray(
        [[0, 0, 1, 1], [0, 1, 1, 2]], dims=("draw", "obs"), coords={"obs": list("dcba")}
    )
    found = unmix.partition(z=z, similarity=p, loss="binder", rng=0).z
    same = unmix.partition(
        z=z, similarity=xr.DataArray(p.to_numpy(), {"obs": list("abcd")}, ("obs", "obs_other")),
        loss="binder", rng=0,
    ).z  # fmt: skip
    assert found.to_series()["a"] == found.to_series()["b"]
    xr.testing.assert_identical(found, same)
    alone = unmix.partition(similarity=p, loss="binder", rng=0)
    assert alone.z["obs"].values.tolist() == list("abcd")
    with pytest.raises(UnmixError, match="named differently"):
        unmix.partition(similarity=p.set_axis(list("badc"), axis=1), loss="binder", rng=0)


def test_what_stays_under_raw_labels_is_said():
    mu = np.random.default_rng(0).normal(size=(2, 50, 2))
    trace = xr.Dataset(
        {
            "w": (("chain", "draw", "j"), np.full((2, 50, 2), 0.5)),
            "mu": (("chain", "draw", "k"), mu),
        }
    )
    with pytest.warns(unmix.UnmixWarning, match="w stay under raw labels"):
        unmix.relabel(fit=trace, axes={"mu": "k"}, method="order", by="mu")


def test_rows_and_columns_that_are_not_there_are_refused():
    model, theta = gaussian(ROWS, 2), {**THETA, "corr": np.linalg.cholesky(MATRICES)}
    with pytest.raises(UnmixError, match="have 1 columns and the model has 2"):
        unmix.responsibilities(model, theta, new=X[:, :1])
    for obs in ([99], [0.5], [-1]):
        with pytest.raises(UnmixError, match="give positions of rows, whole numbers 0 to 19"):
            unmix.bayes_rule(model, theta, obs=obs)
    with pytest.raises(UnmixError, match="one observation is explained at a time"):
        unmix.explain(model, theta, obs=[0, 1])


def test_a_trace_may_call_a_parameter_theta():
    values = np.random.default_rng(0).normal(size=(2, 50, 2)) + np.array([0.0, 9.0])
    trace = xr.Dataset({"theta": (("chain", "draw", "k"), values[..., ::-1])})
    found = unmix.relabel(None, trace, axes="k", method="order", by="theta").apply(trace)
    np.testing.assert_array_equal(found["theta"].values, values)


def test_a_partition_of_a_trace_by_the_name_of_its_z():
    z = np.random.default_rng(0).integers(0, 2, size=(2, 50, 6))
    trace = xr.Dataset({"z": (("chain", "draw", "obs"), z)})
    one, other = unmix.partition(None, trace, z="z", rng=1), unmix.partition(z=z, rng=1)
    np.testing.assert_array_equal(one.z.values, other.z.values)
    with pytest.raises(UnmixError, match="the trace holds no 'y'"):
        unmix.partition(None, trace, z="y")
