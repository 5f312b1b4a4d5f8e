"""Equal rows counted once: rows of counts and categories are often a few, many times over.

    Σ_i a_i T(x_i) = Σ_v (Σ_{i: x_i = v} a_i) T(v)

so that a pass over the distinct rows, each weighted by how often it is there, has the same sums.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from unmix.onepass.chunks import Chunk
from unmix.onepass.onepass import OnePass

# Rows for each distinct one below which a pass over all of them is as good.
WORTH = 2
# Rows that are passed over sooner than looked at.
FEW = 2000


def distinct(onepass: OnePass) -> OnePass:
    """The pass with equal rows made one of their weight; as it is where that is not worth it.

    Rows are no longer those of the data: what is asked of each row (draws of z, most likely
    components, given responsibilities) is not to be asked of it.
    """
    if onepass.n_obs < FEW or any(t.family.continuous for t in onepass.recognised.terms):
        return onepass
    chunks = [_of_chunk(chunk) for chunk in onepass.chunks]
    if all(new is old for new, old in zip(chunks, onepass.chunks, strict=True)):
        return onepass
    return OnePass(onepass.recognised, chunks, threads=onepass.threads)


def _of_chunk(chunk: Chunk) -> Chunk:
    group = groups(chunk.x, len(chunk) // WORTH)
    if group is None:
        return chunk
    number = int(group.max()) + 1
    first = np.full(number, len(chunk))
    np.minimum.at(first, group, np.arange(len(chunk)))
    weight = chunk.weight if len(chunk.weight) else None
    return Chunk(
        np.ascontiguousarray(chunk.x[:, first]),
        chunk.centre,
        np.bincount(group, weight, number).astype(np.float64),
    )


def groups(x: NDArray, most: int) -> NDArray[np.int64] | None:
    """Number of each row's group of equal rows, (obs,); None where there are more than ``most``.

    Column after column: the more there are, the more groups.
    """
    group = np.zeros(x.shape[1], dtype=np.int64)
    for column in x:
        level, levels = pd.factorize(column)
        group, found = pd.factorize(group * len(levels) + level)
        if len(found) > most:
            return None
    return group
