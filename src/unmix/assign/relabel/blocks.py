"""Responsibilities of the draws, some draws at a time, as often as a method asks for them.

A method never holds draws × obs × component numbers: it is given a function that begins the stream
anew, and takes from each block what it needs.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Block = tuple[slice, NDArray[np.float64]]

# Which draws, and p(z_i = k | x_i, θ_s), shape (sample, obs, component), raw names.
Blocks = Callable[[], Iterator[Block]]


def mean_responsibility(
    responsibility: Blocks, permutation: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Mean over draws of the renamed responsibilities, shape (obs, component)."""
    total, seen = np.zeros(()), 0
    for samples, r in responsibility():
        total = total + renamed_sum(r, permutation[samples])
        seen += len(r)
    return total / seen


def renamed_sum(r: NDArray[np.float64], permutation: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sum over draws of the renamed responsibilities, shape (obs, component)."""
    total = np.zeros(r.shape[1:])
    found, which = np.unique(permutation, axis=0, return_inverse=True)
    which = which.reshape(-1)
    if len(found) > len(r) // 4:
        for s, order in enumerate(permutation):
            total += r[s][:, order]
        return total
    # Draws that share a permutation are summed as they are, and only the sum is renamed.
    for number, order in enumerate(found):
        mine = which == number
        total += (r if mine.all() else r[mine]).sum(axis=0)[:, order]
    return total
