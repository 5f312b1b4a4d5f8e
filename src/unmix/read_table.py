"""Rows of numbers from a file, or one sentence about why not.

Nothing is dropped or filled in silently: a cell that is not a finite number, in a column that is
used, is an error that names its column and its line as an editor counts them, the header being
line 1; and the result says which columns were left out.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from unmix.errors import UnmixError
from unmix.printable import printable
from unmix.read_csv import read_csv
from unmix.table_columns import doubts, tidy

PARQUET = b"PAR1"


def read_table(
    path: str | Path,
    columns: Sequence[str] | None = None,
    id: str | None = None,
    *,
    new: bool = False,
    text: bool = False,
    missing: bool = False,
    apart: Sequence[str] = (),
) -> pd.DataFrame:
    """Read the columns of a file that hold numbers, or all of them.

    Parameters
    ----------
    path
        A CSV file with commas and a header line (UTF-8 with or without a byte order mark, UTF-16
        with one; anything else is read as Latin-1), or a Parquet file.
    columns
        The columns wanted, in that order. By default every named column of numbers; what the
        others hold is of no account.
    id
        A column that names the rows; its values must differ.
    new
        Whether these are new rows for a fit of the columns named: a column may then be constant,
        and those not named are said to be left out.
    text
        Whether columns may hold text and truth values as well (`unmix.read_typed`), and whole
        numbers stay what they are.
    missing
        Whether a cell of a column of numbers may be missing; it is NaN then.
    apart
        Columns that are none of the rows, such as labels: they are not read unless ``columns``
        names them.

    Returns
    -------
    pandas.DataFrame
        float64 unless ``text``, (obs, column), all finite or ``missing``; the index is the id
        column or 0, …, N−1.
        ``attrs["left_out"]`` maps the columns left out to the reason, ``attrs["encoding"]`` is how
        the text was read ("" for Parquet), ``attrs["doubts"]`` has a sentence for each column that
        nobody named and that looks like no measurement.

    Raises
    ------
    UnmixError
        For a file that is missing, empty or no table; a line with more or fewer cells than the
        header; a column that is unknown, constant or there twice; a cell that is missing, infinite
        or text. The sentence names the column and the line of a CSV, or the row of a Parquet file
        counted from 1.
    """
    path = Path(path)
    named = None if columns is None else [tidy(c) for c in columns]
    id = None if id is None else tidy(id)
    options: dict[str, Any] = {"missing": missing, "apart": [tidy(name) for name in apart]}
    if named is not None:
        if not named:
            raise UnmixError("no column is named: name one or more, or none to take all numbers")
        for name in named:
            if named.count(name) > 1:
                raise UnmixError(f"column {printable(name)} is asked for twice: name it once")
        if id in named:
            raise UnmixError(f"column {printable(id)} cannot be both the id and data")
    try:
        head = _first_bytes(path)
        if head.startswith(PARQUET):
            from unmix.read_parquet import read_parquet
            from unmix.read_typed import typed_parquet

            if text:
                frame = typed_parquet(path, named, id, **options)
            else:
                frame = read_parquet(path, named, id, **options)
        elif text:
            from unmix.read_typed import TypedColumn

            frame = read_csv(path, head, named, id, TypedColumn, **options)
        else:
            frame = read_csv(path, head, named, id, **options)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UnmixError(f"cannot read {printable(path, 200)}: {reason}") from error
    header = frame.attrs.pop("header", [])
    if new:
        kept = {*(named or ()), id}
        frame.attrs["left_out"] = {n: "not named" for n in header if n and n not in kept}
    for column, values in () if new else frame.items():
        if len(values) > 1 and values.nunique() == 1:
            only = values.dropna().iloc[0]
            shown = f"{only:g}" if isinstance(only, float) else printable(only)
            raise UnmixError(
                f"column {printable(column)} is constant ({shown} in every row), so it "
                "tells no component from another: leave it out"
            )
    numbers = frame.select_dtypes("number") if text else frame
    frame.attrs["doubts"] = doubts(numbers) if named is None else []
    return frame


def _first_bytes(path: Path) -> bytes:
    shown = printable(path, 200)
    if not path.exists():
        raise UnmixError(f"there is no file {shown}: check its path")
    if path.is_dir():
        raise UnmixError(f"{shown} is a folder: name the CSV or Parquet file in it")
    if not path.is_file():
        raise UnmixError(f"{shown} is not an ordinary file: save the data as CSV or Parquet first")
    with path.open("rb") as file:
        head = file.read(8192)
    if not head:
        raise UnmixError(f"{shown} is empty: it needs a header line and rows")
    if path.suffix.lower() in (".parquet", ".pq") and not head.startswith(PARQUET):
        raise UnmixError(f"{shown} is not a Parquet file, whatever its name says")
    return head
