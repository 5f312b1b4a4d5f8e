"""Quantiles of responsibilities over draws, in memory that does not grow with the draws.

Where all draws fit a fixed budget they are kept (single precision) and quantiles are exact.
Otherwise each (obs, component) cell keeps a histogram of its draws on [0, 1], and a quantile is
known to one bin's width.
"""

import numpy as np
from numpy.typing import NDArray

# Numbers kept exactly: 2^25 float32 are 128 MiB.
EXACT = 2**25
BINS = 128


class Quantiles:
    """Quantiles of a stream of arrays of numbers in [0, 1].

    Attributes
    ----------
    exact
        Whether all draws are kept. Else quantiles are within 1/128.
    """

    def __init__(self, samples: int, n: int, k: int) -> None:
        self.exact = samples * n * k <= EXACT
        self._filled = 0
        self._shape = (n, k)
        if self.exact:
            self._draws = np.empty((samples, n, k), dtype=np.float32)
        else:
            count = np.uint16 if samples < 2**16 else np.uint32
            self._counts = np.zeros(n * k * BINS, dtype=count)
            self._offset = np.arange(n * k, dtype=np.int64) * BINS

    def update(self, values: NDArray[np.float64]) -> None:
        """Add draws, shape (sample, obs, component)."""
        if self.exact:
            self._draws[self._filled : self._filled + len(values)] = values
            self._filled += len(values)
            return
        for value in values:
            which = np.minimum((value.ravel() * BINS).astype(np.int64), BINS - 1)
            self._counts[self._offset + which] += 1  # each cell once a draw, so no index repeats
            self._filled += 1

    def quantile(self, p: float) -> NDArray[np.float64]:
        """The p-quantile of every cell, shape (obs, component)."""
        if self.exact:
            return np.quantile(self._draws[: self._filled], p, axis=0).astype(np.float64)
        target = p * self._filled
        out = np.empty(self._shape[0] * self._shape[1])
        counts = self._counts.reshape(-1, BINS)
        for start in range(0, len(out), 65536):
            part = np.cumsum(counts[start : start + 65536], axis=1, dtype=np.int64)
            at = (part < target).sum(axis=1)
            at = np.minimum(at, BINS - 1)
            rows = np.arange(len(part))
            below = np.where(at > 0, part[rows, at - 1], 0)
            inside = np.maximum(part[rows, at] - below, 1)
            out[start : start + 65536] = (at + (target - below) / inside) / BINS
        return np.clip(out, 0.0, 1.0).reshape(self._shape)
