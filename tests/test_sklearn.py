"""`unmix.sklearn.Mixture`: scikit-learn's behaviour, unmix's numbers.

Much of what is asked here is what scikit-learn asks of its own GaussianMixture
(sklearn/mixture/tests/test_gaussian_mixture.py), said anew. Left out of those, because there is
nothing of the kind here: tied and spherical covariances, ``precisions_`` and its factors, initial
weights, means and precisions, ``init_params``, ``warm_start``, ``max_iter=0``, ``verbose``, results
in single precision, array API. Its sufficient statistics and log-densities are private functions
there; the pass that takes their place is held to the derived table in test_onepass*.py. That EM
climbs is held in test_em_pass.py, and for one fit here.
"""

import importlib
import sys
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytest
import xarray as xr
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.base import clone, is_classifier, is_clusterer
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import unmix
from unmix.sklearn import Mixture, fitting, parameters

IRIS = unmix.datasets.iris().drop(columns="species")


def blobs(n=120):
    """Two blobs in the plane, six standard deviations apart, and who is of which."""
    rng = np.random.default_rng(3)
    z = np.arange(n) % 3 % 2  # two thirds of component 0
    return rng.normal(size=(n, 2)) * [1.0, 0.5] + np.array([[-3.0, 0.0], [3.0, 1.0]])[z], z


X, Z = blobs()


@pytest.fixture(scope="module")
def plane():
    return Mixture(2, n_init=2, random_state=0).fit(X)


@pytest.fixture(scope="module")
def iris():
    return Mixture(3, floor=0.0, random_state=0).fit(IRIS)


# --- the numbers are unmix's, and scikit-learn's --------------------------------------------------


def test_what_unmix_says_of_the_declared_model(iris):
    model = iris.model_
    assert isinstance(model, pm.Model)
    em = unmix.em(model, rng=0, progress=False)
    # The same compiled kernels, in the same order, on the same numbers.
    xr.testing.assert_equal(iris.em_.theta, em.theta)
    assert (iris.em_.df, iris.em_.n_obs, iris.em_.bic) == (em.df, em.n_obs, em.bic)
    assert str(iris.em_.status) == str(em.status)
    theirs = unmix.responsibilities(model, em)["responsibility"].values
    # Sums over four features, in another order: a few roundings of logs below a hundred.
    np.testing.assert_allclose(iris.predict_proba(IRIS), theirs, rtol=1e-12, atol=1e-15)


def test_the_optimum_of_scikit_learn(iris):
    peer = GaussianMixture(
        3, reg_covar=0.0, tol=0.0, max_iter=20,
        weights_init=iris.weights_, means_init=iris.means_,
        precisions_init=np.linalg.inv(iris.covariances_),
    )  # fmt: skip
    with pytest.warns(ConvergenceWarning):  # tol=0 is never reached
        peer.fit(IRIS.to_numpy())
    # EM goes on from where ours stood still: parameters were to change by 1e-9 of their own units
    # at most, which is of second order in the log-likelihood; 150 rows of rounding 1e-15 are less.
    assert abs(peer.score(IRIS.to_numpy()) - iris.score(IRIS)) < 1e-12
    np.testing.assert_allclose(peer.means_, iris.means_, rtol=1e-7)
    np.testing.assert_allclose(peer.covariances_, iris.covariances_, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(
        peer.predict_proba(IRIS.to_numpy()), iris.predict_proba(IRIS), atol=1e-6
    )
    assert iris.score(IRIS) * 150 == pytest.approx(-180.1854771313, abs=1e-8)


def test_densities_of_scipy(iris):
    x = IRIS.to_numpy()[::7]
    joint = np.stack(
        [np.log(w) + multivariate_normal(m, c).logpdf(x)
         for w, m, c in zip(iris.weights_, iris.means_, iris.covariances_, strict=True)]
    )  # fmt: skip
    # Quadratic forms through eigenvectors there, a Cholesky factor here: the condition of the
    # covariances (below 1e3) times rounding, on log-densities below a hundred.
    np.testing.assert_allclose(iris.score_samples(IRIS[::7]), logsumexp(joint, axis=0), atol=1e-10)


def test_scores_and_criteria_hang_together(iris):
    rows = IRIS.iloc[20:110]
    assert iris.score(rows) == pytest.approx(iris.score_samples(rows).mean(), rel=1e-15)
    twice = -2 * iris.score(rows) * 90
    assert iris.em_.df == 2 + 3 * 4 + 3 * 10
    assert iris.aic(rows) == pytest.approx(twice + 2 * 44, rel=1e-13)
    assert iris.bic(rows) == pytest.approx(twice + 44 * np.log(90), rel=1e-13)
    assert iris.bic(IRIS) == pytest.approx(iris.em_.bic, rel=1e-13)
    assert iris.lower_bound_ == pytest.approx(iris.score(IRIS), rel=1e-13)


# --- clusters -------------------------------------------------------------------------------------


def test_what_it_is():
    assert is_clusterer(Mixture())
    assert not is_classifier(Mixture())


def test_found_again(plane):
    assert adjusted_rand_score(Z, plane.labels_) == 1.0  # six standard deviations apart
    np.testing.assert_array_equal(plane.labels_, Z)  # in the order of the first feature
    # Four standard errors: of a mean sd/√n with n of 40 and 80 rows, of a share √(2/9/120).
    np.testing.assert_allclose(plane.weights_, [2 / 3, 1 / 3], atol=4 * np.sqrt(2 / 9 / 120))
    for k, n in ((0, 80), (1, 40)):
        error = 4 * np.array([1.0, 0.5]) / np.sqrt(n)
        assert np.all(np.abs(plane.means_[k] - [[-3, 0], [3, 1]][k]) < error)
        # Of a variance σ²√(2/n).
        found = np.diagonal(plane.covariances_[k])
        assert np.all(np.abs(found - [1.0, 0.25]) < 4 * np.array([1.0, 0.25]) * np.sqrt(2 / n))


def test_predictions_are_the_largest_responsibilities(plane):
    proba = plane.predict_proba(X)
    np.testing.assert_array_equal(plane.predict(X), proba.argmax(axis=1))
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-15)
    assert proba.shape == (120, 2)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("n_init", "max_iter"), [(1, 2), (1, 300), (5, 300)])
def test_fit_predict_is_fit_then_predict(n_init, max_iter):
    noise = np.random.default_rng(1).normal(size=(200, 2))
    mixture = Mixture(2, n_init=n_init, max_iter=max_iter, random_state=4)
    labels = clone(mixture).fit_predict(noise)
    np.testing.assert_array_equal(labels, mixture.fit(noise).predict(noise))
    np.testing.assert_array_equal(labels, mixture.labels_)
    assert labels.dtype == np.int64


def test_more_starts_are_no_worse_and_more_iterations_are_better():
    noise = np.random.default_rng(2).normal(size=(60, 2))
    one = Mixture(2, n_init=1, random_state=0).fit(noise)
    # The same first start: the others can only be added to it.
    assert Mixture(2, n_init=6, random_state=0).fit(noise).score(noise) >= one.score(noise)
    with pytest.warns(ConvergenceWarning, match="raise max_iter, now 1"):
        early = Mixture(2, n_init=1, max_iter=1, random_state=0).fit(noise)
    assert not early.converged_
    assert early.score(noise) < one.score(noise)
    assert one.converged_
    assert one.n_iter_ == len(one.em_.trace) > 1


def test_em_climbs(iris):
    trace = iris.em_.trace
    # A sum of 150 log-densities below ten each: rounding of 150 · 10 · 2.2e-16.
    assert np.all(np.diff(trace) >= -1e-12)


def test_one_component_on_three_rows_in_one_dimension():
    x = np.array([[0.0], [1.0], [5.0]])
    for kind, shape in (("full", (1, 1, 1)), ("diag", (1, 1))):
        one = Mixture(1, covariance_type=kind).fit(x)
        np.testing.assert_allclose(one.means_, [[2.0]])
        assert one.covariances_.shape == shape
        np.testing.assert_allclose(one.covariances_.ravel(), [14 / 3])
        # −2 ℓ = N (log 2πσ² + 1) at the maximum, with two parameters.
        expected = 3 * (np.log(2 * np.pi * 14 / 3) + 1) + 2 * np.log(3)
        assert one.bic(x) == pytest.approx(expected, rel=1e-12)
        assert one.sample()[0].shape == (1, 1)


def test_components_without_width_are_refused_and_a_floor_holds_them():
    two = np.repeat([[0.0, 1.0], [1.0, 0.0]], 5, axis=0)
    narrow = Mixture(2, covariance_type="diag", floor=0.0, random_state=0)
    with pytest.raises(unmix.UnmixError, match="raise floor"):
        narrow.fit(two)
    held = clone(narrow).set_params(floor=0.05).fit(two)
    # A share of the data's variance, which is 1/4.
    np.testing.assert_allclose(held.covariances_, 0.05 / 4, rtol=1e-12)
    np.testing.assert_array_equal(held.labels_, [0] * 5 + [1] * 5)


# --- sampling -------------------------------------------------------------------------------------


def test_sampled_rows(plane):
    x, z = plane.sample(20_000)
    assert x.shape == (20_000, 2)
    assert np.all(np.diff(z) >= 0)
    for k in range(2):
        own = x[z == k]
        sd = np.sqrt(np.diagonal(plane.covariances_[k]))
        # Five standard errors of a mean, and of (co)variances below √2 σσ'/√n: eight comparisons.
        assert np.all(np.abs(own.mean(axis=0) - plane.means_[k]) < 5 * sd / np.sqrt(len(own)))
        error = 5 * np.outer(sd, sd) * np.sqrt(2 / len(own))
        assert np.all(np.abs(np.cov(own.T) - plane.covariances_[k]) < error)
    w = plane.weights_[0]
    assert abs(np.mean(z == 0) - w) < 5 * np.sqrt(w * (1 - w) / 20_000)
    for n in (1, 2, 17):
        assert plane.sample(n)[0].shape == (n, 2)
    with pytest.raises(unmix.UnmixError, match="n_samples is 0"):
        plane.sample(0)


def test_a_correlation_is_sampled_with_its_sign(iris):
    x, z = iris.sample(30_000)
    for k in range(3):
        own = np.cov(x[z == k].T)
        sd = np.sqrt(np.diagonal(iris.covariances_[k]))
        # Five standard errors, the fewest rows being some 9,000.
        assert np.all(np.abs(own - iris.covariances_[k]) < 5 * np.outer(sd, sd) * np.sqrt(2 / 8500))


# --- conventions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ask", ["predict", "predict_proba", "score", "score_samples", "aic", "bic", "sample"]
)
def test_nothing_before_fit(ask):
    with pytest.raises(NotFittedError):
        getattr(Mixture(), ask)(*([] if ask == "sample" else [X]))
    assert not hasattr(Mixture(), "model_")


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("covariance_type", "tied", "'full' or 'diag'"),
        ("method", "vb", "method is 'vb'"),
        ("n_components", 0, "n_components is 0"),
        ("n_components", 121, "only n_samples=120 rows"),
        ("n_init", 0, "n_init is 0"),
        ("tol", -1.0, "tol is -1.0"),
        ("floor", 1.0, "floor is 1.0"),
        ("priors", {"components": 3}, "priors has 'components', .* concentration"),
    ],
)
def test_options_that_make_no_sense(option, value, words):
    with pytest.raises(unmix.UnmixError, match=words):
        Mixture().set_params(**{option: value}).fit(X)


def test_a_constant_column_is_named():
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(b=1.0)
    with pytest.raises(unmix.UnmixError, match="column 'b' is constant"):
        Mixture().fit(frame)


def test_missing_cells_are_kept():
    x = X.copy()
    x[3, 1], x[7] = np.nan, np.nan
    mixture = Mixture(2, n_init=2, random_state=0).fit(x)
    model = unmix.models.gaussian(x, 2)
    found = unmix.responsibilities(model, mixture.em_)["responsibility"].to_numpy()
    np.testing.assert_allclose(mixture.predict_proba(x), found, atol=1e-12)
    assert mixture.score(x) * len(x) == pytest.approx(mixture.em_.log_likelihood, rel=1e-12)
    np.testing.assert_allclose(mixture.predict_proba(x)[7], mixture.weights_, rtol=1e-12)
    with pytest.raises(ValueError, match="infinity"):
        Mixture(2).fit(np.where(np.isnan(x), np.inf, x))


def test_a_row_beyond_all_numbers(plane):
    with pytest.raises(unmix.UnmixError, match="row 1 is so far"):
        plane.predict(np.array([[0.0, 0.0], [1e200, 0.0]]))


def test_names_of_features(iris):
    assert list(iris.feature_names_in_) == list(IRIS.columns)
    assert iris.n_features_in_ == 4
    assert list(iris.em_.theta["feature"].values) == list(IRIS.columns)
    with pytest.raises(ValueError, match="feature names"):
        iris.predict(IRIS[IRIS.columns[::-1]])


def test_y_is_ignored_unless_asked_for(plane):
    again = clone(plane).fit(X, y=["red", "blue"] * 60)
    np.testing.assert_array_equal(again.means_, plane.means_)
    with pytest.raises(unmix.UnmixError, match="labelled=True needs y"):
        clone(plane).set_params(labelled=True).fit(X)


def test_in_a_pipeline_and_a_grid():
    line = make_pipeline(StandardScaler(), Mixture(2, n_init=2, random_state=0))
    np.testing.assert_array_equal(line.fit_predict(X), Z)
    found = GridSearchCV(line, {"mixture__floor": [1e-6, 0.9]}, cv=3).fit(X)
    assert found.best_params_ == {"mixture__floor": 1e-6}  # nine tenths of the variance is too wide


def test_a_seed_repeats_a_fit_and_so_does_a_state():
    noise = np.random.default_rng(6).normal(size=(60, 2))
    fits = [Mixture(2, n_init=2, random_state=7).fit(noise).means_ for _ in range(2)]
    np.testing.assert_array_equal(*fits)
    states = [
        Mixture(2, n_init=2, random_state=np.random.RandomState(7)).fit(noise).means_
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*states)


def test_what_is_stored_holds_no_model_and_works_without_one(iris):
    assert isinstance(iris.model_, pm.Model)
    state = iris.__getstate__()
    assert not any(isinstance(value, pm.Model) for value in state.values())
    other = Mixture()
    other.__setstate__(state)
    np.testing.assert_array_equal(other.predict_proba(IRIS), iris.predict_proba(IRIS))
    assert other.model_.coords["feature"] == tuple(IRIS.columns)


def test_the_second_fit_of_a_shape_compiles_nothing(plane, monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("compiled")

    monkeypatch.setattr(pytensor, "function", refuse)
    again = clone(plane).fit(X[:100])
    again.predict_proba(X)
    with pytest.raises(RuntimeError, match="compiled"):  # the probe is where compiling happens
        Mixture(4, random_state=0).fit(X)


# --- one value for each row -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.full(120, 2), "y is 2 in row 0: give a component, 0 to 1"),
        (np.full(120, 0.5), "y is 0.5 in row 0"),
        (np.zeros(119), "for 120 rows"),
        (["red", "blue"] * 60, "^y is 'red' in row 0: give a component, 0 to 1, or −1 where"),
        (pd.Series([0, 1, "a"] * 40), "^y is 'a' in row 2: give a component, 0 to 1, or −1 where"),
    ],
)
def test_labels_that_name_no_component(y, words):
    with pytest.raises(unmix.UnmixError, match=words):
        Mixture(2, labelled=True).fit(X, y)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (np.zeros(120), "zero in every row"),
        (np.r_[-1.0, np.ones(119)], "sample_weight is -1.0 in row 0"),
        (np.ones(121), "for 120 rows"),
    ],
)
def test_weights_that_are_none(weights, words):
    with pytest.raises(unmix.UnmixError, match=words):
        Mixture(2).fit(X, sample_weight=weights)


def test_known_rows_say_which_component_is_which():
    y = np.where(np.arange(120) % 4 == 0, 1 - Z, -1)  # the other way round
    known = Mixture(2, n_init=2, labelled=True, random_state=0).fit(X, y)
    np.testing.assert_array_equal(known.labels_, 1 - Z)
    np.testing.assert_array_equal(known.predict(X), 1 - Z)
    em = unmix.em(
        unmix.models.gaussian(X, 2, labels=y), starts=2, floor=1e-6, rng=0, progress=False
    )
    xr.testing.assert_equal(known.em_.theta, em.theta)


def test_a_weight_counts_a_row_as_often():
    counts = np.arange(120) % 3
    weighted = Mixture(2, n_init=4, random_state=0).fit(X, sample_weight=counts)
    repeated = Mixture(2, n_init=4, random_state=0).fit(np.repeat(X, counts, axis=0))
    # Two runs of EM from different starts to one maximum, each to within 1e-9 of it.
    np.testing.assert_allclose(weighted.means_, repeated.means_, atol=1e-7)
    np.testing.assert_allclose(weighted.weights_, repeated.weights_, atol=1e-7)


# --- draws ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn():
    mixture = Mixture(2, method="gibbs", draws=150, tune=150, chains=2, random_state=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", unmix.UnmixWarning)  # of so few draws
        return mixture.fit(X[:, :1])


def test_averages_over_matched_draws(drawn):
    new = np.linspace(-4, 4, 9)
    model, post = drawn.model_, drawn.posterior_
    theirs = unmix.responsibilities(model, post, new={"x": new})["responsibility"].values
    # Averages of 300 numbers in two orders.
    np.testing.assert_allclose(drawn.predict_proba(new[:, None]), theirs, rtol=1e-11, atol=1e-15)
    at = unmix.bayes_rule(model, post, new={"x": new})["log_marginal"].values.reshape(300, 9)
    expected = logsumexp(at, axis=0) - np.log(300)
    np.testing.assert_allclose(drawn.score_samples(new[:, None]), expected, rtol=1e-12)
    aligned = unmix.align(model, post)
    np.testing.assert_allclose(
        drawn.means_[:, 0], aligned["mu"].mean(("chain", "draw")), rtol=1e-12
    )
    np.testing.assert_allclose(
        drawn.covariances_[:, 0, 0], np.square(aligned["sigma"]).mean(("chain", "draw")), rtol=1e-12
    )
    assert drawn.identified_
    np.testing.assert_array_equal(drawn.labels_, Z)
    assert not hasattr(drawn, "em_")


def test_draws_have_no_criteria_and_give_predictive_rows(drawn):
    for ask in (drawn.aic, drawn.bic):
        with pytest.raises(unmix.UnmixError, match="maximum likelihood"):
            ask(X[:, :1])
    x, z = drawn.sample(4000)
    assert x.shape == (4000, 1)
    # Five standard errors of a share, and the posterior's own spread of 0.04.
    assert abs(np.mean(z == 0) - drawn.weights_[0]) < 5 * np.hypot(0.5 / np.sqrt(4000), 0.04)


def test_components_that_are_not_identified_are_not_named(drawn, monkeypatch):
    mixed = parameters_of(drawn)
    monkeypatch.setattr(fitting, "sample", lambda *_, **__: drawn.posterior_)
    monkeypatch.setattr(fitting, "align", lambda *_: mixed)
    vague = clone(drawn).fit(X[:, :1])
    assert not vague.identified_
    assert not hasattr(vague, "means_")
    for ask in (vague.predict, vague.predict_proba, vague.fit_predict):
        with pytest.raises(unmix.UnmixError, match=r"no labels to predict .not identified"):
            ask(X[:, :1])
    assert vague.score(X[:, :1]) == pytest.approx(drawn.score(X[:, :1]), rel=1e-12)


def parameters_of(drawn):
    aligned = unmix.align(drawn.model_, drawn.posterior_)
    return aligned.assign_attrs(identified=0, alignment="not identified: heaps overlap")


def test_a_fit_by_another_method_leaves_nothing_behind(drawn, plane):
    again = clone(drawn)
    again.__setstate__(drawn.__getstate__())
    again.set_params(method="em", n_init=1).fit(X[:, :1])
    assert not hasattr(again, "posterior_")
    assert not hasattr(again, "identified_")


def test_covariances_are_averaged_and_not_their_factors():
    theta = {
        "w": np.full((2, 1), 1.0), "mu": np.zeros((2, 1, 2)),
        "sigma": np.array([[[1.0, 2.0]], [[3.0, 1.0]]]),
        "corr": np.array([[[[1.0, 0.0], [0.6, 0.8]]], [[[1.0, 0.0], [0.0, 1.0]]]]),
    }  # fmt: skip
    expected = [[[(1 + 9) / 2, 0.5 * 0.6 * 2], [0.5 * 0.6 * 2, (4 + 1) / 2]]]
    np.testing.assert_allclose(parameters.covariances(theta, "full"), expected, rtol=1e-15)


def test_options_set_after_a_fit_wait_for_the_next(plane):
    other = clone(plane).fit(X)
    other.set_params(n_components=5, covariance_type="diag", priors={"concentration": 9.0})
    np.testing.assert_array_equal(other.predict_proba(X), plane.predict_proba(X))
    assert len(other.model_.coords["component"]) == 2
    assert "corr" in other.model_.named_vars


def test_rows_changed_after_a_fit_do_not_change_its_model(plane):
    rows = X.copy()
    other = clone(plane).fit(rows)
    rows[:] = 0.0
    np.testing.assert_array_equal(other.model_.rvs_to_values[other.model_["x"]].data, X)


def test_without_scikit_learn_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.delitem(sys.modules, "unmix.sklearn")
    with pytest.raises(ImportError, match=r"unmix\[sklearn\]"):
        importlib.import_module("unmix.sklearn")


def test_replaced_results_do_not_change_answers(plane):
    """The answers are of what was fitted: `em_` is there to be read."""
    other = clone(plane).fit(X)
    other.em_ = replace(other.em_, theta=other.em_.theta * 0)
    np.testing.assert_array_equal(other.predict(X), plane.predict(X))
