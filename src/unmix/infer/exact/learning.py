"""What tuning draws teach: a proposal fitted to draws of the chains themselves.

Draws of a proposal cannot show what it never reaches. Chains can: Gibbs' own moves take them along
the posterior, slowly but everywhere. Before the first draw that is kept the proposal is fitted to
theirs, and judged by draws that did not fit it.
"""

from dataclasses import replace

import numpy as np
from scipy.special import logsumexp

from unmix.infer.exact.landscape import Array, Landscape
from unmix.infer.exact.laplace import GOOD
from unmix.infer.exact.proposal import FREEDOM, Proposal, fit

# Draws that fit and judge at most; draws of the new proposal; batches that tell effective draws.
MANY, LOOKS, BATCHES = 2000, 300, 10


def effective_draws(y: Array) -> float:
    """How many independent draws chains (chain, draw, dimension) are worth, by batch means."""
    chains, draws, size = y.shape
    length = max(1, draws // BATCHES)
    cut = y[:, : draws // length * length]
    means = cut.reshape(chains, -1, length, size).mean(axis=2).reshape(-1, size)
    with np.errstate(invalid="ignore", divide="ignore"):
        times = length * means.var(axis=0, ddof=1) / y.reshape(-1, size).var(axis=0, ddof=1)
    return chains * draws / float(np.nanmedian(np.maximum(times, 1.0)))


def learn(
    land: Landscape, proposal: Proposal, y: Array, log_marginal: Array, rng: np.random.Generator
) -> Proposal:
    """The proposal before, or one fitted to draws, whichever other draws prefer.

    One that the chains confirm to be good stays.

    Parameters
    ----------
    y, log_marginal
        Of the chains, (chain, draw, dimension) and (chain, draw).
    """
    half, every = y.shape[1] // 2, max(1, y.shape[0] * y.shape[1] // MANY)
    size = y.shape[2]
    first, second = (part.reshape(-1, size)[::every] for part in (y[:, :half], y[:, half:]))
    worth = effective_draws(y)

    def efficiency(q: Proposal) -> float:
        return _efficiency(land, q, y, log_marginal, every, rng)

    def fitted(points: Array, effective: float) -> Proposal | None:
        found = fit(proposal, points, np.full(len(points), 1 / len(points)), effective, rng)
        if found is None:
            return None
        liked = [found.log_density(points, nu).mean() for nu in FREEDOM]
        return replace(found, nu=FREEDOM[int(np.argmax(liked))])

    known = efficiency(proposal)
    if known > GOOD:
        return replace(proposal, efficiency=known)
    trial = fitted(first, worth / 2)
    if trial is not None and trial.log_density(second).mean() > proposal.log_density(second).mean():
        proposal = fitted(y.reshape(-1, size)[::every], worth) or proposal
        known = efficiency(proposal)
    return replace(proposal, efficiency=known)


def _efficiency(
    land: Landscape,
    proposal: Proposal,
    y: Array,
    log_marginal: Array,
    every: int,
    rng: np.random.Generator,
) -> float:
    """E_q ω / E_p ω, from draws of both."""
    new = proposal.draw(LOOKS, rng)
    of_new = land.heights(proposal.groups, proposal.key, new)
    if not np.isfinite(of_new).any():
        return 0.0
    held = y.reshape(-1, y.shape[2])[::every]
    of_held = log_marginal.ravel()[::every] + [land.unfold(row)[3] for row in held]
    above = logsumexp(of_new - proposal.log_density(new)) - np.log(len(new))
    below = logsumexp(of_held - proposal.log_density(held)) - np.log(len(held))
    return float(min(1.0, np.exp(above - below)))
