r"""Poisson counts, independent given the component.

    log p(x | k) = Σ_j x_j log λ_kj − λ_kj − log x_j!

Parameters: log λ (d) and the constant −Σ λ. Statistics: Σ r x_j (d). The factorial is the same for
every component and is added once.
"""

import numpy as np
import pytensor.tensor as pt
from pytensor.tensor.random.basic import PoissonRV
from scipy.special import gammaln

from unmix.onepass.elementary import jit
from unmix.onepass.families.counts import add_columns, sum_columns
from unmix.onepass.families.family import Family, Graph, over_features

# Of a rate that goes to 0 every step is as large as the rate: below this one they are compared with
# this one.
SMALL = 1e-3


@jit
def log_density(x, d, m, p, row, work):  # type: ignore[no-untyped-def]
    """Add log p(x_i | k) + log x_i! of a block of rows to ``row``."""
    add_columns(x, d, m, p, p[d], row)


@jit
def statistics(x, d, m, p, r, s, work):  # type: ignore[no-untyped-def]
    """Add the weighted sums of a block of rows to ``s``."""
    sum_columns(x, d, m, r, s)


@jit
def maximise(d, n, s, p, floor):  # type: ignore[no-untyped-def]
    """Rates at which Σ r log p(x | k) is largest: the weighted means."""
    c = 0.0
    for j in range(d):
        p[j] = np.log(s[j] / n)
        c -= s[j] / n
    p[d] = c
    return 0


@jit
def change(d, old, new):  # type: ignore[no-untyped-def]
    """Largest step of a rate, relative; of one that goes to 0, in thousandths of a count."""
    largest = 0.0
    for j in range(d):
        rate = np.exp(new[j])
        largest = max(largest, abs(rate - np.exp(old[j])) / max(rate, SMALL))
    return largest


class Poisson(Family):
    """`pm.Poisson` with its rate indexed by ``z``."""

    code = 2
    name = "Poisson"
    op = PoissonRV
    has_base = True

    def n_parameters(self, d: int) -> int:
        return d + 1

    def n_statistics(self, d: int) -> int:
        return d

    def pack(self, parameters: list[Graph], k: int, d: int) -> Graph:
        rate = over_features(parameters[0], k, d)
        return pt.concatenate([pt.log(rate), -rate.sum(axis=1, keepdims=True)], axis=1)

    def expected(self, packed: Graph, n: Graph, s: Graph, centre: Graph, d: int) -> Graph:
        # A sum that is zero adds nothing, whatever its log-rate.
        seen = pt.neq(s, 0.0)
        terms = pt.switch(seen, s * pt.switch(seen, packed[:, :d], 0.0), 0.0)
        return terms.sum(axis=1) + n * packed[:, d]

    def neutral(self, x: np.ndarray) -> np.ndarray:
        mean = np.maximum(x.mean(axis=1), 1e-300)
        return np.concatenate([np.log(mean), [-mean.sum()]])

    def log_base(self, x: np.ndarray) -> np.ndarray:
        return -gammaln(x + 1.0).sum(axis=0)

    def columns(self, x: np.ndarray) -> np.ndarray:
        if (x < 0).any() or (x != np.floor(x)).any():
            raise ValueError("values that are not counts")
        return x

    def moments(self, p: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
        rate = np.exp(p[..., :d])
        return rate, rate

    def replicate(self, p: np.ndarray, d: int, n: int, rng: np.random.Generator) -> np.ndarray:
        return rng.poisson(np.exp(p[:d, None]), (d, n)).astype(np.float64)
