"""Arguments of a model with one value for each row: brought into the order of the rows."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from unmix.errors import UnmixError
from unmix.printable import printable
from unmix.rows import names_of


def by_row(name: str, values: Any, rows: NDArray) -> NDArray:
    """One value, or one slice, for each row.

    Parameters
    ----------
    name
        What to call the argument in errors.
    values
        Array, sequence, Series or frame. What has an index with the names of the rows is put into
        their order; all else is taken to be in it.
    rows
        Names of the rows (`unmix.rows.Rows.labels`), shape (obs,).

    Returns
    -------
    numpy.ndarray
        Shape (obs,) or (obs, …).

    Raises
    ------
    UnmixError
        For another length, or an index that names other rows.
    """
    if isinstance(values, np.ma.MaskedArray):  # what is masked is missing, whatever is under it
        values = np.where(
            np.ma.getmaskarray(values), np.array(None), np.asarray(values, dtype=object)
        )
    elif isinstance(values, pd.Series | pd.DataFrame):
        values = _in_order(name, values, rows)
    elif not isinstance(values, np.ndarray):
        try:
            values = np.asarray(values)
        except ValueError:
            raise UnmixError(
                f"{name} has entries of different lengths: give one value for each row"
            ) from None
    if values.ndim == 0 or len(values) != len(rows):
        given = f"{len(values)} values" if values.ndim else "a single value"
        raise UnmixError(f"{name} has {given} for {len(rows)} rows: give one for each row")
    return values


def _in_order(name: str, values: pd.Series | pd.DataFrame, rows: NDArray) -> NDArray:
    """Values with an index, in the order of the rows where the index names them."""
    if len(values) != len(rows):
        return values.to_numpy()
    index = pd.Index(names_of(values.index))
    if index.equals(pd.Index(rows)):
        return values.to_numpy()
    unnamed = np.array_equal(rows, np.arange(len(rows)))
    if unnamed and index.is_unique and index.isin(rows).all():
        # The rows may be a plain array in the order of these values, or a Series in another.
        raise UnmixError(
            f"{name} has an index that counts the rows in another order than theirs: give it in "
            "their order, as a plain array, or give the rows with names of their own"
        )
    numbered = np.array_equal(index, np.arange(len(rows)))
    if numbered and not pd.Index(rows).isin(index).all():
        return values.to_numpy()  # only counted, and the rows have other names
    if not index.is_unique or not np.array_equal(np.sort(rows), np.sort(index.to_numpy())):
        if unnamed and not index.isin(rows).any():
            return values.to_numpy()  # the rows have no names of their own
        missing = pd.Index(rows).difference(index)
        which = printable(missing[0]) if len(missing) else "several rows"
        raise UnmixError(
            f"{name} has an index that does not name row {which}: give it the index of the rows, "
            "or a plain array in their order"
        )
    return values.set_axis(index, axis=0).reindex(pd.Index(rows)).to_numpy()


def missing(values: NDArray) -> NDArray[np.bool_]:
    """Cells that hold nothing: None, NaN, NA, or empty text."""
    empty = np.asarray(pd.isna(values))
    if values.dtype.kind in "OUS":
        empty |= np.where(empty, np.array(None), values) == ""
    return empty


def named(rows: NDArray, wrong: NDArray, limit: int = 5) -> str:
    """Some rows as a sentence names them: ``row 3``, or ``rows 3, 8 and 2 more``."""
    where = np.flatnonzero(wrong)
    first = ", ".join(str(rows[i]) for i in where[:limit])
    more = f" and {len(where) - limit} more" if len(where) > limit else ""
    return f"row{'s' if len(where) > 1 else ''} {first}{more}"
