"""A catalogue of declared mixtures: to use as they are, and to copy from.

Each file tells one generative story, weights → z_i → x_i, and returns a plain ``pymc.Model``.
"""

from collections.abc import Callable
from typing import Any

import pymc as pm

# ruff takes siblings for the banned root name
from .gaussian import gaussian  # noqa: TID251
from .grouped_weights import grouped_weights  # noqa: TID251
from .hierarchical import hierarchical  # noqa: TID251
from .on_rows import rebuild  # noqa: TID251
from .repeated_measures import repeated_measures  # noqa: TID251
from .varying_means import varying_means  # noqa: TID251

# The one list of catalogue entries: what a saved fit may name, and what `unmix models` prints.
CATALOGUE: dict[str, Callable[..., pm.Model]] = {
    "gaussian": gaussian,
    "grouped_weights": grouped_weights,
    "hierarchical": hierarchical,
    "repeated_measures": repeated_measures,
    "varying_means": varying_means,
}

__all__ = [
    "CATALOGUE",
    "gaussian",
    "grouped_weights",
    "hierarchical",
    "on_rows",
    "repeated_measures",
    "varying_means",
]


def on_rows(model: pm.Model, x: Any, **by_row: Any) -> pm.Model:
    """Build a catalogue model again on other rows, to be given as ``new=``.

    Parameters
    ----------
    model
        A model of this catalogue.
    x
        Other rows, with the same features.
    **by_row
        Arguments with one value for each of them, as ``groups=`` or ``subjects=``. Groups that the
        model does not know are groups never seen.

    Returns
    -------
    pymc.Model
        With the same parameters and priors.

    Raises
    ------
    UnmixError
        For a model of the user's own, or arguments by row that are missing or unknown.
    """
    return rebuild(CATALOGUE, model, x, by_row)
