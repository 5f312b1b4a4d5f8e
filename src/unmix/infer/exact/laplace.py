r"""A proposal for all of θ at once: t distributions where p(y | x), z summed out, has its mass.

It begins at the modes: climbed to from EM's, with gradients by Fisher's identity (one pass each);
the negative Hessian there gives the covariance (`unmix.infer.whiten`). How good a proposal is needs
no chain. With draws y_s from q and weights ω_s = p(y_s | x) / q(y_s), one draw is worth

.. math:: \frac{(\sum_s ω_s)^2}{S \sum_s ω_s^2}

independent ones (Kong 1992; for the independence sampler Liu 1996, Statistics and Computing 6:113).
Where that is little, as where the posterior is bent or skewed, a mixture of t distributions is
fitted to the weighted draws of all rounds so far, and so on (population Monte Carlo: Cappé et al.
2008, Statistics and Computing 18:447; pooled weights: Cornuet et al. 2012, Scandinavian Journal of
Statistics 39:798).
"""

from collections.abc import Sequence

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.special import logsumexp

from unmix.derive import Derivation
from unmix.infer.exact.blocks import LEVELS, MV_SCALE, SHARED, WEIGHTS, Blocks
from unmix.infer.exact.landscape import Array, Landscape, is_sorted
from unmix.infer.exact.proposal import FREEDOM, Proposal, fit, judged
from unmix.infer.whiten import MOST_DIMENSIONS, find_whitening
from unmix.onepass.onepass import OnePass

# Draws of a round, rounds at most, an efficiency that is good enough.
LOOKS, ROUNDS, GOOD = 500, 6, 0.8
# Modes nearer than this many standard deviations are one; so much less mass than the best one's
# (in nats) and a mode is left out.
SAME, NEGLIGIBLE = 0.1, 15.0


def propose_from(
    derivation: Derivation, blocks: Blocks, points: Sequence[dict[str, NDArray]], seed: int
) -> Proposal:
    """`find_proposal` for a run with this seed; one that is never used where there is none."""
    rng = np.random.default_rng([seed, len(points)])
    found = find_proposal(derivation, blocks, points, rng)
    if found is not None:
        return found
    nothing = np.zeros(derivation.n_components, dtype=np.int64)
    key = np.zeros(2, dtype=np.int64)
    return Proposal(
        FREEDOM[0], np.zeros(1), np.zeros((1, 0)), np.zeros((1, 0, 0)), nothing, key, 0.0
    )


def find_proposal(
    derivation: Derivation,
    blocks: Blocks,
    points: Sequence[dict[str, NDArray]],
    rng: np.random.Generator,
) -> Proposal | None:
    """A proposal from the modes near some points; None where there is no proper one.

    Parameters
    ----------
    points
        Unconstrained points to climb from, the best one first.
    """
    assert derivation.onepass is not None
    land = Landscape(
        derivation, blocks, OnePass(derivation.onepass.recognised, derivation.onepass.chunks)
    )
    if not 1 <= land.size <= MOST_DIMENSIONS:
        return None
    groups = np.empty(derivation.n_components, dtype=np.int64)
    for number, block in enumerate(derivation.components.symmetry):
        groups[list(block)] = number
    found: list[tuple[Array, Array]] = []
    key = None
    for point in points:
        theta = derivation.space.constrain(point)
        mode = _climb(land, theta)
        if mode is None:
            continue
        if key is None:
            key = _sorting_key(land, groups, *mode)
        if not is_sorted(groups, key, land.unfold(mode[0])[0]):
            theta = _sorted(land, groups, key, mode[0])
            mode = _climb(land, theta)
            if mode is None:
                continue
        centre, factor = mode
        near = [
            np.abs(scipy.linalg.solve_triangular(f, centre - c, lower=True)).max() < SAME
            for c, f in found
        ]
        if not any(near):
            found.append((centre, factor))
    if not found or key is None:
        return None
    heights = land.heights(groups, key, np.array([c for c, _ in found]))
    mass = heights + [np.log(np.diag(f)).sum() for _, f in found]
    # A mode that the density is not known at, or whose components are out of order after all.
    mass = np.where(np.isfinite(mass), mass, -np.inf)
    kept = mass > mass.max() - NEGLIGIBLE
    if not kept.any():
        return None
    proposal = Proposal(
        FREEDOM[0], mass[kept] - logsumexp(mass[kept]),
        np.array([c for c, _ in found])[kept], np.array([f for _, f in found])[kept],
        groups, key, 0.0,
    )  # fmt: skip
    return _improve(land, proposal, rng)


def _climb(land: Landscape, theta: dict[str, NDArray]) -> tuple[Array, Array] | None:
    """The mode above θ and the factor of its covariance."""
    start = land.fold(theta)
    natural = land.scales(theta)
    if not (np.isfinite(start).all() and np.isfinite(natural).all()):
        return None
    height, _, curvature = land.slope(start, natural)
    if not np.isfinite(height):
        return None
    # Coordinates in which complete data would leave a standard deviation of about one.
    with np.errstate(divide="ignore", invalid="ignore"):
        unit = np.where(curvature < 0, 1.0 / np.sqrt(-curvature), natural)
    unit = np.minimum(unit, natural)

    def log_density(v: NDArray) -> tuple[float, NDArray]:
        height, gradient, _ = land.slope(unit * v, natural)
        return height, gradient * unit

    whitening = find_whitening(log_density, start / unit)
    if whitening is None or not np.isfinite(whitening.factor).all():
        return None
    return unit * whitening.centre, unit[:, None] * whitening.factor


def _sorting_key(
    land: Landscape, groups: NDArray[np.int64], centre: Array, factor: Array
) -> NDArray[np.int64]:
    """The coordinate of the components that tells exchangeable ones best apart at a mode."""
    k = len(groups)
    best, key = -np.inf, np.array([0, 0], dtype=np.int64)
    place = 0
    sd = np.sqrt((factor**2).sum(axis=1))
    pairs = [(i, j) for i in range(k) for j in range(i) if groups[i] == groups[j]]
    for kind, term, at, *_ in land.blocks.table:
        if kind == WEIGHTS:
            place += k - 1
            continue
        d = land.onepass.recognised.terms[term].d
        if kind in (SHARED, LEVELS):
            place += 1 if kind == SHARED else 0
            if kind == LEVELS:
                size = int(land.onepass.terms[term, 4])
                if pairs and best == -np.inf:
                    best, key = 0.0, np.array([at, size], dtype=np.int64)
                place += k * (size - d)
            continue
        more = d * (d - 1) // 2 if kind == MV_SCALE else 0
        for j in range(d):
            own = place + np.arange(k) * (d + more) + j
            gaps = [
                abs(centre[own[a]] - centre[own[b]]) / np.hypot(sd[own[a]], sd[own[b]])
                for a, b in pairs
            ]
            if gaps and min(gaps) > best:
                best, key = min(gaps), np.array([at + j, d], dtype=np.int64)
        place += k * (d + more)
    return key


def _sorted(
    land: Landscape, groups: NDArray[np.int64], key: NDArray[np.int64], y: Array
) -> dict[str, NDArray]:
    """Θ at y with exchangeable components in order."""
    flat = land.unfold(y)[0]
    values = flat[key[0] + np.arange(len(groups)) * key[1]]
    order = np.arange(len(groups))
    for g in np.unique(groups):
        (members,) = np.nonzero(groups == g)
        order[members] = members[np.argsort(values[members], kind="stable")]
    theta = land.blocks.unflatten(flat)
    moved = land.derivation.components.permute({n: v[None] for n, v in theta.items()}, order[None])
    return {n: v[0] for n, v in moved.items()}


def _improve(land: Landscape, proposal: Proposal, rng: np.random.Generator) -> Proposal:
    """Judge a proposal by draws from it, and fit another to all draws, until it is good."""
    best, drawn_from = None, []
    y, height = np.empty((0, land.size)), np.empty(0)
    for _ in range(ROUNDS):
        new = proposal.draw(LOOKS, rng)
        found = land.heights(proposal.groups, proposal.key, new)
        if not np.isfinite(found).any():
            break
        known = judged(proposal, new, found)
        best = known if best is None or known.efficiency > best.efficiency else best
        if best.efficiency > GOOD:
            break
        drawn_from.append(proposal)
        y, height = np.concatenate([y, new]), np.concatenate([height, found])
        # As if all had come from the mixture of what they came from.
        weight = height - logsumexp([q.log_density(y) for q in drawn_from], axis=0)
        weight = np.exp(weight - weight.max())
        weight /= weight.sum()
        fitted = fit(best, y, weight, 1.0 / float(weight @ weight), rng)
        if fitted is None:
            break
        proposal = fitted
    return proposal if best is None else best
