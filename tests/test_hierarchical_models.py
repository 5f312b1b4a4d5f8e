"""The catalogue's hierarchical stories: what they declare, on old rows, new rows and new groups."""

import numpy as np
import pandas as pd
import pymc as pm
import pytest
from registry import CASES, _line, built, derived
from scipy.integrate import quad
from scipy.special import logit, softmax
from scipy.stats import norm

import unmix
from unmix import io, models

CATALOGUE = [
    "catalogue_hierarchical",
    "catalogue_grouped_weights",
    "catalogue_grouped_weights_by_logistic_normal",
    "catalogue_varying_means",
    "catalogue_varying_means_within_regions",
    "catalogue_repeated_measures",
]
X = _line()


def a_point(name, seed=3):
    """Some feasible θ of a model in the registry."""
    return derived(name).space.jittered(np.random.default_rng(seed))


def rule(w, mean, sd, x):
    """Bayes' rule for normals, (row, component)."""
    joint = w * norm.pdf(np.asarray(x)[:, None], mean, sd)
    return joint / joint.sum(axis=1, keepdims=True)


def responsibility(model, theta, new=None):
    return unmix.responsibilities(model, theta, new=new)["responsibility"].to_numpy()


# A handful of roundings in logarithms and exponentials of numbers of order ten.
NEAR = {"rtol": 0, "atol": 1e-12}


# --- what is declared --------------------------------------------------------------------------


def test_grouped_weights_by_hand():
    theta = a_point("catalogue_grouped_weights")
    w = theta["w"][np.repeat([0, 1, 2], [6, 5, 1])]
    expected = rule(w, theta["mu"], theta["sigma"], X)
    found = responsibility(built("catalogue_grouped_weights"), theta)
    np.testing.assert_allclose(found, expected, **NEAR)


def test_rows_of_a_group_never_seen_have_the_common_weights():
    model, theta = built("catalogue_grouped_weights"), a_point("catalogue_grouped_weights")
    new = models.on_rows(model, [0.1, 0.4, 0.1], groups=["new", "b", "c"])
    w = np.stack([theta["w0"], theta["w"][1], theta["w"][2]])
    expected = rule(w, theta["mu"], theta["sigma"], [0.1, 0.4, 0.1])
    np.testing.assert_allclose(responsibility(model, theta, new), expected, **NEAR)


def test_one_row_of_a_group_never_seen_under_logistic_normal_weights():
    """The expectation by quadrature.

    The model's quasi-Monte Carlo sum of 2¹⁰ points is within 4e-5 of the share (seen for tau up to
    1), and a responsibility moves by at most 1 / (4 w (1 − w)) = 1.2 times as much.
    """
    name = "catalogue_grouped_weights_by_logistic_normal"
    model, theta = built(name), a_point(name)
    tau, theta = 1.0, {**theta, "w0": np.array([0.7, 0.3]), "tau": np.array(1.0)}

    def integrand(e):
        return norm.pdf(e) / (1 + np.exp(-(logit(0.3) + np.sqrt(2) * tau * e)))

    share = quad(integrand, -10, 10)[0]
    assert share > 0.34  # w0 itself would be seen
    new = models.on_rows(model, [0.1], groups=["new"])
    expected = rule(np.array([1 - share, share]), theta["mu"], theta["sigma"], [0.1])
    np.testing.assert_allclose(responsibility(model, theta, new), expected, rtol=0, atol=5e-5)


def test_varying_means_by_hand():
    name = "catalogue_varying_means"
    model, theta = built(name), a_point(name)
    mean = theta["mu_group"][np.repeat([0, 1, 2], [6, 5, 1])]
    expected = rule(theta["w"], mean, theta["sigma"], X)
    np.testing.assert_allclose(responsibility(model, theta), expected, **NEAR)
    new = models.on_rows(model, [0.1, 0.4], groups=["c", "new"])
    mean = np.stack([theta["mu_group"][2], theta["mu"]])
    wide = np.sqrt(theta["sigma"] ** 2 + theta["between"] ** 2)
    expected = rule(theta["w"], mean, np.stack([theta["sigma"], wide]), [0.1, 0.4])
    np.testing.assert_allclose(responsibility(model, theta, new), expected, **NEAR)


def test_groups_never_seen_in_regions_known_and_unknown():
    name = "catalogue_varying_means_within_regions"
    model, theta = built(name), a_point(name)
    new = models.on_rows(
        model, [0.1, 0.4, 0.1], groups=["a", "p", "q"], regions=["north", "south", "west"]
    )
    mean = np.stack([theta["mu_group"][0], theta["mu_region"][1], theta["mu"]])
    within, regions = theta["between"] ** 2, theta["between_regions"] ** 2
    more = np.array([[0], [within], [within + regions]], dtype=float)
    sd = np.sqrt(theta["sigma"] ** 2 + more)
    expected = rule(theta["w"], mean, sd, [0.1, 0.4, 0.1])
    np.testing.assert_allclose(responsibility(model, theta, new), expected, **NEAR)


def test_rows_of_a_subject_multiply():
    name = "catalogue_repeated_measures"
    model, theta = built(name), a_point(name)
    density = norm.pdf(X[:, None], theta["mu"], theta["sigma"])
    subject = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 4])
    joint = theta["w"] * np.stack([density[subject == s].prod(axis=0) for s in range(5)])
    expected = joint / joint.sum(axis=1, keepdims=True)
    found = unmix.responsibilities(model, theta)["responsibility"]
    np.testing.assert_allclose(found, expected, **NEAR)
    by_row = found.sel(obs=subject)
    np.testing.assert_array_equal(by_row, found.to_numpy()[subject])


def test_hyperpriors_are_those_of_richardson_and_green():
    """Precision Gamma(2, beta), beta Gamma(0.2, 10 / R²): log-densities by PyMC's other names."""
    model = models.hierarchical(X, means="apart")
    theta = unmix.derive(model).space.jittered(np.random.default_rng(1))
    r = np.ptp(X)
    terms = unmix.derive(model).elements_without_z(theta)
    beta, variance = pm.Gamma.dist(0.2, 10 / r**2), 1 / theta["variance"]
    np.testing.assert_allclose(terms["beta"], pm.logp(beta, theta["beta"]).eval(), **NEAR)
    precision = pm.logp(pm.Gamma.dist(2, theta["beta"]), variance).eval()
    # d(precision)/d(variance) = −variance⁻²
    np.testing.assert_allclose(terms["variance"], precision + 2 * np.log(variance), **NEAR)
    middle = (X.min() + X.max()) / 2
    np.testing.assert_allclose(terms["mu"], norm.logpdf(theta["mu"], middle, r), **NEAR)
    assert "centre" not in theta


def test_logistic_normal_density():
    """For K = 2 the log-odds are Normal with standard deviation √2 tau: change of variables."""
    name = "catalogue_grouped_weights_by_logistic_normal"
    theta = a_point(name)
    found = derived(name).elements_without_z(theta)["w"]
    odds, middle = logit(theta["w"][:, 1]), logit(theta["w0"][1])
    expected = norm.logpdf(odds, middle, np.sqrt(2) * theta["tau"])
    expected -= np.log(theta["w"]).sum(axis=1)
    np.testing.assert_allclose(found, expected, **NEAR)


def test_logistic_normal_draws_have_its_density():
    """Mean and sd of log-odds over draws: 6 standard errors, one false alarm in 10⁸."""
    name = "catalogue_grouped_weights_by_logistic_normal"
    rng = np.random.default_rng(4)
    w0, n = np.array([0.7, 0.3]), 20_000
    op = built(name)["w"].owner.op
    w = op.rng_fn(rng, w0, 0.8, (n,))
    assert w.shape == (n, 2)
    odds = logit(w[:, 1])
    sd = np.sqrt(2) * 0.8
    assert abs(odds.mean() - logit(0.3)) < 6 * sd / np.sqrt(n)
    assert abs(odds.std() / sd - 1) < 6 / np.sqrt(2 * n)
    np.testing.assert_allclose(w, softmax(np.log(w), axis=1), **NEAR)


@pytest.mark.parametrize("name", CATALOGUE[:-1])
def test_a_posterior_mode_with_free_hyper_scales_is_refused(name):
    with pytest.raises(unmix.UnmixError, match="free scale or concentration of the priors"):
        unmix.em(built(name), kind="posterior", rng=1)


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_change_of_units_changes_nothing(name):
    """θ scaled with the data: the log-density of rows and parameters moves by a constant."""
    model = built(name)
    arguments = _by_row(model)
    entry = models.CATALOGUE[name.removeprefix("catalogue_").removesuffix("_within_regions")
                             .removesuffix("_by_logistic_normal")]  # fmt: skip
    if name.endswith("logistic_normal"):
        arguments["pooling"] = "logistic-normal"
    other = unmix.derive(entry(X * 1000 + 7000, **arguments))
    changes = []
    for seed in (1, 2):
        theta = a_point(name, seed)
        scaled = {n: _rescaled(n, v) for n, v in theta.items()}
        z = np.zeros(derived(name).n_obs, dtype=int)
        changes.append(other.log_density(scaled, z) - derived(name).log_density(theta, z))
    # Sums of some dozens of terms of order ten to a hundred.
    assert changes[0] == pytest.approx(changes[1], abs=1e-9)


def _by_row(model):
    from unmix.recipe import recipe_of

    return dict(recipe_of(model).by_row)


def _rescaled(name, value):
    if name in ("mu", "mu_group", "mu_region", "centre"):
        return value * 1000 + 7000
    if name in ("variance", "beta"):
        return value * 1e6
    return value if name in ("w", "w0", "c", "tau") else value * 1000


# --- round trips --------------------------------------------------------------------------------


# Each is declared and derived once more, which takes seconds: the others are slow tests.
AGAIN = ("catalogue_grouped_weights", "catalogue_repeated_measures")


@pytest.mark.parametrize(
    "name", [n if n in AGAIN else pytest.param(n, marks=pytest.mark.slow) for n in CATALOGUE]
)
def test_saved_and_built_again(name, tmp_path):
    model = built(name)
    em = unmix.em(model, rng=1, starts=1)
    assert em.left_out == CASES[name].em_left_out
    unmix.save(em, tmp_path / "fit.nc", model=model)
    again = io.load_model(io.load_tree(tmp_path / "fit.nc"))
    theta = a_point(name)
    np.testing.assert_array_equal(responsibility(again, theta), responsibility(model, theta))
    assert again.coords == model.coords
    z = np.zeros(derived(name).n_obs, dtype=int)
    assert unmix.derive(again).log_density(theta, z) == derived(name).log_density(theta, z)


# --- rows, groups, subjects ---------------------------------------------------------------------


def test_groups_by_a_series_with_the_rows_index():
    rows = pd.DataFrame({"x": X, "y": X[::-1] ** 2}, index=list("abcdefghijkl"))
    groups = pd.Series(np.repeat([10, 20], 6), index=rows.index)
    model = models.grouped_weights(rows, groups.iloc[::-1], covariance="diagonal")
    assert _by_row(model)["groups"].tolist() == groups.tolist()
    assert list(model.coords["group"]) == [10, 20]


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        (["a"] * 11, "groups has 11 values for 12 rows"),
        ("island", "groups has a single value"),
        ([None, *"abcdefghijk"], "groups is missing in row 0: name a group there"),
        ([np.nan, *range(11)], "groups is missing in row 0"),
        (np.ones((12, 2)), "groups has several columns"),
    ],
)
@pytest.mark.parametrize("story", [models.grouped_weights, models.varying_means])
def test_what_is_no_group_for_each_row(story, groups, said):
    with pytest.raises(unmix.UnmixError, match=said):
        story(X, groups)


def test_a_group_in_two_regions_is_refused():
    regions = ["north"] * 7 + ["south"] * 5
    with pytest.raises(unmix.UnmixError, match="group 'b' lies in several regions"):
        models.varying_means(X, np.repeat(["a", "b"], 6), regions=regions)


def test_new_rows_want_their_groups():
    model = built("catalogue_grouped_weights")
    with pytest.raises(unmix.UnmixError, match="grouped_weights takes groups by row"):
        models.on_rows(model, [0.1])
    with pytest.raises(unmix.UnmixError, match="was built without regions"):
        models.on_rows(model, [0.1], groups=["a"], regions=["north"])
    with pm.Model() as mine, pytest.raises(unmix.UnmixError, match="not of the catalogue"):
        models.on_rows(mine, [0.1])


def test_a_known_group_said_to_lie_in_another_region_is_refused():
    model = built("catalogue_varying_means_within_regions")
    said = "group 'a' lies in region 'north', and row 1 says region 'south': correct the region"
    with pytest.raises(unmix.UnmixError, match=said):
        models.on_rows(model, [0.1, 0.4], groups=["p", "a"], regions=["south", "south"])


def test_groups_that_were_numbers_and_are_text_now_are_refused():
    numbered = models.grouped_weights(X, np.repeat([1, 2], 6))
    said = "groups of the model are whole numbers, as 1, and those of the rows are text now, as '2'"
    with pytest.raises(unmix.UnmixError, match=said):
        models.on_rows(numbered, [0.1], groups=["2"])
    said = "groups of the model are text, as 'a', and those of the rows are whole numbers now, as 1"
    with pytest.raises(unmix.UnmixError, match=said):
        models.on_rows(built("catalogue_grouped_weights"), [0.1], groups=[1])


def test_a_second_model_of_other_groups_is_refused():
    """Three groups each: by position the new ones would get the weights of the old ones."""
    name = "catalogue_grouped_weights"
    other = models.grouped_weights(X, np.repeat(["b", "c", "d"], 4))
    with pytest.raises(unmix.UnmixError, match="second model is about group 'd', which the first"):
        unmix.responsibilities(built(name), a_point(name), new=other)


def test_a_second_model_with_its_groups_in_another_order():
    name = "catalogue_grouped_weights"
    model, groups = built(name), np.repeat(["a", "b", "c"], [6, 5, 1])
    em = unmix.em(model, rng=1, starts=1)
    other = models.grouped_weights(X, groups, known=["c", "b", "a"])
    with pytest.raises(unmix.UnmixError, match="along 'group' in another order"):
        responsibility(model, em, other)


def test_components_by_name():
    model = models.grouped_weights(X, np.repeat(["a", "b"], 6), ["low", "high"])
    assert list(model.coords["component"]) == ["low", "high"]
    with pytest.raises(unmix.UnmixError, match="has the name 'low' twice"):
        models.varying_means(X, np.repeat(["a", "b"], 6), ["low", "low"])
    with pytest.raises(unmix.UnmixError, match="components is 6 but there are only 5 subjects"):
        models.repeated_measures(X, [0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 4], 6)


def test_nothing_is_written_to_the_terminal_while_z_is_tried_out(caplog):
    """Subjects look into z by position, which the cheap way of trying all z cannot evaluate."""
    unmix.derive(models.repeated_measures(X, np.repeat(range(6), 2)))
    assert not caplog.records
