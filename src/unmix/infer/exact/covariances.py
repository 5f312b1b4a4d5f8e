r"""Means and covariances of multivariate normal components given the pass's sums.

Σ = D R D has scales with priors of their own and R ~ LKJ(η). Given n rows with scatter S about μ it
is proposed from the inverse Wishart that the likelihood would give by itself,

    Σ* ~ IW(n − 1, S),      density ∝ |Σ|^−(n + d) / 2 exp(−½ tr S Σ⁻¹),

and taken with the ratio of what that leaves out: with dΣ = 2^d Π σ^d dσ dR the conditional is
|Σ|^−n/2 exp(−½ tr S Σ⁻¹) Π p(σ_j) σ_j^−d |R|^(η−1), so the ratio is that of
Π p(σ_j) |R|^(η − 1 + d/2). Scales also move by slices of their own, and where there are too few
rows for a proposal so do the correlations, along canonical partial correlations, whose priors under
LKJ are independent (Lewandowski, Kurowicka and Joe 2009, J. Multivariate Analysis 100:1989).
"""

import numpy as np

from unmix.infer.exact.conditionals import HALF_LOG_2_PI, WIDTH
from unmix.infer.exact.priors import log_positive
from unmix.onepass.elementary import jit, put


@jit
def lower_cholesky(a):  # type: ignore[no-untyped-def]
    """Lower factor of a positive definite matrix; NaN where it is not."""
    d = len(a)
    lower = np.zeros((d, d))
    for i in range(d):
        for j in range(i + 1):
            total = a[i, j]
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            if i == j:
                lower[i, i] = np.sqrt(total) if total > 0.0 else np.nan
            else:
                lower[i, j] = total / lower[j, j]
    return lower


@jit
def scatter_about(d, n, s, centre, mu):  # type: ignore[no-untyped-def]
    """Σ (x − μ)(x − μ)ᵀ, full, from the sums about ``centre``."""
    out = np.empty((d, d))
    for i in range(d):
        hi = mu[i] - centre[i]
        for j in range(i + 1):
            hj = mu[j] - centre[j]
            v = s[d + i * (i + 1) // 2 + j] - hi * s[j] - hj * s[i] + n * hi * hj
            out[i, j] = v
            out[j, i] = v
    return out


@jit
def draw_mean(rng, d, n, s, p, m0, s0, mu):  # type: ignore[no-untyped-def]
    """Mean of one component given Σ; ``p`` holds the old mean and L⁻¹."""
    inverse = np.zeros((d, d))
    for i in range(d):
        for j in range(i + 1):
            inverse[i, j] = p[d + i * (i + 1) // 2 + j]
    precision, target = np.zeros((d, d)), np.zeros(d)
    for i in range(d):
        for j in range(d):
            total = 0.0
            for k in range(max(i, j), d):
                total += inverse[k, i] * inverse[k, j]
            precision[i, j] = n * total
            target[i] += total * (s[j] + n * p[j])
        target[i] += m0[i] / (s0[i] * s0[i])
        precision[i, i] += 1.0 / (s0[i] * s0[i])
    lower = lower_cholesky(precision)
    # μ = P⁻¹ t + L⁻ᵀ e, by L y = t and Lᵀ μ = y + e.
    for i in range(d):
        total = target[i]
        for k in range(i):
            total -= lower[i, k] * target[k]
        target[i] = total / lower[i, i]
    for i in range(d):
        target[i] += rng.standard_normal()
    for i in range(d - 1, -1, -1):
        total = target[i]
        for k in range(i + 1, d):
            total -= lower[k, i] * mu[k]
        mu[i] = total / lower[i, i]


@jit
def factor_of(d, sigma, corr):  # type: ignore[no-untyped-def]
    """L = D C."""
    out = np.zeros((d, d))
    for i in range(d):
        for j in range(i + 1):
            out[i, j] = sigma[i] * corr[i * d + j]
    return out


@jit
def pack_mvnormal(d, mu, sigma, corr, p):  # type: ignore[no-untyped-def]
    """Packed parameters from means, scales and the correlation's factor, in place."""
    c = -d * HALF_LOG_2_PI
    inverse = np.zeros((d, d))
    for i in range(d):
        inverse[i, i] = 1.0 / (sigma[i] * corr[i * d + i])
        c += np.log(inverse[i, i])
        for j in range(i):
            total = 0.0
            for k in range(j, i):
                total -= sigma[i] * corr[i * d + k] * inverse[k, j]
            inverse[i, j] = total * inverse[i, i]
    for i in range(d):
        p[i] = mu[i]
        for j in range(i + 1):
            p[d + i * (i + 1) // 2 + j] = inverse[i, j]
    p[d + d * (d + 1) // 2] = c


@jit
def left_out(d, sigma, corr, family, a, b, eta):  # type: ignore[no-untyped-def]
    """Log Π p(σ_j) |R|^(η − 1 + d/2), what the Wishart proposal leaves out."""
    total = 0.0
    for j in range(d):
        total += log_positive(family, sigma[j], a[j], b[j])
        total += 2.0 * (eta - 1.0 + 0.5 * d) * np.log(corr[j * d + j])
    return total


@jit
def propose_covariance(rng, d, n, scatter, family, a, b, eta, sigma, corr):  # type: ignore[no-untyped-def]
    """The Wishart step, in place; whether it was taken. Needs n > d."""
    lower = lower_cholesky(scatter)
    if not np.isfinite(lower[d - 1, d - 1]):
        return False
    # W = A Aᵀ ~ Wishart(n − 1, 1) by Bartlett; Σ = C W⁻¹ Cᵀ = (C A⁻ᵀ)(C A⁻ᵀ)ᵀ with S = C Cᵀ.
    bartlett = np.zeros((d, d))
    for i in range(d):
        bartlett[i, i] = np.sqrt(2.0 * rng.standard_gamma(0.5 * (n - 1.0 - i)))
        for j in range(i):
            bartlett[i, j] = rng.standard_normal()
    m = np.zeros((d, d))
    for i in range(d):
        for j in range(d):  # m Aᵀ = C, column by column
            total = lower[i, j]
            for k in range(j):
                total -= m[i, k] * bartlett[j, k]
            m[i, j] = total / bartlett[j, j]
    covariance = np.zeros((d, d))
    for i in range(d):
        for j in range(d):
            total = 0.0
            for k in range(d):
                total += m[i, k] * m[j, k]
            covariance[i, j] = total
    factor = lower_cholesky(covariance)
    if not np.isfinite(factor[d - 1, d - 1]):
        return False
    new_sigma, new_corr = np.empty(d), np.zeros(d * d)
    for i in range(d):
        new_sigma[i] = np.sqrt(covariance[i, i])
        for j in range(i + 1):
            new_corr[i * d + j] = factor[i, j] / new_sigma[i]
    ratio = left_out(d, new_sigma, new_corr, family, a, b, eta)
    ratio -= left_out(d, sigma, corr, family, a, b, eta)
    if not -rng.standard_exponential() < ratio:
        return False
    put(new_sigma, sigma)
    put(new_corr, corr)
    return True


@jit
def log_likelihood(d, n, scatter, sigma, corr):  # type: ignore[no-untyped-def]
    """−n log |L| − ½ tr(Σ⁻¹ S)."""
    inverse = inverse_cholesky_of(d, sigma, corr)
    total = 0.0
    for i in range(d):
        total += n * np.log(inverse[i, i])
        for j in range(i + 1):
            for k in range(i + 1):
                total -= 0.5 * inverse[i, j] * scatter[j, k] * inverse[i, k]
    return total


@jit
def inverse_cholesky_of(d, sigma, corr):  # type: ignore[no-untyped-def]
    """(D C)⁻¹, lower."""
    inverse = np.zeros((d, d))
    for i in range(d):
        inverse[i, i] = 1.0 / (sigma[i] * corr[i * d + i])
        for j in range(i):
            total = 0.0
            for k in range(j, i):
                total -= sigma[i] * corr[i * d + k] * inverse[k, j]
            inverse[i, j] = total * inverse[i, i]
    return inverse


@jit
def partials_of(d, corr, y):  # type: ignore[no-untyped-def]
    """Canonical partial correlations, through artanh, from the factor."""
    for i in range(1, d):
        left = 1.0
        for j in range(i):
            r = corr[i * d + j] / np.sqrt(left)
            r = min(max(r, -1.0 + 1e-15), 1.0 - 1e-15)
            y[i * d + j] = np.arctanh(r)
            left = max(left - corr[i * d + j] ** 2, 1e-300)


@jit
def factor_from(d, y, corr):  # type: ignore[no-untyped-def]
    """The correlation's factor from canonical partial correlations, in place."""
    corr[:] = 0.0
    corr[0] = 1.0
    for i in range(1, d):
        left = 1.0
        for j in range(i):
            r = np.tanh(y[i * d + j])
            corr[i * d + j] = r * np.sqrt(left)
            # 1 − tanh² without cancellation
            left *= 1.0 / np.cosh(y[i * d + j]) ** 2
        corr[i * d + i] = np.sqrt(left)


@jit
def log_partial_prior(d, j, y, eta):  # type: ignore[no-untyped-def]
    """Log-density of y = artanh r in tree j: (1 − r²)^b with b = η + (d − 2 − j) / 2."""
    return -2.0 * (eta + 0.5 * (d - 2.0 - j)) * np.log(np.cosh(y))


@jit
def slice_partial(rng, d, i, j, y, n, scatter, eta, sigma, corr):  # type: ignore[no-untyped-def]
    """A slice step on one artanh partial correlation, in place."""
    at = i * d + j
    now = y[at]
    level = log_likelihood(d, n, scatter, sigma, corr) + log_partial_prior(d, j, now, eta)
    level -= rng.standard_exponential()
    low = now - 2.0 * WIDTH * rng.random()
    high = low + 2.0 * WIDTH
    for side in range(2):
        for _ in range(100):
            y[at] = low if side == 0 else high
            factor_from(d, y, corr)
            value = log_likelihood(d, n, scatter, sigma, corr)
            if not value + log_partial_prior(d, j, y[at], eta) > level:
                break
            if side == 0:
                low -= 2.0 * WIDTH
            else:
                high += 2.0 * WIDTH
    for _ in range(200):
        y[at] = low + (high - low) * rng.random()
        factor_from(d, y, corr)
        value = log_likelihood(d, n, scatter, sigma, corr)
        if value + log_partial_prior(d, j, y[at], eta) > level:
            return
        if y[at] < now:
            low = y[at]
        else:
            high = y[at]
    y[at] = now
    factor_from(d, y, corr)


@jit
def log_scale(v, n, q, cross, family, a, b):  # type: ignore[no-untyped-def]
    """Log-density of v = log σ_j given the others: q = Q_jj S_jj, cross = Σ Q_ij S_ij / σ_i."""
    inverse = np.exp(-v)
    return (
        -n * v - 0.5 * q * inverse * inverse - cross * inverse
        + log_positive(family, np.exp(v), a, b) + v
    )  # fmt: skip


@jit
def slice_scales(rng, d, n, scatter, family, a, b, sigma, corr):  # type: ignore[no-untyped-def]
    """Slice steps on every log σ_j given the correlations, in place."""
    ones = np.ones(d)
    inverse = inverse_cholesky_of(d, ones, corr)
    q = np.zeros((d, d))
    for i in range(d):
        for j in range(d):
            for k in range(max(i, j), d):
                q[i, j] += inverse[k, i] * inverse[k, j]
    for j in range(d):
        own, cross = q[j, j] * scatter[j, j], 0.0
        for i in range(d):
            if i != j:
                cross += q[i, j] * scatter[i, j] / sigma[i]
        now = np.log(sigma[j])
        level = log_scale(now, n, own, cross, family, a[j], b[j]) - rng.standard_exponential()
        low = now - WIDTH * rng.random()
        high = low + WIDTH
        for _ in range(200):
            if not log_scale(low, n, own, cross, family, a[j], b[j]) > level:
                break
            low -= WIDTH
        for _ in range(200):
            if not log_scale(high, n, own, cross, family, a[j], b[j]) > level:
                break
            high += WIDTH
        for _ in range(200):
            proposal = low + (high - low) * rng.random()
            if log_scale(proposal, n, own, cross, family, a[j], b[j]) > level:
                sigma[j] = np.exp(proposal)
                break
            if proposal < now:
                low = proposal
            else:
                high = proposal
