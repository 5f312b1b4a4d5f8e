"""Text that a spreadsheet would run is written as text, and read back as what it was."""

import csv

import numpy as np
import pandas as pd
import pytest

import unmix
from unmix.csv_text import guarded, guarded_frame, unguarded
from unmix.output import OutputFolder
from unmix.read_table import read_table

BAD = ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\tx", "\rx", "'=1", "''@a"]
GOOD = ["a", "'a", "-5", "+1.5e3", "=".replace("=", "x="), "", "'", "1-2"]


@pytest.mark.parametrize("text", BAD)
def test_formulas_are_guarded_and_come_back(text):
    assert guarded(text) == "'" + text
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", [*GOOD, 5, -5.0, None])
def test_all_else_stays(text):
    assert guarded(text) is text
    if isinstance(text, str):
        assert unguarded(text) == text


def test_every_text_of_a_frame_and_no_number():
    frame = pd.DataFrame(
        {"=b": ["=x", "y"], "n": [-1.5, 2.0]}, index=pd.Index(["@r", "s"], name="-id")
    )
    safe = guarded_frame(frame)
    assert safe.index.to_list() == ["'@r", "s"]
    assert safe.index.name == "'-id"
    assert safe.columns.to_list() == ["'=b", "n"]
    assert safe["'=b"].to_list() == ["'=x", "y"]
    assert safe["n"].to_list() == [-1.5, 2.0]
    assert frame.columns.to_list() == ["=b", "n"]  # the caller's own stays


def test_a_table_of_assignments_and_back(tmp_path):
    x = pd.Series([-2.0, -1.5, 2.0, 2.5], index=["=1+1", "-3", "b", "@c"])
    model = unmix.models.gaussian(x, 2)
    theta = {"w": [0.5, 0.5], "mu": [-2.0, 2.0], "sigma": [1.0, 1.0]}
    path = unmix.assignments(
        model, theta, to=tmp_path / "a.csv", id="=id", rng=0, tail=False
    )  # fmt: skip
    table = unmix.assignments(model, theta, id="=id", tail=False)
    assert table.index.to_list() == x.index.to_list()  # in memory nothing is guarded
    folder = OutputFolder(tmp_path / "out")
    folder.make()
    folder.assignments(table)
    for file in (path, tmp_path / "out" / "assignments.csv"):
        with file.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.reader(lines))
        assert rows[0][0] == "'=id"
        assert [row[0] for row in rows[1:]] == ["'=1+1", "-3", "b", "'@c"]
        # Read by unmix it is what it was.
        again = read_table(file, ["entropy"], "=id")
        assert again.index.to_list() == x.index.to_list()
        np.testing.assert_array_equal(again["entropy"], table["entropy"])
