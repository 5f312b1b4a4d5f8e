"""Two features: the rows and the components' contours."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unmix.derive import Derivation
from unmix.show import colours
from unmix.show.canvas import blank, say, tidy
from unmix.show.density import averaged_words, try_densities
from unmix.show.limits import MOST_FAR, far_rows, placed, to_draw, view, words
from unmix.show.rows_drawn import HOW_ROWS, NO_DENSITIES, draw_rows, emptiest_corner, handles

Array = NDArray[np.float64]

GRID_POINTS = 100  # along each axis
DRAWS = 24  # a plane has 25 times the points of a line


def plane_figure(
    derivation: Derivation,
    fit: Any,
    name: str,
    rows: NDArray,
    r: Array,
    features: list[str],
    labels: list[str],
    warning: str = "",
) -> Figure:
    """Rows (obs, 2) shaded by r (obs, component), and each component's contours."""
    across, up = plane_grid(rows)
    horizontal, vertical = np.meshgrid(across, up)
    far = far_rows(rows)
    # Far rows too, for the peak of a component that has it beyond the axes.
    grid = np.stack([horizontal.ravel(), vertical.ravel()], axis=1)
    grid = np.concatenate([grid, rows[far][:MOST_FAR]])
    found = try_densities(derivation, fit, name, grid, DRAWS, r)
    figure = blank(7.5, 6)
    axes = figure.subplots()
    some = to_draw(far)
    ends = (across[0], across[-1]), (up[0], up[-1])
    x, y = (placed(rows[:, j], ends[j])[some] for j in (0, 1))
    draw_rows(axes, x, y, r[some], far[some])
    axes.set_xlim(*ends[0])
    axes.set_ylim(*ends[1])
    more = HOW_ROWS + words(far)
    if found:
        for k in range(len(labels)):
            if found.each is not None:
                for one in found.each[:, :, k]:
                    _contours(axes, across, up, one, k, [-2], linewidths=[0.6], alpha=0.35)
            level = found.likelihood[:, k]
            _contours(axes, across, up, level, k, [-2, -0.5], linewidths=[1.2, 2.2])
        more += (
            " Contours where a component's density is exp(−1/2) and exp(−2) of its peak (for a "
            f"normal, at 1 and 2 standard deviations){averaged_words(found, bands=False)}."
        )
        if found.each is not None:
            more += f" Thin: the outer one at each of {len(found.each)} draws."
    else:
        more += NO_DENSITIES
    axes.set_xlabel(features[0])
    axes.set_ylabel(features[1])
    what = "data and fitted components" if found else "rows by their component"
    title = f"{features[1]} and {features[0]}: {what}"
    say(axes, title, f"{more}\n{warning}", columns=92)
    axes.legend(
        handles=handles(labels, lines=found is not None), fontsize=10, framealpha=0.8,
        loc=emptiest_corner(axes, x, y, len(labels)),
    )  # fmt: skip
    tidy(axes)
    return figure


def plane_grid(rows: NDArray) -> tuple[Array, Array]:
    """Points along both axes, a margin beyond the rows (obs, 2)."""
    across, up = (np.linspace(*view(rows[:, j], 0.15), GRID_POINTS) for j in (0, 1))
    return across, up


def _contours(
    axes: Axes, across: Array, up: Array, level: Array, k: int, logs: list[float], **style: Any
) -> None:
    """Where a component's density has fallen to exp(log) of its peak.

    ``level`` has the grid's points first, and then others at which the peak may be.
    """
    peak = level.max()
    grid = level[: len(up) * len(across)].reshape(len(up), len(across))
    if grid.max() > peak * np.exp(min(logs)):
        style |= {"colors": colours.colour(k), "linestyles": [colours.line(k)]}
        axes.contour(across, up, grid, levels=list(peak * np.exp(logs)), **style)
