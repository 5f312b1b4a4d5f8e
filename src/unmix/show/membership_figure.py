"""Membership bars: one upright bar a row, cut in proportion to the row's responsibilities.

Rows stand by their most likely component, the surest first, and that component is at the bottom of
the bar: the edge that falls from one to the right is the responsibility sorted, and where it falls
early components overlap. Of many rows, neighbours in this order share a bar of their averages.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unmix.show import colours
from unmix.show.canvas import onto, say, tidy
from unmix.show.numbers import counted, share
from unmix.show.rows_drawn import label_warning, responsibilities_of

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_BARS = 800  # beyond, a bar is thinner than a dot


class Bars(NamedTuple):
    """Rows in the order in which they stand, and the bars that they share.

    Attributes
    ----------
    order
        Positions of the rows, by most likely component, the surest first, shape (obs,).
    lead
        Most likely component of each bar, shape (bar,); −1 where responsibilities are undefined.
    edges
        First row of every bar in that order, and the number of rows, shape (bar + 1,).
    """

    order: Integers
    lead: Integers
    edges: Integers


def membership(
    responsibilities: xr.Dataset, *, intervals: bool = True, ax: Axes | None = None
) -> Figure:
    """Every row's responsibilities as a bar, rows sorted by their most likely component.

    Parameters
    ----------
    responsibilities
        The result of `unmix.responsibilities`.
    intervals
        Whether to draw, over draws, the interval of each row's most likely component.
    ax
        Axes to draw onto; a figure is made without.

    Returns
    -------
    matplotlib.figure.Figure
        Rows with undefined responsibilities stand last, in grey.

    Raises
    ------
    UnmixError
        If there are no responsibilities (obs, component).
    """
    r, labels = responsibilities_of(responsibilities)
    bars = arrange(r)
    figure, axes = onto(ax, 9, 4.2)
    lower, upper = _stacked(averaged(r, bars), bars.lead)
    parts = []
    for k in range(len(labels)):
        part = axes.fill_between(
            bars.edges,
            _last_again(lower[:, k]),
            _last_again(upper[:, k]),
            step="post",
            facecolor=colours.colour(k),
            edgecolor="white",  # of some components the greys are near
            lw=0.6,
            label=f"component {labels[k]}",
        )
        parts.append(part)
    _undefined(axes, bars)
    more = _count_words(r, bars)
    if intervals and {"lower", "upper"} <= set(responsibilities.data_vars):
        _intervals(axes, responsibilities, bars)
        width = share(float(responsibilities.attrs.get("interval", 0.89)))
        more += f" Dark lines: {width} interval of the most likely component."
    _groups(axes, bars, labels)
    unnamed = [part for k, part in enumerate(parts) if k not in bars.lead]
    if unnamed:
        axes.legend(
            handles=unnamed, title="never most likely", frameon=False, fontsize=10,
            loc="upper left", bbox_to_anchor=(1, 1),
        )  # fmt: skip
    axes.set_xlim(0, len(r))
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes.set_ylabel("responsibility")
    say(axes, "Membership of every row", f"{more}\n{label_warning(responsibilities)}", columns=125)
    tidy(axes)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(axis="x", length=0)
    return figure


def arrange(r: Array, most: int = MOST_BARS) -> Bars:
    """The order of the rows and the bars, of which each has rows of one component only.

    Parameters
    ----------
    r
        Responsibilities, shape (obs, component).
    most
        At most so many bars, and one more for each component.
    """
    undefined = np.isnan(r).any(axis=1)
    lead = np.where(undefined, r.shape[1], np.argmax(np.nan_to_num(r), axis=1))
    order = np.lexsort((-np.nan_to_num(r).max(axis=1), lead))
    width = -(-len(r) // most)
    starts = np.r_[0, np.cumsum(np.bincount(lead, minlength=r.shape[1] + 1))]
    first = np.concatenate([np.arange(a, b, width) for a, b in pairwise(starts)])
    leads = lead[order][first]
    return Bars(order, np.where(leads == r.shape[1], -1, leads), np.r_[first, len(r)].astype(int))


def averaged(values: Array, bars: Bars) -> Array:
    """Means of rows of values over the rows of each bar, shape (bar, …)."""
    count = np.diff(bars.edges).reshape(-1, *[1] * (values.ndim - 1))
    return np.add.reduceat(values[bars.order], bars.edges[:-1], axis=0) / count


def _stacked(r: Array, lead: Integers) -> tuple[Array, Array]:
    """Lower and upper end of every component's part of every bar, shape (bar, component).

    The most likely component is at the bottom, the others on top of it in their own order.
    """
    r = np.nan_to_num(r)
    upper = np.cumsum(r, axis=1)
    rows = np.flatnonzero(lead >= 0)
    own = r[rows, lead[rows]]
    before = np.arange(r.shape[1]) < lead[rows][:, None]
    upper[rows] += np.where(before, own[:, None], 0.0)
    upper[rows, lead[rows]] = own
    return upper - r, upper


def _last_again(values: Array) -> Array:
    """For steps after their edge, whose last value ends with the last edge."""
    return np.append(values, values[-1])


def _intervals(axes: Axes, responsibilities: xr.Dataset, bars: Bars) -> None:
    known = np.maximum(bars.lead, 0)
    for bound in ("lower", "upper"):
        values = responsibilities[bound].transpose("obs", "component").to_numpy()
        ends = averaged(values, bars)[np.arange(len(known)), known]
        axes.plot(
            bars.edges,
            _last_again(np.where(bars.lead < 0, np.nan, ends)),
            drawstyle="steps-post",
            color=colours.INK,
            lw=0.9,
        )


def _undefined(axes: Axes, bars: Bars) -> None:
    if (bars.lead < 0).any():
        first = bars.edges[:-1][bars.lead < 0][0]
        axes.axvspan(first, bars.edges[-1], color=colours.GREY, lw=0)


def _groups(axes: Axes, bars: Bars, labels: list[str]) -> None:
    """Names and counts below the groups, and a line between them."""
    ends, middles, names = [0], [], []
    for k, name in [*enumerate(labels), (-1, "undefined")]:
        mine = np.flatnonzero(bars.lead == k)
        if len(mine):
            start, end = bars.edges[mine[0]], bars.edges[mine[-1] + 1]
            axes.axvline(end, color="white", lw=2)
            ends.append(end)
            middles.append((start + end) / 2)
            names.append((name, end - start))
    shares = np.diff(ends) / bars.edges[-1]
    lines = [
        f"{n if n == 'undefined' else f'component {n}'}\n{counted(int(count), 'row')}"
        for n, count in names
    ]
    short = [f"{n}\n{count:,}" for n, count in names]
    if all(_width(line) < room for line, room in zip(lines, shares, strict=True)):
        axes.set_xticks(middles, lines)
        return
    axes.set_xlabel("component, and its number of rows")
    if all(_width(line) < room for line, room in zip(short, shares, strict=True)):
        axes.set_xticks(middles, short)
    else:  # a name is wider than its group: stand it up
        upright = [f"{n}: {count:,}" for n, count in names]
        axes.set_xticks(middles, upright, rotation=90)


def _width(name: str) -> float:
    """About which share of the axes a name takes."""
    return 0.013 * max(map(len, name.split("\n")))


def _count_words(r: Array, bars: Bars) -> str:
    n, k = len(r), len(bars.lead)
    if k == n:
        return f"One bar for each of {n:,} rows, cut as its responsibilities are."
    return (
        f"{n:,} rows in {k:,} bars; a bar is the average of up to "
        f"{int(np.diff(bars.edges).max()):,} neighbours in this order."
    )
