"""Rows of counts and of waiting times: numbers of which not all values are possible."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.errors import UnmixError
from unmix.rows import Rows, as_rows

# PyMC keeps whole numbers in 32 bits, and larger ones wrap round without a word.
LARGEST = 2**31 - 1


def as_counts(x: Any, *, name: str = "x", missing: bool = False, constant: bool = False) -> Rows:
    """Rows of counts, as whole numbers; as floats where cells are missing.

    Parameters
    ----------
    x, name, missing, constant
        As in `as_rows`.

    Raises
    ------
    UnmixError
        As `as_rows`; and for a negative number or one that is not whole, naming column and row.
    """
    rows = as_rows(x, name=name, missing=missing, constant=constant)
    _require(rows, lambda v: v < 0, "counts are 0 or more: correct the cell")
    _require(
        rows,
        lambda v: (v != np.floor(v)) & ~np.isnan(v),
        "counts are whole numbers: correct the cell, or take a model for measurements",
    )
    _require(
        rows,
        lambda v: v > LARGEST,
        f"counts are kept up to {LARGEST:,}: count in larger units, or measure them as normal",
    )
    if np.isnan(rows.values).any():
        return rows
    return replace(rows, values=rows.values.astype(np.int64))


def as_waits(x: Any, *, name: str = "x", missing: bool = False, constant: bool = False) -> Rows:
    """Rows of numbers that are 0 or more.

    Parameters
    ----------
    x, name, missing, constant
        As in `as_rows`.

    Raises
    ------
    UnmixError
        As `as_rows`; and for a negative number, naming column and row.
    """
    rows = as_rows(x, name=name, missing=missing, constant=constant)
    _require(rows, lambda v: v < 0, "waiting times are 0 or more: correct the cell")
    return rows


def _require(rows: Rows, wrong: Callable[[NDArray], NDArray], words: str) -> None:
    columns = rows.values.reshape(len(rows.values), -1)
    bad = np.argwhere(wrong(columns))
    if len(bad):
        i, j = (int(v) for v in bad[0])
        more = f" ({len(bad)} such cells in all)" if len(bad) > 1 else ""
        raise UnmixError(
            f"column {rows.features[j]!r} is {columns[i, j]:g} in row {rows.labels[i]}{more}, and "
            f"{words}"
        )
