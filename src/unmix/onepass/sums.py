"""What a pass over rows returns, and how it adds up over rows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Sums:
    """What a pass returns.

    Attributes
    ----------
    log_marginal
        Σ_i weight_i log p(x_i | θ), nats.
    n
        Σ_i a_ik, shape (component,).
    statistics
        The families' sums, shape (component, statistic), taken about ``about``.
    about
        Packed parameters, (component, parameter).
    """

    log_marginal: float
    n: NDArray[np.float64]
    statistics: NDArray[np.float64]
    about: NDArray[np.float64]

    @property
    def counts(self) -> NDArray[np.float64]:
        """Σ_i a_ik, (component,), as of kinds of rows."""
        return self.n

    def __add__(self, other: "Sums") -> "Sums":
        """Sums over both sets of rows, at the same parameters."""
        if not np.array_equal(self.about, other.about):
            raise ValueError("sums at different parameters do not add")
        return Sums(
            self.log_marginal + other.log_marginal,
            self.n + other.n,
            self.statistics + other.statistics,
            self.about,
        )
