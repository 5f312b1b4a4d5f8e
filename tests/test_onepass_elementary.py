"""exp, log and uniform numbers of the kernels, in units of the last place and in law."""

import numpy as np
import pytest
from onepass_problems import Long
from scipy import stats

from unmix.onepass import elementary, lanes_exp
from unmix.onepass.elementary import jit
from unmix.onepass.lanes import WIDE, aligned, load_wide, store
from unmix.onepass.lanes_exp import exp

RARE = 1e-6  # false alarms of each test of `uniform`, were its keys drawn anew


@pytest.fixture(scope="module")
def compiled():
    log, uniform = elementary.log, elementary.uniform

    @jit
    def run(x, exps, logs, keys, rows, uniforms):
        padded = aligned(1, (len(x) + WIDE - 1) // WIDE * WIDE)[0]
        padded[:] = 0.0
        padded[: len(x)] = x
        for i in range(0, len(x), WIDE):
            store(padded, i, exp(load_wide(padded, i)))
        exps[:] = padded[: len(x)]
        for i in range(len(x)):
            logs[i] = log(x[i])
        for i in range(len(keys)):
            for j in range(rows):
                uniforms[i, j] = uniform(keys[i], j)

    def call(x=(), keys=(), rows=0):
        x = np.asarray(x, dtype=float)
        out = np.empty(len(x)), np.empty(len(x)), np.empty((len(keys), rows))
        run(x, out[0], out[1], np.asarray(keys, dtype=np.uint64), rows, out[2])
        return out

    return call


def units(found, right):
    """Error in units of the last place of the right answer; `right` in extended precision."""
    return float(
        np.max(np.abs(found - right) / np.spacing(np.abs(right.astype(float))).astype(Long))
    )


def test_exp_is_within_two_units(compiled):
    rng = np.random.default_rng(1)
    log2 = np.log(2.0)
    near_the_seams = (np.arange(-1020, 1000) + 0.5) * log2
    x = np.concatenate(
        [
            rng.uniform(-708, 0, 200_000),
            rng.uniform(-1, 0, 50_000),
            -(10.0 ** rng.uniform(-300, 0, 50_000)),
            rng.uniform(0, 700, 50_000),
            near_the_seams, np.nextafter(near_the_seams, 0), np.arange(-1020, 1000) * log2,
            [0.0, -0.0, -708.0],
        ]
    )  # fmt: skip
    assert units(compiled(x)[0], np.exp(x.astype(Long))) <= 2
    assert compiled([0.0])[0][0] == 1.0  # so that a sole possible component has r = 1


def test_the_polynomial_of_exp_is_as_close_as_it_says():
    p = [1.0, 1.0, *(getattr(lanes_exp, f"C{i}") for i in range(2, 12))]
    x = np.linspace(-0.5, 0.5, 10_001).astype(Long) * np.log(Long(2))
    value = np.zeros_like(x)
    for coefficient in reversed(p):
        value = value * x + Long(coefficient)
    # Twelve roundings of extended precision, 6e-20 each, beside the 2e-17 that are claimed.
    assert np.abs(value / np.exp(x) - 1).max() < 2e-17 + 1e-18


def test_exp_of_what_is_no_number_or_too_small(compiled):
    x = np.array([-np.inf, -1e300, -1e9, -745.2, np.nextafter(-708, -np.inf), np.nan])
    found = compiled(x)[0]
    np.testing.assert_array_equal(found[:-1], 0.0)
    assert np.isnan(found[-1])


def test_log_is_within_two_units(compiled):
    rng = np.random.default_rng(2)
    x = np.concatenate(
        [
            rng.uniform(1, 300, 200_000),  # where a sum over components lies
            1 + 2.0 ** rng.uniform(-52, 0, 50_000),
            1 - 2.0 ** rng.uniform(-53, -1, 50_000),
            10.0 ** rng.uniform(-307, 308, 50_000),
            2.0 ** np.arange(-1022, 1024),
            np.sqrt(0.5) * 2.0 ** np.arange(-1021, 1024),
            [np.finfo(float).max, np.finfo(float).tiny, 1.0],
        ]
    )
    right = np.log(x.astype(Long))
    found = compiled(x)[1]
    assert units(found[x != 1], right[x != 1]) <= 2
    np.testing.assert_array_equal(found[x == 1], 0.0)


def test_log_of_what_is_no_number(compiled):
    found = compiled([0.0, np.inf, np.nan])[1]
    assert found[0] == -np.inf
    assert found[1] == np.inf
    assert np.isnan(found[2])


# -- uniform ---------------------------------------------------------------------------------------


def key_sets():
    rng = np.random.default_rng(3)
    return {
        "random": rng.integers(2**64, size=200, dtype=np.uint64),
        "consecutive": np.arange(200, dtype=np.uint64),
        "multiples of 2^32": np.arange(200, dtype=np.uint64) << np.uint64(32),
    }


@pytest.fixture(params=key_sets())
def u(request, compiled):
    return compiled(keys=key_sets()[request.param], rows=5000)[2]


def test_uniform_in_law(u):
    """200 keys by 5000 rows: the whole, each key's rows, and each row's keys."""
    assert u.min() >= 0
    assert u.max() < 1
    bins = (u * 256).astype(int)
    assert stats.chisquare(np.bincount(bins.ravel(), minlength=256)).pvalue > RARE
    # Means of n uniforms are normal to 1e-4 of their spread by then; as many tests as means.
    for axis in (0, 1):
        n = u.shape[axis]
        score = (u.mean(axis=axis) - 0.5) * np.sqrt(12 * n)
        assert np.abs(score).max() < stats.norm.isf(RARE / 2 / len(score))
        spread = (score**2).sum()
        assert RARE < stats.chi2.sf(spread, len(score)) < 1 - RARE
    # Low bits too: a component's mass may be a sliver anywhere.
    low = (u * 2.0**53).astype(np.int64) & 255
    assert stats.chisquare(np.bincount(low.ravel(), minlength=256)).pvalue > RARE


@pytest.mark.parametrize("lag", [1, 2, 512])
def test_uniform_is_independent_over_rows(u, lag):
    pairs(u[:, :-lag], u[:, lag:])


@pytest.mark.parametrize("lag", [1, 2, 7])
def test_uniform_is_independent_over_keys(u, lag):
    pairs(u[:-lag], u[lag:])


def pairs(first, second):
    """Chi-square on a 16 × 16 table; each pair is used once, rows overlapping only in chains."""
    cells = (first * 16).astype(int) * 16 + (second * 16).astype(int)
    assert stats.chisquare(np.bincount(cells.ravel(), minlength=256)).pvalue > RARE


def test_uniform_rows_of_a_chunk_follow_those_of_the_chunk_before(compiled):
    """The key of row `begin` is the first key and `begin` increments of SplitMix64."""
    key, begin = 12345, 700
    here = compiled(keys=[key], rows=1000)[2][0]
    there = compiled(keys=[(key + begin * 0x9E3779B97F4A7C15) % 2**64], rows=300)[2][0]
    np.testing.assert_array_equal(there, here[begin:])


def test_uniform_is_what_splitmix64_says(compiled):
    """In Python's whole numbers, from the paper; its first output for seed 0 is public."""

    def mixed(state):
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            state = (state ^ (state >> shift)) * factor % 2**64
        return state ^ (state >> 31)

    assert mixed(0x9E3779B97F4A7C15) == 0xE220A8397B1DCDAF
    found = compiled(keys=[0, 2**64 - 1], rows=50)[2]
    for i, key in enumerate((0, 2**64 - 1)):
        right = [
            (mixed((key + j * 0x9E3779B97F4A7C15) % 2**64) >> 11) * 2.0**-53 for j in range(50)
        ]
        np.testing.assert_array_equal(found[i], right)
