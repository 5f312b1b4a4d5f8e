"""What an E-step hands to an M-step: responsibilities of rows, or sums of each kind of rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from unmix.onepass.kind_sums import KindSums

Theta = dict[str, NDArray]
# From θ and r (obs, component), times the rows' weights, to new values of some parameters; and the
# same from the sums of a pass in parts.
Step = Callable[[Theta, NDArray], Theta]
StepOfSums = Callable[[Theta, KindSums], Theta]
# A component counts as collapsed when its peak density is this much (in logs) above that of one
# component fitted to everything: a standard deviation 10^-6 of the data's in one dimension.
PEAK = np.log(1e6)


@dataclass(frozen=True)
class ClosedForm:
    """A part of the M-step in closed form.

    Attributes
    ----------
    names
        Parameters it sets.
    step
        From θ and responsibilities of rows to their new values.
    of_sums
        From θ and sums of kinds of rows to the same.
    """

    names: tuple[str, ...]
    step: Step
    of_sums: StepOfSums


class Expected(Protocol):
    """An E-step's result.

    Attributes
    ----------
    value
        The objective where it was made; NaN where responsibilities were given.
    counts
        Rows of each component, Σ_i r_ik times the rows' weights, (component,).
    """

    value: float
    counts: NDArray[np.float64]

    def step(self, block: ClosedForm, theta: Theta) -> Theta:
        """New values of a block's parameters."""

    def q(self, u: NDArray) -> tuple[float, NDArray]:
        """Q at an unconstrained vector, up to base measures, and its gradient."""

    def has_collapsed(self, peak: float, group: NDArray) -> bool:
        """Whether a component sits on a few distinct rows; see `has_collapsed`."""

    def means(self, feature: NDArray) -> NDArray[np.float64]:
        """Mean of a feature (obs,) over the rows of each component, (component,)."""


class ByRow:
    """Responsibilities of all rows; `Expected` says what its members are.

    Parameters
    ----------
    objective
        Whose E-step it was.
    value
        The objective.
    responsibility
        Shape (obs, component).
    log_likelihood
        log p(x_i | z_i = k, θ), (obs, component); None where responsibilities were given.
    """

    def __init__(
        self,
        objective: Any,
        value: float,
        responsibility: NDArray,
        log_likelihood: NDArray | None = None,
    ) -> None:
        self.value, self.responsibility = value, responsibility
        self._objective, self._log_likelihood = objective, log_likelihood
        self._weighed = objective.weighed(responsibility)
        self.counts = self._weighed.sum(axis=0)

    def step(self, block: ClosedForm, theta: Theta) -> Theta:
        """New values of a block's parameters."""
        return block.step(theta, self._weighed)

    def q(self, u: NDArray) -> tuple[float, NDArray]:
        """Q and its gradient."""
        value, gradient = self._objective.expected(u, self._weighed)
        return value, gradient

    def has_collapsed(self, peak: float, group: NDArray) -> bool:
        """Whether a component sits on a few distinct rows."""
        assert self._log_likelihood is not None
        return has_collapsed(self.responsibility, self._log_likelihood, peak, group)

    def means(self, feature: NDArray) -> NDArray[np.float64]:
        """Mean of a feature over the rows of each component."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray((self._weighed.T @ feature) / self.counts)


class ByKind:
    """Sums of each kind of rows; responsibilities are looked at only where rows have to be.

    Parameters
    ----------
    objective
        Whose E-step it was, a `PartsObjective`.
    value
        The objective.
    sums
        Of the pass.
    theta
        Where it was made; None where responsibilities were given.
    """

    def __init__(
        self, objective: Any, value: float, sums: KindSums, theta: Theta | None = None
    ) -> None:
        self.value, self.sums, self.counts = value, sums, sums.counts
        self._objective, self._theta = objective, theta

    def step(self, block: ClosedForm, theta: Theta) -> Theta:
        """New values of a block's parameters."""
        return block.of_sums(theta, self.sums)

    def q(self, u: NDArray) -> tuple[float, NDArray]:
        """Q and its gradient."""
        value, gradient = self._objective.expected_of_sums(u, self.sums)
        return value, gradient

    def has_collapsed(self, peak: float, group: NDArray) -> bool:
        """Whether a component sits on a few distinct rows."""
        # No row's density is above the peak of its component.
        if not np.any(self.sums.parts.peaks(self.sums.about) - peak >= PEAK):
            return False
        return self._by_row().has_collapsed(peak, group)

    def means(self, feature: NDArray) -> NDArray[np.float64]:
        """Mean of a feature over the rows of each component."""
        return self._by_row().means(feature)

    def _by_row(self) -> ByRow:
        assert self._theta is not None
        return ByRow(self._objective, *self._objective.expectation(self._theta))


def has_collapsed(
    responsibility: NDArray, log_likelihood: NDArray, peak: float, group: NDArray
) -> bool:
    """Whether a component sits on a few distinct rows with a density beyond all proportion.

    Parameters
    ----------
    responsibility, log_likelihood
        Shape (obs, component).
    peak
        Largest log-likelihood of a row under one component fitted to all rows.
    group
        Group number of each row, (obs,); equal data, equal number.
    """
    n_groups = int(group.max()) + 1
    for k in range(responsibility.shape[1]):
        if np.max(log_likelihood[:, k]) - peak < PEAK:
            continue
        share = np.zeros(n_groups)
        np.maximum.at(share, group, responsibility[:, k])
        if share.sum() < max(3.0, 0.02 * n_groups):
            return True
    return False
