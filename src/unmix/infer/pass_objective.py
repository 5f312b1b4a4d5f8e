r"""The objective of EM on the fast road: its value, and its gradient, at one pass each.

Q(θ; r) = Σ_ik r_ik log p(z_i = k, x_i | θ) depends on the rows through the pass's sums alone, so an
M-step costs the same whatever N; and at the θ of the sums its gradient is that of the log marginal
likelihood (Fisher's identity).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.infer.objective import Objective, Theta
from unmix.infer.readings import Readings, find_readings
from unmix.onepass.distinct import distinct
from unmix.onepass.onepass import OnePass
from unmix.onepass.sums import Sums


@dataclass(frozen=True, eq=False)
class PassObjective(Objective):
    """An objective whose data are summed by the pass.

    Attributes
    ----------
    onepass
        The pass over the rows.
    """

    onepass: OnePass

    @cached_property
    def counted(self) -> OnePass:
        """The pass for what is summed over all rows: equal ones counted once."""
        return distinct(self.onepass)

    @cached_property
    def readings(self) -> Readings | None:
        """How θ is read off packed parameters, where the whole M-step has a closed form."""
        return find_readings(self, self.onepass.recognised)

    def sums(self, theta: Theta) -> tuple[float, Sums]:
        """The objective at θ, and the E-step's sums."""
        sums = self.counted.run(*self.onepass.recognised.pack(theta))
        return sums.log_marginal + self.rest(theta), sums

    def value(self, theta: Theta) -> float:
        """The objective at θ."""
        return self.sums(theta)[0]

    def log_likelihood(self, theta: Theta) -> float:
        """ℓ(θ), whatever the objective."""
        sums = self.counted.run(*self.onepass.recognised.pack(theta))
        return sums.log_marginal + self.other_observed(theta)

    @cached_property
    def _gradient_of_sums(self) -> Callable[..., Any]:
        recognised = self.onepass.recognised
        sums = self.onepass.symbols()
        q = self.onepass.expected(recognised.log_w, recognised.packed, *sums)
        return self.compile_over_u(q + self.rest_graph, list(sums))

    def expected_sums(self, u: NDArray, sums: Sums) -> tuple[float, NDArray]:
        """Q(θ(u)), up to base measures, and its gradient over u."""
        value, gradient = self._gradient_of_sums(u, sums.n, sums.statistics, sums.about)
        return float(value), np.asarray(gradient)

    def gradient(self, u: NDArray) -> tuple[float, NDArray]:
        """The objective and its gradient over u, by Fisher's identity."""
        value, sums = self.sums(self.theta(u))
        if not np.isfinite(value):
            return -np.inf, np.zeros_like(u)
        return value, self.expected_sums(u, sums)[1]
