"""Where a label-free summary gets its draws of z: from a fit, drawn from it, or from elsewhere."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import NDArray

from unmix.arguments import random_generator
from unmix.assign.alignment import stored_z
from unmix.assign.drawing import draw_z
from unmix.assign.partition.given import as_draws, canonical_draws
from unmix.assign.stream import stream
from unmix.derive import Derivation, derive
from unmix.derive.latent import z_dtype
from unmix.derive.theta import SAMPLE_DIMS, stack_theta, theta_dataset
from unmix.errors import UnmixError
from unmix.fingerprint import require_same


@dataclass(frozen=True)
class Draws:
    """Draws of z, of any origin.

    Attributes
    ----------
    z
        Shape (sample, obs), every draw numbered by first appearance.
    obs_labels
        Names of the rows.
    dims, shape
        Sample dims, ``("chain", "draw")`` or ``("draw",)``, and their lengths.
    most
        Components that the model has; where there is none, the most that a draw occupies.
    """

    z: NDArray[np.unsignedinteger]
    obs_labels: NDArray
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    most: int


def posterior(model: pm.Model | None, fit: Any) -> Derivation:
    """The derived model, held against the fit's fingerprint where it has one.

    Raises
    ------
    UnmixError
        If there is no fit, or it was made with another model.
    """
    if fit is None:
        if model is not None and not isinstance(model, pm.Model):
            raise UnmixError(
                "the first argument is the model, and here it is a fit: give the model first and "
                "the fit second, or draws of z alone as z="
            )
        raise UnmixError("there is no fit: give the draws that unmix.sample returned, or z=")
    derivation = derive(model)
    if isinstance(fit, xr.DataTree):
        require_same(derivation, str(fit.attrs.get("fingerprint", "")))
    return derivation


def draws_of(derivation: Derivation, fit: Any, rng: int | np.random.Generator | None) -> Draws:
    """The z that a fit holds; where it holds none, drawn exactly from its responsibilities.

    Raises
    ------
    UnmixError
        If the fit is one point of θ, which has no draws.
    """
    generator = random_generator(rng)
    z = stored_z(derivation, fit)
    if z is None:
        stack = stack_theta(derivation, fit)
        if not stack.dims:
            raise UnmixError(
                "the fit is one point of θ and has no draws of z: give draws, such as unmix.sample "
                "makes, or ask for what responsibilities say"
            )
        z = np.empty((len(stack), derivation.n_obs), dtype=z_dtype(derivation.n_components))
        for block in stream(derivation, stack):
            z[block.samples] = draw_z(block.responsibility, generator)
    sizes = theta_dataset(fit).sizes
    dims = tuple(d for d in ("chain", "draw") if d in sizes)
    shape = tuple(sizes[d] for d in dims)
    if int(np.prod(shape)) != len(z):
        dims, shape = ("sample",), (len(z),)
    return Draws(canonical_draws(z), derivation.obs_labels, dims, shape, derivation.n_components)


def given_draws(z: Any) -> Draws:
    """Draws from anywhere, as `as_draws` reads them, with the labels of rows that they have."""
    drawn = as_draws(z)
    shape, labels = np.shape(z)[:-1], np.arange(drawn.shape[1])
    if isinstance(z, xr.DataArray):
        rows = [d for d in z.dims if d not in SAMPLE_DIMS]
        if len(rows) == 1:
            shape = tuple(z.sizes[d] for d in SAMPLE_DIMS if d in z.dims)
            labels = z[rows[0]].values if rows[0] in z.coords else labels
    dims = ("chain", "draw") if len(shape) == 2 else ("draw",)
    return Draws(drawn, labels, dims, shape, int(drawn.max()) + 1)


def draws_from(
    model: pm.Model | None, fit: Any, z: Any, rng: int | np.random.Generator | None
) -> Draws:
    """Draws of z from a model and its fit, or as they were given.

    Raises
    ------
    UnmixError
        If both are given, or neither.
    """
    random_generator(rng)  # refused whether or not it is needed
    if z is None:
        return draws_of(posterior(model, fit), fit, rng)
    if model is not None or fit is not None:
        raise UnmixError("give a model and its fit, or z=, not both")
    return given_draws(z)
