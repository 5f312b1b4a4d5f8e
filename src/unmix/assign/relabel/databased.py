r"""Data-based relabelling: the rows of each component are matched to centres in the data.

A draw takes the names under which its rows lie nearest to K centres m with spreads s,

.. math:: c_{kj} = \sum_{i: z_i = j} \sum_g \Bigl(\frac{x_{ig} - m_{kg}}{s_{kg}}\Bigr)^2

(Rodríguez and Walker 2014, JCGS 23:25, algorithms 5 and 6). Centres and spreads come from the draws
in a first round: each draw is matched to those found so far, and its components' means and standard
deviations enter the running means. Of a draw only its components' counts, sums and sums of squares
are needed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from unmix.assign.assignment import Symmetry
from unmix.assign.relabel.ecr import draw_blocks


@dataclass(frozen=True)
class Moments:
    """The rows of each component of each draw, summed up about the data's mean.

    Attributes
    ----------
    count
        Shape (sample, component).
    total, square
        Sums and sums of squares, shape (sample, component, feature).
    """

    count: NDArray[np.float64]
    total: NDArray[np.float64]
    square: NDArray[np.float64]


def moments(z: NDArray, x: NDArray[np.float64], k: int) -> Moments:
    """Sum up the rows of each component.

    Parameters
    ----------
    z
        Assignments, shape (sample, obs).
    x
        Data less their mean, shape (obs, feature).
    k
        K.
    """
    samples, n = z.shape
    d = x.shape[1]
    count, sums = np.empty((samples, k)), np.empty((samples, k, 2 * d))
    columns = np.concatenate([x, x**2], axis=1)
    for part in draw_blocks(samples, n * max(1, d)):
        for component in range(k):
            mine = (z[part] == component).astype(float)
            count[part, component] = mine.sum(axis=1)
            sums[part, component] = mine @ columns
    return Moments(count, sums[..., :d], sums[..., d:])


def centres(
    m: Moments, x: NDArray[np.float64], symmetry: Symmetry
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres and spreads by the first round over the draws, shapes (component, feature).

    It begins with centres evenly spread over each feature's range.
    """
    k, d = m.count.shape[1], x.shape[1]
    low, reach = x.min(axis=0), np.ptp(x, axis=0)
    reach = np.where(reach > 0, reach, 1.0)
    centre = low + reach * (np.arange(1, k + 1) / (k + 1))[:, None]
    spread = np.tile(reach / k, (k, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = m.total / m.count[..., None]
        inner = m.square - m.total * mean
        sd = np.sqrt(np.maximum(inner, 0.0) / (m.count[..., None] - 1))
    seen, spreads_seen = np.zeros(k), np.zeros((k, d))
    for s in range(len(m.count)):
        cost = databased_cost(Moments(*(v[s : s + 1] for v in (m.count, m.total, m.square))),
                              centre, spread)[0]  # fmt: skip
        order = np.arange(k)
        for block in symmetry:
            members = np.array(block)
            order[members] = members[linear_sum_assignment(cost[np.ix_(members, members)])[1]]
        there = m.count[s, order] > 0
        seen[there] += 1
        centre[there] += (mean[s, order][there] - centre[there]) / seen[there, None]
        # Rows that are all alike have no spread to learn from, and would make one of zero.
        wide = (m.count[s, order] > 1)[:, None] & (sd[s, order] > 0)
        spreads_seen += wide
        step = (sd[s, order] - spread) / np.maximum(spreads_seen, 1)
        spread += np.where(wide, step, 0.0)
    return centre, spread


def databased_cost(
    m: Moments, centre: NDArray[np.float64], spread: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Squared distances of each component's rows from each centre, in spreads.

    Parameters
    ----------
    m
        From `moments`.
    centre, spread
        Shape (component, feature).

    Returns
    -------
    numpy.ndarray
        Shape (sample, component, component).
    """
    precision = spread**-2.0
    cost = np.einsum("kg,sjg->skj", precision, m.square)
    cost -= 2 * np.einsum("kg,sjg->skj", precision * centre, m.total)
    cost += (precision * centre**2).sum(axis=1)[None, :, None] * m.count[:, None, :]
    return np.maximum(cost, 0.0)
