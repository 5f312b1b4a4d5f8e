"""θ given the sums of a pass in which every z was drawn; nothing here grows with the rows."""

import numpy as np

from unmix.infer.gibbs.covariance import (
    cholesky,
    correlation_steps,
    inverse_lower,
    inverse_wishart,
    log_weight,
    split,
)
from unmix.infer.gibbs.priors import jit
from unmix.infer.gibbs.steps import exact_step, simplex_step, slice_step, through, width_of
from unmix.onepass.families.normal import HALF_LOG_2_PI

# Rows for each feature from which on covariances move by proposals, and the share of sweeps in
# which their correlations are sliced all the same.
MANY, SOMETIMES = 20.0, 0.2


@jit
def canonical(plan, values, k, column):  # type: ignore[no-untyped-def]
    """One canonical number of a component."""
    return through(plan.how[k, column], values[plan.source[k, column]])


@jit
def factor_of(plan, values, k, column, d):  # type: ignore[no-untyped-def]
    """The correlations' Cholesky factor of a component."""
    begin = plan.source[k, column]
    return values[begin : begin + d * d].copy().reshape((d, d))


@jit
def pack(plan, values, log_w, packed):  # type: ignore[no-untyped-def]
    """What the pass reads, from θ."""
    terms, begin = plan.terms, plan.weights[1]
    for k in range(len(log_w)):
        if plan.weights[0] == 2:
            p = values[begin]
            log_w[k] = np.log(p) if k == 1 else np.log1p(-p)
        else:
            log_w[k] = np.log(values[begin + k])
        for t in range(len(terms)):
            code, d, first, column = terms[t, 0], terms[t, 2], terms[t, 3], plan.columns[t]
            row = packed[k, first : first + terms[t, 4]]
            if code == 0:
                constant = -d * HALF_LOG_2_PI
                for j in range(d):
                    row[j] = canonical(plan, values, k, column + j)
                    sd = canonical(plan, values, k, column + d + j)
                    row[d + j] = 1.0 / sd
                    constant -= np.log(sd)
                row[2 * d] = constant
            elif code == 1:
                inverse = inverse_lower(factor_of(plan, values, k, column + 2 * d, d))
                constant = -d * HALF_LOG_2_PI
                for i in range(d):
                    row[i] = canonical(plan, values, k, column + i)
                    sd = canonical(plan, values, k, column + d + i)
                    for j in range(i, d):  # L⁻¹ = C⁻¹ diag(1 / σ)
                        row[d + j * (j + 1) // 2 + i] = inverse[j, i] / sd
                    constant += np.log(inverse[i, i]) - np.log(sd)
                row[len(row) - 1] = constant
            elif code == 3:
                for j in range(d):
                    p = canonical(plan, values, k, column + j)
                    row[j] = np.log(p)
                    row[d + j] = np.log1p(-p)
            elif code == 4:
                for j in range(len(row)):
                    row[j] = np.log(canonical(plan, values, k, column + j))
            else:
                constant = 0.0
                for j in range(d):
                    rate = canonical(plan, values, k, column + j)
                    row[j] = np.log(rate) if code == 2 else -rate
                    constant += -rate if code == 2 else np.log(rate)
                row[d] = constant


@jit
def shift(s, code, d, n, j, by):  # type: ignore[no-untyped-def]
    """Take a component's sums about a mean whose j-th feature is larger by ``by``."""
    if code == 0:
        s[d + j] += by * (n * by - 2.0 * s[j])
        s[j] -= n * by
        return
    for i in range(d):
        if i != j:
            a, b = max(i, j), min(i, j)
            s[d + a * (a + 1) // 2 + b] -= by * s[i]
    s[d + j * (j + 1) // 2 + j] += by * (n * by - 2.0 * s[j])
    s[j] -= n * by


@jit
def draw_simplex(plan, values, row, n, stats, rng):  # type: ignore[no-untyped-def]
    """A Dirichlet vector from its counts."""
    begin, length, first, cells = row
    concentration = plan.alpha[begin : begin + length].copy()
    for c in range(first, first + cells):
        term, k, statistic = plan.simplex_cell[c]
        for i in range(length):
            concentration[i] += n[i] if term < 0 else stats[k, statistic + i]
    simplex_step(concentration, rng)
    values[begin : begin + length] = concentration


@jit
def draw_joint_mean(plan, values, t, k, n, stats, packed, rng):  # type: ignore[no-untyped-def]
    """All means of a multivariate normal component; ``packed`` holds its covariance."""
    terms = plan.terms
    d, first = terms[t, 2], terms[t, 3]
    s = stats[k, terms[t, 5] : terms[t, 5] + terms[t, 6]]
    inverse = np.zeros((d, d))
    for i in range(d):
        for j in range(i + 1):
            inverse[i, j] = packed[k, first + d + i * (i + 1) // 2 + j]
    total = inverse.T @ inverse
    right = total @ s[:d]
    total *= n[k]
    for j in range(d):
        place = plan.source[k, plan.columns[t] + j]
        total[j, j] += plan.precision[place]
        right[j] += plan.precision[place] * (plan.mean[place] - values[place])
    lower, fine = cholesky(total)
    if not fine:
        return False
    inverse = inverse_lower(lower)
    noise = inverse @ right
    for j in range(d):
        noise[j] += rng.standard_normal()
    step = inverse.T @ noise
    for j in range(d):
        values[plan.source[k, plan.columns[t] + j]] += step[j]
        shift(s, 1, d, n[k], j, step[j])
    return True


@jit
def scatter_of(plan, t, k, stats, scatter):  # type: ignore[no-untyped-def]
    """Σ (x − μ)(x − μ)ᵀ of a component as a matrix."""
    d, first = plan.terms[t, 2], plan.terms[t, 5] + plan.terms[t, 2]
    for i in range(d):
        for j in range(i + 1):
            v = stats[k, first + i * (i + 1) // 2 + j]
            scatter[i, j] = v
            scatter[j, i] = v


@jit
def pooled(plan, e, values, n, stats):  # type: ignore[no-untyped-def]
    """N, a, b of `log_rows` for an element, over its cells."""
    kind, first, cells = plan.element[e, 2], plan.element[e, 5], plan.element[e, 6]
    count, a, b = 0.0, 0.0, 0.0
    for c in range(first, first + cells):
        t, k, j = plan.cell[c]
        if t < 0:  # z itself
            count += n[0] + n[1]
            a += n[1]
            continue
        d, begin, column = plan.terms[t, 2], plan.terms[t, 5], plan.columns[t]
        if kind == 0:
            sd = canonical(plan, values, k, column + d + j)
            count += n[k] / (sd * sd)
            a += stats[k, begin + j] / (sd * sd)
        elif kind == 1 and plan.terms[t, 0] == 0:
            count += n[k]
            a += stats[k, begin + d + j]
        elif kind == 1:
            # tr (C Cᵀ)⁻¹ B, as a function of those standard deviations that this element is.
            count += n[k]
            inverse = inverse_lower(factor_of(plan, values, k, column + 2 * d, d))
            for i in range(d):
                product = 0.0
                for m in range(max(i, j), d):
                    product += inverse[m, i] * inverse[m, j]
                high, low = max(i, j), min(i, j)
                product *= stats[k, begin + d + high * (high + 1) // 2 + low]
                if plan.source[k, column + d + i] == plan.element[e, 0]:
                    a += product
                else:
                    b += product / canonical(plan, values, k, column + d + i)
        else:
            count += n[k]
            a += stats[k, begin + j]
    return count, max(a, 0.0) if kind != 0 else a, b


@jit
def draw_element(plan, e, values, n, stats, rng):  # type: ignore[no-untyped-def]
    """An element given its sums; whether its conditional was proper."""
    place, prior, kind, how, exact, first, cells = plan.element[e]
    p, q = plan.argument[e]
    count, a, b = pooled(plan, e, values, n, stats)
    start = values[place]
    if exact:
        value = exact_step(kind, prior, p, q, count, a, start, rng)
    else:
        width = width_of(kind, count, a)
        value = slice_step(kind, how, prior, p, q, count, a, b, start, width, rng)
    if not np.isfinite(value):
        return False
    values[place] = value
    if kind == 0:
        for c in range(first, first + cells):
            t, k, j = plan.cell[c]
            s = stats[k, plan.terms[t, 5] : plan.terms[t, 5] + plan.terms[t, 6]]
            shift(s, plan.terms[t, 0], plan.terms[t, 2], n[k], j, value - start)
    return True


@jit
def draw_correlations(plan, r, values, n, stats, rng):  # type: ignore[no-untyped-def]
    """A correlations' factor by slice steps, given the standard deviations."""
    begin, first, cells, d = plan.corr[r]
    total, scatter, one = 0.0, np.zeros((d, d)), np.zeros((d, d))
    for c in range(first, first + cells):
        t, k = plan.corr_cell[c]
        scatter_of(plan, t, k, stats, one)
        total += n[k]
        for i in range(d):
            for j in range(d):
                scatter[i, j] += one[i, j] / (
                    canonical(plan, values, k, plan.columns[t] + d + i)
                    * canonical(plan, values, k, plan.columns[t] + d + j)
                )
    factor = values[begin : begin + d * d].copy().reshape((d, d))
    correlation_steps(factor, scatter, total, plan.eta[r], rng)
    values[begin : begin + d * d] = factor.ravel()


@jit
def draw_covariance(plan, row, values, n, stats, rng):  # type: ignore[no-untyped-def]
    """A whole covariance by an independence proposal; whether it was accepted."""
    begin, first, _, d = plan.corr[plan.covariance[row, 0]]
    eta = plan.eta[plan.covariance[row, 0]]
    e = plan.covariance[row, 1]
    t, k = plan.corr_cell[first]
    # Between the degrees that leave nothing of σ in the weight, and those that leave nothing of R.
    degrees = n[k] - 0.5 * d
    if degrees < 2.0 * d:
        return False
    scatter = np.zeros((d, d))
    scatter_of(plan, t, k, stats, scatter)
    proposed, fine = inverse_wishart(scatter, degrees, rng)
    sd, factor = np.zeros(d), np.zeros((d, d))
    if not fine or not split(proposed, sd, factor):
        return False
    prior, a, b = plan.element[e : e + d, 1], plan.argument[e : e + d, 0], plan.argument[e : e + d, 1]
    old_sd = np.zeros(d)
    for j in range(d):
        old_sd[j] = values[plan.element[e + j, 0]]
    old = values[begin : begin + d * d].copy().reshape((d, d))
    change = log_weight(sd, factor, eta, degrees, n[k], prior, a, b)
    change -= log_weight(old_sd, old, eta, degrees, n[k], prior, a, b)
    if not np.log(1.0 - rng.random()) < change:
        return False
    for j in range(d):
        values[plan.element[e + j, 0]] = sd[j]
    values[begin : begin + d * d] = factor.ravel()
    return True


@jit
def proposals_serve(plan, r, n):  # type: ignore[no-untyped-def]
    """Whether a correlations' factor moves well by proposals of the whole covariance."""
    for row in range(len(plan.covariance)):
        if plan.covariance[row, 0] == r:
            return n[plan.corr_cell[plan.corr[r, 1], 1]] > MANY * plan.corr[r, 3]
    return False


@jit
def given_sums(plan, values, n, stats, packed, rng):  # type: ignore[no-untyped-def]
    """All of θ given the sums, in place; whether every conditional was proper.

    Parameters
    ----------
    n, stats
        Sums of a sampled pass; ``stats``, about the means in ``packed``, follow the new ones.
    packed
        What the pass read.
    """
    for row in range(len(plan.simplex)):
        draw_simplex(plan, values, plan.simplex[row], n, stats, rng)
    for row in range(len(plan.joint)):
        t, k = plan.joint[row]
        if not draw_joint_mean(plan, values, t, k, n, stats, packed, rng):
            return False
    for row in range(len(plan.covariance)):
        draw_covariance(plan, row, values, n, stats, rng)
    for e in range(len(plan.element)):
        if plan.element[e, 2] != 5 and not draw_element(plan, e, values, n, stats, rng):
            return False
    for r in range(len(plan.corr)):
        # Where proposals have rows to stand on, slices add little. Whether they are made may depend
        # on the number of rows and on chance, not on whether the proposal was just accepted: what
        # is left of the conditional after a rejection is another distribution.
        if proposals_serve(plan, r, n) and rng.random() > SOMETIMES:
            continue
        draw_correlations(plan, r, values, n, stats, rng)
    return True
