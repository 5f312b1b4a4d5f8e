"""Priors with a closed form, as numbers that a kernel reads.

A positive parameter has a family and two numbers, a and b; its log-density is needed up to a
constant only, as what is compared is always one value of the same parameter with another.
"""

import numpy as np
from pymc.distributions.continuous import HalfCauchyRV, HalfStudentTRV
from pytensor.tensor.random.basic import (
    ExponentialRV,
    GammaRV,
    HalfNormalRV,
    InvGammaRV,
    LogNormalRV,
    UniformRV,
)

from unmix.onepass.elementary import jit

GAMMA, INVERSE_GAMMA, HALF_NORMAL, EXPONENTIAL, LOG_NORMAL, HALF_CAUCHY, UNIFORM, HALF_T = range(8)

# Random variables with their family; how their arguments become a and b stands in `arguments`.
POSITIVE: dict[type, int] = {
    GammaRV: GAMMA,
    InvGammaRV: INVERSE_GAMMA,
    HalfNormalRV: HALF_NORMAL,
    ExponentialRV: EXPONENTIAL,
    LogNormalRV: LOG_NORMAL,
    HalfCauchyRV: HALF_CAUCHY,
    UniformRV: UNIFORM,
    HalfStudentTRV: HALF_T,
}


def arguments(family: int, given: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray] | None:
    """A and b from a random variable's own arguments; None where it is shifted from zero."""
    if family == GAMMA:  # shape, scale
        return given[0], 1.0 / given[1]
    if family in (INVERSE_GAMMA, LOG_NORMAL, UNIFORM):  # shape, scale; mean, sd; low, high
        return given[0], given[1]
    if family == EXPONENTIAL:  # scale
        return 1.0 / given[0], np.ones(())
    if family == HALF_T:  # degrees of freedom, scale
        return given[0], given[1]
    if family == HALF_CAUCHY:  # scale
        return given[0], np.ones(())
    # location, scale
    return (given[1], np.ones(())) if np.all(given[0] == 0) else None


@jit
def log_positive(family, x, a, b):  # type: ignore[no-untyped-def]
    """Log-density of a positive parameter at x > 0, up to a constant."""
    if family == 0:
        return (a - 1.0) * np.log(x) - b * x
    if family == 1:
        return -(a + 1.0) * np.log(x) - b / x
    if family == 2:
        return -0.5 * (x / a) ** 2
    if family == 3:
        return -a * x
    if family == 4:
        u = (np.log(x) - a) / b
        return -0.5 * u * u - np.log(x)
    if family == 5:
        return -np.log1p((x / a) ** 2)
    if family == 6:
        return 0.0 if a < x and x < b else -np.inf
    return -0.5 * (a + 1.0) * np.log1p((x / b) ** 2 / a)
