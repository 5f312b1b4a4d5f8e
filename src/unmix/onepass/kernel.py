"""The pass over the data: Bayes' rule for a block of rows at a time, and sums.

The only code that touches every row. A block's log-joint densities (component, block) stay in the
cache: they become responsibilities, sampled or hard assignments in place, the families add their
weighted sums, and the next block overwrites them. Nothing of size obs × component exists.

Terms (the observed variables that share ``z``) are described by a table of integers, one row each:
family, first column of x, number of columns, first parameter, number of parameters, first
statistic, number of statistics.
"""

import numpy as np

from unmix.onepass.elementary import exp, jit, log, uniform
from unmix.onepass.families import (
    bernoulli,
    categorical,
    exponential,
    mvnormal,
    normal,
    poisson,
)
from unmix.onepass.lanes import WIDE, aligned

# What is done with a row's responsibilities before they weight its sums.
EXPECTED, SAMPLED, HARD = 0, 1, 2
# Rows in a block: long enough that starting a vector loop costs little, short enough that a few
# components' worth of it stays in the first-level cache.
BLOCK, WIDE_BLOCK = 480, 224  # rows for few features, and from FEW columns on
FEW = 5


@jit
def block_size(columns, rows):  # type: ignore[no-untyped-def]
    """Rows of a block: a multiple of what a vector loop takes at once, no more than are needed."""
    most = BLOCK if columns < FEW else WIDE_BLOCK
    return min(most, (max(rows, 1) + WIDE - 1) // WIDE * WIDE)


@jit
def log_density(code, x, d, m, p, row, work):  # type: ignore[no-untyped-def]
    """Add one term's log-density of a block of rows to ``row``."""
    if code == 0:
        normal.log_density(x, d, m, p, row, work)
    elif code == 1:
        mvnormal.log_density(x, d, m, p, row, work)
    elif code == 2:
        poisson.log_density(x, d, m, p, row, work)
    elif code == 3:
        bernoulli.log_density(x, d, m, p, row, work)
    elif code == 4:
        categorical.log_density(x, d, m, p, row, work)
    elif code == 5:
        exponential.log_density(x, d, m, p, row, work)


@jit
def statistics(code, x, d, m, p, r, s, work):  # type: ignore[no-untyped-def]
    """Add one term's weighted sums of a block of rows to ``s``."""
    if code == 0:
        normal.statistics(x, d, m, p, r, s, work)
    elif code == 1:
        mvnormal.statistics(x, d, m, p, r, s, work)
    elif code == 2:
        poisson.statistics(x, d, m, p, r, s, work)
    elif code == 3:
        bernoulli.statistics(x, d, m, p, r, s, work)
    elif code == 4:
        categorical.statistics(x, d, m, p, r, s, work)
    elif code == 5:
        exponential.statistics(x, d, m, p, r, s, work)


@jit
def maximise(code, d, n, s, p, floor):  # type: ignore[no-untyped-def]
    """Set one term's parameters of one component to the best ones; see the families."""
    if code == 0:
        return normal.maximise(d, n, s, p, floor)
    if code == 1:
        return mvnormal.maximise(d, n, s, p, floor)
    if code == 2:
        return poisson.maximise(d, n, s, p, floor)
    if code == 3:
        return bernoulli.maximise(d, n, s, p, floor)
    if code == 4:
        return categorical.maximise(d, n, s, p, floor)
    return exponential.maximise(d, n, s, p, floor)


@jit
def change(code, d, old, new):  # type: ignore[no-untyped-def]
    """How far one term's parameters of one component moved, in their own units."""
    if code == 0:
        return normal.change(d, old, new)
    if code == 1:
        return mvnormal.change(d, old, new)
    if code == 2:
        return poisson.change(d, old, new)
    if code == 3:
        return bernoulli.change(d, old, new)
    if code == 4:
        return categorical.change(d, old, new)
    return exponential.change(d, old, new)


@jit
def load(x, centre, begin, m, block):  # type: ignore[no-untyped-def]
    """Copy a block of columns, in double precision and with what was subtracted put back."""
    for j in range(x.shape[0]):
        source, target, c = x[j, begin : begin + m], block[j], centre[j]
        for i in range(m):
            target[i] = source[i] + c


@jit
def fill_joint(terms, block, m, log_w, params, joint, largest, work):  # type: ignore[no-untyped-def]
    """Log p(z_i = k, x_i | θ) of a block, (component, block), and the largest of each row."""
    for i in range(m):
        largest[i] = -np.inf
    for k in range(len(log_w)):
        row = joint[k]
        weight = log_w[k]
        if len(terms) == 1 and terms[0, 0] == 0 and terms[0, 2] == 1:
            # One feature: so little arithmetic that each further loop over the block would count.
            normal.fill_one(block[terms[0, 1]], m, params[k, terms[0, 3] :], weight, row, largest)
            continue
        if len(terms) == 1 and terms[0, 0] == 1 and terms[0, 2] == 2:
            first = terms[0, 1]
            mvnormal.fill_two(
                block[first], block[first + 1], m, params[k, terms[0, 3] :], weight, row, largest
            )
            continue
        if len(terms) == 1 and terms[0, 0] == 1 and weight > -np.inf:
            first, d = terms[0, 1], terms[0, 2]
            mvnormal.fill(block[first : first + d], d, m, params[k], weight, row, largest, work)
            continue
        for i in range(m):
            row[i] = weight
        if weight > -np.inf:  # an impossible component's density is never asked
            for t in range(len(terms)):
                first, d = terms[t, 1], terms[t, 2]
                log_density(
                    terms[t, 0], block[first : first + d], d, m,
                    params[k, terms[t, 3] : terms[t, 3] + terms[t, 4]], row, work,
                )  # fmt: skip
        for i in range(m):
            largest[i] = row[i] if row[i] > largest[i] else largest[i]


@jit
def normalise(joint, m, largest, total):  # type: ignore[no-untyped-def]
    """exp(log-joint − largest) in place, and their sum over components.

    A row that is impossible under every component keeps zeros and the sum zero.
    """
    for i in range(m):
        largest[i] = largest[i] if largest[i] > -np.inf else 0.0
        total[i] = 0.0
    for k in range(len(joint)):
        row = joint[k]
        for i in range(m):
            e = exp(row[i] - largest[i])
            row[i] = e
            total[i] += e


@jit
def sum_of_logs(largest, total, m):  # type: ignore[no-untyped-def]
    """Σ_i largest_i + log total_i, with one logarithm for 32 rows.

    A total lies between 1 and the number of components, so that 32 of them multiply without
    overflow for any number of components that an array can index (below 2^31).
    """
    result = 0.0
    for i in range(m):
        result += largest[i]
    start = 0
    while start < m:
        some = total[start : min(start + 32, m)]
        product = 1.0
        for i in range(len(some)):
            product *= some[i]
        result += log(product)
        start += 32
    return result


@jit
def assign(mode, key, first_row, joint, m, total, scratch, chosen, counts, z):  # type: ignore[no-untyped-def]
    """Turn unnormalised responsibilities of a block into what weights the sums, in place.

    Expected: r itself. Sampled: 1 for one component drawn with probabilities r, else 0. Hard: 1
    for the first most likely one. A row that is impossible under every component weights nothing.
    ``z`` takes the component where it has room for it, 0 for an impossible row.
    """
    if mode == EXPECTED:
        for i in range(m):
            scratch[i] = 1.0 / total[i] if total[i] != 0.0 else 0.0
        for k in range(len(joint)):
            row = joint[k]
            count = 0.0
            for i in range(m):
                r = row[i] * scratch[i]
                row[i] = r
                count += r
            counts[k] = count
        return
    if mode == SAMPLED:
        for i in range(m):
            scratch[i] = uniform(key, first_row + i) * total[i]
            total[i] = 0.0
            chosen[i] = 0.0
        for k in range(len(joint)):
            row = joint[k]
            for i in range(m):
                below = total[i]
                above = below + row[i]
                total[i] = above
                drawn = below <= scratch[i] and scratch[i] < above
                row[i] = 1.0 if drawn else 0.0
                chosen[i] = k if drawn else chosen[i]
    else:
        for i in range(m):
            scratch[i] = 0.0
            chosen[i] = 0.0
        for k in range(len(joint)):
            row = joint[k]
            for i in range(m):
                scratch[i] = row[i] if row[i] > scratch[i] else scratch[i]
        for k in range(len(joint)):
            row = joint[k]
            for i in range(m):
                first = row[i] == scratch[i] and row[i] > 0.0
                row[i] = 1.0 if first else 0.0
                chosen[i] = k if first else chosen[i]
                scratch[i] = 2.0 if first else scratch[i]
    if len(z) > 0:
        target = z[first_row : first_row + m]
        for i in range(m):
            target[i] = chosen[i]


@jit
def pass_rows(mode, key, terms, x, centre, weight, log_w, params, n, stats, z, begin, end):  # type: ignore[no-untyped-def]
    """One pass over rows ``begin`` to ``end``; adds to ``n`` and ``stats``.

    Parameters
    ----------
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
        fill_joint(terms, block, m, log_w, params, joint, largest, work)
        normalise(joint, m, largest, total)
        if len(weight) > 0:
            w = weight[start : start + m]
            for i in range(m):
                value = largest[i] + log(total[i])
                log_marginal += w[i] * value if w[i] != 0.0 else 0.0
        else:
            log_marginal += sum_of_logs(largest, total, m)
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
                    terms[t, 0], block[first : first + d], d, m,
                    params[k, terms[t, 3] : terms[t, 3] + terms[t, 4]], row,
                    stats[k, terms[t, 5] : terms[t, 5] + terms[t, 6]], work,
                )  # fmt: skip
        start += m
    return log_marginal


@jit
def given_rows(terms, x, centre, r, rows, params, n, stats):  # type: ignore[no-untyped-def]
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
        for k in range(params.shape[0]):
            for i in range(m):
                row[i] = r[start + i, k]
                n[k] += row[i]
            for t in range(len(terms)):
                first, d = terms[t, 1], terms[t, 2]
                statistics(
                    terms[t, 0], block[first : first + d], d, m,
                    params[k, terms[t, 3] : terms[t, 3] + terms[t, 4]], row,
                    stats[k, terms[t, 5] : terms[t, 5] + terms[t, 6]], work,
                )  # fmt: skip
        start += m


@jit
def joint_rows(terms, x, centre, log_w, params, begin, end, out):  # type: ignore[no-untyped-def]
    """Log p(z_i = k, x_i | θ) of rows ``begin`` to ``end``, into ``out`` (row, component)."""
    columns = x.shape[0]
    size = block_size(columns, end - begin)
    joint = aligned(len(log_w), size)
    block = aligned(columns, size)
    work = aligned(columns + 3, size)
    largest = aligned(1, size)[0]
    start = begin
    while start < end:
        m = min(size, end - start)
        load(x, centre, start, m, block)
        fill_joint(terms, block, m, log_w, params, joint, largest, work)
        for k in range(len(log_w)):
            for i in range(m):
                out[start - begin + i, k] = joint[k, i]
        start += m


@jit
def responsibility_rows(terms, x, centre, log_w, params, r, log_marginal):  # type: ignore[no-untyped-def]
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
        fill_joint(terms, block, m, log_w, params, joint, largest, work)
        normalise(joint, m, largest, total)
        for i in range(m):
            log_marginal[start + i] = largest[i] + log(total[i])
            total[i] = 1.0 / total[i] if total[i] != 0.0 else np.nan
        for k in range(k_all):
            row = joint[k]
            for i in range(m):
                r[start + i, k] = row[i] * total[i]
        start += m
