"""The statistics of the cross-check: right by brute force, calm on right draws, awake on wrong.

Rejections under the null are counted in test_check_calibration_slow.py; here seeds are fixed.
"""

from itertools import pairwise

import mutants
import numpy as np
import pytest
from check_problems import far_apart, old_faithful_like, overlapping, sampled
from hypothesis import given, settings
from hypothesis import strategies as st
from mutants import drawn, normal_responsibilities
from scipy import stats

from unmix.check import batches, fresh_tests, tails
from unmix.check.dependent import DependentDraws
from unmix.check.dirichlet import dirichlet_identity
from unmix.check.fresh import FreshDraws
from unmix.check.in_words import TERMS, in_words
from unmix.check.verdict import TestOutcome, judge
from unmix.errors import UnmixError

# Sums of at most 10⁵ numbers of size 1 to 10 in another order: 1e-16 each, 1e-11 at worst.
ROUNDING = 1e-9


def random_table(rng, n_draws, n, k, sharpness=2.0):
    """Responsibilities that move from draw to draw and differ from row to row."""
    log_r = sharpness * (rng.standard_normal((n, k)) + 0.3 * rng.standard_normal((n_draws, n, k)))
    r = np.exp(log_r)
    return r / r.sum(axis=2, keepdims=True)


def fed(r, z, chains, *, blocks=1, **options):
    """A FreshDraws of the whole, chain by chain, each in so many blocks."""
    check = FreshDraws(*r.shape[1:], **options)
    for chain in np.array_split(np.arange(len(r)), chains):
        check.new_chain()
        for block in np.array_split(chain, blocks):
            check.update(r[block], z[block])
    return check


def outcomes(check):
    return {o.name: o for o in check.tests()}


def verdict_on(check):
    tests = check.tests()
    made = sum(o.made for o in tests)
    return judge(
        tests,
        kind="fresh",
        smallest_effect=check.smallest_effect(n_tests=made),
        from_table=False,
        n_recomputed=100,
        worst_cells=check.worst_cells(),
    ).verdict


# --- by brute force -----------------------------------------------------------------------------


def differences(r, z):
    """D and the covariances C, (draw, obs, component[, component]), by their definitions."""
    k = r.shape[2]
    d = (z[..., None] == np.arange(k)) - r
    c = np.array([[np.diag(row) - np.outer(row, row) for row in draw] for draw in r])
    return d, c


# As much of tiles and blocks as can go wrong: one tile, several tiles of rows, of draws, one draw
# at a time, rows kept in part, pools thinned, one row, one component.
SHAPES = {
    "small": (60, 7, 3, {}),
    "two components": (90, 5, 2, {}),
    "pairs of every third row": (90, 70, 4, {"max_pair_sums": 150}),
    "pools of every third draw": (50, 6, 3, {"pool_every": 3}),
    "one row": (80, 1, 3, {}),
    "one draw a chain": (3, 300, 3, {}),
    "many rows": (20, 1500, 2, {}),
    "one component": (5, 4, 1, {}),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("tile", [32768, 64])
def test_every_statistic_is_its_definition(name, tile, monkeypatch):
    monkeypatch.setattr("unmix.check.fresh._TILE", tile)
    n_draws, n, k, options = SHAPES[name]
    rng = np.random.default_rng(7)
    r = random_table(rng, n_draws, n, k)
    z = drawn(rng, r)
    chains = 3
    check = fed(r, z, chains, blocks=2, **options)
    got = outcomes(check)
    d, c = differences(r, z)

    s, v = d.sum(axis=0), c.sum(axis=0)
    np.testing.assert_allclose(check.excess.T, s, rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(check.variance.T, np.einsum("ikk->ik", v), rtol=0, atol=ROUNDING)

    # Row chi-square in the directions with variance enough.
    step = -(-n * (k * (k - 1) // 2) // options.get("max_pair_sums", 2**18)) or 1
    q, ranks = 0.0, 0
    for i in range(0, n, step):
        values, vectors = np.linalg.eigh(v[i])
        kept = values >= 20
        q += ((vectors.T @ s[i])[kept] ** 2 / values[kept]).sum()
        ranks += kept.sum()
    row = got["row chi-square"]
    assert row.n_used == ranks
    if ranks:
        assert row.statistic * ranks == pytest.approx(q, rel=ROUNDING)

    # Draw chi-square: close a run of draws as soon as its variance reaches 10.
    every = options.get("pool_every", 1)
    chi2, runs = np.zeros(k), np.zeros(k, dtype=int)
    for j in range(k):
        excess = variance = 0.0
        for t in range(0, n_draws, every):
            excess += d[t, :, j].sum()
            variance += c[t, :, j, j].sum()
            if variance >= 10:
                chi2[j] += excess**2 / variance
                runs[j] += 1
                excess = variance = 0.0
    expected = fresh_tests.draw_chi_square(chi2, runs)
    assert got["draw chi-square"].n_used == expected.n_used
    assert got["draw chi-square"].statistic == pytest.approx(
        expected.statistic, rel=ROUNDING, nan_ok=True
    )

    # Pooled sums and their variances.
    g = np.log(r + 0.001)
    pooled = range(0, n_draws, every)
    score = sum((d[t] * g[t]).sum() for t in pooled)
    score_variance = sum(g[t, i] @ c[t, i] @ g[t, i] for t in pooled for i in range(n))
    np.testing.assert_allclose(
        check._score, [score, score_variance, n * len(pooled)], rtol=0, atol=ROUNDING * n_draws * n
    )
    follows = [
        (before, t)
        for chain in np.array_split(np.arange(n_draws), chains)
        for before, t in pairwise(chain)
        if t % every == 0
    ]
    lag = [
        sum(d[u, i] @ d[t, i] for u, t in follows for i in range(n)),
        sum(d[u, i] @ c[t, i] @ d[u, i] for u, t in follows for i in range(n)),
        len(follows) * n,
    ]
    np.testing.assert_allclose(check._lag, lag, rtol=0, atol=ROUNDING * n_draws * n)
    neighbour = [
        sum(d[t, i] @ d[t, i + 1] for t in pooled for i in range(n - 1)),
        sum(d[t, i] @ c[t, i + 1] @ d[t, i] for t in pooled for i in range(n - 1)),
        len(pooled) * (n - 1),
    ]
    np.testing.assert_allclose(check._neighbour, neighbour, rtol=0, atol=ROUNDING * n_draws * n)


def test_lag_products_do_not_cross_chains():
    rng = np.random.default_rng(1)
    r = random_table(rng, 40, 5, 3)
    z = drawn(rng, r)
    assert fed(r, z, 4)._lag[2] == 36 * 5
    assert fed(r, z, 1)._lag[2] == 39 * 5


@pytest.mark.parametrize("rows", [(0, 0, 0), (0, 0, 1)])
def test_rare_cells_by_hand(rows):
    """Two rows of certain component 0, three z in component 1 where 0.02 were expected."""
    r = np.tile([0.999, 0.001], (10, 2, 1))
    z = np.zeros((10, 2), dtype=int)
    z[[1, 5, 3], rows] = 1

    def bound(count, mean):
        v = mean * 0.999
        u = (count - mean) / v
        return np.exp(-v * ((1 + u) * np.log1p(u) - u))

    pool, cell = bound(3, 0.02), 2 * bound(rows.count(0), 0.01)  # the worse of two cells
    assert (cell < pool) == (rows == (0, 0, 0))
    # Two sides; Bonferroni over the pool and the worst cell.
    p = outcomes(fed(r, z, 1))["rare cells"].p_value
    assert p == pytest.approx(4 * min(pool, cell), rel=1e-6)


def test_p_values_of_chi_squares_by_hand():
    high = fresh_tests.draw_chi_square(np.array([24.0, 60.0, 30.0]), np.array([30, 30, 0]))
    assert high.p_value == pytest.approx(2 * 2 * stats.chi2.sf(60, 30))
    low = fresh_tests.draw_chi_square(np.array([9.0, 9.0]), np.array([30, 30]))
    assert low.p_value == pytest.approx(2 * stats.chi2.cdf(9, 30))
    few = fresh_tests.draw_chi_square(np.array([0.1, 0.1]), np.array([19, 19]))
    assert few.p_value == pytest.approx(1)


def test_every_limit_is_explained():
    """The words in a reference are those that `in_words` looks for."""
    one, many = np.full((2, 1), 1.0), np.full((2, 1), 100.0)
    made = {
        "chi-square": fresh_tests.draw_chi_square(np.ones(2), np.array([4, 4])),
        "Poisson tail": fresh_tests.pooled_sum("log-score", 1, 100, 100, catches=""),
        "Bennett–Freedman": fresh_tests.rare_cells(one, one, np.array([[1.0], [9.0]])),
        "Bonferroni": fresh_tests.worst_cell(one, many),
    }
    for term, outcome in made.items():
        assert TERMS[term] in in_words([outcome.reference])
    assert TERMS["Bennett–Freedman"] not in in_words([made["Poisson tail"].reference])
    assert in_words([]) == ()


def test_p_value_of_the_worst_cell_by_hand():
    """Poisson tails at variance 25; twice for two sides, and once for each cell that could be."""
    s, v = np.array([[10.0, -5.0], [-8.0, 3.0], [-2.0, 2.0]]), np.full((3, 2), 25.0)
    v[2, 1] = 9.0
    one = 2 * stats.poisson.sf(25 + 10 - 1, 25)
    three = fresh_tests.worst_cell(s, v)
    assert three.n_used == 5
    assert three.statistic == 2
    # 2 % is more than the saddlepoint's error at this mean.
    assert three.p_value == pytest.approx(5 * one, rel=0.02)
    two = fresh_tests.worst_cell(np.array([[10.0, 3.0], [-10.0, -3.0]]), np.full((2, 2), 25.0))
    assert two.p_value == pytest.approx(2 * one, rel=0.02)


@pytest.mark.parametrize("total", [60.0, -60.0, 3.0, -3.0])
@pytest.mark.parametrize("variance", [1.0, 600.0])
def test_p_value_of_a_pooled_sum_uses_the_jump_on_its_side(total, variance):
    got = fresh_tests.pooled_sum(
        "sum", total, variance, 10.0, jump_up=0.5, jump_down=7.0, catches=""
    )
    jump = 0.5 if total > 0 else 7.0
    sharp = variance >= 10 * jump**2
    tail = tails.log_poisson_tail if sharp else tails.log_bennett
    assert ("Poisson" in got.reference) == sharp
    expected = min(1.0, 2 * np.exp(tail(abs(total), variance, jump)))
    assert got.p_value == pytest.approx(expected, rel=ROUNDING)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(2, 6))
def test_no_score_or_product_jumps_further_than_claimed(seed, k):
    rng = np.random.default_rng(seed)
    r = rng.dirichlet(np.full(k, 10.0 ** rng.uniform(-3, 1)), size=500)
    g = np.log(r + 0.001)
    jumps = g - (r * g).sum(axis=1, keepdims=True)
    up, down = score_jumps(k)
    assert jumps.max() <= up
    assert -jumps.min() <= down
    d = np.eye(k)[rng.integers(0, k, 500)] - r
    assert np.abs((d[1:] * d[:-1]).sum(axis=1)).max() <= 2


def score_jumps(k):
    """What FreshDraws hands to `pooled_sum` for the log-score."""
    seen = {}

    def spy(name, *sums, jump_up=2.0, jump_down=2.0, catches):
        seen[name] = jump_up, jump_down
        return outcome(0.5, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fresh_tests, "pooled_sum", spy)
        FreshDraws(3, k).tests()
    return seen["log-score"]


# --- tails ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "p"), [(4000, 0.0025), (112, 0.1), (400, 0.5), (112, 0.9)])
@pytest.mark.parametrize("deviations", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("sign", [1, -1])
def test_tails_are_not_below_the_binomials(n, p, deviations, sign):
    mean, variance = n * p, n * p * (1 - p)
    count = np.round(mean + sign * deviations * np.sqrt(variance))
    exact = stats.binom.sf(count - 1, n, p) if sign > 0 else stats.binom.cdf(count, n, p)
    s = abs(count - mean)
    sharp = np.exp(tails.log_poisson_tail(s, variance, counts=True))
    assert sharp >= exact
    assert np.exp(tails.log_bennett(s, variance)) >= exact


@pytest.mark.parametrize("deviations", [1, 2, 3, 4, 5, 6])
def test_saddlepoint_is_sharp_where_jumps_are_rare(deviations):
    """A Poisson count's tail, scaled by a jump of 3; at mean 10 it is off by 2.3 % at most."""
    mean = 10.0
    count = np.round(mean + deviations * np.sqrt(mean))
    exact = stats.poisson.sf(count - 1, mean)
    s = count - mean
    assert np.exp(tails.log_poisson_tail(s, mean, counts=True)) == pytest.approx(exact, rel=0.03)
    unit, scaled = (tails.log_poisson_tail(b * s, b * b * mean, b) for b in (1.0, 3.0))
    assert scaled == pytest.approx(unit, rel=ROUNDING)


def test_bennett_is_its_formula_and_has_its_limits():
    u = 2.5
    assert tails.log_bennett(2.5, 1.0) == pytest.approx(-((1 + u) * np.log(1 + u) - u))
    # Below 1e-4 a series; the plain formula loses some 1e-16 / u² there, 1e-8 of h.
    u = 9.9e-5
    assert tails.bennett_exponent(u) == pytest.approx((1 + u) * np.log1p(u) - u, rel=1e-7, abs=0)
    assert tails.log_bennett(0.0, 0.0) == 0
    assert tails.log_bennett(1.0, 0.0) == -np.inf


# --- what must not matter -------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(2, 5), data=st.data())
def test_names_of_components_do_not_matter(seed, k, data):
    rng = np.random.default_rng(seed)
    r = random_table(rng, 100, 12, k, sharpness=rng.uniform(0.5, 4))
    z = drawn(rng, r)
    order = np.array(data.draw(st.permutations(range(k))))
    renamed = outcomes(fed(r[:, :, order], np.argsort(order)[z], 2))
    for name, outcome in outcomes(fed(r, z, 2)).items():
        # p-values magnify the rounding of a statistic by its size in standard deviations, squared.
        assert renamed[name].p_value == pytest.approx(outcome.p_value, rel=1e-6, nan_ok=True)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), blocks=st.integers(1, 30), every=st.integers(1, 4))
def test_how_the_stream_is_cut_does_not_matter(seed, blocks, every):
    rng = np.random.default_rng(seed)
    r = random_table(rng, 90, 9, 3)
    z = drawn(rng, r)
    whole = outcomes(fed(r, z, 3, pool_every=every))
    for name, outcome in outcomes(fed(r, z, 3, blocks=blocks, pool_every=every)).items():
        assert outcome.statistic == pytest.approx(whole[name].statistic, rel=1e-6, nan_ok=True)
        assert outcome.p_value == pytest.approx(whole[name].p_value, rel=1e-6, nan_ok=True)


# --- verdicts -------------------------------------------------------------------------------------
# Seeds are fixed; over all seeds a null run would be called inconsistent once in a hundred.


@pytest.mark.parametrize("make", [overlapping, old_faithful_like])
def test_right_draws_are_consistent(make):
    rng = np.random.default_rng(11)
    theta = make(rng)
    r = normal_responsibilities(theta)
    assert verdict_on(fed(r, drawn(rng, r), 2)) == "consistent"


def test_components_ten_sd_apart_say_too_little():
    rng = np.random.default_rng(11)
    r = normal_responsibilities(far_apart(rng))
    assert verdict_on(fed(r, drawn(rng, r), 2)) == "too little information"


@pytest.mark.parametrize("name", mutants.DRAWING)
def test_wrong_draws_are_inconsistent(name):
    """At n = 100 and 2,000 draws each mutant is caught with near certainty (slow tests)."""
    rng = np.random.default_rng(5)
    theta = overlapping(rng, n=100, n_draws=2000)
    r = normal_responsibilities(theta)
    z = mutants.DRAWING[name](rng, r, theta)
    assert verdict_on(fed(r, z, 2)) == "inconsistent"


@pytest.mark.parametrize(
    ("mutant", "test"),
    [
        ("quasi_random", "row chi-square"),
        ("two_chains_with_one_seed", "row chi-square"),
        ("two_threads_with_one_seed", "draw chi-square"),
        ("variance_for_sd", "worst cell"),
        ("likelihood_tempered", "log-score"),
        ("sticky", "lag-1 products"),
        ("one_uniform_for_all_rows", "neighbouring rows"),
    ],
)
def test_each_test_catches_what_it_is_there_for(mutant, test):
    rng = np.random.default_rng(6)
    theta = overlapping(rng, n=100, n_draws=2000)
    r = normal_responsibilities(theta)
    z = mutants.DRAWING[mutant](rng, r, theta)
    assert outcomes(fed(r, z, 2))[test].p_value < 0.01 / 8


def test_rare_cells_catch_wrong_tails():
    """Components 6 sd apart; one draw in five hundred goes astray."""
    rng = np.random.default_rng(8)
    r = normal_responsibilities(far_apart(rng, gap=10.0))
    z = drawn(rng, np.where(r < 0.5, np.maximum(r, 0.002), np.minimum(r, 0.998)))
    assert outcomes(fed(r, z, 2))["rare cells"].p_value < 0.01 / 8


def test_one_impossible_draw_fails():
    r = np.tile([1.0, 0.0], (50, 4, 1))
    r[:, 2:] = [0.6, 0.4]
    z = drawn(np.random.default_rng(2), r)
    z[30, 1] = 1
    check = fed(r, z, 2)
    assert outcomes(check)["impossible draws"].p_value == 0
    assert verdict_on(check) == "inconsistent"
    assert check.worst_cells(1)[0][:2] == (1, 1)


def test_certain_rows_say_nothing():
    r = np.tile([1.0, 0.0], (50, 4, 1))
    check = fed(r, np.zeros((50, 4), dtype=int), 2)
    made = {name for name, o in outcomes(check).items() if o.made}
    assert made == {"impossible draws"}
    assert check.smallest_effect() == np.inf
    assert check.worst_cells() == []
    assert verdict_on(check) == "too little information"


@pytest.mark.parametrize("shape", [(0, 3, 2), (1, 3, 2), (1, 1, 1), (2, 1, 2)])
def test_few_draws_say_too_little(shape):
    r = np.full(shape, 1 / shape[2])
    check = fed(r, np.zeros(shape[:2], dtype=int), 1)
    assert verdict_on(check) == "too little information"


def test_worst_cells_are_worst_first_and_one_a_row():
    rng = np.random.default_rng(3)
    r = random_table(rng, 400, 20, 3, sharpness=0.5)
    z = drawn(rng, r)
    z[:, 13] = 2
    worst = fed(r, z, 1).worst_cells(4)
    assert worst[0].obs == 13
    assert len({c.obs for c in worst}) == 4
    assert [c.p_value for c in worst] == sorted(c.p_value for c in worst)
    assert worst[0].expected == pytest.approx(r[:, 13, worst[0].component].sum())
    assert worst[0].observed == (z[:, 13] == worst[0].component).sum()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r, z: (r[:, :-1], z), "shape"),
        (lambda r, z: (r, z[:-1]), "integers of shape"),
        (lambda r, z: (r, z.astype(float)), "integers of shape"),
        (lambda r, z: (r, z + 1), "components are 0 to 2"),
        (lambda r, z: (r * 1.001, z), "sum to one"),
        (lambda r, z: (np.where(np.arange(5)[:, None] == 3, np.nan, r), z), "obs 3 in draw 0"),
        (lambda r, z: (r + np.array([0.5, -0.5, 0]), z), "non-negative"),
    ],
)
def test_what_cannot_be_used_is_refused(change, message):
    rng = np.random.default_rng(3)
    r = rng.dirichlet([1, 1, 1], size=(6, 5)) * 0.9 + 0.1 / 3
    z = drawn(rng, r)
    z[0, 0] = 2
    for check in (FreshDraws(5, 3), DependentDraws(5, 3, n_chains=1, n_draws=6)):
        with pytest.raises(UnmixError, match=message):
            check.update(*change(r, z))


def outcome(p_value, name="a test"):
    return TestOutcome(name, 1.0, p_value, "in words", 10, "a fault")


@pytest.mark.parametrize(
    ("p_values", "effect", "verdict"),
    [
        ([0.5, 0.006], 0.1, "consistent"),
        ([0.5, 0.004], 0.1, "inconsistent"),
        ([0.004, np.nan, 0.5], 0.1, "inconsistent"),  # tests not made do not count
        ([0.5, 0.5], 0.3, "too little information"),
        ([0.5, 0.0], np.inf, "inconsistent"),
        ([np.nan], 0.1, "too little information"),
        ([0.5], np.nan, "too little information"),
        ([], 0.1, "too little information"),
    ],
)
def test_verdict(p_values, effect, verdict):
    result = judge(
        [outcome(p) for p in p_values], kind="fresh", smallest_effect=effect, from_table=True
    )
    assert result.verdict == verdict
    assert result.consistent == (verdict == "consistent")
    assert verdict in str(result)


def test_verdict_says_what_was_compared_with_what():
    said = {"kind": "fresh", "smallest_effect": 0.1}
    alone = judge([outcome(0.5)], from_table=True, **said)
    assert alone.checks_drawing_only
    assert "drawing only" in str(alone)
    assert any("wrong table" in sentence for sentence in alone.cannot_see)
    for other in (
        judge([outcome(0.5)], from_table=True, n_recomputed=20, **said),
        judge([outcome(0.5)], from_table=False, **said),
    ):
        assert not other.checks_drawing_only
        assert "drawing only" not in str(other)
    failed = judge([outcome(0.5), outcome(1e-5, "that one")], from_table=False, **said)
    assert "that one" in failed.reason
    with pytest.raises(UnmixError, match="level"):
        judge([], from_table=False, level=1.5, **said)


# --- z that depends on the z before ---------------------------------------------------------------


def dependent_check(theta, z):
    r = [normal_responsibilities(t) for t in theta]
    n_draws, n, k = r[0].shape
    check = DependentDraws(n, k, n_chains=len(r), n_draws=n_draws)
    for r_chain, z_chain in zip(r, z, strict=True):
        check.new_chain()
        for block in np.array_split(np.arange(n_draws), 3):
            check.update(r_chain[block], z_chain[block])
    return check


def test_batch_means_by_hand():
    rng = np.random.default_rng(1)
    series = rng.standard_normal((3, 104, 2))
    means = batches.batch_means(series)
    by_hand = [series[c, 20 * b : 20 * b + 20].mean(axis=0) for c in range(3) for b in range(5)]
    assert means.batches == 15
    t, p = stats.ttest_1samp(by_hand, 0)
    np.testing.assert_allclose(means.t, t, rtol=ROUNDING)
    np.testing.assert_allclose(means.p_value, p, rtol=1e-6)


@pytest.mark.parametrize(("memory", "scatter"), [(0.0, 0.02), (0.5, 0.047), (0.9, 0.094)])
def test_autocorrelation_time_of_an_autoregression(memory, scatter):
    """τ = (1 + ρ) / (1 − ρ), to four times the relative scatter measured over 40 seeds."""
    rng = np.random.default_rng(4)
    noise = rng.standard_normal((4, 5000, 1))
    series = noise.copy()
    for t in range(1, 5000):
        series[:, t] = memory * series[:, t - 1] + noise[:, t]
    tau = batches.autocorrelation_time(series)[0]
    assert tau == pytest.approx((1 + memory) / (1 - memory), rel=4 * scatter)


def test_chains_that_disagree_or_are_short_have_no_error():
    rng = np.random.default_rng(4)
    series = rng.standard_normal((4, 500, 1))
    assert batches.batch_means(series).batches == 20
    apart = series + np.arange(4)[:, None, None]
    assert batches.batch_means(apart).batches == 0
    assert batches.batch_means(series[:, :45]).batches == 0
    assert np.isnan(batches.batch_means(series[:, :45]).p_value).all()


def test_dependent_sums_are_their_definitions():
    rng = np.random.default_rng(9)
    n_draws, n, k, chains = 103, 4, 3, 2
    r = random_table(rng, chains * n_draws, n, k).reshape(chains, n_draws, n, k)
    z = np.stack([drawn(rng, table) for table in r])
    check = DependentDraws(n, k, n_chains=chains, n_draws=n_draws)
    for r_chain, z_chain in zip(r, z, strict=True):
        check.new_chain()
        for block in np.array_split(np.arange(n_draws), 7):
            check.update(r_chain[block], z_chain[block])
    d = (z[..., None] == np.arange(k)) - r
    score = d * np.log(r + 0.001)
    totals, parts = d.sum(axis=2), score.sum(axis=2)
    series = np.concatenate((totals, parts.sum(axis=2, keepdims=True), parts), axis=2)
    np.testing.assert_allclose(check._batch_means().mean, batches.batch_means(series).mean)
    batch = batches.batched(d, 5) * (n_draws // 5)
    np.testing.assert_allclose(check._batch_squares.T, (batch**2).sum(axis=0), atol=ROUNDING)
    # The fresh variances, from the covariances.
    flat_r, flat_z = r.reshape(-1, n, k), z.reshape(-1, n)
    _, c = differences(flat_r, flat_z)
    g = np.log(flat_r + 0.001)
    spread = np.einsum("tikk->tik", c)
    expected = [
        *spread.sum(axis=(0, 1)),
        np.einsum("tik,tikl,til->", g, c, g),
        *(spread * g**2).sum(axis=(0, 1)),
    ]
    np.testing.assert_allclose(check._fresh_variance, expected, rtol=ROUNDING)


@pytest.fixture(scope="module")
def metropolis_run():
    """Forty points of three overlapping components, z by PyMC's kind of step; right throughout."""
    rng = np.random.default_rng(21)
    x = overlapping(rng, n=40, n_draws=2).x
    return sampled(rng, x, n_components=3, n_draws=1000, fresh=False)


def test_dependent_draws_are_consistent_where_fresh_tests_would_refuse(metropolis_run):
    theta, z = metropolis_run
    check = dependent_check(theta, z)
    result = judge(
        check.tests(),
        kind="dependent",
        smallest_effect=check.smallest_effect(),
        from_table=False,
        worst_cells=check.worst_cells(),
    )
    assert result.verdict == "consistent", str(result)
    as_if_fresh = FreshDraws(40, 3)
    for t, z_chain in zip(theta, z, strict=True):
        as_if_fresh.new_chain()
        as_if_fresh.update(normal_responsibilities(t), z_chain)
    assert verdict_on(as_if_fresh) == "inconsistent"


@pytest.mark.parametrize("name", ["variance_for_sd", "weights_forgotten", "likelihood_tempered"])
def test_dependent_draws_from_a_wrong_table_are_inconsistent(name):
    """Power at this size is 1; for a likelihood to the power 1.05 it is not, so 1.25 here."""
    table = mutants.TABLES[name]
    if name == "likelihood_tempered":

        def table(theta):
            return mutants._normalised(
                np.log(theta.w)[:, None] + 1.25 * mutants._log_likelihood(theta)
            )

    rng = np.random.default_rng(22)
    x = overlapping(rng, n=60, n_draws=2).x
    theta, z = sampled(rng, x, n_components=3, n_draws=1000, fresh=False, table=table)
    check = dependent_check(theta, z)
    result = judge(
        check.tests(), kind="dependent", smallest_effect=check.smallest_effect(), from_table=False
    )
    assert result.verdict == "inconsistent", str(result)


def test_dependent_draws_too_short_or_certain_say_too_little(metropolis_run):
    theta, z = metropolis_run
    short = dependent_check(
        [mutants.Normals(t.x, *(a[:60] for a in t[1:])) for t in theta],
        [z_chain[:60] for z_chain in z],
    )
    assert short.smallest_effect() == np.inf
    assert {o.name for o in short.tests() if o.made} == {"impossible draws"}
    assert short.worst_cells() == []


def test_dependent_errors_are_never_below_those_of_fresh_draws():
    """z flips at every draw, as PyMC's step for two components does where r is a half."""
    flips = np.arange(100)[:, None] % 2
    z = np.array([(flips + start) % 2 for start in (0, 1)] * 2)
    z[0, :3] = 1
    check = DependentDraws(1, 2, n_chains=4, n_draws=100)
    for z_chain in z:
        check.new_chain()
        check.update(np.full((100, 1, 2), 0.5), z_chain)
    assert check.excess[0] == -2
    totals, *_, cell, _ = check.tests()
    expected = -2 / np.sqrt(400 * 0.25)
    assert totals.statistic == pytest.approx(expected)
    assert totals.p_value == pytest.approx(2 * stats.t.sf(-expected, 19))
    # The cell's error is its batches' own, if that is larger.
    assert cell.statistic == pytest.approx(expected)


def test_dependent_worst_cell_by_hand(metropolis_run):
    theta, z = metropolis_run
    check = dependent_check(theta, z)
    r = np.stack([normal_responsibilities(t) for t in theta])
    d = (np.stack(z)[..., None] == np.arange(3)) - r
    own = stats.sem(batches.batched(d, 5), axis=0)
    time = check._batch_means().time
    fresh = np.sqrt(time * (r * (1 - r)).sum(axis=(0, 1))) / 4000
    error = np.maximum(own, fresh)
    assert (own > fresh).any()
    np.testing.assert_allclose(check._cell_errors(check._batch_means()).T, 4000 * error)
    t = d.mean(axis=(0, 1)) / error
    t[(r * (1 - r)).sum(axis=(0, 1)) < 10 * time] = 0
    cell = check.tests()[3]
    assert abs(cell.statistic) == pytest.approx(np.abs(t).max(), rel=1e-6)
    p = 2 * stats.t.sf(np.abs(t).max(), 19) * (t != 0).sum()
    assert cell.p_value == pytest.approx(min(1, p), rel=1e-6)


def test_dependent_draws_hardly_in_doubt_are_not_tested():
    rng = np.random.default_rng(11)
    check = DependentDraws(200, 2, n_chains=4, n_draws=500)
    for _ in range(4):
        r = normal_responsibilities(far_apart(rng, n_draws=500, gap=12.0))
        check.new_chain()
        check.update(r, drawn(rng, r))
    assert {o.name for o in check.tests() if o.made} == {"impossible draws"}
    assert check.smallest_effect() == np.inf


def test_dependent_chains_must_be_complete():
    check = DependentDraws(2, 2, n_chains=2, n_draws=10)
    r, z = np.full((6, 2, 2), 0.5), np.zeros((6, 2), dtype=int)
    check.update(r, z)
    with pytest.raises(UnmixError, match="6 draws"):
        check.new_chain()
    with pytest.raises(UnmixError, match="12 draws"):
        check.update(r, z)
    with pytest.raises(UnmixError, match="should be 2 with 10"):
        check.tests()


# --- the weights' own identity --------------------------------------------------------------------


def identity_of(theta, table=normal_responsibilities, alpha=2.0):
    w = np.stack([t.w for t in theta])
    totals = np.stack([table(t).sum(axis=1) for t in theta])
    return dirichlet_identity(w, totals, np.full(w.shape[2], alpha))


@pytest.fixture(scope="module")
def gibbs_run():
    rng = np.random.default_rng(31)
    x = far_apart(rng, n=60, n_draws=2, gap=3.0).x
    return sampled(rng, x, n_components=2, n_draws=1000)[0]


def test_the_weights_identity_holds(gibbs_run):
    identity = identity_of(gibbs_run)
    assert identity.outcome.p_value > 0.01
    np.testing.assert_allclose(identity.sampled.sum(), 1)
    np.testing.assert_allclose(identity.expected.sum(), 1)


def test_the_weights_identity_by_hand():
    rng = np.random.default_rng(33)
    w = rng.dirichlet([2, 3, 4], size=(4, 200))
    totals = 30 * rng.dirichlet([2, 3, 4], size=(4, 200))
    alpha = np.array([1.0, 2.0, 0.5])
    identity = dirichlet_identity(w, totals, alpha)
    expected = (alpha + totals) / (3.5 + 30)
    np.testing.assert_allclose(identity.expected, expected.mean(axis=(0, 1)))
    by_batch = (w - expected).reshape(20, 40, 3).mean(axis=1)
    p = stats.ttest_1samp(by_batch, 0).pvalue
    assert identity.outcome.p_value == pytest.approx(3 * p.min(), rel=1e-6)
    two = dirichlet_identity(w[..., :2], totals[..., :2], alpha[:2])
    one = two.outcome.statistic
    assert two.outcome.p_value == pytest.approx(2 * stats.t.sf(abs(one), 19), rel=1e-6)


def test_the_weights_identity_sees_a_wrong_prior(gibbs_run):
    assert identity_of(gibbs_run, alpha=5.0).outcome.p_value < 1e-3


def test_the_weights_identity_sees_weights_forgotten_on_both_roads():
    """z and r agree, both being wrong; the weights know better."""
    rng = np.random.default_rng(32)
    x = far_apart(rng, n=60, n_draws=2, gap=3.0).x
    table = mutants.weights_forgotten
    theta, z = sampled(rng, x, n_components=2, n_draws=1000, table=table)
    agreeing = FreshDraws(60, 2)
    for t, z_chain in zip(theta, z, strict=True):
        agreeing.new_chain()
        agreeing.update(table(t), z_chain)
    assert verdict_on(agreeing) == "consistent"
    assert identity_of(theta, normal_responsibilities).outcome.p_value < 1e-3


def test_the_weights_identity_refuses_what_it_cannot_use(gibbs_run):
    w = np.stack([t.w for t in gibbs_run])
    with pytest.raises(UnmixError, match="shape"):
        dirichlet_identity(w, w, [1.0, 1.0, 1.0])
    with pytest.raises(UnmixError, match="positive"):
        dirichlet_identity(w, w, [1.0, 0.0])
    one = dirichlet_identity(np.ones((4, 500, 1)), np.full((4, 500, 1), 60.0), [1.0])
    assert not one.outcome.made


@pytest.mark.parametrize(
    ("effect", "reference", "words"),
    [
        (np.inf, "nothing was in doubt", "more draws would not change that"),
        (np.inf, "chains too short: autocorrelation over 40 draws", "take longer chains"),
        (0.5, "z", "take some 7 times the draws"),  # (0.5 / 0.2)² = 6.25
        (1.74, "z", "by 174 % or more would have been seen: rows are all but certain"),
        (30.0, "z", "more draws would not help"),  # (30 / 0.2)² = 22,500
    ],
)
def test_too_little_says_of_what(effect, reference, words):
    from unmix.check.verdict import TestOutcome, judge

    p = np.nan if effect == np.inf else 0.5
    found = judge(
        [TestOutcome("log-score", 0.0, p, reference, 1, "")],
        kind="dependent", smallest_effect=effect, from_table=True,
    )  # fmt: skip
    assert found.verdict == "too little information"
    assert words in found.reason
    if "more draws" in words:
        assert "take" not in found.reason


def test_z_that_is_not_always_fresh_is_called_so():
    said = {"kind": "fresh", "smallest_effect": 0.1, "from_table": True}
    always = str(judge([outcome(0.5)], **said))
    assert "z was fresh, drawn given θ alone;" in always
    mostly = str(judge([outcome(0.5)], repeated=0.08, **said))
    assert "but for 8 % of the draws, which are the ones before once more and left out;" in mostly
