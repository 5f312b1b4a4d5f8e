"""A run of sweeps in one kernel: θ given the sums of z or proposed without it, then z."""

import numpy as np

from unmix.infer.exact import conditionals, covariances
from unmix.infer.exact.coordinates import fold, unfold
from unmix.infer.exact.moves import in_order, is_in_order, log_proposal, propose, rearranged
from unmix.onepass.block import EXPECTED, FIRST, SAMPLED
from unmix.onepass.elementary import jit, jit_inline, put, put_rows
from unmix.onepass.kernel import pass_rows
from unmix.onepass.variant import by_family

# Odd, so that multiplying by it loses nothing: spreads 53 random bits over a key's 64.
SPREAD = np.uint64(0x9E3779B97F4A7C15)
# Rows for each feature below which the correlations' proposal from the Wishart has too little to
# stand on, so that they always move by slices as well; with more rows in so many sweeps.
FEW, SLICED = 3, 0.1


@by_family
def update(normal, mvnormal, poisson, bernoulli, categorical, exponential, labels):  # type: ignore[no-untyped-def]
    """Draw every block of θ given the sums, in place.

    Parameters
    ----------
    n, stats
        Of the pass, about the parameters ``before``.
    theta
        The flat vector of constrained values.
    log_w, params
        What the pass takes of it; brought up to date.
    """

    def update(families, rng, terms, blocks, hyper, n, stats, before, theta, log_w, params):  # type: ignore[no-untyped-def]
        k_all = len(n)
        for block in range(len(blocks)):
            kind, term, at, h, family = (
                blocks[block, 0], blocks[block, 1], blocks[block, 2], blocks[block, 3],
                blocks[block, 4],
            )  # fmt: skip
            if kind == 0:
                alpha, w = hyper[h : h + k_all], theta[at : at + k_all]
                conditionals.draw_weights(rng, n, alpha, w, log_w)
                continue
            d = terms[term, 2]
            size = d
            if kind == 9:
                size = terms[term, 4]
            whole = k_all * size
            if normal and kind == 3:
                shared_scale(rng, terms[term], family, hyper[h], hyper[h + 1], n, stats, before,
                             theta[at : at + 1], params)  # fmt: skip
                continue
            for k in range(k_all):
                p = params[k, terms[term, 3] : terms[term, 3] + terms[term, 4]]
                old = before[k, terms[term, 3] : terms[term, 3] + terms[term, 4]]
                s = stats[k, terms[term, 5] : terms[term, 5] + terms[term, 6]]
                value = theta[at + k * size : at + (k + 1) * size]
                a = hyper[h + k * size : h + (k + 1) * size]
                b = a if kind == 9 else hyper[h + whole + k * size : h + whole + (k + 1) * size]
                if normal and kind == 1:
                    conditionals.draw_means(rng, d, n[k], s, old, a, b, value)
                    put(value, p[:d])
                if normal and kind == 2:
                    square = np.empty(d)
                    conditionals.squares(d, n[k], s, old, p[:d], square)
                    for j in range(d):
                        value[j] = conditionals.slice_scale(
                            rng, value[j], n[k], square[j], family, a[j], b[j]
                        )
                    conditionals.pack_normal(d, p[:d].copy(), value, p)
                if mvnormal and kind == 4:
                    covariances.draw_mean(rng, d, n[k], s, old, a, b, value)
                    put(value, p[:d])
                if mvnormal and kind == 5:
                    corr_at = blocks[block, 5] + k * d * d
                    covariance(
                        rng, d, n[k], s, old, p, family, a, b, hyper[h + 2 * whole], value,
                        theta[corr_at : corr_at + d * d],
                    )  # fmt: skip
                if poisson and kind == 6:
                    conditionals.draw_rates(rng, d, n[k], s, a, b, value, p)
                if exponential and kind == 7:
                    conditionals.draw_hazards(rng, d, n[k], s, a, b, value, p)
                if bernoulli and kind == 8:
                    conditionals.draw_chances(rng, d, n[k], s, a, b, value, p)
                if categorical and kind == 9:
                    conditionals.draw_levels(rng, d, s, a, value, p)

    return update


@jit
def shared_scale(rng, term, family, a, b, n, stats, before, sigma, params):  # type: ignore[no-untyped-def]
    """One standard deviation for all components and features, in place."""
    d = term[2]
    total, count = 0.0, 0.0
    square = np.empty(d)
    for k in range(len(n)):
        p = params[k, term[3] : term[3] + term[4]]
        s = stats[k, term[5] : term[5] + term[6]]
        conditionals.squares(d, n[k], s, before[k, term[3] : term[3] + term[4]], p[:d], square)
        total += square.sum()
        count += n[k] * d
    sigma[0] = conditionals.slice_scale(rng, sigma[0], count, total, family, a, b)
    everywhere = np.full(d, sigma[0])
    for k in range(len(n)):
        p = params[k, term[3] : term[3] + term[4]]
        conditionals.pack_normal(d, p[:d].copy(), everywhere, p)


@jit
def covariance(rng, d, n, s, old, p, family, a, b, eta, sigma, corr):  # type: ignore[no-untyped-def]
    """Scales and correlations of one component, in place."""
    mu = p[:d].copy()
    scatter = covariances.scatter_about(d, n, s, old, mu)
    # Decided before the proposal: slices that followed a refusal only would leave another
    # distribution invariant.
    sliced = n <= FEW * d or rng.random() < SLICED
    if n > d:
        covariances.propose_covariance(rng, d, n, scatter, family, a, b, eta, sigma, corr)
    covariances.slice_scales(rng, d, n, scatter, family, a, b, sigma, corr)
    if sliced:
        y = np.zeros(d * d)
        covariances.partials_of(d, corr, y)
        for i in range(1, d):
            for j in range(i):
                covariances.slice_partial(rng, d, i, j, y, n, scatter, eta, sigma, corr)
    covariances.pack_mvnormal(d, mu, sigma, corr, p)


@jit_inline
def sweeps(  # type: ignore[no-untyped-def]
    families, rng, terms, x, centre, weight, blocks, hyper, nu, log_share, centres, factors, groups,
    key, share, theta, log_w, params, n, stats, log_marginal, held, z, kept, kept_marginal,
    repeated, kept_y,
):  # fmt: skip
    """As many sweeps as ``kept`` has rows, each with one pass.

    Either θ is drawn from its conditionals given the sums of z, or it is proposed with z summed out
    (`unmix.infer.exact.moves`); z is then drawn given the new θ in the pass. So z_t belongs to θ_t,
    and is fresh given it unless a proposal was refused and both stay.

    Parameters
    ----------
    nu, log_share, centres, factors
        The proposal: degrees of freedom; log-weights (mode,), places (mode, dimension) and factors
        (mode, dimension, dimension) of its t distributions.
    groups, key
        Exchangeable components and what sorts them.
    share
        Probability that a sweep proposes.
    theta, log_w, params, n, stats, log_marginal, held
        Where the chain stands: θ, what the pass takes of it, the sums at it, the log marginal
        likelihood (1,) and z (obs,); in place.
    z
        Takes assignments, (sweep, obs), or is empty.
    kept, kept_marginal, repeated
        Take θ (sweep, value), the log marginal likelihood and whether θ and z are the sweep
        before's (sweep,).
    kept_y
        Takes y with exchangeable components in order, (sweep, dimension), or is empty.
    """
    k_all, p = len(log_w), centres.shape[1]
    order, everywhere = np.arange(k_all), np.arange(k_all)
    new_n, new_stats = np.zeros(k_all), np.zeros(stats.shape)
    one, two = theta.copy(), theta.copy()
    one_w, two_w = log_w.copy(), log_w.copy()
    one_params, two_params = params.copy(), params.copy()
    y, trial = np.empty(p), np.empty_like(held)
    for sweep in range(len(kept)):
        proposed = share > 0.0 and rng.random() < share
        ratio, value = 0.0, 0.0
        if proposed:
            in_order(groups, key, theta, order)
            rearranged(order, terms, blocks, theta, log_w, params, one, one_w, one_params)
            fold(families, terms, blocks, one, one_w, one_params, y)
            ratio = log_proposal(nu, log_share, centres, factors, y)
            ratio -= unfold(families, terms, blocks, hyper, y, one, one_w, one_params)
            ratio -= log_marginal[0]
            propose(rng, nu, log_share, centres, factors, y)
            ratio += unfold(families, terms, blocks, hyper, y, one, one_w, one_params)
            ratio -= log_proposal(nu, log_share, centres, factors, y)
            if is_in_order(groups, key, one) and np.isfinite(ratio):
                for k in range(k_all):
                    everywhere[order[k]] = k
                rearranged(everywhere, terms, blocks, one, one_w, one_params, two, two_w,
                           two_params)  # fmt: skip
            else:
                ratio = -np.inf
        else:
            put(theta, two)
            put(log_w, two_w)
            put_rows(params, two_params)
            update(families, rng, terms, blocks, hyper, n, stats, params, two, two_w, two_params)
        taken = ratio > -np.inf
        if taken:
            random_key = np.uint64(rng.random() * 9007199254740992.0) * SPREAD
            new_n[:] = 0.0
            new_stats[:] = 0.0
            value = pass_rows(
                families, SAMPLED, random_key, terms, x, centre, weight, two_w, two_params, new_n,
                new_stats, trial, FIRST, x.shape[1],
            )  # fmt: skip
            if proposed:
                ratio += value
                taken = -rng.standard_exponential() < ratio
        if taken:
            put(two, theta)
            put(two_w, log_w)
            put_rows(two_params, params)
            put(new_n, n)
            put_rows(new_stats, stats)
            log_marginal[0] = value
            put(trial, held)
        if len(z) > 0:
            put(held, z[sweep])
        put(theta, kept[sweep])
        kept_marginal[sweep] = log_marginal[0]
        repeated[sweep] = not taken
        if len(kept_y) > 0:
            in_order(groups, key, theta, order)
            rearranged(order, terms, blocks, theta, log_w, params, one, one_w, one_params)
            fold(families, terms, blocks, one, one_w, one_params, kept_y[sweep])


@jit_inline
def heights(  # type: ignore[no-untyped-def]
    families, terms, x, centre, weight, blocks, hyper, groups, key, theta, log_w, params, n, stats,
    none, y, out,
):  # fmt: skip
    """Log p(y | x) up to a constant at the rows of ``y``, into ``out``.

    −inf where exchangeable components do not stand in order. The arrays from ``theta`` to ``stats``
    are scratch, but for what in ``params`` no block moves; ``none`` is an empty array of
    assignments.
    """
    for s in range(len(y)):
        prior = unfold(families, terms, blocks, hyper, y[s], theta, log_w, params)
        out[s] = -np.inf
        if np.isfinite(prior) and is_in_order(groups, key, theta):
            value = prior + pass_rows(
                families, EXPECTED, np.uint64(0), terms, x, centre, weight, log_w, params, n,
                stats, none, FIRST, x.shape[1],
            )  # fmt: skip
            out[s] = value if np.isfinite(value) else -np.inf
