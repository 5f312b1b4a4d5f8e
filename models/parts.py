"""What every story of the catalogue begins with: the names of its rows, the size of its numbers."""

from typing import Any

import numpy as np
import pymc as pm
from numpy.typing import NDArray

from unmix.arguments import numbers, said
from unmix.errors import UnmixError


def add_rows(model: pm.Model, labels: NDArray) -> None:
    """Give the model the dim ``obs``, named where rows have names of their own."""
    # PyMC keeps labels as Python objects, 40 bytes a row: rows that are only numbered have none.
    numbered = labels.dtype.kind in "iu" and np.array_equal(labels, np.arange(len(labels)))
    model.add_coord("obs", None if numbered else labels, length=len(labels))


def positive(name: str, value: Any) -> Any:
    """Numbers above zero, () or (feature,).

    Raises
    ------
    UnmixError
        If it holds something else.
    """
    array = numbers(name, value, "a positive number, or one for each column")
    if not (np.isfinite(array).all() and (array > 0).all()):
        raise UnmixError(f"{name} is {said(value)}: give positive numbers")
    return value


def typical(x: NDArray) -> Any:
    """The mean of each column's cells; 1 where all are zero, so that priors can be scaled by it."""
    mean = np.nanmean(x, axis=0)
    return np.where(mean > 0, mean, 1.0) if np.ndim(mean) else (float(mean) or 1.0)
