"""Rows as the kernel reads them: a sequence of chunks, whose sums add up.

A chunk is a matrix of columns; shards of a file or of a cluster are chunks like any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from unmix.errors import UnmixError


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some consecutive rows.

    Attributes
    ----------
    x
        Columns less ``centre``, shape (column, obs), C order, float64 or float32.
    centre
        What was subtracted from each column, shape (column,); zero in double precision.
    weight
        Row weights (obs,), or of length zero for one each.
    """

    x: NDArray
    centre: NDArray[np.float64]
    weight: NDArray[np.float64]

    def __len__(self) -> int:
        return int(self.x.shape[1])


def make_chunk(
    columns: NDArray, weight: NDArray | None = None, dtype: DTypeLike = np.float64
) -> Chunk:
    """A chunk from columns (column, obs).

    In single precision the columns' means are taken out first: 24 bits then resolve the spread of
    the data, not their distance from zero.

    Raises
    ------
    UnmixError
        If weights are negative, not finite, or of another length.
    """
    dtype = np.dtype(dtype)
    if dtype not in (np.dtype(np.float64), np.dtype(np.float32)):
        raise UnmixError(f"data are stored as float64 or float32, not as {dtype}")
    centre = np.zeros(len(columns))
    if dtype == np.float32:
        centre = np.asarray(columns, dtype=np.float64).mean(axis=1)
        columns = columns - centre[:, None]
    x = np.ascontiguousarray(columns, dtype=dtype)
    w = np.zeros(0) if weight is None else np.ascontiguousarray(weight, dtype=np.float64)
    if weight is not None:
        if w.shape != (x.shape[1],):
            raise UnmixError(f"there are {len(w)} row weights for {x.shape[1]} rows")
        if not np.isfinite(w).all() or (w < 0).any():
            bad = int(np.flatnonzero(~(np.isfinite(w) & (w >= 0)))[0])
            raise UnmixError(f"the weight of row {bad} is {w[bad]}: weights are 0 or more")
    return Chunk(x, centre, w)


def total_weight(chunks: Sequence[Chunk]) -> float:
    """Number of rows, or the sum of their weights."""
    return float(sum(c.weight.sum() if len(c.weight) else len(c) for c in chunks))
