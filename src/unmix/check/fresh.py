"""Counting against Bayes' rule, when every z_t is a fresh draw given θ_t.

With r_tik = p(z_i = k | x_i, θ_t), θ_t exactly the parameters z_t was drawn from, in raw labels,

    D_tik = 1{z_ti = k} − r_tik,  E[D | θ_t] = 0,  Cov[D_ti | θ_t] = C_ti = diag(r_ti) − r_ti r_ti',

D_ti and D_tj are independent, and sums over t are martingales whatever θ does: their variances are
the sums of the C_ti, with no effective sample size in them. This module adds up, draw by draw, what
the tests in `fresh_tests` need:

    S_i = Σ_t D_ti and V_i = Σ_t C_ti, row by row         row chi-square, worst cell, rare cells
    Σ_i D_ti and its variance, draw by draw                draw chi-square
    Σ_ti Σ_k D_tik g_tik,  g = log(r + 0.001)               log-score
    Σ_ti D_ti · D_{t−1,i}                                   lag-1 products
    Σ_ti D_ti · D_{t,i+1}                                   neighbouring rows
    how many z have r ≤ 1e-12                               impossible draws

Given a = D_{t−1,i}, the product with D_ti has mean 0 and variance a' C_ti a; likewise for the row.

The log-score is the derivative of log p(z) as r ∝ r^{1+δ} leaves δ = 0, the direction in which most
mistakes move r. The 0.001 keeps its largest jump at log 1000: a draw with r = 1e-6 is news for the
rare cells, and would otherwise leave this sum's tail unknown.

References: Liu, Wong and Kong 1994, Biometrika 81:27 (both estimates of p(z | x)); Freedman 1975,
Ann. Probab. 3:100 (tails of martingales).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from unmix.check import fresh_tests
from unmix.check.blocks import checked_block, refuse_what_is_no_distribution
from unmix.check.tails import ENOUGH_JUMPS
from unmix.check.verdict import LEVEL, TestOutcome, WorstCell
from unmix.errors import UnmixError

Array = NDArray[np.float64]
Integers = NDArray[np.integer]

IMPOSSIBLE = 1e-12
FLOOR = 1e-3
N_TESTS = 8

# One plane of a tile has about this many numbers: K planes and their kin fit a core's own cache.
_TILE = 32768
_MAX_DRAWS_IN_TILE = 16


class FreshDraws:
    """Everything the tests need of a stream of draws, in memory that does not grow with draws.

    z_t must have been drawn after all of θ_t: where part of θ is redrawn after z, D keeps its mean
    but not these variances, and `DependentDraws` is the one to use. Labels are raw: aligned by a
    permutation that depends on z, D no longer has mean 0.

    Keeps some 5 K numbers for each observation and `max_pair_sums` at most.

    Parameters
    ----------
    n_obs, n_components
        N and K.
    max_pair_sums
        The row chi-square needs K (K − 1) / 2 sums of r_ik r_il for each of its rows. Where N times
        that is more than this, it is made over every second row, or third, …: at N = 100,000 and
        K = 5 over 25,000 rows, still seeing a variance that is 2 % off.
    pool_every
        The log-score, the draw chi-square and both sums of products take in every draw, or only
        every fifth where one draw has more than 2¹⁷ cells: they are the costly part, and with 10⁵
        rows and 1,000 draws the log-score still sees odds tempered by some thousandths.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> r = rng.dirichlet([1, 1, 1], size=(400, 50))  # (draw, obs, component)
    >>> z = (rng.random((400, 50, 1)) > r.cumsum(axis=2)).sum(axis=2)
    >>> check = FreshDraws(n_obs=50, n_components=3)
    >>> for block in (slice(0, 200), slice(200, 400)):
    ...     check.update(r[block], z[block])
    >>> [outcome.name for outcome in check.tests() if outcome.p_value < 0.001]
    []
    """

    def __init__(
        self,
        n_obs: int,
        n_components: int,
        *,
        max_pair_sums: int = 2**18,
        pool_every: int | None = None,
    ) -> None:
        n, k = n_obs, n_components
        if n < 1 or k < 1:
            raise UnmixError(f"There are {n} observations and {k} components; give at least one.")
        self.n_obs, self.n_components, self.n_draws = n, k, 0
        self._pool_every = pool_every or (5 if n * k > 2**17 else 1)
        self.excess = np.zeros((k, n))  # S: counted less expected
        self.expected = np.zeros((k, n))  # Σ_t r
        self._squares = np.zeros((k, n))  # Σ_t r²
        n_pairs = k * (k - 1) // 2
        self._pair_step = max(1, -(-n * n_pairs // max_pair_sums))
        self._pairs = np.zeros((n_pairs, -(-n // self._pair_step)))  # Σ_t r_k r_l, k < l
        # Sum, its predictable variance, number of terms.
        self._score, self._lag, self._neighbour = np.zeros((3, 3))
        # By component: excess and variance of the open run of draws; chi-square of the closed ones.
        self._run = np.zeros((2, k))
        self._run_chi2, self._run_ranks = np.zeros(k), np.zeros(k, dtype=int)
        self._n_impossible = 0
        self._last: tuple[Array, Integers] | None = None

    def new_chain(self) -> None:
        """Say that the next draw does not follow the last one."""
        self._last = None

    def update(self, responsibility: ArrayLike, z: ArrayLike) -> None:
        """Add consecutive draws of one chain.

        Parameters
        ----------
        responsibility
            (draw, obs, component), r_tik in raw labels.
        z
            (draw, obs), integers in 0 … K − 1.

        Raises
        ------
        UnmixError
            If a shape is wrong, a row of r is not a distribution or a z is not a component; what
            was added before is then spoilt.
        """
        r, z = checked_block(responsibility, z, self.n_obs, self.n_components)
        n, k = self.n_obs, self.n_components
        n_draws = max(1, min(_MAX_DRAWS_IN_TILE, len(z)) if n > 1024 else _TILE // n)
        n_rows = min(n, max(1, _TILE // n_draws))
        # Allocated once: at this size new memory costs more than the arithmetic done in it.
        buffers = np.empty((4, k, n_draws + 1, n_rows + 1))
        for start in range(0, len(z), n_draws):
            part = slice(start, start + n_draws)
            self._add(r[part], z[part], n_rows, buffers)

    def _add(self, r: Array, z: Integers, n_rows: int, buffers: Array) -> None:
        """Add as many draws as a tile holds, tile by tile of rows."""
        n_draws, n, k = r.shape
        first = self._last is None
        r_before, z_before = self._last if self._last is not None else (r[0], z[0])
        # Pooled sums take draws `at`, at + every, … of this block.
        every = self._pool_every
        at = -self.n_draws % every
        followers = slice(at + every if first and at == 0 else at, None, every)
        pooled = slice(at, None, every)
        totals = np.zeros((3, k, len(r[pooled])))  # over rows: Σ D, Σ r, Σ r²
        for lo, hi, end in _row_tiles(n, n_rows):
            # One draw before and one row after, for the products; planes by component, because
            # sums over a long last axis are an order faster than over one of length K.
            p, d, g, work = buffers[:, :, : n_draws + 1, : end - lo]
            p[:, 0] = r_before[lo:end].T
            p[:, 1:] = np.moveaxis(r[:, lo:end], 2, 0)
            who = np.concatenate((z_before[None, lo:end], z[:, lo:end]))
            np.subtract(who == np.arange(k, dtype=who.dtype)[:, None, None], p, out=d)

            own, rows = (slice(None), slice(1, None), slice(0, hi - lo)), slice(lo, hi)
            p_own, d_own = p[own], d[own]
            expected = p_own.sum(axis=1)
            refuse_what_is_no_distribution(expected, p_own, lo, self.n_draws)
            self.expected[:, rows] += expected
            self.excess[:, rows] += d_own.sum(axis=1)
            self._squares[:, rows] += np.einsum("kti,kti->ki", p_own, p_own)
            self._add_pairs(p_own, work[own], lo)
            if d_own.max() >= 1 - IMPOSSIBLE:
                self._n_impossible += int((d_own >= 1 - IMPOSSIBLE).sum())

            p_pool, d_pool = p_own[:, pooled], d_own[:, pooled]
            totals[0] += d_pool.sum(axis=2)
            totals[1] += p_pool.sum(axis=2)
            totals[2] += np.einsum("kti,kti->kt", p_pool, p_pool)
            self._score += _scores(p_pool, d_pool, g[own], work[own])
            d_before = d[:, :-1, : hi - lo]
            self._lag += _products(
                d_before[:, followers], p_own[:, followers], d_own[:, followers], work[own]
            )
            left, right = slice(0, -1), slice(1, None)
            p_all, d_all = p[:, 1:][:, pooled], d[:, 1:][:, pooled]
            self._neighbour += _products(
                d_all[..., left], p_all[..., right], d_all[..., right], work[:, 1:]
            )
        for excess, expected, squares in np.moveaxis(totals, 2, 0):
            self._add_run(excess, expected - squares)
        self.n_draws += n_draws
        self._last = r[-1].copy(), z[-1].copy()

    def _add_run(self, excess: Array, variance: Array) -> None:
        """Lengthen each component's run by a draw; square and close those with variance enough.

        Where a run ends is decided by r alone, before the excess is looked at. If rows of a draw
        move together, so do the sums of a run, by the same factor.
        """
        self._run += excess, variance
        closed = self._run[1] >= ENOUGH_JUMPS
        self._run_chi2[closed] += self._run[0, closed] ** 2 / self._run[1, closed]
        self._run_ranks += closed
        self._run[:, closed] = 0.0

    def _add_pairs(self, p: Array, work: Array, lo: int) -> None:
        """Add Σ_t r_k r_l, k < l, for the rows kept."""
        step = self._pair_step
        p = p[:, :, -lo % step :: step]
        if step > 1:
            p = p.copy()  # arithmetic on strided columns is slower than the copy
        columns = slice(-(-lo // step), -(-lo // step) + p.shape[2])
        done = 0
        for k in range(self.n_components - 1):
            n_right = self.n_components - 1 - k
            product = np.multiply(p[k], p[k + 1 :], out=work[:n_right, :, : p.shape[2]])
            self._pairs[done : done + n_right, columns] += product.sum(axis=1)
            done += n_right

    @property
    def variance(self) -> Array:
        """V_ik = Σ_t r (1 − r), (component, obs)."""
        return np.maximum(self.expected - self._squares, 0.0)

    def smallest_effect(self, level: float = LEVEL, n_tests: int = N_TESTS) -> float:
        """The tempering δ (r ∝ r^{1+δ}) that the log-score sees in nine checks of ten.

        A tempering moves the log-score's sum by δ times its variance V, so that it is seen when
        δ √V exceeds the critical value of a two-sided test at level / n_tests by the 90 % normal
        quantile. Infinite where V is 0, that is where no draw was in doubt.
        """
        _, variance, n_terms = self._score
        if not variance > fresh_tests.ROUNDING * n_terms:
            return float("inf")
        needed = -ndtri(level / max(n_tests, 1) / 2) - ndtri(0.1)
        return float(needed / np.sqrt(variance))

    def tests(self) -> list[TestOutcome]:
        """The eight tests; one that there is too little for has p-value NaN."""
        k, s, v = self.n_components, self.excess, self.variance
        kept = slice(None, None, self._pair_step)
        return [
            fresh_tests.row_chi_square(s[:, kept], v[:, kept], self._pairs),
            fresh_tests.draw_chi_square(self._run_chi2, self._run_ranks),
            fresh_tests.worst_cell(s, v),
            fresh_tests.pooled_sum(
                "log-score",
                *self._score,
                # E g ≥ −log K and g ≤ log(1 + floor); g ≥ log floor and E g ≤ log(1 + floor).
                jump_up=np.log(k) + np.log1p(FLOOR),
                jump_down=np.log1p(FLOOR) - np.log(FLOOR),
                catches="responsibilities too sharp or too flat: weights, scales, tempering",
            ),
            fresh_tests.pooled_sum(
                "lag-1 products", *self._lag, catches="sticky, repeated or stale draws"
            ),
            fresh_tests.pooled_sum(
                "neighbouring rows", *self._neighbour, catches="random numbers shared by rows"
            ),
            fresh_tests.rare_cells(s, v, self.expected),
            fresh_tests.impossible_draws(self._n_impossible, self.n_obs * self.n_draws),
        ]

    def worst_cells(self, n: int = 5) -> list[WorstCell]:
        """The n cells least likely under a correct sampler, the worst first."""
        return fresh_tests.worst_cells(self.excess, self.variance, self.expected, n)


def _row_tiles(n: int, n_rows: int) -> Iterator[tuple[int, int, int]]:
    """First row, last row + 1, and the same with one more row where there is one."""
    for lo in range(0, n, n_rows):
        yield lo, min(lo + n_rows, n), min(lo + n_rows + 1, n)


def _scores(p: Array, d: Array, g: Array, work: Array) -> tuple[float, float, int]:
    """Log-score, its variance Σ r g² − (Σ r g)², and the number of terms; p, d by plane."""
    _, n_draws, n_rows = p.shape
    g, work = g[:, :n_draws, :n_rows], work[:, :n_draws, :n_rows]
    np.log(np.add(p, FLOOR, out=g), out=g)
    weighted = np.multiply(p, g, out=work)
    mean = weighted.sum(axis=0)
    variance = np.einsum("kti,kti->", weighted, g) - np.einsum("ti,ti->", mean, mean)
    return np.einsum("kti,kti->", d, g), variance, mean.size


def _products(before: Array, p: Array, d: Array, work: Array) -> tuple[float, float, int]:
    """Σ before · d, its variance Σ before' (diag(r) − r r') before, and the number of terms."""
    _, n_draws, n_rows = p.shape
    weighted = np.multiply(p, before, out=work[:, :n_draws, :n_rows])
    mean = weighted.sum(axis=0)
    variance = np.einsum("kti,kti->", weighted, before) - np.einsum("ti,ti->", mean, mean)
    return np.einsum("kti,kti->", before, d), variance, mean.size
