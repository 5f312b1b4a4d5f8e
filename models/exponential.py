"""A mixture of exponential distributions: waiting times, one or several columns.

The story of one observation: nature picks a component, then waits for an event at its rate.

    w               ~ Dirichlet(1, …, 1)      how common each component is
    z_i             ~ Categorical(w)          which component made observation i
    x_ij | z_i = k  ~ Exponential(rate_kj)    how long that component takes in column j

Columns are independent once the component is known. Rates are Gamma(2, 2 m) with the column's mean
wait m: their mean is 1 / m, and 2 is the smallest whole shape for which the mean wait 1 / rate of a
component has a mean of its own.
"""

from collections.abc import Mapping
from typing import Any

import pymc as pm

from unmix.counts import as_waits
from unmix.recipe import remember

from .by_name import per_column  # noqa: TID251  a sibling
from .held import Held  # noqa: TID251
from .latent import Latent  # noqa: TID251
from .missing import cells_of  # noqa: TID251
from .parts import add_rows, positive, typical  # noqa: TID251


def exponential(
    x: Any,
    components: Any = 2,
    *,
    labels: Any = None,
    together: Any = None,
    fixed: Mapping[str, Any] | None = None,
    concentration: float = 1.0,
    shape: float = 2.0,
    mean: Any = None,
    weights: Any = None,
) -> pm.Model:
    """Declare a mixture of exponential distributions: waiting times.

    Parameters
    ----------
    x
        Numbers that are 0 or more: array of shape (obs,) or (obs, feature), pandas Series or
        DataFrame; NaN where a cell is missing.
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
    shape, mean
        The prior of ``rate`` is Gamma with this shape and the mean 1 / ``mean``; mean in units of
        x, shape () or (feature,). By default 2 and the mean of the column.
    weights
        How much each row counts, 0 or more (`unmix.weigh`); rows of one subject have one weight.
        Priors are scaled to the rows as they stand.

    Returns
    -------
    pymc.Model
        Free ``w`` (component) and ``rate`` (component[, feature]), latent ``z`` (obs, or
        subject), observed ``x``.

    Raises
    ------
    UnmixError
        For a negative cell, a constant column, or a number of components that the rows cannot
        carry.
    """
    given = mean is not None  # then any rows will do
    rows = as_waits(x, missing=True, constant=given)
    latent, held = Latent(rows.labels, labels, together, weights), Held(fixed)
    names = latent.component_names(components, counted=not given)
    concentration, shape = positive("concentration", concentration), positive("shape", shape)
    mean = (
        typical(rows.values) if mean is None else per_column("mean", mean, rows.features, above=0)
    )
    feature = ("feature",) if rows.values.ndim == 2 else ()
    with pm.Model(coords={"component": names, "feature": rows.features}) as model:
        add_rows(model, rows.labels)
        w = held("w", ("component",), pm.Dirichlet, [concentration] * len(names))
        rate = held("rate", ("component", *feature), pm.Gamma, shape, shape * mean)
        z = latent.declare(w, names)
        cells = cells_of(rows.values)
        pm.Exponential(
            "x", cells.known(rate[z], 1.0), observed=cells.filled, dims=("obs", *feature)
        )
    arguments = {
        "components": components,
        "concentration": concentration,
        "shape": shape,
        "mean": mean,
        "fixed": held.plain(),
    }
    return remember(latent.weigh(model), "exponential", arguments, by_row=latent.by_row)
