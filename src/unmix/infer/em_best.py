"""Of several runs of EM the best: which it is, how far to trust it, and its components in order."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from unmix.derive import Derivation
from unmix.infer.em_run import Run
from unmix.infer.em_starts import PROPER
from unmix.infer.labellings import swap_cost
from unmix.infer.starts import has_features
from unmix.infer.status import Status, status

# Starts whose objectives differ by less than this, relative, are at the same optimum.
SAME_OPTIMUM = 1e-7


def choose(runs: list[Run]) -> tuple[Run, xr.Dataset]:
    """The best proper run; a collapsed one only where there is nothing else."""
    proper = [r for r in runs if r.outcome in PROPER]
    pool = proper or [r for r in runs if r.outcome == "emptied"] or runs
    best = max(pool, key=_height)
    scale = 1.0 + abs(best.objective)
    # At the same optimum, one that came to rest.
    there = [r for r in pool if r.objective >= best.objective - SAME_OPTIMUM * scale]
    best = max((r for r in there if r.outcome == "converged"), key=_height, default=best)
    table = xr.Dataset(
        {
            "objective": ("start", np.array([r.objective for r in runs])),
            "iterations": ("start", np.array([len(r.trace) for r in runs])),
            "status": ("start", np.array([r.outcome for r in runs])),
            "reached_best": (
                "start",
                np.array(
                    [
                        r.outcome == best.outcome
                        and abs(r.objective - best.objective) <= SAME_OPTIMUM * scale
                        for r in runs
                    ]
                ),
            ),
        }
    )
    return best, table


def _height(run: Run) -> float:
    return run.objective if np.isfinite(run.objective) else -np.inf


def describe(
    best: Run,
    table: xr.Dataset,
    flat: int,
    few: Sequence[str] = (),
    edges: Sequence[str] = (),
) -> Status:
    """How the best run ended, and what the others say of it.

    Parameters
    ----------
    best, table
        From `choose`.
    flat
        Flat directions at its end.
    few
        What is to be said of components that hold few rows.
    edges
        What is to be said of parameters that it left on the edge of what is possible.
    """
    counts = {
        name: int((table["status"] == name).sum()) for name in np.unique(table["status"].values)
    }
    others = [f"{n} {name}" for name, n in counts.items() if name != best.outcome]
    reached = int(table["reached_best"].sum())
    total = table.sizes["start"]
    detail = [f"{reached} of {total} starts reached the best"]
    if others:
        detail.append("set aside: " + ", ".join(others))
    if reached == 1 and total > 1 and best.outcome == "converged":
        detail.append("one only, so a better optimum may exist: raise starts")
    detail += few
    if best.held:
        detail.append(
            f"the floor holds up {best.held} variance{'s' * (best.held > 1)}, so this is the "
            "maximum under that floor and not without it"
        )
    detail += edges
    if flat:
        detail.append(
            f"{flat} combination{'s' * (flat > 1)} of parameters leave the objective unchanged, so "
            "their values are arbitrary and df, AIC and BIC count them in vain: declare fewer "
            "parameters"
        )
    return status(best.outcome, "; ".join(detail))


def in_order(derivation: Derivation, best: Run) -> dict[str, NDArray]:
    """Put components in order, by permutations that leave the likelihood as it is.

    Exchangeable components go by increasing mean of the first feature. Where only the priors tell
    components apart, the likelihood has no say in their order: it is the one that the priors
    prefer.
    """
    theta, mean = best.theta, best.means
    k = derivation.n_components
    if derivation.components.symmetric and has_features(derivation):
        order = np.arange(k)
        for block in derivation.components.symmetry:
            members = np.array(block)
            order[members] = members[np.argsort(mean[members], kind="stable")]
        theta = derivation.components.permute(theta, order)
    block_of = {c: i for i, block in enumerate(derivation.components.symmetry) for c in block}
    pairs = [(i, j) for i, j in combinations(range(k), 2) if block_of[i] != block_of[j]]
    better = bool(pairs) and np.isfinite(best.objective)
    while better:
        better = False
        for i, j in pairs:
            if swap_cost(derivation, theta, i, j) < -1e-6:
                order = np.arange(k)
                order[[i, j]] = j, i
                theta = derivation.components.permute(theta, order)
                better = True
    return theta
