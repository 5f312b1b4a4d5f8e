r"""Whitening: coordinates in which the posterior is round, by the information at its mode.

With the mode û of log p(u | x) and its negative Hessian H = (C Cᵀ)⁻¹ there, v = C⁻¹ (u − û) has
unit covariance to first order, so a gradient sampler's steps fit every direction at once. nutpie
takes no metric from outside and adapts a diagonal one; a linear change of coordinates is the same
thing as a dense metric (Neal 2011, Handbook of MCMC, section 5.4.1), and nutpie's own adaptation
goes on from there.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.optimize
from numpy.typing import NDArray

Gradient = Callable[[NDArray], tuple[float, NDArray]]

# Finding the Hessian takes two gradients for each dimension.
MOST_DIMENSIONS = 150


@dataclass(frozen=True)
class Whitening:
    """u = centre + factor v.

    Attributes
    ----------
    centre
        Posterior mode, (dimension,).
    factor
        C, lower triangular, (dimension, dimension).
    """

    centre: NDArray[np.float64]
    factor: NDArray[np.float64]

    def whiten(self, u: NDArray) -> NDArray[np.float64]:
        """V at u."""
        return np.asarray(scipy.linalg.solve_triangular(self.factor, u - self.centre, lower=True))


def find_whitening(log_density: Gradient, start: NDArray) -> Whitening | None:
    """Mode and inverse-Hessian factor of a log-density; None where it has no proper mode nearby.

    Parameters
    ----------
    log_density
        From u to its value and gradient.
    start
        Where to climb from, such as EM's optimum.
    """
    if not 1 <= len(start) <= MOST_DIMENSIONS:
        return None

    def negative(u: NDArray) -> tuple[float, NDArray]:
        value, gradient = log_density(u)
        if not np.isfinite(value) or not np.isfinite(gradient).all():
            return np.inf, np.zeros(len(u))
        return -value, -gradient

    if not np.isfinite(negative(start)[0]):
        return None
    with np.errstate(all="ignore"):
        found = scipy.optimize.minimize(
            negative, start, jac=True, method="L-BFGS-B", options={"maxiter": 500, "ftol": 1e-13}
        )
    if not np.isfinite(found.fun):
        return None
    hessian = _hessian(negative, found.x)
    if not np.isfinite(hessian).all():
        return None
    try:
        lower = np.linalg.cholesky(hessian)
    except np.linalg.LinAlgError:
        return None
    inverse = scipy.linalg.solve_triangular(lower, np.eye(len(start)), lower=True)
    # H⁻¹ = L⁻ᵀ L⁻¹; its own lower factor keeps the map triangular.
    covariance = inverse.T @ inverse
    try:
        factor = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        return None
    return Whitening(np.asarray(found.x), factor)


def _hessian(negative: Gradient, u: NDArray) -> NDArray[np.float64]:
    """Differences of the gradient, each over about a tenth of a posterior standard deviation."""
    rows = []
    for j in range(len(u)):
        step = 1e-4
        for _ in range(2):  # the second time with the scale that the first one found
            e = np.zeros(len(u))
            e[j] = step
            column = (negative(u + e)[1] - negative(u - e)[1]) / (2 * step)
            if not column[j] > 0:
                break
            step = 0.1 / np.sqrt(column[j])
        rows.append(column)
    hessian = np.array(rows)
    return (hessian + hessian.T) / 2
