"""`unmix fit` with labels, weights, known parameters and subjects, for models beside gaussian."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import unmix
from unmix import io
from unmix.cli import app
from unmix.read_table import read_table

N = 40


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Two rows of each subject, of one component; who is young or old is known of a few."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(2)
    old = np.repeat(np.arange(N // 2) % 2, 2)
    frame = pd.DataFrame(
        {
            "age": 30 + 20 * old + rng.normal(0, 3, N).round(2),
            "visits": rng.poisson(2 + 6 * old),
            "sick": rng.random(N) < 0.2 + 0.6 * old,
            "who": np.repeat([f"s{i}" for i in range(N // 2)], 2),
            "n": np.repeat(1 + np.arange(N // 2) % 3, 2),
            "known": np.where(np.arange(N) < 6, np.array(["young", "old"])[old], ""),
            "once": 1,  # no feature, and constant
        }
    )
    frame.to_csv("data.csv", index=False)
    frame.iloc[:6].to_csv("new.csv", index=False)
    return frame


def run(*arguments):
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, done.stderr
    return done.stdout


def fit(*arguments):
    common = ("-k", "2", "--names", "young,old", "--method", "em", "--no-figures", "-o", "out")
    return run("fit", "data.csv", *common, *arguments)


def test_a_table_of_which_some_is_known(table):
    told = fit(
        "--model", "mixed", "--columns", "age", "--labels", "known", "--weights", "n",
        "--fix", "mu_age=30,nan", "--fix", "w=0.5,0.5",
    )  # fmt: skip
    assert "weights: 40 rows count for" in told
    em = io.load("out/em.nc")
    given = {"labels": table["known"], "weights": table["n"]}
    fixed = {"mu_age": [30.0, np.nan], "w": [0.5, 0.5]}
    features = table[["age"]]
    model = unmix.models.mixed(features, ["young", "old"], fixed=fixed, **given)
    again = unmix.em(model, rng=1)
    assert em.log_likelihood == pytest.approx(again.log_likelihood, rel=1e-9)
    written = pd.read_csv("out/assignments.csv")
    assert written["most_likely"][:6].tolist() == table["known"][:6].tolist()
    assert {"tail", "unexplained"} <= set(written.columns)
    assert "label = young" in run("explain", "out/em.nc", "--obs", "0")
    run("predict", "out/em.nc", "new.csv", "-o", "who.csv")
    # New rows have no labels: nearly sure is not certain.
    found = pd.read_csv("who.csv")["responsibility[young]"]
    plain = unmix.models.mixed(features, ["young", "old"], fixed=fixed)
    right = unmix.responsibilities(plain, em)["responsibility"].sel(component="young")[:6]
    np.testing.assert_allclose(found, right, atol=1e-12)


def test_counts_of_subjects(table):
    fit(
        "--model", "poisson", "--columns", "visits", "--subject", "who",
        "--labels", "known", "--weights", "n",
    )  # fmt: skip
    tree = io.load_tree("out/em.nc")
    derivation = unmix.derive(io.load_model(tree))
    np.testing.assert_array_equal(derivation.weight, table["n"][::2])
    written = pd.read_csv("out/assignments.csv")
    assert written["obs"].tolist() == [f"s{i}" for i in range(N // 2)]
    assert written["most_likely"][:3].tolist() == ["young", "old", "young"]
    assert "unexplained" in written  # off the fast road, and with labels
    run("predict", "out/em.nc", "new.csv", "-o", "who.csv")
    assert pd.read_csv("who.csv")["obs"].tolist() == ["s0", "s1", "s2"]


def test_columns_that_options_name_are_not_read(table, tmp_path):
    """Not even to be refused: a label may be missing, a weight the same for all."""
    table.to_parquet("data.parquet")
    for path in ("data.csv", "data.parquet"):
        for text in (True, False):
            apart = ["known", "once", "who"]
            x = read_table(tmp_path / path, text=text, missing=True, apart=apart)
            assert not set(apart) & set(x.columns)
            with pytest.raises(unmix.UnmixError, match="column 'once' is constant"):
                read_table(tmp_path / path, text=text, missing=True)
    (tmp_path / "one.csv").write_text("once\n1\n1\n")
    with pytest.raises(unmix.UnmixError, match="is left for the rows beside 'once'"):
        read_table(tmp_path / "one.csv", apart=["once"])


def test_what_a_command_cannot_hold_is_told_where_it_can(table):
    line = ("fit", "data.csv", "-k", "2", "--model", "latent_class", "--columns", "sick")
    done = CliRunner().invoke(app, [*line, "--fix", "p=0.5,0.5"])
    assert done.exit_code == 2
    assert "hold it by unmix.models.latent_class(fixed=) in Python" in done.stderr
    assert done.stderr.count("\n") == 1
