"""Columns of categories: which levels each has, and which of them each row holds.

Items come as whole numbers, text, truth values or pandas categoricals. A categorical's levels are
its categories, in their order; of anything else they are the values found, sorted. They may be
declared instead, as for new rows, where a level that does not occur is a level all the same.
A missing cell holds none of them.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmix.errors import UnmixError
from unmix.printable import listed, printable
from unmix.rows import as_whole, names_of

if TYPE_CHECKING:
    import pandas as pd

Level = str | int | bool
# The number of a level where a cell is missing.
NO_LEVEL = -1


def as_frame(x: Any, *, name: str = "x") -> "pd.DataFrame":
    """Rows of any kinds of columns, under names that are text and that differ.

    Parameters
    ----------
    x
        A frame, a Series, or an array of shape (obs,) or (obs, column).
    name
        What to call columns that have no name.

    Raises
    ------
    UnmixError
        For other shapes, two columns of one name, or no rows.
    """
    import pandas as pd

    if isinstance(x, pd.Series):
        x = x.to_frame(name if x.name is None else x.name)
    if not isinstance(x, pd.DataFrame):
        values = np.asarray(x)
        if values.ndim not in (1, 2):
            raise UnmixError(
                f"{name} has {values.ndim} dims: give a table, as (obs,) or (obs, column)"
            )
        values = values.reshape(len(values), -1) if values.size else np.zeros((0, 1))
        d = values.shape[1]
        x = pd.DataFrame(values, columns=[name] if d == 1 else [f"{name}{j}" for j in range(d)])
    names = [str(column) for column in x.columns]
    double = next((column for column in names if names.count(column) > 1), None)
    if double is not None:
        raise UnmixError(f"column {printable(double)} appears twice in {name}: rename one of them")
    if not x.size:
        raise UnmixError(f"{name} has no rows: give at least one for each component")
    return x.set_axis(names, axis=1)


def columns_of(new: Any, columns: list[str]) -> "pd.DataFrame":
    """New rows with the columns that a model was declared on, in their order.

    Parameters
    ----------
    new
        A frame or a dict of columns, by name; or an array with as many columns, in their order.
    columns
        Those names.

    Raises
    ------
    UnmixError
        If a column is missing, columns differ in length, or an array has another number of them.
    """
    import pandas as pd

    if isinstance(new, Mapping):
        lengths = {str(name): np.size(values) for name, values in new.items()}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{printable(name)} has {n}" for name, n in lengths.items())
            raise UnmixError(f"new data differ in their number of rows: {told}")
        new = pd.DataFrame({str(name): np.ravel(values) for name, values in new.items()})
    frame = as_frame(new, name="new data")
    if not hasattr(new, "columns") and not hasattr(new, "index"):
        if frame.shape[1] != len(columns):
            raise UnmixError(
                f"new data have {frame.shape[1]} columns and the model was declared on "
                f"{len(columns)}: {listed(columns)}"
            )
        frame.columns = pd.Index(columns)
    missing = [name for name in columns if name not in frame]
    if missing:
        raise UnmixError(
            f"new data have no column {printable(missing[0])}: the model was declared on "
            f"{listed(columns)}"
        )
    return frame[columns]


def row_labels(frame: "pd.DataFrame") -> NDArray:
    """Names of the rows: the index where its values are unique, else 0, …, N−1."""
    return names_of(frame.index) if frame.index.is_unique else np.arange(len(frame))


def levels_of(column: "pd.Series", labels: NDArray) -> list[Level]:
    """The levels of the cells of a column, in order.

    Raises
    ------
    UnmixError
        For a column without cells; values of several types; numbers that are not whole.
    """
    import pandas as pd

    labels, column = labels[column.notna().to_numpy()], there(column)
    if isinstance(column.dtype, pd.CategoricalDtype):
        return _plain(column.dtype.categories.to_numpy(), column.name, labels, declared=True)
    return sorted(_plain(column.unique(), column.name, labels, where=column))


def codes_of(column: "pd.Series", levels: Sequence[Level], labels: NDArray) -> NDArray[np.int64]:
    """Which of its levels each row of a column holds, from 0; `NO_LEVEL` where it holds nothing.

    Raises
    ------
    UnmixError
        For a cell that is none of the levels, naming column and row.
    """
    import pandas as pd

    values = pd.Index(column.astype(object).to_numpy(), dtype=object)
    codes = pd.Index(list(levels), dtype=object).get_indexer(values)
    missing = column.isna().to_numpy()
    codes[missing] = NO_LEVEL
    bad = np.flatnonzero((codes < 0) & ~missing)
    if len(bad):
        raise UnmixError(
            f"column {printable(column.name)} is {printable(values[bad[0]])} in row "
            f"{labels[bad[0]]}{_more(bad)}, which is none of its levels "
            f"{listed([str(level) for level in levels])}: correct the cell, or declare the level "
            "with levels"
        )
    return codes.astype(np.int64)


def as_cells(codes: NDArray) -> NDArray[np.float64]:
    """Numbers of levels, NaN where a cell is missing."""
    return np.where(codes == NO_LEVEL, np.nan, codes)


def items(
    frame: "pd.DataFrame", levels: Mapping[str, Any] | None
) -> tuple[dict[str, list[Level]], dict[str, NDArray[np.int64]]]:
    """Levels and codes of every column of a frame, by its name.

    Parameters
    ----------
    frame
        From `as_frame`.
    levels
        Those declared, by column; columns that are not named have the levels found in them.

    Raises
    ------
    UnmixError
        As `levels_of` and `codes_of`; for levels of a column that is not there; and, unless the
        levels of all are declared, for a column with one value only or as many as rows.
    """
    declared = checked_levels(levels, list(frame.columns))
    labels = row_labels(frame)
    all_known = len(declared) == frame.shape[1]  # as for new rows, of which any will do
    known, codes = {}, {}
    for name, column in frame.items():
        given = declared.get(str(name))
        known[str(name)] = levels_of(column, labels) if given is None else given
        codes[str(name)] = codes_of(column, known[str(name)], labels)
        if not all_known:
            require_telling(column, codes[str(name)])
    return known, codes


def checked_levels(
    levels: Mapping[str, Any] | None, columns: Sequence[str]
) -> dict[str, list[Level]]:
    """Declared levels as plain lists, at least two for each column and none twice.

    Raises
    ------
    UnmixError
        If they are something else, or of a column that is not there.
    """
    if levels is None:
        return {}
    if not isinstance(levels, Mapping):
        raise UnmixError("levels is no dict: give a list of levels for each column, by its name")
    found = {}
    for name, given in levels.items():
        if str(name) not in columns:
            raise UnmixError(
                f"levels names a column {printable(name)} that is not there: the columns are "
                f"{listed(list(columns))}"
            )
        values = [v.item() if isinstance(v, np.generic) else v for v in given]
        if len(values) < 2 or len(set(values)) < len(values):
            raise UnmixError(f"levels of {printable(name)} are not two or more different ones")
        found[str(name)] = values
    return found


def there(column: "pd.Series") -> "pd.Series":
    """The cells of a column that are there, with the type that they have by themselves.

    pandas turns a column of whole numbers into one of floats, and one of truth values into one of
    objects, where a cell is missing.

    Raises
    ------
    UnmixError
        If there is none.
    """
    cells = column.dropna()
    if cells.empty:
        raise UnmixError(f"column {printable(column.name)} has no cell that is there: leave it out")
    if len(cells) < len(column):
        cells = cells.infer_objects()
        if cells.dtype.kind == "f":
            cells = cells.astype(as_whole(cells.to_numpy()).dtype)
    return cells


def require_complete(column: "pd.Series", labels: NDArray) -> None:
    """Raise for the first missing cell, if there is one: for new rows, which a model is given."""
    bad = np.flatnonzero(column.isna().to_numpy())
    if len(bad):
        raise UnmixError(
            f"column {printable(column.name)} has no value in row {labels[bad[0]]}{_more(bad)}: "
            "give rows that lack cells as unmix.models.on_rows(model, rows)"
        )


def require_telling(column: "pd.Series", codes: NDArray) -> None:
    """Raise where all cells have one value, or every row one of its own."""
    is_there = column.notna().to_numpy()
    codes = codes[is_there]
    n, different = len(codes), len(np.unique(codes))
    name = printable(column.name)
    if n > 1 and different == 1:
        value = column.to_numpy()[is_there][0]
        raise UnmixError(
            f"column {name} is constant ({printable(value)} in every row), so it tells no "
            "component from another: leave it out"
        )
    if n > 2 and different == n:
        raise UnmixError(
            f"column {name} has a value of its own in every row, as names of rows do, so it tells "
            "no component from another: leave it out"
        )


def _plain(
    values: Any,
    name: Any,
    labels: NDArray,
    *,
    where: "pd.Series | None" = None,
    declared: bool = False,
) -> list[Any]:
    """Values as Python's own text, whole numbers or truth values, all of one type."""
    plain = [v.item() if isinstance(v, np.generic) else v for v in values]
    plain = [int(v) if isinstance(v, float) and v == int(v) else v for v in plain if v == v]
    kinds = {type(v) for v in plain}
    if len(kinds) == 1 and kinds <= {str, int, bool}:
        return plain
    odd = next((v for v in plain if not isinstance(v, str | int | bool)), None)
    if odd is None:
        raise UnmixError(
            f"column {printable(name)} holds both text and numbers: write all of its levels as text"
        )
    at = ""
    if where is not None and not declared:
        at = f" in row {labels[int(np.argmax([v == odd for v in where]))]}"
    raise UnmixError(
        f"column {printable(name)} is {printable(odd)}{at}, which is no level: items are whole "
        "numbers or text"
    )


def _more(bad: NDArray) -> str:
    return f" ({len(bad)} such cells in all)" if len(bad) > 1 else ""
