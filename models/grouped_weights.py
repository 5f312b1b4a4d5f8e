"""Groups that share their components and have weights of their own, held together.

The story of one observation i in group g, from the top:

    w0             ~ Dirichlet(1, …, 1)          weights in general
    c              ~ LogNormal(2, 1)             how alike the groups are
    w_g            ~ Dirichlet(c · w0)           how common each component is in group g
    z_i            ~ Categorical(w_g(i))         which component made observation i
    x_i | z_i = k  ~ Normal(mu_k, sigma_k)       what that component makes, in whatever group

c counts: w_g is held to w0 as if c further rows of the group had been seen, divided as w0 says. So
a group of many rows has its own weights, one of a few rows borrows those of the others, and how
much is learnt from how much groups differ (partial pooling; Gelman and Hill 2007, Data Analysis
Using Regression and Multilevel/Hierarchical Models, chapter 12). A priori c is between 1 and 52
with probability 0.95, 7 in the middle, whatever the data's units; the tails are long, so that many
groups can say that they are all but the same, or that they have little in common.

`pooling="logistic-normal"` holds the groups together on the scale of log-ratios instead, with a
standard deviation tau (`unmix.models.logistic_normal`): small shares then may differ by factors.
`pooling="none"` fits each group's weights by themselves, w_g ~ Dirichlet(1, …, 1). Where all groups
have the same weights (complete pooling) the model is `gaussian`.

A row of a group that was never seen has the weights that such a group has on average, E[w_g | w0] =
w0, which is exact for each row by itself; for logistic-normal weights the mean is a quasi-Monte
Carlo sum. Rows of one new group do not inform each other.

Maximum likelihood does not see priors: EM leaves w0 and c or tau out, and fits every group by
itself.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from unmix.arguments import one_of
from unmix.recipe import remember

# ruff takes siblings for the banned root name
from .group_names import groups_of  # noqa: TID251
from .held import Held  # noqa: TID251
from .latent import Latent  # noqa: TID251
from .logistic_normal import expected_weights, logistic_normal  # noqa: TID251
from .normal_rows import by_feature, coordinates, normal_rows, observe  # noqa: TID251
from .parts import add_rows  # noqa: TID251

POOLING = ("dirichlet", "logistic-normal", "none")


def grouped_weights(
    x: Any,
    groups: Any,
    components: int | Sequence[str] = 2,
    *,
    pooling: str = "dirichlet",
    known: Any = None,
    covariance: str = "full",
    labels: Any = None,
    fixed: Mapping[str, Any] | None = None,
    concentration: float = 1.0,
    centre: Any = None,
    spread: Any = None,
    scale: Any = None,
    correlation: float = 2.0,
    weights: Any = None,
) -> pm.Model:
    """Declare a mixture of normals in which every group of rows has its own weights.

    Parameters
    ----------
    x
        Rows: array of shape (obs,) or (obs, feature), pandas Series or DataFrame.
    groups
        The group of each row: array or Series of names or whole numbers, shape (obs,). A group may
        have a single row.
    components
        K, or names of the components.
    pooling
        ``"dirichlet"``, ``"logistic-normal"`` or ``"none"``, as above.
    known
        Names of the groups that the model has weights for. By default those that rows are of; with
        fewer, the other rows are of groups never seen (see `unmix.models.on_rows`).
    covariance
        ``"full"``, or ``"diagonal"`` for features that are independent within a component.
    labels
        What is known of rows' components, as in `gaussian`. New rows have no labels.
    fixed
        Values of ``mu``, ``sigma`` or ``corr`` that are known, as in `gaussian`; or of ``w``
        (group, component), unless it is logistic-normal.
    concentration
        Of the Dirichlet prior of ``w0``, or of every group's ``w`` without pooling.
    centre, spread, scale, correlation
        Of the priors of components, as in `gaussian`.
    weights
        How much each row counts, 0 or more (`unmix.weigh`). Priors are scaled to the rows as they
        stand.

    Returns
    -------
    pymc.Model
        Free ``w`` (group, component), ``w0`` (component) and ``c`` or ``tau`` where groups are
        pooled, ``mu`` and ``sigma`` (component[, feature]), ``corr`` (when full); latent ``z``
        (obs), observed ``x``.

    Raises
    ------
    UnmixError
        As `gaussian`, and for a row without a group.
    """
    one_of("pooling", pooling, POOLING)
    rows, own = normal_rows(x, centre=centre, spread=spread, scale=scale)
    latent, held = Latent(rows.labels, labels, weights=weights), Held(fixed)
    names = latent.component_names(components, counted=known is None)
    group = groups_of("groups", groups, rows.labels, known)
    k, of_component = len(names), by_feature(rows, "component")

    with pm.Model(coords=coordinates(rows, names, group=group.names)) as model:
        add_rows(model, rows.labels)
        general: Any = np.full(k, 1 / k)
        if pooling == "none":
            w = held("w", ("group", "component"), pm.Dirichlet, [concentration] * k)
        else:
            w0 = general = pm.Dirichlet("w0", [concentration] * k, dims="component")
        if pooling == "dirichlet":
            c = pm.LogNormal("c", 2, 1)
            w = held("w", ("group", "component"), pm.Dirichlet, c * w0)
        elif pooling == "logistic-normal":
            tau = pm.Gamma("tau", 2, 4)
            w = logistic_normal("w", w0, tau, k, dims=("group", "component"))
            general = expected_weights(w0, tau, k) if group.unseen else None
        mu = held("mu", of_component, pm.Normal, own.centre, own.spread)
        sigma = held("sigma", of_component, pm.Gamma, 2, 2 / own.scale)
        of_group = pt.concatenate([w, general[None]]) if group.unseen else w
        z = latent.declare(of_group[group.of_row], names)
        observe(rows.values, z, mu, sigma, covariance, correlation, held)
    arguments = {
        "components": components if isinstance(components, int) else list(names),
        "pooling": pooling,
        "known": group.names,
        "covariance": covariance,
        "fixed": held.plain(),
        "concentration": concentration,
        "centre": own.centre,
        "spread": own.spread,
        "scale": own.scale,
        "correlation": correlation,
    }
    by_row = {"groups": group.values, **latent.by_row}
    return remember(latent.weigh(model), "grouped_weights", arguments, by_row=by_row)
