"""Rows that share one assignment: repeated measurements of a subject, cells of an image.

    z_s            ~ Categorical(w)              which component subject s belongs to
    x_i | z        ~ f(θ of z_s(i))              row i is one of subject s(i)

so that every row of a subject speaks for the same z, and p(z_s = k | x, θ) is w_k times the product
of the densities of its rows. Labels that *must link* rows are the same thing (Shental, Bar-Hillel,
Hertz and Weinshall 2003, NIPS 16:465).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from unmix.by_row import by_row, missing
from unmix.errors import UnmixError
from unmix.rows import as_whole


@dataclass(frozen=True)
class Subjects:
    """Which rows belong together.

    Attributes
    ----------
    names
        Of the subjects, in the order in which rows first mention them, shape (subject,). A row on
        its own has its own name.
    of_row
        Number of the subject of each row, shape (obs,).
    """

    names: NDArray
    of_row: NDArray[np.integer]


def subjects(together: Any, rows: NDArray, called: str = "together") -> Subjects:
    """Read off which rows share an assignment.

    Parameters
    ----------
    together
        The subject of each row, shape (obs,): numbers or names. A row whose cell is missing (None,
        NaN, empty text) is on its own.
    rows
        Names of the rows, shape (obs,).
    called
        What to call ``together`` in errors.

    Raises
    ------
    UnmixError
        For another length, or more than one value a row.
    """
    ids = by_row(called, together, rows)
    if ids.ndim != 1:
        raise UnmixError(f"{called} has several columns: give the subject of each row in one")
    alone = missing(ids)
    if ids.dtype.kind == "f":
        ids = as_whole(np.where(alone, 0.0, ids))
    number, names = pd.factorize(ids)
    number = np.where(alone, len(names) + np.arange(len(ids)), number)
    # In the order of the rows, those on their own among the others.
    of_row, first = pd.factorize(number)
    found = [rows[c - len(names)] if c >= len(names) else names[c] for c in first.tolist()]
    labels = np.array(found)
    if len(set(labels.tolist())) < len(labels):  # a row's name is some subject's as well
        labels = np.arange(len(labels))
    return Subjects(labels, of_row.astype(np.min_scalar_type(len(first))))


def spread[T: (xr.Dataset, xr.DataArray)](by_subject: T, together: Any) -> T:
    """Repeat what is known of each subject for each of its rows.

    Parameters
    ----------
    by_subject
        A table whose dim ``obs`` counts subjects, such as `unmix.responsibilities` of a model in
        which rows share assignments.
    together
        As it was given to the model: the subject of each row.

    Returns
    -------
    xarray.Dataset or xarray.DataArray
        The same with ``obs`` counting rows; rows have the names of a Series' index.

    Raises
    ------
    UnmixError
        If the table is about another number of subjects.
    """
    rows = (
        together.index.to_numpy() if isinstance(together, pd.Series) else np.arange(len(together))
    )
    who = subjects(np.asarray(together), rows)
    if by_subject.sizes.get("obs") != len(who.names):
        raise UnmixError(
            f"together names {len(who.names)} subjects and the table has "
            f"{by_subject.sizes.get('obs', 'no')} entries along 'obs': give what the model was "
            "given"
        )
    at = who.of_row
    if "obs" in by_subject.coords and set(who.names.tolist()) <= set(by_subject["obs"].values):
        at = pd.Index(by_subject["obs"].values).get_indexer(pd.Index(who.names))[at]
    return by_subject.isel(obs=at).assign_coords(obs=rows)
