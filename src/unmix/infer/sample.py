"""`sample`: draws of θ and of every z_i, as one tree of results.

Three roads: z summed out and then drawn exactly given θ (``"nuts"``), z in the chain with its
exact conditionals (``"gibbs"``), or z in the chain under PyMC's own steps (``"pymc"``). All hand
back the same tree.
"""

import inspect
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import NDArray

import unmix
from unmix.arguments import file_path, no_option, one_of, random_generator, whole
from unmix.assign.draws import assign_draws
from unmix.assign.identity import LIKELIEST, WHERE_EM_ENDED
from unmix.derive import Derivation, derive
from unmix.derive.latent import z_dtype
from unmix.derive.theta import stack_theta
from unmix.errors import UnmixError
from unmix.fingerprint import fingerprint
from unmix.infer.aloud import disagree, say_aloud, say_labelling, worst_r_hat
from unmix.infer.choose import Method, choose
from unmix.infer.nuts import run_nuts, start_points
from unmix.infer.pymc_steps import run_pymc
from unmix.infer.tree import result_tree
from unmix.recipe import recipe_of


@dataclass(frozen=True)
class Drawn:
    """What a sampler hands over.

    Attributes
    ----------
    posterior, stats
        Dims (chain, draw, …).
    z
        Assignments (chain, draw, obs) that were in the chain; None where they are yet to be drawn.
    interrupted
        Whether it was stopped early.
    left_out
        Deterministics that depend on z.
    """

    posterior: xr.Dataset
    stats: xr.Dataset
    z: NDArray | None
    interrupted: bool
    left_out: tuple[str, ...] = ()


def sample(
    model: pm.Model | None = None,
    *,
    method: Method = "auto",
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    cores: int | None = None,
    rng: int | np.random.Generator | None = None,
    em: Any = None,
    store: str | Path | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = True,
    **kwargs: Any,
) -> xr.DataTree:
    """Draw from the posterior of θ and of the assignments.

    Parameters
    ----------
    model
        The declared mixture; found in the ``with`` block when left out.
    method
        ``"nuts"``: z summed out, θ by nutpie, z then drawn exactly given each draw's θ.
        ``"gibbs"``: for models on the fast road, z and θ in turn from their exact conditionals;
        where a good proposal for all of θ is found, also both at once with z summed out.
        ``"pymc"``: z in the chain under PyMC's own steps; slow, for small N, and independent of
        the table that unmix derives.
        ``"auto"``: one of the first two, and NUTS where Gibbs' chains come to disagree; the
        attribute ``reason`` of the result says why.
    draws, tune, chains, cores
        As in `pymc.sample`: draws kept and tuning steps of each chain.
    rng
        Seed or generator. The same seed gives the same draws on the same machine and versions.
    em
        An EM result around which chains start; EM is run briefly when left out.
    store
        Folder that holds z on disk and not in memory, as ``z.npy``; N = 10⁶ with 4 × 1,000 draws
        takes 4 GB there.
    checkpoint
        Folder in which ``"gibbs"`` keeps its state; the same call goes on from it after an
        interruption.
    progress
        Whether to show progress.
    **kwargs
        For `nutpie.sample` or `pymc.sample`.

    Returns
    -------
    xarray.DataTree
        ``posterior`` (θ as sampled, raw labels), ``sample_stats`` (with ``log_likelihood``
        = Σ_i log p(x_i | θ) of each draw), ``assignments`` (z, smallest unsigned integer, dims
        chain, draw, obs), ``alignment`` (``permutation``: the raw component of each aligned one),
        ``observed_data``. Attributes: method and why, seed, versions, kind of z, time.

    Raises
    ------
    UnmixError
        For an option that makes no sense, or a model that cannot be derived.

    Warns
    -----
    UnmixWarning
        Divergences; chains that disagree on the log-likelihood; components that cannot be matched;
        an interrupted run.
    """
    begun = time.perf_counter()
    for name, value, least in (("draws", draws, 1), ("tune", tune, 0), ("chains", chains, 1)):
        whole(name, value, least)
    if cores is not None:
        whole("cores", cores)
    for name, folder in (("store", store), ("checkpoint", checkpoint)):
        if folder is not None:
            file_path(name, folder)
    generator = random_generator(rng)
    _require_known(method, kwargs)
    if checkpoint is not None and method not in ("gibbs", "auto"):
        raise UnmixError(f"checkpoint belongs to method='gibbs', not to {method!r}: leave it out")
    derivation = derive(model)
    if derivation.weight is not None and method in ("gibbs", "pymc"):
        raise UnmixError(
            f"method='{method}' draws one z for each row, and rows with weights stand for several "
            "or for a part of one: use method='nuts', which sums z out"
        )
    seed = int(rng) if isinstance(rng, int | np.integer) else -1
    sampler_seed = int(generator.integers(2**31))
    points: list[dict[str, NDArray]] = []
    reference = None
    if method != "pymc" or em is not None:
        points, reference = start_points(derivation, em, generator)
    asked = method
    chosen: str = method
    reason, extra = _REASONS.get(method, ""), dict(kwargs)
    if method == "auto":
        choice = choose(derivation, points, reference, kwargs, sampler_seed)
        chosen, reason = choice.method, choice.reason
        if checkpoint is not None and chosen != "gibbs":
            raise UnmixError(f"checkpoint needs method='gibbs', and here {reason}: leave it out")
        if choice.proposal is not None:
            extra["proposal"] = choice.proposal
    settings = {
        "draws": int(draws), "tune": int(tune), "chains": int(chains), "cores": cores,
        "seed": sampler_seed, "progress": progress,
    }  # fmt: skip
    chosen_at = time.perf_counter()
    drawn = _draw(chosen, derivation, points, settings, store, checkpoint, extra)
    tree = _finish(derivation, drawn, generator, reference, store)
    took = {"seconds_starting_points_and_choice": chosen_at - begun}
    found = worst_r_hat(tree["sample_stats"].to_dataset())
    if asked == "auto" and chosen == "gibbs" and found and disagree(*found):
        reason = (
            f"Gibbs' chains came to disagree (R-hat {found[0]:.3f} on quantities that labels "
            "cannot change), so θ went by gradients instead"
        )
        chosen = "nuts"
        took["seconds_gibbs_set_aside"] = time.perf_counter() - chosen_at
        drawn = _draw(chosen, derivation, points, settings, store, None, kwargs)
        tree = _finish(derivation, drawn, generator, reference, store)
    recipe = recipe_of(derivation.model)
    for group, rows in recipe.groups().items():
        tree[group] = xr.DataTree(rows)
    tree.attrs = {
        "unmix_version": unmix.__version__,
        "pymc_version": pm.__version__,
        "method": chosen,
        "reason": reason,
        "seed": seed,
        "z_kind": "fresh" if _always_fresh(drawn) else "dependent",
        "z_from_table": int(chosen != "pymc"),
        "model": recipe.name,
        "model_arguments": recipe.arguments,
        "fingerprint": fingerprint(derivation),
        "deterministics_left_out": ", ".join(drawn.left_out),
        "seconds": time.perf_counter() - begun,
        **took,
        **tree.attrs,
        "interrupted": int(drawn.interrupted),
    }
    say_aloud(derivation, tree, draws)
    say_labelling(derivation, drawn.posterior)
    return tree


_REASONS = {
    "nuts": "asked for: z summed out, θ by gradients, z drawn exactly",
    "gibbs": "asked for: z and θ in turn, from their exact conditionals",
    "pymc": "asked for: z in the chain, independent of the derived table",
}


def _always_fresh(drawn: Drawn) -> bool:
    """Whether every z was drawn given the θ beside it, and none is the draw before's again."""
    if drawn.z is None:
        return True
    return "repeated" in drawn.stats and not bool(drawn.stats["repeated"].any())


def _draw(
    method: str,
    derivation: Derivation,
    points: list[dict[str, NDArray]],
    settings: dict[str, Any],
    store: str | Path | None,
    checkpoint: str | Path | None,
    options: dict[str, Any],
) -> Drawn:
    """Run one sampler."""
    if method == "nuts":
        posterior, stats, interrupted, left_out = run_nuts(
            derivation, points, **settings, **options
        )
        return Drawn(posterior, stats, None, interrupted, left_out)
    if method == "gibbs":
        from unmix.infer.gibbs import run_gibbs  # here, because not every run needs its kernels

        posterior, stats, z, interrupted = run_gibbs(
            derivation, points, **settings, store=store, checkpoint=checkpoint, **options
        )
        return Drawn(posterior, stats, z, interrupted)
    posterior, stats, z, interrupted = run_pymc(derivation, **settings, **options)
    return Drawn(posterior, stats, z, interrupted)


def _finish(
    derivation: Derivation,
    drawn: Drawn,
    rng: np.random.Generator,
    reference: NDArray | None,
    store: str | Path | None,
) -> xr.DataTree:
    """Draw z where it was summed out, match components, and put everything into one tree."""
    begun = time.perf_counter()
    took = {n: drawn.stats.attrs.pop(n) for n in list(drawn.stats.attrs) if n[:8] == "seconds_"}
    stack = stack_theta(derivation, drawn.posterior)
    dtype = z_dtype(derivation.n_components)
    if drawn.z is not None:
        assigned = assign_draws(derivation, stack, None, reference)
        z = drawn.z.astype(dtype, copy=False)
    else:
        out = None
        if store is not None:
            Path(store).mkdir(parents=True, exist_ok=True)
            path, shape = Path(store) / "z.npy", (len(stack), derivation.n_obs)
            out = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
        assigned = assign_draws(derivation, stack, rng, reference, out)
        assert assigned.z is not None
        z = assigned.z
        took["seconds_drawing_z"] = time.perf_counter() - begun
    words = LIKELIEST if reference is None else WHERE_EM_ENDED
    tree = result_tree(derivation, drawn.posterior, drawn.stats, z, assigned, words)
    tree.attrs = took
    return tree


_OWN_OPTIONS = (
    "draws", "tune", "chains", "cores", "rng", "em", "store", "checkpoint", "progress",
)  # fmt: skip


def _require_known(method: str, options: dict[str, Any]) -> None:
    """Refuse a method or an option that nobody knows, before anything is compiled."""
    one_of("method", method, ("auto", "nuts", "gibbs", "pymc"))
    takes: set[str] = set()
    if options and method == "pymc":
        takes = {*inspect.signature(pm.sample).parameters, "target_accept"}  # of its steps
    elif options and method != "gibbs":
        import nutpie  # here, because it takes seconds

        takes = set(inspect.signature(nutpie.sample).parameters)
        takes |= {name for name in options if _is_setting(nutpie, name, options[name])}
    for name in options:
        if name not in takes or name in ("seed", "random_seed"):
            raise no_option(
                "sample",
                name,
                takes | {*_OWN_OPTIONS, "target_accept", "maxdepth"},
                f"{', '.join(_OWN_OPTIONS)} (rng is the seed), and the options of nutpie.sample or "
                "pymc.sample",
            )


def _is_setting(nutpie: Any, name: str, value: Any) -> bool:
    """Whether nutpie's sampler has a setting of that name; it lists them nowhere."""
    try:
        nutpie._lib.PyNutsSettings.Diag(0).update({name: value})
    except AttributeError:
        return False
    except (TypeError, ValueError):  # it has, but not with such a value, and will say so
        return True
    return True
