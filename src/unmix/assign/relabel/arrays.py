"""Draws as a plain dict of arrays, from whatever program: their dims by place, (chain, draw, …)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from unmix.arguments import rectangular
from unmix.errors import UnmixError

Dims = Mapping[str, tuple[str, ...]]


def with_dims(fit: Any, dims: Dims, lead: tuple[str, ...] | None = None) -> Any:
    """A plain dict of arrays as a Dataset; anything else as it is.

    Parameters
    ----------
    fit
        A dict of arrays, all with the same sample dims first.
    dims
        A variable's own dims, where they are known; else they are called as ArviZ calls them,
        ``mu_dim_0``, ``mu_dim_1``, ….
    lead
        Sample dims. By default they are read off the variables whose own dims are known: none for
        a point, which is left as it is, ``draw`` for one, ``chain`` and ``draw`` for two; where no
        variable is known, ``chain`` and ``draw``.

    Raises
    ------
    UnmixError
        If an array does not begin with the same draws as the others.
    """
    if not isinstance(fit, Mapping) or isinstance(fit, xr.Dataset | xr.DataTree):
        return fit
    if not fit or any(isinstance(value, xr.DataArray) for value in fit.values()):
        return fit
    arrays = {str(n): rectangular(repr(str(n)), v, "an array") for n, v in fit.items()}
    if lead is None:
        known = next((n for n in arrays if n in dims), None)
        extra = 2 if known is None else arrays[known].ndim - len(dims[known])
        if extra not in (1, 2):
            return fit  # a point, or of another model: said by who reads it
        lead = ("chain", "draw")[-extra:]
    first = next(iter(arrays))
    shape = arrays[first].shape[: len(lead)]
    variables = {}
    for name, array in arrays.items():
        if array.ndim < len(lead) or array.shape[: len(lead)] != shape:
            raise UnmixError(
                f"{name!r} has shape {array.shape} and {first!r} {arrays[first].shape}: give every "
                f"array of the dict the same draws first, ({', '.join(lead)}, …)"
            )
        inner = array.ndim - len(lead)
        own = dims.get(name, ())
        if len(own) != inner:
            own = tuple(f"{name}_dim_{i}" for i in range(inner))
        variables[name] = ((*lead, *own), array)
    coords = {dim: np.arange(length) for dim, length in zip(lead, shape, strict=True)}
    return xr.Dataset(variables, coords=coords)
