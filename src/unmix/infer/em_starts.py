"""EM from one start after another: on the fast road where the model has a pass, or the general."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from unmix.arguments import one_of, whole
from unmix.errors import UnmixError
from unmix.infer.closed_form import closed_forms
from unmix.infer.em_run import IMPROPER, ROUGH, STALL, Run, m_step, polish, run
from unmix.infer.objective import Objective
from unmix.infer.packed_em import Rules
from unmix.infer.parts_objective import PartsObjective
from unmix.infer.pass_em import run_on_pass, set_aside
from unmix.infer.pass_objective import PassObjective
from unmix.infer.progress import progress_bar
from unmix.infer.starts import Start, distinct_rows, observed_features
from unmix.onepass.onepass import OnePass

# A rough run this far (nats) below the best so far is at another optimum: no last digits for it.
HOPELESS = 1.0
# How runs end whose θ may be returned.
PROPER = ("converged", "iteration limit", "not monotone")


def on_the_road(
    objective: Objective, *, storage: str = "float64", threads: int | None = None
) -> Objective:
    """The objective with its data summed by the pass, where the model has one.

    Raises
    ------
    UnmixError
        For an option of the pass where there is none, or one that makes no sense.
    """
    one_of("storage", storage, ("float64", "float32"))
    if threads is not None:
        threads = whole("threads", threads)
    derivation = objective.derivation
    onepass = derivation.onepass
    if onepass is None:
        if derivation.parts is not None and storage == "float64" and threads is None:
            return PartsObjective(
                derivation, objective.kind, objective.free, objective.held, derivation.parts
            )
        if storage != "float64" or threads is not None:
            raise UnmixError(
                f"storage and threads belong to the fast road, which this model does not take "
                f"({derivation.recognised}): leave them out"
            )
        return objective
    if storage != "float64" or threads is not None:
        onepass = OnePass(onepass.recognised, dtype=storage, threads=threads)
    return PassObjective(derivation, objective.kind, objective.free, objective.held, onepass)


def run_starts(
    objective: Objective,
    begin: Iterable[Start],
    number: int,
    rules: Rules,
    progress: bool,
    *,
    rough: bool = False,
) -> list[Run]:
    """Run EM from starts; ``rough`` leaves the last digits, for starting chains."""
    if isinstance(objective, PassObjective):
        closed, one = _fast_runner(objective, rules)
    else:
        closed, one = _general_runner(objective, rules)
    runs, best = [], -np.inf
    with progress_bar("EM", number, progress) as bar:
        for start in begin:
            result = one(start)
            hopeful = result.objective > best - HOPELESS
            if not closed and not rough and hopeful and result.outcome in PROPER[:2]:
                result = polish(objective, result)
                if isinstance(objective, PassObjective):
                    result = set_aside(objective, start, result)
            if result.outcome in PROPER:
                best = max(best, result.objective)
            runs.append(result)
            bar()
    return runs


def _fast_runner(objective: PassObjective, rules: Rules) -> tuple[bool, Callable[[Start], Run]]:
    """A run on the compiled pass; and whether its M-step is all closed forms."""
    closed = objective.readings is not None
    rules = rules if closed else replace(rules, tolerance=max(rules.tolerance, ROUGH))

    def begin(start: Start) -> Run:
        try:
            return run_on_pass(objective, start, rules)
        except ValueError as error:
            raise UnmixError(
                "the likelihood cannot be evaluated at one component fitted to all rows "
                f"({error}): are the data constant, or far outside what the family allows?"
            ) from error

    return closed, begin


def _general_runner(objective: Objective, rules: Rules) -> tuple[bool, Callable[[Start], Run]]:
    """A run along the general road; and whether its M-step is all closed forms."""
    derivation = objective.derivation
    blocks = closed_forms(objective)
    closed = set(objective.free) <= {name for block in blocks for name in block.names}
    k = derivation.n_components
    # One component fitted to everything: every component gets the same share of every row.
    pooled = objective.given(np.full((derivation.n_obs, k), 1.0 / k))
    one = m_step(objective, blocks, objective.initial, pooled, thorough=True)
    try:
        _, _, log_likelihood = objective.expectation(one)
    except IMPROPER as error:
        raise UnmixError(
            f"the likelihood cannot be evaluated at one component fitted to all rows ({error}): "
            "are the data constant, or far outside what the family allows?"
        ) from error
    finite = log_likelihood[np.isfinite(log_likelihood)]
    peak = float(finite.max()) if finite.size else 0.0
    group = distinct_rows(derivation)
    features = observed_features(derivation)
    feature = features[:, 0] if features.shape[1] else np.zeros(len(features))
    observed = derivation.opened.observed.values()
    continuous = any(v.type.dtype.startswith("float") for v in observed)

    def begin(start: Start) -> Run:
        assert start.r is not None  # of all rows, on this road
        return run(
            objective,
            blocks,
            objective.given(start.r),
            peak=peak,
            group=group,
            feature=feature,
            continuous=continuous,
            max_iterations=rules.max_iterations,
            tolerance=rules.tolerance if closed else max(rules.tolerance, ROUGH),
            stall=0.0 if closed else STALL,
        )

    return closed, begin
