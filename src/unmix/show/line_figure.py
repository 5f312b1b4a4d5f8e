"""One feature: the data's histogram, the fitted densities, the rows, the responsibilities."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unmix.derive import Derivation
from unmix.show import colours
from unmix.show.canvas import blank, say, tidy
from unmix.show.density import Densities, averaged_words, try_densities
from unmix.show.limits import far_rows, limits, placed, to_draw, view, words
from unmix.show.rows_drawn import HOW_ROWS, NO_DENSITIES, draw_rows, handles

Array = NDArray[np.float64]

GRID_POINTS = 400
MOST_BINS = 80
DRAWS = 200


def line_figure(
    derivation: Derivation,
    fit: Any,
    name: str,
    x: NDArray,
    r: Array,
    feature: str,
    labels: list[str],
    warning: str = "",
) -> Figure:
    """Values x (obs,) shaded by r (obs, component), and each component's density."""
    counts = x.dtype.kind in "iu"
    grid = line_grid(x, counts)
    found = try_densities(derivation, fit, name, grid, DRAWS, r)
    figure = blank(8, 6.2 if found else 4.2)
    ratios = [3.2, 0.7, 1.5] if found else [3.2, 0.9]
    panels = figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios)
    top, strip = panels[0], panels[1]
    far = far_rows(x)
    histogram(top, x, far)
    more = HOW_ROWS + words(far)
    if found:
        _draw_line(top, grid, found, labels, "steps-mid" if counts else "default")
        _draw_responsibility(panels[2], grid, found)
        more += (
            " Above, each p(z = k) p(x | z = k) and their sum; below, p(z = k | x)"
            f"{averaged_words(found, bands=True)}."
        )
    else:
        more += NO_DENSITIES
    top.set_ylabel("share" if counts else "density")
    top.set_ylim(bottom=0)
    what = "data and fitted components" if found else "rows by their component"
    say(top, f"{feature}: {what}", f"{more}\n{warning}")
    own = top.get_legend_handles_labels()[0]
    top.legend(
        handles=own if found else [*own, *handles(labels, lines=False)], frameon=False, fontsize=10
    )
    tidy(top)
    _strip(strip, x, r, far)
    panels[-1].set_xlabel(feature)
    panels[-1].set_xlim(*view(x))
    return figure


def histogram(axes: Axes, x: NDArray, far: NDArray[np.bool_]) -> None:
    """The values that are not far, as a density of all."""
    bins = bins_of(x[~far], x.dtype.kind in "iu")
    apart = {"edgecolor": "white"} if len(bins) <= 2 * MOST_BINS else {}  # else there is no room
    weights = np.full(int((~far).sum()), 1 / (len(x) * (bins[1] - bins[0])))
    axes.hist(x[~far], bins=bins, weights=weights, color="#E4E4E4", label="data", **apart)  # type: ignore[arg-type]


def bins_of(x: NDArray, counts: bool) -> NDArray:
    """Edges of about twice as many bins as Freedman and Diaconis (1981) give.

    At most `MOST_BINS` over the middle 98 % of the rows, so that a few far ones do not make them
    coarse, and ten times as many in all. Rounded values get bins of whole steps, each with as many
    possible values as the next; counts get a bar each while there is room.
    """
    if counts and np.ptp(x) < MOST_BINS:
        return np.arange(x.min() - 0.5, x.max() + 1)
    steps = np.diff(np.unique(x)).astype(float)
    quarter, half = np.ptp(np.quantile(x, [0.25, 0.75])), np.ptp(np.quantile(x, [0.01, 0.99]))
    width = max(quarter / len(x) ** (1 / 3), half / MOST_BINS, np.ptp(x) / (10 * MOST_BINS))
    step = steps.min() if len(steps) else 1.0
    if np.allclose(steps / step, np.round(steps / step), atol=1e-6) and step > width / 10:
        width = step * max(1, round(width / step))
        start = x.min() - step / 2
    else:
        start = float(x.min())
    return start + width * np.arange(np.ceil((x.max() - start) / width) + 1)


def line_grid(x: NDArray, counts: bool) -> NDArray:
    """Points along the axis: evenly, and the rows themselves; whole numbers for counts."""
    low, high = limits(x)
    if counts:
        return np.arange(int(low), int(high) + 1, -(-(int(high) - int(low) + 1) // GRID_POINTS))
    even = np.linspace(*view(x), GRID_POINTS)
    # The rows themselves too, so that no component narrower than the grid is missed.
    own = np.unique(x[(x >= low) & (x <= high)])
    return np.union1d(even, own[:: -(-len(own) // GRID_POINTS)])


def _draw_line(
    axes: Axes, grid: NDArray, found: Densities, labels: list[str], drawstyle: str
) -> None:
    total = found.joint.sum(axis=1)
    axes.plot(grid, total, color=colours.INK, lw=1.2, label="sum", drawstyle=drawstyle)
    for k, label in enumerate(labels):
        axes.plot(
            grid,
            found.joint[:, k],
            color=colours.colour(k),
            ls=colours.line(k),
            lw=2,
            label=f"component {label}",
            drawstyle=drawstyle,
        )
        if found.lower is not None and found.upper is not None:
            axes.fill_between(
                grid, found.lower[:, k], found.upper[:, k], color=colours.colour(k), alpha=0.2, lw=0
            )


def _draw_responsibility(axes: Axes, grid: NDArray, found: Densities) -> None:
    for k in range(found.responsibility.shape[1]):
        axes.plot(
            grid, found.responsibility[:, k], color=colours.colour(k), ls=colours.line(k), lw=2
        )
    axes.set_ylabel("responsibility")
    axes.set_ylim(-0.04, 1.04)
    axes.set_yticks([0, 0.5, 1])
    tidy(axes)


def _strip(axes: Axes, x: NDArray, r: Array, far: NDArray[np.bool_]) -> None:
    some = to_draw(far)
    # Heights only keep ties apart: multiples of the golden ratio fill the strip evenly.
    height = (np.arange(len(x)) * 0.6180339887498949) % 1
    draw_rows(axes, placed(x, view(x))[some], height[some], r[some], far[some])
    axes.set_ylim(-0.15, 1.15)
    axes.set_yticks([])
    axes.set_ylabel("rows" if len(some) == len(x) else f"{len(some):,} of\n{len(x):,} rows")
    tidy(axes)
    axes.spines["left"].set_visible(False)
