r"""Rootogram: how many rows have which responsibility, with heights in proportion to the root.

For a component, rows are counted in bins of its responsibility and drawn on a scale of square
roots, which shows bins of few rows beside bins of many. Rows at one and near zero and none in
between: the component is well separated. Rows in the middle: it overlaps with others. Rows that
have next to nothing to do with a component are left out, as they would dwarf the rest.

References: Tukey 1977, "Exploratory Data Analysis"; Leisch 2004, J. Stat. Softw. 11(8), who draws
the posterior of a mixture so.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unmix.arguments import share, whole
from unmix.show import colours
from unmix.show.canvas import blank, figure_of, panels, say, tidy
from unmix.show.rows_drawn import label_warning, responsibilities_of

LEAST = 1e-4  # what flexmix leaves out
MOST_ACROSS = 4
TOP = 1.1  # of the highest bar: where the axis ends


def rootogram(
    responsibilities: xr.Dataset,
    *,
    bins: int = 20,
    least: float = LEAST,
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Histogram of each component's responsibilities, counts on a scale of square roots.

    Parameters
    ----------
    responsibilities
        The result of `unmix.responsibilities`.
    bins
        Number of bins between 0 and 1.
    least
        Rows whose responsibility is smaller are left out, and their number is said.
    axes
        Axes to draw onto, one for each component; a figure is made without.

    Returns
    -------
    matplotlib.figure.Figure
        The dark part of a bar are rows for which the component is the most likely.

    Raises
    ------
    UnmixError
        If there are no responsibilities (obs, component), an option is out of range, or there are
        not as many axes as components.
    """
    r, labels = responsibilities_of(responsibilities)
    bins = whole("bins", bins)
    least = share("least", least, "1e-4", what="a number from 0 and below 1", zero=True)
    k = len(labels)
    given = panels(axes, k, f"there are {k} components")
    figure = blank(*_size(k)) if given is None else figure_of(given[0])
    if given is None:
        across = min(k, MOST_ACROSS)
        down = -(-k // across)
        grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
        given = list(grid.ravel()[:k])
        for empty in grid.ravel()[k:]:
            empty.set_axis_off()
        for ax in given[max(0, k - across) :]:
            ax.tick_params(labelbottom=True)
        _head(figure, responsibilities)
    edges = np.linspace(0, 1, bins + 1)
    most = np.argmax(np.nan_to_num(r), axis=1)
    for j, (ax, label) in enumerate(zip(given, labels, strict=True)):
        shown = r[:, j] >= least  # not where it is undefined
        counted = np.histogram(r[shown, j], edges)[0]
        own = np.histogram(r[shown & (most == j), j], edges)[0]
        _bars(ax, edges, counted, own, j)
        left_out = int((r[:, j] < least).sum())
        say(
            ax,
            f"component {label}",
            f"{left_out:,} of {len(r):,} rows below {least:g} left out",
            columns=44,
        )
        if j % MOST_ACROSS == 0 or axes is not None:
            ax.set_ylabel("rows (scale of roots)")
        if j >= k - MOST_ACROSS:
            ax.set_xlabel("responsibility")
        tidy(ax)
    top = max(ax.dataLim.y1 for ax in given)
    for ax in given:
        _root_scale(ax, top)
    return figure


def _size(k: int) -> tuple[float, float]:
    across = min(k, MOST_ACROSS)
    return max(4.5, 2.9 * across), 1.0 + 2.5 * -(-k // across)


def _bars(
    ax: Axes, edges: NDArray, counted: NDArray[np.int64], own: NDArray[np.int64], k: int
) -> None:
    """All rows in outline, those of the component filled."""
    left, width = edges[:-1], np.diff(edges)
    shade = colours.colour(k)
    ax.bar(left, own, width, align="edge", color=shade, edgecolor="white", lw=0.6)
    ax.bar(left, counted, width, align="edge", fill=False, edgecolor=colours.INK, lw=0.9)


def _root_scale(ax: Axes, top: float) -> None:
    ax.set_yscale("function", functions=(_root, np.square))
    ax.set_ylim(0, TOP * top)
    ax.set_yticks(_counts(top))
    ax.set_xlim(-0.02, 1.02)
    ax.set_xticks([0, 0.5, 1])


def _root(count: NDArray) -> NDArray:
    return np.sqrt(np.clip(count, 0, None))


def _counts(top: float) -> NDArray[np.int64]:
    """0, and of 1, 2, 5, 10, 20, 50, … those that leave each other room on the scale of roots."""
    round_ones = [step * 10**power for power in range(16) for step in (1, 2, 5)]
    apart = np.sqrt(TOP * max(top, 1)) / 8
    kept: list[int] = []
    for count in reversed([c for c in round_ones if c <= TOP * max(top, 1)]):
        room = np.sqrt(kept[-1]) - np.sqrt(count) if kept else np.inf
        if min(room, np.sqrt(count)) >= apart:
            kept.append(count)
    return np.array([0, *reversed(kept)])


def _head(figure: Figure, responsibilities: xr.Dataset) -> None:
    warning = label_warning(responsibilities)
    figure.suptitle(
        "Rootogram: rows at 0 and 1 are sure, rows between are not\n"
        "filled: rows for which the component is the most likely"
        + (f"\n{warning}" if warning else ""),
        x=0.01,
        ha="left",
        fontsize=11,
        color=colours.INK,
    )
