"""`unmix fit --names --labels --fix`: what is known beforehand, on the command line."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

import unmix
from unmix import analysis, io
from unmix.cli import app
from unmix.errors import UnmixError
from unmix.known_columns import _weights, fixed_values, known
from unmix.plan import Plan
from unmix.read_table import read_table


@pytest.fixture
def file(tmp_path):
    rng = np.random.default_rng(4)
    of = np.arange(40) % 2
    frame = pd.DataFrame({"x": rng.normal(3 * of, 1), "kind": np.array(["low", "high"])[of]})
    frame.loc[8:, "kind"] = ""
    frame["code"] = of
    path = tmp_path / "data.csv"
    frame.to_csv(path, index=False)
    return path


def test_parameters_from_text():
    assert fixed_values(["mu=1.5,nan", "sigma = 1,2"])["sigma"] == [1.0, 2.0]
    mu = fixed_values(["mu=0,1;nan,nan"])["mu"]
    np.testing.assert_array_equal(mu, [[0, 1], [np.nan, np.nan]])
    for text, words in (
        ("mu", "no name and numbers"),
        ("mu=a", "no name"),
        ("mu=1;2,3", "lengths"),
    ):
        with pytest.raises(unmix.UnmixError, match=words):
            fixed_values([text])


def test_the_column_of_labels_is_no_feature(file):
    for column in ("kind", "code"):
        x = read_table(file, ["x", "code"] if column == "code" else ["x"])
        x, plan = known(file, x, Plan(2), ["low", "high"], {"labels": column}, ["sigma=1,1"])
        assert x.columns.tolist() == ["x"]
        assert plan.known["components"] == ["low", "high"]
        assert plan.known["fixed"] == {"sigma": [1.0, 1.0]}
        assert len(plan.known["labels"]) == 40
    assert plan.known["labels"][:3].tolist() == ["0", "1", "0"]
    left_out = known(file, read_table(file), Plan(2), None, {"labels": "kind"}, None)[0].attrs[
        "left_out"
    ]
    assert "kind" not in left_out
    with pytest.raises(unmix.UnmixError, match="no column 'sort'"):
        known(file, read_table(file), Plan(2), None, {"labels": "sort"}, None)
    with pytest.raises(unmix.UnmixError, match="--names has 1"):
        known(file, read_table(file), Plan(2), ["low"], {}, None)


def test_from_the_command_line_to_the_table(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    asked = "fit data.csv -k2 --columns x --names low,high --labels kind --method em --no-figures"
    done = CliRunner().invoke(app, asked.split())
    assert done.exit_code == 0, done.stderr
    em = io.load(file.parent / "unmix-fit" / "em.nc")
    low, high = em.theta["mu"].sel(component=["low", "high"]).values
    assert low < high
    table = pd.read_csv(file.parent / "unmix-fit" / "assignments.csv")
    assert table["most_likely"][:4].tolist() == ["low", "high", "low", "high"]
    assert table["responsibility[high]"][1] == 1.0


def test_labels_that_name_no_component_are_told_of_names(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    line = "fit data.csv -k2 --columns x --labels kind --method em"
    done = CliRunner().invoke(app, line.split())
    assert done.exit_code == 2
    assert "('low' in the first): the components are 0 to 1, --names says what" in done.stderr
    assert done.stderr.count("\n") == 1


def test_noise_from_the_command_line_to_a_figure(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    x = pd.read_csv(file)["x"]
    x[[0, 1]] = [-40.0, 60.0]  # of nowhere
    x.to_csv("data.csv", index=False)
    run = CliRunner().invoke
    asked = "fit data.csv -k 2 --names low,high --noise --method em"
    done = run(app, asked.split())
    assert done.exit_code == 0, done.stderr
    assert "components 2 and one of noise, method em" in done.stdout
    table = pd.read_csv("unmix-fit/assignments.csv")
    assert table["most_likely"][:2].tolist() == ["noise", "noise"]
    assert set(table["most_likely"][2:]) == {"low", "high"}
    pd.DataFrame({"x": [30.0, x[2]]}).to_csv("new.csv", index=False)
    done = run(app, ["predict", "unmix-fit/em.nc", "new.csv", "-o", "new-rows.csv"])
    assert done.exit_code == 0, done.stderr
    new = pd.read_csv("new-rows.csv")
    assert new["most_likely"].tolist() == ["noise", table["most_likely"][2]]
    assert new.columns.tolist() == table.columns.tolist()  # tails too
    done = run(app, ["plot", "unmix-fit/em.nc"])
    assert done.exit_code == 0, done.stderr
    assert "No figure" not in done.stdout
    tree = io.load_tree("unmix-fit/em.nc")
    draws = xr.DataTree.from_dict({"posterior": io.fit_in(tree).theta.expand_dims(chain=2, draw=4)})
    summary = unmix.summary(io.load_model(tree), draws)
    assert {"w[noise]", "mu[low]", "sigma[high]"} <= set(summary.table.index)


def test_noise_is_for_models_that_have_it(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    monkeypatch.setattr(analysis, "analyse", None)  # nothing is to come so far
    done = CliRunner().invoke(app, ["fit", "data.csv", "-k2", "--model", "student_t", "--noise"])
    assert done.exit_code == 2
    said = "unmix: --noise is for --model 'gaussian' and the model is 'student_t': leave it out\n"
    assert done.stderr == said


@pytest.mark.parametrize("cell", ["-1", "x", "", "nan"])
def test_what_is_no_weight_is_said_by_its_column_and_row(cell):
    with pytest.raises(UnmixError, match=f"holds {cell!r} in row 2, which is no weight"):
        _weights(np.array(["1", cell, "2"]), "n")
    np.testing.assert_array_equal(_weights(np.array(["1", "0", "2.5"]), "n"), [1, 0, 2.5])
