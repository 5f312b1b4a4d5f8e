r"""Bayes' rule for the assignment of one observation, on plain arrays and in log space.

For observation i, component k and parameters θ, with the events of the classic derivation
A = {z_i = k}, B = {x_i}, C = {z_i = j}:

.. math::

    p(A \mid B) = \frac{p(A)\, p(B \mid A)}{\sum_j p(C)\, p(B \mid C)}
    \qquad
    p(z_i = k \mid x_i, θ) =
        \frac{w_k\, p(x_i \mid z_i = k, θ)}{\sum_j w_j\, p(x_i \mid z_i = j, θ)}

This is the only place where prior and likelihood meet; every other room calls it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


class Terms(NamedTuple):
    """The five terms of Bayes' rule, named after what they are.

    Attributes
    ----------
    log_prior
        log p(z_i = k | θ), shape (…, obs, component).
    log_likelihood
        log p(x_i | z_i = k, θ), shape (…, obs, component).
    log_joint
        log p(z_i = k, x_i | θ), their sum, shape (…, obs, component).
    log_marginal
        log p(x_i | θ), shape (…, obs).
    responsibility
        p(z_i = k | x_i, θ), shape (…, obs, component); rows sum to one.
    """

    log_prior: Array
    log_likelihood: Array
    log_joint: Array
    log_marginal: Array
    responsibility: Array


def joint(log_prior: ArrayLike, log_likelihood: ArrayLike) -> Array:
    """Log joint density log p(z_i = k, x_i | θ), shape (…, obs, component).

    An impossible component (prior zero) stays impossible even where its likelihood is infinite:
    the event {z_i = k} does not happen, so its density there is never asked.
    """
    log_prior = np.asarray(log_prior, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        total = log_prior + np.asarray(log_likelihood, dtype=np.float64)
    if np.isneginf(log_prior).any():
        total = np.where(np.isneginf(log_prior), -np.inf, total)
    return total


def normalise(log_joint: ArrayLike) -> tuple[Array, Array]:
    """Divide the joint by its sum over components.

    Parameters
    ----------
    log_joint
        Shape (…, component); may hold −inf.

    Returns
    -------
    log_marginal
        log Σ_j exp(log_joint_j), shape (…). −inf where every component is impossible.
    responsibility
        Shape (…, component). NaN where the marginal is zero or infinite: there Bayes' rule
        divides zero by zero, and no number would be the right one.
    """
    log_joint = np.asarray(log_joint, dtype=np.float64)
    # The largest term is taken out first, so that exp() neither overflows nor loses it.
    largest = log_joint.max(axis=-1, keepdims=True)
    proper = np.isfinite(largest)
    weight = np.exp(log_joint - np.where(proper, largest, 0.0))
    total = weight.sum(axis=-1, keepdims=True)
    if proper.all():
        weight /= total
        return (largest + np.log(total))[..., 0], weight
    with np.errstate(invalid="ignore", divide="ignore"):
        responsibility = np.where(proper, weight / total, np.nan)
        log_marginal = np.where(proper, largest + np.log(total), largest)
    return log_marginal[..., 0], responsibility


def rule(log_prior: ArrayLike, log_likelihood: ArrayLike) -> Terms:
    """All five terms of Bayes' rule from the two that the model declares.

    Parameters
    ----------
    log_prior
        log p(z_i = k | θ), shape broadcastable to (…, obs, component).
    log_likelihood
        log p(x_i | z_i = k, θ), shape (…, obs, component).

    Returns
    -------
    Terms
        All of full shape.
    """
    log_likelihood = np.asarray(log_likelihood, dtype=np.float64)
    log_prior = np.broadcast_to(np.asarray(log_prior, dtype=np.float64), log_likelihood.shape)
    log_joint = joint(log_prior, log_likelihood)
    log_marginal, responsibility = normalise(log_joint)
    return Terms(log_prior, log_likelihood, log_joint, log_marginal, responsibility)


def entropy(responsibility: ArrayLike) -> Array:
    """Entropy of an assignment in nats, −Σ_k r_k log r_k with 0 log 0 = 0, shape (…)."""
    r = np.asarray(responsibility, dtype=np.float64)
    return np.sum(r * -np.log(np.where(r > 0, r, 1.0)), axis=-1) + 0.0  # no −0
