r"""How many components have made a row at all, and how evenly they share the rows.

Of K declared components a draw of z occupies K₊ ≤ K: those with a row. Both K₊ and the entropy of
the partition,

.. math:: H(z) = -\sum_k \frac{n_k}{N} \log_2 \frac{n_k}{N},

are the same whatever components are called (K₊: Frühwirth-Schnatter, Malsiner-Walli and Grün 2021,
Bayesian Anal. 16:1279; H: Meilă 2007, J. Multivariate Anal. 98:873). Entropy 0 is one component,
log₂ m bits are m equal ones.
"""

from typing import Any

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import NDArray

from unmix.assign.partition.source import draws_from

BLOCK = 2**22


def occupied(
    model: pm.Model | None = None,
    fit: Any = None,
    *,
    z: Any = None,
    rng: int | np.random.Generator | None = None,
) -> xr.Dataset:
    """Occupied components K₊ and the entropy of the partition, for every draw of z.

    Parameters
    ----------
    model
        The declared mixture; found in the ``with`` block when left out.
    fit
        Draws of any origin; where they hold no z it is drawn.
    z
        Draws of assignments from anywhere, (draw, obs) or (chain, draw, obs), in place of a model
        and its fit.
    rng
        Seed or generator, where z must be drawn.

    Returns
    -------
    xarray.Dataset
        ``components`` (chain, draw), K₊ of every draw; ``entropy`` (chain, draw), in bits;
        ``probability`` (occupied), the share of draws with K₊ = ``occupied``, which runs from 1 to
        the K of the model, or to the most that any draw occupies.

    Raises
    ------
    UnmixError
        If the fit does not belong to the model, has no draws, or z is not draws of assignments.
    """
    draws = draws_from(model, fit, z, rng)
    components = draws.z.max(axis=1).astype(np.int64) + 1
    share = np.bincount(components, minlength=draws.most + 1)[1:] / len(components)
    return xr.Dataset(
        {
            "components": (draws.dims, components.reshape(draws.shape)),
            "entropy": (draws.dims, entropy(draws.z).reshape(draws.shape)),
            "probability": ("occupied", share),
        },
        coords={"occupied": np.arange(1, draws.most + 1)},
    )


def entropy(z: NDArray[np.unsignedinteger]) -> NDArray[np.float64]:
    """Entropy of the partition of every draw, bits, shape (sample,); block by block."""
    samples, n = z.shape
    k = int(z.max()) + 1
    out = np.empty(samples)
    step = max(1, BLOCK // n)
    for begin in range(0, samples, step):
        part = z[begin : begin + step].astype(np.intp)
        cell = np.arange(len(part))[:, None] * k + part
        size = np.bincount(cell.ravel(), minlength=len(part) * k).reshape(-1, k)
        # Largest first: sums that do not depend on which component came first.
        share = -np.sort(-size, axis=1) / n
        out[begin : begin + step] = -np.sum(share * np.log2(np.where(share > 0, share, 1)), axis=1)
    return np.maximum(out, 0.0)
