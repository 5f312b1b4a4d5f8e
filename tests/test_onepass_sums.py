"""What the pass sums up, as properties: parts, order, scale, weights, draws, single precision."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutants import PASS_MUTANTS, pass_by_numpy
from onepass_checks import CHECKS, FAMILIES, PRODUCT
from onepass_problems import EPS, Part, Problem, normalised, random_problem

import unmix
from unmix.onepass.chunks import make_chunk

SEEDS = st.integers(0, 2**32 - 1)
KINDS = st.sampled_from([*FAMILIES, PRODUCT, "MvNormal+Bernoulli"])
few = settings(max_examples=25, deadline=None, derandomize=True)


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_the_pass(check):
    check(Problem.run)


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_numpy_passes_the_checks_too(check):
    """So that a mutant is rejected for its mistake."""
    check(pass_by_numpy)


@pytest.mark.parametrize("mutant", PASS_MUTANTS, ids=lambda f: f.__name__)
def test_mutants_are_rejected(mutant):
    with pytest.raises(AssertionError):
        CHECKS[PASS_MUTANTS[mutant]](mutant)


@few
@given(KINDS, SEEDS, st.integers(1, 1100), st.integers(1, 6), st.integers(1, 5))
def test_any_shape(families, seed, n, d, k):
    problem = random_problem(families, np.random.default_rng(seed), n, d, k, weighted=seed % 2 == 0)
    problem.require(problem.run())


@few
@given(KINDS, SEEDS)
def test_permuting_components_permutes_sums(families, seed):
    rng = np.random.default_rng(seed)
    problem = random_problem(families, rng, 200, 3, 4)
    order = rng.permutation(4)
    moved = Problem(
        [Part(p.family, p.x, tuple(v[order] for v in p.theta)) for p in problem.parts],
        problem.log_w[order],
    )
    one, other = problem.run(), moved.run()
    moved.require(other)
    # The sum over components is taken in another order: a rounding of each responsibility.
    np.testing.assert_allclose(other.n, one.n[order], rtol=1e-13, atol=1e-13)


@few
@given(SEEDS, st.sampled_from(["Normal", "MvNormal"]), st.integers(-30, 30), st.integers(-8, 8))
def test_other_units(seed, family, power, shift):
    """Data in units of 2^power, moved by eighths: exact operations, so only the sums round."""
    rng = np.random.default_rng(seed)
    d, unit = 3, 2.0**power
    problem = random_problem(family, rng, 300, d)
    part = problem.parts[0]
    mu, scale = np.round(part.theta[0], 3), part.theta[1]
    x = np.round(part.x * 2**20) / 2**20
    mu = np.round(mu * 2**20) / 2**20
    here = Problem([Part(family, x, (mu, scale))], problem.log_w)
    there = Problem(
        [Part(family, (x + shift / 8) * unit, ((mu + shift / 8) * unit, scale * unit))],
        problem.log_w,
    )
    one, other = here.run(), there.run()
    # The constants hold log σ in other units; everything else is the same to the bit or a rounding.
    change = 300 * d * power * np.log(2)
    size = abs(one.log_marginal) + abs(change)
    assert abs(other.log_marginal + change - one.log_marginal) <= 300 * EPS * size
    np.testing.assert_allclose(other.n, one.n, rtol=0, atol=1e-10)
    powers = np.where(np.arange(one.statistics.shape[1]) < d, unit, unit**2)
    size = np.abs(one.statistics[:, d:]).max() + np.abs(one.statistics).max()
    np.testing.assert_allclose(other.statistics / powers, one.statistics, rtol=0, atol=1e-11 * size)


@few
@given(KINDS, SEEDS)
def test_repeated_rows_are_weights(families, seed):
    rng = np.random.default_rng(seed)
    problem = random_problem(families, rng, 80, 2, 3)
    times = rng.integers(0, 4, 80)
    problem.weight = times.astype(float)
    repeated = Problem(
        [Part(p.family, np.repeat(p.x, times, axis=1), p.theta) for p in problem.parts],
        problem.log_w,
    )
    if times.sum():
        repeated.require(problem.run())  # the other's answer


def test_the_same_bits_for_a_number_of_threads():
    problem = random_problem("MvNormal", np.random.default_rng(1), 20000, 5)
    for threads in (1, 2, 3):
        onepass = problem.onepass(threads=threads)
        one = onepass.run(problem.log_w, problem.packed)
        for _ in range(5):
            other = onepass.run(problem.log_w, problem.packed)
            assert one.log_marginal == other.log_marginal
            np.testing.assert_array_equal(one.n, other.n)
            np.testing.assert_array_equal(one.statistics, other.statistics)


def test_sums_add():
    problem = random_problem(PRODUCT, np.random.default_rng(2), 900)
    left, right = (
        problem.onepass(cuts=(300,)).__class__(problem.recognised(), [chunk])
        for chunk in problem.onepass(cuts=(300,)).chunks
    )
    added = left.run(problem.log_w, problem.packed) + right.run(problem.log_w, problem.packed)
    problem.require(added)
    with pytest.raises(ValueError, match="different parameters"):
        added + left.run(problem.log_w, problem.packed + 1)


def test_sums_with_given_weights():
    rng = np.random.default_rng(3)
    for family in (*FAMILIES, PRODUCT):
        problem = random_problem(family, rng, 1400, weighted=True)
        rows = rng.permutation(1400)[:700]
        r = rng.dirichlet(np.ones(3), size=700)
        sums = problem.onepass().given(r, rows, problem.packed)
        a = np.zeros((1400, 3))
        a[rows] = r * problem.weight[rows, None]
        n, statistics, sizes = problem.sums_of(a)
        np.testing.assert_allclose(sums.n, n, rtol=700 * EPS)
        np.testing.assert_array_less(np.abs(sums.statistics - statistics), 710 * EPS * sizes)


def test_responsibilities():
    """Bayes' rule for every row, at several draws, over chunks; NaN where no component can be."""
    rng = np.random.default_rng(8)
    for family in (*FAMILIES, PRODUCT):
        draws = [random_problem(family, rng, 700, d=2) for _ in range(2)]
        draws[1].parts = [
            Part(a.family, a.x, b.theta)
            for a, b in zip(draws[0].parts, draws[1].parts, strict=True)
        ]
        log_w = np.stack([p.log_w for p in draws])
        packed = np.stack([p.packed for p in draws])
        log_marginal, r = draws[0].onepass(cuts=(5, 600)).responsibilities(log_w, packed)
        for s, problem in enumerate(draws):
            right = normalised(problem.log_joint())
            # As in `Problem.require`, a row at a time.
            close = EPS * (8 + 4 * (problem.size() + np.abs(problem.log_w).max()))
            np.testing.assert_allclose(log_marginal[s], right[0].astype(float), rtol=0, atol=close)
            np.testing.assert_allclose(r[s], right[1].astype(float), rtol=0, atol=close)
    never = Problem([Part("Poisson", np.array([[0, 3]]), (np.zeros((2, 1)),))], np.log([0.5, 0.5]))
    log_marginal, r = never.onepass().responsibilities(never.log_w[None], never.packed[None])
    np.testing.assert_array_equal(log_marginal, [[0.0, -np.inf]])
    np.testing.assert_array_equal(r, [[[0.5, 0.5], [np.nan, np.nan]]])


@pytest.mark.parametrize("key", [np.uint64(2**64 - 1), np.int64(3), 2**64 - 1, 0])
def test_keys_of_any_integer_type(key):
    problem = random_problem("Normal", np.random.default_rng(4), 50)
    z, again = np.zeros(50, np.uint8), np.zeros(50, np.uint8)
    problem.run("sampled", key=key, z=z)
    problem.run("sampled", key=int(key), z=again, cuts=(13,))
    np.testing.assert_array_equal(z, again)


# -- single precision ------------------------------------------------------------------------------


@pytest.mark.parametrize("centre", [0.0, 1e6, -1e12])
@pytest.mark.parametrize("family", ["Normal", "MvNormal", "Exponential"])
def test_single_precision_holds_the_spread(family, centre):
    """Stored to 2^-24 of the distance from the mean; computed on what is stored to rounding."""
    rng = np.random.default_rng(5)
    problem = random_problem(family, rng, 900, 3)
    part = problem.parts[0]
    if family == "Exponential":
        part = Part(family, part.x + abs(centre), part.theta)
    else:
        part = Part(family, part.x + centre, (part.theta[0] + centre, part.theta[1]))
    problem.parts = [part]
    chunk = problem.onepass(dtype=np.float32).chunks[0]
    assert chunk.x.dtype == np.float32
    stored = chunk.x + chunk.centre[:, None]
    far = np.abs(part.x - chunk.centre[:, None]).max()
    # One rounding to single precision of the distance; two to double of the value.
    assert np.abs(stored - part.x).max() <= 2.0**-24 * far + 4 * EPS * np.abs(part.x).max()
    as_stored = Problem([Part(family, stored, part.theta)], problem.log_w)
    as_stored.require(problem.run(dtype=np.float32))


def test_single_precision_keeps_whole_numbers_exactly():
    """A zero count times a log-rate of −inf, and a level one too low, would be wrong answers."""
    rng = np.random.default_rng(6)
    for family in ("Poisson", "Bernoulli", "Categorical", PRODUCT):
        problem = random_problem(family, rng, 900, 3)
        for p in problem.parts:
            if p.family != "Normal":
                p.x[0] = np.where(np.arange(900) % 3, p.x[0], 0)
        chunk = problem.onepass(dtype=np.float32).chunks[0]
        whole = np.concatenate([np.full(p.d, p.family != "Normal") for p in problem.parts])
        assert (chunk.centre[whole] == 0).all()
        np.testing.assert_array_equal(chunk.x[whole], problem.columns[whole])
    rates = Problem(
        [Part("Poisson", np.zeros((1, 5)), (np.array([[0.0], [2.0]]),))], np.log([0.5, 0.5])
    )
    rates.require(rates.run(dtype=np.float32))


@pytest.mark.parametrize("scale", [1e-40, 1e200])
def test_single_precision_refuses_what_it_cannot_hold(scale):
    with pytest.raises(unmix.UnmixError, match="store it as float64"):
        make_chunk(np.random.default_rng(7).normal(size=(1, 20)) * scale, dtype=np.float32)


def test_a_row_that_no_component_can_explain_is_assigned_to_none():
    """In the second block, where the row before it in memory was assigned to component 1."""
    x = np.repeat([[0], [30]], 1100, axis=1)
    x[0, [600, 1099]] = 3
    rates = np.array([[0.0, 2.0], [0.0, 30.0]])
    problem = Problem([Part("Poisson", x, (rates,))], np.log([0.5, 0.5]))
    for mode in ("expected", "sampled", "hard"):
        z = np.full(1100, 9, np.uint8)
        sums = problem.run(mode, key=3, z=None if mode == "expected" else z)
        assert sums.log_marginal == -np.inf
        # 1098 responsibilities, each rounded.
        assert abs(sums.n.sum() - 1098) < 1098 * 1098 * EPS
        assert np.isfinite(sums.statistics).all()
        if mode != "expected":
            assert (np.flatnonzero(z == 0) == [600, 1099]).all()
    problem.weight = np.where(x[0] > 0, 0.0, 2.0)
    problem.require(problem.run())
