"""Expected losses of any one partition in NumPy, apart from the tables that the search keeps.

The formulas stand in `unmix.assign.partition.losses`. What the search comes to is judged here
again, so a table that went wrong on the way would show.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLOCK = 2**22


@dataclass(frozen=True)
class InCommon:
    """A partition against draws: pairs of rows, and sums of f(n) = n log₂ n.

    Attributes
    ----------
    n
        Number of rows.
    own, s
        Σ_k f(n_k) and S = Σ_k C(n_k, 2) of the partition.
    margin, m
        The same of every draw, shape (sample,).
    joint, a
        The same of their intersections, shape (sample,).
    """

    n: int
    own: float
    s: float
    margin: NDArray[np.float64]
    m: NDArray[np.float64]
    joint: NDArray[np.float64]
    a: NDArray[np.float64]

    @property
    def vi(self) -> NDArray[np.float64]:
        """Variation of information, bits, shape (sample,)."""
        return np.maximum(0.0, (self.own + self.margin - 2 * self.joint) / self.n)

    @property
    def binder(self) -> NDArray[np.float64]:
        """Pairs of rows that one joins and the other separates, shape (sample,)."""
        return self.s + self.m - 2 * self.a

    @property
    def ari(self) -> NDArray[np.float64]:
        """Adjusted Rand index, shape (sample,)."""
        return adjusted_rand(self.a, self.s, self.m, 0.5 * self.n * (self.n - 1))


def adjusted_rand(
    a: NDArray[np.float64], s: float, m: NDArray[np.float64], pairs: float
) -> NDArray[np.float64]:
    """Adjusted Rand index from pairs together in both, in one, in the other, and all pairs.

    One where both partitions are all rows apart or all rows together, as they are then the same.
    """
    chance = s * m / max(pairs, 1.0)
    room = 0.5 * (s + m) - chance
    none = room <= 1e-12 * pairs
    return np.where(none, 1.0, (a - chance) / np.where(none, 1.0, room))


def in_common(c: NDArray[np.int64], z: NDArray[np.integer]) -> InCommon:
    """Count what a partition, shape (obs,), has in common with draws, shape (sample, obs)."""
    # Here, because Numba takes a while to import.
    from unmix.assign.partition import compiled

    n = len(c)
    size = np.bincount(c)
    x = np.arange(n + 1, dtype=float)
    f = x * np.log2(np.maximum(x, 1.0))
    joint, a, margin, m = (np.empty(len(z)) for _ in range(4))
    order = np.argsort(c, kind="stable")
    compiled.in_common()(order, np.cumsum(size), np.ascontiguousarray(z), f, joint, a, margin, m)
    own = float(f[size].sum())
    return InCommon(n, own, float(0.5 * np.sum(size * (size - 1.0))), margin, m, joint, a)


def together(c: NDArray[np.int64], p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Σ_{j: c_j = k} P_ij, shape (obs, component), P_ii = 1 included."""
    return p @ (c[:, None] == np.arange(c.max() + 1)).astype(float)


def together_in_draws(c: NDArray[np.int64], z: NDArray[np.integer]) -> NDArray[np.float64]:
    """The same from draws, block by block: the mean of n_{t, z_ti, k}, without the matrix P."""
    n, k, drawn = len(c), int(c.max()) + 1, int(z.max()) + 1
    total = np.zeros((n, k))
    step = max(1, BLOCK // (n + drawn * k))
    for begin in range(0, len(z), step):
        part = z[begin : begin + step].astype(np.intp)
        cell = (np.arange(len(part))[:, None] * drawn + part) * k + c
        counts = np.bincount(cell.ravel(), minlength=len(part) * drawn * k).reshape(-1, drawn, k)
        for j in range(k):
            total[:, j] += np.take_along_axis(counts[:, :, j], part, axis=1).sum(axis=0)
    return total / len(z)


def expected_loss(
    loss: str,
    c: NDArray[np.int64],
    *,
    z: NDArray[np.integer] | None = None,
    p: NDArray[np.float64] | None = None,
    costs: tuple[float, float] = (1.0, 1.0),
) -> float:
    """Expected loss of a partition over draws, or over P where z is left out.

    VI and its bound in bits, Binder as a sum over pairs, omARI as one minus the index.
    """
    n = len(c)
    pairs = 0.5 * n * (n - 1)
    size = np.bincount(c)
    s = float(0.5 * np.sum(size * (size - 1.0)))
    if z is not None:
        common = in_common(c, z)
        if loss == "vi":
            return float(common.vi.mean())
        if loss == "omari":
            return float(1 - common.ari.mean())
        a, m = float(common.a.mean()), float(common.m.mean())
    else:
        assert p is not None
        inside = together(c, p)[np.arange(n), c]
        if loss == "vi_lower_bound":
            terms = np.log2(size[c]) + np.log2(p.sum(axis=1)) - 2 * np.log2(inside)
            return max(0.0, float(terms.mean()))
        a, m = float(0.5 * (inside.sum() - n)), float(0.5 * (p.sum() - n))
    if loss == "binder":
        return costs[0] * (m - a) + costs[1] * (s - a)
    return 1.0 - float(adjusted_rand(np.array(a), s, np.array(m), pairs))
