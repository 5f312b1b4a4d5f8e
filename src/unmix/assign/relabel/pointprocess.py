"""Whether components keep apart over draws: the posterior seen as a point process.

Each draw throws K points, one for each component, into the space of a component's parameters,
whatever their names. Where components are identified the points of all draws fall into K heaps, and
each draw has one point in each. So the points are sorted into K heaps by K-means, and the share of
draws that do not fall one into each heap is counted: their sequence of heaps *is not a permutation*
(Frühwirth-Schnatter 2011, Dealing with label switching under model uncertainty, in Mixtures:
Estimation and Applications, Wiley, chapter 10). K-means begins at the means of the aligned draws.

Each number is first replaced by the normal score of its rank over all draws and components, so that
neither units nor a far draw of a variance decide, and σ and σ² say the same.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

# Lloyd's algorithm from a good start settles in a few rounds.
_ROUNDS = 50


def normal_scores(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks over draws and components as normal quantiles (Blom 1958), number by number."""
    samples, k, d = values.shape
    flat = values.reshape(-1, d)
    varies = np.ptp(flat, axis=0) > 0
    ranks = rankdata(flat[:, varies], axis=0)
    return ndtri((ranks - 0.375) / (samples * k + 0.25)).reshape(samples, k, -1)


def heaps(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The heap that every component of every draw falls into, shape (sample, component).

    Parameters
    ----------
    values
        Aligned, shape (sample, component, number).
    """
    points = normal_scores(values)
    samples, k, d = points.shape
    if d == 0:
        return np.zeros((samples, k), dtype=np.int64)  # all points are one
    flat = points.reshape(-1, d)
    centre = points.mean(axis=0)
    which = np.full(len(flat), -1)
    for _ in range(_ROUNDS):
        distance = np.square(centre).sum(axis=1) - 2 * flat @ centre.T
        now = np.argmin(distance, axis=1)
        if np.array_equal(now, which):
            break
        which = now
        for heap in range(k):
            if (which == heap).any():
                centre[heap] = flat[which == heap].mean(axis=0)
    return which.reshape(samples, k)


def not_permutations(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which draws do not have one component in each heap, shape (sample,).

    Parameters
    ----------
    values
        Aligned, shape (sample, component, number).
    """
    k = values.shape[1]
    return np.any(np.sort(heaps(values), axis=1) != np.arange(k), axis=1)
