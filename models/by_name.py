"""What pandas names along an argument, put into the order in which the model has those names."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from unmix.arguments import numbers, said
from unmix.errors import UnmixError
from unmix.printable import listed, printable


def by_name(name: str, value: Any, *, index: Any = None, columns: Any = None) -> Any:
    """A Series or frame in the model's order; anything else as it is.

    Parameters
    ----------
    name
        What to call the argument in errors.
    value
        What was given.
    index, columns
        The model's names along the index of a Series or frame, and along a frame's columns; None
        where there are none to hold it to.

    Raises
    ------
    UnmixError
        If it names other things than the model has.
    """
    if isinstance(value, pd.DataFrame) and columns is not None:
        order = _order(name, value.columns, columns)
        value = value if order is None else value.iloc[:, order]
    if isinstance(value, pd.Series | pd.DataFrame) and index is not None:
        order = _order(name, value.index, index)
        value = value if order is None else value.iloc[order]
    return value


def _order(name: str, there: pd.Index, wanted: Sequence[Any]) -> list[int] | None:
    """Positions that put names into the wanted order; None where nothing is named."""
    if isinstance(there, pd.RangeIndex) and there.start == 0 and there.step == 1:
        return None
    found, wanted = list(map(str, there)), list(map(str, wanted))
    if sorted(found) != sorted(wanted) or len(set(found)) < len(found):
        raise UnmixError(
            f"{name} names {listed(found[:5])} and the model has {listed(wanted[:5])}: name what "
            "the model has, or give a plain array in its order"
        )
    return [found.index(one) for one in wanted]


def per_column(
    name: str, value: Any, features: Sequence[str], *, above: float = -np.inf
) -> float | NDArray[np.float64]:
    """One finite number, or one for each column.

    Parameters
    ----------
    name, value
        The argument; a Series is put into the order of the columns.
    features
        Names of the columns.
    above
        What the numbers must exceed.

    Raises
    ------
    UnmixError
        For something else.
    """
    array = numbers(name, by_name(name, value, index=features), "a number, or one for each column")
    array = array.astype(float)
    if array.shape == (1,) and len(features) == 1:
        array = array[0]
    if array.shape not in ((), (len(features),)) or (array.ndim and len(features) == 1):
        raise UnmixError(
            f"{name} has shape {array.shape} for columns {printable(', '.join(features), 80)}: "
            "give one number, or one for each column"
        )
    if not (np.isfinite(array).all() and (array > above).all()):
        what = "finite numbers" if above == -np.inf else "positive numbers"
        raise UnmixError(f"{name} is {said(value)}: give {what}")
    return array if array.ndim else float(array)
