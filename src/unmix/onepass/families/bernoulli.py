r"""Bernoulli items, independent given the component (latent classes).

    log p(x | k) = Σ_j log p_kj where x_j = 1, log (1 − p_kj) where x_j = 0

Parameters: log p (d), log (1 − p) (d). Statistics: Σ r x_j (d). Probabilities of zero and one are
allowed: they are where maximum likelihood often ends.
"""

import numpy as np
import pytensor.tensor as pt
from pytensor.tensor.random.basic import BernoulliRV

from unmix.onepass.elementary import jit
from unmix.onepass.families.counts import sum_columns
from unmix.onepass.families.family import Family, Graph, over_features


@jit
def log_density(x, d, m, p, row, work):  # type: ignore[no-untyped-def]
    """Add log p(x_i | k) of a block of rows to ``row``."""
    j = 0
    while j + 2 <= d:
        x0, x1 = x[j], x[j + 1]
        y0, n0, y1, n1 = p[j], p[d + j], p[j + 1], p[d + j + 1]
        for i in range(m):
            row[i] += (y0 if x0[i] != 0.0 else n0) + (y1 if x1[i] != 0.0 else n1)
        j += 2
    if j < d:
        xj, yes, no = x[j], p[j], p[d + j]
        for i in range(m):
            row[i] += yes if xj[i] != 0.0 else no


@jit
def statistics(x, d, m, p, r, s, work):  # type: ignore[no-untyped-def]
    """Add the weighted sums of a block of rows to ``s``."""
    sum_columns(x, d, m, r, s)


@jit
def maximise(d, n, s, p, floor):  # type: ignore[no-untyped-def]
    """Probabilities at which Σ r log p(x | k) is largest: the weighted means."""
    for j in range(d):
        share = min(max(s[j] / n, 0.0), 1.0)
        p[j] = np.log(share)
        p[d + j] = np.log1p(-share)
    return 0


@jit
def change(d, old, new):  # type: ignore[no-untyped-def]
    """Largest step of a probability."""
    largest = 0.0
    for j in range(d):
        largest = max(largest, abs(np.exp(new[j]) - np.exp(old[j])))
    return largest


class Bernoulli(Family):
    """`pm.Bernoulli` with its probability indexed by ``z``."""

    code = 3
    name = "Bernoulli"
    op = BernoulliRV

    def n_parameters(self, d: int) -> int:
        return 2 * d

    def n_statistics(self, d: int) -> int:
        return d

    def pack(self, parameters: list[Graph], k: int, d: int) -> Graph:
        p = over_features(parameters[0], k, d)
        return pt.concatenate([pt.log(p), pt.log1p(-p)], axis=1)

    def expected(self, packed: Graph, n: Graph, s: Graph, centre: Graph, d: int) -> Graph:
        no = n[:, None] - s

        def product(count: Graph, log_p: Graph) -> Graph:
            some = pt.neq(count, 0.0)
            return pt.switch(some, count * pt.switch(some, log_p, 0.0), 0.0)

        return (product(s, packed[:, :d]) + product(no, packed[:, d:])).sum(axis=1)

    def neutral(self, x: np.ndarray) -> np.ndarray:
        return np.full(2 * len(x), np.log(0.5))

    def columns(self, x: np.ndarray) -> np.ndarray:
        if not np.isin(x, (0, 1)).all():
            raise ValueError("values that are neither 0 nor 1")
        return x

    def moments(self, p: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
        yes = np.exp(p[..., :d])
        return yes, yes * np.exp(p[..., d : 2 * d])

    def replicate(self, p: np.ndarray, d: int, n: int, rng: np.random.Generator) -> np.ndarray:
        return (rng.random((d, n)) < np.exp(p[:d, None])).astype(np.float64)
