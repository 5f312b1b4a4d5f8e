"""Components by number or by name."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from unmix.arguments import said, whole
from unmix.errors import UnmixError


def component_names(components: int | Sequence[str], rows: int | None = None) -> list[Any]:
    """Names of the components: those given, or 0, …, K−1.

    Parameters
    ----------
    components
        How many, or their names.
    rows
        How many rows there are to carry them; None not to look.

    Raises
    ------
    UnmixError
        For no component, a name twice, or more components than rows.
    """
    if isinstance(components, str) or not np.iterable(components):
        names: list[Any] = list(range(whole("components", components)))
    else:
        names = [str(name) for name in components]
        if not names or len(set(names)) < len(names):
            raise UnmixError(
                f"components is {said(components)}: give a number, or names that all differ"
            )
    if rows is not None and len(names) > rows:
        raise UnmixError(
            f"components is {len(names)} but there are only {rows} rows: give at most one "
            "component for each row"
        )
    return names
