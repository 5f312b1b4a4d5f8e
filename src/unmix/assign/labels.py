"""Which component of each draw is which, for whoever averages over draws."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from unmix.assign.alignment import component_matches
from unmix.assign.draws import assign_draws
from unmix.assign.identity import DECLARED, identity, reference_of
from unmix.derive import Derivation
from unmix.derive.theta import stack_theta


@dataclass(frozen=True)
class Labels:
    """How components were matched across draws.

    Attributes
    ----------
    permutation
        Raw component of each matched one, shape (sample, component).
    identified
        Whether components keep their identity over draws.
    sentence
        Which says so.
    """

    permutation: NDArray[np.int64]
    identified: bool
    sentence: str


def match_draws(fitted: Derivation, fit: Any, samples: int | None) -> Labels:
    """The labels of a fit's draws: those it holds, or found on the rows it was made with.

    Parameters
    ----------
    fitted
        The model on the rows of the fit.
    fit
        Whatever holds θ.
    samples
        Number of its draws; None for one θ, where there is nothing to match.
    """
    same = np.tile(np.arange(fitted.n_components), (samples or 1, 1))
    if samples is None:
        return Labels(same, True, "")
    if not fitted.components.symmetric:
        return Labels(same, True, DECLARED)
    permutation, margin = component_matches(fitted, fit, samples)
    words = reference_of(fit, permutation is not None)
    if permutation is None or margin is None:
        found = assign_draws(fitted, stack_theta(fitted, fit), None)
        permutation, margin = found.permutation, found.margin
    return Labels(permutation, *identity(fitted, fit, permutation, margin, words))


def labels_of_rows(given: Any) -> NDArray | None:
    """Names of the rows of a vector, where it is an array of xarray or pandas that has some."""
    if isinstance(given, xr.DataArray):
        there = given.ndim > 0 and given.dims[0] in given.coords
        return np.asarray(given[given.dims[0]].values) if there else None
    index = getattr(given, "index", None)
    return None if index is None or callable(index) else np.asarray(index)
