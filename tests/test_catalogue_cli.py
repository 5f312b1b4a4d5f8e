"""`unmix models`, `unmix fit --model`, and columns of any kind from a file."""

import inspect

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner
from unmix.models import CATALOGUE

import unmix
from unmix import io
from unmix.catalogue import TAKES, families_said
from unmix.cli import app
from unmix.read_table import read_table


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A command, run in an empty folder; its result."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str):
        return CliRunner().invoke(app, list(arguments))

    return command


@pytest.fixture
def table(tmp_path):
    """Text, counts, truth values and numbers in a CSV."""
    rng = np.random.default_rng(1)
    first = np.arange(30) % 2 == 0
    frame = pd.DataFrame(
        {
            "id": [f"p{i}" for i in range(30)],
            "smokes": np.where(rng.random(30) < np.where(first, 0.8, 0.3), "yes", "no"),
            "stage": rng.choice(["I", "II", "III"], 30),
            "visits": rng.poisson(np.where(first, 2, 11)),
            "ill": rng.random(30) < 0.5,
            "age (y)": np.where(first, 30.5, 60.5) + rng.normal(0, 4, 30).round(1),
        }
    )
    frame.to_csv(tmp_path / "data.csv", index=False)
    return frame


def refused(done) -> str:
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    return done.stderr


# --- the list -------------------------------------------------------------------------------------


def test_the_command_line_names_what_the_catalogue_has():
    """Every model, and every option whose argument it takes."""
    assert set(TAKES) == set(CATALOGUE)
    arguments = {
        "labels": "labels", "weights": "weights", "fix": "fixed", "names": "components",
        "covariance": "covariance", "noise": "noise", "families": "families", "group": "groups",
    }  # fmt: skip
    for name, entry in CATALOGUE.items():
        taken = set(inspect.signature(entry).parameters)
        options = {option for option, argument in arguments.items() if argument in taken}
        if {"together", "subjects"} & taken:
            options.add("subject")
        assert TAKES[name] - {"text", "missing"} == options


def test_models_lists_every_entry_in_one_line(run):
    done = run("models")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(CATALOGUE)
    assert "latent classes: categorical or binary items" in done.stdout
    assert max(map(len, lines)) <= 100


# --- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--model", "poison"), "there is no model 'poison' for unmix fit: --model takes"),
        (("--model", "poisson", "--covariance", "full"), "--covariance is for --model 'gaussian'"),
        (("--families", "visits=poisson"), "--families is for --model 'mixed' and the model is"),
        (("--model", "mixed", "--families", "visits"), "--families has 'visits': give column="),
        (("--model", "mixed", "--families", "a=normal,a=poisson"), "column 'a' twice"),
    ],
)
def test_options_that_do_not_apply_are_refused_in_a_sentence(run, options, words):
    # There is no file either: options are looked at first.
    assert words in refused(run("fit", "data.csv", "-k", "2", *options))


def test_a_column_may_hold_the_sign_of_equality():
    assert families_said(["a = b=poisson"]) == {"a = b": "poisson"}


@pytest.mark.parametrize(
    ("model", "columns", "words"),
    [
        ("poisson", "age (y)", "counts are whole numbers"),
        ("poisson", "smokes", "column 'smokes' holds '"),
        ("latent_class", "age (y)", "which is no level"),
    ],
)
def test_columns_that_the_model_does_not_take(run, table, model, columns, words):
    done = run("fit", "data.csv", "-k", "2", "--model", model, "--columns", columns)
    assert words in refused(done)


def test_an_unknown_family_of_a_column(run, table):
    done = run("fit", "data.csv", "-k", "2", "--model", "mixed", "--families", "visits=poison")
    assert "which is no family" in refused(done)


# --- fits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "columns", "shown"),
    [
        ("latent_class", "smokes,stage", ("model latent_class", "No figure components")),
        pytest.param("poisson", "visits", ("model poisson",), marks=pytest.mark.slow),
        (
            "mixed",
            "smokes,visits,ill,age (y)",
            ("'smokes' categorical, 'visits' poisson, 'ill' bernoulli, 'age (y)' normal", "p_ill"),
        ),
    ],
)
def test_a_fit_by_em(run, table, tmp_path, model, columns, shown):
    arguments = ["--model", model, "--columns", columns, "--id", "id", "--method", "em"]
    done = run("fit", "data.csv", "-k", "2", *arguments, "-o", "out")
    assert done.exit_code == 0, done.stderr
    # On one line, wherever the terminal broke it.
    printed = " ".join(done.stdout.split())
    for words in shown:
        assert words in printed
    assert "two values only" not in printed
    assert "kind='posterior'" not in printed  # which the command does not have
    tree = io.load_tree(tmp_path / "out" / "em.nc")
    again = unmix.responsibilities(io.load_model(tree), io.fit_in(tree))
    written = pd.read_csv(tmp_path / "out" / "assignments.csv")
    assert written["id"].to_list() == table["id"].to_list()
    np.testing.assert_allclose(
        written["responsibility[0]"], again["responsibility"].isel(component=0), atol=1e-12
    )
    explained = run("explain", "out/em.nc", "--obs", "p3")
    assert explained.exit_code == 0
    first = columns.split(",")[0]
    name = {"latent_class": first, "mixed": first, "poisson": "x"}[model]
    assert f"{name} = {table[first][3]}" in explained.stdout


# --- reading --------------------------------------------------------------------------------------


def typed(tmp_path, text, **options):
    (tmp_path / "t.csv").write_text(text)
    return read_table(tmp_path / "t.csv", text=True, **options)


def test_columns_keep_their_types(tmp_path):
    frame = typed(tmp_path, "a,b,c,d,e\n1,1.5,yes,True,'=1\n2,2,no,false,x\n-3,1e3,no,TRUE,y\n")
    assert [v.dtype.kind for _, v in frame.items()] == ["i", "f", "O", "b", "O"]
    assert frame["a"].to_list() == [1, 2, -3]
    assert frame["d"].to_list() == [True, False, True]
    assert frame["e"].to_list() == ["=1", "x", "y"]  # as unmix writes it, guarded


def test_the_same_from_parquet(tmp_path):
    frame = pd.DataFrame(
        {"a": [1, 2, 3], "b": [1.5, 2, 3], "c": list("xyx"), "d": [True, False, True]}
    )
    frame["e"] = pd.Categorical(list("lhl"), categories=["l", "m", "h"])
    frame.to_parquet(tmp_path / "t.parquet")
    found = read_table(tmp_path / "t.parquet", text=True)
    pd.testing.assert_frame_equal(
        found.astype({"e": object, "c": object}), frame.astype({"e": object, "c": object}),
        check_frame_type=False,
    )  # fmt: skip
    assert list(found["e"].cat.categories) == ["l", "m", "h"]
    frame.loc[1, "c"] = None
    frame.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(unmix.UnmixError, match="column 'c' has no value in row 2"):
        read_table(tmp_path / "t.parquet", text=True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,x\n2,\n3,y\n", "column 'b' has no value on line 3"),
        ("a,b\n1,x\n2,x\n", "column 'b' is constant ('x' in every row)"),
        ("a\n" + "1\n2\n" * 10 + "1O\n", "column 'a' holds '1O' on line 22"),
    ],
)
def test_what_is_wrong_in_a_typed_column(tmp_path, text, words):
    with pytest.raises(unmix.UnmixError) as found:
        typed(tmp_path, text)
    assert words in str(found.value)


def test_a_typed_cell_may_be_missing(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,c,d,e\n1,x,0.5,true,none\n,y,,false,mild\n3,NA,1.5,,\n1,y,2,true,mild\n")
    frame = read_table(path, text=True, missing=True)
    holes = pd.DataFrame(
        {
            "a": pd.Series([1, None, 3, 1], dtype=object),
            "b": ["x", "y", None, "y"],
            "c": [0.5, np.nan, 1.5, 2.0],
            "d": pd.Series([True, False, None, True], dtype=object),
            "e": ["none", "mild", None, "mild"],  # an answer, among words
        }
    )
    pd.testing.assert_frame_equal(
        frame.astype({"b": object, "e": object}), holes.astype({"b": object, "e": object})
    )
    frame.to_parquet(tmp_path / "t.parquet")
    again = read_table(tmp_path / "t.parquet", text=True, missing=True)
    assert again.isna().equals(holes.isna())


def test_codes_some_of_which_are_no_numbers_are_text(tmp_path):
    frame = typed(tmp_path, "a\n1\n2\n3+\n2\n")
    assert frame["a"].to_list() == ["1", "2", "3+", "2"]
