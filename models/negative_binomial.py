"""A mixture of negative binomial distributions: counts that vary more than Poisson's.

The story of one observation: nature picks a component, then counts events at a rate that is not
the same each time.

    w               ~ Dirichlet(1, …, 1)                      how common each component is
    z_i             ~ Categorical(w)                          which component made observation i
    x_ij | z_i = k  ~ NegativeBinomial(mu_kj, alpha_kj)       what it counts in column j

which is a Poisson count whose rate is Gamma with mean mu and shape alpha: its variance is
mu + mu² / alpha, and as alpha goes to infinity it becomes Poisson (Cameron and Trivedi 2013,
Regression Analysis of Count Data, section 3.3). Columns are independent once the component is
known.

The prior of mu is exponential with the column's mean, as in `poisson`. alpha has no unit: rates
within a component have the coefficient of variation 1 / √alpha. Its prior is exponential with mean
10, nine tenths of it between 0.5 and 30: from counts more scattered than a geometric
distribution's (alpha = 1) to nearly Poisson.
"""

from collections.abc import Mapping
from typing import Any

import pymc as pm

from unmix.counts import as_counts
from unmix.derive.present import NEVER
from unmix.recipe import remember

from .by_name import per_column  # noqa: TID251  a sibling
from .held import Held  # noqa: TID251
from .latent import Latent  # noqa: TID251
from .missing import cells_of  # noqa: TID251
from .parts import add_rows, positive, typical  # noqa: TID251


def negative_binomial(
    x: Any,
    components: Any = 2,
    *,
    labels: Any = None,
    together: Any = None,
    fixed: Mapping[str, Any] | None = None,
    concentration: float = 1.0,
    mean: Any = None,
    alpha: Any = 10.0,
    weights: Any = None,
) -> pm.Model:
    """Declare a mixture of negative binomial distributions: overdispersed counts.

    Parameters
    ----------
    x
        Counts: array of shape (obs,) or (obs, feature), pandas Series or DataFrame; NaN where a
        cell is missing.
    components
        K, at least 1 and at most the number of rows; or a sequence of names.
    labels
        What is known of rows' components: names or numbers (obs,), missing where unknown; or
        factors of the weights (obs, component). New rows have no labels.
    together
        The subject of each row: rows of one subject share one ``z``. Missing: a row on its own.
    fixed
        Values of parameters that are known, by name, in full shape; NaN for components that are
        free.
    concentration
        Of the Dirichlet prior of ``w``.
    mean
        Mean of the exponential prior of ``mu``, in units of x, shape () or (feature,). By default
        the mean of the column.
    alpha
        Mean of the exponential prior of ``alpha``, shape () or (feature,).
    weights
        How much each row counts, 0 or more (`unmix.weigh`); rows of one subject have one weight.
        Priors are scaled to the rows as they stand.

    Returns
    -------
    pymc.Model
        Free ``w`` (component), ``mu`` and ``alpha`` (component[, feature]), latent ``z`` (obs,
        or subject), observed ``x``.

    Raises
    ------
    UnmixError
        For cells that are no counts, a constant column, or a number of components that the rows
        cannot carry.

    Notes
    -----
    Maximum likelihood need not have a finite ``alpha``: where a component's counts vary less than
    Poisson's would, the likelihood rises for ever as alpha grows. The status of `unmix.em` says so.
    """
    given = mean is not None  # then any rows will do
    rows = as_counts(x, missing=True, constant=given)
    latent, held = Latent(rows.labels, labels, together, weights), Held(fixed)
    names = latent.component_names(components, counted=not given)
    concentration = positive("concentration", concentration)
    mean = (
        typical(rows.values) if mean is None else per_column("mean", mean, rows.features, above=0)
    )
    alpha = positive("alpha", alpha)
    feature = ("feature",) if rows.values.ndim == 2 else ()
    with pm.Model(coords={"component": names, "feature": rows.features}) as model:
        add_rows(model, rows.labels)
        w = held("w", ("component",), pm.Dirichlet, [concentration] * len(names))
        mu = held("mu", ("component", *feature), pm.Exponential, scale=mean)
        spread = held("alpha", ("component", *feature), pm.Exponential, scale=alpha)
        z = latent.declare(w, names)
        cells = cells_of(rows.values)
        pm.NegativeBinomial(
            "x",
            mu=cells.known(mu[z], NEVER),
            alpha=cells.known(spread[z], 1.0),
            observed=cells.whole,
            dims=("obs", *feature),
        )
    arguments = {
        "components": components,
        "concentration": concentration,
        "mean": mean,
        "alpha": alpha,
        "fixed": held.plain(),
    }
    return remember(latent.weigh(model), "negative_binomial", arguments, by_row=latent.by_row)
