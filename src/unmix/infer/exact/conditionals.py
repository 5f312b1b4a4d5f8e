r"""θ given the pass's sums, block by block: exact draws where conjugate, slices where not.

Everything here is of the size of K components, whatever N. Sums are about the means that they were
computed with, held in ``centre``; the packed parameters are brought up to date as θ is.

Conditionals, with n_k rows in component k, S1 and S2 their first two sums about c:

    w         Dirichlet(α + n)
    mu        Normal with precision 1/s0² + n/σ², and its multivariate form
    rate      Gamma(a + Σx, b + n) for Poisson; Gamma(a + n, b + Σx) for Exponential
    p         Beta(a + Σx, b + n − Σx); levels Dirichlet(α + counts)
    sigma     slice (Neal 2003, Annals of Statistics 31:705) on log σ of
              σ^−n exp(−S2 / 2σ²) p(σ) σ
"""

import numpy as np

from unmix.infer.exact.priors import log_positive
from unmix.onepass.elementary import jit

HALF_LOG_2_PI = 0.9189385332046727
# Width of the first bracket of a slice, on the log scale; it is stepped out as far as needed.
WIDTH = 0.5


@jit
def log_scale_density(v, n, square, family, a, b):  # type: ignore[no-untyped-def]
    """Log-density of v = log σ given n residuals with that sum of squares."""
    sigma = np.exp(v)
    return -n * v - 0.5 * square / (sigma * sigma) + log_positive(family, sigma, a, b) + v


@jit
def slice_scale(rng, sigma, n, square, family, a, b):  # type: ignore[no-untyped-def]
    """A slice step on log σ: stepping out, then shrinkage."""
    v = np.log(sigma)
    level = log_scale_density(v, n, square, family, a, b) - rng.standard_exponential()
    low = v - WIDTH * rng.random()
    high = low + WIDTH
    for _ in range(200):
        if not log_scale_density(low, n, square, family, a, b) > level:
            break
        low -= WIDTH
    for _ in range(200):
        if not log_scale_density(high, n, square, family, a, b) > level:
            break
        high += WIDTH
    for _ in range(200):
        proposal = low + (high - low) * rng.random()
        if log_scale_density(proposal, n, square, family, a, b) > level:
            return np.exp(proposal)
        if proposal < v:
            low = proposal
        else:
            high = proposal
    return sigma


@jit
def draw_weights(rng, n, alpha, w, log_w):  # type: ignore[no-untyped-def]
    """W | n, in place; in logs, as small shapes give weights below the smallest double."""
    k = len(n)
    largest = -np.inf
    for j in range(k):
        shape = alpha[j] + n[j]
        # Gamma(s) = Gamma(s + 1) U^(1/s) holds where Gamma(s) itself would be zero.
        log_w[j] = np.log(rng.standard_gamma(shape + 1.0)) - rng.standard_exponential() / shape
        largest = max(largest, log_w[j])
    total = 0.0
    for j in range(k):
        total += np.exp(log_w[j] - largest)
    for j in range(k):
        log_w[j] -= largest + np.log(total)
        w[j] = np.exp(log_w[j])


@jit
def draw_means(rng, d, n, s, p, m0, s0, mu):  # type: ignore[no-untyped-def]
    """Means of one component's independent features; ``p`` holds the old mean and 1/σ."""
    for j in range(d):
        weight = p[d + j] * p[d + j]
        precision = n * weight + 1.0 / (s0[j] * s0[j])
        at = (weight * (s[j] + n * p[j]) + m0[j] / (s0[j] * s0[j])) / precision
        mu[j] = at + rng.standard_normal() / np.sqrt(precision)


@jit
def squares(d, n, s, centre, mu, out):  # type: ignore[no-untyped-def]
    """Σ (x − μ)² of each feature, from the sums about ``centre``."""
    for j in range(d):
        shift = mu[j] - centre[j]
        out[j] = max(s[d + j] - 2.0 * shift * s[j] + n * shift * shift, 0.0)


@jit
def pack_normal(d, mu, sigma, p):  # type: ignore[no-untyped-def]
    """Packed parameters of independent normal features, in place."""
    c = -d * HALF_LOG_2_PI
    for j in range(d):
        p[j] = mu[j]
        p[d + j] = 1.0 / sigma[j]
        c -= np.log(sigma[j])
    p[2 * d] = c


@jit
def draw_rates(rng, d, n, s, a, b, rate, p):  # type: ignore[no-untyped-def]
    """Poisson rates and their packed form, in place."""
    c = 0.0
    for j in range(d):
        shape = a[j] + s[j]
        log_rate = (
            np.log(rng.standard_gamma(shape + 1.0)) - rng.standard_exponential() / shape
        ) - np.log(b[j] + n)
        rate[j] = max(np.exp(log_rate), 1e-300)
        p[j] = np.log(rate[j])
        c -= rate[j]
    p[d] = c


@jit
def draw_hazards(rng, d, n, s, a, b, rate, p):  # type: ignore[no-untyped-def]
    """Exponential rates and their packed form, in place."""
    c = 0.0
    for j in range(d):
        shape = a[j] + n
        log_rate = (
            np.log(rng.standard_gamma(shape + 1.0)) - rng.standard_exponential() / shape
        ) - np.log(b[j] + s[j])
        rate[j] = max(np.exp(log_rate), 1e-300)
        p[j] = -rate[j]
        c += np.log(rate[j])
    p[d] = c


@jit
def draw_chances(rng, d, n, s, a, b, chance, p):  # type: ignore[no-untyped-def]
    """Bernoulli probabilities and their packed form, in place."""
    for j in range(d):
        yes, no = a[j] + s[j], b[j] + max(n - s[j], 0.0)
        log_yes = np.log(rng.standard_gamma(yes + 1.0)) - rng.standard_exponential() / yes
        log_no = np.log(rng.standard_gamma(no + 1.0)) - rng.standard_exponential() / no
        largest = max(log_yes, log_no)
        total = largest + np.log(np.exp(log_yes - largest) + np.exp(log_no - largest))
        p[j] = log_yes - total
        p[d + j] = log_no - total
        # Open ends: a stored probability of exactly one could not be put back.
        chance[j] = min(max(np.exp(p[j]), 1e-300), 1.0 - 1.1102230246251565e-16)


@jit
def draw_levels(rng, d, s, alpha, chance, p):  # type: ignore[no-untyped-def]
    """Categorical probabilities, item by item, and their packed form, in place."""
    levels = len(p) // d
    for j in range(d):
        part = slice(j * levels, (j + 1) * levels)
        draw_weights(rng, s[part], alpha[part], chance[part], p[part])
