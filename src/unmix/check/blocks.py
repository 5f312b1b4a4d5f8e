"""A block of consecutive draws, looked at before it is added up."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.errors import UnmixError

Array = NDArray[np.float64]
Integers = NDArray[np.integer]


def checked_block(
    responsibility: ArrayLike, z: ArrayLike, n_obs: int, n_components: int
) -> tuple[Array, Integers]:
    """Both as arrays of the right shapes, z a component each; r is looked at where it is added."""
    r = np.asarray(responsibility, dtype=float)
    z = np.asarray(z)
    if r.ndim != 3 or r.shape[1:] != (n_obs, n_components):
        raise UnmixError(
            f"The responsibilities have shape {r.shape}; it should be (draws, {n_obs}, "
            f"{n_components})."
        )
    if z.shape != r.shape[:2] or not np.issubdtype(z.dtype, np.integer):
        raise UnmixError(
            f"z has shape {z.shape} and type {z.dtype}; give integers of shape {r.shape[:2]}."
        )
    if z.size and (z.min() < 0 or z.max() >= n_components):
        raise UnmixError(
            f"z goes from {z.min()} to {z.max()}; the components are 0 to {n_components - 1}."
        )
    return r, z.astype(np.min_scalar_type(n_components), copy=False)


def refuse_what_is_no_distribution(expected: Array, p: Array, lo: int, n_before: int) -> None:
    """Look at sums over draws, which are there; find the culprit only when there is one."""
    n_draws = p.shape[1]
    if np.abs(expected.sum(axis=0) - n_draws).max() <= 1e-6 * n_draws and p.min() >= 0:
        return
    bad = ~(np.abs(p.sum(axis=0) - 1) <= 1e-6) | ~(p >= 0).all(axis=0)
    t, i = np.argwhere(bad)[0]
    raise UnmixError(
        f"The responsibilities of obs {lo + i} in draw {n_before + t} are {p[:, t, i]}; they "
        "should be non-negative and sum to one."
    )
