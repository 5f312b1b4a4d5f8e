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

What may be known or wanted beside that stands in files of its own: labels of some rows, rows that
share one z, rows that count more or less (`latent`), parameters that are known or shared (`held`),
a component of noise (`noise`), errors of measurement (`error`), cells that are missing (`missing`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pymc as pm

from unmix.errors import UnmixError
from unmix.recipe import remember

from . import error as errors  # noqa: TID251  ruff takes siblings for the banned root name
from .components import with_noise  # noqa: TID251
from .held import Held, shared  # noqa: TID251
from .latent import Latent  # noqa: TID251
from .noise import noise_box  # noqa: TID251
from .normal_rows import normal_rows  # noqa: TID251
from .normals import observe  # noqa: TID251
from .parts import add_rows, positive  # noqa: TID251


def gaussian(
    x: Any,
    components: int | Sequence[str] = 2,
    *,
    covariance: str = "full",
    equal: Sequence[str] = (),
    noise: Any = False,
    labels: Any = None,
    together: Any = None,
    error: Any = None,
    fixed: Mapping[str, Any] | None = None,
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
        Rows: array of shape (obs,) or (obs, feature), pandas Series or DataFrame. Cells may be
        missing (NaN): such a row counts by the cells that are there (`unmix.models.missing`).
    components
        K, at least 1 and at most the number of rows; or K names.
    covariance
        ``"full"``, or ``"diagonal"`` for features that are independent within a component.
    equal
        What all components share: ``"sigma"``, ``"corr"``, or both.
    noise
        Whether there is one more component, the last, called ``"noise"``: uniform over the box
        that the data span, or between given corners, (low, high). A new row outside that box is no
        noise.
    labels
        What is known of rows' components: names or numbers (obs,), missing where unknown; or
        factors of the weights (obs, component). New rows have no labels.
    together
        The subject of each row: rows of one subject share one ``z``. Missing: a row on its own.
    error
        Known errors of measurement: standard deviations (obs,) or (obs, feature), or covariances
        (obs, feature, feature). ``mu`` and ``sigma`` are then those of the true values. The model
        has them as ``pm.Data`` called ``error``; new rows need their own.
    fixed
        Values of parameters that are known, by name, in full shape; NaN for components that are
        free. ``corr`` is given as correlation matrices.
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
        How much each row counts, 0 or more (`unmix.weigh`); rows of one subject have one weight.
        Priors are scaled to the rows as they stand.

    Returns
    -------
    pymc.Model
        Free ``w`` (component), ``mu`` and ``sigma`` (component[, feature]), ``corr`` (Cholesky
        factors of the correlation matrices, when full), latent ``z`` (obs, or subject), observed
        ``x``. With noise, ``mu``, ``sigma`` and ``corr`` are those of the normals alone.

    Raises
    ------
    UnmixError
        For cells that are infinite or text, a constant column, a number of components that
        the rows cannot carry, or an option that does not fit the rows.
    """
    given = all(v is not None for v in (centre, spread, scale))  # as for new rows of a fit
    rows, own = normal_rows(x, centre=centre, spread=spread, scale=scale)
    values = rows.values
    latent = Latent(rows.labels, labels, together, weights)
    names = latent.component_names(components, counted=not given)
    if covariance not in ("full", "diagonal"):
        raise UnmixError(f"covariance is {covariance!r}: give 'full' or 'diagonal'")
    box = noise_box(values, noise, rows.features)
    noise = box is not None
    every = with_noise(names) if noise else names
    s = None if error is None else errors.read(error, rows.labels, rows.features)
    full = values.ndim == 2 and covariance == "full"
    alike = shared(equal, ("sigma", "corr") if full else ("sigma",))
    held = Held(fixed)

    # Of one feature no variable has the dim; the name is kept for figures.
    coords: dict[str, Any] = {"component": every, "feature": rows.features}
    each = "normal" if noise else "component"  # the dim of what every normal has for itself
    if noise:
        coords["normal"] = names
    feature = ("feature",) if values.ndim == 2 else ()
    of_sigma = feature if "sigma" in alike else (each, *feature)
    alpha = [positive("concentration", concentration)] * len(every)
    eta = positive("correlation", correlation)

    with pm.Model(coords=coords) as model:
        add_rows(model, rows.labels)
        w = held("w", ("component",), pm.Dirichlet, alpha)
        mu = held("mu", (each, *feature), pm.Normal, own.centre, own.spread)
        sigma = held("sigma", of_sigma, pm.Gamma, 2, 2 / own.scale)
        z = latent.declare(w, every)
        stack = () if "corr" in alike else (len(names),)
        corr = held.correlations("corr", stack, values.shape[1], eta) if full else None
        observe(values, z, mu, sigma, corr, alike=alike, normals=len(names), box=box, error=s)
    arguments = {
        "components": names if isinstance(names, list) else len(names),
        "covariance": covariance,
        "equal": list(alike),
        "noise": False if box is None else [np.asarray(corner).tolist() for corner in box],
        "fixed": held.plain(),
        "concentration": concentration,
        "centre": own.centre,
        "spread": own.spread,
        "scale": own.scale,
        "correlation": correlation,
    }
    by_row = {**latent.by_row, "error": s}
    return remember(latent.weigh(model), "gaussian", arguments, by_row=by_row)
