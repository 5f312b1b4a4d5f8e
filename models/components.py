"""How many components there are, or what they are called."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from unmix.arguments import said, whole
from unmix.errors import UnmixError
from unmix.printable import printable


def component_names(components: Any, rows: int | None = None, what: str = "row") -> Sequence[Any]:
    """Labels of the components: 0, …, K−1 where a number is given, else the names as they are.

    Names alone give the components no meaning: they stay exchangeable until something else in the
    declaration (labels, fixed or ordered parameters) tells them apart.

    Parameters
    ----------
    components
        K, or K names, all different.
    rows
        How many rows, or whatever has one component each, there are to carry them; None not to
        look.
    what
        What to call such a row.

    Raises
    ------
    UnmixError
        For something that is neither, an empty name, a name given twice, or more components than
        rows.
    """
    names = _names(components)
    if rows is not None and len(names) > rows:
        raise UnmixError(
            f"components is {len(names)} but there are only {rows} {what}s: give at most one "
            f"component for each {what}"
        )
    return names


def _names(components: Any) -> Sequence[Any]:
    if isinstance(components, str):
        raise UnmixError(f"components is {said(components)}: give their number, or a list of names")
    if isinstance(components, (set, frozenset, dict)):
        raise UnmixError(f"components is {said(components)}, which has no order: give a list")
    if np.ndim(components) == 0:
        return range(whole("components", components))
    names = list(components)
    if names and all(isinstance(name, int | np.integer) for name in names):
        if names != list(range(len(names))):
            raise UnmixError(f"components is {said(names)}: give their number, or names as text")
        return range(len(names))
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise UnmixError(f"components has the name {said(name)}: give text that is not empty")
    double = next((n for n in names if names.count(n) > 1), None)
    if double is not None:
        raise UnmixError(f"components has the name {printable(double)} twice: rename one")
    if not names:
        raise UnmixError("components has no names: give at least one")
    return [str(name) for name in names]


NOISE = "noise"


def with_noise(names: Sequence[Any]) -> list[str]:
    """Names with one more, the last: that of a component of noise.

    Raises
    ------
    UnmixError
        If a component is called that already.
    """
    if NOISE in names:
        raise UnmixError(f"components has the name {NOISE!r}, which is the noise's: rename it")
    return [*map(str, names), NOISE]
