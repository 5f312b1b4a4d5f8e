r"""The best permutation of each draw, and how much better it is than the next one.

Every way of relabelling ends in the same small problem. With c[k, j] the cost of calling raw
component j by the name k,

.. math:: \min_π \sum_k c_{k, π(k)}

over the permutations that the symmetry allows: a linear assignment problem, solved exactly
(`scipy.optimize.linear_sum_assignment`). Any other permutation differs from the best by cycles in
which each name takes the component of the next; the lightest cycle, by Floyd's and Warshall's
shortest paths, gives the second best (Chegireddy and Hamacher 1987, Discrete Applied Mathematics
18:155). Its extra cost is the *gap*: none, and the labels of the draw are open.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Symmetry = tuple[tuple[int, ...], ...]

# Costs are sums over rows; two that differ by less than this share of the largest are equal.
ROUNDING = 1e-10


@dataclass(frozen=True)
class Solved:
    """The best permutation of every draw. Arrays begin with the draws.

    Attributes
    ----------
    permutation
        Raw component of every named one, shape (sample, component).
    cost
        What was solved, shape (sample, component, component).
    after
        Cost of the best permutation, shape (sample,).
    gap
        What the second best permutation costs more, shape (sample,); infinite where the symmetry
        allows one only.
    tied
        Whether the second best is as good, up to rounding, shape (sample,).
    """

    permutation: NDArray[np.int64]
    cost: NDArray[np.float64]
    after: NDArray[np.float64]
    gap: NDArray[np.float64]
    tied: NDArray[np.bool_]

    @property
    def before(self) -> NDArray[np.float64]:
        """Cost of the raw labels, shape (sample,)."""
        return np.trace(self.cost, axis1=1, axis2=2)

    def renamed(self, names: NDArray[np.int64]) -> "Solved":
        """The same with component ``names[k]`` called k, in all draws alike."""
        return replace(self, permutation=self.permutation[:, names], cost=self.cost[:, names])


def solve(cost: NDArray[np.float64], symmetry: Symmetry) -> Solved:
    """Solve one assignment problem for each draw.

    Parameters
    ----------
    cost
        Finite, shape (sample, component, component): [s, k, j] is what it costs that draw s calls
        its raw component j by the name k.
    symmetry
        Blocks of exchangeable components; a component keeps within its block.
    """
    k = cost.shape[-1]
    permutation = best_permutations(cost, symmetry)
    after = cost[np.arange(len(cost))[:, None], np.arange(k), permutation].sum(axis=-1)
    gap = second_best(cost, permutation, symmetry)
    tied = gap <= ROUNDING * np.abs(cost).max(axis=(1, 2), initial=0.0)
    return Solved(permutation, cost, after, gap, tied)


def best_permutations(cost: NDArray[np.float64], symmetry: Symmetry) -> NDArray[np.int64]:
    """The cheapest permutation of every draw, shape (sample, component); see `solve`."""
    samples, k = cost.shape[0], cost.shape[-1]
    permutation = np.tile(np.arange(k), (samples, 1))
    for block in symmetry:
        if len(block) == 1:
            continue
        members = np.array(block)
        part = np.ascontiguousarray(cost[:, members[:, None], members])
        for s in range(samples):
            permutation[s, members] = members[linear_sum_assignment(part[s])[1]]
    return permutation


def second_best(
    cost: NDArray[np.float64], permutation: NDArray[np.int64], symmetry: Symmetry
) -> NDArray[np.float64]:
    """What the next permutation costs more than the best one, shape (sample,)."""
    samples = len(permutation)
    gap = np.full(samples, np.inf)
    rows = np.arange(samples)[:, None, None]
    for block in symmetry:
        if len(block) == 1:
            continue
        members = np.array(block)
        # extra[j, m]: name j takes the component that m has now. No cycle is negative, as the
        # permutation is the best; a diagonal that starts infinite ends as the lightest cycle.
        taken = permutation[:, None, members]
        extra = cost[rows, members[None, :, None], taken]
        extra = extra - np.diagonal(extra, axis1=1, axis2=2)[:, :, None]
        extra[:, np.arange(len(block)), np.arange(len(block))] = np.inf
        for m in range(len(block)):
            extra = np.minimum(extra, extra[:, :, m, None] + extra[:, m, None, :])
        gap = np.minimum(gap, np.diagonal(extra, axis1=1, axis2=2).min(axis=1))
    return np.maximum(gap, 0.0)


def swap_margin(
    gain: NDArray[np.float64], permutation: NDArray[np.int64], symmetry: Symmetry
) -> NDArray[np.float64]:
    """Share of their agreement that the two closest components of a draw would lose by a swap.

    Parameters
    ----------
    gain
        Agreement (large is good, none negative) or cost (small is good), shape (sample, component,
        component), as in `solve`: a cost is recognised by a swap making it larger.
    permutation
        The best one.
    symmetry
        Blocks of exchangeable components.

    Returns
    -------
    numpy.ndarray
        Shape (sample,), from 0 (the swap is as good) to 1 (it would lose everything); 1 where no
        swap is allowed.
    """
    margin = np.ones(len(permutation))
    rows = np.arange(len(permutation))
    for block in symmetry:
        for a, j in enumerate(block):
            for m in block[a + 1 :]:
                pj, pm = permutation[:, j], permutation[:, m]
                kept = gain[rows, j, pj] + gain[rows, m, pm]
                swapped = gain[rows, j, pm] + gain[rows, m, pj]
                larger = np.maximum(kept, swapped)
                with np.errstate(invalid="ignore", divide="ignore"):
                    loss = np.where(larger > 0, np.abs(kept - swapped) / larger, 0.0)
                margin = np.minimum(margin, loss)
    return margin


def inverse(permutation: NDArray[np.int64]) -> NDArray[np.int64]:
    """The name of every raw component, from the raw component of every name."""
    return np.argsort(permutation, axis=-1)


def aligned(z: NDArray, permutation: NDArray[np.int64]) -> NDArray:
    """Assignments under their new names, shape (sample, obs), in the type in which they came."""
    names = inverse(permutation).astype(z.dtype)
    return np.take_along_axis(names, z.astype(np.intp), axis=-1)


def most_common_renaming(
    first: NDArray[np.int64], second: NDArray[np.int64]
) -> tuple[NDArray[np.int64], float]:
    """The one renaming under which two relabellings agree on most draws, and on how many.

    Parameters
    ----------
    first, second
        Permutations, shape (sample, component).

    Returns
    -------
    renaming
        Shape (component,): what ``second`` calls k is called ``renaming[k]`` by ``first``.
    share
        Of the draws on which they agree once renamed.
    """
    relative = np.take_along_axis(inverse(first), second, axis=-1)
    found, counts = np.unique(relative, axis=0, return_counts=True)
    top = int(np.argmax(counts))
    return found[top], float(counts[top]) / len(first)


def names_like(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """The names, (component,), by which ``second`` agrees with ``first`` in most draws.

    For `Solved.renamed`: the component that ``second`` calls ``names[k]`` is k to ``first``.
    """
    renaming, _ = most_common_renaming(first, second)
    return inverse(renaming)
