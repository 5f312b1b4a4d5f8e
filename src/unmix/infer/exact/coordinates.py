r"""θ in coordinates without bounds, and its prior there, all in the kernel.

For moves of all parameters at once: y runs over all of ℝ^p, so that a normal or a t distribution is
a proposal for it.

    w, levels      y_j = log w_j − log w_K,  j < K      log |∂w/∂y| = Σ_j log w_j
    mu             y = mu
    sigma, rate    y = log sigma                        log |∂σ/∂y| = y
    p              y = log p − log (1 − p)              log |∂p/∂y| = log p + log (1 − p)
    corr           y = artanh of canonical partial correlations, whose densities under LKJ stand in
                   `unmix.infer.exact.covariances`

Blocks are those of `unmix.infer.exact.blocks`.
"""

import numpy as np

from unmix.infer.exact import conditionals, covariances
from unmix.infer.exact.priors import log_positive
from unmix.onepass.elementary import jit
from unmix.onepass.variant import by_family


@jit
def dimension(terms, blocks, k_all):  # type: ignore[no-untyped-def]
    """Length of y."""
    total = 0
    for block in range(len(blocks)):
        kind = blocks[block, 0]
        d = terms[blocks[block, 1], 2]
        if kind == 0:
            total += k_all - 1
        elif kind == 3:
            total += 1
        elif kind == 5:
            total += k_all * (d + d * (d - 1) // 2)
        elif kind == 9:
            total += k_all * (terms[blocks[block, 1], 4] - d)
        else:
            total += k_all * d
    return total


@jit
def free_simplex(y, log_p, p):  # type: ignore[no-untyped-def]
    """Probabilities from their log-ratios to the last, in place."""
    last = len(y)
    largest = 0.0
    for j in range(last):
        largest = max(largest, y[j])
    total = np.exp(-largest)
    for j in range(last):
        total += np.exp(y[j] - largest)
    log_total = largest + np.log(total)
    for j in range(last):
        log_p[j] = y[j] - log_total
        p[j] = np.exp(log_p[j])
    log_p[last] = -log_total
    p[last] = np.exp(log_p[last])


@jit
def log_simplex_prior(alpha, log_p):  # type: ignore[no-untyped-def]
    """Dirichlet density of the log-ratios, up to a constant: Σ α log p."""
    total = 0.0
    for j in range(len(alpha)):
        total += alpha[j] * log_p[j]
    return total


@by_family
def unfold(normal, mvnormal, poisson, bernoulli, categorical, exponential, labels):  # type: ignore[no-untyped-def]
    """Θ and what the pass takes of it from y, in place.

    Returns
    -------
    float
        Log prior density of y, Jacobian included, up to a constant.
    """

    def unfold(families, terms, blocks, hyper, y, theta, log_w, params):  # type: ignore[no-untyped-def]
        k_all = len(log_w)
        at_y, prior = 0, 0.0
        for block in range(len(blocks)):
            kind, term, at, h, family = (
                blocks[block, 0], blocks[block, 1], blocks[block, 2], blocks[block, 3],
                blocks[block, 4],
            )  # fmt: skip
            if kind == 0:
                free_simplex(y[at_y : at_y + k_all - 1], log_w, theta[at : at + k_all])
                prior += log_simplex_prior(hyper[h : h + k_all], log_w)
                at_y += k_all - 1
                continue
            d = terms[term, 2]
            if normal and kind == 3:
                theta[at] = np.exp(y[at_y])
                prior += log_positive(family, theta[at], hyper[h], hyper[h + 1]) + y[at_y]
                at_y += 1
                everywhere = np.full(d, theta[at])
                for k in range(k_all):
                    p = params[k, terms[term, 3] : terms[term, 3] + terms[term, 4]]
                    conditionals.pack_normal(d, p[:d].copy(), everywhere, p)
                continue
            size = terms[term, 4] if kind == 9 else d
            whole = k_all * size
            for k in range(k_all):
                p = params[k, terms[term, 3] : terms[term, 3] + terms[term, 4]]
                value = theta[at + k * size : at + (k + 1) * size]
                a = hyper[h + k * size : h + (k + 1) * size]
                b = a if kind == 9 else hyper[h + whole + k * size : h + whole + (k + 1) * size]
                if categorical and kind == 9:
                    levels = size // d
                    for j in range(d):
                        part = slice(j * levels, (j + 1) * levels)
                        free_simplex(y[at_y : at_y + levels - 1], p[part], value[part])
                        prior += log_simplex_prior(a[part], p[part])
                        at_y += levels - 1
                    continue
                own = y[at_y : at_y + d]
                at_y += d
                if kind == 1 or kind == 4:
                    for j in range(d):
                        value[j] = own[j]
                        p[j] = own[j]
                        prior -= 0.5 * ((own[j] - a[j]) / b[j]) ** 2
                elif bernoulli and kind == 8:
                    for j in range(d):
                        p[j] = -np.log1p(np.exp(-own[j]))
                        p[d + j] = -np.log1p(np.exp(own[j]))
                        value[j] = np.exp(p[j])
                        prior += a[j] * p[j] + b[j] * p[d + j]
                elif (poisson or exponential) and (kind == 6 or kind == 7):
                    c = 0.0
                    for j in range(d):
                        value[j] = np.exp(own[j])
                        prior += a[j] * own[j] - b[j] * value[j]
                        p[j] = own[j] if kind == 6 else -value[j]
                        c += -value[j] if kind == 6 else own[j]
                    p[d] = c
                else:
                    for j in range(d):
                        value[j] = np.exp(own[j])
                        prior += log_positive(family, value[j], a[j], b[j]) + own[j]
                    if normal and kind == 2:
                        conditionals.pack_normal(d, p[:d].copy(), value, p)
                    if mvnormal and kind == 5:
                        eta = hyper[h + 2 * whole]
                        corr_at = blocks[block, 5] + k * d * d
                        corr = theta[corr_at : corr_at + d * d]
                        partials = np.zeros(d * d)
                        for i in range(1, d):
                            for j in range(i):
                                partials[i * d + j] = y[at_y]
                                prior += covariances.log_partial_prior(d, j, y[at_y], eta)
                                at_y += 1
                        covariances.factor_from(d, partials, corr)
                        covariances.pack_mvnormal(d, p[:d].copy(), value, corr, p)
        return prior

    return unfold


@by_family
def fold(normal, mvnormal, poisson, bernoulli, categorical, exponential, labels):  # type: ignore[no-untyped-def]
    """Y from θ, in place; logarithms are taken from what the pass holds, where it holds them."""

    def fold(families, terms, blocks, theta, log_w, params, y):  # type: ignore[no-untyped-def]
        k_all = len(log_w)
        at_y = 0
        for block in range(len(blocks)):
            kind, term, at = blocks[block, 0], blocks[block, 1], blocks[block, 2]
            if kind == 0:
                for j in range(k_all - 1):
                    y[at_y] = log_w[j] - log_w[k_all - 1]
                    at_y += 1
                continue
            if kind == 3:
                y[at_y] = np.log(theta[at])
                at_y += 1
                continue
            d = terms[term, 2]
            size = terms[term, 4] if kind == 9 else d
            for k in range(k_all):
                p = params[k, terms[term, 3] : terms[term, 3] + terms[term, 4]]
                value = theta[at + k * size : at + (k + 1) * size]
                if kind == 9:
                    levels = size // d
                    for j in range(d):
                        for level in range(levels - 1):
                            y[at_y] = p[j * levels + level] - p[(j + 1) * levels - 1]
                            at_y += 1
                    continue
                for j in range(d):
                    if kind == 1 or kind == 4:
                        y[at_y] = value[j]
                    elif kind == 6:
                        y[at_y] = p[j]
                    elif kind == 8:
                        y[at_y] = p[j] - p[d + j]
                    else:
                        y[at_y] = np.log(value[j])
                    at_y += 1
                if mvnormal and kind == 5:
                    corr_at = blocks[block, 5] + k * d * d
                    partials = np.zeros(d * d)
                    covariances.partials_of(d, theta[corr_at : corr_at + d * d], partials)
                    for i in range(1, d):
                        for j in range(i):
                            y[at_y] = partials[i * d + j]
                            at_y += 1

    return fold
