"""A mixture of Student's t distributions: components with tails, so that outliers stay in them.

The story of one observation: nature picks a component, then draws the observation from it, now and
then from far out.

    w               ~ Dirichlet(1, …, 1)                     how common each component is
    z_i             ~ Categorical(w)                         which component made observation i
    x_ij | z_i = k  ~ StudentT(nu_k, mu_kj, sigma_kj)        what it makes of feature j

A component has one number of degrees of freedom nu for all of its features, which are independent
once the component is known. With ``covariance="full"`` the last line is the multivariate t,
MvStudentT(nu_k, mu_k, Σ_k), where one and the same far-out draw moves all features at once
(Peel and McLachlan 2000, Statistics and Computing 10:339).

mu and sigma have the priors of `gaussian`, scaled to the data; sigma is the scale of the t, and
not its standard deviation. nu is Gamma(2, 0.1): mean 20, little mass below 1 and enough beyond 50,
where a t is a normal for all that data can tell (Juárez and Steel 2010, JBES 28:52).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm

from unmix.arguments import one_of, said
from unmix.errors import UnmixError
from unmix.recipe import remember
from unmix.rows import as_rows

from .by_name import per_column  # noqa: TID251  a sibling
from .held import Held  # noqa: TID251
from .latent import Latent  # noqa: TID251
from .missing import cells_of  # noqa: TID251
from .parts import add_rows, positive  # noqa: TID251

NU = (2.0, 0.1)


def student_t(
    x: Any,
    components: Any = 2,
    *,
    covariance: str = "diagonal",
    labels: Any = None,
    together: Any = None,
    fixed: Mapping[str, Any] | None = None,
    concentration: float = 1.0,
    centre: Any = None,
    spread: Any = None,
    scale: Any = None,
    nu: Any = NU,
    correlation: float = 2.0,
    weights: Any = None,
) -> pm.Model:
    """Declare a mixture of Student's t distributions: rows with outliers.

    Parameters
    ----------
    x
        Rows: array of shape (obs,) or (obs, feature), pandas Series or DataFrame; NaN where a cell
        is missing, unless covariances are full.
    components
        K, at least 1 and at most the number of rows; or a sequence of names.
    covariance
        ``"diagonal"`` for features that are independent within a component, or ``"full"``.
    labels
        What is known of rows' components: names or numbers (obs,), missing where unknown; or
        factors of the weights (obs, component). New rows have no labels.
    together
        The subject of each row: rows of one subject share one ``z``. Missing: a row on its own.
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
    nu
        Shape and rate of the Gamma prior of ``nu``.
    correlation
        LKJ shape of the prior of correlations; 1 is uniform, larger is closer to none.
    weights
        How much each row counts, 0 or more (`unmix.weigh`); rows of one subject have one weight.
        Priors are scaled to the rows as they stand.

    Returns
    -------
    pymc.Model
        Free ``w`` and ``nu`` (component), ``mu`` and ``sigma`` (component[, feature]), ``corr``
        (Cholesky factors of the correlation matrices, when full), latent ``z`` (obs, or
        subject), observed ``x``.

    Raises
    ------
    UnmixError
        For cells that are not finite numbers, a constant column, or a number of components that
        the rows cannot carry.

    Notes
    -----
    Maximum likelihood need not have a finite ``nu``: where a component has no tails beyond a
    normal's, the likelihood rises for ever as nu grows. The status of `unmix.em` says so.
    """
    one_of("covariance", covariance, ("diagonal", "full"))
    given = all(v is not None for v in (centre, spread, scale))  # then any rows will do
    rows = as_rows(x, missing=True, constant=given)
    values = rows.values
    latent, held = Latent(rows.labels, labels, together, weights), Held(fixed)
    names = latent.component_names(components, counted=not given)
    concentration = positive("concentration", concentration)
    if not given:
        low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    columns = rows.features
    centre = (low + high) / 2 if centre is None else per_column("centre", centre, columns)
    spread = high - low if spread is None else per_column("spread", spread, columns, above=0)
    scale = (
        np.nanstd(values, axis=0) if scale is None else per_column("scale", scale, columns, above=0)
    )
    correlation = positive("correlation", correlation)
    if np.shape(nu) != (2,):
        raise UnmixError(f"nu is {said(nu)}: give the shape and the rate of its Gamma prior")
    shape, rate = positive("nu", nu)
    d = 1 if values.ndim == 1 else values.shape[1]
    if d > 1 and covariance == "full" and np.isnan(values).any():
        row, column = np.argwhere(np.isnan(values))[0]
        raise UnmixError(
            f"column {rows.features[column]!r} has no value in row {rows.labels[row]}, and the "
            "features of a multivariate t hang together, so that such a cell cannot be declared "
            "apart: take covariance='diagonal', or gaussian"
        )
    feature = ("feature",) if d > 1 else ()
    with pm.Model(coords={"component": names, "feature": rows.features}) as model:
        add_rows(model, rows.labels)
        w = held("w", ("component",), pm.Dirichlet, [concentration] * len(names))
        mu = held("mu", ("component", *feature), pm.Normal, centre, spread)
        sigma = held("sigma", ("component", *feature), pm.Gamma, 2, 2 / scale)
        nu = held("nu", ("component",), pm.Gamma, shape, rate)
        z = latent.declare(w, names)
        if d > 1 and covariance == "full":
            corr = held.correlations("corr", (len(names),), d, correlation)
            chol = sigma[..., None] * corr
            pm.MvStudentT(
                "x", nu=nu[z], mu=mu[z], chol=chol[z], observed=values, dims=("obs", "feature")
            )
        else:
            cells = cells_of(values)
            tails = nu[z][:, np.newaxis] if d > 1 else nu[z]
            pm.StudentT(
                "x",
                nu=cells.known(tails, 1.0),
                mu=cells.known(mu[z], 0.0),
                sigma=cells.known(sigma[z], 1 / np.pi),
                observed=cells.filled,
                dims=("obs", *feature),
            )
    arguments = {
        "components": components,
        "covariance": covariance,
        "fixed": held.plain(),
        "concentration": concentration,
        "centre": centre,
        "spread": spread,
        "scale": scale,
        "nu": [float(shape), float(rate)],
        "correlation": correlation,
    }
    return remember(latent.weigh(model), "student_t", arguments, by_row=latent.by_row)
