"""What `unmix.models.gaussian` takes beside rows: names, labels, subjects, known parameters, noise,
errors of measurement. Every option against plain NumPy or SciPy, or against the model without it.
"""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from unmix.models import gaussian
from unmix.models.labels import read
from unmix.models.together import spread, subjects

import unmix
from unmix import io
from unmix.infer.starts import find_starts
from unmix.infer.tree import observed_data
from unmix.recipe import recipe_of

RNG = np.random.default_rng(20261126)
N = 24
OF = (np.arange(N) % 3 == 0).astype(int)
X = RNG.normal(np.where(OF, 2.0, -2.0), 1.0)
XY = np.stack([X, RNG.normal(0.3 * X, 1.0)], axis=1)
THETA = {"w": np.array([0.3, 0.7]), "mu": np.array([-1.5, 1.0]), "sigma": np.array([0.8, 1.2])}


def joint_by_scipy(x, theta=THETA):
    """Log w_k p(x_i | k), (obs, component)."""
    return np.log(theta["w"]) + stats.norm.logpdf(x[:, None], theta["mu"], theta["sigma"])


def bayes_of(model, theta=THETA, **new):
    return unmix.bayes_rule(model, theta, **new)


def said(refused):
    """The sentence of a refusal; one, on one line."""
    sentence = str(refused.value)
    assert "\n" not in sentence
    return sentence


# -- names -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def labelled():
    known = np.full(N, None, object)
    known[:4] = np.array(["low", "high"])[OF[:4]]
    return gaussian(pd.Series(X, name="length"), ["low", "high"], labels=known)


def test_names_are_the_coordinate_and_survive_a_file(tmp_path, labelled):
    rule = bayes_of(labelled)
    assert rule["component"].values.tolist() == ["low", "high"]
    theta = xr.Dataset({name: ("component", v) for name, v in THETA.items()})
    fit = unmix.em(labelled, start=theta, max_iterations=1, progress=False)
    assert fit.theta["mu"]["component"].values.tolist() == ["low", "high"]
    path = io.save(fit, tmp_path / "em.nc", model=labelled)
    again = io.load_model(io.load_tree(path))
    xr.testing.assert_allclose(bayes_of(again), rule)


@pytest.mark.parametrize(
    ("components", "words"),
    [
        (["a", "a"], ["'a' twice"]),
        (["a", ""], ["not empty"]),
        ([], ["at least one"]),
        ("ab", ["list of names"]),
        ([0, 2], ["number, or names"]),
    ],
)
def test_names_that_are_none(components, words):
    with pytest.raises(unmix.UnmixError) as refused:
        gaussian(X, components)
    assert all(word in said(refused) for word in words)


# -- labels ----------------------------------------------------------------------------------------


def test_a_label_is_a_factor_of_zero_or_one(labelled):
    """p(x_i, z_i = k) of a labelled row is w_k p(x_i | k) at its label and zero elsewhere."""
    right = joint_by_scipy(X)
    right[np.arange(4), 1 - OF[:4]] = -np.inf
    rule = bayes_of(labelled)
    # Densities of order ten, a dozen operations each.
    np.testing.assert_allclose(rule["log_joint"], right, rtol=1e-13)
    np.testing.assert_array_equal(rule["responsibility"][:4], np.eye(2)[OF[:4]])
    np.testing.assert_allclose(rule["log_marginal"], np.logaddexp(*right.T), rtol=1e-13)


def test_soft_labels_multiply_the_weights_as_they_are():
    a = np.ones((N, 2))
    a[:3] = [[0.2, 3.0], [0.0, 0.5], [2.0, 2.0]]
    with np.errstate(divide="ignore"):
        right = joint_by_scipy(X) + np.log(a)
    found = bayes_of(gaussian(X, 2, labels=a))["log_joint"]
    np.testing.assert_allclose(found, right, rtol=1e-13)
    frame = pd.DataFrame(a[:, ::-1], columns=["high", "low"])
    named = bayes_of(gaussian(X, ["low", "high"], labels=frame))["log_joint"]
    np.testing.assert_array_equal(named, found)


def test_labels_tell_components_apart_and_nothing_else_does(labelled):
    assert unmix.derive(labelled).components.symmetry == ((0,), (1,))
    assert unmix.derive(gaussian(X, ["low", "high"])).components.symmetry == ((0, 1),)
    known = np.where(np.arange(N) == 0, 1.0, np.nan)
    assert unmix.derive(gaussian(X, 3, labels=known)).components.symmetry == ((0, 2), (1,))


def test_a_label_far_from_the_rows_that_measurements_look_at():
    """The symmetry is measured on a sample of 4,096 rows, and one label is in none of them."""
    x = np.random.default_rng(0).normal(size=30_000)
    at = np.argsort(x)[15_000]
    known = np.where(np.arange(len(x)) == at, 1, -1)
    derivation = unmix.derive(gaussian(x, 2, labels=known))
    assert derivation.by_rows is not None
    assert derivation.components.symmetry == ((0,), (1,))


def test_new_rows_have_no_labels(labelled):
    plain = gaussian(pd.Series(X, name="length"), ["low", "high"])
    for rows in (X[:3], X):
        new = {"x": rows}
        found = unmix.responsibilities(labelled, THETA, new=new)["responsibility"]
        right = unmix.responsibilities(plain, THETA, new=new)["responsibility"]
        np.testing.assert_allclose(found, right, rtol=1e-13)
        assert float(found.min()) > 0


def test_every_way_to_write_labels():
    names = ["short", "long"]
    rows = np.arange(10, 14)
    wanted = [1, -1, 0, -1]
    for given in (
        ["long", None, "short", ""],
        [1, -1, 0, -1],
        [1.0, np.nan, 0.0, -1.0],
        pd.Series(["long", pd.NA, "short", None]),
        pd.array([1, None, 0, None], dtype="Int64"),
        np.array(["1", "", "0", "-1"]),
        pd.Series([0, 1, -1, -1], index=[12, 10, 11, 13]),
        pd.Categorical(["long", None, "short", None]),
    ):
        assert read(given, names, rows).tolist() == wanted
    # Text is a name before it is a number.
    assert read(["1", "0"], ["1", "0"], rows[:2]).tolist() == [0, 1]
    with pytest.raises(unmix.UnmixError, match="a component is called '1'"):
        read([1, 0], ["1", "0"], rows[:2])


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["low"] * 22 + ["lwo", 7], ["rows 22, 23", "'lwo'", "'low' and 'high'"]),
        ([0.5] + [None] * 23, ["row 0", "0.5"]),
        (["low"] * 23, ["23 values for 24 rows"]),
        (np.ones((N, 3)), ["3 columns for 2 components"]),
        (np.full((N, 2), -1.0), ["negative", "rows 0, 1, 2, 3, 4 and 19 more"]),
        (np.zeros((N, 2)), ["zero for every component"]),
    ],
)
def test_labels_that_are_none(labels, words):
    with pytest.raises(unmix.UnmixError) as refused:
        gaussian(X, ["low", "high"], labels=labels)
    assert all(word in said(refused) for word in words), said(refused)


def test_em_begins_where_labels_allow_and_counts_them(labelled):
    """Labels against what the data say: each start must respect them, and w counts them."""
    turned = np.where(np.arange(N) < 6, np.where(X > 0, "low", "high"), "")
    fit = unmix.em(gaussian(X, ["low", "high"], labels=turned), starts=3, rng=1, progress=False)
    assert fit.status.name == "converged"
    low, high = fit.theta["mu"].values
    assert low > high
    model = gaussian(X, ["low", "high"], labels=turned)
    r = bayes_of(model, fit)["responsibility"].values
    # At the maximum w_k is the mean responsibility, of labelled rows as of others; EM stops with
    # parameters within 1e-9.
    np.testing.assert_allclose(fit.theta["w"], r.mean(axis=0), atol=1e-8)
    again = unmix.em(model, starts=3, rng=2, progress=False)
    np.testing.assert_allclose(again.theta["mu"], fit.theta["mu"], atol=1e-6)


def test_starts_are_where_labels_allow(labelled):
    """And components with labels begin at their rows, so that names are not left to chance."""
    for number, start in enumerate(find_starts(unmix.derive(labelled), 6, RNG)):
        np.testing.assert_array_equal(start.r[:4], np.eye(2)[OF[:4]])
        np.testing.assert_allclose(start.r.sum(axis=1), 1.0, rtol=1e-12)
        if number % 2 == 0:  # by the nearest of two means, which the labelled rows are
            means = [X[:4][OF[:4] == k].mean() for k in range(2)]
            nearest = np.abs(X[:, None] - means).argmin(axis=1)
            np.testing.assert_array_equal(start.r.argmax(axis=1)[4:], nearest[4:])


def test_a_label_is_no_surprise(labelled):
    """The tail probability of a row is that of its data, whatever is known of its component."""
    plain = gaussian(pd.Series(X, name="length"), ["low", "high"])
    tails = [unmix.assignments(m, THETA, rng=1)["tail"].to_numpy() for m in (labelled, plain)]
    np.testing.assert_array_equal(*tails)


# -- rows that belong together ---------------------------------------------------------------------


def test_rows_of_a_subject_speak_for_one_z():
    ids = np.repeat(["p", "q", "r", "s"], 6)
    model = gaussian(X, 2, together=ids)
    per_row = stats.norm.logpdf(X[:, None], THETA["mu"], THETA["sigma"])
    right = np.log(THETA["w"]) + per_row.reshape(4, 6, 2).sum(axis=1)
    rule = bayes_of(model)
    # Sums of six terms of order ten.
    np.testing.assert_allclose(rule["log_joint"], right, rtol=1e-12)
    assert rule["obs"].values.tolist() == ["p", "q", "r", "s"]
    rows = spread(rule["responsibility"], ids)
    np.testing.assert_array_equal(rows, np.repeat(rule["responsibility"].values, 6, axis=0))


def test_subjects_are_read_as_given():
    rows = np.arange(6)
    who = subjects([7, 7, np.nan, 3, 3, np.nan], rows)
    assert who.of_row.tolist() == [0, 0, 1, 2, 2, 3]
    assert who.names.tolist() == [7, 2, 3, 5]
    who = subjects(["a", None, "b", "a", "", "b"], rows)
    assert who.of_row.tolist() == [0, 1, 2, 0, 3, 2]
    assert who.names.tolist() == ["a", "1", "b", "4"]
    # A row of its own whose name is a subject's: then subjects are numbered.
    assert subjects([1, np.nan, 1], rows[:3]).names.tolist() == [0, 1]


def test_labels_inside_a_subject_must_agree():
    ids, known = np.repeat(["p", "q"], 12), np.full(N, -1)
    known[[1, 5]] = 1
    assert float(bayes_of(gaussian(X, 2, together=ids, labels=known))["responsibility"][0, 1]) == 1
    known[3] = 0
    with pytest.raises(unmix.UnmixError) as refused:
        gaussian(X, 2, together=ids, labels=known)
    assert "rows 1, 3, 5" in said(refused)
    assert "'p'" in said(refused)
    a = np.ones((N, 2))
    a[13], a[14] = [0, 1], [1, 0]
    with pytest.raises(unmix.UnmixError, match="leave no component possible"):
        gaussian(X, 2, together=ids, labels=a)


# -- known and shared parameters -------------------------------------------------------------------


def test_a_parameter_held_is_a_number_of_the_model():
    model = gaussian(X, 2, fixed={"mu": THETA["mu"], "w": THETA["w"]})
    derivation = unmix.derive(model)
    assert derivation.parameters == ("sigma",)
    assert derivation.components.symmetry == ((0,), (1,))
    found = bayes_of(model, {"sigma": THETA["sigma"]})["log_joint"]
    np.testing.assert_allclose(found, joint_by_scipy(X), rtol=1e-13)


def test_some_components_held():
    model = gaussian(XY, 3, fixed={"mu": [[0.0, 1.0], [np.nan] * 2, [np.nan] * 2]})
    derivation = unmix.derive(model)
    assert derivation.shapes["mu"] == (2, 2)
    assert derivation.components.symmetry == ((0,), (1, 2))
    assert derivation.components.members["mu"] == (1, 2)


@pytest.mark.parametrize(
    ("fixed", "words"),
    [
        ({"nu": 1.0}, ["'nu'", "'w', 'mu' and 'sigma'"]),
        ({"mu": [1.0, 2.0, 3.0]}, ["'mu'", "(3,)", "(2,)"]),
        ({"w": [0.5, np.nan]}, ["all weights or none"]),
        ({"w": [0.5, 0.6]}, ["sum to 1.1"]),
        ({"sigma": [1.0, -1.0]}, ["'sigma'", "above 0"]),
        ({"mu": "x"}, ["numbers"]),
        ([1.0], ["dict"]),
    ],
)
def test_what_cannot_be_held(fixed, words):
    with pytest.raises(unmix.UnmixError) as refused:
        gaussian(X, 2, fixed=fixed)
    assert all(word in said(refused) for word in words), said(refused)


def test_correlations_are_held_as_matrices():
    corr = np.array([[[1.0, 0.4], [0.4, 1.0]], np.eye(2)])
    model = gaussian(XY, 2, fixed={"corr": corr})
    sd = np.array([[1.0, 2.0], [0.5, 1.0]])
    mu = np.array([[0.0, 0.0], [1.0, -1.0]])
    found = bayes_of(model, {"w": THETA["w"], "mu": mu, "sigma": sd})["log_likelihood"]
    for k in range(2):
        cov = corr[k] * np.outer(sd[k], sd[k])
        right = stats.multivariate_normal.logpdf(XY, mu[k], cov)
        np.testing.assert_allclose(found[:, k], right, rtol=1e-12)
    with pytest.raises(unmix.UnmixError, match="no correlation matrix"):
        gaussian(XY, 2, fixed={"corr": 2 * corr})


def test_equal_variance_is_the_pooled_one():
    """At EM's end: μ_k = Σ r x / N_k and σ² = Σ_ik r_ik (x_i − μ_k)² / N, mclust's model E."""
    model = gaussian(X, 2, equal="sigma")
    fit = unmix.em(model, starts=2, rng=1, progress=False)
    assert fit.status.name == "converged"
    r = bayes_of(model, fit)["responsibility"].values
    mean = (r.T @ X) / r.sum(axis=0)
    variance = (r * np.square(X[:, None] - mean)).sum() / N
    # Quasi-Newton steps end where the gradient is below 1e-8 times sums over rows.
    np.testing.assert_allclose(fit.theta["mu"], mean, rtol=1e-6)
    np.testing.assert_allclose(fit.theta["sigma"] ** 2, variance, rtol=1e-6)


def test_equal_covariance_is_the_pooled_one():
    """Σ = Σ_ik r_ik (x_i − μ_k)(x_i − μ_k)ᵀ / N, mclust's model EEE."""
    model = gaussian(XY, 2, equal=("sigma", "corr"))
    fit = unmix.em(model, starts=2, rng=1, progress=False)
    assert fit.status.name == "converged"
    r = bayes_of(model, fit)["responsibility"].values
    mean = (r.T @ XY) / r.sum(axis=0)[:, None]
    pooled = sum((r[:, [k]] * (XY - mean[k])).T @ (XY - mean[k]) for k in range(2)) / N
    chol = fit.theta["sigma"].values[:, None] * fit.theta["corr"].values
    np.testing.assert_allclose(fit.theta["mu"], mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(chol @ chol.T, pooled, rtol=1e-5, atol=1e-6)


def test_equal_names_what_can_be():
    with pytest.raises(unmix.UnmixError, match=r"equal names 'mu'.*'sigma'"):
        gaussian(X, 2, equal="mu")


# -- noise -----------------------------------------------------------------------------------------


def test_noise_is_uniform_over_the_box():
    theta = {
        "w": np.array([0.4, 0.5, 0.1]),
        "mu": np.array([[-2.0, 0.0], [2.0, 1.0]]),
        "sigma": np.array([[1.0, 1.5], [0.7, 1.0]]),
        "corr": np.linalg.cholesky(np.array([np.eye(2), [[1.0, 0.3], [0.3, 1.0]]])),
    }
    model = gaussian(XY, ["a", "b"], noise=True)
    assert unmix.derive(model).components.symmetry == ((0, 1), (2,))
    new = np.array([[0.0, 0.0], [100.0, 0.0], XY.min(axis=0), XY.max(axis=0)])
    rule = bayes_of(model, theta, new={"x": new})
    assert rule["component"].values.tolist() == ["a", "b", "noise"]
    inside = -np.log(np.ptp(XY, axis=0)).sum()
    # Outside the box noise is impossible; its edge belongs to it.
    right = [inside, -np.inf, inside, inside]
    np.testing.assert_allclose(rule["log_likelihood"].sel(component="noise"), right, rtol=1e-13)
    chol = theta["sigma"][1][:, None] * theta["corr"][1]
    normal = stats.multivariate_normal.logpdf(new, theta["mu"][1], chol @ chol.T)
    np.testing.assert_allclose(rule["log_likelihood"].sel(component="b"), normal, rtol=1e-11)


def test_noise_takes_the_outliers():
    x = np.concatenate([X, [11.0, -14.0, 17.0]])
    model = gaussian(x, 2, noise=True)
    fit = unmix.em(model, starts=4, rng=1, progress=False)
    r = unmix.responsibilities(model, fit)["responsibility"]
    assert float(r[-3:].sel(component="noise").min()) > 0.99
    assert float(r[:-3].sel(component="noise").max()) < 0.5
    with pytest.raises(unmix.UnmixError, match="'noise'"):
        gaussian(x, ["noise", "b"], noise=True)


# -- errors of measurement -------------------------------------------------------------------------


def test_errors_add_to_the_components_variance():
    s = RNG.uniform(0.1, 1.0, N)
    model = gaussian(X, 2, error=s)
    right = stats.norm.logpdf(X[:, None], THETA["mu"], np.hypot(THETA["sigma"], s[:, None]))
    np.testing.assert_allclose(bayes_of(model)["log_likelihood"], right, rtol=1e-13)
    new = {"x": X[:3], "error": np.zeros(3)}
    plain = stats.norm.logpdf(X[:3, None], THETA["mu"], THETA["sigma"])
    np.testing.assert_allclose(bayes_of(model, new=new)["log_likelihood"], plain, rtol=1e-13)
    with pytest.raises(unmix.UnmixError, match="'error'"):
        bayes_of(model, new={"x": X[:3]})


def test_covariances_of_errors():
    root = RNG.normal(size=(N, 2, 2))
    s = root @ root.swapaxes(1, 2)
    theta = {
        "w": THETA["w"],
        "mu": np.array([[-2.0, 0.0], [2.0, 1.0]]),
        "sigma": np.array([[1.0, 1.5], [0.7, 1.0]]),
        "corr": np.linalg.cholesky(np.array([np.eye(2), [[1.0, 0.3], [0.3, 1.0]]])),
    }
    found = bayes_of(gaussian(XY, 2, error=s), theta)["log_likelihood"].values
    none = bayes_of(gaussian(XY, 2, error=np.zeros(N)), theta)["log_likelihood"].values
    model = gaussian(XY, 2, error=s, covariance="diagonal")
    parts = {name: theta[name] for name in ("w", "mu", "sigma")}
    straight = bayes_of(model, parts)["log_likelihood"].values
    for k in range(2):
        chol = theta["sigma"][k][:, None] * theta["corr"][k]
        own = chol @ chol.T
        right = [stats.multivariate_normal.logpdf(XY[i], theta["mu"][k], own + s[i])
                 for i in range(N)]  # fmt: skip
        np.testing.assert_allclose(found[:, k], right, rtol=1e-11)
        np.testing.assert_allclose(straight[:, k], [
            stats.multivariate_normal.logpdf(XY[i], theta["mu"][k], np.diag(theta["sigma"][k] ** 2)
                                             + s[i]) for i in range(N)
        ], rtol=1e-11)  # fmt: skip
        plain = stats.multivariate_normal.logpdf(XY, theta["mu"][k], own)
        np.testing.assert_allclose(none[:, k], plain, rtol=1e-11)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (np.ones((N, 3)), ["(24, 3)", "(obs, feature)"]),
        (np.where(np.arange(N) == 5, -1.0, 1.0), ["negative", "row 5"]),
        (np.tile([[1.0, 2.0], [2.0, 1.0]], (N, 1, 1)), ["no covariance matrix"]),
        (np.ones(3), ["3 values for 24 rows"]),
    ],
)
def test_errors_that_are_none(error, words):
    with pytest.raises(unmix.UnmixError) as refused:
        gaussian(XY, 2, error=error)
    assert all(word in said(refused) for word in words), said(refused)


# -- and back from a file --------------------------------------------------------------------------

OPTIONS = {
    "names and soft labels": (X, {"components": ["a", "b"], "labels": np.tile([0.5, 2.0], (N, 1))}),
    "subjects, one known": (
        X,
        {"together": np.repeat(["p", "q", "r", "s"], 6), "labels": [1] + [None] * (N - 1)},
    ),
    "parameters held": (X, {"components": 3, "fixed": {"mu": [0.0, np.nan, np.nan]}}),
    "noise and what is shared": (XY, {"noise": True, "equal": ("sigma", "corr")}),
    "errors": (XY, {"error": np.full((N, 2), 0.3), "covariance": "diagonal"}),
}


@pytest.mark.parametrize("option", OPTIONS)
def test_a_saved_model_is_built_again(option, tmp_path):
    x, arguments = OPTIONS[option]
    model = gaussian(x, **arguments)
    derivation, recipe = unmix.derive(model), recipe_of(model)
    observed = observed_data(derivation)
    tree = xr.DataTree.from_dict({"observed_data": observed, **recipe.groups()})
    tree.attrs = {"model": recipe.name, "model_arguments": recipe.arguments}
    tree.to_netcdf(tmp_path / "model.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "model.nc", engine="h5netcdf") as loaded:
        again = unmix.derive(io.load_model(loaded))
    assert again.component_labels.tolist() == derivation.component_labels.tolist()
    theta = derivation.space.jittered(np.random.default_rng(1))
    stack = {name: value[None] for name, value in theta.items()}
    for one, other in zip(derivation.log_terms(stack), again.log_terms(stack), strict=True):
        np.testing.assert_array_equal(one, other)
