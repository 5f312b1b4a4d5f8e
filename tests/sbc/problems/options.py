"""What the catalogue's `gaussian` may be told beside its rows: labels, errors, noise, subjects."""

import numpy as np
import pymc as pm
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import stats

from sbc.problem import Array, K, Problem, Theta, weights
from sbc.problems.normals import (
    gaussian,
    level,
    normal_data,
    normal_density,
    normal_prior,
    variance,
)

# --- Labels ---------------------------------------------------------------------------------------

# Of 50 rows six are known to be of the first component and four of the second; eight are more
# probable in one of them than its weight says; nothing is known of the others.
LABELS = np.ones((50, K))
LABELS[:6], LABELS[6:10] = (1, 0), (0, 1)
LABELS[10:15], LABELS[15:18] = (0.9, 0.3), (0.5, 2.0)
_GRID = np.linspace(0, 1, 20001)


def _labels_prior(rng: Generator, size: int) -> Theta:
    """Labels inform the weights: θ is drawn given them, w_1 by its distribution function.

    p(w) ∝ Π_i Σ_k w_k a_ik, the sum over z of what the model says of rows not yet seen.
    """
    w = np.stack([_GRID, 1 - _GRID], axis=1)
    density = np.prod(w @ LABELS.T, axis=1)
    below = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    first = np.interp(rng.random(size), below / below[-1], _GRID)
    return {**normal_prior(rng, size), "w": np.stack([first, 1 - first], axis=1)}


def labelled(x: Array) -> pm.Model:
    """With rows of which nothing is known as a user says it, all cells missing."""
    nothing = (LABELS == 1).all(axis=1, keepdims=True)
    return gaussian(x, labels=np.where(nothing, np.nan, LABELS))


# --- Errors of measurement ------------------------------------------------------------------------

ERROR = np.linspace(0, 1.5, 50)


def _deviation(theta: Theta) -> Array:
    """Of what is measured, (sample, row, component)."""
    return np.hypot(theta["sigma"][:, None], ERROR[:, None])


def _error_data(rng: Generator, theta: Theta, z: NDArray) -> Array:
    return normal_data(rng, theta, z) + ERROR * rng.standard_normal(len(z))


def _error_density(theta: Theta, x: Array) -> Array:
    return stats.norm.logpdf(x[:, None], theta["mu"][:, None], _deviation(theta))


# --- Noise ----------------------------------------------------------------------------------------

LOW, HIGH = -8.0, 8.0


def _noise_prior(rng: Generator, size: int) -> Theta:
    return {**normal_prior(rng, size), "w": weights(rng, size, K + 1)}


def _noise_data(rng: Generator, theta: Theta, z: NDArray) -> Array:
    normal = normal_data(rng, theta, np.minimum(z, K - 1))
    return np.where(z == K, rng.uniform(LOW, HIGH, size=len(z)), normal)


def _noise_density(theta: Theta, x: Array) -> Array:
    normal = normal_density(theta, x)
    uniform = stats.uniform.logpdf(x, LOW, HIGH - LOW)
    return np.concatenate([normal, np.broadcast_to(uniform[:, None], (*normal.shape[:2], 1))], 2)


def _beside(theta: Theta, normals: Array, noise: float) -> Array:
    """The same number for the noise of every draw, after those of the normals."""
    return np.concatenate([normals, np.full((len(theta["w"]), 1), noise)], axis=1)


# --- Rows that belong together --------------------------------------------------------------------

# Subjects of 45 rows, in runs and apart from each other; every fifth row is on its own.
_ALONE = np.arange(45) % 5 == 4
_NAMED = np.where(_ALONE, np.nan, np.arange(45) // 3 % 12)


def _units(named: Array) -> NDArray:
    """Number of each row's subject in the order of first mention; NaN is a subject of its own."""
    names = [("alone", i) if np.isnan(v) else ("named", v) for i, v in enumerate(named)]
    order = list(dict.fromkeys(names))
    return np.array([order.index(name) for name in names])


PROBLEMS = {
    "labels": Problem(
        rows=50,
        prior=_labels_prior,
        data=normal_data,
        declare=labelled,
        density=normal_density,
        level=level,
        spread=variance,
        number=13,
        method="nuts",
        factors=LABELS,
        # Labels tell components apart.
        more=lambda theta, z: {
            "weight of the first": theta["w"][:, 0],
            "mean of the first": theta["mu"][:, 0],
        },
    ),
    "error": Problem(
        rows=50,
        prior=normal_prior,
        data=_error_data,
        declare=lambda x: gaussian(x, error=ERROR),
        density=_error_density,
        level=level,
        spread=variance,
        number=14,
        method="nuts",
    ),
    "noise": Problem(
        rows=50,
        prior=_noise_prior,
        data=_noise_data,
        declare=lambda x: gaussian(x, noise=(LOW, HIGH)),
        density=_noise_density,
        level=lambda theta: _beside(theta, theta["mu"], (LOW + HIGH) / 2),
        spread=lambda theta: _beside(theta, theta["sigma"] ** 2, (HIGH - LOW) ** 2 / 12),
        number=15,
        method="nuts",
        more=lambda theta, z: {
            "weight of the noise": theta["w"][:, K],
            "rows in the noise": (z == K).sum(axis=1).astype(float),
        },
    ),
    "together": Problem(
        rows=45,
        prior=normal_prior,
        data=normal_data,
        declare=lambda x: gaussian(x, together=_NAMED),
        density=normal_density,
        level=level,
        spread=variance,
        number=16,
        method="nuts",
        unit_of=_units(_NAMED),
    ),
}
