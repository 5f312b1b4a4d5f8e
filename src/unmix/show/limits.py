r"""How far an axis reaches: over all rows, but for a few so far out that they would rule it.

With x sorted, the core is what is left without m = max(1, ⌊n / 100⌋) rows at either end, and a row
is far where it lies beyond the core by more than `REACH` times the core's width,

.. math:: x_i < x_{(m)} - 1.5\,c \quad\text{or}\quad x_i > x_{(n-1-m)} + 1.5\,c,
    \qquad c = x_{(n-1-m)} - x_{(m)},

so that the core always has a quarter of the axis, and a component of more than one row in a hundred
is never left out. Far rows stand at the margin, edged in black, and their number is said.
"""

import numpy as np
from numpy.typing import NDArray

from unmix.show.rows_drawn import some_of

Array = NDArray[np.float64]

REACH = 1.5
INSET = 0.025  # of the axis, between its end and the middle of a marker that stands there
MOST_FAR = 500  # far rows drawn beside those that are thinned


def limits(x: NDArray) -> tuple[float, float]:
    """The lowest and the highest of the values (obs,) that are not far."""
    n = len(x)
    m = max(1, n // 100)
    if n < 2 * m + 3:
        return float(x.min()), float(x.max())
    low, high = np.partition(x, [m, n - 1 - m])[[m, n - 1 - m]].astype(float)
    reach = REACH * (high - low)
    if reach == 0:  # nearly all are one value, and any other would be far
        return float(x.min()), float(x.max())
    near = x[(x >= low - reach) & (x <= high + reach)]
    return float(near.min()), float(near.max())


def view(x: NDArray, margin: float = 0.06) -> tuple[float, float]:
    """Ends of the axis: `limits` and a margin, in parts of their distance."""
    low, high = limits(x)
    room = margin * (high - low) or 0.5
    return low - room, high + room


def far_rows(rows: NDArray) -> NDArray[np.bool_]:
    """Which rows (obs,) or (obs, feature) are far in some feature."""
    columns = rows.reshape(len(rows), -1)
    ends = [limits(x) for x in columns.T]
    beyond = [(x < low) | (x > high) for x, (low, high) in zip(columns.T, ends, strict=True)]
    return np.any(beyond, axis=0)


def placed(x: NDArray, ends: tuple[float, float]) -> Array:
    """Values as drawn on an axis with these ends: far ones at its margin."""
    inset = INSET * (ends[1] - ends[0])
    return np.clip(x.astype(float), ends[0] + inset, ends[1] - inset)


def to_draw(far: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Positions of the rows to draw: every so manieth where they are many, and far ones."""
    out = np.flatnonzero(far)
    kept = out[:: -(-len(out) // MOST_FAR)] if len(out) else out
    return np.union1d(some_of(len(far)), kept)


def words(far: NDArray[np.bool_]) -> str:
    """How many are far, as a sentence that follows others; nothing where none is."""
    n = int(far.sum())
    if not n:
        return ""
    lie = "row lies far outside and stands" if n == 1 else "rows lie far outside and stand"
    return f" {n:,} {lie} at the margin, edged in black."
