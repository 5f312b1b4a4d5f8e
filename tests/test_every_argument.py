"""What every model of the catalogue takes: labels, weights, known parameters, rows that share a z.

One small model of each, with all that it takes at once, against Bayes' rule written out in SciPy.
"""

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from registry import built as built_in_registry
from registry import derived
from scipy import stats
from scipy.special import logsumexp

import unmix
from unmix import io, models
from unmix.fingerprint import fingerprint
from unmix.infer.tree import observed_data
from unmix.recipe import recipe_of

N = 10
RNG = np.random.default_rng(20261127)
SECOND = np.arange(N) % 2
X = RNG.normal(4.0 * SECOND, 1.0)
XY = np.stack([X, RNG.normal(size=N)], axis=1)
COUNTS = RNG.poisson(2 + 9 * SECOND)
WAITS = RNG.exponential(1 + 9 * SECOND)
ANSWERS = pd.DataFrame({"a": RNG.integers(2, size=N), "b": RNG.integers(2, size=N)})
KINDS = np.array(list("xyzxyzxyzx"))
TABLE = pd.DataFrame({"age": X, "visits": COUNTS, "kind": KINDS, "ill": SECOND == 1})
GROUPS = np.array(list("ppppqqqqrr"))
# Rows 0 to 3 are of two subjects, the others on their own.
TOGETHER = ["s", "s", "t", "t", *[None] * (N - 4)]
SUBJECTS = np.array([0, 0, 1, 1, *range(2, N - 2)])

NAMES = ["low", "high"]
LABELS = np.full(N, "", dtype=object)
LABELS[[1, 7]] = NAMES
WEIGHTS = np.array([2.0, 2, 1, 1, 0, 3, 1, 1, 2, 1])


@dataclass(frozen=True)
class Case:
    """A model with all that it takes, and its log p(x_i | z_i = k, θ) in SciPy, (obs, component).

    θ has all components: what is held is filled in from ``fixed``.
    """

    x: object
    fixed: dict
    log_likelihood: Callable
    more: dict
    together: bool = True
    group_weights: bool = False


def _by_item(theta):
    p = theta["p"]  # (component, item, level)
    codes = ANSWERS.to_numpy()
    return np.log(p[:, np.arange(2), codes]).sum(axis=-1).T


def _by_column(theta):
    kind = np.searchsorted(["x", "y", "z"], KINDS)
    return (
        stats.t.logpdf(X[:, None], theta["nu_age"], theta["mu_age"], theta["sigma_age"])
        + stats.poisson.logpmf(COUNTS[:, None], theta["rate_visits"])
        + np.log(theta["p_kind"]).T[kind]
        + stats.bernoulli.logpmf(SECOND[:, None], theta["p_ill"])
    )


def _normal(theta):
    return stats.norm.logpdf(X[:, None], theta["mu"], theta["sigma"])


def _t(theta):
    mu, sigma, nu = theta["mu"], theta["sigma"], theta["nu"]
    return stats.t.logpdf(XY[:, None], nu[:, None], mu, sigma).sum(axis=-1)


def _negative_binomial(theta):
    mu, alpha = theta["mu"], theta["alpha"]
    return stats.nbinom.logpmf(COUNTS[:, None], alpha, alpha / (alpha + mu))


def _by_group(theta):
    mean = theta["mu_group"][np.searchsorted(["p", "q", "r"], GROUPS)]
    return stats.norm.logpdf(X[:, None], mean, theta["sigma"])


NAN = np.nan
ROWS = [NAN, NAN]
IN_GROUPS = {"groups": GROUPS}
CASES = {
    "student_t": Case(XY, {"mu": [[0.0, 1.0], ROWS], "nu": [NAN, 3.0]}, _t, {}),
    "poisson": Case(
        COUNTS,
        {"rate": [2.5, NAN]},
        lambda theta: stats.poisson.logpmf(COUNTS[:, None], theta["rate"]),
        {},
    ),
    "negative_binomial": Case(COUNTS, {"alpha": [NAN, 4.0]}, _negative_binomial, {}),
    "exponential": Case(
        WAITS,
        {"w": [0.3, 0.7]},
        lambda theta: stats.expon.logpdf(WAITS[:, None], scale=1 / theta["rate"]),
        {},
    ),
    "latent_class": Case(ANSWERS, {"p": [[[0.2, 0.8], [0.6, 0.4]], [ROWS, ROWS]]}, _by_item, {}),
    "mixed": Case(
        TABLE,
        {"mu_age": [NAN, 4.5], "p_kind": [[0.2, 0.3, 0.5], [NAN] * 3], "p_ill": [0.1, NAN]},
        _by_column,
        {"families": {"age": "student_t"}},
    ),
    "grouped_weights": Case(
        X, {"sigma": [1.0, NAN]}, _normal, IN_GROUPS, together=False, group_weights=True
    ),
    "hierarchical": Case(
        X,
        {"mu": [0.5, NAN], "variance": [1.0, 2.0]},
        lambda theta: _normal({**theta, "sigma": np.sqrt(theta["variance"])}),
        {},
    ),
    "varying_means": Case(X, {"mu": [0.0, NAN], "sigma": [0.5, 1.5]}, _by_group, IN_GROUPS),
    "repeated_measures": Case(X, {"mu": [NAN, 3.0]}, _normal, {"subjects": TOGETHER}, False),
}
EACH = pytest.mark.parametrize("name", CASES)


def build(name, **more):
    case = CASES[name]
    given = {"labels": LABELS, "weights": WEIGHTS, "fixed": case.fixed, **case.more}
    if case.together:
        given["together"] = TOGETHER
    return models.CATALOGUE[name](case.x, components=NAMES, **{**given, **more})


@pytest.fixture(scope="module")
def built():
    """Models that were built already: PyTensor compiles slowly."""
    kept = {}

    def one(name):
        if name not in kept:
            kept[name] = build(name)
        return kept[name]

    return one


def with_fixed(theta, fixed):
    """θ with all of its components."""
    full = dict(theta)
    for name, value in fixed.items():
        value = np.array(value, dtype=float)
        free = np.isnan(value)
        value[free] = np.ravel(theta[name]) if free.any() else 0
        full[name] = value
    return full


def by_hand(name, theta, labelled=True):
    """Log p(x, z = k | θ) of each assignment, (row or subject, component)."""
    case = CASES[name]
    full = with_fixed(theta, case.fixed)
    log_w = np.log(full["w"])
    if case.group_weights:
        joint = log_w[np.searchsorted(["p", "q", "r"], GROUPS)]
    else:
        joint = np.tile(log_w, (N, 1))
    each = case.log_likelihood(full)
    if labelled:
        for k, label in enumerate(NAMES):
            each[label == LABELS] += np.where(np.arange(2) == k, 0.0, -np.inf)
    if case.together or "subjects" in case.more:
        first = np.unique(SUBJECTS, return_index=True)[1]
        joint, each_row = joint[first], each
        each = np.zeros_like(joint)
        np.add.at(each, SUBJECTS, each_row)
    return joint + each


def weights_by_hand(name):
    alone = CASES[name].together or "subjects" in CASES[name].more
    return WEIGHTS[np.unique(SUBJECTS, return_index=True)[1]] if alone else WEIGHTS


@EACH
def test_against_bayes_rule_by_hand(name, built):
    model = built(name)
    derivation = unmix.derive(model)
    theta = derivation.space.jittered(np.random.default_rng(0))
    right = by_hand(name, theta)
    rule = unmix.bayes_rule(model, theta)
    # Densities of order ten, some dozen operations each.
    np.testing.assert_allclose(rule["log_joint"], right, rtol=1e-11)
    assert derivation.components.symmetry == ((0,), (1,))
    assert rule["component"].values.tolist() == NAMES
    # What counts twice is there twice; the fingerprint is at this θ.
    marginal = logsumexp(right, axis=1)
    twice = np.repeat(marginal, weights_by_hand(name).astype(int)).sum()
    found = json.loads(fingerprint(derivation))["log_marginal"]
    assert found == pytest.approx(twice, rel=1e-10)


@EACH
def test_a_saved_model_is_built_again(name, built, tmp_path):
    model = built(name)
    recipe = recipe_of(model)
    observed = observed_data(unmix.derive(model))
    tree = xr.DataTree.from_dict({"observed_data": observed, **recipe.groups()})
    tree.attrs = {"model": recipe.name, "model_arguments": recipe.arguments}
    tree.to_netcdf(tmp_path / "model.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "model.nc", engine="h5netcdf") as loaded:
        again = recipe_of(io.load_model(loaded))
    assert again.arguments == recipe.arguments
    assert sorted(again.by_row) == sorted(recipe.by_row)
    for argument, values in recipe.by_row.items():
        np.testing.assert_array_equal(again.by_row[argument], values)


def test_the_catalogue_takes_them_all():
    everywhere = {"labels", "fixed", "weights"}
    for name, entry in models.CATALOGUE.items():
        taken = set(inspect.signature(entry).parameters)
        assert everywhere <= taken
        assert {"together", "subjects"} & taken or name == "grouped_weights"


# -- what is known of parameters -------------------------------------------------------------------


def test_hyperparameters_learn_from_what_is_known():
    """Of one component mean and variance are known: their densities are terms like any other."""
    derivation = derived("catalogue_hierarchical_of_which_some_is_known")
    z = np.zeros(derivation.n_obs, dtype=int)
    theta = derivation.space.jittered(np.random.default_rng(1))
    other = {**theta, "centre": theta["centre"] + 0.7, "beta": 1.3 * theta["beta"]}
    x = derivation.data[derivation.opened.observed["x"]].data
    middle, range_ = (x.min() + x.max()) / 2, np.ptp(x)

    def terms(t):
        both = np.append(t["mu"], 2.0), np.append(t["variance"], 1.0)
        return (
            stats.norm.logpdf(t["centre"], middle, range_)
            + stats.gamma.logpdf(t["beta"], 0.2, scale=range_**2 / 10)
            + stats.norm.logpdf(both[0], t["centre"], t["spread"]).sum()
            + stats.invgamma.logpdf(both[1], 2, scale=t["beta"]).sum()
        )

    found = derivation.log_density(other, z) - derivation.log_density(theta, z)
    # Sums of some dozen terms of order ten.
    assert found == pytest.approx(terms(other) - terms(theta), rel=1e-10)
    with pytest.raises(unmix.UnmixError, match="build the model without fixed"):
        unmix.prior_predictive(built_in_registry("catalogue_hierarchical_of_which_some_is_known"))


@pytest.mark.parametrize(
    ("name", "fixed", "words"),
    [
        ("poisson", {"mu": [1.0, 2.0]}, ["fixed names 'mu'", "'w' and 'rate'"]),
        ("poisson", {"rate": [0.0, 2.0]}, ["'rate'", "is 0", "above 0"]),
        ("exponential", {"w": [0.5, NAN]}, ["all weights or none"]),
        ("student_t", {"mu": [[0.0, NAN], ROWS]}, ["a part of a component"]),
        ("student_t", {"corr": [np.eye(2)] * 2}, ["fixed names 'corr'", "'nu'"]),
        ("negative_binomial", {"alpha": 3.0}, ["shape ()", "(2,)", "each component"]),
        ("latent_class", {"p": np.full((2, 2, 2), 0.4)}, ["sum to one over each level", "0.8"]),
        ("latent_class", {"p": np.full((2, 2), 0.5)}, ["component and item and level"]),
        ("mixed", {"p_ill": [0.5, 1.5]}, ["between 0 and 1"]),
        ("mixed", {"p_kind": [[0.5, 0.5, NAN], [NAN] * 3]}, ["a part of a component"]),
        ("mixed", {"p_kind": [[0.5, 0.6, -0.1], [NAN] * 3]}, ["is -0.1", "0 or more"]),
        ("mixed", {"mu": [0.0, 1.0]}, ["fixed names 'mu'", "'mu_age'"]),
        ("grouped_weights", {"c": 5.0}, ["fixed names 'c'", "'w', 'mu' and 'sigma'"]),
        ("grouped_weights", {"w": [0.5, 0.5]}, ["(3, 2)", "group and component"]),
        ("hierarchical", {"beta": 1.0}, ["fixed names 'beta'", "'variance'"]),
        ("varying_means", {"mu_group": np.zeros((3, 2))}, ["fixed names 'mu_group'"]),
        ("repeated_measures", {"sigma": [1.0, -1.0]}, ["above 0"]),
    ],
)
def test_what_cannot_be_held_is_one_sentence(name, fixed, words):
    with pytest.raises(unmix.UnmixError) as refused:
        build(name, fixed=fixed)
    sentence = str(refused.value)
    assert "\n" not in sentence
    assert all(word in sentence for word in words), sentence


def test_weights_of_groups_may_be_known():
    w = np.array([[0.1, 0.9], [0.4, 0.6], [0.5, 0.5]])
    model = build("grouped_weights", fixed={"w": w}, pooling="none")
    assert set(unmix.derive(model).parameters) == {"mu", "sigma"}
    table = pd.DataFrame(w[::-1], index=list("rqp"), columns=NAMES)
    named = build("grouped_weights", fixed={"w": table}, pooling="none")
    assert recipe_of(named).arguments == recipe_of(model).arguments
    with pytest.raises(unmix.UnmixError, match="fixed names 'w'"):
        build("grouped_weights", fixed={"w": w}, pooling="logistic-normal")


# -- rows that share a z ---------------------------------------------------------------------------


def test_weights_of_subjects_are_given_by_row_or_by_subject():
    by_row = build("poisson")
    by_subject = build("poisson", weights=weights_by_hand("poisson"))
    of_row = unmix.derive(by_row).weight
    np.testing.assert_array_equal(of_row, weights_by_hand("poisson"))
    np.testing.assert_array_equal(recipe_of(by_subject).by_row["weights"], of_row)
    torn = np.where(np.arange(N) == 3, 5.0, 1.0)
    for name in ("poisson", "repeated_measures"):
        with pytest.raises(unmix.UnmixError, match="rows 2, 3 belong to subject 't' and have dif"):
            build(name, weights=torn)


def test_labels_of_one_subject_must_agree():
    labels = np.array(["low", "high", *[""] * (N - 2)])
    for name in ("mixed", "repeated_measures"):
        with pytest.raises(unmix.UnmixError, match="rows 0, 1 belong to subject 's' and have"):
            build(name, labels=labels)


def test_new_rows_want_their_subjects_and_no_labels(built):
    for name, argument in (("poisson", "together"), ("repeated_measures", "subjects")):
        model = built(name)
        with pytest.raises(unmix.UnmixError, match=f"{name} takes {argument} by row"):
            models.on_rows(model, CASES[name].x)
    new = models.on_rows(built("poisson"), COUNTS, together=TOGETHER)
    assert set(recipe_of(new).by_row) == {"together"}
    theta = unmix.derive(new).space.jittered(np.random.default_rng(3))
    found = unmix.bayes_rule(built("poisson"), theta, new=new)["log_joint"]
    np.testing.assert_allclose(found, by_hand("poisson", theta, labelled=False), rtol=1e-12)


# -- labels ----------------------------------------------------------------------------------------


def test_a_label_is_no_surprise_off_the_fast_road():
    """The tail probability of a row is that of its data, whatever is known of its component."""
    labelled = models.student_t(X, NAMES, labels=LABELS)
    plain = models.student_t(X, NAMES)
    theta = unmix.derive(plain).space.jittered(np.random.default_rng(1))
    tails = [unmix.assignments(m, theta, rng=1)["tail"].to_numpy() for m in (labelled, plain)]
    np.testing.assert_array_equal(*tails)


def test_labels_of_components_that_are_called_by_numbers():
    """As numbers they would be taken for names, or the reverse."""
    labels = np.array(["2", "", "1", *[""] * (N - 3)])
    for name in ("gaussian", "exponential"):
        model = models.CATALOGUE[name](WAITS, ["1", "2"], labels=labels)
        kept = recipe_of(model).by_row["labels"]
        again = models.CATALOGUE[name](WAITS, ["1", "2"], labels=kept)
        assert kept.tolist() == labels.tolist()
        assert recipe_of(again).by_row["labels"].tolist() == labels.tolist()


def test_columns_called_as_what_a_model_has_beside():
    table = TABLE.rename(columns={"visits": "labels", "ill": "subject"})
    model = models.mixed(table, NAMES, labels=LABELS, together=TOGETHER)
    assert {"labels", "labels_2", "subject_2"} <= set(model.named_vars)


def test_a_label_is_shown_with_its_row_or_subject(built):
    said = str(unmix.explain(built("poisson"), at(built("poisson")), obs="s"))
    assert "label = low" in said
    assert "label = " not in str(unmix.explain(built("poisson"), at(built("poisson")), obs="t"))
    numbered = models.exponential(WAITS, ["1", "2"], labels=["2", *[""] * (N - 1)])
    assert "label = 2" in str(unmix.explain(numbered, at(numbered), obs=0))
    assert "label = " not in str(unmix.explain(numbered, at(numbered), obs=1))


def at(model):
    """A θ that the model may have."""
    return unmix.derive(model).space.jittered(np.random.default_rng(0))
