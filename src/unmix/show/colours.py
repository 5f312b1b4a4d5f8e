"""One colour, marker and line for each component, the same in every figure.

The colours are those of Okabe and Ito (2008, "Color Universal Design", jfly.uni-koeln.de/color),
which people with any common colour vision tell apart, but for the reddish purple, which in grey is
their green: P. Tol's wine (2021, "Colour Schemes", technical note SRON/EPS/TN/09-002) stands in its
place. They are ordered so that the first four, and neighbours, differ in lightness, and markers and
lines differ too, so a figure is readable in grey. What no component has made is in no component's
colour.
"""

import numpy as np
from numpy.typing import NDArray

COLOURS = (
    "#0072B2",  # blue
    "#E69F00",  # orange
    "#009E73",  # bluish green
    "#882255",  # wine
    "#56B4E9",  # sky blue
    "#D55E00",  # vermilion
    "#F0E442",  # yellow
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 1)))

INK = "#222222"  # text and sums
GREY = "#B0B0B0"  # data without a component
ALARM = "#E0007A"  # what should be looked at, in no component's colour; never by colour alone


def colour(k: int) -> str:
    """Colour of component k; they come round again after the seventh."""
    return COLOURS[k % len(COLOURS)]


def marker(k: int) -> str:
    """Marker of component k; out of step with the colours from the eighth on."""
    return MARKERS[(k + k // len(COLOURS)) % len(MARKERS)]


def line(k: int) -> str | tuple[int, tuple[int, ...]]:
    """Line style of component k; out of step with the colours from the eighth on."""
    return LINES[(k + k // len(COLOURS)) % len(LINES)]


def mix(responsibility: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours of observations: the components' colours mixed in proportion to responsibility.

    Colours are mixed as light is: their sRGB values are made linear (IEC 61966-2-1), averaged, and
    brought back. An undefined responsibility (NaN) is grey.

    Parameters
    ----------
    responsibility
        Shape (obs, component).

    Returns
    -------
    array of shape (obs, 3)
        Red, green, blue between 0 and 1.
    """
    r = np.asarray(responsibility, dtype=np.float64)
    light = _to_light(np.array([_rgb(colour(k)) for k in range(r.shape[1])]))
    mixed = _from_light(np.clip(np.nan_to_num(r) @ light, 0.0, 1.0))
    mixed[np.isnan(r).any(axis=1)] = _rgb(GREY)
    return mixed


def _rgb(code: str) -> list[float]:
    return [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def _to_light(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def _from_light(light: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
