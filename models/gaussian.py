"""A mixture of normal distributions, one or several features at a time.

The story of one observation: nature picks a component, then draws the observation from it.

    w              ~ Dirichlet(1, …, 1)          how common each component is
    z_i            ~ Categorical(w)              which component made observation i
    x_i | z_i = k  ~ Normal(mu_k, sigma_k)       what that component makes

With several features the last line is MvNormal(mu_k, Σ_k), where Σ_k has the standard deviations
sigma_k and the correlations corr_k corr_kᵀ.

The priors are weakly informative and scaled to the data, so that a change of units changes
nothing. Component means lie around the middle of the data's range, as spread out as that range
(Richardson and Green 1997, JRSS B 59:731, section 2.4). Standard deviations are
Gamma(2, 2 / s) with the data's own standard deviation s as their mean; the shape of 2 keeps a
component from collapsing onto a point (Chung et al. 2013, Psychometrika 78:685). Correlations are
LKJ(2).
"""

from typing import Any

import numpy as np
import pymc as pm
from numpy.typing import NDArray

from unmix.arguments import whole
from unmix.derive.present import note_present
from unmix.derive.row_weights import weigh
from unmix.errors import UnmixError
from unmix.recipe import remember
from unmix.rows import as_rows

from .missing import Cells  # noqa: TID251


def gaussian(
    x: Any,
    components: int = 2,
    *,
    covariance: str = "full",
    concentration: float = 1.0,
    centre: Any = None,
    spread: Any = None,
    scale: Any = None,
    correlation: float = 2.0,
    weights: Any = None,
) -> pm.Model:
    """Declare a mixture of normals.

    Parameters
    ----------
    x
        Rows: array of shape (obs,) or (obs, feature), pandas Series or DataFrame.
    components
        K, at least 1 and at most the number of rows.
    covariance
        ``"full"``, or ``"diagonal"`` for features that are independent within a component.
    concentration
        Of the Dirichlet prior of ``w``.
    centre, spread
        Mean and standard deviation of the prior of ``mu``, in units of x; shape () or (feature,).
        By default the middle and the length of the data's range.
    scale
        Prior mean of ``sigma``, in units of x. By default the data's standard deviation.
    correlation
        LKJ shape of the prior of correlations; 1 is uniform, larger is closer to none.
    weights
        How much each row counts, (obs,), 0 or more (`unmix.weigh`); the priors' scales are those
        of the rows as they stand.

    Returns
    -------
    pymc.Model
        Free ``w`` (component), ``mu`` and ``sigma`` (component[, feature]), ``corr`` (Cholesky
        factors of the correlation matrices, when full), latent ``z`` (obs), observed ``x``.

    Raises
    ------
    UnmixError
        For cells that are not finite numbers, a constant column, or a number of components that
        the rows cannot carry.
    """
    rows = as_rows(x, missing=True)
    components = whole("components", components)
    if components > len(rows.values):
        raise UnmixError(
            f"components is {components} but there are only {len(rows.values)} rows: give at most "
            "one component for each row"
        )
    if covariance not in ("full", "diagonal"):
        raise UnmixError(f"covariance is {covariance!r}: give 'full' or 'diagonal'")
    values = rows.values
    low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    centre = (low + high) / 2 if centre is None else centre
    spread = high - low if spread is None else spread
    scale = np.nanstd(values, axis=0) if scale is None else scale

    # PyMC keeps labels as Python objects, 40 bytes a row: rows that are only numbered have none.
    numbered = rows.labels.dtype.kind == "i" and np.array_equal(rows.labels, np.arange(len(values)))
    # Of one feature no variable has the dim; the name is kept for figures.
    coords: dict[str, Any] = {"component": range(components), "feature": rows.features}
    obs = None if numbered else rows.labels
    if values.ndim == 1:
        model = _one_feature(values, coords, obs, concentration, centre, spread, scale)
    else:
        model = _features(
            values, coords, obs, concentration, centre, spread, scale, covariance, correlation
        )
    arguments = {
        "components": int(components),
        "covariance": covariance,
        "concentration": concentration,
        "centre": centre,
        "spread": spread,
        "scale": scale,
        "correlation": correlation,
    }
    weigh(model, weights)
    return remember(model, "gaussian", arguments, by_row={"weights": weights})


def _one_feature(
    x: NDArray,
    coords: dict[str, Any],
    obs: NDArray | None,
    concentration: float,
    centre: Any,
    spread: Any,
    scale: Any,
) -> pm.Model:
    k = len(coords["component"])
    with pm.Model(coords=coords) as model:
        model.add_coord("obs", obs, length=len(x))
        w = pm.Dirichlet("w", [concentration] * k, dims="component")
        mu = pm.Normal("mu", centre, spread, dims="component")
        sigma = pm.Gamma("sigma", 2, 2 / scale, dims="component")
        z = pm.Categorical("z", w, dims="obs")
        if np.isfinite(x).all():
            pm.Normal("x", mu[z], sigma[z], observed=x, dims="obs")
        else:
            c = Cells(x)
            pm.Normal("x", c.mean(mu[z]), c.scale(sigma[z]), observed=c.filled, dims="obs")
            note_present(model, "x", c.there)
    return model


def _features(
    x: NDArray,
    coords: dict[str, Any],
    obs: NDArray | None,
    concentration: float,
    centre: Any,
    spread: Any,
    scale: Any,
    covariance: str,
    correlation: float,
) -> pm.Model:
    k, d = len(coords["component"]), x.shape[1]
    with pm.Model(coords=coords) as model:
        model.add_coord("obs", obs, length=len(x))
        w = pm.Dirichlet("w", [concentration] * k, dims="component")
        mu = pm.Normal("mu", centre, spread, dims=("component", "feature"))
        sigma = pm.Gamma("sigma", 2, 2 / scale, dims=("component", "feature"))
        z = pm.Categorical("z", w, dims="obs")
        if covariance == "diagonal":
            if np.isfinite(x).all():
                pm.Normal("x", mu[z], sigma[z], observed=x, dims=("obs", "feature"))
            else:
                c = Cells(x)
                pm.Normal(
                    "x",
                    c.mean(mu[z]),
                    c.scale(sigma[z]),
                    observed=c.filled,
                    dims=("obs", "feature"),
                )
                note_present(model, "x", c.there)
        elif not np.isfinite(x).all():
            corr = pm.LKJCorr("corr", n=d, eta=correlation, shape=(k, d, d))
            chol = sigma[..., None] * corr
            c = Cells(x)
            pm.MvNormal(
                "x",
                c.mean(mu[z]),
                c.covariance(chol @ chol.mT, z),
                observed=c.filled,
                dims=("obs", "feature"),
            )
            note_present(model, "x", c.there)
        else:
            corr = pm.LKJCorr("corr", n=d, eta=correlation, shape=(k, d, d))
            chol = sigma[..., None] * corr
            pm.MvNormal("x", mu[z], chol=chol[z], observed=x, dims=("obs", "feature"))
    return model
