"""What a model wants to know of every new row beside its features: its group, or its subject.

Which column that stands in is said by an option, or remembered by the fit from when it was made.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unmix.catalogue import OPTION_OF
from unmix.errors import UnmixError
from unmix.known_columns import read_column
from unmix.printable import listed, printable
from unmix.recipe import Recipe

if TYPE_CHECKING:
    import pandas as pd

# Of the rows of the fit alone.
NOT_NEW = ("labels", "weights")
# Digits that every whole number of 64 bits may have.
DIGITS = 18


def read_by_row(
    recipe: Recipe, path: Path, rows: "pd.DataFrame", given: Mapping[str, str | None]
) -> tuple[dict[str, NDArray], list[str]]:
    """Arguments by row for new rows, by name, as `unmix.models.on_rows` takes them; their columns.

    Parameters
    ----------
    recipe
        Of the fit's model.
    path, rows
        The file, and the rows read from it.
    given
        By option, the column that it names; None where it was not given.

    Raises
    ------
    UnmixError
        If the model wants something else by row, has nothing of what an option names, or no column
        is known for what it has.
    """
    needed = [name for name in recipe.by_row if name not in NOT_NEW]
    others = [name for name in needed if name not in OPTION_OF]
    if others:
        raise UnmixError(
            f"the fit's model {printable(recipe.name)} has {listed(others)} by row, which unmix "
            "predict does not read: use unmix.models.on_rows and unmix.assignments in Python"
        )
    argument = {OPTION_OF[name]: name for name in needed}
    for option, column in given.items():
        if column is not None and option not in argument:
            raise UnmixError(
                f"--{option} names a column and the fit's model {printable(recipe.name)} has no "
                f"{option}s: leave it out"
            )
    found: dict[str, NDArray] = {}
    columns: list[str] = []
    for option, name in argument.items():
        column = given.get(option)
        if column is None:
            column = recipe.columns.get(name)
        if column is None:
            raise UnmixError(
                f"the fit's model {printable(recipe.name)} has {option}s and does not know in "
                f"which column they stood: name that of {printable(path.name, 80)} with --{option}"
            )
        hint = "" if given.get(option) else f"; --{option} names the column of {option}s"
        cells = _cells(path, rows, column, hint)
        found[name] = _as_fitted(cells, recipe.by_row[name], column) if name == "groups" else cells
        columns.append(column)
    return found, columns


def never_seen(recipe: Recipe, found: Mapping[str, NDArray]) -> list[str]:
    """Groups of new rows that no row of the fit is of."""
    if "groups" not in found:
        return []
    known = np.unique(recipe.by_row["groups"].astype(str))
    return [str(name) for name in np.unique(found["groups"].astype(str)) if name not in known]


def seen_subjects(recipe: Recipe, found: Mapping[str, NDArray]) -> list[str]:
    """Subjects of new rows that rows of the fit are of as well."""
    name = "subjects" if "subjects" in found else "together"
    if name not in found:
        return []
    known = recipe.by_row[name].astype(str)
    return [str(one) for one in np.unique(found[name].astype(str)) if one in known]


def _cells(path: Path, rows: "pd.DataFrame", column: str, hint: str) -> NDArray:
    """The cells of the column; the hint ends the sentence where there is none."""
    try:
        cells = read_column(path, column, str(rows.attrs["encoding"]))
    except UnmixError as error:
        raise UnmixError(f"{error}{hint}") from None
    if len(cells) != len(rows):
        raise UnmixError(f"column {printable(column)} does not have a cell for each row")
    return cells


def _as_fitted(cells: NDArray, fitted: NDArray, column: str) -> NDArray:
    """Cells as whole numbers where the groups of the fit are such: a file has nothing but text."""
    empty = np.flatnonzero(cells == "")
    if len(empty):
        raise UnmixError(
            f"column {printable(column)} holds nothing in row {empty[0] + 1}: name a group there, "
            "or leave the row out"
        )
    if fitted.dtype.kind not in "iu":
        return cells
    digits = np.strings.lstrip(cells, "+-")
    wrong = ~np.strings.isdecimal(digits) | (np.strings.str_len(digits) > DIGITS)
    if wrong.any():
        i = int(np.flatnonzero(wrong)[0])
        raise UnmixError(
            f"column {printable(column)} holds {printable(cells[i])} in row {i + 1}, and the "
            "groups of the fit are whole numbers: write it as one"
        )
    return cells.astype(np.int64)
