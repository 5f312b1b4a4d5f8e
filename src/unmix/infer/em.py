r"""`em`: maximum likelihood or posterior mode of any declared mixture, and how far to trust it.

Expectation–maximisation alternates Bayes' rule at the current θ (E-step) with raising the expected
complete-data log-density (M-step); the objective never goes down (Dempster, Laird and Rubin 1977,
JRSS B 39:1). Several starts are run, since mixtures have many local maxima.
"""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm

from unmix.arguments import not_negative, one_of, random_generator, share, whole
from unmix.derive import Derivation, bayes, derive
from unmix.derive.theta import as_dataset, stack_theta
from unmix.errors import UnmixError
from unmix.infer.classification_em import run_hard_starts
from unmix.infer.closed_form import closed_forms
from unmix.infer.edges import edges
from unmix.infer.em_best import choose, describe, in_order
from unmix.infer.em_result import Assignments, EMResult
from unmix.infer.em_run import Run, flat_directions
from unmix.infer.em_starts import PROPER, on_the_road, run_starts
from unmix.infer.few_rows import of_point
from unmix.infer.objective import Kind, Objective, make_objective
from unmix.infer.packed_em import Rules
from unmix.infer.pass_objective import PassObjective
from unmix.infer.single_precision import say_rounding
from unmix.infer.starts import ENOUGH, Start, find_starts


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
        row. With 0 all ``max_iterations`` are taken.
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
    return fit_derived(
        derive(model), kind=kind, assignments=assignments, fixed=fixed, starts=starts, start=start,
        max_iterations=max_iterations, tolerance=tolerance, floor=floor, accelerate=accelerate,
        storage=storage, threads=threads, rng=rng, progress=progress,
    )  # fmt: skip


def fit_derived(
    derivation: Derivation,
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
    """`em` of a model that is derived already, or of other rows of it (`Derivation.on`)."""
    begun = time.perf_counter()
    starts, max_iterations = whole("starts", starts), whole("max_iterations", max_iterations)
    tolerance = not_negative("tolerance", tolerance)
    one_of("assignments", assignments, ("expected", "hard"))
    floor = share(
        "floor", floor, "1e-6", what="a share of the data's variance, 0 or more and below 1",
        zero=True,
    )  # fmt: skip
    generator = random_generator(rng)
    objective = make_objective(derivation, kind, fixed)
    if not objective.free:
        raise UnmixError("every parameter is fixed, so there is nothing to maximise over")
    objective = on_the_road(objective, storage=storage, threads=threads)
    if floor > 0:
        _require_floor(objective)
    rules = Rules(max_iterations, tolerance, floor, accelerate)
    seed = int(rng) if isinstance(rng, int | np.integer) else None
    if isinstance(start, int | np.integer) and not isinstance(start, bool):
        raise UnmixError(
            f"start is {start}: give a point of θ to begin from, such as an EM result; the number "
            f"of starts is starts={start}"
        )
    if start is None:
        number = starts if derivation.n_components > 1 else 1
        begin = find_starts(derivation, starts, generator)
    else:
        number, begin = 1, iter([_start_at(derivation, start)])
    hard = assignments == "hard"
    run_all = run_hard_starts if hard else run_starts
    runs = run_all(objective, begin, number, rules, progress)
    best, table = choose(runs)
    theta = in_order(derivation, best)
    say_rounding(objective, theta)
    touched = [n for n in derivation.parameters if n in objective.free or n in objective.held]
    at_edges: list[str] = []
    endless = 0
    if best.outcome == "converged":
        at_edges, endless = edges(objective, theta, _settled(objective))
    return EMResult(
        theta=as_dataset(derivation, {name: theta[name] for name in touched}),
        log_likelihood=objective.log_likelihood(theta),
        objective=best.objective,
        kind=kind,
        df=objective.df,
        n_obs=derivation.n_obs,
        weight=derivation.total_weight,
        status=describe(
            best,
            table,
            0 if hard else max(0, _flat(objective, best) - endless),
            of_point(objective, theta) if best.outcome in PROPER[:2] else (),
            at_edges,
        ),
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
    if best.outcome != "converged" or set(objective.free) <= _settled(objective):
        return 0
    return flat_directions(objective, best.theta)


def _settled(objective: Objective) -> frozenset[str]:
    """Parameters whose M-step has a closed form."""
    if isinstance(objective, PassObjective) and objective.readings is not None:
        return frozenset(objective.free)
    return frozenset(name for block in closed_forms(objective) for name in block.names)


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
