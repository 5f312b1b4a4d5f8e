"""Named wrong implementations, each of which some test beside it must reject.

A check that has never been seen to fail proves nothing: rows that sum to one come out of Bayes'
rule with its weights forgotten just as well. Here stand the mistakes that one really makes, as
functions with the interface of what they are wrong about. A section for each thing, a dictionary of
its mutants at the section's end, so that a test can run over all of them.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

# --- Bayes' rule for a normal mixture, and drawing z given θ --------------------------------------
# A table is theta -> r (draw, obs, component); a way of drawing (rng, r, theta) -> z (draw, obs),
# where r is the right table.


class Normals(NamedTuple):
    """Data, and draws of the parameters of a univariate normal mixture."""

    x: Array  # (obs,)
    w: Array  # (draw, component)
    mu: Array  # (draw, component)
    sigma: Array  # (draw, component)


def normal_responsibilities(theta: Normals) -> Array:
    """No mutant: Bayes' rule as it should be."""
    return _normalised(np.log(theta.w)[:, None] + _log_likelihood(theta))


def _log_likelihood(theta: Normals) -> Array:
    z = (theta.x[:, None] - theta.mu[:, None]) / theta.sigma[:, None]
    return -np.log(theta.sigma)[:, None] - 0.5 * z**2


def _normalised(log_joint: Array) -> Array:
    joint = np.exp(log_joint - log_joint.max(axis=2, keepdims=True))
    return joint / joint.sum(axis=2, keepdims=True)


def variance_for_sd(theta: Normals) -> Array:
    return normal_responsibilities(theta._replace(sigma=theta.sigma**2))


def weights_forgotten(theta: Normals) -> Array:
    return _normalised(_log_likelihood(theta))


def weights_in_another_order(theta: Normals) -> Array:
    return normal_responsibilities(theta._replace(w=theta.w[:, ::-1]))


def likelihood_tempered(theta: Normals) -> Array:
    return _normalised(np.log(theta.w)[:, None] + 1.05 * _log_likelihood(theta))


def at_the_mean(theta: Normals) -> Array:
    r = normal_responsibilities(theta)
    return np.broadcast_to(r.mean(axis=0), r.shape)


TABLES: dict[str, Callable[[Normals], Array]] = {
    f.__name__: f
    for f in (
        variance_for_sd,
        weights_forgotten,
        weights_in_another_order,
        likelihood_tempered,
        at_the_mean,
    )
}


def inverted(u: Array, r: Array) -> Integers:
    """The z at which the distribution function of r passes u."""
    z = (u[..., None] >= r.cumsum(axis=2)).sum(axis=2)
    return np.minimum(z, r.shape[2] - 1)


def drawn(rng: Generator, r: Array, theta: Normals | None = None) -> Integers:
    """No mutant: as it should be."""
    return inverted(rng.random(r.shape[:2]), r)


def from_table(
    table: Callable[[Normals], Array],
) -> Callable[[Generator, Array, Normals], Integers]:
    """Drawn as it should be, from a table that is not."""
    return lambda rng, r, theta: drawn(rng, table(theta))


def sticky(rng: Generator, r: Array, theta: Normals) -> Integers:
    """One draw in ten is the one before."""
    z = drawn(rng, r)
    stays = rng.random(z.shape) < 0.1
    for t in range(1, len(z)):
        z[t, stays[t]] = z[t - 1, stays[t]]
    return z


def one_uniform_for_all_rows(rng: Generator, r: Array, theta: Normals) -> Integers:
    return inverted(np.broadcast_to(rng.random((len(r), 1)), r.shape[:2]), r)


def two_threads_with_one_seed(rng: Generator, r: Array, theta: Normals) -> Integers:
    half = -(-r.shape[1] // 2)
    return inverted(np.tile(rng.random((len(r), half)), 2)[:, : r.shape[1]], r)


def two_chains_with_one_seed(rng: Generator, r: Array, theta: Normals) -> Integers:
    half = -(-len(r) // 2)
    return inverted(np.tile(rng.random((half, r.shape[1])), (2, 1))[: len(r)], r)


def argmax_for_a_draw(rng: Generator, r: Array, theta: Normals) -> Integers:
    return r.argmax(axis=2)


def stored_three_draws_off(rng: Generator, r: Array, theta: Normals) -> Integers:
    return np.roll(drawn(rng, r), 3, axis=0)


def every_draw_kept_twice(rng: Generator, r: Array, theta: Normals) -> Integers:
    return drawn(rng, r)[np.arange(len(r)) // 2]


def quasi_random(rng: Generator, r: Array, theta: Normals) -> Integers:
    """Uniforms in steps of the golden ratio: each row's counts come out better than random."""
    steps = np.arange(len(r))[:, None] * 0.5 * (np.sqrt(5) - 1)
    return inverted((rng.random(r.shape[1]) + steps) % 1, r)


DRAWING: dict[str, Callable[[Generator, Array, Normals], Integers]] = {
    **{name: from_table(table) for name, table in TABLES.items()},
    **{
        f.__name__: f
        for f in (
            sticky,
            one_uniform_for_all_rows,
            two_threads_with_one_seed,
            two_chains_with_one_seed,
            argmax_for_a_draw,
            stored_three_draws_off,
            every_draw_kept_twice,
            quasi_random,
        )
    },
}


# --- Bayes' rule on arrays ------------------------------------------------------------------------
# (log_prior (component,), log_likelihood (obs, component)) -> responsibilities.


def rule_without_prior(log_prior: Array, log_likelihood: Array) -> Array:
    return _softmax(log_likelihood + 0 * log_prior, axis=-1)


def rule_normalised_over_rows(log_prior: Array, log_likelihood: Array) -> Array:
    return _softmax(log_prior + log_likelihood, axis=0)


def rule_with_prior_in_another_order(log_prior: Array, log_likelihood: Array) -> Array:
    return _softmax(log_prior[::-1] + log_likelihood, axis=-1)


def rule_with_prior_not_logged(log_prior: Array, log_likelihood: Array) -> Array:
    return _softmax(np.exp(log_prior) + log_likelihood, axis=-1)


def rule_hardened(log_prior: Array, log_likelihood: Array) -> Array:
    joint = log_prior + log_likelihood
    return (joint == joint.max(axis=-1, keepdims=True)).astype(float)


def _softmax(a: Array, axis: int) -> Array:
    e = np.exp(a - a.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


BAYES_MUTANTS = {
    "without prior": rule_without_prior,
    "normalised over rows": rule_normalised_over_rows,
    "prior in another order": rule_with_prior_in_another_order,
    "prior not logged": rule_with_prior_not_logged,
    "hardened": rule_hardened,
}


# --- alignment ------------------------------------------------------------------------------------
# (components, stack of θ, permutation (sample, component)) -> θ, supposed to be permuted.


def aligned_all_but_the_weights(components, stack, permutation):
    return {**components.permute(stack, permutation), "w": stack["w"]}


def aligned_by_the_inverse(components, stack, permutation):
    return components.permute(stack, np.argsort(permutation, axis=1))


def sorted_each_by_itself(components, stack, permutation):
    return {n: np.sort(v, axis=1 + components.axes[n]) for n, v in stack.items()}


def not_aligned(components, stack, permutation):
    return stack


ALIGNMENT_MUTANTS = {
    "all but the weights": aligned_all_but_the_weights,
    "by the inverse": aligned_by_the_inverse,
    "each sorted by itself": sorted_each_by_itself,
    "not at all": not_aligned,
}
