"""Bayes' rule for one block of rows, all in the cache: joint densities become what weights sums.

Terms (the observed variables that share ``z``) are described by a table of integers, one row each:
family, first column of x, number of columns, first parameter, number of parameters, first
statistic, number of statistics. ``families`` says which families those are, to the compiler.
"""

import numpy as np

from unmix.onepass.dispatch import fill_alone, log_density
from unmix.onepass.elementary import exp, jit, log, uniform
from unmix.onepass.lanes import WIDE

# What is done with a row's responsibilities before they weight its sums. No plain integers: Numba
# would compile the pass for each of them.
EXPECTED, SAMPLED, HARD = np.int64(0), np.int64(1), np.int64(2)
FIRST = np.int64(0)
# Rows in a block: long enough that starting a vector loop costs little, short enough that a few
# components' worth of it stays in the first-level cache.
BLOCK, WIDE_BLOCK = 480, 224  # rows for few features, and from MANY columns on
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


@jit
def fill_joint(families, terms, block, m, log_w, params, joint, largest, work):  # type: ignore[no-untyped-def]
    """Log p(z_i = k, x_i | θ) of a block, (component, block), and the largest of each row."""
    for i in range(m):
        largest[i] = -np.inf
    for k in range(len(log_w)):
        row = joint[k]
        weight = log_w[k]
        if fill_alone(families, terms, block, m, params[k], weight, row, largest, work):
            continue
        for i in range(m):
            row[i] = weight
        if weight > -np.inf:  # an impossible component's density is never asked
            for t in range(len(terms)):
                first, d = terms[t, 1], terms[t, 2]
                log_density(
                    families, terms[t, 0], block[first : first + d], d, m,
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
