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

HALF_LOG_2_PI = 0.9189385332046727


@jit
def log_density(x, d, m, p, row, work):  # type: ignore[no-untyped-def]
    """Add log p(x_i | k) of a block of rows to ``row``."""
    c = p[2 * d]
    if d == 1:
        x0 = x[0]
        mean, inverse = p[0], p[1]
        for i in range(m):
            u = (x0[i] - mean) * inverse
            row[i] += c - 0.5 * u * u
        return
    j = 0
    while j + 4 <= d:
        x0, x1, x2, x3 = x[j], x[j + 1], x[j + 2], x[j + 3]
        m0, m1, m2, m3 = p[j], p[j + 1], p[j + 2], p[j + 3]
        s0, s1, s2, s3 = p[d + j], p[d + j + 1], p[d + j + 2], p[d + j + 3]
        for i in range(m):
            u0, u1 = (x0[i] - m0) * s0, (x1[i] - m1) * s1
            u2, u3 = (x2[i] - m2) * s2, (x3[i] - m3) * s3
            row[i] += c - 0.5 * (u0 * u0 + u1 * u1 + u2 * u2 + u3 * u3)
        c = 0.0
        j += 4
    while j < d:
        x0 = x[j]
        mean, inverse = p[j], p[d + j]
        for i in range(m):
            u0 = (x0[i] - mean) * inverse
            row[i] += c - 0.5 * u0 * u0
        c = 0.0
        j += 1


@jit
def fill_one(x, m, p, weight, row, largest):  # type: ignore[no-untyped-def]
    """``weight`` plus log p(x_i | k) of one feature into ``row``, the larger into ``largest``."""
    mean, inverse, c = p[0], p[1], weight + p[2]
    possible = weight != -np.inf  # a weight that is no number is not impossible
    for i in range(m):
        u = (x[i] - mean) * inverse
        v = c - 0.5 * u * u
        v = v if possible else -np.inf
        row[i] = v
        largest[i] = v if v > largest[i] else largest[i]


@jit
def statistics(x, d, m, p, r, s, work):  # type: ignore[no-untyped-def]
    """Add the weighted sums of a block of rows to ``s``."""
    j = 0
    while j + 2 <= d:
        x0, x1 = x[j], x[j + 1]
        m0, m1 = p[j], p[j + 1]
        a0, a1, b0, b1 = 0.0, 0.0, 0.0, 0.0
        for i in range(m):
            u0, u1 = x0[i] - m0, x1[i] - m1
            v0, v1 = r[i] * u0, r[i] * u1
            a0 += v0
            a1 += v1
            b0 += v0 * u0
            b1 += v1 * u1
        s[j] += a0
        s[j + 1] += a1
        s[d + j] += b0
        s[d + j + 1] += b1
        j += 2
    if j < d:
        x0 = x[j]
        mean = p[j]
        a, b = 0.0, 0.0
        for i in range(m):
            u = x0[i] - mean
            v = r[i] * u
            a += v
            b += v * u
        s[j] += a
        s[d + j] += b


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
