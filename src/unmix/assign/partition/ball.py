r"""The credible ball around a partition: how far the posterior reaches from it, and where to.

.. math:: B_ε(c) = \{c' : d(c, c') ≤ ε\}, \qquad ε^* = \min\{ε : P(c' ∈ B_ε(c) \mid x) ≥ level\}

P is the share of draws. Its bounds are draws inside the ball: horizontal, the farthest from c;
vertical upper, the farthest among those with the fewest components; vertical lower, the farthest
among those with the most (Wade and Ghahramani 2018, Bayesian Anal. 13:559, section 4). There may be
several of each.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from unmix.assign.partition.expected import in_common

Distance = Literal["vi", "binder"]
# What rounding may make of equal distances, relative to log₂ N bits.
ROUNDING = 1e-12


@dataclass(frozen=True)
class CredibleBall:
    """A credible ball around a partition.

    Attributes
    ----------
    level
        The mass that the ball holds at least.
    distance
        ``"vi"``, in bits, or ``"binder"``, pairs of rows that differ.
    radius
        ε*.
    share
        The share of draws within it.
    distances
        From the partition to every draw, shape (sample,).
    horizontal
        Draws within the ball that are farthest, shape (bound, obs), numbered by first appearance.
    vertical_upper, vertical_lower
        The farthest of those with the fewest, and with the most, components.
    """

    level: float
    distance: Distance
    radius: float
    share: float
    distances: NDArray[np.float64]
    horizontal: NDArray[np.int64]
    vertical_upper: NDArray[np.int64]
    vertical_lower: NDArray[np.int64]

    def __str__(self) -> str:
        unit = "bits of VI" if self.distance == "vi" else "pairs of rows"
        upper, lower = (int(v.max()) + 1 for v in (self.vertical_upper, self.vertical_lower))
        many = f"{upper}" if upper == lower else f"{upper} to {lower}"
        return (
            f"{100 * self.level:g}% credible ball: radius {self.radius:.4g} {unit}, "
            f"{many} component{'' if many == '1' else 's'}"
        )


def credible_ball(
    c: NDArray[np.int64],
    z: NDArray[np.integer],
    level: float = 0.95,
    distance: Distance = "vi",
) -> CredibleBall:
    """The credible ball of draws around a partition.

    Parameters
    ----------
    c
        The partition, shape (obs,), numbered from 0.
    z
        Draws, shape (sample, obs), numbered by first appearance.
    level
        Mass of the ball.
    distance
        ``"vi"`` or ``"binder"``.
    """
    common = in_common(c, z)
    d = common.vi if distance == "vi" else common.binder
    slack = ROUNDING * (1.0 + float(d.max()))
    # Of T draws the ceil(level · T) nearest; the product may be a whole number but for rounding.
    count = max(1, int(np.ceil(level * len(d) - 1e-9)))
    radius = float(np.sort(d)[count - 1])
    inside = d <= radius + slack
    components = z.max(axis=1).astype(np.int64) + 1
    few, many = components[inside].min(), components[inside].max()

    def farthest(among: NDArray[np.bool_]) -> NDArray[np.int64]:
        chosen = among & (d >= d[among].max() - slack)
        return np.unique(z[chosen].astype(np.int64), axis=0)

    return CredibleBall(
        level,
        distance,
        radius,
        float(inside.mean()),
        d,
        farthest(inside),
        farthest(inside & (components == few)),
        farthest(inside & (components == many)),
    )
