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

from collections.abc import Sequence
from typing import Any

import pymc as pm

from unmix.arguments import one_of
from unmix.recipe import remember

# ruff takes siblings for the banned root name
from .components import component_names  # noqa: TID251
from .normal_rows import by_feature, coordinates, normal_rows, observe  # noqa: TID251
from .parts import add_rows  # noqa: TID251


def hierarchical(
    x: Any,
    components: int | Sequence[str] = 2,
    *,
    means: str = "shrunk",
    covariance: str = "full",
    concentration: float = 1.0,
    centre: Any = None,
    spread: Any = None,
    correlation: float = 2.0,
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
    covariance
        ``"full"``, or ``"diagonal"`` for features that are independent within a component.
    concentration
        Of the Dirichlet prior of ``w``.
    centre, spread
        Middle and length of the data's range, R, in units of x, by which all priors are scaled;
        shape () or (feature,). By default the data's own.
    correlation
        LKJ shape of the prior of correlations; 1 is uniform, larger is closer to none.

    Returns
    -------
    pymc.Model
        Free ``w`` (component), ``mu`` and ``variance`` (component[, feature]), hyperparameters
        ``beta`` and, when shrunk, ``centre`` and ``spread`` ([feature]), ``corr`` (Cholesky factors
        of the correlation matrices, when full), latent ``z`` (obs), observed ``x``.

    Raises
    ------
    UnmixError
        For cells that are infinite or text, a constant column, or a number of components that the
        rows cannot carry.
    """
    one_of("means", means, ("shrunk", "apart"))
    rows, own = normal_rows(x, centre=centre, spread=spread)
    names = component_names(components, len(rows.values) if centre is None else None)
    each, of_component = by_feature(rows), by_feature(rows, "component")

    with pm.Model(coords=coordinates(rows, names)) as model:
        add_rows(model, rows.labels)
        middle: Any = own.centre
        width: Any = own.spread
        if means == "shrunk":
            middle = pm.Normal("centre", own.centre, own.spread, dims=each)
            width = pm.Gamma("spread", 2, 2 / own.spread, dims=each)
        beta = pm.Gamma("beta", 0.2, 10 / own.spread**2, dims=each)
        w = pm.Dirichlet("w", [concentration] * len(names), dims="component")
        mu = pm.Normal("mu", middle, width, dims=of_component)
        variance = pm.InverseGamma("variance", 2, beta, dims=of_component)
        z = pm.Categorical("z", w, dims="obs")
        observe(rows.values, z, mu, pm.math.sqrt(variance), covariance, correlation)
    arguments = {
        "components": components if isinstance(components, int) else list(names),
        "means": means,
        "covariance": covariance,
        "concentration": concentration,
        "centre": own.centre,
        "spread": own.spread,
        "correlation": correlation,
    }
    return remember(model, "hierarchical", arguments)
