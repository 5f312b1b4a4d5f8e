"""What is known beforehand, as the command line says it: names, labels in a column, parameters."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unmix.catalogue import argument_of, require_taken
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
WeightColumn = Annotated[
    str | None, typer.Option(help="A column that says how much each row counts, 0 or more.")
]
GroupColumn = Annotated[
    str | None, typer.Option(help="A column of groups, for models that have them.")
]
SubjectColumn = Annotated[
    str | None, typer.Option(help="A column of subjects, all of whose rows share a component.")
]
Noise = Annotated[
    bool,
    typer.Option(
        "--noise",
        help="One more component, 'noise', uniform over the box that the rows span: for rows that "
        "belong nowhere. -k does not count it.",
    ),
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
    columns: Mapping[str, str | None],
    fix: Sequence[str] | None,
    noise: bool = False,
) -> "tuple[pd.DataFrame, Plan]":
    """The rows without columns that are no features, and the plan with what these say.

    Parameters
    ----------
    path, x
        The file, and the rows read from it.
    plan
        What was asked for beside.
    names
        Of the components.
    columns
        By option, the column that it names; None where it was not given.
    fix
        What ``--fix`` was given.
    noise
        Whether there is a component of noise.

    Raises
    ------
    UnmixError
        If names are not K, there is no such column, or the model or the method does not take the
        option.
    """
    given = {option: name for option, name in columns.items() if name is not None}
    beside = {"names": names, "fix": fix, "noise": noise}
    require_taken(plan, [*given, *(option for option, value in beside.items() if value)])
    if "weights" in given and plan.method in ("gibbs", "pymc"):
        raise UnmixError(
            f"--weights does not go with --method {plan.method}, which draws one z for each row: "
            "leave --method out, or take nuts"
        )
    if names is not None and len(names) != plan.components:
        raise UnmixError(
            f"--names has {len(names)} names and -k is {plan.components}: name every component"
        )
    found: dict[str, Any] = {} if names is None else {"components": list(names)}
    if noise:
        found["noise"] = True
    if fix:
        found["fixed"] = fixed_values(fix)
    for option, column in given.items():
        cells = read_column(path, column, str(x.attrs["encoding"]))
        if len(cells) != len(x):
            raise UnmixError(f"column {printable(column)} does not have a cell for each row")
        found[argument_of(plan, option)] = _weights(cells, column) if option == "weights" else cells
        x = _without(x, column)
    return x, replace(plan, known=found, columns=_by_argument(plan, given))


def _by_argument(plan: "Plan", given: Mapping[str, str]) -> dict[str, str]:
    return {argument_of(plan, option): column for option, column in given.items()}


def _without(x: "pd.DataFrame", column: str) -> "pd.DataFrame":
    """The rows without a column, and without what was said of it."""
    attrs = dict(x.attrs)
    if column in x.columns:
        x = x.drop(columns=column)
        if not x.shape[1]:
            raise UnmixError(
                f"column {printable(column)} is the only one of the rows, and an option says that "
                "it is none: name the features with --columns"
            )
    left_out = {c: why for c, why in attrs["left_out"].items() if c != column}
    doubts = [
        said for said in attrs["doubts"] if not said.startswith(f"column {printable(column)} ")
    ]
    x.attrs = {**attrs, "left_out": left_out, "doubts": doubts}
    return x


def _weights(cells: "NDArray", column: str) -> "NDArray":
    """Cells as numbers."""
    import pandas as pd

    numbers = pd.to_numeric(pd.Series(cells), errors="coerce").to_numpy(dtype=float)
    bad = (~(numbers >= 0)).nonzero()[0]
    if len(bad):
        raise UnmixError(
            f"column {printable(column)} holds {printable(cells[bad[0]])} in row {bad[0] + 1}, "
            "which is no weight: give every row a number of 0 or more"
        )
    return numbers


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
