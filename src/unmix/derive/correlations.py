r"""Correlations, where θ holds a Cholesky factor of their matrix, as PyMC's `LKJCorr` has it.

A factor C of a correlation matrix R = C Cᵀ is lower triangular, with a positive diagonal and rows
of length one, and nothing else is: a variable is known by its numbers, whatever it is called. Only
the numbers below the diagonal of R say anything, and only these are named.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from unmix.derive.theta import SAMPLE_DIMS

NAME = "correlation"  # what `corr` of the catalogue is called in tables


def is_factor(values: NDArray) -> bool:
    """Whether all matrices in (…, d, d) are Cholesky factors of correlation matrices."""
    if values.ndim < 2 or values.shape[-1] != values.shape[-2] or values.shape[-1] < 2:
        return False
    if values.dtype.kind != "f" or not values.size:
        return False
    d = values.shape[-1]
    above = values[..., *np.triu_indices(d, 1)]
    diagonal = np.diagonal(values, axis1=-2, axis2=-1)
    # Samplers keep rows at length one to rounding; float32 on disk is still told apart.
    length = np.square(values).sum(axis=-1)
    return bool((above == 0).all() and (diagonal > 0).all() and np.allclose(length, 1, atol=1e-5))


def pairs_of(d: int) -> list[tuple[int, int]]:
    """Which features the numbers of `of_factor` are the correlations of."""
    return list(combinations(range(d), 2))


def of_factor(values: NDArray) -> NDArray[np.float64]:
    """Correlations from factors (…, d, d), shape (…, pair), in the order of `pairs_of`."""
    first, second = np.transpose(pairs_of(values.shape[-1]))
    found: NDArray[np.float64] = (values[..., first, :] * values[..., second, :]).sum(axis=-1)
    return found


def called(name: str) -> str:
    """What the correlations are called whose factor has this name."""
    return NAME if name == "corr" else f"{NAME} {name}"


def with_correlations(theta: xr.Dataset) -> xr.Dataset:
    """θ to be read: every factor replaced by its correlations, dim ``pair``, the rest as it is.

    Parameters
    ----------
    theta
        One θ or draws. Labels of features are those of its coordinate ``feature``, where that has
        as many as the factor has rows.
    """
    found = theta
    for name, own, value in _factors(theta):
        values = value.to_numpy()
        labels = _labels(theta, values.shape[-1])
        lead: list[Any] = [d for d in value.dims if d in SAMPLE_DIMS] + own[:-2]
        k = theta.sizes.get("component")
        if len(own) == 3 and "component" not in lead and theta.sizes[own[0]] == k:
            lead[-1] = "component"  # the catalogue's factor names no dims of its own
        dim = f"{name}_pair"
        coords = {d: theta[d] for d in lead if d in theta.coords}
        names = [f"{labels[i]}, {labels[j]}" for i, j in pairs_of(values.shape[-1])]
        array = xr.DataArray(of_factor(values), dims=[*lead, dim], coords={**coords, dim: names})
        found = found.drop_vars([name]).assign({called(name): array})
    return found


def with_matrices(theta: xr.Dataset) -> xr.Dataset:
    """θ to be read: every factor replaced by its correlation matrix, of the same dims.

    Parameters
    ----------
    theta
        One θ or draws.
    """
    found = theta
    for name, _, value in _factors(theta):
        matrix = value.to_numpy() @ value.to_numpy().swapaxes(-1, -2)
        found = found.drop_vars([name]).assign({called(name): value.copy(data=matrix)})
    return found


def _factors(theta: xr.Dataset) -> Iterator[tuple[str, list[Any], xr.DataArray]]:
    """Name, dims and values of what is a factor; sample dims are not among the dims, and first."""
    for name, value in theta.data_vars.items():
        own = [d for d in value.dims if d not in SAMPLE_DIMS]
        ordered = value.transpose(..., *own)
        if len(own) >= 2 and is_factor(ordered.to_numpy()):
            yield str(name), own, ordered


def _labels(theta: xr.Dataset, d: int) -> list[str]:
    known = theta["feature"].to_numpy() if "feature" in theta.coords else ()
    return [str(v) for v in known] if len(known) == d else [str(j) for j in range(d)]
