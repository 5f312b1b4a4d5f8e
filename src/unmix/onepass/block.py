"""Bayes' rule for one block of rows, all in the cache: joint densities become what weights sums.

Terms (the observed variables that share ``z``) are described by a table of integers, one row each:
family, first column of x, number of columns, first parameter, number of parameters, first
statistic, number of statistics. ``families`` says which families those are, to the compiler.
"""

import numpy as np

from unmix.onepass.dispatch import fill_alone, log_density
from unmix.onepass.elementary import jit, log, uniform
from unmix.onepass.lanes import (
    NARROW,
    WIDE,
    clear,
    from_on,
    larger,
    load_narrow,
    load_wide,
    narrow,
    store,
    sum_lanes,
    wide,
)
from unmix.onepass.lanes_exp import exp

# What is done with a row's responsibilities before they weight its sums. No plain integers: Numba
# would compile the pass for each of them.
EXPECTED, SAMPLED, HARD = np.int64(0), np.int64(1), np.int64(2)
FIRST = np.int64(0)
LEAST = np.finfo(np.float64).min
# Rows in a block: long enough that starting a vector loop costs little, short enough that a few
# components' worth of it stays in the first-level cache.
BLOCK, WIDE_BLOCK = 960, 224  # rows for few features, and from MANY columns on
MANY = 5


@jit
def block_size(columns, rows):  # type: ignore[no-untyped-def]
    """Rows of a block: a multiple of what a vector loop takes at once, no more than are needed."""
    most = BLOCK if columns < MANY else WIDE_BLOCK
    return min(most, (max(rows, 1) + WIDE - 1) // WIDE * WIDE)


@jit
def load(x, centre, begin, m, block):  # type: ignore[no-untyped-def]
    """Copy a block of columns, in double precision and with what was subtracted put back."""
    for j in range(x.shape[0]):
        source, target, c = x[j, begin : begin + m], block[j], centre[j]
        for i in range(m):
            target[i] = source[i] + c
        clear(target, m)


@jit
def fill_joint(families, terms, block, m, log_w, params, joint, work):  # type: ignore[no-untyped-def]
    """Log p(z_i = k, x_i | θ) of a block, (component, block)."""
    for k in range(len(log_w)):
        row, weight = joint[k], log_w[k]
        # An impossible component's density is never asked, nor that of a weight that is no number.
        possible = weight > -np.inf
        if possible and fill_alone(families, terms, block, m, params[k], weight, row, work):
            continue
        for i in range(m):
            row[i] = weight
        if possible:
            for t in range(len(terms)):
                first, d = terms[t, 1], terms[t, 2]
                log_density(
                    families, terms[t, 0], block[first : first + d], d, m,
                    params[k, terms[t, 3] : terms[t, 3] + terms[t, 4]], row, work,
                )  # fmt: skip


@jit
def normalise(joint, m, largest, total):  # type: ignore[no-untyped-def]
    """exp(log-joint − largest) in place, the largest of each row, and the sum over components.

    A row that is impossible under every component keeps zeros, and 0 for both. What the last
    vector has beyond row m is worked on as well, and means nothing.
    """
    for k in range(len(joint)):
        clear(joint[k], m)
    for i in range(0, m, WIDE):
        most = wide(-np.inf)
        for k in range(len(joint)):
            most = larger(load_wide(joint[k], i), most)
        most = from_on(most, most, wide(LEAST))
        sums = wide(0.0)
        for k in range(len(joint)):
            e = exp(load_wide(joint[k], i) - most)
            store(joint[k], i, e)
            sums = sums + e
        store(largest, i, most)
        store(total, i, sums)


@jit
def sum_of_logs(largest, total, m, products):  # type: ignore[no-untyped-def]
    """Σ_i largest_i + log total_i, with one logarithm for up to 32 rows.

    A total lies between 1 and the number of components, so that 32 of them multiply without
    overflow for any number of components that an array can index (below 2^31).
    """
    for i in range(m, (m + WIDE - 1) // WIDE * WIDE):
        largest[i], total[i] = 0.0, 1.0
    sums, result = wide(0.0), 0.0
    start = 0
    while start < m:
        product = wide(1.0)
        for i in range(start, min(start + 32 * WIDE, m), WIDE):
            sums = sums + load_wide(largest, i)
            product = product * load_wide(total, i)
        store(products, 0, product)
        for i in range(WIDE):
            result += log(products[i])
        start += 32 * WIDE
    return result + sum_lanes(sums)


@jit
def invert(total, m, inverse):  # type: ignore[no-untyped-def]
    """1 / total by row, 1 where a row is impossible or no number, 0 beyond row m.

    A division takes as long as a dozen products, so that four are made one.
    """
    for i in range(m):
        total[i] = total[i] if total[i] > 0.0 else 1.0
    for i in range(0, m, WIDE):
        a, b = load_narrow(total, i), load_narrow(total, i + NARROW)
        c, d = load_narrow(total, i + 2 * NARROW), load_narrow(total, i + 3 * NARROW)
        ab, cd = a * b, c * d
        both = narrow(1.0) / (ab * cd)
        for_ab, for_cd = both * cd, both * ab
        store(inverse, i, for_ab * b)
        store(inverse, i + NARROW, for_ab * a)
        store(inverse, i + 2 * NARROW, for_cd * d)
        store(inverse, i + 3 * NARROW, for_cd * c)
    clear(inverse, m)


@jit
def assign(mode, key, first_row, joint, m, total, scratch, chosen, counts, z):  # type: ignore[no-untyped-def]
    """Turn unnormalised responsibilities of a block into what weights the sums, in place.

    Expected: r itself. Sampled: 1 for one component drawn with probabilities r, else 0. Hard: 1
    for the first most likely one. A row that is impossible under every component weights nothing.
    ``z`` takes the component where it has room for it, 0 for an impossible row.
    """
    if mode == EXPECTED:
        invert(total, m, scratch)
        for k in range(len(joint)):
            row = joint[k]
            count = wide(0.0)
            for i in range(0, m, WIDE):
                r = load_wide(row, i) * load_wide(scratch, i)
                store(row, i, r)
                count = count + r
            counts[k] = sum_lanes(count)
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
