"""Names for a model's variables, made from names of columns.

A column may be called anything; a variable of a PyMC model may not be called as another, end as
PyMC's own transformed ones do, or hold a stroke, which separates groups in a saved fit.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence

# Dims and variables that every model of the catalogue has, or that a result gets.
TAKEN = frozenset(
    ("w", "z", "labels", "obs", "subject", "component", "feature", "item", "level", "chain",
     "draw", "sample", "x")
)  # fmt: skip


def safe_names(columns: Iterable[str], parts: Sequence[str]) -> dict[str, str]:
    """A variable's name for each column, and none of them twice in a model.

    Parameters
    ----------
    columns
        Names of the columns.
    parts
        What else is named after a column: ``"mu"`` for a variable ``mu_age``.

    Returns
    -------
    dict
        By column: its name where it is made of letters, digits and single underscores and is not
        taken, else the nearest such name, with a number where that is taken too.
    """
    taken = set(TAKEN) | set(parts)
    found = {}
    for column in columns:
        plain = unicodedata.normalize("NFC", column)
        base = re.sub(r"\W+|_{2,}", "_", plain).strip("_") or "column"
        number, name = 1, base
        while taken & _all(name, parts):
            number += 1
            name = f"{base}_{number}"
        taken |= _all(name, parts)
        found[column] = name
    return found


def _all(name: str, parts: Sequence[str]) -> set[str]:
    return {name, *(f"{part}_{name}" for part in parts)}
