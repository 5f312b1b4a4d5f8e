"""Arguments by row and by name where the names are numbers, floats, dates, or in another order."""

import numpy as np
import pandas as pd
import pytest
from unmix.models.by_name import by_name
from unmix.models.labels import read
from unmix.models.together import spread, subjects

import unmix
from unmix import models
from unmix.by_row import by_row

X = np.array([1.0, 9.0, 2.0, 8.0, 1.5, 9.5])
WHO = np.array([0, 1, 0, 1, 0, 1])
ORDER = [3, 0, 5, 2, 1, 4]


def held(model):
    """The labels that a model holds its rows to."""
    known = unmix.derive(model).known
    return np.where((known == 0).all(axis=1), -1, known.argmax(axis=1))


@pytest.mark.parametrize(
    "index",
    [
        pd.Index(ORDER),
        pd.Index(ORDER).astype(float),
        pd.Index(ORDER) + 0.5,
        pd.date_range("2020", periods=6)[ORDER],
        pd.Index(list("dafcbe")),
    ],
    ids=["whole numbers", "as floats", "broken numbers", "dates", "text"],
)
def test_a_series_is_put_into_the_order_of_the_rows(index):
    frame = pd.DataFrame({"x": X[ORDER], "who": WHO[ORDER]}, index=index)
    for labels in (frame.who, frame.who[::-1]):
        assert held(models.gaussian(frame.x, 2, labels=labels)).tolist() == WHO[ORDER].tolist()
    weights = pd.Series(X[ORDER], index)
    model = models.gaussian(frame.x, 2, weights=weights.sort_values())
    assert unmix.derive(model).weight.tolist() == X[ORDER].tolist()


@pytest.mark.parametrize("argument", ["labels", "weights", "together"])
def test_rows_without_names_beside_a_series_in_another_order_are_refused(argument):
    frame = pd.DataFrame({"x": X, "who": WHO}).iloc[ORDER]
    with pytest.raises(unmix.UnmixError, match=f"{argument} has an index that counts the rows in "):
        models.gaussian(frame.x.to_numpy(), 2, **{argument: frame.who})
    models.gaussian(frame.x.to_numpy(), 2, **{argument: frame.who.to_numpy()})


def test_weights_of_numbered_rows_in_another_order_are_refused():
    model = models.gaussian(pd.Series(X), 2)
    with pytest.raises(unmix.UnmixError, match="counts the rows in another order"):
        unmix.weigh(model, pd.Series(X).sort_values())
    assert unmix.derive(unmix.weigh(model, pd.Series(X))).weight.tolist() == X.tolist()


def test_rows_with_names_of_several_levels_are_refused():
    index = pd.MultiIndex.from_product([["a", "b"], [1, 2, 3]])
    with pytest.raises(unmix.UnmixError, match="reset_index"):
        models.gaussian(pd.Series(X, index), 2)


def test_a_range_that_runs_backwards_names_what_it_counts():
    values = pd.Series([0.0, 4.0, 9.0])
    for given in (values, values[::-1], values.iloc[[2, 1, 0]], values.iloc[[1, 2, 0]]):
        assert by_name("mu", given, index=range(3)).tolist() == [0.0, 4.0, 9.0]


@pytest.mark.parametrize("label", ["1", "1.0", "01"])
def test_text_means_the_component_that_is_called_so(label):
    rows = np.arange(3)
    assert read([label, "", None], ["1", "2", "3"], rows).tolist() == [0, -1, -1]


@pytest.mark.parametrize("label", ["0", 0, 1.0, "4"])
def test_positions_mean_nothing_where_components_are_called_by_numbers(label):
    labels = np.array([label, None, None], dtype=object)
    with pytest.raises(unmix.UnmixError, match=r"labels (name no component|are numbers)"):
        read(labels, ["1", "2", "3"], np.arange(3))


def test_labels_of_pandas_text_may_be_missing():
    labels = pd.Series(["a", None, "b"], dtype="string")
    assert read(labels, ["a", "b"], np.arange(3)).tolist() == [0, -1, 1]


def test_components_have_an_order():
    with pytest.raises(unmix.UnmixError, match="has no order"):
        models.gaussian(X, {"short", "long"})


def test_subjects_with_large_numbers_stay_apart():
    ids = np.array([2.0**63, 2.0**63 + 4096, 2.0**63, np.nan])
    assert len(subjects(ids, np.arange(4)).names) == 3
    assert by_row("together", ids, np.arange(4)) is ids


def test_subjects_are_spread_by_name():
    together = pd.Series(list("abcabc"), index=list("pqrstu"))
    model = models.gaussian(pd.Series(X, list("utsrqp")), 2, together=together)
    theta = {"w": [0.4, 0.6], "mu": [1.0, 9.0], "sigma": [1.0, 2.0]}
    by_subject = unmix.responsibilities(model, theta)
    of_rows = spread(by_subject, together)
    for name in "pqrstu":
        right = by_subject["responsibility"].sel(obs=together[name])
        np.testing.assert_array_equal(of_rows["responsibility"].sel(obs=name), right)


def test_a_number_that_is_no_subject_is_not_taken_for_a_position():
    model = models.gaussian(X, 2, together=list("abcabc"))
    theta = {"w": [0.4, 0.6], "mu": [1.0, 9.0], "sigma": [1.0, 2.0]}
    with pytest.raises(unmix.UnmixError, match="there is no subject 2: subjects are 'a', 'b', 'c'"):
        unmix.explain(model, theta, obs=2)
    assert unmix.explain(model, theta, obs="b").obs == "b"
