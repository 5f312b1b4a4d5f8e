"""Latent classes: categorical or binary items, independent of each other within a class.

The story of one respondent: nature picks a class, then answers every item by that class's
probabilities, without regard to the other answers.

    w               ~ Dirichlet(1, …, 1)      how common each class is
    z_i             ~ Categorical(w)          which class respondent i is of
    x_ij | z_i = k  ~ Categorical(p_kj)       how that class answers item j

This is Lazarsfeld's latent structure (Goodman 1974, Biometrika 61:215). The prior of the
probabilities of an item in a class is uniform over all that sum to one, Dirichlet(1, …, 1).

Items that all have the same levels are one observed variable ``x`` (obs, item) with probabilities
``p`` (component, item, level). Where levels differ, each item is a variable of its own, named after
its column, with probabilities ``p_…`` (component, level_…).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
from numpy.typing import NDArray

from unmix.levels import (
    Level,
    as_cells,
    as_frame,
    codes_of,
    columns_of,
    items,
    require_complete,
    row_labels,
)
from unmix.recipe import remember
from unmix.safe_names import safe_names

from .held import Held  # noqa: TID251  a sibling
from .latent import Latent  # noqa: TID251
from .missing import cells_of  # noqa: TID251
from .parts import add_rows, positive  # noqa: TID251


def latent_class(
    x: Any,
    components: Any = 2,
    *,
    levels: Mapping[str, Any] | None = None,
    labels: Any = None,
    together: Any = None,
    fixed: Mapping[str, Any] | None = None,
    concentration: float = 1.0,
    item_concentration: float = 1.0,
    weights: Any = None,
) -> pm.Model:
    """Declare latent classes: categorical or binary items.

    Parameters
    ----------
    x
        Items: a frame of whole numbers, text, truth values or categoricals, or an array of shape
        (obs,) or (obs, item); a cell may be missing.
    components
        Number of classes, at least 1 and at most the number of rows; or a sequence of names.
    levels
        Levels of items, by column: the order of those found, or more than occur. By default the
        categories of a categorical, and of any other column the values found, sorted.
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
    item_concentration
        Of the Dirichlet prior of each item's probabilities within a class.
    weights
        How much each row counts, 0 or more (`unmix.weigh`); rows of one subject have one weight.

    Returns
    -------
    pymc.Model
        Free ``w`` (component) and ``p`` (component, item, level), latent ``z`` (obs, or
        subject), observed ``x`` (obs, item), as numbers of levels from 0; variables of their
        own for items with different levels.

    Raises
    ------
    UnmixError
        For a cell that is none of the declared levels, a constant column, or a number of
        components that the rows cannot carry.

    Notes
    -----
    New rows are given as the items were, as a table or an array: ``new=frame``.
    """
    frame = as_frame(x)
    known, codes = items(frame, levels)
    given = levels is not None and len(levels) == len(known)  # then any rows will do
    rows = row_labels(frame)
    latent, held = Latent(rows, labels, together, weights), Held(fixed)
    names = latent.component_names(components, counted=not given)
    concentration = positive("concentration", concentration)
    item_concentration = positive("item_concentration", item_concentration)
    # 1 and True are equal to Python, and are different levels.
    alike = len({tuple((type(v), v) for v in given) for given in known.values()}) == 1
    called = {} if alike else safe_names(known, ("p", "level"))
    with pm.Model(coords={"component": names}) as model:
        add_rows(model, rows)
        w = held("w", ("component",), pm.Dirichlet, [concentration] * len(names))
        z = latent.declare(w, names)
        if alike:
            same = next(iter(known.values()))
            model.add_coords({"item": list(known), "level": same})
            alpha = [item_concentration] * len(same)
            p = held("p", ("component", "item", "level"), pm.Dirichlet, alpha)
            cells = cells_of(as_cells(np.stack(list(codes.values()), axis=1)))
            pm.Categorical(
                "x", cells.shares(p[z], len(same)), observed=cells.whole, dims=("obs", "item")
            )
        for item, name in called.items():
            model.add_coord(f"level_{name}", known[item])
            alpha = [item_concentration] * len(known[item])
            p = held(f"p_{name}", ("component", f"level_{name}"), pm.Dirichlet, alpha)
            cells = cells_of(as_cells(codes[item]), name)
            shares = cells.shares(p[z], len(known[item]))
            pm.Categorical(name, shares, observed=cells.whole, dims="obs")

    def encode(new: Any) -> dict[str, NDArray]:
        return _encoded(new, known, called)

    arguments = {
        "components": components,
        "levels": known,
        "fixed": held.plain(),
        "concentration": concentration,
        "item_concentration": item_concentration,
    }
    titles = {name: item for item, name in called.items()}
    shown = {"x": next(iter(known.values()))} if alike else {called[i]: known[i] for i in known}
    return remember(
        latent.weigh(model), "latent_class", arguments, table=frame, by_row=latent.by_row,
        encode=encode, titles=titles, levels=shown,
    )  # fmt: skip


def _encoded(new: Any, known: dict[str, list[Level]], called: dict[str, str]) -> dict[str, NDArray]:
    """New rows of items as numbers of levels, by variable of the model."""
    if isinstance(new, Mapping) and not set(map(str, new)) & set(known):
        return dict(new)  # by names of the model's own variables
    frame = columns_of(new, list(known))
    labels = row_labels(frame)
    for item in known:
        require_complete(frame[item], labels)
    codes = {item: codes_of(frame[item], levels, labels) for item, levels in known.items()}
    if not called:
        return {"x": np.stack(list(codes.values()), axis=1)}
    return {called[item]: values for item, values in codes.items()}
