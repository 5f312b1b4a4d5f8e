r"""The objective of EM where the data are passed over in parts (`unmix.onepass.parts`).

The E-step is the compiled pass. The M-step raises Q(θ; r), which depends on the rows through each
kind's sums alone: closed forms and gradients cost the same whatever N.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.derive import bayes, row_weights
from unmix.infer.expected import ByKind, Expected
from unmix.infer.objective import Objective, Theta
from unmix.onepass.kind_sums import KindSums
from unmix.onepass.parts import Parts


@dataclass(frozen=True, eq=False)
class PartsObjective(Objective):
    """An objective whose data are summed kind by kind.

    Attributes
    ----------
    parts
        The pass.
    """

    parts: Parts

    def expect(self, theta: Theta) -> Expected:
        """E-step by one pass, summed kind by kind."""
        sums = self.parts.run(*self.parts.pack(theta))
        return ByKind(self, sums.log_marginal + self.rest(theta), sums, theta)

    def given(self, responsibility: NDArray) -> Expected:
        """Responsibilities (obs, component) in place of an E-step."""
        sums = self.parts.given(self.weighed(responsibility), self.parts.neutral())
        return ByKind(self, np.nan, sums)

    def expectation(self, theta: Theta) -> tuple[float, NDArray, NDArray]:
        """E-step row by row, as `Objective.expectation`."""
        log_w, packed = self.parts.pack(theta)
        joint = self.parts.joint(log_w, packed)
        log_marginal, r = bayes.normalise(joint)
        total = float(row_weights.total(log_marginal, self.derivation.weight))
        with np.errstate(invalid="ignore"):
            log_likelihood = joint - log_w[self.parts.kind]
        return total + self.rest(theta), r, log_likelihood

    def log_likelihood(self, theta: Theta) -> float:
        """ℓ(θ), whatever the objective."""
        return self.parts.run(*self.parts.pack(theta)).log_marginal + self.other_observed(theta)

    def expected_of_sums(self, u: NDArray, sums: KindSums) -> tuple[float, NDArray]:
        """Q(θ(u)), up to base measures, and its gradient over u."""
        value, gradient = self._gradient_of_sums(u, sums.n, sums.statistics, sums.about)
        return float(value), np.asarray(gradient)

    @cached_property
    def _gradient_of_sums(self) -> Callable[..., Any]:
        recognised = self.parts.recognised
        sums = self.parts.symbols()
        q = self.parts.expected(recognised.log_w, recognised.packed, *sums)
        return self.compile_over_u(q + self.rest_graph, list(sums))
