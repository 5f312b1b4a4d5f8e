"""Counting against Bayes' rule, when every z_t is a fresh draw given θ_t.

With r_tik = p(z_i = k | x_i, θ_t), θ_t exactly the parameters z_t was drawn from, in raw labels,

    D_tik = 1{z_ti = k} − r_tik,   E[D | θ_t] = 0,   Cov[D_ti | θ_t] = C_ti = diag(r_ti) − r_ti r_ti',

D_ti and D_tj are independent, and sums over t are martingales whatever θ does: their variances are
the sums of the C_ti, with no effective sample size in them. From these come eight tests, each with
the faults it is there for. A row is an observation i, S_i = Σ_t D_ti, V_i = Σ_t C_ti.

row chi-square      Σ_i S_i' V_i⁻ S_i, two-sided
draw chi-square     the same with the roles of i and t exchanged
worst cell          max |S_ik| / √V_ik over cells with variance ≥ 10
log-score           Σ_ti Σ_k D_tik g_tik, g = log(r + 0.001)
lag-1 products      Σ_ti D_ti · D_{t−1,i}, given D_{t−1,i} of variance D_{t−1,i}' C_ti D_{t−1,i}
neighbouring rows   Σ_ti D_ti · D_{t,i+1}, likewise
rare cells          counts in cells with variance < 10, by the Bennett–Freedman bound
impossible draws    any z with r ≤ 1e-12

The chi-squares use only those eigenvectors of V_i whose eigenvalue is at least 20: a unit vector
orthogonal to 1 moves by at most √2 in a draw, so that their sums are as near to normal as a count
with variance 10. For two components this is the rule V ≥ 10; for more it drops the direction of a
rare component and keeps the rest of the row.

The log-score is the derivative of log p(z) as r ∝ r^{1+δ} leaves δ = 0, the direction in which most
mistakes move r. The 0.001 keeps its largest jump at log 1000: a draw with r = 1e-6 is news for the
rare cells, and would otherwise make this sum's tail unknown.

References: Liu, Wong and Kong 1994, Biometrika 81:27 (both estimates of p(z | x)); Freedman 1975,
Ann. Probab. 3:100 (martingale tails); the tails themselves are in `tails`.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri
from scipy.stats import chi2

from unmix.check.tails import ENOUGH_JUMPS, log_bennett, two_sided
from unmix.check.verdict import LEVEL, TestOutcome, WorstCell
from unmix.errors import UnmixError

Array = NDArray[np.float64]

IMPOSSIBLE = 1e-12
FLOOR = 1e-3
# A direction orthogonal to 1, of unit length, moves by at most √2: ten squared jumps are 20.
ENOUGH_EIGENVALUE = 2 * ENOUGH_JUMPS
# With fewer ranks a sum of counts can fall on its mean by chance, and Q be 0.
RANKS_FOR_TOO_GOOD = 20
N_TESTS = 8

# Numbers in a plane of a tile: K such planes and their kin stay in a core's own cache.
_TILE = 8192
_MAX_DRAWS_IN_TILE = 32


class FreshDraws:
    """Everything the tests need of a stream of draws, in memory that does not grow with draws.

    Parameters
    ----------
    n_obs, n_components
        N and K.
    max_pair_sums
        The row chi-square needs K (K − 1) / 2 sums of r_ik r_il for each row. Where N times that is
        more than this many (the default is 128 MiB), it is made over every second row, or third, …

    Examples
    --------
    >>> check = FreshDraws(n_obs=272, n_components=2)  # doctest: +SKIP
    >>> for chain in chains:  # doctest: +SKIP
    ...     check.new_chain()
    ...     for responsibility, z in blocks_of(chain):
    ...         check.update(responsibility, z)
    >>> check.tests()  # doctest: +SKIP
    """

    def __init__(self, n_obs: int, n_components: int, *, max_pair_sums: int = 2**24) -> None:
        n, k = n_obs, n_components
        if n < 1 or k < 1:
            raise UnmixError(f"There are {n} observations and {k} components; give at least one.")
        self.n_obs, self.n_components, self.n_draws = n, k, 0
        self._counted = np.zeros((k, n))  # Σ_t 1{z = k}, less the next line: S
        self._expected = np.zeros((k, n))  # Σ_t r
        self._squares = np.zeros((k, n))  # Σ_t r²
        n_pairs = k * (k - 1) // 2
        self._pair_step = max(1, -(-n * n_pairs // max_pair_sums))
        self._pairs = np.zeros((n_pairs, -(-n // self._pair_step)))  # Σ_t r_k r_l, k < l
        self._score = np.zeros(2)  # sum and predictable variance
        self._lag = np.zeros(2)
        self._neighbour = np.zeros(2)
        self._n_lag = 0
        self._n_impossible = 0
        self._draw_chi2 = 0.0
        self._draw_ranks = 0
        self._last: tuple[Array, NDArray[np.integer]] | None = None

    def new_chain(self) -> None:
        """Say that the next draw does not follow the last one."""
        self._last = None

    def update(self, responsibility: ArrayLike, z: ArrayLike) -> None:
        """Add consecutive draws of one chain.

        Parameters
        ----------
        responsibility
            (draw, obs, component), r_tik in raw labels; float64 for a sharp check.
        z
            (draw, obs), integers in 0 … K − 1.

        Raises
        ------
        UnmixError
            If a shape is wrong, a row of r is not a distribution or a z is not a component.
        """
        r = np.asarray(responsibility, dtype=float)
        z = np.asarray(z)
        n, k = self.n_obs, self.n_components
        if r.shape[1:] != (n, k) or r.ndim != 3:
            raise UnmixError(
                f"The responsibilities have shape {r.shape}; it should be (draws, {n}, {k})."
            )
        if z.shape != r.shape[:2] or not np.issubdtype(z.dtype, np.integer):
            raise UnmixError(
                f"z has shape {z.shape} and type {z.dtype}; give integers of shape {r.shape[:2]}."
            )
        if z.size and (z.min() < 0 or z.max() >= k):
            raise UnmixError(f"z goes from {z.min()} to {z.max()}; the components are 0 to {k - 1}.")
        n_draws = min(_MAX_DRAWS_IN_TILE, max(1, _TILE // n))
        for start in range(0, len(z), n_draws):
            self._draws(r[start : start + n_draws], z[start : start + n_draws])

    def _draws(self, r: Array, z: NDArray[np.integer]) -> None:
        """A few consecutive draws, tile by tile of rows."""
        n_draws, n, k = r.shape
        n_pairs = len(self._pairs)
        first = self._last is None
        last_r, last_z = self._last if self._last is not None else (r[0], z[0])
        totals = np.zeros((k, n_draws))
        spread = np.zeros((k, n_draws))
        pair_totals = np.zeros((n_pairs, n_draws))
        rows = max(1, _TILE // n_draws)
        for lo in range(0, n, rows):
            # One draw before and one row after, for the products; planes by component, because
            # sums over a long last axis are an order faster than over one of length K.
            hi, ext = min(lo + rows, n), min(lo + rows + 1, n)
            p = np.empty((k, n_draws + 1, ext - lo))
            p[:, 0] = last_r[lo:ext].T
            p[:, 1:] = np.moveaxis(r[:, lo:ext], 2, 0)
            self._refuse_what_is_no_distribution(p[:, 1:], lo)
            who = np.concatenate((last_z[None, lo:ext], z[:, lo:ext]))
            d = (who == np.arange(k, dtype=who.dtype)[:, None, None]) - p

            own_r, own_d = p[:, 1:, : hi - lo], d[:, 1:, : hi - lo]
            self._counted[:, lo:hi] += own_d.sum(axis=1)
            totals += own_d.sum(axis=2)
            self._expected[:, lo:hi] += own_r.sum(axis=1)
            squares = own_r * own_r
            self._squares[:, lo:hi] += squares.sum(axis=1)
            spread += (own_r - squares).sum(axis=2)
            self._add_pairs(own_r, lo, pair_totals)
            if own_d.max() >= 1 - IMPOSSIBLE:
                self._n_impossible += int((own_d >= 1 - IMPOSSIBLE).sum())

            g = np.log(own_r + FLOOR)
            rg = own_r * g
            mean = rg.sum(axis=0)
            self._score += np.vdot(own_d, g), np.vdot(rg, g) - np.vdot(mean, mean)
            since = 1 if first else 0
            self._lag += _products(d[:, since:-1, : hi - lo], own_r[:, since:], own_d[:, since:])
            self._neighbour += _products(d[:, 1:, :-1], p[:, 1:, 1:], d[:, 1:, 1:])
        chi2_value, ranks = _chi_square(totals.T, _covariances(spread, -pair_totals))
        self._draw_chi2 += chi2_value.sum()
        self._draw_ranks += int(ranks.sum())
        self._n_lag += (n_draws - first) * n
        self.n_draws += n_draws
        self._last = r[-1].copy(), z[-1].copy()

    def _add_pairs(self, r: Array, lo: int, totals: Array) -> None:
        """Add r_k r_l for k < l, over draws into rows and over rows into draws."""
        step = self._pair_step
        offset = -lo % step
        column, at = (lo + offset) // step, 0
        for k in range(self.n_components - 1):
            product = r[k] * r[k + 1 :]
            pairs = slice(at, at := at + len(product))
            totals[pairs] += product.sum(axis=2)
            kept = product[:, :, offset::step].sum(axis=1)
            self._pairs[pairs, column : column + kept.shape[1]] += kept

    def _refuse_what_is_no_distribution(self, p: Array, lo: int) -> None:
        off = np.abs(p.sum(axis=0) - 1)
        if not (off.max() <= 1e-6 and p.min() >= 0):
            bad = ~(off <= 1e-6) | (p < 0).any(axis=0)
            t, i = np.argwhere(bad)[0]
            raise UnmixError(
                f"The responsibilities of obs {lo + i} in draw {self.n_draws + t} are "
                f"{p[:, t, i]}; they should be non-negative and sum to one."
            )

    @property
    def variance(self) -> Array:
        """V_ik = Σ_t r (1 − r), (component, obs)."""
        return np.maximum(self._expected - self._squares, 0.0)

    def smallest_effect(self, level: float = LEVEL, n_tests: int = N_TESTS) -> float:
        """The tempering δ (r ∝ r^{1+δ}) that the log-score sees in nine checks of ten.

        A tempering moves the log-score's sum by δ times its variance V, so that it is seen when
        δ √V exceeds the critical value of a two-sided test at level / n_tests by the 90 % normal
        quantile. Infinite where V is 0, that is where no draw was in doubt.
        """
        variance = self._score[1]
        needed = -ndtri(level / n_tests / 2) - ndtri(0.1)
        return float(needed / np.sqrt(variance)) if variance > 0 else float("inf")

    def tests(self) -> list[TestOutcome]:
        """The eight tests; one that there is too little for has p-value NaN."""
        return [
            self._row_chi_square(),
            self._chi_square_outcome(
                "draw chi-square",
                self._draw_chi2,
                self._draw_ranks,
                "numbers shared by rows far apart, a table from other parameters than z",
            ),
            self._worst_cell_outcome(),
            self._log_score(),
            self._product_outcome(
                "lag-1 products", self._lag, self._n_lag, "sticky, repeated or stale draws"
            ),
            self._product_outcome(
                "neighbouring rows",
                self._neighbour,
                (self.n_obs - 1) * self.n_draws,
                "random numbers shared by rows",
            ),
            self._rare_cells(),
            TestOutcome(
                "impossible draws",
                float(self._n_impossible),
                0.0 if self._n_impossible else (1.0 if self.n_draws else np.nan),
                f"z with responsibility ≤ {IMPOSSIBLE:g}, of {self.n_obs * self.n_draws:,}",
                self.n_obs * self.n_draws,
                "draws from another table, components in another order",
            ),
        ]

    def worst_cells(self, n: int = 5) -> list[WorstCell]:
        """The n cells least likely under a correct sampler, the worst first."""
        v, s = self.variance, self._counted
        p = two_sided(s, v, counts=True)
        worst = np.argsort(p, axis=None, kind="stable")[:n]
        return [
            WorstCell(
                obs=int(i),
                component=int(k),
                z_score=float(s[k, i] / np.sqrt(v[k, i])) if v[k, i] > 0 else 0.0,
                expected=float(self._expected[k, i]),
                observed=round(s[k, i] + self._expected[k, i]),
                p_value=float(p[k, i]),
            )
            for k, i in zip(*np.unravel_index(worst, v.shape), strict=True)
        ]

    def _row_chi_square(self) -> TestOutcome:
        rows = slice(None, None, self._pair_step)
        value, ranks = 0.0, 0
        s, v = self._counted[:, rows], self.variance[:, rows]
        for lo in range(0, s.shape[1], 4096):  # (4096, K, K) at a time
            part = slice(lo, lo + 4096)
            covariance = _covariances(v[:, part], -self._pairs[:, part])
            row_value, row_ranks = _chi_square(s[:, part].T, covariance)
            value, ranks = value + row_value.sum(), ranks + int(row_ranks.sum())
        return self._chi_square_outcome(
            "row chi-square",
            value,
            ranks,
            "a wrong table, draws used twice; too good: r compared with itself, numbers not random",
        )

    def _chi_square_outcome(self, name: str, q: float, ranks: int, catches: str) -> TestOutcome:
        if ranks == 0:
            return TestOutcome(name, np.nan, np.nan, "no direction had variance enough", 0, catches)
        high, low = chi2.sf(q, ranks), chi2.cdf(q, ranks)
        two = ranks >= RANKS_FOR_TOO_GOOD
        return TestOutcome(
            name,
            q / ranks,
            float(min(1.0, 2 * min(high, low)) if two else high),
            f"chi-square over its {ranks:,} degrees of freedom, {'two' if two else 'one'}-sided",
            ranks,
            catches,
        )

    def _worst_cell_outcome(self) -> TestOutcome:
        name, catches = "worst cell", "a few rows or one component going wrong"
        v, s = self.variance, self._counted
        if self.n_components == 2:  # its two cells are one
            v, s = v[:1], s[:1]
        enough = v >= ENOUGH_JUMPS
        if not enough.any():
            return TestOutcome(name, np.nan, np.nan, "no cell had variance enough", 0, catches)
        v, s = v[enough], s[enough]
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

    def _log_score(self) -> TestOutcome:
        s, v = self._score
        used = self.n_obs * self.n_draws
        return _sum_outcome(
            "log-score",
            s,
            v,
            # E g ≥ −log K and g ≤ log(1 + floor); g ≥ log floor and E g ≤ log(1 + floor)
            np.log(self.n_components) + np.log1p(FLOOR),
            np.log1p(FLOOR) - np.log(FLOOR),
            used,
            "responsibilities too sharp or too flat: weights, scales, tempering",
        )

    def _product_outcome(self, name: str, sums: Array, used: int, catches: str) -> TestOutcome:
        return _sum_outcome(name, sums[0], sums[1], 2.0, 2.0, used, catches)

    def _rare_cells(self) -> TestOutcome:
        """Counts of rare cells together, by component, and the most surprising one alone.

        A row's most expected component is left out: what it lacks, the others have too much of.
        The variance of a row's rare cells together is at most the sum of theirs.
        """
        name, catches = "rare cells", "wrong tails: draws where there should hardly be one"
        v, s = self.variance, self._counted
        rare = (v < ENOUGH_JUMPS) & (v > 0)
        rare[self._expected.argmax(axis=0), np.arange(self.n_obs)] = False
        if not rare.any():
            return TestOutcome(name, np.nan, np.nan, "no cell was rare", 0, catches)
        s, v = np.where(rare, s, 0.0), np.where(rare, v, 0.0)
        pools_s, pools_v = s.sum(axis=1), v.sum(axis=1)
        if self.n_components > 2:
            pools_s, pools_v = np.append(pools_s, s.sum()), np.append(pools_v, v.sum())
        pools = pools_v > 0
        # Both sides, and Bonferroni over the pools and the cell alone.
        log_p = log_bennett(np.abs(pools_s[pools]), pools_v[pools]).min()
        log_cell = log_bennett(np.abs(s[rare]), v[rare]).min() + np.log(rare.sum())
        p = np.exp(min(log_p, log_cell) + np.log(2 * (pools.sum() + 1)))
        return TestOutcome(
            name,
            float(s.sum() / np.sqrt(v.sum())),
            float(min(1.0, p)),
            f"Bennett–Freedman bound, {rare.sum():,} cells: by component and the worst",
            int(rare.sum()),
            catches,
        )


def _products(before: Array, r: Array, d: Array) -> tuple[float, float]:
    """Sum over all (draw, obs) of before · d, and its variance before' (diag(r) − r r') before.

    All of shape (component, draw, obs).
    """
    weighted = r * before
    mean = weighted.sum(axis=0)
    return np.vdot(before, d), np.vdot(weighted, before) - np.vdot(mean, mean)


def _covariances(diagonal: Array, pairs: Array) -> Array:
    """(n, K, K) from the diagonals (K, n) and the elements above them (K (K − 1) / 2, n)."""
    k, n = diagonal.shape
    out = np.empty((n, k, k))
    out[:, np.arange(k), np.arange(k)] = diagonal.T
    above, right = np.triu_indices(k, 1)
    out[:, above, right] = out[:, right, above] = pairs.T
    return out


def _chi_square(s: Array, covariance: Array) -> tuple[Array, NDArray[np.int_]]:
    """s' V⁻ s in the eigenvectors of V with variance enough, and how many those are; each (n,)."""
    values, vectors = np.linalg.eigh(covariance)
    enough = values >= ENOUGH_EIGENVALUE
    along = np.einsum("nk,nkj->nj", s, vectors)
    q = np.divide(along**2, values, out=np.zeros_like(values), where=enough)
    return q.sum(axis=1), enough.sum(axis=1)


def _sum_outcome(
    name: str, s: float, v: float, up: float, down: float, used: int, catches: str
) -> TestOutcome:
    """The outcome for a sum with jumps of at most `up` and `down`."""
    # Rounding leaves some 1e-16 of each term where every term is 0.
    if not v > 1e-12 * max(used, 1):
        return TestOutcome(name, np.nan, np.nan, "nothing was in doubt", 0, catches)
    enough = v >= ENOUGH_JUMPS * (up if s >= 0 else down) ** 2
    return TestOutcome(
        name,
        float(s / np.sqrt(v)),
        float(two_sided(s, v, up, down)),
        "sum of bounded differences, " + ("Poisson tail" if enough else "Bennett–Freedman bound"),
        used,
        catches,
    )
