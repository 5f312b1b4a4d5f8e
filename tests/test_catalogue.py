"""The catalogue: what it refuses, how it names things, and rows that come as tables."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import unmix
from unmix import io, models, show
from unmix.recipe import recipe_of
from unmix.safe_names import TAKEN, safe_names

COUNTS = [0, 3, 1, 9, 14, 2, 11, 0]
ITEMS = pd.DataFrame(
    {
        "smokes": ["yes", "no", "no", "yes", "no", "yes"],
        "drinks": ["no", "no", "yes", "yes", "no", "yes"],
    },
    index=list("abcdef"),
)
# Names that are taken, that PyMC's own end like, that hold a stroke; and every kind of column.
TABLE = pd.DataFrame(
    {
        "age (y)": [31.5, 40.2, 28.8, 55.1, 61.3, 33.3, 59.9, 47.0],
        "w": [12, 3, 5, 0, 1, 7, 2, 4],
        "mu_w": ["a", "b/c", "a", "ü", "b/c", "a", "ü", "b/c"],
        "z": [True, False, False, True, True, False, True, True],
        "w_2_log__": pd.Categorical(list("llmlmmll"), categories=["l", "m", "h"]),
    },
    index=[f"r{i}" for i in range(8)],
)


@pytest.fixture(scope="module")
def mixed():
    return models.mixed(TABLE)


@pytest.fixture(scope="module")
def classes():
    return models.latent_class(ITEMS)


def at_random(model, seed=1):
    """A θ inside the model's space."""
    return unmix.derive(model).space.jittered(np.random.default_rng(seed))


# --- refusals -------------------------------------------------------------------------------------


def with_cell(values, row, value):
    changed = pd.Series(values, index=[f"r{i}" for i in range(len(values))], name="visits")
    changed = changed.astype(object)
    changed.iloc[row] = value
    return changed.infer_objects()


COUNTING = [models.poisson, models.negative_binomial]


@pytest.mark.parametrize("model", COUNTING)
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (-1, "column 'visits' is -1 in row r2, and counts are 0 or more"),
        (2.5, "column 'visits' is 2.5 in row r2, and counts are whole numbers"),
        (np.inf, "column 'visits' is inf in row r2"),
        ("many", "column 'visits' holds 'many' in row 2"),
        (1e300, r"column 'visits' is 1e\+300 in row r2, and counts are kept up to"),
    ],
)
def test_what_is_no_count_is_refused(model, value, words):
    with pytest.raises(unmix.UnmixError, match=words):
        model(with_cell(COUNTS, 2, value))


def test_how_many_cells_are_wrong_is_said():
    with pytest.raises(unmix.UnmixError, match=r"row 1 \(2 such cells in all\)"):
        models.poisson([[1, 2], [3, -2], [-4, 5]])


def test_a_negative_wait_is_refused():
    with pytest.raises(unmix.UnmixError, match=r"'visits' is -0\.5 in row r1, and waiting times"):
        models.exponential(with_cell([0.5, 1, 2, 3], 1, -0.5))


NUMERIC = [*COUNTING, models.exponential, models.student_t]


@pytest.mark.parametrize("model", [*NUMERIC, models.latent_class, models.mixed])
def test_a_constant_column_is_refused(model):
    frame = pd.DataFrame({"a": COUNTS, "b": [4] * len(COUNTS)})
    with pytest.raises(unmix.UnmixError, match=r"column 'b' is constant"):
        model(frame[["b"]] if model is models.latent_class else frame)


@pytest.mark.parametrize("model", [*NUMERIC, models.mixed])
def test_more_components_than_rows_are_refused(model):
    with pytest.raises(unmix.UnmixError, match="components is 9 but there are only 8 rows"):
        model(pd.Series(COUNTS, name="a"), 9)


@pytest.mark.parametrize(
    ("components", "words"),
    [
        (["low", "low"], "has the name 'low' twice"),
        ([], "has no names"),
        (0, "1 or more"),
        (2.5, "whole"),
    ],
)
def test_components_are_a_number_or_different_names(components, words):
    with pytest.raises(unmix.UnmixError, match=words):
        models.poisson(COUNTS, components)


def test_the_prior_of_nu_is_two_numbers():
    with pytest.raises(unmix.UnmixError, match="nu is 4: give the shape and the rate"):
        models.student_t([1.0, 2.0, 4.0], nu=4)


def test_components_by_name():
    model = models.poisson(COUNTS, ["few", "many"])
    assert model.coords["component"] == ("few", "many")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mean": 0}, "mean is 0: give positive numbers"),
        ({"shape": -1}, "shape is -1: give positive numbers"),
        ({"concentration": "1"}, "concentration is '1', which holds no numbers"),
    ],
)
def test_priors_are_positive(options, words):
    with pytest.raises(unmix.UnmixError, match=words):
        models.poisson(COUNTS, **options)


@pytest.mark.parametrize("model", [models.student_t, models.exponential])
def test_a_change_of_units_changes_nothing(model):
    """Every default of a prior is a length or a number: lengths are as many times larger."""
    x = np.array([0.2, 1.4, 0.9, 7.0, 8.8, 6.1])
    small, large = (json.loads(recipe_of(model(x * unit)).arguments) for unit in (1.0, 1000.0))
    lengths = {"centre", "spread", "scale", "mean"} & set(small)
    assert lengths
    for name, value in small.items():
        # Sums of products in other units: rounding.
        expected = pytest.approx(1000 * value, rel=1e-12) if name in lengths else value
        assert large[name] == expected


# --- items ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ([None, None, None], "has no cell that is there"),
        ([1.0, 2.5, 1.0], "is '2.5' in row 1, which is no level"),
        (pd.Series(["a", 1, "a"], dtype=object), "holds both text and numbers"),
        (["a", "b", "c"], "a value of its own in every row"),
    ],
)
def test_what_is_no_item_is_refused(column, words):
    with pytest.raises(unmix.UnmixError, match=words):
        models.latent_class(pd.DataFrame({"smokes": column}), 1)


def test_a_level_never_declared_is_refused_with_column_and_row():
    with pytest.raises(
        unmix.UnmixError,
        match=r"column 'smokes' is 'yes' in row a \(3 such cells in all\), which is none of its "
        r"levels 'no' and 'seldom'",
    ):
        models.latent_class(ITEMS, levels={"smokes": ["no", "seldom"]})


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        ({"eats": ["yes", "no"]}, "names a column 'eats' that is not there"),
        ({"smokes": ["yes"]}, "are not two or more different ones"),
        ([["yes", "no"]], "levels is no dict"),
    ],
)
def test_levels_are_two_or_more_of_a_column_that_is_there(levels, words):
    with pytest.raises(unmix.UnmixError, match=words):
        models.latent_class(ITEMS, levels=levels)


def test_items_of_the_same_levels_are_one_variable(classes):
    assert classes.named_vars_to_dims["p"] == ("component", "item", "level")
    assert classes.coords["level"] == ("no", "yes")
    observed = classes.rvs_to_values[classes["x"]].eval()
    np.testing.assert_array_equal(observed, (ITEMS == "yes").astype(int))


def test_items_of_different_levels_are_variables_of_their_own():
    frame = ITEMS.assign(
        often=pd.Categorical(["lo", "hi", "lo", "lo", "hi", "hi"], ["lo", "mid", "hi"])
    )
    model = models.latent_class(frame)
    assert {"smokes", "drinks", "often", "p_often"} <= set(model.named_vars)
    assert model.coords["level_often"] == ("lo", "mid", "hi")
    assert model["p_often"].eval().shape == (2, 3)
    coded = model.rvs_to_values[model["often"]].eval()
    np.testing.assert_array_equal(coded, [0, 2, 0, 0, 2, 2])


def test_whole_numbers_and_truth_values_are_items():
    model = models.latent_class(np.array([[1, 2], [2, 2], [1, 1], [2, 1]]))
    assert model.coords["level"] == (1, 2)
    assert model.coords["item"] == ("x0", "x1")
    assert models.latent_class([True, False, True]).coords["level"] == (False, True)


# --- families of columns --------------------------------------------------------------------------


def test_families_are_guessed_by_the_stated_rule():
    whole = np.arange(8)
    frame = pd.DataFrame(
        {
            "text": list("abababab"),
            "truth": [True, False] * 4,
            "zero one": whole % 2,
            "decimals": whole + 0.5,
            "negative": whole - 3,
            "five": whole % 5,
            "six": whole % 6,
            "years": whole + 1990,
            "category": pd.Categorical(list("abababab")),
        }
    )
    assert models.guessed_families(frame) == {
        "text": "categorical",
        "truth": "bernoulli",
        "zero one": "bernoulli",
        "decimals": "normal",
        "negative": "normal",
        "five": "categorical",
        "six": "poisson",
        "years": "normal",
        "category": "categorical",
    }


@pytest.mark.parametrize(
    ("families", "words"),
    [
        ({"w": "gauss"}, "column 'w' is called 'gauss', which is no family: give one of 'normal'"),
        ({"v": "normal"}, "names a column 'v' that is not there"),
        ({"mu_w": "normal"}, "column 'mu_w' holds 'a' in row 0, which is not a number"),
        ({"mu_w": "bernoulli"}, "column 'mu_w' is 'a' in row r0, and bernoulli takes 0 and 1"),
        ({"age (y)": "poisson"}, r"column 'age \(y\)' is 31.5 in row r0 .*counts are whole"),
        (["normal"], "families is no dict"),
    ],
)
def test_families_that_do_not_fit_are_refused(families, words):
    with pytest.raises(unmix.UnmixError, match=words):
        models.mixed(TABLE, families=families)


def test_names_of_variables_are_safe_and_different():
    columns = ["w", "mu_age", "age", "age", "sigma_age_log__", "a/b", "a b", "", "größe", "obs"]
    named = safe_names(list(dict.fromkeys(columns)), ("mu", "sigma"))
    everything = [f"{part}_{n}" for part in ("mu", "sigma") for n in named.values()]
    everything += named.values()
    assert len(set(everything)) == len(everything)
    assert not set(everything) & TAKEN
    assert named["größe"] == "größe"
    assert named["a/b"] == "a_b"
    assert named["a b"] == "a_b_2"
    assert not any(name.endswith("__") or "/" in name for name in named.values())


def test_odd_column_names_break_nothing_and_are_shown(mixed):
    assert {"w_2", "mu_w", "z_2", "age_y", "mu_age_y"} <= set(mixed.named_vars)
    assert recipe_of(mixed).titles["w_2"] == "w"
    text = str(unmix.explain(mixed, at_random(mixed), obs="r3"))
    for shown in ("age (y) = 55.1", "w = 0", "mu_w = ü", "w_2_log__ = l"):
        assert shown in text
    assert "}what" not in text  # the event of so many variables has a line of its own


def test_traces_of_levels_that_hold_a_stroke():
    p = np.random.default_rng(1).dirichlet(np.ones(2), size=(2, 9))
    draws = xr.Dataset({"p": (("chain", "draw", "level"), p)}, coords={"level": ["a", "b/c"]})
    figure = show.traces(xr.DataTree.from_dict({"posterior": draws}))
    assert len(figure.axes) == 4


# --- new rows -------------------------------------------------------------------------------------


def same_responsibilities(model, new, rows):
    theta = at_random(model)
    every = unmix.bayes_rule(model, theta)["responsibility"].to_numpy()
    found = unmix.bayes_rule(model, theta, new=new)["responsibility"].to_numpy()
    # One and the same function of a row, in another order of sums.
    np.testing.assert_allclose(found, every[rows], rtol=1e-12)


@pytest.mark.parametrize("as_", ["frame", "reversed", "dict"])
def test_new_rows_come_as_the_table_did(mixed, as_):
    rows = TABLE.iloc[2:6]
    new = {
        "frame": rows,
        "reversed": rows[list(TABLE)[::-1]],
        "dict": {name: column.to_list() for name, column in rows.items()},
    }[as_]
    same_responsibilities(mixed, new, slice(2, 6))


@pytest.mark.parametrize("as_", ["frame", "array", "codes"])
def test_new_items_come_as_items_or_as_the_model_has_them(classes, as_):
    rows = ITEMS.iloc[1:4]
    new = {
        "frame": rows,
        "array": rows.to_numpy(),
        "codes": {"x": (rows == "yes").to_numpy().astype(int)},
    }[as_]
    same_responsibilities(classes, new, slice(1, 4))


def test_a_second_model_on_new_rows(classes):
    few = ITEMS.iloc[[0, 1, 5]].assign(drinks=["no", "yes", "no"])
    levels = {name: ["no", "yes"] for name in ITEMS}
    second = models.latent_class(few, levels=levels)
    theta = at_random(classes)
    np.testing.assert_allclose(
        unmix.bayes_rule(classes, theta, new=second)["responsibility"],
        unmix.bayes_rule(classes, theta, new=few)["responsibility"],
        rtol=1e-12,
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop(columns="w"), "new data have no column 'w'"),
        (lambda t: t.assign(mu_w="d"), "column 'mu_w' is 'd' in row r0"),
        (lambda t: t.assign(w=np.nan), "column 'w' has no value in row r0"),
        (lambda t: t.to_numpy()[:, :3], "new data have 3 columns and the model was declared on 5"),
        (lambda t: {"w": [1], "mu_w": ["a", "b"]}, "new data differ in their number of rows"),
    ],
)
def test_new_rows_that_do_not_fit_are_refused(mixed, change, words):
    with pytest.raises(unmix.UnmixError, match=words):
        unmix.bayes_rule(mixed, at_random(mixed), new=change(TABLE))


# --- saved ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: models.poisson(pd.DataFrame({"a": COUNTS, "b": COUNTS[::-1]}), ["few", "many"]),
        lambda: models.negative_binomial(pd.Series(COUNTS, name="visits"), mean=3.0),
        lambda: models.exponential(np.array([0.5, 1, 7, 9])),
        lambda: models.student_t(np.array([[0.5, 1], [7, 9], [3, 3], [1, 2]]), nu=(2.0, 0.2)),
        lambda: models.latent_class(ITEMS, levels={"smokes": ["yes", "no"]}),
        lambda: models.mixed(TABLE, families={"w": "negative_binomial"}),
    ],
    ids=["poisson", "negative_binomial", "exponential", "student_t", "latent_class", "mixed"],
)
@pytest.mark.parametrize("suffix", [".nc", pytest.param(".zarr", marks=pytest.mark.slow)])
def test_a_saved_fit_builds_its_model_again(make, suffix, tmp_path):
    model = make()
    theta = at_random(model)
    fit = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(
                {
                    name: (
                        ("chain", "draw", *(f"{name}_{i}" for i in range(v.ndim))),
                        v[None, None],
                    )
                    for name, v in theta.items()
                }
            )
        }
    )
    path = io.save(fit, tmp_path / f"fit{suffix}", model=model)
    again = io.load_model(io.load_tree(path))
    assert set(again.named_vars) == set(model.named_vars)
    assert recipe_of(again).arguments == recipe_of(model).arguments
    np.testing.assert_array_equal(
        unmix.bayes_rule(again, theta)["log_joint"], unmix.bayes_rule(model, theta)["log_joint"]
    )
