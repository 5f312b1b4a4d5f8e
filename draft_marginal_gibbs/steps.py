r"""Draws of one number, or of one vector, given the components' sums.

What the rows say of a number v that stands for the canonical c(v) is, pooled over its cells,

    mean          S₁ δ − ½ P δ²              δ = v − v₀, where S₁ is Σ (x − v₀)/σ², P is Σ n/σ²
    scale         −n log c − ½ α / c² − β / c
    rate          S log c − n c                                             (Poisson)
    hazard        n log c − S c                                             (exponential)
    probability   S log c + (n − S) log (1 − c)                             (Bernoulli)

with a conjugate prior the conditional is drawn exactly, else by a slice step (Neal 2003, Annals of
Statistics 31:705, sections 4 and 5) in the coordinate without bounds.
"""

import numpy as np

from unmix.infer.gibbs.priors import bound, jit, log_prior, unbound

# Steps out at most, shared at random between both sides.
OUT = 64


@jit
def through(how, v):  # type: ignore[no-untyped-def]
    """The canonical number of an element."""
    if how == 0:
        return v
    if how == 1:
        return np.sqrt(v)
    if how == 2:
        return 1.0 / np.sqrt(v)
    if how == 3:
        return 1.0 / v
    if how == 4:
        return 1.0 / (1.0 + np.exp(-v))
    return np.exp(v)


@jit
def log_rows(kind, how, n, a, b, v, start):  # type: ignore[no-untyped-def]
    """What the rows say of v, up to a constant.

    ``n``, ``a``, ``b``: P, S₁, – for a mean; n, α, β for a scale; n, S, – otherwise.
    """
    if kind == 0:
        u = v - start
        return u * (a - 0.5 * n * u)
    if kind == 4 and how == 4:  # log p = −log(1 + e^−v), log (1 − p) = −log(1 + e^v)
        tail = np.log1p(np.exp(-abs(v)))
        return a * (min(v, 0.0) - tail) + (n - a) * (min(-v, 0.0) - tail)
    c = through(how, v)
    if kind == 1:
        return -n * np.log(c) - (0.5 * a / c + b) / c
    if kind == 2:
        return (a * np.log(c) if a != 0.0 else 0.0) - n * c
    if kind == 3:
        return n * np.log(c) - a * c
    yes = a * np.log(c) if a != 0.0 else 0.0
    return yes + ((n - a) * np.log1p(-c) if n != a else 0.0)


@jit
def log_conditional(kind, how, prior, p, q, n, a, b, y, start):  # type: ignore[no-untyped-def]
    """Log-density of the coordinate y, up to a constant."""
    v, jacobian = bound(prior, p, q, y)
    value = jacobian + log_prior(prior, p, q, v) + log_rows(kind, how, n, a, b, v, start)
    return value if np.isfinite(value) else -np.inf


@jit
def slice_step(kind, how, prior, p, q, n, a, b, start, width, rng):  # type: ignore[no-untyped-def]
    """A new value of an element that is ``start`` now."""
    y0 = unbound(prior, p, q, start)
    here = log_conditional(kind, how, prior, p, q, n, a, b, y0, start)
    if here == -np.inf:
        return start
    level = here + np.log(1.0 - rng.random())
    left = y0 - width * rng.random()
    right = left + width
    outwards = int(OUT * rng.random())
    onwards = OUT - 1 - outwards
    while outwards > 0 and log_conditional(
        kind, how, prior, p, q, n, a, b, left, start
    ) > level:  # fmt: skip
        left -= width
        outwards -= 1
    while onwards > 0 and log_conditional(
        kind, how, prior, p, q, n, a, b, right, start
    ) > level:  # fmt: skip
        right += width
        onwards -= 1
    while right - left > 1e-14 * (1.0 + abs(y0)):
        y = left + (right - left) * rng.random()
        if log_conditional(kind, how, prior, p, q, n, a, b, y, start) > level:
            return bound(prior, p, q, y)[0]
        if y < y0:
            left = y
        else:
            right = y
    return start


@jit
def width_of(kind, n, a):  # type: ignore[no-untyped-def]
    """About three standard deviations of the conditional, by the rows alone."""
    if kind == 0:
        return 3.0 / np.sqrt(n + 1e-12)
    if kind == 1:
        return 3.0 / np.sqrt(2.0 * n + 4.0)
    if kind == 2:
        return 3.0 / np.sqrt(a + 2.0)
    if kind == 3:
        return 3.0 / np.sqrt(n + 2.0)
    return 3.0 / np.sqrt(min(a, n - a) + 2.0)


@jit
def exact_step(kind, prior, p, q, n, a, start, rng):  # type: ignore[no-untyped-def]
    """A draw from a conjugate conditional; NaN where it is improper."""
    if kind == 0:  # normal, or flat
        own = 0.0 if prior == 0 else 1.0 / (q * q)
        pull = 0.0 if prior == 0 else (p - start) * own
        total = n + own
        if not total > 0.0:
            return np.nan
        return start + (a + pull) / total + rng.standard_normal() / np.sqrt(total)
    if kind == 1:
        if prior == 2:  # a precision with a gamma prior
            return rng.standard_gamma(p + 0.5 * n) / (q + 0.5 * a)
        return (q + 0.5 * a) / rng.standard_gamma(p + 0.5 * n)  # a variance, inverse-gamma
    if kind == 2:
        return rng.standard_gamma(p + a) / (q + n)
    if kind == 3:
        if prior == 2:
            return rng.standard_gamma(p + n) / (q + a)
        return (q + a) / rng.standard_gamma(p + n)  # a scale, inverse-gamma
    yes, no = rng.standard_gamma(p + a), rng.standard_gamma(q + n - a)
    return yes / (yes + no)


@jit
def simplex_step(concentration, rng):  # type: ignore[no-untyped-def]
    """A Dirichlet draw, in place of its concentrations."""
    total = 0.0
    for i in range(len(concentration)):
        # A share too small for a double is kept from zero, whose logarithm is not a number.
        concentration[i] = max(rng.standard_gamma(concentration[i]), 1e-300)
        total += concentration[i]
    for i in range(len(concentration)):
        concentration[i] /= total
