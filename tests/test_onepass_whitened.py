"""The block loops of multivariate normals, at every length of block and number of features.

They read whole vectors, so rows beyond the last and features there are not must not count:
here what lies there is NaN.
"""

import numpy as np
import pytest

from unmix.onepass.elementary import jit
from unmix.onepass.families import whitened
from unmix.onepass.lanes import LINE, NARROW, WIDE, aligned

LENGTHS = (1, NARROW - 1, NARROW, NARROW + 1, WIDE - 1, WIDE, WIDE + 1, 5 * WIDE)


@pytest.fixture(scope="module")
def compiled():
    log_density, statistics = whitened.log_density, whitened.statistics

    @jit
    def run(x, d, m, p, weight, row, r, s, u):
        log_density(x, d, m, p, weight, row, u)
        statistics(x, d, m, p, r, s, u)

    return run


@pytest.fixture(scope="module")
def empty():
    @jit
    def make(rows, columns):
        return aligned(rows, columns)

    return make


def poisoned(empty, rows, size, values):
    """An aligned array whose first columns are the values, and NaN all around them."""
    array = empty(rows, size)
    array[:] = np.nan
    array[: values.shape[0], : values.shape[1]] = values
    return array


@pytest.mark.parametrize("d", range(1, 14))
def test_block_is_what_linear_algebra_says(compiled, empty, d):
    rng = np.random.default_rng(d)
    lower = np.tril_indices(d)
    inverse = np.zeros((d, d))
    inverse[lower] = rng.normal(size=len(lower[0]))
    mean, constant, weight = 100.0 + rng.normal(size=d), rng.normal(), -1.5
    p = np.concatenate([mean, inverse[lower], [constant]])
    eps = np.finfo(float).eps
    for m in LENGTHS:
        size = -(-m // WIDE) * WIDE
        x, r = 100.0 + rng.normal(size=(d, m)), rng.random(m)
        row, weights = poisoned(empty, 1, size, np.zeros((1, m))), poisoned(empty, 1, size, r[None])
        u = poisoned(empty, d + 3, size, np.empty((0, 0)))
        before = rng.normal(size=d + len(lower[0]))
        s = before.copy()
        compiled(poisoned(empty, d, size, x), d, m, p, weight, row[0], weights[0], s, u)
        residual = x - mean[:, None]
        white = inverse @ residual
        # d + 1 roundings in each sum of d products, twice over for the square.
        scale = 1.0 + (np.abs(inverse) @ np.abs(residual)) ** 2
        right = weight + constant - 0.5 * (white**2).sum(0)
        assert np.all(np.abs(row[0, :m] - right) <= 2 * (d + 4) * eps * scale.sum(0))
        first, second = residual @ r, (residual * r) @ residual.T
        added = np.concatenate([first, second[lower]])
        size_of = np.concatenate(
            [np.abs(residual) @ r, ((np.abs(residual) * r) @ np.abs(residual).T)[lower]]
        )
        # At most m + 3 roundings on either side, and one of the sum with what was there.
        bound = 2 * (m + 4) * eps * (size_of + np.abs(before))
        assert np.all(np.abs(s - before - added) <= bound)


@pytest.mark.parametrize("rows", [1, 3])
def test_rows_begin_with_a_line_of_the_cache(empty, rows):
    for columns in (8, 224, 480):
        array = empty(rows, columns)
        assert array.shape == (rows, columns)
        assert all(row.ctypes.data % LINE == 0 for row in array)
