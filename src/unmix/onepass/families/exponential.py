r"""Exponential waiting times, independent given the component.

    log p(x | k) = Σ_j log λ_kj − λ_kj x_j,   x_j ≥ 0

Parameters: −λ (d) and the constant Σ log λ. Statistics: Σ r x_j (d).
"""

import numpy as np
import pytensor.tensor as pt
from pytensor.tensor.random.basic import ExponentialRV

from unmix.onepass.elementary import jit
from unmix.onepass.families.counts import add_columns, sum_columns
from unmix.onepass.families.family import Family, Graph, over_features


@jit
def log_density(x, d, m, p, row, work):  # type: ignore[no-untyped-def]
    """Add log p(x_i | k) of a block of rows to ``row``."""
    add_columns(x, d, m, p, p[d], row)


@jit
def statistics(x, d, m, p, r, s, work):  # type: ignore[no-untyped-def]
    """Add the weighted sums of a block of rows to ``s``."""
    sum_columns(x, d, m, r, s)


@jit
def maximise(d, n, s, p, floor):  # type: ignore[no-untyped-def]
    """Rates at which Σ r log p(x | k) is largest: one over the weighted means."""
    c = 0.0
    for j in range(d):
        p[j] = -n / s[j]
        c += np.log(n / s[j])
    p[d] = c
    return 0


@jit
def change(d, old, new):  # type: ignore[no-untyped-def]
    """Largest step of a rate, relative."""
    largest = 0.0
    for j in range(d):
        largest = max(largest, abs((new[j] - old[j]) / new[j]))
    return largest


class Exponential(Family):
    """`pm.Exponential` with its rate or scale indexed by ``z``."""

    code = 5
    name = "Exponential"
    op = ExponentialRV
    continuous = True
    single = "relative"

    def n_parameters(self, d: int) -> int:
        return d + 1

    def n_statistics(self, d: int) -> int:
        return d

    def pack(self, parameters: list[Graph], k: int, d: int) -> Graph:
        rate = 1.0 / over_features(parameters[0], k, d)  # the variable holds the scale
        return pt.concatenate([-rate, pt.log(rate).sum(axis=1, keepdims=True)], axis=1)

    def expected(self, packed: Graph, n: Graph, s: Graph, centre: Graph, d: int) -> Graph:
        return (s * packed[:, :d]).sum(axis=1) + n * packed[:, d]

    def neutral(self, x: np.ndarray) -> np.ndarray:
        mean = np.maximum(x.mean(axis=1), 1e-300)
        return np.concatenate([-1 / mean, [-np.log(mean).sum()]])

    def columns(self, x: np.ndarray) -> np.ndarray:
        if (x < 0).any():
            raise ValueError("negative values")
        return x

    def moments(self, p: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
        mean = -1 / p[..., :d]
        return mean, np.square(mean)

    def replicate(self, p: np.ndarray, d: int, n: int, rng: np.random.Generator) -> np.ndarray:
        return rng.standard_exponential((d, n)) / -p[:d, None]
