"""A mixture of Poisson distributions: counts, one or several columns.

The story of one observation: nature picks a component, then counts events at its rate.

    w               ~ Dirichlet(1, …, 1)      how common each component is
    z_i             ~ Categorical(w)          which component made observation i
    x_ij | z_i = k  ~ Poisson(rate_kj)        what that component counts in column j

Columns are independent once the component is known. The prior of a rate is exponential, which of
all distributions of positive numbers with a given mean has the largest entropy, and that mean is
the column's own: counting for twice as long changes nothing.
"""

from typing import Any

import pymc as pm

from unmix.counts import as_counts
from unmix.derive.present import NEVER
from unmix.recipe import remember

from .by_name import per_column  # noqa: TID251  a sibling
from .components import component_names  # noqa: TID251
from .missing import cells_of  # noqa: TID251
from .parts import add_rows, positive, typical  # noqa: TID251


def poisson(
    x: Any,
    components: Any = 2,
    *,
    concentration: float = 1.0,
    shape: float = 1.0,
    mean: Any = None,
) -> pm.Model:
    """Declare a mixture of Poisson distributions: counts.

    Parameters
    ----------
    x
        Counts: array of shape (obs,) or (obs, feature), pandas Series or DataFrame; NaN where a
        cell is missing.
    components
        K, at least 1 and at most the number of rows; or a sequence of names.
    concentration
        Of the Dirichlet prior of ``w``.
    shape, mean
        Of the Gamma prior of ``rate``; mean in units of x, shape () or (feature,). By default 1
        and the mean of the column.

    Returns
    -------
    pymc.Model
        Free ``w`` (component) and ``rate`` (component[, feature]), latent ``z`` (obs), observed
        ``x``.

    Raises
    ------
    UnmixError
        For cells that are no counts, a constant column, or a number of components that the rows
        cannot carry.
    """
    given = mean is not None  # then any rows will do
    rows = as_counts(x, missing=True, constant=given)
    names = component_names(components, None if given else len(rows.values))
    concentration, shape = positive("concentration", concentration), positive("shape", shape)
    mean = (
        typical(rows.values) if mean is None else per_column("mean", mean, rows.features, above=0)
    )
    feature = ("feature",) if rows.values.ndim == 2 else ()
    with pm.Model(coords={"component": names, "feature": rows.features}) as model:
        add_rows(model, rows.labels)
        w = pm.Dirichlet("w", [concentration] * len(names), dims="component")
        rate = pm.Gamma("rate", shape, shape / mean, dims=("component", *feature))
        z = pm.Categorical("z", w, dims="obs")
        cells = cells_of(rows.values)
        pm.Poisson("x", cells.known(rate[z], NEVER), observed=cells.whole, dims=("obs", *feature))
    arguments = {
        "components": components,
        "concentration": concentration,
        "shape": shape,
        "mean": mean,
    }
    return remember(model, "poisson", arguments)
