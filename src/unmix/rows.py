"""Rows of data from what people have: arrays, Series, frames. Checked once, here."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.errors import UnmixError


@dataclass(frozen=True)
class Rows:
    """Numeric rows with their names.

    Attributes
    ----------
    values
        Shape (obs,) for one feature, (obs, feature) for several.
    features
        Names of the features.
    labels
        Names of the observations: a frame's index where its values are unique, else 0, …, N−1.
    """

    values: NDArray[np.float64]
    features: tuple[str, ...]
    labels: NDArray


def as_rows(x: Any, *, name: str = "x", missing: bool = False, constant: bool = False) -> Rows:
    """Check rows and take them apart.

    Parameters
    ----------
    x
        Array of shape (obs,) or (obs, feature), pandas Series or DataFrame, or a sequence.
    name
        What to call the data in errors.
    missing
        Whether cells may be missing (NaN, None, ``pandas.NA``); they are NaN in what is returned.
    constant
        Whether a column may hold the same value in every row: new rows of a model whose priors
        are given may.

    Raises
    ------
    UnmixError
        For text, missing or infinite cells, a column without any cell, a constant column,
        duplicate column names, no rows.
        The sentence names the first such column and row.
    """
    labels, features = None, None
    if hasattr(x, "index") and hasattr(x, "to_numpy"):  # pandas, which is not imported for this
        labels = names_of(x.index) if x.index.is_unique else None
        features = tuple(map(str, x.columns)) if hasattr(x, "columns") else (str(x.name or name),)
        if len(set(features)) < len(features):
            double = next(f for f in features if features.count(f) > 1)
            raise UnmixError(f"column {double!r} appears twice in {name}: rename one of them")
        if hasattr(x, "columns"):
            for column in x.columns:
                _require_numeric(x[column].to_numpy(), str(column))
        x = x.to_numpy()
    values = np.asarray(np.ma.filled(x, np.nan) if missing and np.ma.isMA(x) else x)
    if values.ndim not in (1, 2):
        raise UnmixError(f"{name} has {values.ndim} dims: give rows, as (obs,) or (obs, feature)")
    _require_numeric(values, features[0] if features and values.ndim == 1 else name)
    values = _as_floats(values)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.shape[0] == 0 or values.size == 0:
        raise UnmixError(f"{name} has no rows: give at least one for each component")
    d = 1 if values.ndim == 1 else values.shape[1]
    if features is None:
        features = (name,) if d == 1 else tuple(f"{name}{j}" for j in range(d))
    columns = values.reshape(len(values), d)
    bad = np.argwhere(np.isinf(columns) if missing else ~np.isfinite(columns))
    if len(bad):
        i, j = (int(v) for v in bad[0])
        row = labels[i] if labels is not None else i
        more = f" ({len(bad)} such cells in all)" if len(bad) > 1 else ""
        raise UnmixError(
            f"column {features[j]!r} is {columns[i, j]} in row {row}{more}: remove the row or fill "
            "the cell"
        )
    for j, feature in enumerate(features):
        there = columns[~np.isnan(columns[:, j]), j]
        if not len(there) and constant:
            continue
        if not len(there):
            raise UnmixError(f"column {feature!r} has no cell that is there: leave it out")
        if not constant and len(columns) > 1 and np.ptp(there) == 0:
            raise UnmixError(
                f"column {feature!r} is constant ({there[0]:g} in every row), so it tells no "
                "component from another: leave it out"
            )
    if labels is None:
        labels = np.arange(len(columns))
    return Rows(values, features, labels)


def names_of(index: Any) -> NDArray:
    """Names of rows, (obs,), from an index of pandas.

    Whole numbers and text as they are, whole numbers that are held as floats as such, all else
    (dates, broken numbers, booleans) as text.

    Raises
    ------
    UnmixError
        For an index of several levels.
    """
    if index.nlevels > 1:
        raise UnmixError("the rows have names of several levels: take one with reset_index()")
    names = index.to_numpy()
    if names.dtype.kind in "iuUSO":
        return names
    whole = as_whole(names)
    return index.astype(str).to_numpy() if whole is names else whole


def as_whole(values: NDArray) -> NDArray:
    """Whole numbers that are held as floats as whole numbers; anything else as it is.

    From 2^53 on neighbours are one float, so that such numbers are left as well.
    """
    if values.dtype.kind != "f" or not (np.abs(values) < 2**53).all():
        return values
    return values.astype(np.int64) if np.array_equal(values, np.floor(values)) else values


def _as_floats(values: NDArray) -> NDArray[np.float64]:
    """Numbers; what pandas and Python call missing is NaN."""
    if values.dtype.kind == "O":
        from pandas import isna  # here, because objects are rare and pandas takes a while to load

        values = np.where(isna(values), np.nan, values)
    return values.astype(np.float64)


def _require_numeric(values: NDArray, name: str) -> None:
    if values.dtype.kind in "biuf":
        return
    for i, cell in enumerate(values.ravel()):
        if cell is None or type(cell).__name__ == "NAType":
            continue
        try:
            float(cell)
        except (TypeError, ValueError):
            raise UnmixError(
                f"column {name!r} holds {str(cell)[:40]!r} in row {i}, which is not a number: "
                "leave the column out or convert it"
            ) from None
