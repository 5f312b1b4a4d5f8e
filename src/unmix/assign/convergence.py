"""Chains that never move, and ArviZ's diagnostics where they mean something.

A chain that holds one θ at every draw has no variance: R-hat divides by none, and an effective
sample size counts draws that say nothing. Neither is bad mixing, nor have labels switched; it is
said as what it is. Thresholds: Vehtari et al. 2021, Bayesian Analysis 16:667.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

R_HAT, ESS = 1.01, 400
# Sums over rows of one and the same θ may differ by the order of their terms.
ROUNDING = 1e-12


def still(values: NDArray) -> NDArray[np.bool_]:
    """Whether numbers stand still within each chain, shape (chain, …), of (chain, draw, …)."""
    values = np.asarray(values, dtype=float)
    if values.shape[1] < 2:
        return np.zeros((len(values), *values.shape[2:]), dtype=bool)
    spread = np.ptp(values, axis=1)
    found: NDArray[np.bool_] = spread <= ROUNDING * np.abs(values).max(axis=1)
    return found


def never_move(values: Iterable[NDArray], chains: Sequence[Any]) -> tuple[str, ...]:
    """A sentence on the chains in which nothing moves, if there are any.

    Parameters
    ----------
    values
        All that could move, arrays (chain, draw, …).
    chains
        Names of the chains.
    """
    whole = np.ones(len(chains), dtype=bool)
    nothing = True
    for array in values:
        whole &= still(array).reshape(len(chains), -1).all(axis=1)
        nothing = False
    if nothing or not whole.any():
        return ()
    if whole.all():
        return (
            "the draws never move: each chain holds one θ at every draw, so there is no posterior "
            "to read from them, and R-hat and effective sample sizes are not known; sample anew",
        )
    names = ", ".join(str(c) for c, stuck in zip(chains, whole, strict=True) if stuck)
    verb = "chain {} never moves and holds" if whole.sum() == 1 else "chains {} never move and hold"
    return (
        f"{verb.format(names)} one θ at every draw, so averages count that θ once a draw: leave "
        "out such a chain, or sample anew",
    )


def by_chain(values: NDArray, lead: Iterable[tuple[str, int]]) -> NDArray:
    """Draws (sample, …) as (chain, draw, …); one chain where there is no dim of that name."""
    chains = dict(lead).get("chain", 1)
    return values.reshape(chains, -1, *values.shape[1:])


def of_arviz(dataset: xr.Dataset) -> Any:
    """`arviz.summary` of draws (chain, draw, …) of one variable; NaN for what is not known.

    R-hat and effective sample sizes of a number that stands still in every chain are not known.
    """
    import arviz as az  # here, because it takes a second

    with np.errstate(invalid="ignore", divide="ignore"):  # 0/0 where nothing moves: masked below
        table = az.summary(xr.DataTree.from_dict({"posterior": dataset}), round_to="none")
    table = table.astype(float)
    (name,) = dataset.data_vars
    values = dataset[name].transpose("chain", "draw", ...).values
    motionless = still(values).all(axis=0).ravel()
    unknown = [c for c in table if c == "r_hat" or str(c).startswith(("ess", "mcse"))]
    if len(table) == len(motionless):
        table.loc[motionless, unknown] = np.nan
    return table
