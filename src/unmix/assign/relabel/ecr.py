r"""Equivalence classes representatives: each draw's assignments are matched to a pivot's.

Two assignments are equivalent when one is the other with its components renamed. Given a pivot
:math:`z^*`, a draw takes the names under which fewest rows differ from it,

.. math:: c_{kj} = \sum_i 1[z_i = j] - \sum_i 1[z^*_i = k,\, z_i = j]

(Papastamoulis and Iliopoulos 2010, JCGS 19:313). The iterative versions need no pivot: it is the
most frequent name of each row over the relabelled draws (1), or the component of the largest mean
responsibility (2), and is found in turn with the permutations (Papastamoulis and Iliopoulos 2013,
Methodology and Computing in Applied Probability 15:293). Version 1 goes downhill in the number of
rows that differ, and ends; version 2 need not, so the best that it came by is kept.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from unmix.assign.assignment import Solved, Symmetry, aligned, solve
from unmix.assign.relabel.blocks import Blocks, mean_responsibility

# Integers in one block of rows of z: 2^20 of eight bytes stay near the cache.
BLOCK = 2**20


def draw_blocks(samples: int, n: int) -> Iterator[slice]:
    """Slices of draws whose assignments fit one block."""
    step = max(1, BLOCK // max(1, n))
    for start in range(0, samples, step):
        yield slice(start, min(start + step, samples))


def shared_rows(z: NDArray, pivot: NDArray, k: int) -> NDArray[np.float64]:
    """Rows that a pivot puts into k and a draw into j, shape (sample, component, component)."""
    samples, n = z.shape
    counts = np.empty((samples, k * k))
    first = pivot.astype(np.int64) * k
    for part in draw_blocks(samples, n):
        size = part.stop - part.start
        cell = z[part] + first + (np.arange(size) * k * k)[:, None]
        counts[part] = np.bincount(cell.ravel(), minlength=size * k * k).reshape(size, -1)
    return counts.reshape(samples, k, k)


def ecr_cost(z: NDArray, pivot: NDArray, k: int) -> NDArray[np.float64]:
    """Rows that differ from the pivot.

    Parameters
    ----------
    z
        Assignments, integers 0, …, K−1, shape (sample, obs).
    pivot
        One assignment, shape (obs,).
    k
        K.

    Returns
    -------
    numpy.ndarray
        Shape (sample, component, component); in rows.
    """
    shared = shared_rows(z, pivot, k)
    return shared.sum(axis=1, keepdims=True) - shared


def frequencies(z: NDArray, permutation: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each row was given each name, shape (obs, component)."""
    samples, n = z.shape
    k = permutation.shape[1]
    counts = np.zeros((n, k), dtype=np.int64)
    for part in draw_blocks(samples, n):
        named = aligned(np.asarray(z[part]), permutation[part])
        for component in range(k):
            counts[:, component] += (named == component).sum(axis=0)
    return counts


def ecr_iterative_1(
    z: NDArray, pivot: NDArray[np.int64], k: int, symmetry: Symmetry, iterations: int = 100
) -> tuple[Solved, NDArray[np.int64], int]:
    """Match to the most frequent name of each row, found in turn with the permutations.

    Parameters
    ----------
    z
        Shape (sample, obs).
    pivot
        Assignment to begin at, shape (obs,).
    k
        K.
    symmetry
        Blocks of exchangeable components.
    iterations
        At most so many.

    Returns
    -------
    solved, pivot, iterations
        The best permutations, the assignment (obs,) that they were matched to, and how many
        iterations it took.
    """

    def following(permutation: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.argmax(frequencies(z, permutation), axis=1)

    return _in_turn(z, following, pivot, k, symmetry, iterations)


def ecr_iterative_2(
    z: NDArray,
    responsibility: Blocks,
    pivot: NDArray[np.int64],
    k: int,
    symmetry: Symmetry,
    iterations: int = 100,
) -> tuple[Solved, NDArray[np.int64], int]:
    """Match to the component of the largest mean responsibility of each row, found in turn.

    Parameters
    ----------
    z
        Shape (sample, obs).
    responsibility
        Gives the responsibilities of the draws anew, block by block.
    pivot, k, symmetry, iterations
        As `ecr_iterative_1`.

    Returns
    -------
    solved, pivot, iterations
        As `ecr_iterative_1`.
    """

    def following(permutation: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.argmax(mean_responsibility(responsibility, permutation), axis=1)

    return _in_turn(z, following, pivot, k, symmetry, iterations)


def _in_turn(
    z: NDArray,
    following: Callable[[NDArray[np.int64]], NDArray[np.int64]],
    pivot: NDArray[np.int64],
    k: int,
    symmetry: Symmetry,
    iterations: int,
) -> tuple[Solved, NDArray[np.int64], int]:
    """Permutations given a pivot and the pivot that follows from them, until none is better."""
    solved, best = solve(ecr_cost(z, pivot, k), symmetry), None
    for iteration in range(1, iterations + 1):
        found = following(solved.permutation)
        settled = bool(np.array_equal(found, pivot))
        if not settled:
            pivot, solved = found, solve(ecr_cost(z, found, k), symmetry)
        if best is not None and solved.after.sum() >= best[0].after.sum():
            break
        best = solved, pivot, iteration
        if settled:
            break
    assert best is not None
    return best
