"""What a partition and each of many draws have in common, counted in one pass over the rows.

The rows are walked component by component, so that the counts n_kl of one component fill a single
row of the contingency table, which is emptied by walking back: the work is N for each draw, however
many components there are.
"""

import numpy as np

from unmix.assign.partition.partial import jit


@jit
def in_common(order, end, z, f, joint, pairs, margin, apart):  # type: ignore[no-untyped-def]
    """Sums over the contingency tables of one partition with every draw.

    Parameters
    ----------
    order, end
        Rows sorted by component, and where each component ends there.
    z
        Draws, shape (sample, obs).
    f
        n log₂ n for n = 0, …, N.
    joint, pairs
        Written: Σ_kl f(n_kl) and Σ_kl C(n_kl, 2), shape (sample,).
    margin, apart
        Written: Σ_l f(m_l) and Σ_l C(m_l, 2), shape (sample,).
    """
    n = len(order)
    count = np.zeros(n, dtype=np.int64)
    for t in range(len(z)):
        joint[t], pairs[t], margin[t], apart[t] = 0.0, 0.0, 0.0, 0.0
        begin = 0
        for k in range(len(end)):
            for at in range(begin, end[k]):
                count[z[t, order[at]]] += 1
            for at in range(begin, end[k]):
                m = count[z[t, order[at]]]
                joint[t] += f[m]
                pairs[t] += 0.5 * m * (m - 1.0)
                count[z[t, order[at]]] = 0
            begin = end[k]
        for at in range(n):
            count[z[t, at]] += 1
        for at in range(n):
            m = count[z[t, at]]
            margin[t] += f[m]
            apart[t] += 0.5 * m * (m - 1.0)
            count[z[t, at]] = 0
