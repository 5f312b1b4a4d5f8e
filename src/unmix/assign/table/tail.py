r"""The posterior predictive tail of a row: how rarely the mixture makes a row as improbable.

A row's responsibilities say which component made it *if one did*; far from all of them they are
as sure of themselves as anywhere. Whether the mixture makes such rows at all is read off

.. math::

    \mathrm{tail}_i = \frac{1}{T} \sum_t
        P\bigl(\log p(x^{rep} \mid θ_t) \le \log p(x_i \mid θ_t)\bigr),

the posterior predictive p-value of the log marginal density (Gelman, Meng and Stern 1996, Stat.
Sinica 6:733), with :math:`x^{rep}` a row that the fitted mixture makes. It is estimated from M
simulated rows as (1 + number as improbable) / (1 + M), which is never too small by chance alone
(Davison and Hinkley 1997, section 4.2).

A row is *unexplained* where its tail is at most rate / (2 N). If the model is right, rows of the
prior predictive have P(tail ≤ u) ≤ 2 u (Meng 1994, Ann. Stat. 22:1142), so that in at most one
table in 1 / rate any row is flagged wrongly (Bonferroni over the N rows). M is at least 2 N / rate,
without which no row could be flagged.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Draws of θ that rows are replicated at, spread evenly over all, and fewest replicates in all: a
# tail of a half is then known to ±0.002 beside what the draws add.
DRAWS, FEWEST = 100, 100_000
# What is kept of the replicates of all draws: a sorted sample, and the lowest of each draw.
SAMPLE, LOWEST = 2**19, 4096
PIECE = 2**18
# Equal rows have equal densities up to the order of sums.
ROUNDING = 1e-9

# Log marginal densities of n replicated rows at one draw.
Simulate = Callable[[int, int, np.random.Generator], NDArray[np.float64]]


@dataclass(frozen=True)
class Replicates:
    """Log marginal densities of replicated rows at some draws.

    Attributes
    ----------
    draws
        Which draws, (draw,).
    each
        Replicates of each.
    sample
        A sorted sample of them, (draw, …).
    lowest
        The lowest ones, sorted, (draw, …): where a flag is decided, all replicates count.
    """

    draws: NDArray[np.int64]
    each: int
    sample: NDArray[np.float64]
    lowest: NDArray[np.float64]

    @property
    def total(self) -> int:
        """M."""
        return self.each * len(self.draws)

    def tail(self, log_marginal: NDArray[np.float64]) -> NDArray[np.float64]:
        """Tails of rows from their log p(x_i | θ_t) at the same draws, (draw, row) to (row,)."""
        as_improbable = np.zeros(log_marginal.shape[1])
        for value, sample, lowest in zip(log_marginal, self.sample, self.lowest, strict=True):
            value = value + ROUNDING * (1.0 + np.abs(value))
            count = np.searchsorted(sample, value, side="right") * (self.each / len(sample))
            low = np.flatnonzero(value < lowest[-1])
            count[low] = np.searchsorted(lowest, value[low], side="right")
            as_improbable += count
        return (1.0 + as_improbable) / (1.0 + self.total)


def threshold(rows: int, rate: float) -> float:
    """The tail at or below which a row of a table is flagged."""
    return rate / (2 * rows)


def spread_draws(samples: int, most: int = DRAWS) -> NDArray[np.int64]:
    """At most so many draws, evenly spread over all."""
    return np.unique(np.linspace(0, samples - 1, min(samples, most)).round().astype(np.int64))


def replicates_each(rows: int, draws: int, rate: float, fewest: int = FEWEST) -> int:
    """Replicates of each draw, so that a row alone in the tail can be flagged."""
    return int(np.ceil(max(fewest, 1.0 / threshold(rows, rate)) / draws))


def replicate(
    simulate: Simulate, draws: NDArray[np.int64], each: int, rng: np.random.Generator
) -> Replicates:
    """Simulate rows at draws of θ, and keep what tails are read off.

    Parameters
    ----------
    simulate
        Log p(x_rep | θ_s) of n replicated rows: a function of s, n and a generator.
    """
    size = min(each, max(1, SAMPLE // len(draws)))
    low = min(each, LOWEST)
    sample, lowest = np.empty((len(draws), size)), np.empty((len(draws), low))
    for t, s in enumerate(draws):
        filled = 0
        bottom = np.empty(0)
        for n in _pieces(each):
            values = simulate(int(s), n, rng)
            take = values[: size - filled]
            sample[t, filled : filled + len(take)] = take
            filled += len(take)
            if len(bottom) == low:
                values = values[values < bottom.max()]
            bottom = np.concatenate([bottom, values])
            if len(bottom) > low:
                bottom = np.partition(bottom, low - 1)[:low]
        sample[t].sort()
        lowest[t] = np.sort(bottom)
    return Replicates(draws, each, sample, lowest)


def _pieces(n: int) -> Iterator[int]:
    for start in range(0, n, PIECE):
        yield min(PIECE, n - start)
