r"""All parameters as one vector without bounds, for moves that sum z out.

Positive numbers go by their logarithm, those in an interval by their log-odds, Dirichlet vectors by
log-ratios to the last share, correlations by C_ij / C_ii. Densities carry the Jacobians.
"""

import numpy as np

from unmix.infer.gibbs.priors import bound, jit, log_prior, unbound


@jit
def unconstrain(plan, values, v):  # type: ignore[no-untyped-def]
    """The vector at θ."""
    at = 0
    for e in range(len(plan.element)):
        p, q = plan.argument[e]
        v[at] = unbound(plan.element[e, 1], p, q, values[plan.element[e, 0]])
        at += 1
    for row in range(len(plan.simplex)):
        begin, length = plan.simplex[row, 0], plan.simplex[row, 1]
        last = np.log(values[begin + length - 1])
        for i in range(length - 1):
            v[at] = np.log(values[begin + i]) - last
            at += 1
    for r in range(len(plan.corr)):
        begin, d = plan.corr[r, 0], plan.corr[r, 3]
        for i in range(1, d):
            for j in range(i):
                v[at] = values[begin + i * d + j] / values[begin + i * d + i]
                at += 1


@jit
def constrain(plan, v, values):  # type: ignore[no-untyped-def]
    """θ at the vector, in place; log-prior density of the vector, up to a constant."""
    at, total = 0, 0.0
    for e in range(len(plan.element)):
        p, q = plan.argument[e]
        x, jacobian = bound(plan.element[e, 1], p, q, v[at])
        values[plan.element[e, 0]] = x
        total += jacobian + log_prior(plan.element[e, 1], p, q, x)
        at += 1
    for row in range(len(plan.simplex)):
        begin, length = plan.simplex[row, 0], plan.simplex[row, 1]
        largest = 0.0
        for i in range(length - 1):
            largest = max(largest, v[at + i])
        normaliser = np.exp(-largest)
        for i in range(length - 1):
            normaliser += np.exp(v[at + i] - largest)
        normaliser = np.log(normaliser) + largest
        for i in range(length):  # |∂x/∂v| = Π x_i
            log_x = (v[at + i] if i < length - 1 else 0.0) - normaliser
            values[begin + i] = np.exp(log_x)
            total += plan.alpha[begin + i] * log_x
        at += length - 1
    for r in range(len(plan.corr)):
        begin, d = plan.corr[r, 0], plan.corr[r, 3]
        for i in range(d):
            square = 1.0
            for j in range(i):
                square += v[at + j] * v[at + j]
            diagonal = 1.0 / np.sqrt(square)
            for j in range(d):
                x = v[at + j] * diagonal if j < i else 0.0
                values[begin + i * d + j] = diagonal if j == i else x
            if i > 0:
                # LKJ: C_ii^(2η − 2 + d − i), i from 1; Jacobian of row i: C_ii^(i + 1).
                total += (2.0 * plan.eta[r] + d - 1.0) * np.log(diagonal)
            at += i
    return total if np.isfinite(total) else -np.inf


@jit
def log_expected(terms, log_w, packed, n, stats, about):  # type: ignore[no-untyped-def]
    """Σ_ik r_ik log p(z_i = k, x_i | θ) from the sums about other parameters."""
    total = 0.0
    for k in range(len(n)):
        total += n[k] * log_w[k] if n[k] != 0.0 else 0.0
        for t in range(len(terms)):
            code, d, first = terms[t, 0], terms[t, 2], terms[t, 3]
            p, old = packed[k, first : first + terms[t, 4]], about[k, first : first + terms[t, 4]]
            s = stats[k, terms[t, 5] : terms[t, 5] + terms[t, 6]]
            if code == 0:
                total += n[k] * p[2 * d]
                for j in range(d):
                    by = p[j] - old[j]
                    square = s[d + j] + by * (n[k] * by - 2.0 * s[j])
                    total -= 0.5 * p[d + j] * p[d + j] * square
            elif code == 1:
                total += n[k] * p[len(p) - 1]
                for i in range(d):
                    for a in range(i + 1):
                        for b in range(i + 1):
                            high, low = max(a, b), min(a, b)
                            u, w = p[a] - old[a], p[b] - old[b]
                            v = s[d + high * (high + 1) // 2 + low]
                            v += n[k] * u * w - s[a] * w - s[b] * u
                            row = d + i * (i + 1) // 2
                            total -= 0.5 * p[row + a] * p[row + b] * v
            elif code == 3:
                for j in range(d):
                    no = n[k] - s[j]
                    total += s[j] * p[j] if s[j] != 0.0 else 0.0
                    total += no * p[d + j] if no != 0.0 else 0.0
            elif code == 4:
                for j in range(len(p)):
                    total += s[j] * p[j] if s[j] != 0.0 else 0.0
            else:
                total += n[k] * p[d]
                for j in range(d):
                    total += s[j] * p[j] if s[j] != 0.0 else 0.0
    return total


@jit
def log_student(centre, factor, v):  # type: ignore[no-untyped-def]
    """Multivariate t with 5 degrees of freedom, up to a constant; ``factor`` is an inverse factor."""
    square = 0.0
    for i in range(len(v)):
        u = 0.0
        for j in range(i + 1):
            u += factor[i, j] * (v[j] - centre[j])
        square += u * u
    return -0.5 * (5.0 + len(v)) * np.log1p(square / 5.0)


@jit
def propose(centre, factor, scale, rng, v):  # type: ignore[no-untyped-def]
    """``centre`` plus ``scale`` times normal noise with the covariance ``factor factorᵀ``."""
    noise = np.empty(len(v))
    for i in range(len(v)):
        noise[i] = scale * rng.standard_normal()
    for i in range(len(v)):
        total = centre[i]
        for j in range(i + 1):
            total += factor[i, j] * noise[j]
        v[i] = total


