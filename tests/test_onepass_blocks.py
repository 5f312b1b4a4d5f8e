"""The loops over a block of rows that work on vectors, at every length of block.

They read whole vectors, so rows beyond the last and features there are not must not count:
where nobody clears what lies there, it is NaN here.
"""

import numpy as np
import pytest

from unmix.onepass.block import normalise
from unmix.onepass.elementary import jit
from unmix.onepass.families import categorical, normal, two_features, whitened
from unmix.onepass.lanes import LINE, NARROW, WIDE, aligned

LENGTHS = (1, NARROW - 1, NARROW, NARROW + 1, WIDE - 1, WIDE, WIDE + 1, 5 * WIDE)


@pytest.fixture(scope="module")
def compiled():
    fill, statistics = whitened.fill, whitened.statistics

    @jit
    def run(x, d, m, p, weight, row, r, s, u):
        fill(x, d, m, p, weight, row, u)
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


@pytest.fixture(scope="module")
def simple():
    """The loops that need no work memory: of independent features, and of two correlated ones."""
    apart, pair = normal.fill, two_features.fill
    apart_sums, pair_sums = normal.statistics, two_features.statistics

    @jit
    def run(x, d, m, p, weight, row, r, s, correlated):
        if correlated:
            pair(x[0], x[1], m, p, weight, row)
            pair_sums(x[0], x[1], m, p, r, s)
        else:
            apart(x, d, m, p, weight, row)
            apart_sums(x, d, m, p, r, s, x)

    return run


@pytest.mark.parametrize(("d", "correlated"), [(1, False), (2, False), (5, False), (2, True)])
def test_simple_block_is_what_linear_algebra_says(simple, empty, d, correlated):
    rng = np.random.default_rng(d)
    mean, constant, weight = 100.0 + rng.normal(size=d), rng.normal(), -1.5
    lower = np.tril_indices(d)
    inverse = np.tril(rng.normal(size=(d, d))) if correlated else np.diag(rng.gamma(2.0, size=d))
    p = np.concatenate([mean, inverse[lower] if correlated else np.diag(inverse), [constant]])
    eps = np.finfo(float).eps
    for m in LENGTHS:
        size = -(-m // WIDE) * WIDE
        x, r = 100.0 + rng.normal(size=(d, m)), rng.random(m)
        block = np.zeros((d, size))  # a block is clear beyond its rows
        block[:, :m] = x
        row, weights = poisoned(empty, 1, size, np.zeros((1, m))), poisoned(empty, 1, size, r[None])
        sums = len(lower[0]) if correlated else d
        before = rng.normal(size=d + sums)
        s = before.copy()
        simple(block, d, m, p, weight, row[0], weights[0], s, correlated)
        residual = x - mean[:, None]
        scale = 1.0 + (np.abs(inverse) @ np.abs(residual)) ** 2
        right = weight + constant - 0.5 * ((inverse @ residual) ** 2).sum(0)
        # Roundings as above.
        assert np.all(np.abs(row[0, :m] - right) <= 2 * (d + 4) * eps * scale.sum(0))
        second, size_of = (residual * r) @ residual.T, (abs(residual) * r) @ abs(residual).T
        pick = lower if correlated else np.diag_indices(d)
        added = np.concatenate([residual @ r, second[pick]])
        bound = 2 * (m + 4) * eps * np.concatenate([abs(residual) @ r, size_of[pick]])
        assert np.all(np.abs(s - before - added) <= bound + 2 * eps * np.abs(before))


def test_normalise(empty):
    """Impossible rows, components and rows of one possible component; NaN stays seen."""

    @jit
    def run(joint, m, largest, total):
        normalise(joint, m, largest, total)

    rng = np.random.default_rng(0)
    for m in LENGTHS:
        size = -(-m // WIDE) * WIDE
        log_joint = 50 * rng.normal(size=(4, m)) - 200
        log_joint[1, ::3] = -np.inf
        log_joint[1:, ::2] = -np.inf
        log_joint[:, m // 2] = -np.inf
        log_joint[2, m - 1] = np.nan
        joint = poisoned(empty, 4, size, log_joint)
        largest, total = np.full(size, np.nan), np.full(size, np.nan)
        run(joint, m, largest, total)
        impossible = np.isneginf(log_joint).all(axis=0)
        most = np.fmax.reduce(log_joint)
        most = np.where(most > -np.inf, most, 0.0)
        np.testing.assert_array_equal(largest[: m - 1], most[: m - 1])
        right = np.exp(log_joint - most)
        # exp is within two units of the last place, NumPy's within one; three sums.
        np.testing.assert_allclose(joint[:, :m], right, rtol=3 * np.finfo(float).eps)
        np.testing.assert_allclose(total[:m], right.sum(0), rtol=6 * np.finfo(float).eps)
        assert np.isnan(total[m - 1])
        assert total[: m - 1][impossible[: m - 1]].sum() == 0.0


@pytest.mark.parametrize("rows", [1, 3])
def test_rows_begin_with_a_line_of_the_cache(empty, rows):
    for columns in (8, 224, 480):
        array = empty(rows, columns)
        assert array.shape == (rows, columns)
        assert all(row.ctypes.data % LINE == 0 for row in array)


@pytest.mark.parametrize("levels", range(1, categorical.FEW + 3))
def test_items_are_looked_up_and_counted_at_any_number_of_levels(empty, levels):
    rng = np.random.default_rng(levels)
    d = 3
    logs = np.log(rng.dirichlet(np.ones(levels), size=d))
    logs[0, 0] = -np.inf if levels > 1 else 0.0
    items = np.arange(d)[:, None]
    for m in LENGTHS:
        size = -(-m // WIDE) * WIDE
        x, r = rng.integers(levels, size=(d, m)), rng.random(m)
        if levels > 1:
            x[1] = np.minimum(x[1], levels - 2)  # the last level never occurs
        block = poisoned(empty, d, size, x.astype(float))
        weights = poisoned(empty, 1, size, r[None])[0]
        row, s = np.zeros(m), np.zeros(d * levels)
        categorical.log_density(block, d, m, logs.ravel(), row, row)
        categorical.statistics(block, d, m, logs.ravel(), weights, s, row)
        np.testing.assert_allclose(row, logs[items, x].sum(axis=0), rtol=1e-14)
        expected = [[r[x[j] == level].sum() for level in range(levels)] for j in range(d)]
        np.testing.assert_allclose(s.reshape(d, levels), expected, rtol=1e-14, atol=0)
