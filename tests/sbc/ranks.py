"""Ranks, and whether they are uniform: simultaneous bands for their distribution function.

Of S draws from the posterior, the number that lie below the value that made the data is uniform on
0, …, S if the sampler is right (Talts et al. 2018, arXiv:1804.06788). The band around the
distribution function of n such ranks is pointwise binomial, at the level γ at which a uniform
sample leaves it *anywhere* with the stated probability, found by simulation (Säilynoja, Bürkner and
Vehtari 2022, Statistics and Computing 32:32, section 2).
"""

from functools import lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.stats import binom

Array = NDArray[np.float64]

# Uniform samples whose worst points say what the band must be: their share that leaves it is then
# right to 1/30 of itself at 1 %, and to 1/12 at 1 in 600.
SIMULATED = 100_000
SEED = 20220


def rank(value: float, draws: Array, rng: Generator) -> int:
    """Number of draws below a value; ties are broken at random, as counts need."""
    below, equal = int((draws < value).sum()), int((draws == value).sum())
    return below + int(rng.integers(equal + 1))


def counts_up_to(ranks: NDArray, draws: int) -> NDArray[np.int64]:
    """How many ranks are 0; 0 or 1; …; below S: (…, S) from ranks (…, n)."""
    flat = np.reshape(ranks, (-1, np.shape(ranks)[-1]))
    cells = draws + 1
    shifted = flat + cells * np.arange(len(flat))[:, None]
    tally = np.bincount(shifted.ravel(), minlength=cells * len(flat)).reshape(-1, cells)
    return np.cumsum(tally, axis=1)[:, :-1].reshape(*np.shape(ranks)[:-1], draws)


def extremeness(counts: NDArray, n: int) -> Array:
    """Smallest two-sided binomial tail over all points, (…,) from counts (…, S)."""
    draws = counts.shape[-1]
    p = np.arange(1, draws + 1) / (draws + 1)
    # All tails that there are, once: a table over (count, point).
    possible = np.arange(n + 1)[:, None]
    table = 2 * np.minimum(binom.cdf(possible, n, p), binom.sf(possible - 1, n, p))
    return table[counts, np.arange(draws)].min(axis=-1)


@lru_cache
def uniform_extremes(n: int, draws: int) -> Array:
    """Extremeness of uniform samples, sorted."""
    rng = np.random.default_rng(SEED)
    found = []
    for _ in range(100):
        tally = rng.multinomial(n, np.full(draws + 1, 1 / (draws + 1)), size=SIMULATED // 100)
        found.append(extremeness(np.cumsum(tally, axis=1)[:, :-1], n))
    return np.sort(np.concatenate(found))


def level(n: int, draws: int, false_alarm: float) -> float:
    """The γ of a band that uniform ranks leave with this probability."""
    return float(np.quantile(uniform_extremes(n, draws), false_alarm))


def band(n: int, draws: int, false_alarm: float) -> tuple[Array, Array]:
    """Lower and upper end of the distribution function less its expectation, (S,) each."""
    p = np.arange(1, draws + 1) / (draws + 1)
    gamma = level(n, draws, false_alarm)
    # The smallest and largest counts whose tails are at least γ / 2.
    return binom.ppf(gamma / 2, n, p) / n - p, binom.isf(gamma / 2, n, p) / n - p


def p_value(ranks: NDArray, draws: int) -> float:
    """Probability that uniform ranks are as far out, anywhere."""
    extremes = uniform_extremes(len(ranks), draws)
    worst = float(extremeness(counts_up_to(ranks, draws), len(ranks)))
    # A tail that is the same to rounding is the same.
    return float(
        (np.searchsorted(extremes, worst * (1 + 1e-9), side="right") + 1) / (len(extremes) + 1)
    )


def verdict(ranks: dict[str, NDArray], draws: int, false_alarm: float) -> dict[str, float]:
    """Quantities whose ranks are rejected, and their p-values; Bonferroni over the quantities."""
    found = {name: p_value(r, draws) for name, r in ranks.items()}
    return {name: p for name, p in found.items() if p * len(found) < false_alarm}
