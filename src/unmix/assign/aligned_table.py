"""`arviz.summary` of aligned draws, for those who print it."""

from typing import TYPE_CHECKING

import pymc as pm
import xarray as xr

from unmix.assign.alignment import align
from unmix.assign.convergence import never_move, of_arviz
from unmix.derive.correlations import with_correlations

if TYPE_CHECKING:
    import pandas as pd


def aligned_table(model: pm.Model, post: xr.DataTree) -> "tuple[pd.DataFrame, str]":
    """What ArviZ says of each number in θ that moves; and how components were matched first.

    Parameters
    ----------
    model
        The declared mixture.
    post
        Draws, dims (chain, draw, …).
    """
    import pandas as pd

    aligned = align(model, post)
    theta = with_correlations(aligned)
    table = pd.concat([of_arviz(theta[[name]]) for name in theta.data_vars])
    values = [v.transpose("chain", "draw", ...).to_numpy() for v in theta.data_vars.values()]
    words = [*never_move(values, theta["chain"].to_numpy().tolist()), aligned.attrs["alignment"]]
    return table[table["sd"] > 0], "; ".join(words)
