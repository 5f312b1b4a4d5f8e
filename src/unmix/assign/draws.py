"""Drawing z for draws of θ, and matching components, in the same pass over the draws."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmix.assign.drawing import draw_z
from unmix.assign.matching import match
from unmix.assign.stream import reference_responsibility, stream
from unmix.derive import Derivation, row_weights
from unmix.derive.latent import z_dtype
from unmix.derive.theta import Stack


@dataclass(frozen=True)
class Assigned:
    """What one pass over the draws gives. All arrays begin with the stack's samples.

    Attributes
    ----------
    z
        Drawn assignments, shape (sample, obs); None where they came from elsewhere.
    permutation, margin
        The matching (`unmix.assign.matching`).
    log_likelihood
        Σ_i log p(x_i | θ_s), shape (sample,).
    concentration
        Σ_k (mean_i r_sik)², shape (sample,): how unequal the components are, whatever their names.
    """

    z: NDArray | None
    permutation: NDArray[np.int64]
    margin: NDArray[np.float64]
    log_likelihood: NDArray[np.float64]
    concentration: NDArray[np.float64]


def assign_draws(
    derivation: Derivation,
    stack: Stack,
    rng: np.random.Generator | None,
    reference: NDArray[np.float64] | None = None,
    out: NDArray | None = None,
) -> Assigned:
    """Draw z exactly from each draw's θ and match components to a reference.

    Parameters
    ----------
    rng
        None to leave z alone.
    reference
        Responsibilities (obs, component) that define the labels; the likeliest draw's by default.
    out
        Array (sample, obs) that takes z, such as one on disk.
    """
    samples, n, k = len(stack), derivation.n_obs, derivation.n_components
    if reference is None:
        reference = reference_responsibility(derivation, stack)
    z = None
    if rng is not None:
        z = np.empty((samples, n), dtype=z_dtype(k)) if out is None else out
    permutation = np.empty((samples, k), dtype=np.int64)
    margin = np.empty(samples)
    log_likelihood, concentration = np.empty(samples), np.empty(samples)
    for block in stream(derivation, stack):
        r = block.responsibility
        if z is not None and rng is not None:
            z[block.samples] = draw_z(r, rng)
        matches = match(r, reference, derivation.components.symmetry)
        permutation[block.samples] = matches.permutation
        margin[block.samples] = matches.margin
        log_likelihood[block.samples] = row_weights.total(block.log_marginal, derivation.weight)
        concentration[block.samples] = np.square(
            row_weights.mean(r, derivation.weight, axis=1)
        ).sum(axis=-1)
    return Assigned(z, permutation, margin, log_likelihood, concentration)
