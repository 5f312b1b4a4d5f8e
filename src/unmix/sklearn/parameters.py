"""θ of the catalogue's normals in scikit-learn's words, and rows drawn from it."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Theta = Mapping[str, NDArray]


def stacked(theta: xr.Dataset) -> dict[str, NDArray]:
    """Parameters of a Dataset as arrays (sample, …); one sample where it holds no draws."""
    lead = tuple(d for d in ("chain", "draw") if d in theta.dims)
    arrays = {str(name): v.transpose(*lead, ...).to_numpy() for name, v in theta.items()}
    samples = int(np.prod([theta.sizes[d] for d in lead]))
    return {name: v.reshape(samples, *v.shape[len(lead) :]) for name, v in arrays.items()}


def means(theta: Theta) -> NDArray[np.float64]:
    """Means, shape (sample, component, feature)."""
    mu = theta["mu"]
    return mu[..., None] if mu.ndim == 2 else mu


def factors(theta: Theta) -> NDArray[np.float64]:
    """Lower factors L of covariances L Lᵀ, shape (sample, component, feature, feature)."""
    sigma = theta["sigma"]
    sigma = sigma[..., None] if sigma.ndim == 2 else sigma
    corr = theta["corr"] if "corr" in theta else np.eye(sigma.shape[-1])
    return sigma[..., None] * corr


def covariances(theta: Theta, covariance: str) -> NDArray[np.float64]:
    """Covariances averaged over samples: (component, feature, feature), or (component, feature)."""
    lower = factors(theta)
    if covariance == "diag":
        return np.square(np.diagonal(lower, axis1=-2, axis2=-1)).mean(axis=0)
    return np.einsum("skij,sklj->kil", lower, lower) / len(lower)


def drawn(
    theta: Theta, rows: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Rows from the mixture, each at a sample of θ of its own: (row, feature), and who made them.

    Rows come in the order of their components.
    """
    w, mean, lower = theta["w"], means(theta), factors(theta)
    sample = rng.integers(len(w), size=rows) if len(w) > 1 else np.zeros(rows, dtype=np.int64)
    below = np.cumsum(w, axis=1)[sample]
    u = rng.random(rows) * below[:, -1]
    z = (u[:, None] >= below).sum(axis=1)  # u < the last: it is a product with a number below 1
    order = np.argsort(z, kind="stable")
    sample, z = sample[order], z[order].astype(np.int64)
    noise = rng.standard_normal((rows, mean.shape[-1]))
    x = np.empty_like(noise)
    block = max(1, 2**20 // mean.shape[-1] ** 2)  # factors of so many rows at a time
    for begin in range(0, rows, block):
        some = slice(begin, begin + block)
        at = sample[some], z[some]
        x[some] = mean[at] + np.einsum("nij,nj->ni", lower[at], noise[some])
    return x, z
