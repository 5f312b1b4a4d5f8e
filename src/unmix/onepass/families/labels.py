r"""Labels: what is known of a row's component before its data are looked at.

    log a_ik     a_ik = 1 or 0 where the component of row i is known, 1 where nothing is

Hard labels are one column, the number of the row's component, −1 where unknown. Soft labels are K
columns, log a_i1 … log a_iK. Parameters: the component's own number, which no model moves, and 1
where columns are logarithms; a number below zero is of a component that labels say nothing of.
Statistics: Σ r log a_ik.
"""

from typing import Any

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray

from unmix.onepass.elementary import jit
from unmix.onepass.families.family import Family, Graph


@jit
def log_density(x, d, m, p, row, work):  # type: ignore[no-untyped-def]
    """Add log a_ik of a block of rows to ``row``."""
    own = p[0]
    if own < 0.0:
        return
    if p[1] == 0.0:
        label = x[0]
        for i in range(m):
            row[i] += 0.0 if label[i] < 0.0 or label[i] == own else -np.inf
    else:
        log_a = x[int(own)]
        for i in range(m):
            row[i] += log_a[i]


@jit
def statistics(x, d, m, p, r, s, work):  # type: ignore[no-untyped-def]
    """Add Σ r log a_ik of a block of rows to ``s``."""
    if p[0] < 0.0 or p[1] == 0.0:
        return
    log_a, total = x[int(p[0])], 0.0
    for i in range(m):
        total += r[i] * log_a[i] if r[i] != 0.0 else 0.0
    s[0] += total


@jit
def maximise(d, n, s, p, floor):  # type: ignore[no-untyped-def]
    """Nothing to maximise over."""
    return 0


@jit
def change(d, old, new):  # type: ignore[no-untyped-def]
    """Nothing moves."""
    return 0.0


class Labels(Family):
    """Potentials of ``z`` and of nothing else that is observed or free."""

    code = 6
    name = "Labels"
    op = type(None)  # no random variable: it is recognised by what it depends on
    about_z = True
    single = "relative"
    values: NDArray[np.float64] = np.zeros((0, 1))

    @classmethod
    def of(cls, log_a: NDArray) -> "Labels":
        """The family of such labels.

        Parameters
        ----------
        log_a
            Log-factors, (obs, component).
        """
        family = cls()
        one = (log_a == 0.0).sum(axis=1) == 1
        hard = one & (np.isneginf(log_a).sum(axis=1) == log_a.shape[1] - 1)
        if (hard | (log_a == 0.0).all(axis=1)).all():
            family.values = np.where(hard, log_a.argmax(axis=1), -1.0)[:, None]
        else:
            family.values = log_a
        return family

    @property
    def soft(self) -> bool:
        """Whether columns are logarithms, one for each component."""
        return self.values.shape[1] > 1

    def n_parameters(self, d: int) -> int:
        return 2

    def n_statistics(self, d: int) -> int:
        return 1

    def pack(self, parameters: list[Graph], k: int, d: int) -> Graph:
        return pt.constant(np.stack([np.arange(k), np.full(k, self.soft)], axis=1).astype(float))

    def expected(self, packed: Graph, n: Graph, s: Graph, centre: Graph, d: int) -> Graph:
        return s[:, 0]

    def neutral(self, x: NDArray) -> NDArray:
        return np.array([-1.0, 0.0])

    def replicate(self, p: NDArray, d: int, n: int, rng: Any) -> NDArray:
        return np.full((d, n), 0.0 if self.soft else -1.0)  # new rows have no labels
