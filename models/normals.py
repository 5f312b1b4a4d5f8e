"""The last line of the story: what a component of normals makes, given which one it was.

    x_i | z_i = k  ~ Normal(mu_k, sigma_k)                       features on their own
    x_i | z_i = k  ~ MvNormal(mu_k, L_k L_kᵀ),  L_k = diag(sigma_k) corr_k

with whatever measurement errors and noise are declared beside it.
"""

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray

from .error import as_covariances  # noqa: TID251  ruff takes siblings for the banned root name
from .missing import Cells, cells_of  # noqa: TID251
from .noise import normal_or_noise, vector_or_noise  # noqa: TID251


def observe(
    x: NDArray,
    k: Any,
    mu: Any,
    sigma: Any,
    corr: Any,
    *,
    alike: tuple[str, ...] = (),
    normals: int,
    box: tuple[NDArray, NDArray] | None = None,
    error: NDArray | None = None,
) -> None:
    """Declare the observed rows ``x``; to be called in a model's `with` block.

    Parameters
    ----------
    x
        Shape (obs,) or (obs, feature); NaN where a cell is missing.
    k
        The component of each row, (obs,).
    mu, sigma, corr
        Of the components; ``corr`` are Cholesky factors, or None where features are independent.
    alike
        Which of these have no component axis.
    normals
        How many components are normals.
    box
        Where one more component is uniform, from `unmix.models.noise.noise_box`.
    error
        Errors of measurement, from `unmix.models.error.read`.
    """
    dims = ("obs", "feature")[: x.ndim]
    is_noise = pt.eq(k, normals)
    k = pt.minimum(k, normals - 1) if box is not None else k
    if error is not None:
        if corr is None and error.ndim == 3:
            corr = np.eye(x.shape[1])  # none of the components' own, but errors are correlated
        if corr is not None:
            error = as_covariances(error, x.shape[1])
        elif error.ndim == 1 and x.ndim == 2:
            error = np.repeat(error[:, None], x.shape[1], axis=1)
        s = pm.Data("error", error)
    sd = sigma if corr is not None or "sigma" in alike else sigma[k]
    if corr is None and error is not None:
        sd = pt.sqrt(sd**2 + s**2)
    if corr is None and box is None:
        observe_cells(x, mu[k], sd, dims=dims)
        return
    cells = _cells(x)
    x, there = (x, None) if cells is None else (cells.filled, cells.there)
    mean = mu[k] if cells is None else cells.mean(mu[k])
    if corr is None and box is not None:
        sd = sd if cells is None else cells.scale(sd)
        which = is_noise if x.ndim == 1 else is_noise[:, None]
        normal_or_noise("x", which, mean, sd, observed=x, box=box, there=there, dims=dims)
        return
    chol = sigma[..., None] * corr
    if chol.ndim == 2:
        chol = pt.stack([chol] * normals)  # K of the same: a row is then one function of its k
    if error is None and box is None and cells is None:
        pm.MvNormal("x", mean, chol=chol[k], observed=x, dims=dims)
        return
    if error is None and cells is not None:
        cov = cells.covariance(chol @ chol.swapaxes(-1, -2), k)
    else:
        cov = chol[k] @ chol[k].swapaxes(-1, -2)
        cov = cov if error is None else cov + s
        cov = cov if cells is None else cells.covariance_of_rows(cov)
    if box is not None:
        vector_or_noise("x", is_noise, mean, cov, observed=x, box=box, there=there, dims=dims)
    else:
        pm.MvNormal("x", mean, cov=cov, observed=x, dims=dims)


def observe_cells(x: NDArray, mean: Any, sd: Any, *, dims: Any) -> None:
    """Declare rows ``x`` whose features are independent, from means and deviations by row."""
    cells = _cells(x)
    if cells is None:
        pm.Normal("x", mean, sd, observed=x, dims=dims)
    else:
        pm.Normal("x", cells.mean(mean), cells.scale(sd), observed=cells.filled, dims=dims)


def _cells(x: NDArray) -> Cells | None:
    """Which cells are missing, noted beside the model; None where none is."""
    if np.isfinite(x).all():
        return None
    return cells_of(x)
