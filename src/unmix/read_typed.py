"""Columns of any kind from a file: whole numbers, numbers, truth values or text.

A column of a CSV is of whole numbers if all of its cells are, else of numbers if all are, else of
text. Nothing is dropped or filled in: a cell without a value is an error that names its line, or
stays without one where that is asked for. Among text the word "none" is an answer.
"""

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from unmix.csv_text import unguarded
from unmix.errors import UnmixError
from unmix.printable import printable
from unmix.read_csv import _Column, _kind
from unmix.table_columns import MISSING, choose, finish, row_names, tidy

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_TRUTH = {"true": True, "false": False}
# A column with this many numbers to one text was meant to hold numbers.
MOSTLY = 10


class TypedColumn(_Column):
    """A column that keeps its cells until all are known."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.cells: list[str] = []

    def add(self, cells: Sequence[str], lines: Sequence[int]) -> None:
        """Add cells."""
        for line, cell in zip(lines, cells, strict=True):
            kind = _kind(cell)
            if kind == "number":
                self.n_numbers += 1
            else:
                self.n_other[kind] = self.n_other.get(kind, 0) + 1
                self.first.setdefault(kind, (line, cell))
            self.cells.append(unguarded(cell.strip()))

    @property
    def is_text(self) -> bool:
        """Whether it holds nothing at all."""
        return set(self.n_other) == {"missing"} and not self.n_numbers

    def refuse(self, where: str, *, missing: bool = False) -> None:
        """Raise for a missing or infinite cell, and for a few texts among many numbers."""
        if self.n_other.get("text", 0) * MOSTLY > self.n_numbers:
            self.first.pop("text", None)
            if "infinite" in self.first and self.n_other.get("text"):
                self.first.pop("infinite")  # a word among words
        super().refuse(where, missing=missing)

    def values(self) -> NDArray:
        """Whole numbers, numbers, truth values or text; without a value where there is none."""
        there = np.array([cell.lower() not in MISSING for cell in self.cells])
        cells = [cell for cell, is_there in zip(self.cells, there, strict=True) if is_there]
        if all(_WHOLE.fullmatch(cell) for cell in cells):
            return _spread(np.array([int(cell) for cell in cells], dtype=np.int64), there)
        if set(self.n_other) <= {"missing"}:
            return _spread(np.array([float(cell) for cell in cells]), there)
        if all(cell.lower() in _TRUTH for cell in cells):
            return _spread(np.array([_TRUTH[cell.lower()] for cell in cells]), there)
        there = np.array([cell.lower() not in MISSING - {"none"} for cell in self.cells])
        texts = np.array(self.cells, dtype=object)
        texts[~there] = None
        return texts


def _spread(values: NDArray, there: NDArray[np.bool_]) -> NDArray:
    """Values at the cells that are there: as they are if all are, else as objects, None elsewhere.

    Numbers with decimals have NaN for that.
    """
    if there.all():
        return values
    if values.dtype.kind == "f":
        found = np.full(len(there), np.nan)
    else:
        found = np.full(len(there), None, dtype=object)
        values = np.array(values.tolist(), dtype=object)
    found[there] = values
    return found


def typed_parquet(
    path: Path,
    named: list[str] | None,
    id: str | None,
    *,
    missing: bool = False,
    apart: Collection[str] = (),
) -> pd.DataFrame:
    """The columns named, or all, of a Parquet file, with their types; rows are counted from 1.

    A cell without a value is an error unless ``missing``.
    """
    import pyarrow as pa
    from pyarrow import parquet

    where = printable(path.name, 80)
    try:
        table = parquet.ParquetFile(path, memory_map=True).read()
    except (pa.ArrowException, OSError) as error:
        raise UnmixError(
            f"{where} cannot be read as Parquet: it is damaged or cut short"
        ) from error
    header = [tidy(name) for name in table.column_names]
    header = ["" if re.fullmatch(r"__index_level_\d+__", name) else name for name in header]
    chosen = choose(header, named, id, where, apart)
    if table.num_rows == 0:
        raise UnmixError(f"{where} has no rows: give one row for each observation")
    left_out = {f"column {j + 1}": "it has no name" for j, name in enumerate(header) if not name}
    values: dict[str, Any] = {}
    for j in chosen:
        name, column = header[j], table.column(j)
        if pa.types.is_null(column.type) and named is None:
            left_out[name] = "no values"
            continue
        series = column.to_pandas()
        bad = np.flatnonzero(series.isna().to_numpy())
        if len(bad) and not missing:
            more = f" ({len(bad)} such cells in all)" if len(bad) > 1 else ""
            raise UnmixError(
                f"column {printable(name)} has no value in row {bad[0] + 1} of {where}{more}: fill "
                "the cell, remove the row, or choose other columns with --columns"
            )
        if isinstance(series.dtype, pd.CategoricalDtype):
            values[name] = series.array
        else:
            values[name] = series.to_numpy()
    ids = None
    if id is not None:
        cells = table.column(header.index(id)).to_pylist()
        texts = [(i + 1, "" if c is None else str(c)) for i, c in enumerate(cells)]
        ids = row_names(texts, id, "row", where)
    if not values:
        raise UnmixError(f"no column of {where} holds values")
    return finish(values, ids, id, left_out if named is None else {}, "", header)
