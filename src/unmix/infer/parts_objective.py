r"""The objective of EM where the data are passed over in parts (`unmix.onepass.parts`).

The E-step is the compiled pass. The M-step climbs Q(θ; r), which depends on the rows through each
kind's sums alone: those are taken once for each r, and a gradient costs the same whatever N.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray

from unmix.derive import bayes, row_weights
from unmix.infer.objective import Objective, Theta
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
    _kept: dict[str, Any] = field(default_factory=dict)

    def expectation(self, theta: Theta) -> tuple[float, NDArray, NDArray]:
        """E-step, as `Objective.expectation`."""
        log_w, packed = self.parts.pack(theta)
        joint = self.parts.joint(log_w, packed)
        log_marginal, r = bayes.normalise(joint)
        total = float(row_weights.total(log_marginal, self.derivation.weight))
        with np.errstate(invalid="ignore"):
            log_likelihood = joint - log_w[self.parts.kind]
        self._kept["about"] = packed
        return total + self.rest(theta), r, log_likelihood

    def log_likelihood(self, theta: Theta) -> float:
        """ℓ(θ), whatever the objective."""
        log_marginal, _ = bayes.normalise(self.parts.joint(*self.parts.pack(theta)))
        summed = float(row_weights.total(log_marginal, self.derivation.weight))
        return summed + self.other_observed(theta)

    def expected(self, u: NDArray, responsibility: NDArray) -> tuple[float, NDArray]:
        """Q(θ(u); r), up to base measures, and its gradient over u."""
        value, gradient = self._gradient_of_sums(u, *self._sums(responsibility))
        return float(value), np.asarray(gradient)

    def _sums(self, r: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """Counts, statistics and what these are about; taken once for an r."""
        if self._kept.get("r") is not r:
            about = self._kept.get("about")
            if about is None or not np.isfinite(about).all():
                about = self.parts.neutral()
            kinds = self.parts.recognised.packed.type.shape[0]
            about = np.broadcast_to(about, (kinds, *about.shape[1:]))
            self._kept["r"] = r
            self._kept["sums"] = (*self.parts.given(r, about), np.ascontiguousarray(about))
        kept: tuple[NDArray, NDArray, NDArray] = self._kept["sums"]
        return kept

    @cached_property
    def _gradient_of_sums(self) -> Callable[..., Any]:
        recognised = self.parts.recognised
        n, sums, about = pt.matrix("n"), pt.tensor3("sums"), pt.tensor3("about")
        q = self.parts.expected(recognised.log_w, recognised.packed, n, sums, about)
        return self.compile_over_u(q + self.rest_graph, [n, sums, about])
