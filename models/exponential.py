"""A mixture of exponential distributions: waiting times, one or several columns.

The story of one observation: nature picks a component, then waits for an event at its rate.

    w               ~ Dirichlet(1, …, 1)      how common each component is
    z_i             ~ Categorical(w)          which component made observation i
    x_ij | z_i = k  ~ Exponential(rate_kj)    how long that component takes in column j

Columns are independent once the component is known. Rates are Gamma(2, 2 m) with the column's mean
wait m: their mean is 1 / m, and 2 is the smallest whole shape for which the mean wait 1 / rate of a
component has a mean of its own.
"""

from typing import Any

import pymc as pm

from unmix.counts import as_waits
from unmix.recipe import remember

from .by_name import per_column  # noqa: TID251  a sibling
from .components import component_names  # noqa: TID251
from .missing import cells_of  # noqa: TID251
from .parts import add_rows, positive, typical  # noqa: TID251


def exponential(
    x: Any,
    components: Any = 2,
    *,
    concentration: float = 1.0,
    shape: float = 2.0,
    mean: Any = None,
) -> pm.Model:
    """Declare a mixture of exponential distributions: waiting times.

    Parameters
    ----------
    x
        Numbers that are 0 or more: array of shape (obs,) or (obs, feature), pandas Series or
        DataFrame; NaN where a cell is missing.
    components
        K, at least 1 and at most the number of rows; or a sequence of names.
    concentration
        Of the Dirichlet prior of ``w``.
    shape, mean
        The prior of ``rate`` is Gamma with this shape and the mean 1 / ``mean``; mean in units of
        x, shape () or (feature,). By default 2 and the mean of the column.

    Returns
    -------
    pymc.Model
        Free ``w`` (component) and ``rate`` (component[, feature]), latent ``z`` (obs), observed
        ``x``.

    Raises
    ------
    UnmixError
        For a negative cell, a constant column, or a number of components that the rows cannot
        carry.
    """
    given = mean is not None  # then any rows will do
    rows = as_waits(x, missing=True, constant=given)
    names = component_names(components, None if given else len(rows.values))
    concentration, shape = positive("concentration", concentration), positive("shape", shape)
    mean = (
        typical(rows.values) if mean is None else per_column("mean", mean, rows.features, above=0)
    )
    feature = ("feature",) if rows.values.ndim == 2 else ()
    with pm.Model(coords={"component": names, "feature": rows.features}) as model:
        add_rows(model, rows.labels)
        w = pm.Dirichlet("w", [concentration] * len(names), dims="component")
        rate = pm.Gamma("rate", shape, shape * mean, dims=("component", *feature))
        z = pm.Categorical("z", w, dims="obs")
        cells = cells_of(rows.values)
        pm.Exponential(
            "x", cells.known(rate[z], 1.0), observed=cells.filled, dims=("obs", *feature)
        )
    arguments = {
        "components": components,
        "concentration": concentration,
        "shape": shape,
        "mean": mean,
    }
    return remember(model, "exponential", arguments)
