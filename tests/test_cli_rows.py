"""`unmix fit` on rows with missing cells, weights, groups and subjects."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import unmix
from unmix import io
from unmix.cli import app
from unmix.derive import derive


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    second = rng.random(60) < np.tile([0.2, 0.5, 0.8], 20)
    frame = pd.DataFrame(
        {
            "id": [f"r{i}" for i in range(60)],
            "a": np.where(second, 4.0, 0.0) + rng.normal(size=60).round(3),
            "b": np.where(second, 3.0, 0.0) + rng.normal(size=60).round(3),
            "site": np.tile(["north", "east", "south"], 20),
            "n": 1 + np.arange(60) % 3,
            "who": np.repeat(np.arange(30), 2),
        }
    )
    frame.loc[::11, "b"] = np.nan
    frame.to_csv("data.csv", index=False)
    return frame


def run(*arguments):
    common = ("--method", "em", "--no-figures", "--id", "id", "-k", "2")
    return CliRunner().invoke(app, ["fit", "data.csv", *common, *arguments])


def refused(done) -> str:
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.filterwarnings("ignore:the columns tail and unexplained are left out")
def test_missing_cells_and_weights(table):
    done = run("--columns", "a,b", "--weights", "n", "-o", "out")
    assert done.exit_code == 0, done.stderr
    assert "6 cells are missing, in 6 rows: every row is kept" in " ".join(done.stdout.split())
    assert "missing" in done.stdout.split("Who made each row")[1]
    tree = io.load_tree("out/em.nc")
    derivation = derive(io.load_model(tree))
    np.testing.assert_array_equal(derivation.weight, table["n"])
    em = io.fit_in(tree)
    again = unmix.em(
        unmix.models.gaussian(table[["a", "b"]], 2, weights=table["n"].to_numpy()), rng=1
    )
    assert em.log_likelihood == pytest.approx(again.log_likelihood, rel=1e-9)
    assert em.total_weight == table["n"].sum()


def test_groups(table):
    done = run("--columns", "a", "--model", "grouped_weights", "--group", "site", "-o", "out")
    assert done.exit_code == 0, done.stderr
    for site in ("north", "east", "south"):
        assert f"w[{site}]" in done.stdout
    model = io.load_model(io.load_tree("out/em.nc"))
    assert list(model.coords["group"]) == ["east", "north", "south"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--model", "grouped_weights"), "needs --group"),
        (("--model", "repeated_measures"), "needs --subject"),
        (("--group", "site"), "--group is for --model 'grouped_weights' and 'varying_means'"),
        (("--model", "poisson", "--columns", "n", "--weights", "n"), "--weights is for"),
        (("--weights", "site"), "holds 'north' in row 1, which is no weight"),
        (("--weights", "nothing"), "there is no column 'nothing'"),
    ],
)
def test_what_cannot_be_is_one_sentence(table, arguments, sentence):
    columns = () if "--columns" in arguments else ("--columns", "a")
    assert sentence in refused(run(*columns, *arguments, "-o", "out"))


def test_a_missing_cell_where_the_model_takes_none(table):
    said = refused(run("--model", "student_t", "--columns", "a,b", "-o", "out"))
    assert "column 'b' has no value on line 2" in said
