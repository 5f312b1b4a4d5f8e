"""A catalogue of declared mixtures: to use as they are, and to copy from.

Each file tells one generative story, weights → z_i → x_i, and returns a plain ``pymc.Model``.
"""

from collections.abc import Callable
from typing import Any

import pymc as pm

# ruff takes siblings for the banned root name
from .exponential import exponential  # noqa: TID251
from .gaussian import gaussian  # noqa: TID251
from .grouped_weights import grouped_weights  # noqa: TID251
from .hierarchical import hierarchical  # noqa: TID251
from .latent_class import latent_class  # noqa: TID251
from .mixed import guessed_families, mixed  # noqa: TID251
from .negative_binomial import negative_binomial  # noqa: TID251
from .on_rows import rebuild  # noqa: TID251
from .poisson import poisson  # noqa: TID251
from .repeated_measures import repeated_measures  # noqa: TID251
from .student_t import student_t  # noqa: TID251
from .varying_means import varying_means  # noqa: TID251

# The one list of catalogue entries: what a saved fit may name, and what `unmix models` prints.
CATALOGUE: dict[str, Callable[..., pm.Model]] = {
    "gaussian": gaussian,
    "student_t": student_t,
    "poisson": poisson,
    "negative_binomial": negative_binomial,
    "exponential": exponential,
    "latent_class": latent_class,
    "mixed": mixed,
    "grouped_weights": grouped_weights,
    "hierarchical": hierarchical,
    "repeated_measures": repeated_measures,
    "varying_means": varying_means,
}

__all__ = [
    "CATALOGUE",
    "exponential",
    "gaussian",
    "grouped_weights",
    "guessed_families",
    "hierarchical",
    "latent_class",
    "mixed",
    "negative_binomial",
    "on_rows",
    "poisson",
    "repeated_measures",
    "student_t",
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
        For a model of the user's own, arguments by row that are missing or unknown, groups that are
        text where the model's are numbers or the reverse, or a known group in another region.
    """
    return rebuild(CATALOGUE, model, x, by_row)
