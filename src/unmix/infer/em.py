r"""`em`: maximum likelihood or posterior mode of any declared mixture, and how far to trust it.

Expectation–maximisation alternates Bayes' rule at the current θ (E-step) with raising the expected
complete-data log-density (M-step); the objective never goes down (Dempster, Laird and Rubin 1977,
JRSS B 39:1). Several starts are run, since mixtures have many local maxima.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import NDArray

from unmix.derive import Derivation, bayes, derive
from unmix.derive.theta import as_dataset, stack_theta
from unmix.errors import UnmixError
from unmix.infer.classification_em import run_hard_starts
from unmix.infer.closed_form import closed_forms
from unmix.infer.em_result import Assignments, EMResult
from unmix.infer.em_run import IMPROPER, ROUGH, Run, flat_directions, m_step, polish, run
from unmix.infer.labellings import swap_cost
from unmix.infer.objective import Kind, Objective, make_objective
from unmix.infer.packed_em import Rules
from unmix.infer.pass_em import run_on_pass, set_aside
from unmix.infer.pass_objective import PassObjective
from unmix.infer.progress import progress_bar
from unmix.infer.starts import (
    ENOUGH,
    Start,
    distinct_rows,
    find_starts,
    has_features,
    observed_features,
)
from unmix.infer.status import Status, status
from unmix.onepass.onepass import OnePass

# Starts whose objectives differ by less than this, relative, are at the same optimum.
SAME_OPTIMUM = 1e-7
# A rough run this far (nats) below the best so far is at another optimum: no last digits for it.
HOPELESS = 1.0
PROPER = ("converged", "iteration limit", "not monotone")


def em(
    model: pm.Model | None = None,
    *,
    kind: Kind = "likelihood",
    assignments: Assignments = "expected",
    fixed: Mapping[str, object] | None = None,
    starts: int = 10,
    start: Any = None,
    max_iterations: int = 2000,
    tolerance: float = 1e-9,
    floor: float = 0.0,
    accelerate: bool = True,
    storage: str = "float64",
    threads: int | None = None,
    rng: int | np.random.Generator | None = None,
    progress: bool = True,
) -> EMResult:
    """Fit a declared mixture by EM.

    Parameters
    ----------
    model
        The declared mixture; found in the ``with`` block when left out.
    kind
        ``"likelihood"``: maximise p(x | θ) over the parameters that the likelihood touches;
        priors play no part. ``"posterior"``: maximise p(x | θ) p(θ), with densities of the
        constrained parameters and no Jacobians.
    assignments
        ``"expected"``: rows are shared between components by their responsibilities. ``"hard"``:
        classification EM, where each row belongs to its most likely component and the
        classification likelihood Σ_i log p(z_i, x_i | θ) is maximised over z and θ (Celeux and
        Govaert 1992, Computational Statistics & Data Analysis 14:315); on the fast road, for
        partitions of many rows. It is biased where components overlap, and has no AIC or BIC.
    fixed
        Values of parameters to hold, by name.
    starts
        Number of starts; the best proper one is returned.
    start
        A θ to begin from, in place of all other starts: an EM result, a Dataset, a dict.
    max_iterations
        Limit for each start.
    tolerance
        Largest remaining change of the parameters, extrapolated, in their own units (standard
        deviations for means, relative for scales); and largest change of the log-likelihood, per
        row.
    floor
        Smallest variance that a component of normals may have in any direction, as a share of the
        data's own; 0 for none. Where it held a component up, the status says so.
    accelerate
        Whether slow convergence is extrapolated (SQUAREM); the objective never goes down for it.
    storage
        ``"float64"``, or ``"float32"`` to hold the rows in half the memory; sums are always taken
        in double precision.
    threads
        At most this many for the pass over the data; by default as many as there are cores.
    rng
        Seed or generator.
    progress
        Whether to show a progress bar.

    Returns
    -------
    EMResult
        Components in increasing mean of the first observed feature where the model is symmetric.

    Raises
    ------
    UnmixError
        If the objective has no maximum to look for: a second latent, a free hyper-scale in the
        posterior mode, no free parameter. If ``floor``, ``storage``, ``threads`` or hard
        assignments are asked of a model that takes the general road.
    """
    begun = time.perf_counter()
    derivation = derive(model)
    if isinstance(starts, bool) or starts != int(starts) or starts < 1:
        raise UnmixError(f"starts is {starts!r}: give a whole number, 1 or more")
    if max_iterations < 1:
        raise UnmixError(f"max_iterations is {max_iterations!r}: give 1 or more")
    if assignments not in ("expected", "hard"):
        raise UnmixError(f"assignments is {assignments!r}: give 'expected' or 'hard'")
    objective = make_objective(derivation, kind, fixed)
    if not objective.free:
        raise UnmixError("every parameter is fixed, so there is nothing to maximise over")
    if not 0 <= floor < 1:
        raise UnmixError(f"floor is {floor!r}: give a share of the data's variance, such as 1e-6")
    objective = on_the_road(objective, storage=storage, threads=threads)
    if floor > 0:
        _require_floor(objective)
    rules = Rules(max_iterations, tolerance, floor, accelerate)
    seed = int(rng) if isinstance(rng, int | np.integer) else None
    generator = np.random.default_rng(rng)
    if start is None:
        number = starts if derivation.n_components > 1 else 1
        begin = find_starts(derivation, starts, generator)
    else:
        number, begin = 1, iter([_start_at(derivation, start)])
    hard = assignments == "hard"
    run_all = run_hard_starts if hard else run_starts
    runs = run_all(objective, begin, number, rules, progress)
    best, table = _choose(runs)
    theta = in_order(derivation, best)
    touched = [n for n in derivation.parameters if n in objective.free or n in objective.held]
    return EMResult(
        theta=as_dataset(derivation, {name: theta[name] for name in touched}),
        log_likelihood=objective.log_likelihood(theta),
        objective=best.objective,
        kind=kind,
        df=objective.df,
        n_obs=derivation.n_obs,
        status=_describe(best, table, 0 if hard else _flat(objective, best)),
        trace=best.trace,
        starts=table,
        left_out=tuple(n for n in derivation.parameters if n not in touched),
        fixed=tuple(objective.held),
        seconds=time.perf_counter() - begun,
        seed=seed,
        assignments=assignments,
    )


def _flat(objective: Objective, best: Run) -> int:
    """Flat directions at the optimum; none where the whole M-step has a closed form."""
    if isinstance(objective, PassObjective) and objective.readings is not None:
        return 0
    closed = {name for block in closed_forms(objective) for name in block.names}
    if best.outcome != "converged" or set(objective.free) <= closed:
        return 0
    return flat_directions(objective, best.theta)


def on_the_road(
    objective: Objective, *, storage: str = "float64", threads: int | None = None
) -> Objective:
    """The objective with its data summed by the pass, where the model has one.

    Raises
    ------
    UnmixError
        For an option of the pass where there is none, or one that makes no sense.
    """
    if storage not in ("float64", "float32"):
        raise UnmixError(f"storage is {storage!r}: give 'float64' or 'float32'")
    if threads is not None and (
        isinstance(threads, bool) or threads != int(threads) or threads < 1
    ):
        raise UnmixError(f"threads is {threads!r}: give a whole number, 1 or more")
    derivation = objective.derivation
    onepass = derivation.onepass
    if onepass is None:
        if storage != "float64" or threads is not None:
            raise UnmixError(
                f"storage and threads belong to the fast road, which this model does not take "
                f"({derivation.recognised}): leave them out"
            )
        return objective
    if storage != "float64" or threads is not None:
        onepass = OnePass(onepass.recognised, dtype=storage, threads=threads)
    return PassObjective(derivation, objective.kind, objective.free, objective.held, onepass)


def _require_floor(objective: Objective) -> None:
    """A floor means something for normals whose variances EM sets itself."""
    closed = isinstance(objective, PassObjective) and objective.readings is not None
    families = (
        {t.family.name for t in objective.onepass.recognised.terms}
        if isinstance(objective, PassObjective)
        else set()
    )
    if not closed or not families & {"Normal", "MvNormal"}:
        raise UnmixError(
            "floor is for components of normals whose mean and spread are free parameters of their "
            "own: leave it out, and let a prior with kind='posterior' keep scales from zero"
        )


def _start_at(derivation: Derivation, start: Any) -> Start:
    stack = stack_theta(derivation, start)
    if stack.dims:
        raise UnmixError("start holds draws: give one point of θ")
    if derivation.onepass is None or derivation.by_rows is None:
        few = slice(None) if derivation.onepass is None else slice(ENOUGH)
        r = derivation.bayes(stack.values).responsibility[0][few]
    else:
        _, r = bayes.normalise(derivation.by_rows.joint(stack.point(0), slice(ENOUGH)))
    if np.isnan(r).any():
        raise UnmixError("start makes some rows impossible under every component: choose another")
    if r.shape[1] > 1 and len(r) > 1 and np.all(np.ptp(r, axis=0) < 1e-12):
        raise UnmixError(
            "start gives every row the same responsibilities, a saddle that EM cannot leave: "
            "choose components that differ"
        )
    return Start(r, np.arange(len(r)), stack.point(0))


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
    pooled = np.full((derivation.n_obs, k), 1.0 / k)
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
            start.r,
            peak=peak,
            group=group,
            feature=feature,
            continuous=continuous,
            max_iterations=rules.max_iterations,
            tolerance=rules.tolerance if closed else max(rules.tolerance, ROUGH),
        )

    return closed, begin


def _choose(runs: list[Run]) -> tuple[Run, xr.Dataset]:
    """The best proper run; a collapsed one only where there is nothing else."""
    proper = [r for r in runs if r.outcome in PROPER]
    pool = proper or [r for r in runs if r.outcome == "emptied"] or runs
    best = max(pool, key=lambda r: r.objective if np.isfinite(r.objective) else -np.inf)
    scale = 1.0 + abs(best.objective)
    table = xr.Dataset(
        {
            "objective": ("start", np.array([r.objective for r in runs])),
            "iterations": ("start", np.array([len(r.trace) for r in runs])),
            "status": ("start", np.array([r.outcome for r in runs])),
            "reached_best": (
                "start",
                np.array(
                    [
                        r.outcome == best.outcome
                        and abs(r.objective - best.objective) <= SAME_OPTIMUM * scale
                        for r in runs
                    ]
                ),
            ),
        }
    )
    return best, table


def _describe(best: Run, table: xr.Dataset, flat: int) -> Status:
    counts = {
        name: int((table["status"] == name).sum()) for name in np.unique(table["status"].values)
    }
    others = [f"{n} {name}" for name, n in counts.items() if name != best.outcome]
    reached = int(table["reached_best"].sum())
    total = table.sizes["start"]
    detail = [f"{reached} of {total} starts reached the best"]
    if others:
        detail.append("set aside: " + ", ".join(others))
    if reached == 1 and total > 1 and best.outcome == "converged":
        detail.append("one only, so a better optimum may exist: raise starts")
    if best.held:
        detail.append(
            f"the floor holds up {best.held} variance{'s' * (best.held > 1)}, so this is the "
            "maximum under that floor and not without it"
        )
    if flat:
        detail.append(
            f"{flat} combination{'s' * (flat > 1)} of parameters leave the objective unchanged, so "
            "their values are arbitrary and df, AIC and BIC count them in vain: declare fewer "
            "parameters"
        )
    return status(best.outcome, "; ".join(detail))


def in_order(derivation: Derivation, best: Run) -> dict[str, NDArray]:
    """Put components in order, by permutations that leave the likelihood as it is.

    Exchangeable components go by increasing mean of the first feature. Where only the priors tell
    components apart, the likelihood has no say in their order: it is the one that the priors
    prefer.
    """
    theta, mean = best.theta, best.means
    k = derivation.n_components
    if derivation.components.symmetric and has_features(derivation):
        order = np.arange(k)
        for block in derivation.components.symmetry:
            members = np.array(block)
            order[members] = members[np.argsort(mean[members], kind="stable")]
        theta = derivation.components.permute(theta, order)
    block_of = {c: i for i, block in enumerate(derivation.components.symmetry) for c in block}
    pairs = [(i, j) for i, j in combinations(range(k), 2) if block_of[i] != block_of[j]]
    better = bool(pairs) and np.isfinite(best.objective)
    while better:
        better = False
        for i, j in pairs:
            if swap_cost(derivation, theta, i, j) < -1e-6:
                order = np.arange(k)
                order[[i, j]] = j, i
                theta = derivation.components.permute(theta, order)
                better = True
    return theta
