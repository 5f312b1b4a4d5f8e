"""A partition of some of the rows, and the counts by which rows join and leave its components.

Against draws of z it is kept in contingency tables n_tlk, one for each draw t: rows of component k
that are in z's component l. What joining any component would change for one row is then one look
into each table, at the l that the row has there. Against a similarity matrix P the component of
every row is enough.
"""

from typing import NamedTuple

import numba as nb
import numpy as np
from numpy.typing import NDArray

# Strict arithmetic: nothing here is a long sum that reordering would speed up, and the loss of a
# partition does not depend on how it was compiled.
jit = nb.njit(error_model="numpy", nogil=True)
# For what is called from one place: compiled there and not a second time by itself.
inlined = nb.njit(error_model="numpy", nogil=True, inline="always")

VI, BINDER, VI_LOWER_BOUND, OMARI, OMARI_APPROXIMATE = range(5)
CODES = {
    "vi": VI,
    "binder": BINDER,
    "vi_lower_bound": VI_LOWER_BOUND,
    "omari": OMARI,
    "omari_approximate": OMARI_APPROXIMATE,
}
# Components whose sums over draws are taken at once.
WIDTH = 8
# Positions in `Partial.sums` and `Partial.number`.
S, A, M = 0, 1, 2
TOP, OCCUPIED, PLACED = 0, 1, 2


class Partial(NamedTuple):
    """A partition of some of the rows, with the counts that its loss is made of.

    Attributes
    ----------
    loss
        One of `CODES`.
    costs
        Binder's a (a pair separated that belongs together) and b (a pair joined that does not).
    zt
        Draws, shape (obs, sample), numbered by first appearance; no samples where P is used.
    p
        P_ij, shape (obs, obs); empty where draws are used.
    f, step
        n log₂ n for n = 0, …, N, and f(n + 1) − f(n) in single precision.
    c
        Component of every row, −1 where it has none yet.
    size
        Rows of every component; some may be empty, and are the first to be used again.
    counts, margin
        n_tlk and m_tl, shapes (sample, component of z, component) and (sample, component of z). But
        for the exact omARI, whose M is that of the rows placed, m is that of all rows throughout.
    steps
        f(n_tlk + 1) − f(n_tlk), laid out as ``counts``, for VI only. In single precision, as the
        search waits for memory; it minimises VI with f off by 1e-7 of its steps, and the partitions
        that it comes to are compared in double precision.
    a, m
        A and M of every draw.
    within
        Σ_{j: c_j = c_i} P_ij, P_ii = 1 included, shape (obs,).
    sums
        S, and A and M of P.
    number
        Components in use or emptied; components in use; rows that have one.
    q, change
        For one row and each component: Σ_{j: c_j = k} P_ij, and what `changes` finds.
    """

    loss: int
    costs: NDArray[np.float64]
    zt: NDArray[np.integer]
    p: NDArray[np.float64]
    f: NDArray[np.float64]
    step: NDArray[np.float64]
    c: NDArray[np.int64]
    size: NDArray[np.int64]
    counts: NDArray[np.int32]
    margin: NDArray[np.int32]
    steps: NDArray[np.float32]
    a: NDArray[np.float64]
    m: NDArray[np.float64]
    within: NDArray[np.float64]
    sums: NDArray[np.float64]
    number: NDArray[np.int64]
    q: NDArray[np.float64]
    change: NDArray[np.float64]


def nothing_placed(
    loss: int,
    n: int,
    capacity: int,
    *,
    costs: tuple[float, float] = (1.0, 1.0),
    zt: NDArray | None = None,
    p: NDArray[np.float64] | None = None,
) -> Partial:
    """A partition of no rows yet, with room for some components, by ``zt`` or by ``p``."""
    if zt is None:
        zt = np.zeros((n, 0), dtype=np.uint8)
    if p is None:
        p = np.zeros((0, 0))
    capacity = -(-capacity // WIDTH) * WIDTH
    samples = zt.shape[1]
    drawn = int(zt.max()) + 1 if zt.size else 0
    margin = np.zeros((samples, drawn), dtype=np.int32)
    if loss != OMARI:
        for l in range(drawn):  # noqa: E741
            margin[:, l] = np.count_nonzero(zt == l, axis=0)
    x = np.arange(n + 2, dtype=float)
    f = x * np.log2(np.maximum(x, 1.0))
    return Partial(
        loss,
        np.array(costs, dtype=float),
        zt,
        p,
        f[:-1],
        np.diff(f).astype(np.float32).astype(np.float64),  # what `steps` can hold
        np.full(n, -1, dtype=np.int64),
        np.zeros(capacity, dtype=np.int64),
        np.zeros((samples, drawn, capacity), dtype=np.int32),
        margin,
        np.zeros((samples, drawn, capacity) if loss == VI else (0, 0, 0), dtype=np.float32),
        np.zeros(samples),
        np.zeros(samples),
        np.zeros(n),
        np.zeros(3),
        np.zeros(3, dtype=np.int64),
        np.zeros(capacity + WIDTH),
        np.zeros(capacity + WIDTH),
    )


@jit
def add_rows(table, rows, top, out):  # type: ignore[no-untyped-def]
    """Write Σ_t table[t, rows[t], k] for k < top: one row from the table of each draw.

    Eight sums at a time stay in registers, which is where the time of a search is won.
    """
    for k in range(0, top, WIDTH):
        a, b, c, d, e, f, g, h = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for t in range(len(rows)):
            l = rows[t]  # noqa: E741
            a += table[t, l, k]
            b += table[t, l, k + 1]
            c += table[t, l, k + 2]
            d += table[t, l, k + 3]
            e += table[t, l, k + 4]
            f += table[t, l, k + 5]
            g += table[t, l, k + 6]
            h += table[t, l, k + 7]
        out[k], out[k + 1], out[k + 2], out[k + 3] = a, b, c, d
        out[k + 4], out[k + 5], out[k + 6], out[k + 7] = e, f, g, h


@jit
def together(x, i):  # type: ignore[no-untyped-def]
    """Set ``q`` to Σ_{j ≠ i: c_j = k} P_ij, and ``q[number[TOP]]`` to nothing."""
    top, samples, own = x.number[TOP], x.zt.shape[1], x.c[i]
    if samples == 0:
        for k in range(top):
            x.q[k] = 0.0
        for j in range(len(x.c)):
            if x.c[j] >= 0:
                x.q[x.c[j]] += x.p[i, j]
    else:
        add_rows(x.counts, x.zt[i], top, x.q)
        for k in range(top):
            x.q[k] /= samples
    x.q[top] = 0.0
    if own >= 0:
        x.q[own] -= 1.0


@jit
def count(x, i, k, one):  # type: ignore[no-untyped-def]
    """Bring the tables up to date with row i that joins or leaves k."""
    for t in range(x.zt.shape[1]):
        l = x.zt[i, t]  # noqa: E741
        x.counts[t, l, k] += one
        if x.loss == VI:
            x.steps[t, l, k] = x.step[x.counts[t, l, k]]


@jit
def leave(x, i):  # type: ignore[no-untyped-def]
    """Take row i out of its component."""
    k = x.c[i]
    if x.loss == OMARI:
        for t in range(x.zt.shape[1]):
            x.margin[t, x.zt[i, t]] -= 1
            x.m[t] -= x.margin[t, x.zt[i, t]]
            x.a[t] -= x.counts[t, x.zt[i, t], k] - 1
    elif x.loss == OMARI_APPROXIMATE:
        together(x, i)
        x.sums[A] -= x.q[k]
        for h in range(x.number[TOP]):
            x.sums[M] -= x.q[h]
    elif x.loss == VI_LOWER_BOUND:
        for j in range(len(x.c)):
            if x.c[j] == k and j != i:
                x.within[j] -= x.p[i, j]
    count(x, i, k, -1)
    x.c[i] = -1
    x.size[k] -= 1
    x.sums[S] -= x.size[k]
    x.number[PLACED] -= 1
    if x.size[k] == 0:
        x.number[OCCUPIED] -= 1


@jit
def join(x, i, k):  # type: ignore[no-untyped-def]
    """Put row i, which has no component, into k."""
    x.number[TOP] = max(x.number[TOP], k + 1)
    if x.loss == OMARI:
        for t in range(x.zt.shape[1]):
            x.a[t] += x.counts[t, x.zt[i, t], k]
            x.m[t] += x.margin[t, x.zt[i, t]]
            x.margin[t, x.zt[i, t]] += 1
    elif x.loss == OMARI_APPROXIMATE:
        together(x, i)
        x.sums[A] += x.q[k]
        for h in range(x.number[TOP]):
            x.sums[M] += x.q[h]
    elif x.loss == VI_LOWER_BOUND:
        x.within[i] = 1.0
        for j in range(len(x.c)):
            if x.c[j] == k:
                x.within[j] += x.p[i, j]
                x.within[i] += x.p[i, j]
    count(x, i, k, 1)
    if x.size[k] == 0:
        x.number[OCCUPIED] += 1
    x.c[i] = k
    x.sums[S] += x.size[k]
    x.size[k] += 1
    x.number[PLACED] += 1


@inlined
def put_back(x, c):  # type: ignore[no-untyped-def]
    """Make the partition c: all counts anew, so that rounding does not add up."""
    x.size[:] = 0
    x.counts[:] = 0
    x.steps[:] = 0.0
    if x.loss == OMARI:
        x.margin[:] = 0
    x.a[:] = 0.0
    x.m[:] = 0.0
    x.within[:] = 0.0
    x.sums[:] = 0.0
    x.number[:] = 0
    x.c[:] = -1
    for i in range(len(c)):
        if c[i] >= 0:
            join(x, i, c[i])
