"""The fits behind `unmix.sklearn.Mixture`: the verbs of unmix, on rows or on a declared model."""

from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from unmix.arguments import numbers, rectangular, said
from unmix.assign import align
from unmix.errors import UnmixError
from unmix.infer import EMResult, em, sample
from unmix.infer.aloud import disagree, worst_r_hat
from unmix.infer.em import fit_derived
from unmix.rows import Rows
from unmix.sklearn.rows import on_rows


def em_of_rows(
    values: NDArray, rows: Rows, components: int, covariance: str, options: dict[str, Any]
) -> EMResult:
    """EM on rows (obs, feature), along what is derived already for their shape."""
    result = fit_derived(on_rows(values, components, covariance), **options)
    if "feature" not in result.theta.dims:
        return result
    return replace(result, theta=result.theta.assign_coords(feature=list(rows.features)))


def em_of_model(model: pm.Model, options: dict[str, Any]) -> EMResult:
    """EM on a declared model, derived and compiled for it."""
    return em(model, **options)


def draws_of_model(
    model: pm.Model, options: dict[str, Any]
) -> tuple[xr.DataTree, xr.Dataset, bool]:
    """Draws; θ of the draws with components matched; whether chains agree.

    `sample` warns of chains that disagree and of components that are not identified.
    """
    tree = sample(model, **options)
    aligned = align(model, tree)
    found = worst_r_hat(tree["sample_stats"].to_dataset())
    return tree, aligned, found is None or not disagree(*found)


def by_row(
    n: int, components: int, labels: ArrayLike | None, weights: ArrayLike | None
) -> dict[str, NDArray]:
    """What is given for each row, checked, by the name that the catalogue's model has for it.

    Raises
    ------
    UnmixError
        For another number of values than rows, labels that name no component, and weights that
        are negative, not finite or all zero.
    """
    given: dict[str, NDArray] = {}
    if labels is not None:
        y = rectangular("y", labels, "the component of each row, −1 where it is not known")
        if y.shape != (n,):
            raise UnmixError(f"y has shape {y.shape} for {n} rows: give one component for each row")
        if y.dtype.kind not in "biuf":  # text: the first of it stands for all
            odd: list[int] = [next((i for i, v in enumerate(y) if not isinstance(v, Real)), 0)]
        else:
            odd = np.flatnonzero((y != np.floor(y)) | (y < -1) | (y >= components)).tolist()
        if odd:
            value = y[odd[0]]
            raise UnmixError(
                f"y is {value if isinstance(value, Real) else said(value)} in row {odd[0]}: give "
                f"a component, 0 to {components - 1}, or −1 where it is not known"
            )
        given["labels"] = y.astype(np.int64)
    if weights is not None:
        w = numbers("sample_weight", weights, "one weight for each row").astype(np.float64)
        if w.shape != (n,):
            raise UnmixError(
                f"sample_weight has shape {w.shape} for {n} rows: give one weight for each row"
            )
        wrong = np.flatnonzero(~(np.isfinite(w) & (w >= 0)))
        if len(wrong):
            raise UnmixError(
                f"sample_weight is {w[wrong[0]]} in row {wrong[0]}: give 0 or a positive number"
            )
        if not w.any():
            raise UnmixError("sample_weight is zero in every row: give some row a weight")
        given["weights"] = w
    return given
