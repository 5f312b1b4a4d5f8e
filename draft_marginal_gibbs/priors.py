r"""Priors whose density the sweep knows: one number at a time, with constant arguments.

Each is read from the model's graph and held to the model's own log-density before it is used
(`unmix.infer.gibbs.layout`).
"""

from collections.abc import Callable

import numba as nb
import numpy as np
from numpy.typing import NDArray
from pymc.distributions.continuous import FlatRV, HalfCauchyRV, HalfStudentTRV
from pytensor.tensor.random.basic import (
    BetaRV,
    ExponentialRV,
    GammaRV,
    HalfNormalRV,
    InvGammaRV,
    LogNormalRV,
    NormalRV,
    UniformRV,
)

# Sums in the order in which they are written, unlike in the pass: nothing here is worth less.
jit = nb.njit(error_model="numpy", nogil=True)

FLAT, NORMAL, GAMMA, INVERSE_GAMMA, HALF_NORMAL, LOG_NORMAL = 0, 1, 2, 3, 4, 5
HALF_CAUCHY, HALF_STUDENT, UNIFORM, BETA = 6, 7, 8, 9
# Coordinates without bounds: x itself, log x, log (x − a) / (b − x).
IDENTITY, LOG, LOGIT = 0, 1, 2


@jit
def log_prior(code, a, b, x):  # type: ignore[no-untyped-def]
    """Log-density of x, up to a constant; −inf outside its support."""
    if code == FLAT:
        return 0.0
    if code == NORMAL:
        u = (x - a) / b
        return -0.5 * u * u
    if code == UNIFORM:
        return 0.0 if a <= x <= b else -np.inf
    if not x > 0.0:
        return -np.inf
    if code == GAMMA:  # shape, rate
        return (a - 1.0) * np.log(x) - b * x
    if code == INVERSE_GAMMA:  # shape, scale
        return -(a + 1.0) * np.log(x) - b / x
    if code == HALF_NORMAL:
        u = x / b
        return -0.5 * u * u
    if code == LOG_NORMAL:
        u = (np.log(x) - a) / b
        return -0.5 * u * u - np.log(x)
    if code == HALF_CAUCHY:
        u = x / b
        return -np.log1p(u * u)
    if code == HALF_STUDENT:  # degrees of freedom, scale
        u = x / b
        return -0.5 * (a + 1.0) * np.log1p(u * u / a)
    if not x < 1.0:
        return -np.inf
    return (a - 1.0) * np.log(x) + (b - 1.0) * np.log1p(-x)


@jit
def coordinate(code):  # type: ignore[no-untyped-def]
    """In which coordinate a number with this prior has no bounds."""
    if code == FLAT or code == NORMAL:
        return IDENTITY
    return LOGIT if code == UNIFORM or code == BETA else LOG


@jit
def unbound(code, a, b, x):  # type: ignore[no-untyped-def]
    """The coordinate y of x."""
    where = coordinate(code)
    if where == IDENTITY:
        return x
    if where == LOG:
        return np.log(x)
    low, high = (a, b) if code == UNIFORM else (0.0, 1.0)
    return np.log((x - low) / (high - x))


@jit
def bound(code, a, b, y):  # type: ignore[no-untyped-def]
    """X at its coordinate, and log |dx/dy|."""
    where = coordinate(code)
    if where == IDENTITY:
        return y, 0.0
    if where == LOG:
        return np.exp(y), y
    low, high = (a, b) if code == UNIFORM else (0.0, 1.0)
    e = np.exp(-abs(y))
    share = 1.0 / (1.0 + e) if y >= 0.0 else e / (1.0 + e)
    return low + (high - low) * share, np.log(high - low) - abs(y) - 2.0 * np.log1p(e)


Read = tuple[int, NDArray, NDArray] | None


def _half_normal(loc: NDArray, sigma: NDArray) -> Read:
    return None if np.any(loc != 0) else (HALF_NORMAL, loc, sigma)


def _uniform(low: NDArray, high: NDArray) -> Read:
    return (UNIFORM, low, high) if np.isfinite(high - low).all() else None


# From a random variable's own arguments, in PyMC's order, to code and two numbers.
READERS: dict[type, Callable[..., Read]] = {
    FlatRV: lambda: (FLAT, np.zeros(()), np.ones(())),
    NormalRV: lambda mu, sigma: (NORMAL, mu, sigma),
    GammaRV: lambda alpha, scale: (GAMMA, alpha, 1.0 / scale),
    InvGammaRV: lambda alpha, beta: (INVERSE_GAMMA, alpha, beta),
    HalfNormalRV: _half_normal,
    ExponentialRV: lambda scale: (GAMMA, np.ones_like(scale), 1.0 / scale),
    LogNormalRV: lambda mu, sigma: (LOG_NORMAL, mu, sigma),
    HalfCauchyRV: lambda beta: (HALF_CAUCHY, beta, beta),
    HalfStudentTRV: lambda nu, sigma: (HALF_STUDENT, nu, sigma),
    UniformRV: _uniform,
    BetaRV: lambda alpha, beta: (BETA, alpha, beta),
}
