"""Why a row went where it did: pulls of its features, ties, and the rows most like it."""

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from unmix.assign.labels import Labels
from unmix.assign.neighbours import co_assignment, nearest
from unmix.derive.theta import stack_theta
from unmix.show.contributions import contributions
from unmix.show.explanation import Explanation
from unmix.show.one_row import OneRow
from unmix.show.ties import ties


def deeper(
    one: OneRow, explanation: Explanation, labels: Labels | None, wanted: bool
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Contributions and ties, and what is to be said of them."""
    names = explanation.table["component"].to_numpy()
    if not wanted:
        return {}, ()
    if len(names) < 2:
        return {}, ("There is one component, so no feature pulls towards another.",)
    if labels is not None and not labels.identified:
        return {}, (
            "Which features pull to which component is left out: over draws there is no telling "
            "one component from another.",
        )
    r = explanation.table["log_responsibility"]
    r = r if explanation.interval is None else r.sel(summary="mean")
    if np.isnan(r).any():
        return {}, ()
    first, second = (int(k) for k in np.argsort(-r.to_numpy(), kind="stable")[:2])
    raw = np.tile(np.arange(len(names)), (len(one.stack), 1))
    permutation = raw if labels is None else labels.permutation
    log_prior, _ = one.log_terms()
    pulls = contributions(one, log_prior, permutation, first, names, explanation.interval)
    found, reason = ties(one, permutation, first, second, names)
    return {"contributions": pulls, "ties": found}, (reason,) if reason else ()


def near(
    one: OneRow, fit: Any, responsibility: NDArray[np.float64], many: int
) -> tuple[xr.DataArray | None, tuple[str, ...]]:
    """Rows shared among components most as this one is, and whether draws were thinned for them."""
    if not many or np.isnan(responsibility).any():
        return None, ()
    stack = stack_theta(one.fitted, fit)
    probability, distance, used = co_assignment(one.fitted, stack, responsibility)
    rows = nearest(distance, many, None if one.here is not one.fitted else one.row)
    found = xr.DataArray(
        probability[rows],
        coords={"obs": one.fitted.obs_labels[rows], "distance": ("obs", distance[rows])},
        dims="obs", name="co_assignment", attrs={"draws": used},
    )  # fmt: skip
    if used == len(one.stack):
        return found, ()
    return found, (
        f"Neighbours are read off {used:,} draws, evenly spread over all {len(one.stack):,}, as "
        "the table is large.",
    )
