"""The eight tests of z drawn fresh given θ, as functions of the sums that `fresh` adds up.

S_i = Σ_t (1{z_ti = k} − r_tik)_k is a row's excess of counts, V_i = Σ_t (diag(r_ti) − r_ti r_ti')
its variance given θ. Arrays are by component first: (component, obs).

The chi-square over rows is Σ_i S_i' V_i⁻ S_i in those eigenvectors of V_i whose eigenvalue is at
least 20: a unit vector orthogonal to 1 moves by at most √2 in a draw, so that such a sum is as near
to normal as a count of variance 10. For two components this is the rule V ≥ 10; for more it drops
the direction of a rare component and keeps the rest of the row. It is two-sided: sums that are too
good come from draws that are not random.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2

from unmix.check.tails import ENOUGH_JUMPS, log_bennett, two_sided
from unmix.check.verdict import TestOutcome, WorstCell

Array = NDArray[np.float64]

ENOUGH_EIGENVALUE = 2 * ENOUGH_JUMPS
# With fewer ranks a sum of counts can fall on its mean by chance, and the chi-square be 0.
RANKS_FOR_TOO_GOOD = 20
# Where every term of a sum is 0, what is left of it is less than this for each.
ROUNDING = 1e-12


def row_chi_square(excess: Array, variance: Array, pair_sums: Array) -> TestOutcome:
    """Σ_i S_i' V_i⁻ S_i over the directions that have variance enough.

    Parameters
    ----------
    excess, variance
        (component, obs): S_ik and V_ik.
    pair_sums
        (K (K − 1) / 2, obs): Σ_t r_ik r_il for k < l, in the order of `numpy.triu_indices`.
    """
    k, n = excess.shape
    above, right = np.triu_indices(k, 1)
    value, ranks = 0.0, 0
    for lo in range(0, n, 4096):  # (4096, K, K) at a time
        part = slice(lo, lo + 4096)
        covariance = np.zeros((excess[:, part].shape[1], k, k))
        covariance[:, np.arange(k), np.arange(k)] = variance[:, part].T
        covariance[:, above, right] = covariance[:, right, above] = -pair_sums[:, part].T
        values, vectors = np.linalg.eigh(covariance)
        enough = values >= ENOUGH_EIGENVALUE
        along = np.einsum("ki,ikj->ij", excess[:, part], vectors)
        value += (along[enough] ** 2 / values[enough]).sum()
        ranks += int(enough.sum())
    return TestOutcome(
        "row chi-square",
        value / ranks if ranks else np.nan,
        _chi_square_p(value, ranks),
        _chi_square_words(ranks),
        ranks,
        "a wrong table or draws used twice; if too good, numbers that are not random",
    )


def draw_chi_square(values: Array, ranks: Array) -> TestOutcome:
    """Chi-squares over runs of draws, Bonferroni over components.

    Parameters
    ----------
    values
        (component,): the squares of Σ_i D_tik over their variances Σ_i r_tik (1 − r_tik), added up;
        both summed first over runs of draws just long enough for the variance to reach 10.
    ranks
        (component,): how many runs those are.
    """
    if len(values) == 2:  # its two components are one
        values, ranks = values[:1], ranks[:1]
    p = np.array([_chi_square_p(q, int(n)) for q, n in zip(values, ranks, strict=True)])
    made = ~np.isnan(p)
    worst = int(np.where(made, p, 2.0).argmin())
    return TestOutcome(
        "draw chi-square",
        values[worst] / ranks[worst] if made.any() else np.nan,
        float(min(1.0, made.sum() * p[worst])) if made.any() else np.nan,
        _chi_square_words(int(ranks[worst]))
        + (f", worst of {made.sum()} components" if made.sum() > 1 else ""),
        int(ranks[worst]),
        "numbers shared by rows far apart; z and table from different draws",
    )


def _chi_square_p(value: float, ranks: int) -> float:
    if ranks == 0:
        return np.nan
    above = chi2.sf(value, ranks)
    if ranks < RANKS_FOR_TOO_GOOD:
        return float(above)
    return float(min(1.0, 2 * min(above, chi2.cdf(value, ranks))))


def _chi_square_words(ranks: int) -> str:
    if ranks == 0:
        return "nothing had variance enough"
    sides = "two-sided" if ranks >= RANKS_FOR_TOO_GOOD else "one-sided"
    return f"chi-square over its {ranks:,} degrees of freedom, {sides}"


def worst_cell(excess: Array, variance: Array) -> TestOutcome:
    """Largest |S_ik| / √V_ik over cells with V ≥ 10, in Poisson tails; (component, obs) each."""
    name, catches = "worst cell", "a few rows or one component going wrong"
    s, v = excess, variance
    if len(s) == 2:  # its two cells are one
        s, v = s[:1], v[:1]
    enough = v >= ENOUGH_JUMPS
    if not enough.any():
        return TestOutcome(name, np.nan, np.nan, "nothing had variance enough", 0, catches)
    s, v = s[enough], v[enough]
    p = two_sided(s, v, counts=True)
    worst = p.argmin()
    return TestOutcome(
        name,
        float(s[worst] / np.sqrt(v[worst])),
        float(min(1.0, p.size * p[worst])),
        f"largest of {p.size:,} counts, Poisson tails, Bonferroni",
        p.size,
        catches,
    )


def pooled_sum(
    name: str,
    total: float,
    variance: float,
    n_terms: float,
    *,
    jump_up: ArrayLike = 2.0,
    jump_down: ArrayLike = 2.0,
    catches: str,
) -> TestOutcome:
    """A sum of differences of mean 0, none larger than its jumps (2 for a product D · D)."""
    if not variance > ROUNDING * n_terms:
        return TestOutcome(name, np.nan, np.nan, "nothing was in doubt", 0, catches)
    sharp = variance >= ENOUGH_JUMPS * np.square(jump_up if total >= 0 else jump_down)
    return TestOutcome(
        name,
        float(total / np.sqrt(variance)),
        float(two_sided(total, variance, jump_up, jump_down)),
        f"sum of {n_terms:,.0f}, " + ("Poisson tail" if sharp else "Bennett–Freedman bound"),
        int(n_terms),
        catches,
    )


def rare_cells(excess: Array, variance: Array, expected: Array) -> TestOutcome:
    """Cells with V < 10 by the Bennett–Freedman bound: pooled, by component, and the worst alone.

    All three arrays (component, obs). A row's most expected component is left out: what it lacks,
    the others have too much of. The variance of a row's rare cells together is at most the sum of
    theirs, because counts of different components are negatively correlated.
    """
    name, catches = "rare cells", "wrong tails: draws where there should hardly be one"
    rare = (variance < ENOUGH_JUMPS) & (variance > 0)
    rare[expected.argmax(axis=0), np.arange(expected.shape[1])] = False
    if not rare.any():
        return TestOutcome(name, np.nan, np.nan, "no cell was rare", 0, catches)
    s, v = np.where(rare, excess, 0.0), np.where(rare, variance, 0.0)
    pools_s, pools_v = s.sum(axis=1), v.sum(axis=1)
    if len(s) > 2:
        pools_s, pools_v = np.append(pools_s, s.sum()), np.append(pools_v, v.sum())
    some = pools_v > 0
    log_pool = log_bennett(np.abs(pools_s[some]), pools_v[some]).min()
    log_cell = log_bennett(np.abs(s[rare]), v[rare]).min() + np.log(rare.sum())
    # Two sides, and Bonferroni over the pools and the worst cell.
    log_p = min(log_pool, log_cell) + np.log(2 * (some.sum() + 1))
    return TestOutcome(
        name,
        float(s.sum() / np.sqrt(v.sum())),
        float(np.exp(min(log_p, 0.0))),
        f"{rare.sum():,} counts pooled and the worst alone, Bennett–Freedman bound",
        int(rare.sum()),
        catches,
    )


def impossible_draws(n_impossible: int, n_z: int) -> TestOutcome:
    """Any z with r ≤ 1e-12 fails: a correct sampler has one with chance n_z K 1e-12 at most."""
    return TestOutcome(
        "impossible draws",
        float(n_impossible),
        np.nan if n_z == 0 else float(n_impossible == 0),
        f"z with responsibility ≤ 1e-12, of {n_z:,}",
        n_z,
        "draws from another table; components in another order",
    )


def worst_cells(excess: Array, variance: Array, expected: Array, n: int) -> list[WorstCell]:
    """The n rows least likely under a correct sampler, each by its worst cell; the worst first."""
    s = np.where(np.abs(excess) > 1e-9 * (1 + expected), excess, 0.0)  # the rest is rounding
    p = two_sided(s, variance, counts=True)
    component = np.lexsort((-s, p), axis=0)[0]  # of two equally unlikely, the one with too many
    worst = np.take_along_axis(p, component[None], axis=0)[0]
    cells = []
    for i in np.argsort(worst, kind="stable")[:n]:
        if worst[i] == 1:  # as expected to the last draw
            break
        k = component[i]
        sd = np.sqrt(variance[k, i])
        cells.append(
            WorstCell(
                obs=int(i),
                component=int(k),
                z_score=float(s[k, i] / sd) if sd > 0 else float(np.copysign(np.inf, s[k, i])),
                expected=float(expected[k, i]),
                observed=round(excess[k, i] + expected[k, i]),
                p_value=float(p[k, i]),
            )
        )
    return cells
