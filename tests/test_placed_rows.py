"""What figures of places draw where some rows have none, and what they say where they cannot."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import unmix
from unmix import show
from unmix.placed_rows import placed_rows
from unmix.predict_by_row import _as_fitted

RNG = np.random.default_rng(3)
X = pd.DataFrame(np.r_[RNG.normal(0, 1, (15, 2)), RNG.normal(5, 1, (15, 2))], columns=["a", "b"])
HOLES = X.mask(RNG.random(X.shape) < 0.2)
THETA = {"w": [0.5, 0.5], "mu": [[0.0, 0.0], [5.0, 5.0]], "sigma": np.ones((2, 2))}


def words(figure):
    return " ".join(" ".join(t.get_text() for t in figure.findobj(plt.Text)).split())


def test_complete_rows_are_placed_with_the_responsibilities_that_they_had():
    model = unmix.models.gaussian(HOLES, 2, covariance="diagonal")
    draws = xr.Dataset({
        name: (("chain", "draw", *model.named_vars_to_dims[name]), np.broadcast_to(
            value, (1, 3, *np.shape(value))))
        for name, value in THETA.items()
    })  # fmt: skip
    tree = xr.DataTree.from_dict({"posterior": draws})
    every = unmix.responsibilities(model, tree)
    again, fit, found, sentence = placed_rows(model, tree, every)
    complete = HOLES.notna().all(axis=1).to_numpy()
    assert 0 < complete.sum() < len(HOLES)
    assert f"show the {complete.sum()} of {len(HOLES)} rows" in sentence
    wanted = every["responsibility"].values[complete]
    np.testing.assert_allclose(found["responsibility"].values, wanted, rtol=1e-12)
    assert "b and a: data and fitted components" in words(show.fitted_components(again, fit, found))
    with pytest.raises(unmix.UnmixError, match="draw the complete rows"):
        show.fitted_components(model, tree, every)


def test_nothing_is_left_out_where_no_cell_is_missing():
    model = unmix.models.gaussian(X, 2, covariance="diagonal")
    found = unmix.responsibilities(model, THETA)
    assert placed_rows(model, THETA, found) == (model, THETA, found, "")


def test_a_figure_without_densities_says_why_and_names_the_markers():
    groups = np.repeat(["u", "v"], 15)
    model = unmix.models.grouped_weights(X["a"], groups, ["low", "high"])
    theta = {"w": np.full((2, 2), 0.5), "mu": [0.0, 5.0], "sigma": [1.0, 1.0]}
    said = words(show.fitted_components(model, theta, unmix.responsibilities(model, theta)))
    assert "a: rows by their component" in said
    assert "No densities: a row's depends on more than its value" in said
    assert "component low" in said
    assert "component high" in said


@pytest.mark.parametrize(
    ("numbers", "said"), [(12, "in the order drawn"), (24, "the first 20 of 24")]
)
def test_traces_say_what_they_leave_out(numbers, said):
    values = np.random.default_rng(1).normal(size=(2, 20, numbers))
    post = xr.DataTree.from_dict({"posterior": xr.Dataset({"m": (("chain", "draw", "k"), values)})})
    found = words(show.traces(post))
    assert said in found
    assert ("the first 20" in found) == (numbers > 20)


def test_a_new_row_without_a_group_is_named_by_its_column():
    with pytest.raises(
        unmix.UnmixError, match="column 'site' holds nothing in row 2: name a group"
    ):
        _as_fitted(np.array(["north", "", "south"]), np.array(["north", "south"]), "site")
