r"""What would change its mind: the value of one feature at which the two leading components tie.

With every other feature of the row held fixed, feature j is moved over the range of the data, and

.. math:: g(v) = \bar r_a(x_j = v) - \bar r_b(x_j = v)

is followed, with the responsibilities averaged over draws as everywhere, not plugged in. A change
of its sign between neighbouring points of a grid is narrowed down by Brent's method (Brent 1973,
*Algorithms for Minimization without Derivatives*, chapter 4). The grid has points evenly spread
over the range and at quantiles of the data; two crossings between neighbouring points go unseen.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from unmix.derive.present import has_missing
from unmix.printable import listed
from unmix.show.contributions import Feature, features_of
from unmix.show.one_row import OneRow

GRID = 129
# Relative to the range searched: far below any digit printed.
PRECISION = 1e-10


@dataclass(frozen=True)
class Tie:
    """Where two components tie as one feature moves.

    Attributes
    ----------
    feature
        Name of the feature.
    value
        What was observed of it.
    at
        The value nearest to it at which the two tie; None where there is none in the range.
    low, high
        The range searched: that of the data, and the row's own value.
    above
        Label of a third component that is more probable than both there; None where none is.
    """

    feature: str
    value: float
    at: float | None
    low: float
    high: float
    above: Any = None


def ties(
    one: OneRow, permutation: NDArray, first: int, second: int, labels: NDArray
) -> tuple[tuple[Tie, ...], str]:
    """The nearest tie along every continuous feature, and what could not be moved.

    Parameters
    ----------
    one
        The row.
    permutation
        Raw component of each matched one, (sample, component).
    first, second
        Positions of the two leading components among the matched ones.
    labels
        Names of the components.

    Returns
    -------
    ties
        One for each continuous feature.
    reason
        A sentence where features were left out, else empty.
    """
    cells = features_of(one.here, one.row)
    by_name = {rv.name: rv for rv in one.here.model.basic_RVs}
    moving: list[Feature] = []
    still: list[Feature] = []
    for name, features in cells.items():
        continuous = name in by_name and np.dtype(by_name[name].type.dtype).kind == "f"
        (moving if continuous else still).extend(features)
    if moving and not one.alone:
        cause = (
            "some cells of the table are missing, and which ones is a part of the model"
            if has_missing(one.here.model)
            else "what a row is like depends on more than its features (its group, subject, label "
            "or error)"
        )
        return (), (
            f"What would change its mind is not known: {cause}, so no feature of one row can be "
            "moved alone."
        )
    reason = ""
    if still:
        reason = f"Not moved, because not continuous: {listed([f.name for f in still], 6)}."
    return tuple(_tie(one, f, permutation, first, second, labels) for f in moving), reason


def _tie(
    one: OneRow, feature: Feature, permutation: NDArray, first: int, second: int, labels: NDArray
) -> Tie:
    n = one.here.n_obs
    column = one.all_data[feature.variable].reshape(n, -1)[:, feature.position]
    fitted = one.entries.data[feature.variable]
    fitted = fitted.reshape(len(fitted), -1)[:, feature.position]
    own = float(feature.value)
    low, high = min(float(fitted.min()), own), max(float(fitted.max()), own)

    def averaged(at: NDArray) -> NDArray[np.float64]:
        data = one.rows_like(len(at))
        moved = np.array(data[feature.variable])
        moved.reshape(len(at), -1)[:, feature.position] = at
        return one.averaged({**data, feature.variable: moved}, permutation)

    def gap(at: float) -> float:
        r = averaged(np.array([at]))[0]
        return float(r[first] - r[second])

    quantiles = np.quantile(fitted, np.linspace(0, 1, GRID))
    grid = np.unique(np.concatenate([np.linspace(low, high, GRID), quantiles, [own]]))
    # The column may hold numbers of low precision; the grid has to be numbers that it can hold.
    grid = np.unique(grid.astype(column.dtype).astype(float))
    r = averaged(grid)
    g = r[:, first] - r[:, second]
    # Both may be zero to the last digit, far away where a third component has it all.
    found: list[float] = [float(v) for v in grid[(g == 0.0) & (r[:, first] > 0)]]
    with np.errstate(invalid="ignore"):
        crossed = np.flatnonzero(g[:-1] * g[1:] < 0)
    # Only the nearest crossing on either side can be the nearest of all.
    left, right = crossed[grid[crossed] < own], crossed[grid[crossed] >= own]
    for at in (*left[-1:], *right[:1]):
        found.append(
            float(brentq(gap, grid[at], grid[at + 1], xtol=PRECISION * (high - low) + 1e-300))
        )
    if not found:
        return Tie(feature.name, own, None, low, high)
    nearest = min(found, key=lambda v: abs(v - own))
    there = averaged(np.array([nearest]))[0]
    top = int(np.argmax(there))
    above = labels[top] if there[top] > there[[first, second]].max() * (1 + 1e-6) else None
    return Tie(feature.name, own, nearest, low, high, above)
