r"""The co-assignment matrix as a picture, its rows in the order of a partition.

Rows of a component stand together, larger components first. In a component rows that are often
together are neighbours: they are sorted by an eigenvector, the second of

.. math:: D^{-1} P, \qquad D_{ii} = \sum_j P_{ij},

which is close to the Fiedler vector of spectral seriation (Atkins, Boman and Hendrickson 1998, SIAM
J. Comput. 28:297), so a component that falls into two shows two squares. Dark squares along the
diagonal are components, and what is dark off the diagonal would rather have been joined. What
components are called plays no part, so no component has a colour here.
"""

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unmix.assign.partition.given import as_partition, as_similarity
from unmix.errors import UnmixError
from unmix.show import colours
from unmix.show.canvas import onto, say, tidy
from unmix.show.numbers import counted

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_CELLS = 600  # along an axis; beyond, a cell is smaller than a dot
MOST_NAMED = 12
STEPS = 60  # of the power iteration: an order to look at needs no more


class Ordered(NamedTuple):
    """Rows in the order of a partition.

    Attributes
    ----------
    order
        Positions of the rows, shape (obs,).
    components
        The partition's own numbers, the largest component first, shape (component,).
    ends
        Where each of them ends in that order, shape (component,).
    edges
        Edges of the cells, none of which has rows of two components, shape (cell + 1,).
    """

    order: Integers
    components: Integers
    ends: Integers
    edges: Integers


def similarity(
    co_assignment: Any, partition: Any, *, of: int | None = None, ax: Axes | None = None
) -> Figure:
    """Heat map of the probability that two rows come from one component, ordered by a partition.

    Parameters
    ----------
    co_assignment
        P(z_i = z_j), shape (obs, obs), as `unmix.co_assignment` gives.
    partition
        The result of `unmix.partition`, or components of the rows, shape (obs,).
    of
        How many rows there are, where these are only some of them; the figure then says so.
    ax
        Axes to draw onto; a figure is made without.

    Returns
    -------
    matplotlib.figure.Figure
        Of more than 600 rows, neighbours in this order share a cell of their averages.

    Raises
    ------
    UnmixError
        If the matrix is not one of probabilities, or is not of the partition's rows.
    """
    p = as_similarity(co_assignment)
    z = getattr(partition, "z", partition)
    c = as_partition(z)
    if len(p) != len(c):
        raise UnmixError(
            f"the matrix is of {len(p):,} rows and the partition of {len(c):,}: give both of the "
            "same rows"
        )
    found = ordered(p, c)
    figure, axes = onto(ax, 6.6, 5.8)
    mesh = axes.pcolormesh(
        found.edges, found.edges, blocks(p, found), cmap="Greys", vmin=0, vmax=1, rasterized=True
    )
    for end in found.ends[:-1]:
        axes.axhline(end, color=colours.ALARM, lw=0.8)
        axes.axvline(end, color=colours.ALARM, lw=0.8)
    figure.colorbar(mesh, ax=axes, shrink=0.8, label="P(same component)")
    sizes = np.diff(np.r_[0, found.ends])
    n = len(found.components)
    named = f"{counted(n, 'component')} of {', '.join(f'{s:,}' for s in sizes[:MOST_NAMED])}"
    wide = int(np.diff(found.edges).max())
    some = f"{len(c):,} of {of:,} rows" if of is not None and of > len(c) else f"{len(c):,} rows"
    say(
        axes,
        "Which rows are together",
        f"{some} in the order of a partition into {named}"
        f"{', …' if n > MOST_NAMED else ''} rows; lines between components."
        + (f" A cell is the average over up to {wide} × {wide} pairs." if wide > 1 else ""),
        columns=76,
    )
    axes.set_aspect("equal")
    axes.invert_yaxis()
    starts = np.r_[0, found.ends[:-1]]
    big = sizes >= len(c) / 25
    middles = ((starts + found.ends) / 2)[big]
    axes.set_yticks(middles, [counted(int(s), "row") for s in sizes[big]])
    axes.set_xticks([])
    tidy(axes)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return figure


def ordered(p: Array, c: Integers, most: int = MOST_CELLS) -> Ordered:
    """Rows by component, the largest first; in it, rows that are often together side by side.

    Parameters
    ----------
    p
        Co-assignment, shape (obs, obs).
    c
        The partition, shape (obs,), numbered from 0.
    most
        At most so many cells along an axis, and one more for each component.
    """
    size = np.bincount(c)
    place = np.empty(len(c))
    for k in range(len(size)):
        mine = np.flatnonzero(c == k)
        place[mine] = along(p[np.ix_(mine, mine)])
    components = np.argsort(-size, kind="stable")
    rank = np.empty(len(size), dtype=np.int64)
    rank[components] = np.arange(len(size))
    order = np.lexsort((-place, rank[c]))
    ends = np.cumsum(size[components])
    width = -(-len(c) // most)
    first = [np.arange(e - s, e, width) for s, e in zip(size[components], ends, strict=True)]
    return Ordered(order, components, ends, np.r_[np.concatenate(first), len(c)])


def along(p: Array) -> Array:
    """A number for each row, near for rows that are often together, larger at the surer end.

    Parameters
    ----------
    p
        Co-assignment of the rows of one component, shape (obs, obs).
    """
    mass = p.sum(axis=1)
    v = p[np.argmin(mass)]
    for _ in range(STEPS):
        v = v - np.average(v, weights=mass)  # without the first eigenvector, which is constant
        length = np.abs(v).max()
        if length < 1e-9:  # every row is as often with all others
            return mass
        v = p @ (v / length) / mass
    return v if np.dot(v - v.mean(), mass) >= 0 else -v


def blocks(p: Array, found: Ordered) -> Array:
    """Means of the matrix over cells, shape (cell, cell), a band of rows at a time."""
    count = np.diff(found.edges)
    if (count == 1).all():
        return p[np.ix_(found.order, found.order)]
    means = np.empty((len(count), len(count)))
    for i, start in enumerate(found.edges[:-1]):
        band = p[found.order[start : found.edges[i + 1]]].mean(axis=0)
        means[i] = np.add.reduceat(band[found.order], found.edges[:-1]) / count
    return means
