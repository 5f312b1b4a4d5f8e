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
    noise: bool = False,
    error: NDArray | None = None,
) -> None:
    """Declare the observed rows ``x``; to be called in a model's `with` block.

    Parameters
    ----------
    x
        Shape (obs,) or (obs, feature).
    k
        The component of each row, (obs,).
    mu, sigma, corr
        Of the components; ``corr`` are Cholesky factors, or None where features are independent.
    alike
        Which of these have no component axis.
    normals
        How many components are normals.
    noise
        Whether there is one more, which is uniform.
    error
        Errors of measurement, from `unmix.models.error.read`.
    """
    dims = ("obs", "feature")[: x.ndim]
    is_noise = pt.eq(k, normals)
    k = pt.minimum(k, normals - 1) if noise else k
    if error is not None:
        if corr is None and error.ndim == 3:
            corr = np.eye(x.shape[1])  # none of the components' own, but errors are correlated
        if corr is not None:
            error = as_covariances(error, x.shape[1])
        elif error.ndim == 1 and x.ndim == 2:
            error = error[:, None]
        s = pm.Data("error", error)
    if corr is None:
        sd = sigma if "sigma" in alike else sigma[k]
        if error is not None:
            sd = pt.sqrt(sd**2 + s**2)
        if noise:
            which = is_noise if x.ndim == 1 else is_noise[:, None]
            normal_or_noise("x", which, mu[k], sd, observed=x, dims=dims)
        else:
            pm.Normal("x", mu[k], sd, observed=x, dims=dims)
        return
    chol = sigma[..., None] * corr
    if chol.ndim == 2:
        chol = pt.stack([chol] * normals)  # K of the same: a row is then one function of its k
    chol = chol[k]
    if error is None and not noise:
        pm.MvNormal("x", mu[k], chol=chol, observed=x, dims=dims)
        return
    cov = chol @ chol.swapaxes(-1, -2)
    cov = cov if error is None else cov + s
    if noise:
        vector_or_noise("x", is_noise, mu[k], cov, observed=x, dims=dims)
    else:
        pm.MvNormal("x", mu[k], cov=cov, observed=x, dims=dims)
