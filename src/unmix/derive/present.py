"""Which cells of an observed variable are there, where some are missing.

A model declares a missing cell as one that is observed with certainty (`unmix.models.missing`): its
density is 1 whatever the component, so it says nothing. What stands in such a cell is then no
datum, and whoever shows, simulates or clusters the rows has to know.
"""

import weakref
from typing import TYPE_CHECKING

import numpy as np
import pymc as pm
from numpy.typing import NDArray

if TYPE_CHECKING:
    from unmix.derive.derivation import Derivation

# A rate or a share of what never happens: its logarithm is finite, and 1 less it is 1.
NEVER = 1e-300

_present: "weakref.WeakKeyDictionary[pm.Model, dict[str, NDArray[np.bool_]]]" = (
    weakref.WeakKeyDictionary()
)


def note_present(model: pm.Model, name: str, present: NDArray[np.bool_]) -> pm.Model:
    """Note which cells of an observed variable are there, in its own shape."""
    _present.setdefault(model, {})[name] = present
    return model


def present_in(model: pm.Model, name: str) -> NDArray[np.bool_] | None:
    """Which cells of an observed variable are there; None where all are."""
    return _present.get(model, {}).get(name)


def has_missing(model: pm.Model) -> bool:
    """Whether some cell is missing."""
    return any(not present.all() for present in _present.get(model, {}).values())


def rows_shown(derivation: "Derivation", name: str) -> NDArray:
    """The observed values of a variable, NaN where a cell is missing."""
    values = np.asarray(derivation.data[derivation.opened.observed[name]].eval())
    present = present_in(derivation.model, name)
    if present is None or present.shape != values.shape:
        return values
    return np.where(present, values.astype(float), np.nan)


def rows_filled(derivation: "Derivation", name: str) -> NDArray:
    """The same with the column's mean in place of a missing cell: neither far nor near."""
    values = rows_shown(derivation, name)
    if present_in(derivation.model, name) is None:
        return values
    missing = np.isnan(values)
    there = np.maximum((~missing).sum(axis=0), 1)
    mean = np.where(missing, 0.0, values).sum(axis=0) / there
    return np.where(missing, mean, values)
