"""EM where every parameter has a closed form: pass, maximise, and again, all in the kernel."""

import numpy as np

from unmix.onepass.block import EXPECTED, FIRST
from unmix.onepass.dispatch import change, maximise
from unmix.onepass.elementary import jit, jit_inline
from unmix.onepass.kernel import pass_rows

# How a run of iterations ended.
RUNNING, CONVERGED, FAILED, EMPTIED = 0, 1, 2, 3
# A component with less than this share of the rows has lost them.
EMPTY = 1e-8


@jit
def maximise_all(families, terms, log_w, params, n, stats, floor, move_w, total):  # type: ignore[no-untyped-def]
    """M-step in place: (how far parameters moved, how many variances the floor held)."""
    moved, held = 0.0, 0
    for k in range(len(n)):
        if move_w:
            w = n[k] / total
            moved = max(moved, abs(w - np.exp(log_w[k])))
            log_w[k] = np.log(w)
        for t in range(len(terms)):
            p = params[k, terms[t, 3] : terms[t, 3] + terms[t, 4]]
            s = stats[k, terms[t, 5] : terms[t, 5] + terms[t, 6]]
            f = floor[terms[t, 1] : terms[t, 1] + terms[t, 2]]
            old = p.copy()
            held += maximise(families, terms[t, 0], terms[t, 2], n[k], s, p, f)
            moved = max(moved, change(families, terms[t, 0], terms[t, 2], old, p))
    return moved, held


@jit_inline
def em_rows(  # type: ignore[no-untyped-def]
    families, terms, x, centre, weight, log_w, params, floor, move_w, total, tolerance, trace, moves
):
    """EM iterations on one chunk, serially, at most ``len(trace)``.

    Parameters
    ----------
    log_w, params
        Where to begin; where it ended, in place.
    floor
        Smallest variance of each column, (column,).
    move_w
        Whether the weights are free.
    total
        Sum of the row weights.
    tolerance
        On the parameters' remaining change and on the log-likelihood's change per row.
    trace, moves
        Log-likelihood before, and change of the parameters by, each iteration; in place.

    Returns
    -------
    tuple
        Iterations done, how they ended, how many variances the floor held in the last.
    """
    n, stats = np.zeros(len(log_w)), np.zeros((len(log_w), terms[-1, 5] + terms[-1, 6]))
    none = np.zeros(0, dtype=np.uint8)
    held = 0
    for iteration in range(len(trace)):
        n[:] = 0.0
        stats[:] = 0.0
        trace[iteration] = pass_rows(
            families, EXPECTED, np.uint64(0), terms, x, centre, weight, log_w, params, n, stats,
            none, FIRST, x.shape[1],
        )  # fmt: skip
        if not np.isfinite(trace[iteration]):
            return iteration + 1, FAILED, held
        fewest = n[0]
        for k in range(len(n)):
            fewest = min(fewest, n[k])
        if fewest < EMPTY * total:
            return iteration + 1, EMPTIED, held
        moves[iteration], held = maximise_all(
            families, terms, log_w, params, n, stats, floor, move_w, total
        )
        if iteration > 0 and settled(trace, moves, iteration, total, tolerance):
            return iteration + 1, CONVERGED, held
    return len(trace), RUNNING, held


@jit
def settled(trace, moves, at, total, tolerance):  # type: ignore[no-untyped-def]
    """Whether what remains to be moved, extrapolated from the rate at which moves shrink, is small.

    EM is linear near its end, so that small moves alone only say that it is slow.
    """
    step, before = moves[at], moves[at - 1]
    if not step <= tolerance or abs(trace[at] - trace[at - 1]) > tolerance * total:
        return False
    rate = min(step / before, 0.9999) if before > 0.0 else 0.0
    return step * rate / (1.0 - rate) <= tolerance
