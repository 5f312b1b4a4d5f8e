"""Rows as every figure of components takes and draws them: mixed colours, markers, legend."""

from typing import Any, Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from unmix.errors import UnmixError
from unmix.show import colours
from unmix.show.canvas import text

Array = NDArray[np.float64]
Corner = Literal["upper left", "upper right", "lower right", "lower left"]

MOST_POINTS = 5000  # beyond, markers hide each other
NO_DENSITIES = " No densities: a row's depends on more than its value (groups, covariates)."
HOW_ROWS = "Rows are shaded by responsibility; their marker is the most likely component."


def some_of(n: int) -> NDArray:
    """Positions of at most `MOST_POINTS` of n rows, evenly spaced."""
    return np.arange(n)[:: -(-n // MOST_POINTS)]


def draw_rows(
    axes: Axes, x: NDArray, y: NDArray, r: Array, far: NDArray[np.bool_], size: float = 26
) -> None:
    """Rows in mixed colours, one collection for each most likely component; far ones edged."""
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
            **edges(far[mine], 0.3),
        )


def edges(far: NDArray[np.bool_], width: float) -> dict[str, Any]:
    """How markers are edged: in white of this width, far rows in black."""
    return {
        "edgecolors": [colours.INK if one else "white" for one in far],
        "linewidths": [1.2 if one else width for one in far],
    }


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


def emptiest_corner(axes: Axes, x: Array, y: Array, entries: int) -> Corner:
    """Where a legend of so many entries hides the fewest rows."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    across, up = (x - left) / (right - left), (y - bottom) / (top - bottom)
    wide, high = 0.36, min(0.06 * entries + 0.05, 0.5)  # of the axes
    sides = across < wide, across > 1 - wide
    hidden: dict[Corner, int] = {
        "upper left": int((sides[0] & (up > 1 - high)).sum()),
        "upper right": int((sides[1] & (up > 1 - high)).sum()),
        "lower right": int((sides[1] & (up < high)).sum()),
        "lower left": int((sides[0] & (up < high)).sum()),
    }
    return min(hidden, key=lambda corner: hidden[corner])


def responsibilities_of(given: Any) -> tuple[Array, list[str]]:
    """Responsibilities (obs, component) and the components' names, from a result that holds them.

    Raises
    ------
    UnmixError
        If it holds none, or no rows.
    """
    if not isinstance(given, xr.Dataset) or "responsibility" not in given:
        raise UnmixError(
            f"a {type(given).__name__} holds no responsibilities to draw: pass the result of "
            "unmix.responsibilities"
        )
    found = given["responsibility"]
    if set(found.dims) != {"obs", "component"} or not found.size:
        raise UnmixError(
            f"the responsibilities have dims {dict(found.sizes)} and a figure draws (obs, "
            "component): average them over draws with unmix.responsibilities"
        )
    k = found.sizes["component"]
    names = given["component"].values if "component" in given.coords else np.arange(k)
    values = found.transpose("obs", "component").to_numpy().astype(np.float64)
    return values, [text(name, 24) for name in names]


def label_warning(given: xr.Dataset) -> str:
    """What stands on a figure of components that are not the same from draw to draw."""
    if int(given.attrs.get("identified", 1)):
        return ""
    return "NOT IDENTIFIED: a component is not the same one from draw to draw."
