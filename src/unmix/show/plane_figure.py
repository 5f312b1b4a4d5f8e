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
from unmix.show.rows_drawn import HOW_ROWS, draw_rows, handles, some_of

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
) -> Figure:
    """Rows (obs, 2) shaded by r (obs, component), and each component's contours."""
    across, up = plane_grid(rows)
    horizontal, vertical = np.meshgrid(across, up)
    grid = np.stack([horizontal.ravel(), vertical.ravel()], axis=1)
    found = try_densities(derivation, fit, name, grid, DRAWS, r)
    figure = blank(7.5, 6)
    axes = figure.subplots()
    some = some_of(len(rows))
    draw_rows(axes, rows[some, 0], rows[some, 1], r[some])
    more = HOW_ROWS
    if found:
        for k in range(len(labels)):
            if found.each is not None:
                for one in found.each[:, :, k]:
                    level = one.reshape(horizontal.shape)
                    _contours(axes, across, up, level, k, [-2], linewidths=[0.6], alpha=0.35)
            level = found.likelihood[:, k].reshape(horizontal.shape)
            _contours(axes, across, up, level, k, [-2, -0.5], linewidths=[1.2, 2.2])
        more += (
            " Contours where a component's density is exp(−1/2) and exp(−2) of its peak (for a "
            f"normal, at 1 and 2 standard deviations){averaged_words(found, bands=False)}."
        )
        if found.each is not None:
            more += f" Thin: the outer one at each of {len(found.each)} draws."
    axes.set_xlabel(features[0])
    axes.set_ylabel(features[1])
    say(axes, f"{features[1]} and {features[0]}: data and fitted components", more, columns=92)
    axes.legend(handles=handles(labels, lines=found is not None), fontsize=10, framealpha=0.8)
    tidy(axes)
    return figure


def plane_grid(rows: NDArray) -> tuple[Array, Array]:
    """Points along both axes, a margin beyond the rows (obs, 2)."""
    low, high = rows.min(axis=0), rows.max(axis=0)
    margin = 0.15 * (high - low)
    across, up = (np.linspace(low[j] - margin[j], high[j] + margin[j], GRID_POINTS) for j in (0, 1))
    return across, up


def _contours(
    axes: Axes, across: Array, up: Array, level: Array, k: int, logs: list[float], **style: Any
) -> None:
    """Where a component's density has fallen to exp(log) of its peak."""
    peak = level.max()
    if peak > 0:
        style |= {"colors": colours.colour(k), "linestyles": [colours.line(k)]}
        axes.contour(across, up, level, levels=list(peak * np.exp(logs)), **style)
