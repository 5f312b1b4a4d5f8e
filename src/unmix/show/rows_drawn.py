"""Rows as every figure of components draws them: mixed colours, markers, legend."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from unmix.show import colours

Array = NDArray[np.float64]

MOST_POINTS = 5000  # beyond, markers hide each other
HOW_ROWS = "Rows are shaded by responsibility; their marker is the most likely component."


def some_of(n: int) -> NDArray:
    """Positions of at most `MOST_POINTS` of n rows, evenly spaced."""
    return np.arange(n)[:: -(-n // MOST_POINTS)]


def draw_rows(axes: Axes, x: NDArray, y: NDArray, r: Array, size: float = 26) -> None:
    """Rows in mixed colours, one collection for each most likely component."""
    shades = colours.mix(r)
    most = np.argmax(np.nan_to_num(r), axis=1)
    for k in range(r.shape[1]):
        mine = most == k
        axes.scatter(
            x[mine],
            y[mine],
            s=size,
            c=shades[mine],
            marker=colours.marker(k),
            edgecolors="white",
            linewidths=0.3,
        )


def handles(labels: list[str], *, lines: bool) -> list[Line2D]:
    """What a legend shows for each component."""
    return [
        Line2D(
            [],
            [],
            color=colours.colour(k),
            marker=colours.marker(k),
            ls=colours.line(k) if lines else "",
            label=f"component {label}",
        )
        for k, label in enumerate(labels)
    ]
