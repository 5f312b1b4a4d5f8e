r"""Categorical items, independent given the component.

    log p(x | k) = Σ_j log p_k,j,x_j,      x_j in 0, …, L − 1

Parameters: log p (d · L, item after item). Statistics: Σ r [x_j = l] (d · L). All items have the
same number of levels L, as one PyMC variable has.
"""

import numpy as np
import pytensor.tensor as pt
from pytensor.tensor.random.basic import CategoricalRV

from unmix.onepass.elementary import jit
from unmix.onepass.families.family import Family, Graph
from unmix.onepass.lanes import WIDE, from_on, load_wide, sum_lanes, wide

# Levels up to which comparing vectors with each of them beats looking them up cell by cell: a
# count in a table waits for the one before it, and the longer the fewer levels there are.
FEW = 4


@jit
def log_density(x, d, m, p, row, work):  # type: ignore[no-untyped-def]
    """Add log p(x_i | k) of a block of rows to ``row``."""
    levels = len(p) // d
    for j in range(d):
        xj, table = x[j], p[j * levels : (j + 1) * levels]
        if levels == 2:
            zero, one = table[0], table[1]
            for i in range(m):
                row[i] += zero if xj[i] == 0.0 else one
        elif 2 < levels <= FEW:
            zero, one, two, three = table[0], table[1], table[2], table[levels - 1]
            for i in range(m):
                v = xj[i]
                row[i] += (zero if v == 0.0 else one) if v < 2.0 else (two if v == 2.0 else three)
        else:
            for i in range(m):
                row[i] += table[int(xj[i])]


@jit
def statistics(x, d, m, p, r, s, work):  # type: ignore[no-untyped-def]
    """Add the weighted counts of a block of rows to ``s``."""
    levels = len(p) // d
    whole = m // WIDE * WIDE if levels <= FEW else 0
    for j in range(d):
        xj, count = x[j], s[j * levels : (j + 1) * levels]
        if whole > 0:
            for level in range(levels):
                here, above = wide(float(level)), wide(level + 1.0)
                total = wide(0.0)
                for i in range(0, whole, WIDE):
                    value, v = load_wide(r, i), load_wide(xj, i)
                    # r or exactly 0: a level that no row has must count nothing.
                    total = total + (from_on(value, v, here) - from_on(value, v, above))
                count[level] += sum_lanes(total)
        for i in range(whole, m):
            count[int(xj[i])] += r[i]


@jit
def maximise(d, n, s, p, floor):  # type: ignore[no-untyped-def]
    """Probabilities at which Σ r log p(x | k) is largest: the weighted shares."""
    for j in range(len(p)):
        p[j] = np.log(s[j] / n)
    return 0


@jit
def change(d, old, new):  # type: ignore[no-untyped-def]
    """Largest step of a probability."""
    largest = 0.0
    for j in range(len(new)):
        largest = max(largest, abs(np.exp(new[j]) - np.exp(old[j])))
    return largest


class Categorical(Family):
    """`pm.Categorical` items with their probabilities indexed by ``z``."""

    code = 4
    name = "Categorical"
    op = CategoricalRV
    own = (1,)
    levels = 0

    def with_levels(self, levels: int) -> "Categorical":
        """The family for items of L levels."""
        other = Categorical()
        other.levels = levels
        return other

    def n_parameters(self, d: int) -> int:
        return d * self.levels

    def n_statistics(self, d: int) -> int:
        return d * self.levels

    def pack(self, parameters: list[Graph], k: int, d: int) -> Graph:
        p = pt.broadcast_to(parameters[0], (k, d, self.levels))
        return pt.log(p.reshape((k, d * self.levels)))

    def expected(self, packed: Graph, n: Graph, s: Graph, centre: Graph, d: int) -> Graph:
        some = pt.neq(s, 0.0)
        return pt.switch(some, s * pt.switch(some, packed, 0.0), 0.0).sum(axis=1)

    def neutral(self, x: np.ndarray) -> np.ndarray:
        return np.full(len(x) * self.levels, -np.log(self.levels))

    def columns(self, x: np.ndarray) -> np.ndarray:
        if (x < 0).any() or (x >= self.levels).any() or (x != np.floor(x)).any():
            raise ValueError("values that are no level")
        return x

    def replicate(self, p: np.ndarray, d: int, n: int, rng: np.random.Generator) -> np.ndarray:
        below = np.exp(p.reshape(d, self.levels)).cumsum(axis=1)
        # What rounding leaves above the last sum goes to the last level that is possible.
        below[below >= below[:, -1:]] = np.inf
        u = rng.random((d, n))
        return np.stack([np.searchsorted(b, v, side="right") for b, v in zip(below, u, strict=True)]
                        ).astype(np.float64)  # fmt: skip
