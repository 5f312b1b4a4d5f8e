"""One EM run on the fast road: every look at the data is one compiled pass.

Where the whole M-step has a closed form the run stays on packed parameters
(`unmix.infer.packed_em`). Otherwise the M-step climbs Q(θ; sums) by gradients, which costs the
same whatever the number of rows.
"""

from dataclasses import replace

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from unmix.infer.collapse import component_means, has_collapsed, pooled_fit
from unmix.infer.em_run import IMPROPER, ROUNDING, Run, largest_change
from unmix.infer.objective import Theta
from unmix.infer.packed_em import Rules, run_packed
from unmix.infer.pass_objective import PassObjective
from unmix.infer.starts import Start
from unmix.onepass.em_kernel import EMPTY
from unmix.onepass.sums import Sums


def run_on_pass(objective: PassObjective, start: Start, rules: Rules) -> Run:
    """Run EM from a start."""
    readings = objective.readings
    if readings is None:
        return _run_by_gradient(objective, start, rules)
    return run_packed(objective, readings, start, rules)


def climb(objective: PassObjective, theta: Theta, sums: Sums, limit: int) -> Theta:
    """Raise Q(θ; sums) by quasi-Newton steps."""

    def negative(u: NDArray) -> tuple[float, NDArray]:
        try:
            value, gradient = objective.expected_sums(u, sums)
        except IMPROPER:
            return np.inf, np.zeros(len(u))
        if not np.isfinite(value):
            return np.inf, np.zeros(len(u))
        return -value, -np.nan_to_num(gradient)

    u = objective.flatten(theta)
    before, _ = negative(u)
    with np.errstate(invalid="ignore", over="ignore"):
        found = scipy.optimize.minimize(
            negative, u, jac=True, method="L-BFGS-B",
            options={"maxiter": limit, "ftol": 1e-15, "gtol": 1e-9},
        )  # fmt: skip
    return objective.theta(found.x if found.fun <= before else u)


def set_aside(objective: PassObjective, start: Start, result: Run) -> Run:
    """A run that climbed on, called collapsed where that led it onto a point."""
    onepass = objective.onepass
    if not any(t.family.continuous for t in onepass.recognised.terms):
        return result
    peak = onepass.peaks(pooled_fit(onepass, start)[None])[0]
    if np.isfinite(peak) and has_collapsed(onepass, *onepass.recognised.pack(result.theta), peak):
        return replace(result, outcome="collapsed")
    return result


def first_theta(objective: PassObjective, start: Start) -> Theta:
    """θ at a start: the given one, or the best for the given responsibilities."""
    onepass = objective.onepass
    theta = {**objective.initial, **(start.theta or {})}
    if start.theta is not None:
        return theta
    assert start.r is not None
    assert start.rows is not None
    centre = np.tile(onepass.neutral(), (onepass.n_components, 1))
    for _ in range(2):
        sums = onepass.given(start.r, start.rows, centre)
        share = onepass.weight / sums.n.sum()
        sums = Sums(np.nan, sums.n * share, sums.statistics * share, centre)
        theta = climb(objective, theta, sums, 100)
        centre = onepass.recognised.pack(theta)[1]
        if not np.isfinite(centre).all():
            break
    return theta


def _run_by_gradient(objective: PassObjective, start: Start, rules: Rules) -> Run:
    onepass = objective.onepass
    pack = onepass.recognised.pack
    pooled = pooled_fit(onepass, start)
    peak = onepass.peaks(pooled[None])[0]
    peak = peak if np.isfinite(peak) else np.inf
    theta = first_theta(objective, start)
    continuous = any(t.family.continuous for t in onepass.recognised.terms)
    trace: list[float] = []
    outcome, proper, step_before = "iteration limit", theta, np.inf
    for _ in range(rules.max_iterations):
        try:
            value, sums = objective.sums(theta)
        except IMPROPER:
            value = np.nan
        if not np.isfinite(value):
            outcome = "collapsed" if continuous and trace else "failed"
            break
        if trace and value < trace[-1] - ROUNDING * (abs(value) + onepass.magnitude):
            outcome = "not monotone"
            break
        trace.append(value)
        proper = theta
        if continuous and has_collapsed(onepass, *pack(theta), peak):
            outcome = "collapsed"
            break
        if sums.n.min() < EMPTY * onepass.weight:
            outcome = "emptied"
            break
        theta = climb(objective, theta, sums, 6)
        step = largest_change(theta, proper)
        rate = min(step / step_before, 0.9999) if step_before > 0 else 0.0
        remaining = step * rate / (1.0 - rate) if np.isfinite(step_before) else np.inf
        step_before = step
        if max(step, remaining) <= rules.tolerance:
            outcome = "converged"
            break
    means = (
        component_means(objective.counted, *pack(proper))
        if trace
        else np.zeros(onepass.n_components)
    )
    value = trace[-1] if trace else -np.inf
    return Run(proper, value, np.asarray(trace), outcome, means, 0)
