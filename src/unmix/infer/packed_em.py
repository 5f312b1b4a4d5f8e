"""EM on the fast road where the whole M-step has a closed form.

The run stays on packed parameters, so that small data cost microseconds an iteration. Slow runs are
extrapolated by SQUAREM, which falls back to EM's own step where that would go down (Varadhan and
Roland 2008, Scandinavian J. of Statistics 35:335).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmix.infer.collapse import component_means, has_collapsed, pooled_fit
from unmix.infer.em_run import IMPROPER, ROUNDING, Run
from unmix.infer.pass_objective import PassObjective
from unmix.infer.readings import Readings
from unmix.infer.starts import Start
from unmix.onepass import compiled
from unmix.onepass.em_kernel import CONVERGED, EMPTIED, EMPTY, FAILED, RUNNING
from unmix.onepass.onepass import OnePass
from unmix.onepass.sums import Sums

# Iterations between looks for collapsed components.
BATCH = 20
# EM whose moves shrink more slowly than this is worth extrapolating.
SLOW = 0.9
# By what factor the longest extrapolation is lengthened and shortened.
GROWTH = 4.0


@dataclass(frozen=True)
class Rules:
    """When a run ends.

    Attributes
    ----------
    max_iterations, tolerance
        As in `unmix.em`.
    floor
        Smallest variance of a component, as a share of each column's own.
    accelerate
        Whether slow runs are extrapolated.
    """

    max_iterations: int
    tolerance: float
    floor: float
    accelerate: bool


@dataclass
class Packed:
    """Where a packed run stands."""

    onepass: OnePass
    log_w: NDArray
    params: NDArray
    floor: NDArray
    move_w: bool
    held: int = 0
    longest: float = 4.0

    def iterate(self, count: int, tolerance: float) -> tuple[NDArray, NDArray, int]:
        """EM iterations: log-likelihood before each, how far each moved, how they ended."""
        trace, moves = np.zeros(count), np.zeros(count)
        one, total = self.onepass, self.onepass.weight
        if len(one.chunks) == 1 and len(one.shares(len(one.chunks[0]))) == 1:
            chunk = one.chunks[0]
            done, ended, self.held = compiled.em_rows(one.families)(
                one.terms, chunk.x, chunk.centre, chunk.weight, self.log_w, self.params,
                self.floor, self.move_w, total, tolerance, trace, moves,
            )  # fmt: skip
            return trace[:done] + one.log_base, moves[:done], ended
        for i in range(count):
            sums = one.run(self.log_w, self.params)
            trace[i] = sums.log_marginal
            if not np.isfinite(trace[i]):
                return trace[: i + 1], moves[: i + 1], FAILED
            if sums.n.min() < EMPTY * total:
                return trace[: i + 1], moves[: i + 1], EMPTIED
            moves[i] = self.maximise(sums)
            if i and compiled.settled()(trace, moves, i, total, tolerance):
                return trace[: i + 1], moves[: i + 1], CONVERGED
        return trace, moves, RUNNING

    def maximise(self, sums: Sums) -> float:
        """M-step in place; how far it moved."""
        moved, self.held = compiled.maximise_all(self.onepass.families)(
            self.onepass.terms, self.log_w, self.params, sums.n, sums.statistics, self.floor,
            self.move_w, float(sums.n.sum()),
        )  # fmt: skip
        return float(moved)

    def copy(self) -> tuple[NDArray, NDArray]:
        """Log-weights and parameters, as they are now."""
        return self.log_w.copy(), self.params.copy()


def run_packed(objective: PassObjective, readings: Readings, start: Start, rules: Rules) -> Run:
    """Run EM from a start, on packed parameters."""
    onepass = objective.onepass
    state, peak = begin_packed(objective, readings, start, rules)
    trace: list[float] = []
    outcome, slow = "iteration limit", False
    proper = state.copy()
    continuous = any(t.family.continuous for t in onepass.recognised.terms)
    while len(trace) < rules.max_iterations and outcome == "iteration limit":
        left = rules.max_iterations - len(trace)
        if slow and left >= 2:
            values, moves, ended = _extrapolated(objective, readings, state, rules.tolerance)
            if ended == CONVERGED:  # to be confirmed by iterations that were not led there
                slow, ended = False, RUNNING
        else:
            values, moves, ended = state.iterate(min(BATCH, left), rules.tolerance)
            slow = rules.accelerate and len(moves) > 1 and moves[-1] > SLOW * moves[-2]
        went_down = np.flatnonzero(
            np.diff([*trace[-1:], *values]) < -ROUNDING * (abs(values[0]) + onepass.magnitude)
        )
        trace += list(values)
        if ended == FAILED:
            trace.pop()
            outcome = "collapsed" if continuous and trace else "failed"
        elif len(went_down):
            outcome = "not monotone"
        elif ended == EMPTIED:
            outcome = "emptied"
        elif continuous and has_collapsed(onepass, *state.copy(), peak):
            outcome = "collapsed"
        else:
            outcome = "converged" if ended == CONVERGED else outcome
            proper = state.copy()
    log_w, params = proper
    theta = {**objective.initial, **readings.theta(log_w, params)}
    value = trace[-1] if trace else -np.inf
    if outcome in ("converged", "iteration limit"):
        value = objective.counted.run(log_w, params).log_marginal
        trace.append(value)
    value += objective.rest(theta) if np.isfinite(value) else 0.0
    rest = value - trace[-1] if trace and np.isfinite(value) else 0.0
    return Run(
        theta, value, np.asarray(trace) + rest, outcome,
        component_means(objective.counted, log_w, params), state.held if rules.floor > 0 else 0,
    )  # fmt: skip


def begin_packed(
    objective: PassObjective, readings: Readings, start: Start, rules: Rules
) -> tuple[Packed, float]:
    """The first parameters, and the peak density of one component fitted to everything."""
    onepass = objective.onepass
    spread = onepass.variances()
    floor = rules.floor * spread
    pooled = pooled_fit(onepass, start)
    if not np.isfinite(pooled).all():
        raise ValueError("a column is constant, or a combination of others")
    k = onepass.n_components
    if start.theta is not None:
        log_w, params = onepass.recognised.pack({**objective.initial, **start.theta})
        return (
            Packed(objective.counted, log_w, params, floor, readings.weights is not None),
            onepass.peaks(pooled[None])[0],
        )
    log_w, initial = onepass.recognised.pack(objective.initial)
    params = np.tile(pooled, (k, 1))
    for t in onepass.recognised.terms:
        if t.family.about_z:  # each component has its own from the beginning
            params[:, t.parameters] = initial[:, t.parameters]
    state = Packed(objective.counted, log_w, params, floor, readings.weights is not None)
    assert start.r is not None
    assert start.rows is not None
    for _ in range(2):  # the second time about their own means, so that no digits are lost
        state.maximise(onepass.given(start.r, start.rows, state.params))
    return state, onepass.peaks(pooled[None])[0]


def _extrapolated(
    objective: PassObjective, readings: Readings, state: Packed, tolerance: float
) -> tuple[NDArray, NDArray, int]:
    """Two EM iterations and the point that they point to, taken where it is no lower."""
    points = [objective.flatten(readings.theta(*state.copy()))]
    values, moves = np.zeros(2), np.zeros(2)
    for i in range(2):
        value, move, ended = state.iterate(1, tolerance)
        values[i], moves[i] = value[0], move[0]
        if ended != RUNNING:
            return values[: i + 1], moves[: i + 1], ended
        points.append(objective.flatten(readings.theta(*state.copy())))
    if compiled.settled()(values, moves, 1, state.onepass.weight, tolerance):
        return values, moves, CONVERGED
    if not np.isfinite(points).all():  # a probability of 0, from which no line leads on
        return values, moves, RUNNING
    step = points[1] - points[0]
    bend = points[2] - 2 * points[1] + points[0]
    size = np.linalg.norm(bend)
    if not np.isfinite(size) or size == 0.0:
        return values, moves, RUNNING
    length = min(max(float(np.linalg.norm(step) / size), 1.0), state.longest)
    alpha = -length
    ahead = points[0] - 2 * alpha * step + alpha**2 * bend
    try:
        log_w, params = objective.onepass.recognised.pack(objective.theta(ahead))
        there = objective.counted.run(log_w, params).log_marginal
    except IMPROPER:
        there = -np.inf
    if np.isfinite(there) and there >= values[1]:
        state.log_w[:], state.params[:] = log_w, params
        # Steps may grow for as long as the longest allowed is taken and does well.
        state.longest *= GROWTH if length == state.longest else 1.0
    else:
        state.longest = max(length / GROWTH, 1.0)
    return values, moves, RUNNING
