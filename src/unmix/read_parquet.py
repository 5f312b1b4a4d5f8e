"""Rows of numbers from a Parquet file."""

import re
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from unmix.errors import UnmixError
from unmix.printable import printable
from unmix.table_columns import choose, finish, nothing_left, row_names, tidy

_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)


def read_parquet(
    path: Path,
    named: list[str] | None,
    id: str | None,
    *,
    missing: bool = False,
    apart: Collection[str] = (),
) -> pd.DataFrame:
    """The columns named, or all of numbers. See `read_table`; rows are counted from 1."""
    where = printable(path.name, 80)
    try:
        # All columns: a choice by name would take "a.b" for the field b of a.
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
    values = {}
    for j in chosen:
        name, column = header[j], table.column(j)
        kind = column.type
        if not any(is_(kind) for is_ in _NUMBERS):
            if named is None:
                left_out[name] = "no values" if pa.types.is_null(kind) else "text"
                continue
            raise UnmixError(
                f"column {printable(name)} of {where} holds {printable(kind)} and not numbers: "
                "choose other columns with --columns"
            )
        numbers = column.cast(pa.float64(), safe=False).to_numpy()  # null becomes NaN
        bad = np.flatnonzero(np.isinf(numbers) if missing else ~np.isfinite(numbers))
        if len(bad):
            what = "is infinite" if np.isinf(numbers[bad[0]]) else "has no value"
            more = f" ({len(bad)} such cells in all)" if len(bad) > 1 else ""
            raise UnmixError(
                f"column {printable(name)} {what} in row {bad[0] + 1} of {where}{more}: fill the "
                "cell, remove the row, or choose other columns with --columns"
            )
        values[name] = numbers
    if not values:
        raise nothing_left(header, where, apart)
    ids = None
    if id is not None:
        cells = table.column(header.index(id)).to_pylist()
        texts = [(i + 1, "" if c is None else str(c)) for i, c in enumerate(cells)]
        ids = row_names(texts, id, "row", where)
    return finish(values, ids, id, left_out if named is None else {}, "", header)
