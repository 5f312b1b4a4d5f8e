"""What must be known before a summary of draws is read: each sentence names its own cause."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from unmix.assign.convergence import ESS, R_HAT
from unmix.assign.relabel.relabelling import Relabelling
from unmix.assign.stream import stream
from unmix.derive import Derivation
from unmix.derive.theta import Stack
from unmix.infer.few_rows import most_rows, said_of

WITHOUT_MODEL = (
    "read without the model: components are taken to be exchangeable unless symmetry= says "
    "otherwise, and log-likelihood, entropy and shares of rows are left out; summary(model, post) "
    "has them"
)


def doubts(
    fit: Any,
    table: pd.DataFrame,
    free: pd.DataFrame,
    chains: int,
    relabelling: Relabelling | None,
) -> list[str]:
    """What else a reader of a summary must know, as sentences.

    Parameters
    ----------
    fit
        The draws.
    table, free
        What `arviz.summary` says of them, with labels and without.
    chains
        Number of chains.
    relabelling
        That of the draws, which says itself that there is one chain only.
    """
    flags = []
    if chains < 2 and relabelling is None:
        flags.append(
            "one chain only: whether chains agree, R-hat, cannot be known; sample two or more"
        )
    for what, numbers in (("", table), (", whatever components are called", free)):
        if chains > 1 and "r_hat" in numbers and (numbers["r_hat"] > R_HAT).any():
            worst = numbers["r_hat"].idxmax()
            flags.append(
                f"chains disagree{what}: R-hat is {numbers['r_hat'].max():.3f} for {worst}"
            )
        if "ess_bulk" in numbers and (numbers["ess_bulk"] < ESS).any():
            least = numbers["ess_bulk"].idxmin()
            flags.append(
                f"few effective draws{what}: {numbers['ess_bulk'].min():.0f} for {least}, and "
                f"{ESS} are wanted: draw more"
            )
    if isinstance(fit, xr.DataTree) and "sample_stats" in fit.children:
        stats = fit["sample_stats"].to_dataset()
        if "diverging" in stats and int(stats["diverging"].sum()):
            flags.append(f"{int(stats['diverging'].sum())} divergent draws")
    return flags


def few_rows(
    derivation: Derivation, stack: Stack, permutation: NDArray[np.int64] | None, smallest: float
) -> tuple[str, ...]:
    """Components that hold a handful of rows, averaged over aligned draws.

    Parameters
    ----------
    derivation
        The model on the rows of the draws.
    stack
        The draws.
    permutation
        Raw component of each matched one, (sample, component); None where labels have meaning.
    smallest
        The smallest component's share of the rows, a mean over draws: a second pass over the draws
        is taken only where that is a handful.
    """
    n, k = derivation.n_obs, derivation.n_components
    if k < 2 or smallest * n > most_rows(n) + 1:
        return ()
    log_marginal, r = np.zeros(n), np.zeros((n, k))
    for block in stream(derivation, stack):
        here = block.responsibility
        if permutation is not None:
            here = np.take_along_axis(here, permutation[block.samples][:, None, :], axis=-1)
        log_marginal += block.log_marginal.sum(axis=0)
        r += here.sum(axis=0)
    r /= len(stack)
    return said_of(derivation, r.sum(axis=0), [(log_marginal / len(stack), r)])
