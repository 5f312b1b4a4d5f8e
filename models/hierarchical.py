"""A mixture of normals whose components are alike: the data say how much.

The story of one observation, from the top:

    centre, spread ~ …                            where component means lie, how far apart
    beta           ~ Gamma(0.2, 10 / R²)          how large variances are
    w              ~ Dirichlet(1, …, 1)           how common each component is
    mu_k           ~ Normal(centre, spread)       components share the centre
    variance_k     ~ InverseGamma(2, beta)        and the scale
    z_i            ~ Categorical(w)               which component made observation i
    x_i | z_i = k  ~ Normal(mu_k, √variance_k)    what that component makes

The prior of variances is that of Richardson and Green (1997, JRSS B 59:731, section 2.4): the
precision of each component is Gamma(2, beta), where beta is free, so that components have variances
of one order without anyone saying which; R is the length of the data's range. There mu_k is
Normal around the middle of the range, as spread out as the range. Here these two are free as well
and means shrink to their common centre: centre is Normal around the middle with standard deviation
R, and spread Gamma(2, 2 / R), whose shape of 2 keeps all means from falling onto one point
(Chung et al. 2013, Psychometrika 78:685). `means="apart"` keeps Richardson and Green's own.

Maximum likelihood does not see priors: EM leaves centre, spread and beta out.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pymc as pm
import pytensor.tensor as pt

from unmix.arguments import one_of
from unmix.recipe import remember

# ruff takes siblings for the banned root name
from .held import Held  # noqa: TID251
from .latent import Latent  # noqa: TID251
from .normal_rows import by_feature, coordinates, normal_rows, observe  # noqa: TID251
from .parts import add_rows  # noqa: TID251


def hierarchical(
    x: Any,
    components: int | Sequence[str] = 2,
    *,
    means: str = "shrunk",
    labels: Any = None,
    together: Any = None,
    fixed: Mapping[str, Any] | None = None,
    covariance: str = "full",
    concentration: float = 1.0,
    centre: Any = None,
    spread: Any = None,
    correlation: float = 2.0,
    weights: Any = None,
) -> pm.Model:
    """Declare a mixture of normals with hyperpriors on means and variances.

    Parameters
    ----------
    x
        Rows: array of shape (obs,) or (obs, feature), pandas Series or DataFrame.
    components
        K, or names of the components.
    means
        ``"shrunk"``: ``centre`` and ``spread`` of component means are free. ``"apart"``: they are
        fixed, as in Richardson and Green (1997).
    labels
        What is known of rows' components, as in `gaussian`. New rows have no labels.
    together
        The subject of each row: rows of one subject share one ``z``. Missing: a row on its own.
    fixed
        Values of ``w``, ``mu``, ``variance`` or ``corr`` that are known, as in `gaussian`. What is
        known of some components informs ``centre``, ``spread`` and ``beta``, and so the others.
    covariance
        ``"full"``, or ``"diagonal"`` for features that are independent within a component.
    concentration
        Of the Dirichlet prior of ``w``.
    centre, spread
        Middle and length of the data's range, R, in units of x, by which all priors are scaled;
        shape () or (feature,). By default the data's own.
    correlation
        LKJ shape of the prior of correlations; 1 is uniform, larger is closer to none.
    weights
        How much each row counts, 0 or more (`unmix.weigh`); rows of one subject have one weight.
        Priors are scaled to the rows as they stand.

    Returns
    -------
    pymc.Model
        Free ``w`` (component), ``mu`` and ``variance`` (component[, feature]), hyperparameters
        ``beta`` and, when shrunk, ``centre`` and ``spread`` ([feature]), ``corr`` (Cholesky factors
        of the correlation matrices, when full), latent ``z`` (obs, or subject), observed
        ``x``.

    Raises
    ------
    UnmixError
        For cells that are infinite or text, a constant column, or a number of components that the
        rows cannot carry.
    """
    one_of("means", means, ("shrunk", "apart"))
    rows, own = normal_rows(x, centre=centre, spread=spread)
    latent, held = Latent(rows.labels, labels, together, weights), Held(fixed)
    names = latent.component_names(components, counted=centre is None)
    each, of_component = by_feature(rows), by_feature(rows, "component")

    with pm.Model(coords=coordinates(rows, names)) as model:
        add_rows(model, rows.labels)
        middle: Any = own.centre
        width: Any = own.spread
        if means == "shrunk":
            middle = pm.Normal("centre", own.centre, own.spread, dims=each)
            width = pm.Gamma("spread", 2, 2 / own.spread, dims=each)
        beta = pm.Gamma("beta", 0.2, 10 / own.spread**2, dims=each)
        w = held("w", ("component",), pm.Dirichlet, [concentration] * len(names))
        mu = held("mu", of_component, pm.Normal, middle, width)
        variance = held("variance", of_component, pm.InverseGamma, 2, beta)
        z = latent.declare(w, names)
        observe(rows.values, z, mu, pt.sqrt(variance), covariance, correlation, held)
    arguments = {
        "components": components if isinstance(components, int) else list(names),
        "means": means,
        "covariance": covariance,
        "fixed": held.plain(),
        "concentration": concentration,
        "centre": own.centre,
        "spread": own.spread,
        "correlation": correlation,
    }
    return remember(latent.weigh(model), "hierarchical", arguments, by_row=latent.by_row)
