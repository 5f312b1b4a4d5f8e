"""Moves of all of θ at once: their coordinates, their proposals, and Geweke's test of whole sweeps.

As in `test_gibbs_exact`, θ must keep its prior when (z, data) are drawn given it and then (θ, z) is
moved given the data, now by a whole sweep that proposes with probability 0.7. The proposal is a
mixture of t distributions near the prior. Mutants run through the same sweep, interpreted.
"""

from dataclasses import replace
from functools import partial
from itertools import permutations

import numpy as np
import pytest
from gibbs_problems import (
    CHAINS,
    DECLARED,
    KINDS,
    ROWS,
    K,
    coordinates,
    independent,
    largest_score,
    simulate,
)
from mutants_moves import MUTANTS
from registry import derived
from scipy import stats
from scipy.special import logsumexp

import unmix
from unmix.infer.exact import compiled, sweep
from unmix.infer.exact.blocks import find_blocks
from unmix.infer.exact.landscape import Landscape
from unmix.infer.exact.laplace import find_proposal
from unmix.infer.exact.moves import in_order, is_in_order, log_proposal, propose
from unmix.infer.exact.proposal import FREEDOM, Proposal, fit, judged
from unmix.onepass.onepass import OnePass

SWEEPS, SHARE = 150, 0.7


def landscape(derivation):
    recognised, chunks = derivation.onepass.recognised, derivation.onepass.chunks
    return Landscape(derivation, find_blocks(derivation), OnePass(recognised, chunks, threads=1))


def near_the_prior(kind, land):
    """Two t distributions, at and beside the mean of the prior, with its covariance."""
    free = independent(kind, land.blocks.names)[:500]
    values = land.blocks.unflatten(free)
    y = np.array([land.fold({n: v[i] for n, v in values.items()}) for i in range(len(free))])
    factor = np.linalg.cholesky(np.cov(y.T))
    centres = np.stack([y.mean(axis=0), y.mean(axis=0) + 0.5 * factor.sum(axis=1)])
    groups = np.zeros(K, np.int64) if kind == "exchangeable" else np.arange(K)
    key = np.array([K, 1])  # the first parameter after the weights
    shares = np.log([0.6, 0.4])
    return Proposal(5.0, shares, centres, np.stack([factor, factor]), groups, key, 1.0)


def whole_sweep_scores(kind, *, kernel=None, proposal=None, sweeps=SWEEPS, seed=1):
    """Largest |t| and its bound; the share of proposals taken."""
    derivation = unmix.derive(DECLARED[kind])
    land, rng = landscape(derivation), np.random.default_rng(seed)
    q = proposal or near_the_prior(kind, land)
    recognised, blocks = derivation.recognised, land.blocks
    theta, free = np.split(independent(kind, blocks.names), [CHAINS])
    theta = theta.copy()
    log_w, packed = map(np.array, recognised.pack_stack(blocks.unflatten(theta)))
    families = recognised.families
    run = partial(kernel, families) if kernel else partial(compiled.sweeps(families), 0)
    kept = np.empty((sweeps, *theta.shape))
    centre, none = np.zeros(recognised.table[:, 2].sum()), np.zeros(0)
    repeated = np.zeros((sweeps, CHAINS), dtype=bool)
    no_z, z = np.zeros((0, ROWS), dtype=np.uint8), np.zeros(ROWS, dtype=np.uint8)
    pass_rows, sums = compiled_pass(families), given(families)
    for t in range(sweeps):
        assigned, x = simulate(kind, blocks.unflatten(theta), rng)
        a = np.eye(K)[assigned]
        for c in range(CHAINS):
            n, s = np.zeros(K), np.zeros((K, recognised.n_statistics))
            sums(recognised.table, x[c], centre, a[c], np.arange(ROWS), packed[c], n, s)
            log_marginal = np.array([
                pass_rows(0, np.uint64(0), recognised.table, x[c], centre, none, log_w[c],
                          packed[c], np.zeros(K), np.zeros_like(s), no_z[0:0].ravel(), 0, ROWS)
            ])  # fmt: skip
            z[:] = assigned[c]
            run(
                rng, recognised.table, x[c], centre, none, blocks.table, blocks.hyper, q.nu,
                q.log_share, q.centres, q.factors, q.groups, q.key, SHARE, theta[c], log_w[c],
                packed[c], n, s, log_marginal, z, no_z, kept[t, c : c + 1], np.empty(1),
                repeated[t, c : c + 1], np.empty((0, 0)),
            )  # fmt: skip
    chain = coordinates(blocks, kept.reshape(-1, theta.shape[1]))
    taken = 1 - repeated.mean() / SHARE
    return *largest_score(chain, coordinates(blocks, free), sweeps), taken


def compiled_pass(families):
    from unmix.onepass.compiled import pass_rows

    return pass_rows(families)


def given(families):
    from unmix.onepass.compiled import given_rows

    return given_rows(families)


def most_slow(kinds, quick):
    """All kinds, those that are not quick only among the slow tests."""
    return [k if k in quick else pytest.param(k, marks=pytest.mark.slow) for k in kinds]


@pytest.mark.parametrize("kind", most_slow(("exchangeable", *KINDS), ("exchangeable",)))
def test_joint_distribution_of_whole_sweeps(kind):
    worst, bound, taken = whole_sweep_scores(kind)
    assert taken * SHARE * SWEEPS * CHAINS > 50  # or little was tried
    assert worst < bound


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_wrong_moves_are_rejected(name, monkeypatch):
    kind, spoil = MUTANTS[name]
    spoil(sweep, monkeypatch)
    with np.errstate(over="ignore"):  # keys of random numbers wrap around, as in the kernel
        worst, bound, _ = whole_sweep_scores(kind, kernel=sweep.sweeps.py_func)
    assert worst > bound


@pytest.mark.slow
def test_components_that_are_not_exchangeable_are_not_sorted():
    """Sorting them all the same is seen."""
    land = landscape(unmix.derive(DECLARED["poisson"]))
    wrong = replace(near_the_prior("poisson", land), groups=np.zeros(K, np.int64))
    worst, bound, _ = whole_sweep_scores("poisson", proposal=wrong)
    assert worst > bound


# -- coordinates -----------------------------------------------------------------------------------


FEW = ("gamma", "shared", "plane", "poisson", "bernoulli", "categorical")


@pytest.mark.parametrize("kind", most_slow(KINDS, FEW))
def test_coordinates_come_back(kind):
    land = landscape(unmix.derive(DECLARED[kind]))
    rng = np.random.default_rng(3)
    y = rng.normal(size=land.size)
    flat, log_w, packed, _ = land.unfold(y)
    assert np.allclose(land.fold(land.blocks.unflatten(flat)), y, rtol=1e-9, atol=1e-9)
    # What the pass takes is what the model's own graph makes of θ.
    theirs = land.onepass.recognised.pack(land.blocks.unflatten(flat))
    assert np.allclose(log_w, theirs[0], rtol=1e-12)
    assert np.allclose(packed, theirs[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", most_slow([k for k in KINDS if k not in ("plane", "space")], FEW))
def test_density_of_coordinates_is_the_models(kind):
    """Up to a constant: PyMC's own terms, and log |∂θ/∂y| by differences.

    Correlations come next: PyMC's density is that of their matrix.
    """
    derivation = unmix.derive(DECLARED[kind])
    land, rng = landscape(derivation), np.random.default_rng(4)

    def free(y):  # of a simplex, all but the last of each
        values = land.blocks.unflatten(land.unfold(y)[0])
        parts = [v[..., :-1] if n == "w" or kind == "categorical" else v for n, v in values.items()]
        return np.concatenate([np.ravel(p) for p in parts])

    def theirs(y):
        theta = land.blocks.unflatten(land.unfold(y)[0])
        terms = derivation.elements(theta, np.zeros(ROWS, int))
        h = 1e-5
        jacobian = [(free(y + h * e) - free(y - h * e)) / (2 * h) for e in np.eye(len(y))]
        return sum(terms[n].sum() for n in theta) + np.linalg.slogdet(np.array(jacobian))[1]

    ys = 0.7 * rng.normal(size=(5, land.size))
    apart = [land.unfold(y)[3] - theirs(y) for y in ys]
    # Central differences with h = 1e-5 are good to h² and to 1e-16 / h, some 1e-10 of each entry.
    assert np.ptp(apart) < 1e-7


def test_density_of_a_correlation_is_that_of_lkj():
    """Of two features: (1 + r) / 2 ~ Beta(η, η), y = artanh r, |∂r/∂y| = 1 − r²."""
    land = landscape(unmix.derive(DECLARED["plane"]))
    y = np.zeros(land.size)
    at = [j for j in range(land.size) if _moves_correlation(land, j)]
    assert len(at) == K
    ours, theirs = [], []
    for v in (-1.3, -0.2, 0.4, 2.0):
        y[at[1]] = v
        ours.append(land.unfold(y)[3])
        r = np.tanh(v)
        theirs.append(stats.beta(1.5, 1.5).logpdf((1 + r) / 2) + np.log1p(-(r**2)))
    assert np.ptp(np.array(ours) - theirs) < 1e-12


def _moves_correlation(land, j):
    before, after = np.zeros(land.size), np.zeros(land.size)
    after[j] = 0.5
    parts = [land.blocks.unflatten(land.unfold(y)[0])["corr"] for y in (before, after)]
    return not np.array_equal(*parts)


@pytest.mark.parametrize("name", ["normal", "multivariate_normal_by_cholesky"])
def test_slope_is_that_of_the_height(name):
    land = landscape(derived(name))
    theta = land.derivation.space.constrain(land.derivation.space.initial)
    y = land.fold(theta) + 0.1 * np.random.default_rng(5).normal(size=land.size)
    height, slope, _ = land.slope(y, land.scales(theta))
    alone = np.arange(land.derivation.n_components), np.zeros(2, np.int64)
    assert land.heights(*alone, y[None])[0] == pytest.approx(height, rel=1e-12)
    scale = land.scales(theta)
    for j, e in enumerate(np.eye(len(y))):
        h = 1e-4 * scale[j]
        above, below = land.heights(*alone, np.stack([y + h * e, y - h * e]))
        numeric = (above - below) / (2 * h)
        # Of the height (thousands) differences keep eleven digits, over 2e-4 of a scale.
        assert slope[j] * scale[j] == pytest.approx(numeric * scale[j], rel=1e-5, abs=1e-3)


# -- proposals -------------------------------------------------------------------------------------


def some_proposal(rng, p=3):
    factors = np.stack([np.tril(rng.normal(size=(p, p)), -1) + np.diag([1, 2, 0.5])] * 2)
    groups, key = np.zeros(2, np.int64), np.array([0, 1])
    return Proposal(7.0, np.log([0.3, 0.7]), rng.normal(size=(2, p)) * 3, factors, groups, key, 0.0)


def test_density_of_a_proposal_is_scipys():
    rng = np.random.default_rng(6)
    q, y = some_proposal(rng), rng.normal(size=(40, 3)) * 4
    each = [
        share + stats.multivariate_t(c, f @ f.T, df=q.nu).logpdf(y)
        for share, c, f in zip(q.log_share, q.centres, q.factors, strict=True)
    ]
    expected = logsumexp(each, axis=0)
    assert np.allclose(q.log_density(y), expected, rtol=1e-12)
    ours = np.array([log_proposal(q.nu, q.log_share, q.centres, q.factors, row) for row in y])
    assert np.allclose(ours - ours[0], expected - expected[0], rtol=1e-10, atol=1e-12)


def test_draws_of_the_sweep_are_draws_of_the_proposal():
    """Kolmogorov and Smirnov, kernel against NumPy; false alarms: 3 in 1,000."""
    q, rng = some_proposal(np.random.default_rng(7)), np.random.default_rng(8)
    ours, y = np.empty((4000, 3)), np.empty(3)
    for row in ours:
        propose(rng, q.nu, q.log_share, q.centres, q.factors, y)
        row[:] = y
    theirs = q.draw(4000, np.random.default_rng(9))
    for direction in np.random.default_rng(10).normal(size=(3, 3)):
        assert stats.ks_2samp(ours @ direction, theirs @ direction).pvalue > 1e-3


def test_order_moves_only_within_groups():
    groups, key = np.array([0, 1, 0, 1, 2, 0]), np.array([1, 2])
    for values in permutations(range(6)):
        theta = np.zeros(13)
        theta[1::2] = values
        order = np.empty(6, np.int64)
        in_order(groups, key, theta, order)
        assert np.array_equal(groups[order], groups)
        for g in range(3):
            assert np.all(np.diff(np.array(values)[order][groups == g]) > 0)
        sorted_already = bool(np.array_equal(order, np.arange(6)))
        assert is_in_order(groups, key, theta) == sorted_already


def test_a_bent_posterior_is_learnt():
    """Banana-shaped weights: fitting a mixture to them raises what a draw is worth."""
    rng = np.random.default_rng(11)
    none = np.zeros(2, np.int64)
    q = Proposal(5.0, np.zeros(1), np.zeros((1, 2)), 2 * np.eye(2)[None], none, none, 0.0)

    def height(y):
        return -0.5 * y[:, 0] ** 2 - 0.5 * ((y[:, 1] - y[:, 0] ** 2) / 0.5) ** 2

    y = q.draw(2000, rng)
    before = judged(q, y, height(y))
    weight = np.exp(height(y) - q.log_density(y))
    weight /= weight.sum()
    after = fit(q, y, weight, 1 / float(weight @ weight), rng)
    new = after.draw(2000, rng)
    after = judged(after, new, height(new))
    assert after.nu in FREEDOM
    assert after.efficiency > 1.5 * before.efficiency


def test_what_a_draw_is_worth_where_it_is_known():
    """A standard normal proposed from a t: E[ω]² / E[ω²] by quadrature."""
    none = np.zeros(2, np.int64)
    q = Proposal(5.0, np.zeros(1), np.zeros((1, 1)), np.ones((1, 1, 1)), none, none, 0.0)
    grid = np.linspace(-12, 12, 20001)
    ratio = np.exp(2 * stats.norm.logpdf(grid) - stats.t(FREEDOM[-1]).logpdf(grid))
    exact = 1 / (ratio.sum() * (grid[1] - grid[0]))
    y = q.draw(4000, np.random.default_rng(12))
    found = judged(q, y, stats.norm.logpdf(y[:, 0]))
    assert found.nu == FREEDOM[-1]
    # Weights differ by a few per cent, so the estimate has a standard error far below a hundredth.
    assert found.efficiency == pytest.approx(exact, abs=0.02)


def test_the_proposal_at_separated_components_is_good():
    x = np.random.default_rng(13).normal(size=400) + 8.0 * (np.arange(400) % 2)
    derivation = unmix.derive(unmix.models.gaussian(x, 2))
    start = {"w": [0.5, 0.5], "mu": [8.0, 0.0], "sigma": [1.0, 1.0]}  # not in order
    point = derivation.space.unconstrain({n: np.array(v) for n, v in start.items()})
    found = find_proposal(derivation, find_blocks(derivation), [point], np.random.default_rng(0))
    assert found.efficiency > 0.8
    assert len(found.centres) == 1


def test_modes_that_the_density_is_not_known_at_propose_nothing(monkeypatch):
    derivation = derived("normal")
    point = derivation.space.initial
    for wrong in (-np.inf, np.nan):
        monkeypatch.setattr(
            Landscape, "heights", lambda self, groups, key, y, h=wrong: np.full(len(y), h)
        )
        rng = np.random.default_rng(0)
        assert find_proposal(derivation, find_blocks(derivation), [point], rng) is None
