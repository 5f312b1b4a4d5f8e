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
from scipy.special import gammaln

from unmix.onepass.sums import Sums

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


# --- the pass over the data -----------------------------------------------------------------------
# (problem of `onepass_problems`, mode) -> Sums, as `Problem.run`; z is filled where it is given.


def pass_by_numpy(problem, mode="expected", *, key=0, z=None, cuts=(), threads=1, **wrong):
    """No mutant: the pass as it should be, with one step of it replaced by a wrong one."""
    joint = wrong.get("joint", problem.log_joint()).astype(float)
    n_obs, k = joint.shape
    largest = np.where(np.isfinite(joint.max(axis=1)), joint.max(axis=1), 0.0)
    e = np.exp(joint - largest[:, None])
    total = e.sum(axis=1)
    u = wrong.get("uniforms", np.random.default_rng(key).random(n_obs))
    mass = u * (np.ones(n_obs) if wrong.get("mass") == "not normalised" else total)
    if mode == "expected":
        a = e if wrong.get("r") == "not normalised" else e / np.where(total, total, 1)[:, None]
    else:
        chosen = (mass[:, None] >= e.cumsum(axis=1)).sum(axis=1)
        if mode == "hard":
            chosen = e.argmax(axis=1)
            if wrong.get("ties") == "last":
                chosen = k - 1 - e[:, ::-1].argmax(axis=1)
        if z is not None:
            z[:] = np.minimum(chosen, k - 1)
        a = (chosen[:, None] == np.arange(k)).astype(float)
        if wrong.get("sums") == "of r":
            a = e / total[:, None]
    weight = np.ones(n_obs) if problem.weight is None else problem.weight
    weight = wrong.get("weight", weight)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_p = largest + np.log(total)
        log_marginal = np.where(weight > 0, weight * log_p, 0.0)[wrong.get("rows", slice(None))]
    a = (a * weight[:, None])[wrong.get("rows", slice(None))]
    features = [
        np.concatenate([p.features(i) for p in wrong.get("parts", problem.parts)], axis=1)
        for i in range(k)
    ]
    rows = wrong.get("rows", slice(None))
    statistics = np.stack([a[:, i] @ features[i][rows].astype(float) for i in range(k)])
    return Sums(float(log_marginal.sum()), a.sum(axis=0), statistics, problem.packed)


def responsibilities_not_normalised(problem, mode="expected", **how):
    return pass_by_numpy(problem, mode, **how, r="not normalised")


def prior_forgotten(problem, mode="expected", **how):
    return pass_by_numpy(problem, mode, **how, joint=problem.log_joint() - problem.log_w)


def row_weights_forgotten(problem, mode="expected", **how):
    return pass_by_numpy(problem, mode, **how, weight=np.ones(problem.columns.shape[1]))


def statistics_about_zero(problem, mode="expected", **how):
    """About another centre than the parameters that come back with them."""
    parts = []
    for p in problem.parts:
        about = np.zeros_like(p.theta[0]) if p.family in ("Normal", "MvNormal") else p.theta[0]
        parts.append(type(p)(p.family, p.x, (about, *p.theta[1:])))
    return pass_by_numpy(problem, mode, **how, parts=parts)


def last_partial_block_dropped(problem, mode="expected", **how):
    whole = problem.columns.shape[1] // 512 * 512
    return pass_by_numpy(problem, mode, **how, rows=slice(whole))


def base_measure_forgotten(problem, mode="expected", **how):
    joint = problem.log_joint()
    for p in problem.parts:
        if p.family == "Poisson":
            joint = joint + gammaln(p.x + 1.0).sum(axis=0)[:, None]
    return pass_by_numpy(problem, mode, **how, joint=joint)


def last_part_added_twice(problem, mode="expected", *, cuts=(), threads=1, **how):
    """Two threads, or two chunks, and the sums of the second are in the total already."""
    whole = pass_by_numpy(problem, mode, **how)
    if threads == 1 and not len(cuts):
        return whole
    rows = slice(problem.columns.shape[1] // 2, None)
    return whole + pass_by_numpy(problem, mode, **how, rows=rows)


def z_from_unnormalised_mass(problem, mode="expected", **how):
    return pass_by_numpy(problem, mode, **how, mass="not normalised")


def each_part_begins_the_random_numbers_anew(problem, mode="expected", *, key=0, cuts=(), **how):
    rows = np.split(np.arange(problem.columns.shape[1]), cuts)
    u = np.concatenate([np.random.default_rng(key).random(len(i)) for i in rows])
    return pass_by_numpy(problem, mode, key=key, **how, uniforms=u)


def one_uniform_for_the_pass(problem, mode="expected", *, key=0, **how):
    u = np.full(problem.columns.shape[1], np.random.default_rng(key).random())
    return pass_by_numpy(problem, mode, key=key, **how, uniforms=u)


def key_forgotten(problem, mode="expected", *, key=0, **how):
    return pass_by_numpy(problem, mode, key=7, **how)


def sampled_z_but_sums_of_responsibilities(problem, mode="expected", **how):
    return pass_by_numpy(problem, mode, **how, sums="of r")


def last_of_ties(problem, mode="expected", **how):
    return pass_by_numpy(problem, mode, **how, ties="last")


# What each is caught by, a check of `onepass_checks`.
PASS_MUTANTS = {
    responsibilities_not_normalised: "answer",
    prior_forgotten: "answer",
    row_weights_forgotten: "answer",
    statistics_about_zero: "answer",
    last_partial_block_dropped: "answer",
    base_measure_forgotten: "answer",
    last_part_added_twice: "parts",
    z_from_unnormalised_mass: "drawn",
    one_uniform_for_the_pass: "drawn",
    key_forgotten: "drawn",
    each_part_begins_the_random_numbers_anew: "parts",
    sampled_z_but_sums_of_responsibilities: "sums_of_z",
    last_of_ties: "hard",
}


def centre_not_held(graph):
    """In place of `pytensor.gradient.disconnected_grad`: the gradient runs through the centre."""
    return graph


# --- θ and z by turns -----------------------------------------------------------------------------
# The density of θ given z: from `unmix.infer.conditional.Conditional` to one that is wrong, of the
# hierarchy of `test_gibbs_general`. The draw of z: from a pass to one that is wrong.


def jacobian_forgotten(conditional):
    class Mutant(conditional):
        def jacobian(self):
            return 0.0

    return Mutant


def prior_of_the_hyperparameter_forgotten(conditional):
    class Mutant(conditional):
        def without_z(self):
            return super().without_z() - self.derivation.opened.terms["spread"].sum()

    return Mutant


def one_row_too_many(conditional):
    """Each component counts a row more than it has: the weights' prior off by one."""

    class Mutant(conditional):
        def without_z(self):
            return super().without_z() + self.derivation.onepass.recognised.log_w.sum()

    return Mutant


CONDITIONALS = {
    f.__name__: f
    for f in (jacobian_forgotten, prior_of_the_hyperparameter_forgotten, one_row_too_many)
}


class _Pass:
    """A pass that draws from other log-weights."""

    def __init__(self, right, change):
        self.right, self.change = right, change

    def run(self, log_w, packed, *args, **options):
        return self.right.run(self.change(log_w), packed, *args, **options)


def z_without_weights(onepass):
    return _Pass(onepass, lambda log_w: np.full_like(log_w, -np.log(len(log_w))))


def z_from_tempered_weights(onepass):
    return _Pass(onepass, lambda log_w: 0.5 * log_w)


SAMPLED_PASSES = {f.__name__: f for f in (z_without_weights, z_from_tempered_weights)}


# --- Posteriors for simulation-based calibration --------------------------------------------------
# Gibbs for mixtures of two Poissons, many data sets side by side: (rng, x (set, obs)) -> w, rate
# (draw, set, component), z (draw, set, obs), of the priors of `sbc.problems`: w ~ Dirichlet(1, 1),
# rate ~ Gamma(2, 1/2).


def poisson_gibbs(rng, x, *, weights=1.0, shape=2.0, temper=1.0, ranked=100, thin=10, tune=100):
    """No mutant as it stands."""
    sets = len(x)
    first = rng.random(x.shape) < 0.5
    kept = []
    for t in range(-tune, ranked * thin):
        n = np.stack([first.sum(1), (~first).sum(1)], axis=1)
        s = np.stack([(x * first).sum(1), (x * ~first).sum(1)], axis=1)
        g = rng.standard_gamma(weights + n)
        w = g / g.sum(1, keepdims=True)
        rate = rng.standard_gamma(shape + s) / (0.5 + n)
        log_odds = np.log(w[:, 0] / w[:, 1]) - (rate[:, 0] - rate[:, 1])
        log_odds = log_odds[:, None] + x * np.log(rate[:, :1] / rate[:, 1:])
        first = rng.random(x.shape) < 0.5 * (1 + np.tanh(0.5 * temper * log_odds))
        if t >= 0 and t % thin == thin - 1:
            kept.append((w, rate, np.where(first, 0, 1)))
    assert len(kept[0][0]) == sets
    return tuple(np.stack(v) for v in zip(*kept, strict=True))


def poisson_gibbs_with_a_count_too_many(rng, x):
    return poisson_gibbs(rng, x, weights=2.0)


def poisson_gibbs_with_another_prior_of_rates(rng, x):
    return poisson_gibbs(rng, x, shape=3.0)


def poisson_gibbs_with_z_tempered(rng, x):
    return poisson_gibbs(rng, x, temper=0.8)


def poisson_gibbs_with_z_of_the_sweep_before(rng, x):
    w, rate, z = poisson_gibbs(rng, x, thin=10)
    return w, rate, np.roll(z, 1, axis=0)


POISSON_GIBBS_MUTANTS = {
    f.__name__: f
    for f in (
        poisson_gibbs_with_a_count_too_many,
        poisson_gibbs_with_another_prior_of_rates,
        poisson_gibbs_with_z_tempered,
        poisson_gibbs_with_z_of_the_sweep_before,
    )
}
