"""What every story of the catalogue begins with: the names of its components and of its rows."""

from typing import Any

import numpy as np
import pymc as pm
from numpy.typing import NDArray

from unmix.arguments import numbers, said, whole
from unmix.errors import UnmixError


def component_names(components: Any, rows: int) -> list[Any]:
    """The coordinate of the dim ``component``: 0, …, K−1, or the names that were given.

    Parameters
    ----------
    components
        A number, or a sequence of names.
    rows
        How many rows there are to make.

    Raises
    ------
    UnmixError
        If it is neither, two names are the same, or there are more components than rows.
    """
    if isinstance(components, list | tuple | np.ndarray) and np.ndim(components) == 1:
        names: list[Any] = [str(name) for name in components]
        double = next((name for name in names if names.count(name) > 1), None)
        if not names or double is not None:
            wrong = "is empty" if double is None else f"has {said(double)} twice"
            raise UnmixError(f"components {wrong}: give one name for each component")
    else:
        names = list(range(whole("components", components)))
    if len(names) > rows:
        raise UnmixError(
            f"components is {len(names)} but there are only {rows} rows: give at most one "
            "component for each row"
        )
    return names


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
    """The mean of each column; 1 where all of it is zero, so that a prior can be scaled by it."""
    mean = x.mean(axis=0)
    return np.where(mean > 0, mean, 1.0) if np.ndim(mean) else (float(mean) or 1.0)
