"""What EM found: one point of θ, how it was reached, and what two criteria make of it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from unmix.derive.correlations import with_matrices
from unmix.infer.objective import Kind
from unmix.infer.status import Status

Assignments = Literal["expected", "hard"]


@dataclass(frozen=True)
class EMResult:
    """One point of θ, with what is known about it.

    Attributes
    ----------
    theta
        The parameters, with the model's names and dims. Of parameters that the objective does not
        touch there is none.
    log_likelihood
        Σ_i log p(x_i | θ), nats.
    objective
        What was maximised: the log-likelihood; or that plus the log prior density; or, with hard
        assignments, the classification log-likelihood Σ_i log p(z_i, x_i | θ).
    kind
        ``"likelihood"`` or ``"posterior"``.
    df
        Unconstrained dimensions of the parameters maximised over.
    n_obs
        Number of observations.
    status
        How it ended, with advice.
    trace
        The objective at each iteration of the best start.
    starts
        For each start (dim ``start``): ``objective``, ``iterations``, ``status``,
        ``reached_best``.
    left_out
        Parameters that the likelihood does not touch.
    fixed
        Parameters held at given values.
    seconds, seed
        Time taken; the seed, where one was given.
    assignments
        ``"expected"``; or ``"hard"``: classification EM, whose θ does not maximise the likelihood.
    weight
        N: the sum of the rows' weights; the number of observations where each counts once.
    """

    theta: xr.Dataset
    log_likelihood: float
    objective: float
    kind: Kind
    df: int
    n_obs: int
    status: Status
    trace: NDArray
    starts: xr.Dataset
    left_out: tuple[str, ...]
    fixed: tuple[str, ...]
    seconds: float
    seed: int | None
    assignments: Assignments = "expected"
    weight: float | None = None

    @property
    def converged(self) -> bool:
        """Whether the parameters stand still at a proper maximum."""
        return self.status.name == "converged"

    @property
    def aic(self) -> float:
        """−2 ℓ + 2 df, smaller is better; NaN unless maximum likelihood (Akaike 1974)."""
        return -2 * self.log_likelihood + 2 * self.df if self._maximum_likelihood else np.nan

    @property
    def bic(self) -> float:
        """−2 ℓ + df log N, smaller is better; NaN unless maximum likelihood (Schwarz 1978)."""
        if not self._maximum_likelihood:
            return np.nan
        return -2 * self.log_likelihood + self.df * np.log(self.total_weight)

    @property
    def total_weight(self) -> float:
        """N: how many observations the rows count for."""
        return float(self.n_obs) if self.weight is None else self.weight

    @property
    def _maximum_likelihood(self) -> bool:
        return self.kind == "likelihood" and self.assignments == "expected"

    @property
    def maximised(self) -> str:
        """What was maximised, in words."""
        if self.assignments == "hard":
            return "maximum classification likelihood"
        return "maximum likelihood" if self.kind == "likelihood" else "posterior mode"

    def __str__(self) -> str:
        best = int(self.starts["reached_best"].sum())
        lines = [
            f"EM, {self.maximised}: {self.status}",
            f"  log-likelihood {self.log_likelihood:.6f}, df {self.df}, N {self.n_obs}"
            + ("" if self.total_weight == self.n_obs else f" of weight {self.total_weight:g}")
            + (f", AIC {self.aic:.3f}, BIC {self.bic:.3f}" if self._maximum_likelihood else "")
            + (
                f", classification log-likelihood {self.objective:.6f}"
                if self.assignments == "hard"
                else ""
            ),
            f"  {best} of {self.starts.sizes['start']} starts reached it, "
            f"{len(self.trace)} iterations, {self.seconds:.1f} s",
        ]
        if self.left_out:
            lines.append(f"  not in the likelihood, left out: {', '.join(self.left_out)}")
        if self.fixed:
            lines.append(f"  fixed: {', '.join(self.fixed)}")
        for name, value in with_matrices(self.theta).items():
            with np.printoptions(precision=5, suppress=True, threshold=40):
                lines.append(f"  {name} = {str(value.values).replace(chr(10), ' ')}")
        return "\n".join(lines)
