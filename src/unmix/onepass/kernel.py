"""The pass over the data: Bayes' rule for a block of rows at a time, and sums.

The only code that touches every row. A block's log-joint densities (component, block) stay in the
cache: they become responsibilities, sampled or hard assignments in place, the families add their
weighted sums, and the next block overwrites them. Nothing of size obs × component exists.

Terms and families are as in `unmix.onepass.block`.
"""

import numpy as np

from unmix.onepass.block import (
    EXPECTED,
    assign,
    block_size,
    fill_joint,
    load,
    normalise,
    sum_of_logs,
)
from unmix.onepass.dispatch import statistics
from unmix.onepass.elementary import jit, jit_inline, log
from unmix.onepass.lanes import aligned, clear


@jit
def pass_rows(  # type: ignore[no-untyped-def]
    families, mode, key, terms, x, centre, weight, log_w, params, n, stats, z, begin, end
):
    """One pass over rows ``begin`` to ``end``; adds to ``n`` and ``stats``.

    Parameters
    ----------
    families
        Which families the terms are of.
    mode, key
        Expected, sampled (with this random key) or hard.
    terms
        (term, 7), described above.
    x, centre
        Columns (column, obs) less ``centre`` (column,), single or double precision.
    weight
        Row weights (obs,), or of length 0.
    log_w, params
        Prior (component,), packed parameters (component, parameter).
    n, stats
        Added to: Σ r (component,), the families' sums (component, statistic).
    z
        Assignments to write (obs,), or of length 0.

    Returns
    -------
    float
        Σ_i weight_i log Σ_k p(z_i = k, x_i | θ), without base measures.
    """
    k_all, columns = params.shape[0], x.shape[0]
    size = block_size(columns, end - begin)
    joint = aligned(k_all, size)
    block = aligned(columns, size)
    work = aligned(columns + 3, size)
    largest, total = aligned(1, size)[0], aligned(1, size)[0]
    scratch, chosen, counts = np.empty(size), np.zeros(size), np.empty(k_all)
    log_marginal = 0.0
    start = begin
    while start < end:
        m = min(size, end - start)
        load(x, centre, start, m, block)
        fill_joint(families, terms, block, m, log_w, params, joint, work)
        normalise(joint, m, largest, total)
        if len(weight) > 0:
            w = weight[start : start + m]
            for i in range(m):
                value = largest[i] + log(total[i])
                log_marginal += w[i] * value if w[i] != 0.0 else 0.0
        else:
            log_marginal += sum_of_logs(largest, total, m, scratch)
        assign(mode, key, start, joint, m, total, scratch, chosen, counts, z)
        for k in range(k_all):
            row = joint[k]
            if len(weight) > 0:
                w = weight[start : start + m]
                for i in range(m):
                    row[i] = row[i] * w[i] if w[i] != 0.0 else 0.0
            if mode != EXPECTED or len(weight) > 0:
                count = 0.0
                for i in range(m):
                    count += row[i]
                counts[k] = count
            n[k] += counts[k]
            for t in range(len(terms)):
                first, d = terms[t, 1], terms[t, 2]
                statistics(
                    families, terms[t, 0], block[first : first + d], d, m,
                    params[k, terms[t, 3] : terms[t, 3] + terms[t, 4]], row,
                    stats[k, terms[t, 5] : terms[t, 5] + terms[t, 6]], work,
                )  # fmt: skip
        start += m
    return log_marginal


@jit_inline
def given_rows(families, terms, x, centre, r, rows, params, n, stats):  # type: ignore[no-untyped-def]
    """Sums with weights that are given, r (row, component), over the listed rows of x."""
    columns = x.shape[0]
    size = block_size(columns, len(rows))
    block = aligned(columns, size)
    work = aligned(columns + 3, size)
    row = aligned(1, size)[0]
    start = 0
    while start < len(rows):
        m = min(size, len(rows) - start)
        for j in range(columns):
            for i in range(m):
                block[j, i] = x[j, rows[start + i]] + centre[j]
            clear(block[j], m)
        for k in range(params.shape[0]):
            for i in range(m):
                row[i] = r[start + i, k]
                n[k] += row[i]
            for t in range(len(terms)):
                first, d = terms[t, 1], terms[t, 2]
                statistics(
                    families, terms[t, 0], block[first : first + d], d, m,
                    params[k, terms[t, 3] : terms[t, 3] + terms[t, 4]], row,
                    stats[k, terms[t, 5] : terms[t, 5] + terms[t, 6]], work,
                )  # fmt: skip
        start += m


@jit_inline
def joint_rows(families, terms, x, centre, log_w, params, begin, end, out):  # type: ignore[no-untyped-def]
    """Log p(z_i = k, x_i | θ) of rows ``begin`` to ``end``, into ``out`` (row, component)."""
    columns = x.shape[0]
    size = block_size(columns, end - begin)
    joint = aligned(len(log_w), size)
    block = aligned(columns, size)
    work = aligned(columns + 3, size)
    start = begin
    while start < end:
        m = min(size, end - start)
        load(x, centre, start, m, block)
        fill_joint(families, terms, block, m, log_w, params, joint, work)
        for k in range(len(log_w)):
            for i in range(m):
                out[start - begin + i, k] = joint[k, i]
        start += m


@jit_inline
def responsibility_rows(families, terms, x, centre, log_w, params, r, log_marginal):  # type: ignore[no-untyped-def]
    """Bayes' rule for all rows of a chunk: r (obs, component) and log p(x_i | θ) (obs,).

    NaN where a row is impossible under every component.
    """
    rows, k_all = x.shape[1], len(log_w)
    size = block_size(x.shape[0], rows)
    joint = aligned(k_all, size)
    block = aligned(x.shape[0], size)
    work = aligned(x.shape[0] + 3, size)
    largest, total = aligned(1, size)[0], aligned(1, size)[0]
    start = 0
    while start < rows:
        m = min(size, rows - start)
        load(x, centre, start, m, block)
        fill_joint(families, terms, block, m, log_w, params, joint, work)
        normalise(joint, m, largest, total)
        for i in range(m):
            log_marginal[start + i] = largest[i] + log(total[i])
            total[i] = 1.0 / total[i] if total[i] != 0.0 else np.nan
        for k in range(k_all):
            row = joint[k]
            for i in range(m):
                r[start + i, k] = row[i] * total[i]
        start += m
