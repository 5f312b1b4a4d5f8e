"""`unmix fit` on rows with missing cells, weights, groups and subjects."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from typer.testing import CliRunner

import unmix
from unmix import io
from unmix.cli import app
from unmix.derive import derive
from unmix.predict_by_row import never_seen, read_by_row
from unmix.read_table import read_table
from unmix.recipe import Recipe


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
            "turn": np.arange(60) % 2,
        }
    )
    frame.loc[::11, "b"] = np.nan
    frame.to_csv("data.csv", index=False)
    return frame


def run(*arguments):
    common = ("--method", "em", "--no-figures", "--id", "id", "-k", "2")
    return CliRunner().invoke(app, ["fit", "data.csv", *common, *arguments])


def predict(*arguments):
    return CliRunner().invoke(app, ["predict", "out/em.nc", "new.csv", *arguments])


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
    em = io.load("out/em.nc")
    new = pd.DataFrame({"a": [2.0, 2.0, 2.0], "site": ["south", "north", "east"]})
    new.to_csv("new.csv", index=False)
    done = predict("-o", "who.csv")  # the fit knows which column
    assert done.exit_code == 0, done.stderr
    assert "left out" not in done.stdout
    w = em.theta["w"].sel(group=new["site"].to_list()).to_numpy()
    by_hand = w * norm.pdf(2.0, em.theta["mu"], em.theta["sigma"])
    by_hand /= by_hand.sum(axis=1, keepdims=True)
    columns = [f"responsibility[{k}]" for k in em.theta["component"].values]
    # Roundings in logarithms of numbers of order ten.
    np.testing.assert_allclose(pd.read_csv("who.csv")[columns], by_hand, rtol=0, atol=1e-12)
    new.rename(columns={"site": "where"}).to_csv("new.csv", index=False)
    assert "no column 'site' in 'new.csv'" in refused(predict("-o", "again.csv"))
    done = predict("--group", "where", "-o", "again.csv")
    assert done.exit_code == 0, done.stderr
    pd.testing.assert_frame_equal(pd.read_csv("again.csv"), pd.read_csv("who.csv"))
    new.assign(site="west").to_csv("new.csv", index=False)
    said = "no row of the fit is of 'west', and EM left out 'w0' and 'c'"
    assert said in refused(predict("-o", "no.csv"))
    assert "has no subjects: leave it out" in refused(predict("--subject", "where", "-o", "no.csv"))


def test_subjects(table):
    done = run("--columns", "a", "--model", "repeated_measures", "--subject", "who", "-o", "out")
    assert done.exit_code == 0, done.stderr
    new = pd.DataFrame({"a": [0.0, 4.0, 4.0, 0.0], "who": ["p", "7", "7", "p"]})
    new.to_csv("new.csv", index=False)
    done = predict("-o", "who.csv")
    assert done.exit_code == 0, done.stderr
    assert "in the fit as well, and here by their new rows alone: '7'" in done.stdout
    found = pd.read_csv("who.csv")
    assert found["obs"].tolist() == ["p", "7"]  # a line for each subject
    theta = io.load("out/em.nc").theta
    once = norm.pdf([[0.0], [4.0]], theta["mu"], theta["sigma"])
    by_hand = theta["w"].to_numpy() * once**2  # both rows of each
    by_hand /= by_hand.sum(axis=1, keepdims=True)
    columns = [f"responsibility[{k}]" for k in theta["component"].values]
    # Roundings in logarithms of numbers of order ten.
    np.testing.assert_allclose(found[columns], by_hand, rtol=0, atol=1e-12)
    fit = io.load_tree("out/em.nc")
    del fit["by_row"]["subjects"].attrs["column"]  # as of a fit that was made in Python
    unmix.save(fit, "out/em.nc", overwrite=True)
    assert "name that of 'new.csv' with --subject" in refused(predict("-o", "again.csv"))


def test_groups_that_were_numbers_are_read_as_numbers(tmp_path):
    file = tmp_path / "new.csv"
    file.write_text("a,site\n1.5,2\n2.5,03\n")
    rows = read_table(file, ["a"], new=True)
    fitted = {"groups": np.array([1, 2])}
    recipe = Recipe("grouped_weights", by_row=fitted, columns={"groups": "site"})
    found, columns = read_by_row(recipe, file, rows, {"group": None, "subject": None})
    assert found["groups"].tolist() == [2, 3]
    assert columns == ["site"]
    assert never_seen(recipe, found) == ["3"]
    file.write_text("a,site\n1.5,2\n2.5,x\n")
    with pytest.raises(unmix.UnmixError, match="column 'site' holds 'x' in row 2, and the groups"):
        read_by_row(recipe, file, rows, {})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--model", "grouped_weights"), "needs --group"),
        (("--model", "repeated_measures"), "needs --subject"),
        (("--group", "site"), "--group is for --model 'grouped_weights' and 'varying_means'"),
        (("--model", "poisson", "--columns", "n", "--weights", "n"), "is the only one of the rows"),
        (("--weights", "n", "--method", "gibbs"), "--weights does not go with --method gibbs"),
        (("--model", "grouped_weights", "--group", "site", "--subject", "who"), "--subject is for"),
        (("--fix", "nu=1,2"), "--fix names 'nu': what this model can hold is 'w', 'mu' and"),
        (("--fix", "mu=1"), "--fix mu has shape (1,) and the parameter (2,)"),
        (("--subject", "who", "--weights", "n"), "weights contradict each other: rows r0, r1"),
        (("--subject", "who", "--labels", "turn"), "labels contradict each other: rows r0, r1"),
        (("--weights", "site"), "holds 'north' in row 1, which is no weight"),
        (("--weights", "nothing"), "there is no column 'nothing'"),
    ],
)
def test_what_cannot_be_is_one_sentence(table, arguments, sentence):
    columns = () if "--columns" in arguments else ("--columns", "a")
    assert sentence in refused(run(*columns, *arguments, "-o", "out"))


def test_a_missing_cell_where_the_model_takes_none(table):
    options = ("--model", "student_t", "--covariance", "full", "--columns", "a,b")
    assert "column 'b' has no value on line 2" in refused(run(*options, "-o", "out"))
