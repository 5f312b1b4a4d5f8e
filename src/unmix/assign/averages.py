"""Mean, spread and quantiles of a stream of draws of numbers in [0, 1]."""

import numpy as np
from numpy.typing import NDArray

from unmix.assign.quantiles import Quantiles


class Averages:
    """What is said of every (row, component) cell over draws that come block by block.

    Attributes
    ----------
    mean
        Over the draws so far, shape (row, component).
    quantiles
        Of the same draws.
    """

    def __init__(self, samples: int, n: int, k: int) -> None:
        self.mean = np.zeros((n, k))
        self.quantiles = Quantiles(samples, n, k)
        self._scatter = np.zeros((n, k))
        self._seen = 0

    def update(self, values: NDArray[np.float64]) -> None:
        """Add draws, shape (sample, row, component).

        Means and scatters of blocks are merged (Chan, Golub and LeVeque 1983, Am. Stat. 37:242):
        sums of squares would lose the spread of numbers near one.
        """
        of_block = values.mean(axis=0)
        step = of_block - self.mean
        share = len(values) / (self._seen + len(values))
        self._scatter += np.square(values - of_block).sum(axis=0)
        self._scatter += np.square(step) * self._seen * share
        self.mean += step * share
        self._seen += len(values)
        self.quantiles.update(values)

    @property
    def sd(self) -> NDArray[np.float64]:
        """Standard deviation over draws, shape (row, component)."""
        return np.sqrt(self._scatter / max(self._seen - 1, 1))

    def cells(self, interval: float, prefix: str = "") -> dict[str, NDArray[np.float64]]:
        """Ends of the equal-tailed interval, by name."""
        return {
            f"{prefix}lower": self.quantiles.quantile((1 - interval) / 2),
            f"{prefix}upper": self.quantiles.quantile((1 + interval) / 2),
        }
