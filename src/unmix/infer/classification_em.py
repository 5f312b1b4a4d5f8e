r"""Classification EM: every row belongs to one component, the most likely one, at each iteration.

It maximises the classification log-likelihood over θ and the assignments at once,

.. math:: C(θ, z) = \sum_i \log w_{z_i} + \log p(x_i \mid z_i, θ),

by turns: the C-step gives each row to its most likely component, the M-step fits each component to
its rows (Celeux and Govaert 1992, Computational Statistics & Data Analysis 14:315). C never goes
down, and as there are finitely many assignments the run ends, where no row moves. With equal
weights and one common spherical variance it is k-means. Estimates are biased where components
overlap, since each is fitted to what the cuts leave of it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray

from unmix.derive.compiling import compile_table
from unmix.derive.latent import z_dtype
from unmix.errors import UnmixError
from unmix.infer.collapse import component_means, has_collapsed, pooled_fit
from unmix.infer.em_run import IMPROPER, ROUNDING, Run
from unmix.infer.objective import Objective, Theta
from unmix.infer.packed_em import Packed, Rules, begin_packed
from unmix.infer.pass_em import climb, first_theta
from unmix.infer.pass_objective import PassObjective
from unmix.infer.progress import progress_bar
from unmix.infer.readings import Readings
from unmix.infer.starts import Start
from unmix.onepass.onepass import OnePass
from unmix.onepass.sums import Sums

# Quasi-Newton steps in an M-step without a closed form: to its maximum, so that the run can end.
STEPS = 200


class _Standing(Protocol):
    """Where a run stands: packed parameters, and how the M-step moves them."""

    @property
    def held(self) -> int:
        """How many variances the floor held in the last M-step."""

    def at(self) -> tuple[NDArray, NDArray]:
        """Log-weights (component,) and packed parameters (component, parameter)."""

    def move(self, sums: Sums) -> None:
        """The M-step."""

    def theta(self) -> Theta:
        """Constrained θ."""


@dataclass
class _Closed:
    """All of θ in closed form."""

    objective: PassObjective
    readings: Readings
    state: Packed

    @property
    def held(self) -> int:
        return self.state.held

    def at(self) -> tuple[NDArray, NDArray]:
        return self.state.copy()

    def move(self, sums: Sums) -> None:
        with np.errstate(divide="ignore", invalid="ignore"):
            self.state.maximise(sums)

    def theta(self) -> Theta:
        return {**self.objective.initial, **self.readings.theta(*self.at())}


@dataclass
class _Climbing:
    """θ by gradients of Q(θ; sums)."""

    objective: PassObjective
    point: Theta
    held = 0

    def at(self) -> tuple[NDArray, NDArray]:
        return self.objective.onepass.recognised.pack(self.point)

    def move(self, sums: Sums) -> None:
        self.point = climb(self.objective, self.point, sums, STEPS)

    def theta(self) -> Theta:
        return self.point


def run_hard_starts(
    objective: Objective, begin: Iterable[Start], number: int, rules: Rules, progress: bool
) -> list[Run]:
    """Run classification EM from starts.

    Raises
    ------
    UnmixError
        For the posterior mode, and on the general road.
    """
    if objective.kind != "likelihood":
        raise UnmixError(
            "assignments='hard' maximises the classification likelihood, in which priors play no "
            f"part: leave out kind={objective.kind!r}"
        )
    if not isinstance(objective, PassObjective):
        raise UnmixError(
            "assignments='hard' needs the compiled pass over the data, which this model does not "
            f"take ({objective.derivation.recognised}): leave it out"
        )
    value = complete_log_likelihood(objective.onepass)
    runs = []
    with progress_bar("classification EM", number, progress) as bar:
        for start in begin:
            try:
                runs.append(run_hard(objective, _hardened(start), rules, value))
            except ValueError as error:
                raise UnmixError(
                    "the likelihood cannot be evaluated at one component fitted to all rows "
                    f"({error}): are the data constant, or far outside what the family allows?"
                ) from error
            bar()
    return runs


def complete_log_likelihood(onepass: OnePass) -> Callable[[NDArray, Sums], float]:
    """C(θ, z) from log-weights and the sums of the C-step at the same θ."""
    recognised = onepass.recognised
    log_w, n = pt.vector("log_w"), pt.vector("n")
    statistics, packed = pt.matrix("statistics"), pt.matrix("packed")
    prior = recognised.expected_prior(log_w, n)
    total = prior + recognised.expected(packed, n, statistics, packed)
    compiled: Any = compile_table([log_w, packed, n, statistics], total)
    return lambda w, sums: (
        float(compiled(w, sums.about, sums.n, sums.statistics)) + onepass.log_base
    )


def run_hard(
    objective: PassObjective, start: Start, rules: Rules, value_at: Callable[[NDArray, Sums], float]
) -> Run:
    """Run classification EM from a start.

    Parameters
    ----------
    value_at
        From `complete_log_likelihood`.
    """
    onepass, readings = objective.onepass, objective.readings
    standing: _Standing
    if readings is None:
        standing = _Climbing(objective, first_theta(objective, start))
        peak = onepass.peaks(pooled_fit(onepass, start)[None])[0]
    else:
        state, peak = begin_packed(objective, readings, start, rules)
        standing = _Closed(objective, readings, state)
    peak = peak if np.isfinite(peak) else np.inf
    continuous = any(t.family.continuous for t in onepass.recognised.terms)
    z = np.zeros(onepass.n_obs, dtype=z_dtype(onepass.n_components))
    before = np.zeros_like(z)
    trace: list[float] = []
    outcome, proper = "iteration limit", standing.theta()
    for _ in range(rules.max_iterations):
        value, sums = _c_step(objective, standing, value_at, z)
        if sums is None or not np.isfinite(value):
            outcome = "collapsed" if continuous and trace else "failed"
            break
        if trace and value < trace[-1] - ROUNDING * (abs(value) + onepass.magnitude):
            outcome = "not monotone"
            break
        still = bool(trace) and np.array_equal(z, before)
        trace.append(value)
        proper, before[:] = standing.theta(), z
        if continuous and has_collapsed(onepass, *standing.at(), peak):
            outcome = "collapsed"
            break
        if sums.n.min() == 0.0:
            outcome = "emptied"
            break
        if still:
            outcome = "converged"
            break
        standing.move(sums)
    log_w, packed = onepass.recognised.pack(proper)
    means = component_means(onepass, log_w, packed) if trace else np.zeros(len(log_w))
    value = trace[-1] if trace else -np.inf
    return Run(
        proper, value, np.asarray(trace), outcome, means,
        standing.held if rules.floor > 0 else 0,
    )  # fmt: skip


def _c_step(
    objective: PassObjective,
    standing: _Standing,
    value_at: Callable[[NDArray, Sums], float],
    z: NDArray,
) -> tuple[float, Sums | None]:
    """Each row to its most likely component: C(θ, z), with the sums; z is written."""
    try:
        log_w, packed = standing.at()
        if np.isnan(packed).any() or np.isnan(log_w).any():
            return np.nan, None
        sums = objective.onepass.run(log_w, packed, "hard", z=z)
        return value_at(log_w, sums) + objective.rest(standing.theta()), sums
    except IMPROPER:
        return np.nan, None


def _hardened(start: Start) -> Start:
    """A start whose rows each belong to one component."""
    if start.r is None or start.theta is not None:
        return start
    chosen = start.r.argmax(axis=1)
    return replace(start, r=(chosen[:, None] == np.arange(start.r.shape[1])).astype(float))
