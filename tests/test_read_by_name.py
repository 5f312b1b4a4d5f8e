"""What has names is never read by position, and what belongs to old rows never serves new ones."""

import numpy as np
import pandas as pd
import pytest

import unmix
from unmix import models


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(3)
    second = np.arange(12) % 2 == 1
    return pd.DataFrame(
        {"a": np.where(second, 4.0, 0.0), "b": np.where(second, 1.0, 3.0)}
    ) + 0.3 * rng.normal(size=(12, 2))


THETA = {
    "w": [0.4, 0.6],
    "mu": [[0.0, 3.0], [4.0, 1.0]],
    "sigma": [[1.0, 1.0], [1.0, 1.0]],
}


def rule(model, theta, **more):
    return unmix.bayes_rule(model, theta, **more)["responsibility"].to_numpy()


def test_features_in_another_order_are_refused(frame):
    model = models.gaussian(frame, 2, covariance="diagonal")
    turned = models.gaussian(frame[["b", "a"]], 2, covariance="diagonal")
    with pytest.raises(unmix.UnmixError, match="along 'feature' in another order"):
        rule(model, THETA, new=turned)


def test_components_in_another_order_are_refused(frame):
    one, other = (models.gaussian(frame["a"], names) for names in (["lo", "hi"], ["hi", "lo"]))
    theta = {"w": [0.4, 0.6], "mu": [0.0, 4.0], "sigma": [1.0, 1.0]}
    with pytest.raises(unmix.UnmixError, match="along 'component' in another order"):
        rule(one, theta, new=other)


def test_levels_in_another_order_are_refused():
    items = pd.DataFrame({"i": list("abab"), "j": list("abba")})
    one = models.latent_class(items, 2, levels={"i": ["a", "b"], "j": ["a", "b"]})
    other = models.latent_class(items, 2, levels={"i": ["b", "a"], "j": ["b", "a"]})
    theta = {"w": [0.5, 0.5], "p": np.full((2, 2, 2), 0.5)}
    with pytest.raises(unmix.UnmixError, match="along 'level' in another order"):
        rule(one, theta, new=other)
    items["j"] = list("abca")  # items of different levels are variables of their own
    one, other = (
        models.latent_class(items, 2, levels={"i": list("ab"), "j": j}) for j in ("abc", "cab")
    )
    theta = {"w": [0.5, 0.5], "p_i": np.full((2, 2), 0.5), "p_j": np.full((2, 3), 1 / 3)}
    with pytest.raises(unmix.UnmixError, match="order"):
        rule(one, theta, new=other)


@pytest.mark.parametrize("kind", ["labels", "weights", "groups"])
def test_what_is_given_by_row_is_found_by_the_names_of_the_rows(frame, kind):
    """Also where both are only numbered, as after sorting."""
    given = pd.Series({"labels": [0, 1], "weights": [1.0, 3.0], "groups": ["p", "q"]}[kind] * 6)
    shuffled = frame[["a"]].sort_values("a")
    if kind == "groups":
        one, other = (models.grouped_weights(f, given, 2) for f in (frame[["a"]], shuffled))
        theta = {"w": [[0.9, 0.1], [0.2, 0.8]], "mu": [0.0, 4.0], "sigma": [2.0, 2.0]}
    else:
        one, other = (models.gaussian(f, 2, **{kind: given}) for f in (frame[["a"]], shuffled))
        theta = {"w": [0.4, 0.6], "mu": [0.0, 4.0], "sigma": [2.0, 2.0]}
    right, found = rule(one, theta), rule(other, theta)
    np.testing.assert_allclose(found, right[shuffled.index], atol=1e-12)
    if kind == "weights":
        weights = [unmix.derive(m).weight for m in (one, other)]
        np.testing.assert_array_equal(weights[1], weights[0][shuffled.index])


def test_what_is_masked_is_missing(frame):
    masked = np.ma.array([1] * 12, mask=[True] * 12)
    free = models.gaussian(frame["a"], 2, labels=masked)
    theta = {"w": [0.4, 0.6], "mu": [0.0, 4.0], "sigma": [1.0, 1.0]}
    right = rule(models.gaussian(frame["a"], 2), theta)
    np.testing.assert_allclose(rule(free, theta), right, atol=1e-12)
    with pytest.raises(unmix.UnmixError, match="groups is missing"):
        models.grouped_weights(frame["a"], np.ma.array(["p"] * 12, mask=[True] + [False] * 11), 2)


def test_new_rows_as_many_as_the_old_do_not_get_their_groups(frame):
    model = models.grouped_weights(frame["a"], list("pq") * 6, 2)
    theta = {"w": [[0.9, 0.1], [0.2, 0.8]], "mu": [0.0, 4.0], "sigma": [2.0, 2.0]}
    with pytest.raises(unmix.UnmixError, match="other arrays with one entry for each of its 12"):
        rule(model, theta, new={"x": np.zeros(12)})
    spread = models.gaussian(frame["a"], 2, error=np.linspace(0.1, 1, 12))
    theta = {"w": [0.4, 0.6], "mu": [0.0, 4.0], "sigma": [1.0, 1.0]}
    with pytest.raises(unmix.UnmixError, match="'error' has one entry for each of the 12 old"):
        rule(spread, theta, new={"x": np.zeros(12)})
    with pytest.raises(unmix.UnmixError, match="takes error by row"):
        models.on_rows(spread, np.zeros(3))


def test_noise_keeps_the_box_of_the_declared_rows(frame):
    model = models.gaussian(frame["a"], 2, noise=True)
    theta = {"w": [0.3, 0.3, 0.4], "mu": [0.0, 4.0], "sigma": [0.1, 0.1]}
    new = np.array([0.5, 2.0, 3.5])
    by_array = rule(model, theta, new={"x": new})
    by_model = rule(model, theta, new=models.on_rows(model, new))
    np.testing.assert_allclose(by_model, by_array, atol=1e-12)
    assert by_array[1, 2] > 0.99


def test_new_rows_may_be_one_or_alike(frame):
    model = models.gaussian(frame, 2)
    for rows in (frame.iloc[:1], frame.iloc[[0, 0]], frame.iloc[:2].assign(b=np.nan)):
        assert len(unmix.derive(models.on_rows(model, rows)).obs_labels) == len(rows)


def test_shares_by_group_count_weights(frame):
    weights = np.arange(12.0)
    model = models.gaussian(frame["a"], 2, weights=weights)
    theta = {"w": [0.4, 0.6], "mu": [0.0, 4.0], "sigma": [2.0, 2.0]}
    group = np.array(list("pq") * 6)
    found = unmix.responsibilities(model, theta, by=group)["responsibility"].to_numpy()
    r = rule(model, theta)
    for g, name in enumerate("pq"):
        right = np.average(r[group == name], axis=0, weights=weights[group == name])
        np.testing.assert_allclose(found[g], right, rtol=1e-12)


def test_numbers_are_no_names():
    with pytest.raises(unmix.UnmixError, match="a component is called '1'"):
        models.gaussian(np.arange(6.0), ["1", "2"], labels=[1, 2, 1, 2, 1, 2])


def test_tails_are_left_out_where_rows_lack_different_cells(frame):
    holes = frame.copy()
    holes.iloc[0, 0] = np.nan
    model = models.gaussian(holes, 2, covariance="diagonal")
    with pytest.warns(unmix.UnmixWarning, match="rows lack different cells"):
        assert "tail" not in unmix.assignments(model, THETA)


def test_the_estimator_takes_numbers_of_priors_only():
    from unmix.sklearn import Mixture

    for name, value in {"noise": True, "equal": ("sigma",), "fixed": {"w": [0.5, 0.5]}}.items():
        with pytest.raises(unmix.UnmixError, match=f"priors has '{name}'"):
            Mixture(2, priors={name: value}).fit(np.arange(20.0).reshape(10, 2) % 7)
