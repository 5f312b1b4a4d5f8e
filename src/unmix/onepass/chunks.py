"""Rows as the kernel reads them: a sequence of chunks, whose sums add up.

A chunk is a matrix of columns; shards of a file or of a cluster are chunks like any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from unmix.errors import UnmixError

# What single precision may do to a column: round its distance from the mean, round it, nothing.
Single = Literal["centred", "relative", "exact"]
# Distances from the mean of a column that single precision stores with its full 24 bits.
SINGLE = (1e-30, 1e38)


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some consecutive rows.

    Attributes
    ----------
    x
        Columns less ``centre``, shape (column, obs), C order, float64 or float32.
    centre
        What was subtracted from each column, shape (column,); zero in double precision, and where
        single precision holds the column exactly.
    weight
        Row weights (obs,), or of length zero for one each.
    """

    x: NDArray
    centre: NDArray[np.float64]
    weight: NDArray[np.float64]

    def __len__(self) -> int:
        return int(self.x.shape[1])


def make_chunk(
    columns: NDArray,
    weight: NDArray | None = None,
    dtype: DTypeLike = np.float64,
    single: Sequence[Single] = (),
) -> Chunk:
    """A chunk from columns (column, obs).

    In single precision the mean of a ``"centred"`` column is taken out first: 24 bits then resolve
    the spread of the data, not their distance from zero. A column that single precision holds
    exactly stays as it is; an ``"exact"`` one must be such.

    Parameters
    ----------
    columns, weight, dtype
        Numbers, row weights, and how they are to be stored.
    single
        What single precision may do to each column; by default all are centred.

    Raises
    ------
    UnmixError
        If weights are negative, not finite, or of another length; if single precision does not hold
        a column.
    """
    dtype = np.dtype(dtype)
    if dtype not in (np.dtype(np.float64), np.dtype(np.float32)):
        raise UnmixError(f"data are stored as float64 or float32, not as {dtype}")
    centre = np.zeros(len(columns))
    if dtype == np.float32:
        x = np.empty(np.shape(columns), dtype=dtype)
        for j, column in enumerate(columns):
            how = single[j] if single else "centred"
            centre[j] = _store_single(np.asarray(column, dtype=np.float64), x[j], j, how)
    else:
        x = np.ascontiguousarray(columns, dtype=dtype)
    w = np.zeros(0) if weight is None else np.ascontiguousarray(weight, dtype=np.float64)
    if weight is not None:
        if w.shape != (x.shape[1],):
            raise UnmixError(f"there are {len(w)} row weights for {x.shape[1]} rows")
        if not np.isfinite(w).all() or (w < 0).any():
            bad = int(np.flatnonzero(~(np.isfinite(w) & (w >= 0)))[0])
            raise UnmixError(f"the weight of row {bad} is {w[bad]}: weights are 0 or more")
    return Chunk(x, centre, w)


def _store_single(
    column: NDArray[np.float64], into: NDArray[np.float32], number: int, how: Single
) -> float:
    """Write a column in single precision; what was subtracted."""
    with np.errstate(over="ignore"):
        into[:] = column
    if how == "relative" or np.array_equal(into, column, equal_nan=True):
        return 0.0
    if how == "exact":
        off = column[into != column][0]
        raise UnmixError(
            f"column {number} holds {off:.17g}, which single precision rounds, and its values must "
            "come back as themselves: store it as float64"
        )
    centre = float(column.mean())
    rest = column - centre
    largest = float(np.abs(rest).max())
    if not SINGLE[0] <= largest <= SINGLE[1]:
        raise UnmixError(
            f"column {number} lies up to {largest:.3g} from its mean, and single precision keeps "
            f"its digits between {SINGLE[0]:g} and {SINGLE[1]:g}: store it as float64"
        )
    into[:] = rest
    return centre


def for_kernel(values: ArrayLike) -> NDArray[np.float64]:
    """Numbers as the kernels read them: of another kind, each would be compiled once more."""
    return np.require(values, np.float64, ["C", "W"])


def total_weight(chunks: Sequence[Chunk]) -> float:
    """Number of rows, or the sum of their weights."""
    return float(sum(c.weight.sum() if len(c.weight) else len(c) for c in chunks))
