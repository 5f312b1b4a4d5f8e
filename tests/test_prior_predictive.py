"""`unmix.prior_predictive` and its figure."""

import numpy as np
import pymc as pm
import pytest
from registry import _line, _plane, built, derived

import unmix
from unmix import show

X = _line()


@pytest.fixture(scope="module")
def drawn():
    return unmix.prior_predictive(built("catalogue_repeated_measures"), draws=400, rng=1)


def test_what_is_drawn(drawn):
    derivation = derived("catalogue_repeated_measures")
    assert set(drawn["prior"].data_vars) == set(derivation.parameters)
    assert drawn["prior"]["w"].dims == ("chain", "draw", "component")
    assert drawn["assignments"]["z"].sizes == {"chain": 1, "draw": 400, "obs": 5}
    assert drawn["prior_predictive"]["x"].sizes == {"chain": 1, "draw": 400, "obs": 12}
    np.testing.assert_array_equal(drawn["observed_data"]["x"], X)


def test_each_draw_is_one_story(drawn):
    """z follows w, and rows the z of their subject: standardised rows are standard normal.

    4,800 rows of 400 data sets: mean and variance within 5 standard errors, one false alarm in a
    million.
    """
    prior, z = drawn["prior"].isel(chain=0), drawn["assignments"]["z"].to_numpy()[0]
    z = z[:, [0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 4]]
    mu = np.take_along_axis(prior["mu"].to_numpy(), z, axis=1)
    sigma = np.take_along_axis(prior["sigma"].to_numpy(), z, axis=1)
    e = (drawn["prior_predictive"]["x"].to_numpy()[0] - mu) / sigma
    assert abs(e.mean()) < 5 / np.sqrt(e.size)
    assert abs(e.var() - 1) < 5 * np.sqrt(2 / e.size)
    w = prior["w"].to_numpy()[:, 1]
    counted = drawn["assignments"]["z"].to_numpy()[0].mean(axis=1)
    error = np.sqrt((w * (1 - w)).sum() / 5) / len(w)
    assert abs(counted.mean() - w.mean()) < 5 * error


def test_same_seed_same_draws(drawn):
    again = unmix.prior_predictive(built("catalogue_repeated_measures"), draws=400, rng=1)
    np.testing.assert_array_equal(again["prior"]["mu"], drawn["prior"]["mu"])
    np.testing.assert_array_equal(again["prior_predictive"]["x"], drawn["prior_predictive"]["x"])


def test_a_potential_is_refused():
    with pytest.raises(unmix.UnmixError, match="has a potential, 'x', from which nothing"):
        unmix.prior_predictive(built("noise_component_stays_where_it_is"))


def test_order_is_not_drawn():
    with pytest.warns(unmix.UnmixWarning, match="'mu' is held in order by its transform"):
        unmix.prior_predictive(built("ordered_means"), draws=3, rng=1)


def test_the_callers_model_is_left_alone():
    model = built("catalogue_grouped_weights")
    before = [v.name for v in model.basic_RVs]
    found = unmix.prior_predictive(model, draws=3, rng=np.random.default_rng(1))
    assert [v.name for v in model.basic_RVs] == before
    assert found["prior"]["w"].dims == ("chain", "draw", "group", "component")


def test_figure_of_one_feature(drawn):
    figure = show.prior_predictive(built("catalogue_repeated_measures"), drawn)
    top, data, *draws = figure.axes
    assert len(draws) == 5
    low, high = top.get_xlim()
    assert low < X.min() < X.max() < high
    # Bars of the data hold all rows.
    assert sum(p.get_height() for p in data.patches) == len(X)


def test_figure_of_two_features():
    model = unmix.models.gaussian(_plane(), covariance="diagonal")
    drawn = unmix.prior_predictive(model, draws=20, rng=1)
    figure = show.prior_predictive(model, drawn, names=["length, mm", "width, mm"])
    top, data, *_ = figure.axes
    assert top.get_xlabel() == "length, mm"
    np.testing.assert_array_equal(data.collections[0].get_offsets(), _plane())
    one = show.prior_predictive(model, drawn, features=["x1"])
    assert one.axes[0].get_xlabel() == "x1"


def test_what_the_figure_cannot_draw(drawn):
    with pytest.raises(unmix.UnmixError, match="hold no 'x' of 14 rows"):
        show.prior_predictive(unmix.models.gaussian(_plane(), covariance="diagonal"), drawn)
    model = built("catalogue_repeated_measures")
    with pytest.raises(unmix.UnmixError, match="without a group 'prior_predictive'"):
        show.prior_predictive(model, drawn["prior"])
    with pytest.raises(unmix.UnmixError, match="features is y: give one or two of x"):
        show.prior_predictive(model, drawn, features="y")
    with pm.Model(), pytest.raises(unmix.UnmixError):
        show.prior_predictive(None, drawn)
