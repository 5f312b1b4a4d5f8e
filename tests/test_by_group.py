"""`unmix.responsibilities(by=...)`: what components have of groups of rows."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import unmix

X = np.array([-2.1, -1.7, 0.1, 2.2, 1.6, -0.2, 0.3, 2.9, -2.6, 0.05])
BY = np.array(["b", "a", "b", "c", "a", "b", "b", "a", "b", "a"])  # c has a single row
DRAWS = 40


@pytest.fixture(scope="module")
def model():
    return unmix.models.gaussian(pd.Series(X, index=[f"r{i}" for i in range(10)], name="x"))


@pytest.fixture(scope="module")
def fit(model):
    """Draws of θ near one point, and z drawn from Bayes' rule at each."""
    rng = np.random.default_rng(5)
    share = rng.beta(20, 20, size=(2, DRAWS // 2))
    theta = xr.Dataset(
        {
            "w": (("chain", "draw", "component"), np.stack([share, 1 - share], -1)),
            "mu": (
                ("chain", "draw", "component"),
                np.array([-1.5, 1.5]) + 0.3 * rng.normal(size=(2, DRAWS // 2, 2)),
            ),
            "sigma": (
                ("chain", "draw", "component"),
                np.exp(0.1 * rng.normal(size=(2, DRAWS // 2, 2))),
            ),
        }
    )
    return theta.merge(unmix.draw_assignments(model, theta, rng=1))


def by_hand(model, fit):
    """Averages over rows of each draw's Bayes' rule, (sample, group, component), one by one."""
    r = unmix.bayes_rule(model, fit)["responsibility"]
    r = r.transpose("chain", "draw", "obs", "component").to_numpy().reshape(DRAWS, 10, 2)
    z = fit["z"].transpose("chain", "draw", "obs").to_numpy().reshape(DRAWS, 10)
    made = np.stack([z == 0, z == 1], -1)
    names = ["a", "b", "c"]
    return (
        np.stack([r[:, name == BY].mean(axis=1) for name in names], axis=1),
        np.stack([made[:, name == BY].mean(axis=1) for name in names], axis=1),
    )


def swapped(fit):
    """The same draws, every third with components called the other way round."""
    odd = xr.DataArray(np.arange(DRAWS).reshape(2, -1) % 3 == 1, dims=("chain", "draw"))
    turned = fit.isel(component=[1, 0])
    found = fit.copy()
    for name in ("w", "mu", "sigma"):
        found[name] = fit[name].where(~odd, turned[name].to_numpy())
    found["z"] = fit["z"].where(~odd, 1 - fit["z"]).astype("int8")
    return found


@pytest.mark.parametrize("labels", ["one order", "switched"])
def test_averages_over_a_groups_rows(model, fit, labels):
    r, made = by_hand(model, fit)
    given = fit if labels == "one order" else swapped(fit)
    found = unmix.responsibilities(model, given, by=BY, interval=0.8)
    first = found["responsibility"].sel(group="a").to_numpy()
    turned = slice(None) if abs(first[0] - r[:, 0, 0].mean()) < 0.05 else slice(None, None, -1)
    r, made = r[..., turned], made[..., turned]
    assert found["group"].to_numpy().tolist() == ["a", "b", "c"]
    assert found["rows"].to_numpy().tolist() == [4, 5, 1]
    # The same sums in another order: a few roundings of numbers below one.
    near = {"rtol": 0, "atol": 1e-12}
    np.testing.assert_allclose(found["responsibility"], r.mean(axis=0), **near)
    np.testing.assert_allclose(found["sd"], r.std(axis=0, ddof=1), **near)
    np.testing.assert_allclose(found["assignment_frequency"], made.mean(axis=0), **near)
    # Draws are kept in single precision for quantiles.
    single = {"rtol": 0, "atol": 2e-7}
    np.testing.assert_allclose(found["lower"], np.quantile(r, 0.1, axis=0), **single)
    np.testing.assert_allclose(found["upper"], np.quantile(r, 0.9, axis=0), **single)
    np.testing.assert_allclose(found["counted_lower"], np.quantile(made, 0.1, axis=0), **single)
    np.testing.assert_allclose(found["counted_upper"], np.quantile(made, 0.9, axis=0), **single)
    assert found.attrs["identified"] == 1


def test_one_point(model, fit):
    point = fit[["w", "mu", "sigma"]].isel(chain=0, draw=0)
    rows = unmix.responsibilities(model, point)["responsibility"].to_numpy()
    found = unmix.responsibilities(model, point, by=BY)
    expected = np.stack([rows[name == BY].mean(axis=0) for name in "abc"])
    np.testing.assert_allclose(found["responsibility"], expected, rtol=0, atol=1e-14)


def test_groups_by_a_series_in_another_order(model, fit):
    series = pd.Series(BY, index=[f"r{i}" for i in range(10)])
    found = unmix.responsibilities(model, fit, by=series.iloc[::-1])
    xr.testing.assert_identical(found, unmix.responsibilities(model, fit, by=BY))


def test_groups_of_new_rows(model, fit):
    new = {"x": [0.3, 2.0, -1.0]}
    rows = unmix.responsibilities(model, fit, new=new)["responsibility"].to_numpy()
    found = unmix.responsibilities(model, fit, new=new, by=[7, 3, 7])
    assert found["group"].to_numpy().tolist() == [3, 7]
    expected = np.stack([rows[1], (rows[0] + rows[2]) / 2])
    np.testing.assert_allclose(found["responsibility"], expected, rtol=0, atol=1e-14)
    assert "assignment_frequency" not in found


def test_groups_of_labels_that_mean_nothing_say_so(model):
    """Both components lie on top of each other: no order of them is better than the other."""
    rng = np.random.default_rng(2)
    dims = ("chain", "draw", "component")
    theta = xr.Dataset(
        {
            "w": (dims, np.full((2, 30, 2), 0.5)),
            "mu": (dims, 0.3 * rng.normal(size=(2, 30, 2))),
            "sigma": (dims, np.exp(0.1 * rng.normal(size=(2, 30, 2)))),
        }
    )
    found = unmix.responsibilities(model, theta, by=BY)
    assert found.attrs["identified"] == 0
    assert "not identified" in found.attrs["alignment"]


@pytest.mark.parametrize(
    ("by", "said"),
    [
        (BY[:-1], r"by has 9 values for 10 rows"),
        (np.c_[BY, BY], r"by has shape \(10, 2\)"),
        ([[1], [1, 2]], "by has entries"),
        ("groups", "the model was built with no argument by row"),
        ([None, *BY[1:]], "by is missing in row r0"),
        ([np.nan, *range(9)], "by is missing in row r0"),
    ],
)
def test_what_is_no_group_for_each_row(model, fit, by, said):
    with pytest.raises(unmix.UnmixError, match=said):
        unmix.responsibilities(model, fit, by=by)
