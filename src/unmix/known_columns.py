"""What is known beforehand, as the command line says it: names, labels in a column, parameters."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unmix.errors import UnmixError
from unmix.printable import listed, printable

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from unmix.plan import Plan

Names = Annotated[str | None, typer.Option(help="Names of the components, with commas between.")]
LabelColumn = Annotated[
    str | None,
    typer.Option(help="A column that says which component a row is of; empty where unknown."),
]
Fixed = Annotated[
    list[str] | None,
    typer.Option(
        "--fix",
        help="A parameter that is known, as mu=1.5,nan; components with commas between, nan where "
        "free; several features: mu='0,1;nan,nan'. May be given more than once.",
    ),
]


def fixed_values(texts: Sequence[str] | None) -> dict[str, list[Any]]:
    """Parameters and their values from what ``--fix`` was given.

    Raises
    ------
    UnmixError
        For text that is no name and numbers.
    """
    found: dict[str, list[Any]] = {}
    for text in texts or ():
        name, equals, values = text.partition("=")
        try:
            rows = [[float(cell) for cell in row.split(",")] for row in values.split(";")]
        except ValueError:
            equals = ""
        if not equals or not name.strip():
            raise UnmixError(f"--fix {printable(text)} is no name and numbers: give mu=1.5,nan")
        if len({len(row) for row in rows}) > 1:
            raise UnmixError(
                f"--fix {printable(text)} has rows of different lengths: give a number for each "
                "feature of each component"
            )
        found[name.strip()] = rows[0] if len(rows) == 1 else rows
    return found


def known(
    path: Path,
    x: "pd.DataFrame",
    plan: "Plan",
    names: Sequence[str] | None,
    labels: str | None,
    fix: Sequence[str] | None,
) -> "tuple[pd.DataFrame, Plan]":
    """The rows without the column of labels, and the plan with further arguments of the model.

    Parameters
    ----------
    path, x
        The file, and the rows read from it.
    plan
        What was asked for beside.
    names, labels, fix
        Names of the components, the column, and what ``--fix`` was given.

    Raises
    ------
    UnmixError
        If names are not K, or there is no such column.
    """
    if names is not None and len(names) != plan.components:
        raise UnmixError(
            f"--names has {len(names)} names and -k is {plan.components}: name every component"
        )
    found: dict[str, Any] = {} if names is None else {"components": list(names)}
    if fix:
        found["fixed"] = fixed_values(fix)
    if labels is None:
        return x, replace(plan, known=found)
    cells = read_column(path, labels, str(x.attrs["encoding"]))
    if len(cells) != len(x):
        raise UnmixError(f"column {printable(labels)} does not have a cell for each row")
    found["labels"] = cells
    attrs = dict(x.attrs)
    if labels in x.columns:
        x = x.drop(columns=labels)
        if not x.shape[1]:
            raise UnmixError(f"column {printable(labels)} is the only one of numbers")
    left_out = {c: why for c, why in attrs["left_out"].items() if c != labels}
    doubts = [
        said for said in attrs["doubts"] if not said.startswith(f"column {printable(labels)} ")
    ]
    x.attrs = {**attrs, "left_out": left_out, "doubts": doubts}
    return x, replace(plan, known=found)


def read_column(path: Path, name: str, encoding: str) -> "NDArray":
    """One column of a file as text, ``""`` where a cell holds nothing.

    Parameters
    ----------
    path, name
        The file and its column.
    encoding
        Of a CSV file; empty for Parquet.

    Raises
    ------
    UnmixError
        If there is no such column.
    """
    from unmix.read_csv import _header, _records
    from unmix.table_columns import MISSING, tidy

    name, where = tidy(name), printable(path.name, 80)
    if not encoding:
        from pyarrow import parquet

        table = parquet.ParquetFile(path, memory_map=True).read()
        header = [tidy(column) for column in table.column_names]
        at = _place(header, name, where)
        cells = ["" if v is None else str(v) for v in table.column(at).to_pylist()]
    else:
        longest = csv.field_size_limit(2**31 - 1)
        try:
            with path.open(encoding=encoding, newline="") as file:
                records = _records(file, where)
                at = _place(_header(records, where, [name]), name, where)
                cells = [row[at].strip() for _, row in records]
        finally:
            csv.field_size_limit(longest)
    import numpy as np

    return np.array(["" if cell.lower() in MISSING else cell for cell in cells])


def _place(header: list[str], name: str, where: str) -> int:
    if header.count(name) != 1:
        raise UnmixError(
            f"there is no column {printable(name)} in {where}, or more than one: it has "
            f"{listed([n for n in header if n])}"
        )
    return header.index(name)
