r"""Multivariate normal features with full covariances.

    log p(x | k) = −½ |L⁻¹ (x − μ)|² − log det L − ½ d log 2π,     Σ_k = L Lᵀ

Parameters: μ (d), the lower triangle of L⁻¹ row by row (d (d + 1) / 2), and the constant.
Statistics, about the μ they were computed with: Σ r (x − μ) (d) and the lower triangle of
Σ r (x − μ)(x − μ)ᵀ. Whitened residuals keep their digits whatever the scale of Σ.
"""

import numpy as np
import pytensor.tensor as pt
import scipy.linalg
from pytensor.tensor.linalg import solve_triangular
from pytensor.tensor.random.basic import MvNormalRV

from unmix.onepass.elementary import jit
from unmix.onepass.families import two_features, whitened
from unmix.onepass.families.family import Family, Graph
from unmix.onepass.families.normal import HALF_LOG_2_PI


@jit
def fill(x, d, m, p, weight, row, work):  # type: ignore[no-untyped-def]
    """``weight`` plus log p(x_i | k) of a block of rows into ``row``."""
    if d == 2:
        two_features.fill(x[0], x[1], m, p, weight, row)
    else:
        whitened.fill(x, d, m, p, weight, row, work)


@jit
def log_density(x, d, m, p, row, work):  # type: ignore[no-untyped-def]
    """Add log p(x_i | k) of a block of rows to ``row``."""
    found = work[d]
    fill(x, d, m, p, 0.0, found, work)
    for i in range(m):
        row[i] += found[i]


@jit
def statistics(x, d, m, p, r, s, work):  # type: ignore[no-untyped-def]
    """Add the weighted sums of a block of rows to ``s``."""
    if d == 2:
        two_features.statistics(x[0], x[1], m, p, r, s)
    else:
        whitened.statistics(x, d, m, p, r, s, work)


@jit
def inverse_cholesky(covariance):  # type: ignore[no-untyped-def]
    """L⁻¹ (lower) of a covariance L Lᵀ; NaN where it is not positive definite."""
    d = len(covariance)
    lower = np.zeros((d, d))
    inverse = np.zeros((d, d))
    for i in range(d):
        for j in range(i + 1):
            total = covariance[i, j]
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            if i == j:
                lower[i, i] = np.sqrt(total) if total > 0.0 else np.nan
            else:
                lower[i, j] = total / lower[j, j]
    for i in range(d):
        inverse[i, i] = 1.0 / lower[i, i]
        for j in range(i):
            total = 0.0
            for k in range(j, i):
                total -= lower[i, k] * inverse[k, j]
            inverse[i, j] = total / lower[i, i]
    return inverse


@jit
def floored(covariance, floor):  # type: ignore[no-untyped-def]
    """The covariance with its eigenvalues, in units of ``floor``, raised to at least one.

    That is the maximum of the likelihood over covariances Σ ⪰ diag(floor).
    """
    d = len(covariance)
    scale = np.sqrt(floor)
    unit = np.empty((d, d))
    for i in range(d):
        for j in range(d):
            unit[i, j] = covariance[i, j] / (scale[i] * scale[j])
    values, vectors = np.linalg.eigh(unit)
    if values[0] > 1.0:
        return covariance, 0
    held = 0
    for i in range(d):
        if values[i] <= 1.0:
            values[i] = 1.0
            held += 1
    raised = np.empty((d, d))
    for i in range(d):
        for j in range(d):
            total = 0.0
            for k in range(d):
                total += vectors[i, k] * values[k] * vectors[j, k]
            raised[i, j] = total * scale[i] * scale[j]
    return raised, held


@jit
def maximise(d, n, s, p, floor):  # type: ignore[no-untyped-def]
    """Parameters at which Σ r log p(x | k) is largest; how many directions the floor held."""
    covariance = np.empty((d, d))
    for i in range(d):
        for j in range(i + 1):
            v = s[d + i * (i + 1) // 2 + j] / n - (s[i] / n) * (s[j] / n)
            covariance[i, j] = v
            covariance[j, i] = v
    held = 0
    if floor[0] > 0.0:
        covariance, held = floored(covariance, floor)
    inverse = inverse_cholesky(covariance)
    c = -d * HALF_LOG_2_PI
    for i in range(d):
        p[i] += s[i] / n
        c += np.log(inverse[i, i])
        for j in range(i + 1):
            p[d + i * (i + 1) // 2 + j] = inverse[i, j]
    p[d + d * (d + 1) // 2] = c
    return held


@jit
def change(d, old, new):  # type: ignore[no-untyped-def]
    """Largest step of a mean or of L⁻¹, in units of the conditional standard deviations."""
    largest = 0.0
    for i in range(d):
        for j in range(i + 1):
            at = d + i * (i + 1) // 2 + j
            inverse_sd = new[d + j * (j + 1) // 2 + j]
            largest = max(largest, abs(new[at] - old[at]) / inverse_sd)
        inverse_sd = new[d + i * (i + 1) // 2 + i]
        largest = max(largest, abs(new[i] - old[i]) * inverse_sd)
    return largest


def lower_indices(d: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of a lower triangle, row by row."""
    return np.tril_indices(d)


class MvNormal(Family):
    """`pm.MvNormal` with its mean and covariance indexed by ``z``."""

    code = 1
    name = "MvNormal"
    op = MvNormalRV
    event = 1
    own = (1, 2)
    continuous = True
    single = "centred"

    def n_parameters(self, d: int) -> int:
        return d + d * (d + 1) // 2 + 1

    def n_statistics(self, d: int) -> int:
        return d + d * (d + 1) // 2

    def pack(self, parameters: list[Graph], k: int, d: int) -> Graph:
        mu, factor = parameters
        mu = pt.broadcast_to(mu, (k, d))
        factor = pt.broadcast_to(factor, (k, d, d))
        inverse = solve_triangular(factor, pt.eye(d), lower=True)
        rows, columns = lower_indices(d)
        # A factor with negative entries on its diagonal is a factor of the same covariance.
        constant = -pt.log(pt.abs(pt.diagonal(factor, axis1=-2, axis2=-1))).sum(axis=1)
        constant = constant[:, None] - d * HALF_LOG_2_PI
        return pt.concatenate([mu, inverse[:, rows, columns], constant], axis=1)

    def expected(self, packed: Graph, n: Graph, s: Graph, centre: Graph, d: int) -> Graph:
        rows, columns = lower_indices(d)
        k = packed.shape[0]

        def lower(flat: Graph) -> Graph:
            return pt.zeros((k, d, d))[:, rows, columns].set(flat)

        inverse = lower(packed[:, d:-1])
        second = lower(s[:, d:])
        strict = second * pt.tril(pt.ones((d, d)), -1)
        scatter = second + pt.swapaxes(strict, -1, -2)
        shift = packed[:, :d] - centre[:, :d]
        cross = s[:, :d, None] * shift[:, None, :]
        about = scatter - cross - pt.swapaxes(cross, -1, -2)
        about = about + n[:, None, None] * shift[:, :, None] * shift[:, None, :]
        square = (pt.matmul(inverse, about) * inverse).sum(axis=(1, 2))
        return n * packed[:, -1] - 0.5 * square

    def neutral(self, x: np.ndarray) -> np.ndarray:
        d = len(x)
        sd = x.std(axis=1)
        sd = np.where(sd > 0, sd, 1.0)
        c = -np.log(sd).sum() - d * HALF_LOG_2_PI
        rows, columns = lower_indices(d)
        return np.concatenate([x.mean(axis=1), np.diag(1 / sd)[rows, columns], [c]])

    def moments(self, p: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
        inverse = np.zeros((*p.shape[:-1], d, d))
        rows, columns = lower_indices(d)
        inverse[..., rows, columns] = p[..., d:-1]
        # x = μ + L u, so that the variance of a feature is the sum of squares of its row of L.
        return p[..., :d], np.square(np.linalg.inv(inverse)).sum(axis=-1)

    def replicate(self, p: np.ndarray, d: int, n: int, rng: np.random.Generator) -> np.ndarray:
        inverse = np.zeros((d, d))
        inverse[lower_indices(d)] = p[d:-1]
        white = rng.standard_normal((d, n))
        return p[:d, None] + scipy.linalg.solve_triangular(inverse, white, lower=True)
