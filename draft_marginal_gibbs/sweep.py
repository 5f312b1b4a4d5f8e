"""A run of sweeps of one chain: z by the pass, moves that sum z out, θ given the sums."""

import numpy as np

from unmix.infer.gibbs.conditionals import given_sums, pack
from unmix.infer.gibbs.priors import jit
from unmix.infer.gibbs.space import constrain, log_student, propose, unconstrain
from unmix.onepass.elementary import jit as fast_jit
from unmix.onepass.kernel import BLOCK, SAMPLED, fill_joint, load, normalise, pass_rows, sum_of_logs

# How a run of sweeps ended.
FINE, IMPOSSIBLE, IMPROPER = 0, 1, 2
# Columns of the statistics: independence proposals made and accepted, the same of random walks,
# components without rows.
STATS = 5
# Proposals with z summed out in a sweep. Each costs two thirds of the pass that draws z, which is
# made once whatever their number, and so is the density where the sweep begins.
PROPOSALS = 2


@fast_jit
def log_marginal(terms, x, centre, log_w, params):  # type: ignore[no-untyped-def]
    """Σ_i log Σ_k p(z_i = k, x_i | θ), without base measures and without sums."""
    size = min(BLOCK, max(x.shape[1], 1))
    joint = np.empty((len(log_w), size))
    block = np.empty((x.shape[0], size))
    work = np.empty((x.shape[0] + 3, size))
    largest, total = np.empty(size), np.empty(size)
    result, start = 0.0, 0
    while start < x.shape[1]:
        m = min(size, x.shape[1] - start)
        load(x, centre, start, m, block)
        fill_joint(terms, block, m, log_w, params, joint, largest, work)
        normalise(joint, m, largest, total)
        result += sum_of_logs(largest, total, m)
        start += m
    return result


@jit
def sweeps(plan, x, centre, values, moves, laplace, factor, inverse, rng, theta, out, z):  # type: ignore[no-untyped-def]
    """As many sweeps as ``theta`` has rows.

    A sweep proposes other θ, taken or not by the ratio of the densities with z summed out; draws z
    given θ; and draws θ given z.

    Parameters
    ----------
    values
        Where the chain stands, in place.
    moves
        Chances of an independence proposal and of a random walk, at each of `PROPOSALS` occasions.
    laplace, factor, inverse
        Centre of the proposals, factor of their covariance, and its inverse.
    theta, out, z
        What is kept of each sweep; where ``z`` has one row only, assignments are not kept.

    Returns
    -------
    tuple
        Sweeps done, how it ended.
    """
    k_all, size, length = plan.source.shape[0], plan.alpha.shape[0], len(laplace)
    log_w, new_log_w = np.empty(k_all), np.empty(k_all)
    width = plan.terms[-1, 3] + plan.terms[-1, 4]
    packed, new_packed = np.empty((k_all, width)), np.empty((k_all, width))
    sums = plan.terms[-1, 5] + plan.terms[-1, 6]
    n, stats = np.empty(k_all), np.empty((k_all, sums))
    v, new_v, new_values = np.empty(length), np.empty(length), values.copy()
    walk = 2.38 / np.sqrt(max(length, 1))
    for i in range(len(theta)):
        pack(plan, values, log_w, packed)
        out[i] = 0.0
        if moves[0] + moves[1] > 0.0:
            unconstrain(plan, values, v)
            here = constrain(plan, v, new_values)
            here += log_marginal(plan.terms, x, centre, log_w, packed)
            for _ in range(PROPOSALS):
                chance = rng.random()
                if chance >= moves[0] + moves[1]:
                    continue
                kind = 0 if chance < moves[0] else 1
                ratio = -here
                if kind == 0:
                    heavy = np.sqrt(2.5 / rng.standard_gamma(2.5))
                    propose(laplace, factor, heavy, rng, new_v)
                    ratio += log_student(laplace, inverse, v) - log_student(laplace, inverse, new_v)
                else:
                    propose(v, factor, walk, rng, new_v)
                there = constrain(plan, new_v, new_values)
                bar = np.log(1.0 - rng.random())
                if there > -np.inf:
                    pack(plan, new_values, new_log_w, new_packed)
                    there += log_marginal(plan.terms, x, centre, new_log_w, new_packed)
                out[i, 2 * kind] += 1.0
                if bar < ratio + there:
                    out[i, 2 * kind + 1] += 1.0
                    here = there
                    values[:size] = new_values[:size]
                    v, new_v = new_v, v
                    log_w, new_log_w = new_log_w, log_w
                    packed, new_packed = new_packed, packed
        n[:] = 0.0
        stats[:] = 0.0
        high, low = np.uint64(rng.random() * 4294967296.0), np.uint64(rng.random() * 4294967296.0)
        here = pass_rows(
            SAMPLED, (high << np.uint64(32)) | low, plan.terms, x, centre, np.zeros(0), log_w,
            packed, n, stats, z[i] if len(z) > 1 else z[0], 0, x.shape[1],
        )  # fmt: skip
        if not here > -np.inf:
            return i, IMPOSSIBLE
        for k in range(k_all):
            out[i, 4] += n[k] == 0.0
        if not given_sums(plan, values, n, stats, packed, rng):
            return i, IMPROPER
        theta[i] = values[:size]
    return len(theta), FINE
