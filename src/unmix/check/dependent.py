"""Counting against Bayes' rule, when z_t also depends on z_{t−1} given θ_t.

A Metropolis step for z, such as PyMC's own, leaves p(z | x, θ_t) invariant but does not draw from
it afresh. Once the chain is stationary D_tik = 1{z_ti = k} − r_tik still has mean 0, but its sums
are no martingale: given θ_t it remembers z_{t−1}, and the variances in `fresh` would reject a
correct sampler. Here errors come from batch means over the chains (`batches`). Tested are a few
numbers per draw, fixed before the draws are looked at, each of mean 0:

component totals      Σ_i D_tik for each k
log-score             Σ_ik D_tik g_tik, g = log(r + 0.001): sharper or flatter than Bayes' rule
log-score by part     Σ_i D_tik g_tik for each k: one component's scale or location
worst cell            the largest |Σ_t D_tik|

and impossible draws, as in `fresh`. An error is never taken below √V, what it would be for fresh
draws: a stretch in which nothing happened has a small spread and says little. For the same reason a
number is tested only where V is at least ten squared jumps for each autocorrelation time.

Memory longer than a tenth of a batch leaves no test, and the verdict is that there is too little
information; a chain that has not settled, or remembers longer than it lasts, is not seen at all.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri
from scipy.stats import t as student

from unmix.check import fresh_tests
from unmix.check.batches import (
    BatchMeans,
    batch_means,
    batches_per_chain,
    student_test,
)
from unmix.check.blocks import checked_block, refuse_what_is_no_distribution
from unmix.check.fresh import FLOOR, IMPOSSIBLE
from unmix.check.tails import ENOUGH_JUMPS
from unmix.check.too_little import TOO_SHORT
from unmix.check.verdict import LEVEL, TestOutcome, WorstCell
from unmix.errors import UnmixError

Array = NDArray[np.float64]

N_TESTS = 5


class DependentDraws:
    """What the tests need of several chains of the same length.

    Keeps 2 K + 1 numbers for each draw and 5 K for each observation.

    Parameters
    ----------
    n_obs, n_components
        N and K.
    n_chains, n_draws
        Number of chains and of draws in each, from which the batches follow.
    """

    def __init__(self, n_obs: int, n_components: int, *, n_chains: int, n_draws: int) -> None:
        n, k = n_obs, n_components
        if min(n, k, n_chains, n_draws) < 1:
            raise UnmixError(
                f"There are {n} observations, {k} components, {n_chains} chains and {n_draws} "
                "draws; give at least one of each."
            )
        self.n_obs, self.n_components = n, k
        self.n_chains, self.n_draws = n_chains, n_draws
        self.excess = np.zeros((k, n))  # S
        self.expected = np.zeros((k, n))  # Σ r
        self.variance = np.zeros((k, n))  # V = Σ r (1 − r)
        self._batch = np.zeros((k, n))  # Σ D over the open batch
        self._batch_squares = np.zeros((k, n))  # its square, over the closed ones
        # By number below: its variance, had z been fresh.
        self._fresh_variance = np.zeros(2 * k + 1)
        self._chains: list[list[Array]] = []  # blocks of (draw, 2 K + 1)
        self._done = n_draws  # as if a chain before were complete
        self._n_impossible = 0

    def new_chain(self) -> None:
        """Say that the next draw begins a chain.

        Raises
        ------
        UnmixError
            If the chain before is not complete.
        """
        if self._done != self.n_draws:
            raise UnmixError(
                f"Chain {len(self._chains) - 1} has {self._done} draws; all should have "
                f"{self.n_draws}."
            )
        if len(self._chains) == self.n_chains:
            raise UnmixError(f"There are {self.n_chains} chains already; that is all.")
        self._chains.append([])
        self._done = 0

    def update(self, responsibility: ArrayLike, z: ArrayLike) -> None:
        """Add consecutive draws of the open chain; the first call opens one.

        Parameters
        ----------
        responsibility
            (draw, obs, component), r_tik in raw labels.
        z
            (draw, obs), integers in 0 … K − 1.

        Raises
        ------
        UnmixError
            If a shape is wrong, a row of r is not a distribution, a z is not a component, or the
            chain would get too long.
        """
        r, z = checked_block(responsibility, z, self.n_obs, self.n_components)
        if not self._chains:
            self.new_chain()
        if self._done + len(z) > self.n_draws:
            raise UnmixError(
                f"Chain {len(self._chains) - 1} would have {self._done + len(z)} draws; it should "
                f"have {self.n_draws}."
            )
        p = np.ascontiguousarray(np.moveaxis(r, 2, 0))  # (component, draw, obs)
        refuse_what_is_no_distribution(p.sum(axis=1), p, 0, self._done)
        d = (z == np.arange(self.n_components)[:, None, None]) - p
        g = np.log(p + FLOOR)
        spread = p * (1 - p)
        self.excess += d.sum(axis=1)
        self.expected += p.sum(axis=1)
        self.variance += spread.sum(axis=1)
        self._n_impossible += int((d >= 1 - IMPOSSIBLE).sum())
        parts = np.einsum("kti,kti->tk", d, g)
        self._chains[-1].append(
            np.hstack((d.sum(axis=2).T, parts.sum(axis=1, keepdims=True), parts))
        )
        mean = (p * g).sum(axis=0)
        self._fresh_variance += np.concatenate(
            (
                spread.sum(axis=(1, 2)),
                [np.einsum("kti,kti,kti->", p, g, g) - np.einsum("ti,ti->", mean, mean)],
                np.einsum("kti,kti,kti->k", spread, g, g),
            )
        )
        self._add_to_batches(d)
        self._done += len(z)

    def _add_to_batches(self, d: Array) -> None:
        """Cut the block where batches end; draws after the last whole batch are left over."""
        n_batches = batches_per_chain(self.n_chains)
        length = self.n_draws // n_batches
        at, stop = self._done, min(self._done + d.shape[1], length * n_batches)
        while at < stop:
            end = min(stop, (at // length + 1) * length)
            self._batch += d[:, at - self._done : end - self._done].sum(axis=1)
            if end % length == 0:
                self._batch_squares += self._batch**2
                self._batch[:] = 0.0
            at = end

    def _batch_means(self) -> BatchMeans:
        """Of the 2 K + 1 numbers: totals by component, log-score, log-score by component."""
        if len(self._chains) != self.n_chains or self._done != self.n_draws:
            raise UnmixError(
                f"There are {len(self._chains)} chains, the last with {self._done} draws; there "
                f"should be {self.n_chains} with {self.n_draws}."
            )
        series = np.stack([np.concatenate(blocks) for blocks in self._chains])
        means = batch_means(series)
        if means.batches == 0:
            return means
        least = np.sqrt(np.maximum(self._fresh_variance, 0.0)) / (self.n_chains * self.n_draws)
        error = np.maximum(means.error, least)
        t, p_value = student_test(means.mean, error, means.batches - 1)
        jumps = np.ones(2 * self.n_components + 1)
        jumps[self.n_components :] = np.log1p(FLOOR) - np.log(FLOOR)
        enough = self._fresh_variance >= ENOUGH_JUMPS * jumps**2 * means.time
        return BatchMeans(
            means.mean, error, t, np.where(enough, p_value, np.nan), means.time, means.batches
        )

    def smallest_effect(self, level: float = LEVEL, n_tests: int = N_TESTS) -> float:
        """The tempering δ (r ∝ r^{1+δ}) that the log-score sees in nine checks of ten.

        δ moves the mean by δ V / T, V the variance of the log-score had z been fresh and T the
        draws of all chains. Infinite where there is no error to compare it with.
        """
        means = self._batch_means()
        at = self.n_components
        if np.isnan(means.p_value[at]):
            return float("inf")
        needed = student.isf(level / max(n_tests, 1) / 2, means.batches - 1) - ndtri(0.1)
        n_draws = self.n_chains * self.n_draws
        return float(needed * means.error[at] * n_draws / self._fresh_variance[at])

    def tests(self) -> list[TestOutcome]:
        """The five tests; one that there is too little for has p-value NaN."""
        means, k = self._batch_means(), self.n_components
        n_z = self.n_obs * self.n_draws * self.n_chains
        return [
            _worst_series(
                "component totals",
                means,
                slice(0, 1 if k == 2 else k),  # the totals of two components are one
                "weights, or a component's prior, that differ between table and sampler",
            ),
            _worst_series(
                "log-score",
                means,
                slice(k, k + 1),
                "responsibilities too sharp or too flat: weights, scales, tempering",
            ),
            _worst_series(
                "log-score by part",
                means,
                slice(k + 1, 2 * k + 1),
                "one component's scale or location that differs between table and sampler",
            ),
            self._worst_cell(means),
            fresh_tests.impossible_draws(self._n_impossible, n_z),
        ]

    def _cell_errors(self, means: BatchMeans) -> Array:
        """Standard deviation of Σ_t D_tik, (component, obs)."""
        n = means.batches
        own = (self._batch_squares - self.excess**2 / n) * n / (n - 1)
        return np.sqrt(np.maximum(own, means.time * self.variance))

    def _worst_cell(self, means: BatchMeans) -> TestOutcome:
        name, catches = "worst cell", "a few rows going wrong"
        enough = self.variance >= ENOUGH_JUMPS * means.time
        if self.n_components == 2:
            enough[1] = False
        if means.batches == 0 or not enough.any():
            return _not_made(name, means, catches)
        s, error = self.excess[enough], self._cell_errors(means)[enough]
        t, p = student_test(s, error, means.batches - 1)
        worst = p.argmin()
        return TestOutcome(
            name,
            float(t[worst]),
            float(min(1.0, p.size * p[worst])),
            f"largest of {p.size:,} t over {means.batches} batches, Bonferroni",
            p.size,
            catches,
        )

    def worst_cells(self, n: int = 5) -> list[WorstCell]:
        """The n cells least likely under a correct sampler; none where no error is known."""
        means = self._batch_means()
        if means.batches == 0:
            return []
        # Counts of correlated draws, as if each V were τ times as large.
        return fresh_tests.worst_cells(self.excess, self._cell_errors(means) ** 2, self.expected, n)


def _worst_series(name: str, means: BatchMeans, which: slice, catches: str) -> TestOutcome:
    """The series furthest from 0 of those with a p-value, Bonferroni over them."""
    p = means.p_value[which]
    made = ~np.isnan(p)
    if not made.any():
        return _not_made(name, means, catches)
    worst = int(np.where(made, p, 2.0).argmin())
    return TestOutcome(
        name,
        float(means.t[which][worst]),
        float(min(1.0, made.sum() * p[worst])),
        f"Student's t over {means.batches} batches"
        + (f", worst of {made.sum()}" if made.sum() > 1 else ""),
        means.batches,
        catches,
    )


def _not_made(name: str, means: BatchMeans, catches: str) -> TestOutcome:
    reason = (
        "hardly anything was in doubt"
        if means.batches
        else f"{TOO_SHORT}: autocorrelation over {means.time:.0f} draws"
    )
    return TestOutcome(name, np.nan, np.nan, reason, means.batches, catches)
