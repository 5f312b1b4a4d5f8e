"""`unmix fit --names --labels --fix`: what is known beforehand, on the command line."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import unmix
from unmix import io
from unmix.cli import app
from unmix.known_columns import fixed_values, known
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
