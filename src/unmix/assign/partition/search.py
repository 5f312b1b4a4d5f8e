r"""The partition with the least expected loss, by greedy allocation, many times over.

All partitions of N rows cannot be tried, and the best of the draws is often far from the best of
all. After SALSO (Dahl, Johnson and Müller 2022, JCGS 31:1189), one run

1. allocates the rows in random order, each to the component, old or new, at which the loss of the
   rows so far is least; or begins at a draw;
2. sweetens: takes each row out and puts it where it is best, in random order, until nothing moves;
3. is zealous: destroys one component, allocates its rows anew one by one, sweetens, and keeps what
   is better. This leaves optima that no single row can leave.

The best of many runs is returned, with how many runs found it: where few did, a better one may be
left.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmix.assign.partition.given import canonical
from unmix.assign.partition.losses import changes, total
from unmix.assign.partition.partial import (
    CODES,
    OCCUPIED,
    OMARI,
    OMARI_APPROXIMATE,
    TOP,
    Partial,
    inlined,
    jit,
    join,
    leave,
    nothing_placed,
    put_back,
)
from unmix.errors import UnmixError

# What rounding may make of equal losses: changes of VI are sums of up to N log₂ N over draws.
ROUNDING, ROUNDING_OF_INDEX = 1e-9, 1e-12
# Passes of step 2; a handful is enough, and each lowers the loss, so it ends by itself.
SWEEPS = 1000
# Bytes that the tables of counts of one run may take.
LARGEST = 2**30


@jit
def shuffle(rng, order):  # type: ignore[no-untyped-def]
    """Put numbers into random order, in place (Fisher and Yates)."""
    for i in range(len(order) - 1, 0, -1):
        j = int(rng.random() * (i + 1))
        order[i], order[j] = order[j], order[i]


@jit
def vacant(x):  # type: ignore[no-untyped-def]
    """An emptied component, else the next; the capacity where there is none."""
    for k in range(x.number[TOP]):
        if x.size[k] == 0:
            return k
    return x.number[TOP]


@inlined
def best(x, i, limit, full):  # type: ignore[no-untyped-def]
    """The best component for a row; notes in ``full`` where there was no room for a new one."""
    changes(x, i)
    top, own = x.number[TOP], x.c[i]
    chosen, least = -1, np.inf
    for k in range(top):
        if x.size[k] > 0 and x.change[k] < least:
            chosen, least = k, x.change[k]
    # A row that is alone has what a new component could offer.
    alone = own >= 0 and x.size[own] == 1
    if chosen < 0 or (x.change[top] < least and x.number[OCCUPIED] < limit and not alone):
        new = vacant(x)
        if new < len(x.size):
            return new, x.change[top]
        full[0] = 1
    return chosen, least


@inlined
def sweeten(x, rng, order, limit, full, tolerance):  # type: ignore[no-untyped-def]
    """Place the rows that have no component; then move single rows until none moves."""
    for sweep in range(SWEEPS):
        moved = 0
        shuffle(rng, order)
        for i in order:
            placed = x.c[i] >= 0
            if placed and sweep == 0:
                continue
            k, value = best(x, i, limit, full)
            # What is equal but for rounding stays, or it would wander for ever.
            if placed and value >= x.change[x.c[i]] - tolerance:
                continue
            if placed:
                leave(x, i)
            join(x, i, k)
            moved += 1
        if moved == 0 and sweep > 0:
            break


@inlined
def run(x, rng, start, limit, attempts, found):  # type: ignore[no-untyped-def]
    """One run from ``start`` (−1: allocate); writes the partition, returns loss and fullness."""
    full = np.zeros(1, dtype=np.int64)
    tolerance = ROUNDING_OF_INDEX if x.loss in (OMARI, OMARI_APPROXIMATE) else ROUNDING
    order = np.arange(len(start))
    for i in range(len(order)):
        found[i] = start[i]
    names = np.arange(0)
    value, at, restore, better = np.inf, 0, True, True
    # The first time round nothing is destroyed: that is the run's beginning.
    for attempt in range(attempts + 1):
        if restore:
            put_back(x, found)
        if attempt > 0:
            while at < len(names) and x.size[names[at]] == 0:
                at += 1
            if at == len(names):
                # All have been destroyed once: again only if that has led anywhere.
                if not better:
                    break
                names, at, better = np.arange(x.number[TOP]), 0, False
                shuffle(rng, names)
                while x.size[names[at]] == 0:
                    at += 1
            for i in range(len(order)):
                if x.c[i] == names[at]:
                    leave(x, i)
            at += 1
        sweeten(x, rng, order, limit, full, tolerance)
        now = total(x)
        restore = now >= value - tolerance
        if not restore:
            value, better = now, True
            for i in range(len(order)):
                found[i] = x.c[i]
    return value, full[0]


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes
    ----------
    c
        The best partition, shape (obs,), numbered by first appearance.
    loss
        Its expected loss.
    losses
        The loss that each run came to, shape (restart,).
    """

    c: NDArray[np.int64]
    loss: float
    losses: NDArray[np.float64]

    @property
    def at_best(self) -> int:
        """How many runs came to the best loss, up to rounding."""
        return int(np.sum(self.losses <= self.loss + ROUNDING * max(1.0, abs(self.loss))))


def search(
    loss: str,
    n: int,
    rng: np.random.Generator,
    *,
    costs: tuple[float, float] = (1.0, 1.0),
    z: NDArray | None = None,
    p: NDArray[np.float64] | None = None,
    starts: NDArray | None = None,
    components: int | None = None,
    restarts: int = 16,
    zealous: int = 10,
) -> Found:
    """Look for the partition of n rows with the least expected loss.

    Parameters
    ----------
    loss
        One of `unmix.assign.partition.partial.CODES`.
    z, p
        What the loss is taken over: draws, shape (sample, obs), numbered by first appearance, or
        P_ij, shape (obs, obs). One of them.
    starts
        Draws, shape (sample, obs): every second run begins at one of them, taken at random.
    components
        Most components that the partition may have; N by default.
    restarts, zealous
        Runs, and components that each run destroys at most.

    Raises
    ------
    UnmixError
        If the tables of counts would not fit `LARGEST`.
    """
    # Here, because `compiled` imports this module.
    from unmix.assign.partition import compiled

    limit = min(n, components or n)
    zt = None if z is None else np.ascontiguousarray(z.T)
    cells = 0 if z is None else len(z) * (int(z.max()) + 1)
    # A partition seldom has many more components than the draws; where it has, room is doubled.
    seen = 1 if starts is None else int(starts.max()) + 1
    capacity = limit if z is None else min(limit, seen + 2)
    room: Partial | None = None
    losses, best_c, least = np.empty(restarts), np.zeros(n, dtype=np.int64), np.inf
    seeds = rng.integers(2**63, size=restarts)
    for r in range(restarts):
        while True:
            if room is None:
                if 8 * cells * capacity > LARGEST:
                    raise UnmixError(
                        f"counting {capacity} components in {len(z) if z is not None else 0} draws "
                        "needs more than 1 GB: give fewer draws, or fewer components=, or a loss "
                        "on the similarity matrix such as 'vi_lower_bound'"
                    )
                room = nothing_placed(CODES[loss], n, capacity, costs=costs, zt=zt, p=p)
            again = np.random.default_rng(seeds[r])
            start, c = np.full(n, -1), np.empty(n, dtype=np.int64)
            if starts is not None and r % 2 == 1:
                start[:] = starts[again.integers(len(starts))]
                start[start >= limit] = -1  # too many components: these rows are allocated anew
            value, full = compiled.run()(room, again, start, limit, zealous, c)
            if not full or capacity >= limit:
                break
            capacity, room = min(limit, 2 * capacity), None
        losses[r] = value
        if value < least:
            best_c, least = c, value
    return Found(canonical(best_c), float(least), losses)
