r"""Covariances of multivariate normals given the scatter of their rows.

Σ = diag(σ) C Cᵀ diag(σ) with C the Cholesky factor of a correlation matrix under an LKJ prior. Two
kinds of moves: an independence proposal from the inverse Wishart that the rows alone suggest
(priors enter by Metropolis's rule), good wherever there are many rows; and slice steps along the
partial correlations of each row of C, good everywhere.
"""

import numpy as np

from unmix.infer.gibbs.priors import jit, log_prior
from unmix.infer.gibbs.steps import OUT


@jit
def cholesky(a):  # type: ignore[no-untyped-def]
    """Lower factor, and whether there is one."""
    d = len(a)
    lower = np.zeros((d, d))
    for i in range(d):
        for j in range(i + 1):
            total = a[i, j]
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            if i == j:
                if not total > 0.0:
                    return lower, False
                lower[i, i] = np.sqrt(total)
            else:
                lower[i, j] = total / lower[j, j]
    return lower, True


@jit
def inverse_lower(lower):  # type: ignore[no-untyped-def]
    """Inverse of a lower triangle."""
    d = len(lower)
    inverse = np.zeros((d, d))
    for i in range(d):
        inverse[i, i] = 1.0 / lower[i, i]
        for j in range(i):
            total = 0.0
            for k in range(j, i):
                total -= lower[i, k] * inverse[k, j]
            inverse[i, j] = total / lower[i, i]
    return inverse


@jit
def inverse_wishart(scatter, degrees, rng):  # type: ignore[no-untyped-def]
    """Σ with density ∝ |Σ|^−(ν + d + 1)/2 exp(−½ tr A Σ⁻¹); and whether A allows it.

    By Bartlett's decomposition: Σ⁻¹ = L⁻ᵀ T Tᵀ L⁻¹ with A = L Lᵀ.
    """
    d = len(scatter)
    lower, fine = cholesky(scatter)
    if not fine:
        return lower, False
    t = np.zeros((d, d))
    for i in range(d):
        t[i, i] = np.sqrt(2.0 * rng.standard_gamma(0.5 * (degrees - i)))
        for j in range(i):
            t[i, j] = rng.standard_normal()
    factor = lower @ inverse_lower(t).T
    return factor @ factor.T, True


@jit
def log_weight(sd, c, eta, degrees, n, prior, a, b):  # type: ignore[no-untyped-def]
    """Log of the conditional over the inverse Wishart proposal, densities in Σ, up to a constant.

    |∂Σ/∂(σ, R)| = 2^d Π σ_j^d, and LKJ's density of R = C Cᵀ is |R|^(η − 1).
    """
    d = len(sd)
    total = 0.0
    log_det_r = 0.0
    for j in range(d):
        total += log_prior(prior[j], a[j], b[j], sd[j]) - d * np.log(sd[j])
        total += (degrees + d + 1.0 - n) * np.log(sd[j])
        log_det_r += 2.0 * np.log(c[j, j])
    return total + (eta - 1.0 + 0.5 * (degrees + d + 1.0 - n)) * log_det_r


@jit
def split(covariance, sd, c):  # type: ignore[no-untyped-def]
    """Standard deviations and the correlations' factor of Σ, into sd and c; whether it has them."""
    lower, fine = cholesky(covariance)
    if not fine:
        return False
    for i in range(len(sd)):
        square = 0.0
        for j in range(i + 1):
            square += lower[i, j] * lower[i, j]
        sd[i] = np.sqrt(square)
        for j in range(len(sd)):
            c[i, j] = lower[i, j] / sd[i]
    return True


@jit
def log_of_row(power, a, a0, b, b0, hp, he, hpp, hpe, hee, uu):  # type: ignore[no-untyped-def]
    """Log-conditional of one correlation's coordinate, up to a constant; see `correlation_steps`."""
    da, db, ratio = a - a0, b - b0, a / a0
    first = hp * da + he * db
    second = hpp * da * da + 2.0 * hpe * da * db + hee * db * db
    value = power * np.log(a) + first / ratio - 0.5 * uu * second / (ratio * ratio)
    return value if np.isfinite(value) else -np.inf


@jit
def correlation_steps(c, scatter, n, eta, rng):  # type: ignore[no-untyped-def]
    r"""Slice steps along every coordinate of a correlations' factor, in place.

    Row i is c = sech(y) p + tanh(y) e_j with p of unit length and p_j = 0; y has density
    ∝ sech(y)^(2η + d − 2) a priori (LKJ, with the Jacobian of c's free entries). With G = C⁻¹,
    H = G B Gᵀ for the scatter B of the rows divided by σ, u = G e_i and a change δ of row i,

        tr G' B G'ᵀ = tr H − 2 (H u)ᵀ δ / r + |u|² δᵀ H δ / r²,       r = c'_i / c_i,

    so that a trial value costs a few operations, and an accepted one O(d²).

    Parameters
    ----------
    scatter
        B, symmetric, about the current means.
    n
        Number of rows in it.
    """
    d = len(c)
    g = inverse_lower(c)
    h = g @ scatter @ g.T
    u, p, hu, hd = np.zeros(d), np.zeros(d), np.zeros(d), np.zeros(d)
    power = 2.0 * eta + d - 2.0 - n
    width = 3.0 / np.sqrt(n + 4.0)
    for i in range(1, d):
        for k in range(d):
            u[k] = g[k, i]
        for j in range(i):
            b0 = c[i, j]
            a0 = np.sqrt(max(1.0 - b0 * b0, 0.0))
            if not a0 > 0.0:
                continue
            uu = 0.0
            for k in range(d):
                p[k] = c[i, k] / a0 if k != j and k <= i else 0.0
                uu += u[k] * u[k]
            hp, hpp, hpe = 0.0, 0.0, 0.0
            for k in range(d):
                total, other = 0.0, 0.0
                for m in range(i + 1):
                    other += h[k, m] * p[m]
                for m in range(i, d):
                    total += h[k, m] * u[m]
                hu[k] = total
                hd[k] = other
            for k in range(i + 1):
                hp += hu[k] * p[k]
                hpp += hd[k] * p[k]
            he, hee, hpe = hu[j], h[j, j], hd[j]
            y0 = np.arctanh(b0)
            level = log_of_row(power, a0, a0, b0, b0, hp, he, hpp, hpe, hee, uu)
            level += np.log(1.0 - rng.random())
            left = y0 - width * rng.random()
            right = left + width
            outwards = int(OUT * rng.random())
            onwards = OUT - 1 - outwards
            while outwards > 0 and log_of_row(
                power, 1.0 / np.cosh(left), a0, np.tanh(left), b0, hp, he, hpp, hpe, hee, uu
            ) > level:  # fmt: skip
                left -= width
                outwards -= 1
            while onwards > 0 and log_of_row(
                power, 1.0 / np.cosh(right), a0, np.tanh(right), b0, hp, he, hpp, hpe, hee, uu
            ) > level:  # fmt: skip
                right += width
                onwards -= 1
            a, b = a0, b0
            while right - left > 1e-14 * (1.0 + abs(y0)):
                y = left + (right - left) * rng.random()
                a, b = 1.0 / np.cosh(y), np.tanh(y)
                if log_of_row(power, a, a0, b, b0, hp, he, hpp, hpe, hee, uu) > level:
                    break
                if y < y0:
                    left = y
                else:
                    right = y
                a, b = a0, b0
            if b == b0:
                continue
            da, db, r = a - a0, b - b0, a / a0
            square = hpp * da * da + 2.0 * hpe * da * db + hee * db * db
            for k in range(d):  # H δ
                hd[k] = (hd[k] * da + h[k, j] * db) / r
            square /= r * r
            for k in range(d):
                for m in range(d):
                    h[k, m] += u[k] * u[m] * square - u[k] * hd[m] - hd[k] * u[m]
            for k in range(d):
                u[k] /= r
                c[i, k] = a * p[k] + (b if k == j else 0.0)
