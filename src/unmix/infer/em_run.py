"""One EM run from one start: E-step, M-step, until the parameters stand still.

The run stops when the parameters' *remaining* change, extrapolated from the geometric rate at
which their changes shrink, is below the tolerance, relative to the parameters: EM is linear, so
small steps alone only say that it is slow (McLachlan and Krishnan 2008, The EM Algorithm, section
4.9).
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from unmix.infer.expected import ClosedForm, Expected
from unmix.infer.objective import Objective, Theta

# Rounding of a sum of N terms, relative to the sum of their sizes, allowed in "never goes down".
ROUNDING = 1e-11
# What evaluating a density outside its parameter space raises.
IMPROPER = (ValueError, AssertionError, ArithmeticError, np.linalg.LinAlgError)
# With gradient M-steps EM only has to find the hill: `polish` climbs to its top.
ROUGH = 1e-2
STALL = 1e-6


@dataclass(frozen=True)
class Run:
    """What one start gave.

    Attributes
    ----------
    theta
        Constrained θ where it ended.
    objective
        Its value there.
    trace
        The objective at each iteration.
    outcome
        Name of a status.
    means
        Mean of the first observed feature over each component's rows, (component,).
    held
        How many variances a floor held up.
    """

    theta: Theta
    objective: float
    trace: NDArray
    outcome: str
    means: NDArray
    held: int = 0


def run(
    objective: Objective,
    blocks: list[ClosedForm],
    begin: Expected,
    *,
    peak: float,
    group: NDArray,
    feature: NDArray,
    continuous: bool,
    max_iterations: int,
    tolerance: float,
    stall: float = 0.0,
) -> Run:
    """Run EM from responsibilities, or their sums.

    Parameters
    ----------
    objective
        What to climb.
    blocks
        Closed-form parts of the M-step.
    begin
        What the first M-step takes.
    peak
        Largest log-likelihood of a row under one component fitted to all rows.
    group
        Group number of each observation; equal data, equal number.
    feature
        First observed feature, (obs,), to tell components apart by.
    continuous
        Whether the data are densities, so that a component can collapse onto a point.
    max_iterations, tolerance
        As in `unmix.em`.
    stall
        Smallest gain of the objective in an iteration, for each row, that is worth the next one:
        a parameter without a finite maximum moves for ever and gains nothing.
    """
    n, last = len(group), begin
    theta = m_step(objective, blocks, objective.initial, begin, thorough=True)
    trace: list[float] = []
    outcome = "iteration limit"
    step_before = np.inf
    for _ in range(max_iterations):
        try:
            found = objective.expect(theta)
            value = found.value
        except IMPROPER:
            value = np.nan
        if not np.isfinite(value):
            outcome = "collapsed" if continuous and trace else "failed"
            break
        if trace and value < trace[-1] - ROUNDING * (abs(value) + n):
            outcome = "not monotone"
            trace.append(value)
            break
        gain = value - trace[-1] if trace else np.inf
        trace.append(value)
        last, proper = found, theta
        if continuous and found.has_collapsed(peak, group):
            outcome = "collapsed"
            break
        if found.counts.min() < 1e-8 * objective.derivation.total_weight:
            outcome = "emptied"
            break
        theta = m_step(objective, blocks, theta, found)
        step = largest_change(theta, proper)
        rate = min(step / step_before, 0.9999) if step_before > 0 else 0.0
        remaining = step * rate / (1.0 - rate) if np.isfinite(step_before) else np.inf
        step_before = step
        if max(step, remaining) <= tolerance or gain < stall * n:
            outcome = "converged"
            break
    if not trace:
        return Run(theta, -np.inf, np.zeros(0), outcome, np.full(len(begin.counts), np.nan))
    if outcome in ("converged", "iteration limit"):
        try:
            found = objective.expect(theta)
        except IMPROPER:
            return Run(proper, trace[-1], np.asarray(trace), "collapsed", last.means(feature))
        if found.value >= trace[-1] - ROUNDING * (abs(found.value) + n):
            trace.append(found.value)
            return Run(theta, found.value, np.asarray(trace), outcome, found.means(feature))
    return Run(proper, trace[-1], np.asarray(trace), outcome, last.means(feature))


def largest_change(theta: Theta, before: Theta) -> float:
    """Largest change of a parameter, relative to the largest of its own values."""
    return max(
        float(np.max(np.abs(theta[n] - before[n]))) / max(float(np.max(np.abs(theta[n]))), 1e-300)
        for n in theta
        if np.size(theta[n])
    )


def m_step(
    objective: Objective,
    blocks: list[ClosedForm],
    theta: Theta,
    expected: Expected,
    *,
    thorough: bool = False,
) -> Theta:
    """Raise Q(θ; r): closed forms where proved, gradient steps on the parameters left over."""
    theta = dict(theta)
    done: set[str] = set()
    with np.errstate(divide="ignore", invalid="ignore"):
        for block in blocks:
            theta.update(expected.step(block, theta))
            done |= set(block.names)
    if set(objective.free) <= done:
        return theta
    u = objective.flatten(theta)
    moving = np.concatenate(
        [
            np.full(objective.derivation.space.sizes[name], name not in done)
            for name in objective.free
        ]
    )

    def negative(part: NDArray) -> tuple[float, NDArray]:
        full = u.copy()
        full[moving] = part
        try:
            value, gradient = expected.q(full)
        except IMPROPER:
            return np.inf, np.zeros(int(moving.sum()))
        if not np.isfinite(value):
            return np.inf, np.zeros(int(moving.sum()))
        return -value, -np.nan_to_num(gradient[moving])

    before, _ = negative(u[moving])
    with np.errstate(invalid="ignore", over="ignore"):
        found = scipy.optimize.minimize(
            negative,
            u[moving],
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 100 if thorough else 6, "ftol": 1e-15, "gtol": 1e-9},
        )
    if found.fun <= before:
        u[moving] = found.x
    return objective.theta(u)


def polish(objective: Objective, result: Run) -> Run:
    """Quasi-Newton steps on the objective itself, from where EM with inexact M-steps ended.

    EM's own last digits are limited by how exactly the M-step is solved; near the optimum the
    gradient of the objective is at hand (Fisher's identity) and BFGS converges faster than any
    linear iteration. The result is taken only where it is higher.
    """
    u = objective.flatten(result.theta)
    if not np.isfinite(u).all() or not len(u):
        return result

    def negative(v: NDArray) -> tuple[float, NDArray]:
        try:
            value, gradient = objective.gradient(v)
        except IMPROPER:
            return np.inf, np.zeros(len(v))
        return -value, -np.nan_to_num(gradient)

    with np.errstate(invalid="ignore", over="ignore"):
        found = scipy.optimize.minimize(
            negative, u, jac=True, method="BFGS", options={"gtol": 1e-8, "maxiter": 200}
        )
    if not np.isfinite(found.fun) or -found.fun < result.objective:
        return result
    theta = objective.theta(found.x)
    value = objective.value(theta)
    # The gradient of a sum over rows, on parameters of order one: its rounding grows with N.
    # Where no step raises the objective any more for rounding (status 2), it is the gradient's too.
    small = 1e-4 if found.status == 2 else 1e-5
    settled = np.max(np.abs(found.jac)) < small * objective.derivation.total_weight
    return replace(
        result,
        theta=theta,
        objective=value,
        trace=np.append(result.trace, value),
        outcome="converged" if settled else "iteration limit",
    )


def flat_directions(objective: Objective, theta: Theta) -> int:
    """How many combinations of the free parameters leave the objective unchanged, near θ.

    Counts near-zero eigenvalues of the Hessian (differences of the gradient), scaled to a unit
    diagonal: redundant parameters, as in a softmax of K free logits.
    """
    u = objective.flatten(theta)
    if not np.isfinite(u).all() or not 2 <= len(u) <= 200:
        return 0
    columns = []
    for j in range(len(u)):
        step = np.zeros(len(u))
        step[j] = 1e-4 * (1.0 + abs(u[j]))
        forward, backward = objective.gradient(u + step)[1], objective.gradient(u - step)[1]
        columns.append((forward - backward) / (2 * step[j]))
    hessian = -np.array(columns)
    hessian = (hessian + hessian.T) / 2
    scale = np.sqrt(np.abs(np.diagonal(hessian)))
    felt = scale > 0
    if not np.isfinite(hessian).all():
        return 0
    unfelt = int((~felt).sum())
    if felt.sum() < 2:
        return unfelt
    unit = hessian[np.ix_(felt, felt)] / np.outer(scale[felt], scale[felt])
    # Differences over 1e-4 of a gradient good to twelve digits leave eight.
    return unfelt + int((np.linalg.eigvalsh(unit) < 1e-6).sum())
