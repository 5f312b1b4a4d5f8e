r"""Components that are normal, read off Bayes' rule: their marginals need no integration.

Of a family that is unknown the marginal density of two features is an integral over the others.
Where log p(x | z = k, θ) is quadratic in x the component is normal, and its marginals are normal
with the same means and covariances. Second differences of a quadratic are exact:

.. math::

    f(u) = f(0) + g^\top u - \tfrac12 u^\top P u, \qquad
    \mu = P^{-1} g, \quad \Sigma = P^{-1}

Whether it is one, and is a density, is checked at further points; no name of a family is looked at.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.derive import Derivation, bayes_rule
from unmix.derive.theta import theta_dataset
from unmix.errors import UnmixError
from unmix.show.density import match, thin

Array = NDArray[np.float64]

FURTHER = 4  # points at which it must be the same quadratic


@dataclass(frozen=True)
class Normals:
    """Weights, means and covariances of every component at every draw used.

    Attributes
    ----------
    w
        p(z = k), shape (draw, component).
    mean
        Shape (draw, component, feature).
    covariance
        Shape (draw, component, feature, feature).
    """

    w: Array
    mean: Array
    covariance: Array

    def line(self, j: int, x: Array) -> Array:
        """p(z = k) p(x_j | z = k) of feature j, shape (draw, point, component)."""
        sd = np.sqrt(self.covariance[:, None, :, j, j])
        z = (x[:, None] - self.mean[:, None, :, j]) / sd
        with np.errstate(under="ignore"):
            return self.w[:, None] * np.exp(-0.5 * z**2) / (sd * np.sqrt(2 * np.pi))

    def plane(self, i: int, j: int, k: int, across: Array, up: Array) -> Array:
        """p(x_i, x_j | z = k), averaged over draws, shape (up, across)."""
        total = np.zeros((len(up), len(across)))
        for mean, cov in zip(self.mean[:, k], self.covariance[:, k], strict=True):
            precision = np.linalg.inv(cov[np.ix_([i, j], [i, j])])
            dx, dy = across - mean[i], (up - mean[j])[:, None]
            square = precision[0, 0] * dx**2 + 2 * precision[0, 1] * dx * dy
            with np.errstate(under="ignore"):
                density = np.exp(-0.5 * (square + precision[1, 1] * dy**2))
            total += density * np.sqrt(np.linalg.det(precision))
        return total / (2 * np.pi * len(self.mean))

    def ellipse(self, draw: int, i: int, j: int, k: int, radius: float) -> Array:
        """The contour at so many standard deviations, shape (point, 2)."""
        angle = np.linspace(0, 2 * np.pi, 73)
        factor = np.linalg.cholesky(self.covariance[draw, k][np.ix_([i, j], [i, j])])
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return np.asarray(self.mean[draw, k, [i, j]] + radius * circle @ factor.T)


def try_normals(
    derivation: Derivation, fit: Any, name: str, rows: NDArray, draws: int, reference: Array
) -> Normals | None:
    """The components as normals; None where some are not, or rows need more than themselves.

    Parameters
    ----------
    derivation, fit
        The model and any θ.
    name
        The observed variable.
    rows
        Its values, shape (obs, feature).
    draws
        At most so many draws, evenly spaced.
    reference
        Responsibilities (obs, component) whose labels the components are to have.
    """
    if rows.dtype.kind in "iub":
        return None  # whatever counts follow, between them there is nothing
    centre, scale = rows.mean(axis=0), rows.std(axis=0)
    steps = _steps(rows.shape[1])
    if len(steps) == derivation.n_obs:  # they would be taken to have the data's covariates
        steps = np.concatenate([steps, steps[:1]])
    points = centre + steps * scale
    theta = theta_dataset(fit)
    theta = theta.isel(thin(theta, draws))
    permutation = match(derivation, theta, reference)
    try:
        derivation.on({name: points[: 2 + (derivation.n_obs == 2)]})
        terms = bayes_rule(derivation.model, theta, new={name: points})
    except (UnmixError, ValueError, TypeError):
        return None

    def term(variable: str) -> Array:
        values = terms[variable].transpose(..., "obs", "component").to_numpy()
        values = values.reshape(-1, len(points), derivation.n_components)
        if permutation is not None:
            values = np.take_along_axis(values, permutation[:, None, :], axis=-1)
        return np.asarray(values)

    return _fitted(np.exp(term("log_prior")[:, 0]), term("log_likelihood"), steps, centre, scale)


def _steps(d: int) -> Array:
    """Around 0: a step either way along each axis, one along each pair, and points to check at."""
    unit = np.eye(d)
    pairs = [unit[i] + unit[j] for i, j in combinations(range(d), 2)]
    further = np.random.default_rng(0).normal(size=(FURTHER, d))
    return np.concatenate([np.zeros((1, d)), unit, -unit, np.reshape(pairs, (-1, d)), further])


def _fitted(w: Array, f: Array, steps: Array, centre: Array, scale: Array) -> Normals | None:
    """From f = log p(x | z = k) at the steps, shape (draw, point, component)."""
    if not np.isfinite(f).all():
        return None
    d = len(centre)
    f = np.moveaxis(f, 1, -1)  # (draw, component, point)
    zero, plus, minus = f[..., 0], f[..., 1 : d + 1], f[..., d + 1 : 2 * d + 1]
    slope = (plus - minus) / 2
    precision = np.zeros((*f.shape[:2], d, d))
    for j in range(d):
        precision[..., j, j] = 2 * zero - plus[..., j] - minus[..., j]
    for at, (i, j) in enumerate(combinations(range(d), 2), 2 * d + 1):
        cross = plus[..., i] + plus[..., j] - zero - f[..., at]
        precision[..., i, j] = precision[..., j, i] = cross
    if not (np.linalg.eigvalsh(precision) > 0).all():
        return None
    mean = np.linalg.solve(precision, slope[..., None])[..., 0]
    away = steps - mean[..., None, :]  # (draw, component, point, feature)
    square = np.einsum("...pi,...ij,...pj->...p", away, precision, away)
    height = np.linalg.slogdet(precision)[1] - 2 * np.log(scale).sum() - d * np.log(2 * np.pi)
    expected = 0.5 * (height[..., None] - square)
    # Differences of numbers as large as these: far more than their rounding, far less than what
    # another family differs by.
    if np.abs(expected - f).max() > 1e-6 * (1 + np.abs(f).max()):
        return None
    covariance = np.linalg.inv(precision) * scale[:, None] * scale
    return Normals(w, centre + mean * scale, covariance)
