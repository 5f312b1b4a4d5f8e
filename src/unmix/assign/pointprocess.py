"""Whether components keep apart over draws: the posterior seen as a point process.

Each draw throws K points, one for each component, into the space of a component's parameters,
whatever their names. Where components are identified the points of all draws fall into K heaps, and
each draw has one point in each. So the points are sorted into K heaps by K-means, and the share of
draws that do not fall one into each heap is counted: their sequence of heaps *is not a permutation*
(Frühwirth-Schnatter 2011, Dealing with label switching under model uncertainty, in Mixtures:
Estimation and Applications, Wiley, chapter 10). K-means begins at the medians of the aligned draws.

Units must not decide, nor a far draw of a variance, nor whether σ or σ² was sampled. So numbers
that are always positive enter by their logarithm, each is cut at its outermost hundredths, and it
counts in units of its spread within the aligned components.
"""

import numpy as np
from numpy.typing import NDArray

# Lloyd's algorithm from a good start settles in a few rounds.
_ROUNDS = 50
_OUTERMOST = 0.01


def scaled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numbers that vary, comparable with each other, shape (sample, component, number)."""
    values = values[..., np.ptp(values, axis=(0, 1)) > 0]
    positive = (values > 0).all(axis=(0, 1))
    values = np.where(positive, np.log(np.where(positive, values, 1.0)), values)
    low, high = np.quantile(values, [_OUTERMOST, 1 - _OUTERMOST], axis=(0, 1))
    values = np.clip(values, low, high)
    within = np.median(np.abs(values - np.median(values, axis=0)), axis=(0, 1))
    # What hardly moves within its component counts in units of its spread over all of them.
    spread = values.std(axis=(0, 1))
    unit = np.where(within > 1e-6 * spread, within, spread)
    return values / np.where(unit > 0, unit, 1.0)


def heaps(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The heap that every component of every draw falls into, shape (sample, component).

    Parameters
    ----------
    values
        Aligned, shape (sample, component, number).
    """
    points = scaled(values)
    samples, k, d = points.shape
    if d == 0:
        return np.zeros((samples, k), dtype=np.int64)  # all points are one
    flat = points.reshape(-1, d)
    centre = np.median(points, axis=0)
    which = np.full(len(flat), -1)
    for _ in range(_ROUNDS):
        now = np.argmin(np.square(centre).sum(axis=1) - 2 * flat @ centre.T, axis=1)
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
