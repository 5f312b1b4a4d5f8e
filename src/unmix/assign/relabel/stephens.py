r"""Stephens' algorithm: names under which the responsibilities of all draws are most alike.

With q the mean over draws of the renamed responsibilities, permutations are sought that minimise
the Kullback–Leibler loss

.. math:: \sum_s \sum_i \sum_k p_{s i π_s(k)} \log \frac{p_{s i π_s(k)}}{q_{ik}}

in turn with q (Stephens 2000, JRSS B 62:795, algorithm 2). Neither step raises the loss, so it ends
in a local minimum, which depends on where it begins. A draw enters through a K × K matrix of costs,

.. math:: c_{kj} = \sum_i p_{sij} \log p_{sij} - \sum_i p_{sij} \log q_{ik},

and through its share of the next q: one pass over the draws an iteration, block by block.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmix.assign.assignment import Solved, Symmetry, solve, swap_margin
from unmix.assign.relabel.blocks import Blocks, renamed_sum

# Where q is zero no draw so named has any mass, and a name that would put some there costs much,
# not infinitely much: an assignment problem needs finite costs.
_SMALLEST = 1e-300


@dataclass(frozen=True)
class Stephens:
    """Where the algorithm ended.

    Attributes
    ----------
    solved
        Permutations, and each draw's loss in nats.
    margin
        Share of the agreement with q that a swap would lose, shape (sample,).
    q
        Mean of the renamed responsibilities, shape (obs, component).
    loss
        After each iteration, nats.
    converged
        Whether the last iteration moved no draw.
    """

    solved: Solved
    margin: NDArray[np.float64]
    q: NDArray[np.float64]
    loss: tuple[float, ...]
    converged: bool


def stephens(
    responsibility: Blocks,
    samples: int,
    q: NDArray[np.float64],
    symmetry: Symmetry,
    iterations: int = 100,
) -> Stephens:
    """Minimise Stephens' Kullback–Leibler loss from a start.

    Parameters
    ----------
    responsibility
        Gives the responsibilities of the draws anew, block by block.
    samples
        Number of draws.
    q
        Responsibilities to begin at, shape (obs, component): those of one draw, or a mean.
    symmetry
        Blocks of exchangeable components.
    iterations
        At most so many passes.
    """
    k = q.shape[1]
    permutation = np.full((samples, k), -1)
    negative_entropy = np.empty((samples, k))
    known, losses, converged = False, [], False
    for _ in range(iterations):
        # Both sums over rows, with log q and with q, by one matrix product.
        stacked = np.concatenate([np.log(np.maximum(q, _SMALLEST)).T, q.T])
        parts, margins = [], []
        total = np.zeros_like(q)
        for block, r in responsibility():
            if not known:  # the part of the cost that no renaming changes
                log_r = np.log(np.maximum(r, _SMALLEST))
                negative_entropy[block] = np.einsum("sik,sik->sk", r, log_r)
            sums = np.matmul(stacked, r)
            cost = negative_entropy[block][:, None, :] - sums[:, :k]
            part = solve(cost, symmetry)
            margins.append(swap_margin(sums[:, k:], part.permutation, symmetry))
            total += renamed_sum(r, part.permutation)
            parts.append(part)
        known = True
        solved = joined(parts)
        losses.append(float(solved.after.sum()))
        q, converged = total / samples, bool(np.array_equal(solved.permutation, permutation))
        permutation = solved.permutation
        if converged:
            break
    return Stephens(solved, np.concatenate(margins), q, tuple(losses), converged)


def joined(parts: list[Solved]) -> Solved:
    """The draws of several blocks as one."""
    fields = ("permutation", "cost", "after", "gap", "tied")
    return Solved(*(np.concatenate([getattr(part, f) for part in parts]) for f in fields))
