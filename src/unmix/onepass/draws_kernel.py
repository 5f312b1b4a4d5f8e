"""Bayes' rule for a block of rows at every draw of θ, summed up while the block is in the cache.

Where `unmix.onepass.kernel` takes all rows at one θ, here one block of rows stays and the draws go
by. What is asked of a row over draws (its averaged responsibilities, the entropy given θ, the
draws themselves for quantiles) then never needs more memory than some rows have.
"""

import numpy as np

from unmix.onepass.block import block_size, fill_joint, load, normalise
from unmix.onepass.elementary import jit_inline, log
from unmix.onepass.lanes import aligned

# Rows in a block: their draws are stored with a stride of all draws, one line of the cache for
# each row and component, and these lines must stay in the cache until they are full.
BLOCK = 128


@jit_inline
def draws_of_rows(  # type: ignore[no-untyped-def]
    families, terms, x, centre, log_w, params, order, slot, begin, end, mean, overlap, kept,
    log_marginal,
):  # fmt: skip
    """Sum up the responsibilities of rows ``begin`` to ``end`` over draws.

    Parameters
    ----------
    families, terms, x, centre
        As in `unmix.onepass.kernel.pass_rows`.
    log_w, params
        Of every draw, (sample, component) and (sample, component, parameter).
    order
        Raw component of each matched one, (sample, component).
    slot
        Where in ``log_marginal`` a draw's values go, (sample,); −1 for draws not asked for.
    mean, overlap
        Set to the averaged responsibilities (row, component) and the mean entropy given θ (row,),
        nats. NaN where a row is impossible under every component of some draw.
    kept
        Takes the draws, (row, component, sample), or has length 0.
    log_marginal
        Takes log p(x_i | θ_s) of the draws asked for, (slot, row), without base measures.
    """
    samples, k_all = log_w.shape
    size = min(BLOCK, block_size(x.shape[0], end - begin))
    joint = aligned(k_all, size)
    block = aligned(x.shape[0], size)
    work = aligned(x.shape[0] + 3, size)
    largest, total = aligned(1, size)[0], aligned(1, size)[0]
    spread = aligned(k_all, size)
    start = begin
    while start < end:
        m = min(size, end - start)
        first = start - begin
        load(x, centre, start, m, block)
        for i in range(m):
            overlap[first + i] = 0.0
            for k in range(k_all):
                mean[first + i, k] = 0.0
        for s in range(samples):
            fill_joint(families, terms, block, m, log_w[s], params[s], joint, work)
            for k in range(k_all):
                for i in range(m):
                    spread[k, i] = joint[k, i]
            normalise(joint, m, largest, total)
            at = slot[s]
            if at >= 0:
                for i in range(m):
                    log_marginal[at, first + i] = (
                        largest[i] + log(total[i]) if total[i] != 0.0 else -np.inf
                    )
            # −Σ r log r with log r = (joint − largest) − log total: one logarithm a row.
            for i in range(m):
                overlap[first + i] += log(total[i]) if total[i] != 0.0 else np.nan
                total[i] = 1.0 / total[i] if total[i] != 0.0 else np.nan
            for k in range(k_all):
                row, above = joint[order[s, k]], spread[order[s, k]]
                for i in range(m):
                    r = row[i] * total[i]
                    mean[first + i, k] += r
                    overlap[first + i] -= r * (above[i] - largest[i]) if r > 0.0 else 0.0
                    if len(kept) > 0:
                        kept[first + i, k, s] = r
        for i in range(m):
            overlap[first + i] /= samples
            for k in range(k_all):
                mean[first + i, k] /= samples
        start += m
