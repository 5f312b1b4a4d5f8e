"""Which group each row is of: known groups by name, and groups never seen before."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from unmix.by_row import by_row, missing, named
from unmix.errors import UnmixError
from unmix.printable import printable
from unmix.rows import as_whole


@dataclass(frozen=True)
class Groups:
    """The group of each row.

    Attributes
    ----------
    names
        Of the known groups, sorted unless they were given, shape (group,).
    of_row
        Number of each row's group, shape (obs,); ``len(names)`` where it is not among them.
    values
        The group of each row by name, shape (obs,).
    """

    names: NDArray
    of_row: NDArray[np.int64]
    values: NDArray

    @property
    def unseen(self) -> bool:
        """Whether some row is of a group that is not among the names."""
        return bool((self.of_row == len(self.names)).any())


def groups_of(name: str, groups: Any, rows: NDArray, known: Any = None) -> Groups:
    """Read off the group of each row.

    Parameters
    ----------
    name
        What to call the argument in errors.
    groups
        The group of each row: numbers or names; a Series is brought into the order of the rows.
    rows
        Names of the rows, shape (obs,).
    known
        Names of the groups, in order; by default those that rows are of.

    Raises
    ------
    UnmixError
        For another length, several columns, a row without a group, or text where the known groups
        are whole numbers and the reverse.
    """
    values = by_row(name, groups, rows)
    if values.ndim != 1:
        raise UnmixError(f"{name} has several columns: give the group of each row in one")
    none = missing(values)
    if none.any():
        raise UnmixError(
            f"{name} is missing in {named(rows, none)}: name a group there, or leave the rows out"
        )
    values = _plain(values)
    names = np.unique(values) if known is None else _plain(np.asarray(known))
    if values.dtype.kind != names.dtype.kind:  # as text every row would be of a group never seen
        were, are = ("text", "whole numbers")[:: -1 if names.dtype.kind == "i" else 1]
        raise UnmixError(
            f"{name} of the model are {were}, as {_shown(names)}, and those of the rows are {are} "
            f"now, as {_shown(values)}: give the rows {were} too"
        )
    if len(set(names.tolist())) < len(names):
        raise UnmixError(f"the known groups of {name} name one twice: name each once")
    at = pd.Index(names).get_indexer(pd.Index(values))
    return Groups(names, np.where(at < 0, len(names), at), values)


def _plain(values: NDArray) -> NDArray:
    """Whole numbers as such, all else as text: what a file can hold and give back."""
    values = as_whole(values)
    if values.dtype.kind in "iu":
        return values.astype(np.int64)
    if values.dtype.kind == "O" and all(isinstance(v, int | np.integer) for v in values.tolist()):
        return values.astype(np.int64)
    return values.astype(str)


def _shown(values: NDArray) -> str:
    """The first value, with quotation marks around text."""
    return printable(values[0]) if values.dtype.kind == "U" else str(values[0])


def nested(inner: Groups, outer: Groups) -> NDArray[np.int64]:
    """Number of the outer group that each inner one lies in, shape (group,).

    Raises
    ------
    UnmixError
        If one lies in two.
    """
    inside = np.full(len(inner.names), -1, dtype=np.int64)
    known = inner.of_row < len(inner.names)
    inside[inner.of_row[known]] = outer.of_row[known]
    torn = known & (inside[np.minimum(inner.of_row, len(inside) - 1)] != outer.of_row)
    if torn.any():
        i = int(np.flatnonzero(torn)[0])
        name = printable(inner.values[i])
        raise UnmixError(
            f"group {name} lies in several regions: give groups of different regions different "
            "names"
        )
    return inside
