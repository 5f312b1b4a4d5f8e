"""`method="nuts"`: z summed out, θ sampled by nutpie's NUTS, from dispersed starts.

Chains start around EM's optima: one optimum for each chain, drawn among those within a few
log-likelihood units of the best, plus noise.

nutpie takes no metric from outside; it adapts a diagonal one from draws and gradients. On the fast
road, where the Hessian at the mode costs two passes for each dimension, the position is whitened by
it first (`unmix.infer.whiten`): where components overlap, parameters are so correlated that a
diagonal metric is worth a hundredth of a dense one. Elsewhere ``adaptation="low_rank"`` is passed
on to nutpie.
"""

import dataclasses
import time
import warnings
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from unmix.derive import Derivation, bayes
from unmix.derive.compiling import without_c
from unmix.derive.theta import stack_theta
from unmix.errors import UnmixError
from unmix.infer.em_best import in_order
from unmix.infer.em_starts import PROPER, on_the_road, run_starts
from unmix.infer.marginal import Marginal, build_marginal, compile_log_density, flatten
from unmix.infer.objective import make_objective
from unmix.infer.packed_em import Rules
from unmix.infer.progress import waiting
from unmix.infer.starts import find_starts
from unmix.infer.whiten import MOST_DIMENSIONS, Whitening, find_whitening

# Optima whose log-likelihood is further than this below the best are no start for a chain.
WITHIN = 10.0
NOISE = 0.1
COMPILING = "compiling the sampler with Numba: a minute or two, anew in each process"

Theta = dict[str, NDArray]


def start_points(
    derivation: Derivation, em: Any, rng: np.random.Generator, *, starts: int = 6
) -> tuple[list[Theta], NDArray | None]:
    """Unconstrained points around which chains begin, and responsibilities to match draws to.

    Parameters
    ----------
    em
        An EM result to begin from; EM is run briefly when None. Where EM has no meaning (a second
        latent), chains begin around the model's initial point and there is no reference.
    """
    space = derivation.space
    initial = space.constrain(space.initial)
    if em is not None:
        theta = {**initial, **stack_theta(derivation, em).point(0)}
        points = [theta]
    else:
        try:
            objective = make_objective(derivation, "likelihood", None)
            objective = on_the_road(objective)
            rules = Rules(300, 1e-4, 0.0, True)
            begin = find_starts(derivation, starts, rng)
            runs = run_starts(objective, begin, starts, rules, False, rough=True)
        except (UnmixError, ValueError, AssertionError):
            return [dict(space.initial)], None
        proper = [r for r in runs if r.outcome in PROPER]
        if not proper:
            return [dict(space.initial)], None
        best = max(r.objective for r in proper)
        near = sorted((r for r in proper if r.objective > best - WITHIN),
                      key=lambda r: -r.objective)  # fmt: skip
        points = []
        values: list[float] = []
        for r in near:
            if all(abs(r.objective - v) > 1e-2 for v in values):
                points.append({**initial, **in_order(derivation, r)})
                values.append(r.objective)
    stack = {n: np.asarray(points[0][n])[None] for n in derivation.touched}
    if derivation.onepass is None:
        _, reference = bayes.normalise(bayes.joint(*derivation.log_terms(stack))[0])
    else:
        recognised = derivation.onepass.recognised
        _, (reference,) = derivation.onepass.responsibilities(*recognised.pack_stack(stack))
    unconstrained = [space.unconstrain(p) for p in points]
    inside = [p for p in unconstrained if all(np.isfinite(v).all() for v in p.values())]
    usable = None if np.isnan(reference).any() else reference
    return inside or [dict(space.initial)], usable


def compile_nuts(derivation: Derivation, marginal: Marginal, points: list[Theta]) -> Any:
    """Compile the marginal model for nutpie, with chains beginning around points."""
    import nutpie  # here, because it takes seconds and EM does without

    with without_c():  # what is left for Numba to compile
        compiled = nutpie.compile_pymc_model(
            marginal.model, backend="numba", var_names=list(marginal.names)
        )
    flat = [marginal.position(flatten(derivation, point)) for point in points]
    noise = NOISE if marginal.whitening is None else 1.0

    def initial_point(seed: Any) -> NDArray:
        # A chain's start is a function of its seed alone, whichever thread asks first.
        rng = np.random.default_rng(seed)
        centre = flat[int(rng.integers(len(flat)))]
        return centre + noise * rng.standard_normal(len(centre))

    return dataclasses.replace(compiled, initial_point_func=initial_point)


def whitening_at(derivation: Derivation, point: Theta) -> Whitening | None:
    """Whitening by the observed information near a point, where a pass makes it cheap."""
    if derivation.onepass is None and derivation.parts is None:
        return None
    start = flatten(derivation, point)
    if len(start) > MOST_DIMENSIONS:
        return None
    return find_whitening(compile_log_density(derivation), start)


def run_nuts(
    derivation: Derivation,
    points: list[Theta],
    *,
    draws: int,
    tune: int,
    chains: int,
    cores: int | None,
    seed: int,
    progress: bool,
    **kwargs: Any,
) -> tuple[xr.Dataset, xr.Dataset, bool, tuple[str, ...]]:
    """Sample θ.

    Returns
    -------
    posterior, sample_stats
        Dims (chain, draw, …).
    interrupted
        Whether it was stopped before all draws were made.
    left_out
        Deterministics that depend on z and so are not in the posterior.
    """
    begun = time.perf_counter()
    with waiting(COMPILING, progress):
        import nutpie  # here, because it takes seconds and EM does without

        marginal = build_marginal(derivation, whitening_at(derivation, points[0]))
        compiled = compile_nuts(derivation, marginal, points)
    compiled_at = time.perf_counter()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*consolidated.*")
        tree = nutpie.sample(
            compiled, draws=draws, tune=tune, chains=chains, cores=cores, seed=seed,
            progress_bar=progress, save_warmup=False, **kwargs,
        )  # fmt: skip
    posterior = tree["posterior"].to_dataset()
    posterior = posterior[list(marginal.names)]
    stats = tree["sample_stats"].to_dataset()
    keep = [
        "depth", "step_size", "n_steps", "logp", "energy", "diverging", "mean_tree_accept",
    ]  # fmt: skip
    stats = stats[[name for name in keep if name in stats]].rename(
        {
            old: new
            for old, new in (("logp", "lp"), ("depth", "tree_depth"),
                             ("mean_tree_accept", "acceptance_rate"))
            if old in stats
        }
    )  # fmt: skip
    posterior, stats, complete = _complete(posterior, stats, draws)
    stats.attrs["seconds_compiling"] = compiled_at - begun
    stats.attrs["seconds_sampling"] = time.perf_counter() - compiled_at
    return posterior, stats, not complete, marginal.left_out


def _complete(
    posterior: xr.Dataset, stats: xr.Dataset, draws: int
) -> tuple[xr.Dataset, xr.Dataset, bool]:
    """What an interrupted run leaves, without its ragged ends.

    Of chains of unequal length, those chains and as many draws of each are kept that make the
    most draws in all: with more chains than cores the last ones may not have begun.
    """
    finite = np.ones((posterior.sizes["chain"], posterior.sizes["draw"]), dtype=bool)
    for value in posterior.data_vars.values():
        array = value.transpose("chain", "draw", ...).values
        finite &= np.isfinite(array.reshape(*finite.shape, -1)).all(axis=-1)
    lengths = np.where(finite.all(axis=1), finite.shape[1], np.argmin(finite, axis=1))
    longest_first = np.argsort(-lengths, kind="stable")
    totals = lengths[longest_first] * np.arange(1, len(lengths) + 1)
    kept = int(np.argmax(totals)) + 1
    n = int(lengths[longest_first[kept - 1]])
    if n == 0:
        raise UnmixError(
            "sampling was stopped before any chain had a draw: nothing to keep, run it again"
        )
    which = {"chain": np.sort(longest_first[:kept]), "draw": slice(n)}
    complete = n >= draws and kept == len(lengths)
    return posterior.isel(which), stats.isel(which), complete
