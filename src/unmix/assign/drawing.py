"""Exact draws of z_i given θ: one uniform number through the cumulated responsibilities."""

import numpy as np
from numpy.typing import NDArray

from unmix.derive.latent import z_dtype


def draw_z(
    responsibility: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.unsignedinteger]:
    """Draw every z_i from its responsibilities, independently.

    Parameters
    ----------
    responsibility
        p(z_i = k | x_i, θ_s), shape (…, obs, component).

    Returns
    -------
    numpy.ndarray
        Components, shape (…, obs), in the smallest unsigned integer that holds K.
    """
    k = responsibility.shape[-1]
    u = rng.random(responsibility.shape[:-1])
    z = np.zeros(u.shape, dtype=z_dtype(k))
    # Walking through the components needs one array of cumulated mass, not K of them. The last
    # component takes what rounding left, but never where it is impossible.
    cumulated = np.zeros_like(u)
    last_possible = np.zeros_like(z)
    for j in range(k):
        cumulated += responsibility[..., j]
        z += (u >= cumulated).astype(z.dtype)
        last_possible = np.where(responsibility[..., j] > 0, z.dtype.type(j), last_possible)
    return np.minimum(z, last_possible)
