r"""Normal features, independent given the component: one, or the diagonal case of several.

    log p(x | k) = Σ_j −½ ((x_j − μ_kj) / σ_kj)² − log σ_kj − ½ log 2π

Parameters, d = number of features: μ (d), 1/σ (d), and the constant. Statistics, about the μ they
were computed with: Σ r (x_j − μ_j) (d), Σ r (x_j − μ_j)² (d).
"""

from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.tensor.random.basic import NormalRV

from unmix.onepass.elementary import jit
from unmix.onepass.families.family import Family, Graph, over_features
from unmix.onepass.lanes import WIDE, clear, fused, load_wide, store, sum_lanes, wide

HALF_LOG_2_PI = 0.9189385332046727


@jit
def fill(x, d, m, p, weight, row):  # type: ignore[no-untyped-def]
    """``weight`` plus log p(x_i | k) of a block of rows into ``row``."""
    minus_half, constant = wide(-0.5), wide(weight + p[2 * d])
    for i in range(0, m, WIDE):
        square = wide(0.0)
        for j in range(d):
            u = (load_wide(x[j], i) - wide(p[j])) * wide(p[d + j])
            square = fused(u, u, square)
        store(row, i, fused(minus_half, square, constant))


@jit
def log_density(x, d, m, p, row, work):  # type: ignore[no-untyped-def]
    """Add log p(x_i | k) of a block of rows to ``row``."""
    found = work[d]
    fill(x, d, m, p, 0.0, found)
    for i in range(m):
        row[i] += found[i]


@jit
def statistics(x, d, m, p, r, s, work):  # type: ignore[no-untyped-def]
    """Add the weighted sums of a block of rows to ``s``."""
    clear(r, m)
    for j in range(d):
        xj, mean = x[j], wide(p[j])
        first, second = wide(0.0), wide(0.0)
        for i in range(0, m, WIDE):
            u = load_wide(xj, i) - mean
            v = load_wide(r, i) * u
            first = first + v
            second = fused(v, u, second)
        s[j] += sum_lanes(first)
        s[d + j] += sum_lanes(second)


@jit
def maximise(d, n, s, p, floor):  # type: ignore[no-untyped-def]
    """Parameters at which Σ r log p(x | k) is largest; how many variances the floor held.

    Variances are at least ``floor[j]``.
    """
    held = 0
    c = -d * HALF_LOG_2_PI
    for j in range(d):
        shift = s[j] / n
        variance = s[d + j] / n - shift * shift
        if variance <= floor[j]:
            variance = floor[j]
            held += 1
        p[j] += shift
        p[d + j] = 1.0 / np.sqrt(variance)
        c -= 0.5 * np.log(variance)
    p[2 * d] = c
    return held


@jit
def change(d, old, new):  # type: ignore[no-untyped-def]
    """Largest step of a mean, in standard deviations, or of a standard deviation, relative."""
    largest = 0.0
    for j in range(d):
        largest = max(largest, abs(new[j] - old[j]) * new[d + j])
        largest = max(largest, abs(new[d + j] - old[d + j]) / new[d + j])
    return largest


class Normal(Family):
    """`pm.Normal` with its mean and standard deviation indexed by ``z``."""

    code = 0
    name = "Normal"
    op = NormalRV
    own = (0, 0)
    continuous = True
    single = "centred"

    def columns(self, x: Any) -> np.ndarray:
        return x

    def n_parameters(self, d: int) -> int:
        return 2 * d + 1

    def n_statistics(self, d: int) -> int:
        return 2 * d

    def pack(self, parameters: list[Graph], k: int, d: int) -> Graph:
        mu, sigma = (over_features(g, k, d) for g in parameters)
        constant = -pt.log(sigma).sum(axis=1, keepdims=True) - d * HALF_LOG_2_PI
        return pt.concatenate([mu, 1.0 / sigma, constant], axis=1)

    def expected(self, packed: Graph, n: Graph, s: Graph, centre: Graph, d: int) -> Graph:
        # Σ r (x − μ)² about another centre c: S2 − 2 (μ − c) S1 + n (μ − c)².
        shift = packed[:, :d] - centre[:, :d]
        square = s[:, d:] - 2 * shift * s[:, :d] + n[:, None] * shift**2
        return n * packed[:, 2 * d] - 0.5 * (packed[:, d : 2 * d] ** 2 * square).sum(axis=1)

    def neutral(self, x: np.ndarray) -> np.ndarray:
        sd = x.std(axis=1)
        sd = np.where(sd > 0, sd, 1.0)
        c = -np.log(sd).sum() - len(x) * HALF_LOG_2_PI
        return np.concatenate([x.mean(axis=1), 1 / sd, [c]])

    def moments(self, p: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
        return p[..., :d], 1 / np.square(p[..., d : 2 * d])

    def replicate(self, p: np.ndarray, d: int, n: int, rng: np.random.Generator) -> np.ndarray:
        return p[:d, None] + rng.standard_normal((d, n)) / p[d : 2 * d, None]
