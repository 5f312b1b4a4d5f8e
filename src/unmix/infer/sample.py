"""`sample`: draws of θ and of every z_i, as one tree of results.

Two roads: z summed out and then drawn exactly from each draw's θ (``"nuts"``), or z in the chain
under PyMC's own steps (``"pymc"``). Both hand back the same tree.
"""

import inspect
import time
import warnings
from typing import Any, Literal

import arviz as az
import numpy as np
import nutpie
import pymc as pm
import xarray as xr
from numpy.typing import NDArray

import unmix
from unmix.assign.draws import Assigned, assign_draws
from unmix.assign.matching import verdict
from unmix.derive import Derivation, derive
from unmix.derive.latent import z_dtype
from unmix.derive.theta import stack_theta
from unmix.errors import UnmixError, UnmixWarning
from unmix.fingerprint import fingerprint
from unmix.infer.labellings import unvisited_labelling
from unmix.infer.nuts import run_nuts, start_points
from unmix.infer.pymc_steps import run_pymc
from unmix.recipe import recipe_of

Method = Literal["nuts", "pymc"]
# Vehtari et al. 2021, Bayesian Analysis 16:667, on quantities that labels cannot change.
R_HAT, CLEARLY = 1.01, 1.05


def sample(
    model: pm.Model | None = None,
    *,
    method: Method = "nuts",
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    cores: int | None = None,
    rng: int | np.random.Generator | None = None,
    em: Any = None,
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
        ``"pymc"``: z in the chain under PyMC's own steps; slow, for small N, and independent of
        the table that unmix derives.
    draws, tune, chains, cores
        As in `pymc.sample`: draws kept and tuning steps of each chain.
    rng
        Seed or generator. The same seed gives the same draws on the same machine and versions.
    em
        An EM result around which chains start; EM is run briefly when left out.
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
        if isinstance(value, bool) or value != int(value) or value < least:
            raise UnmixError(f"{name} is {value!r}: give a whole number, {least} or more")
    _require_known(method, kwargs)
    derivation = derive(model)
    generator = np.random.default_rng(rng)
    seed = int(rng) if isinstance(rng, int | np.integer) else -1
    sampler_seed = int(generator.integers(2**31))
    left_out: tuple[str, ...] = ()
    if method == "nuts":
        points, reference = start_points(derivation, em, generator)
        posterior, stats, interrupted, left_out = run_nuts(
            derivation, points, draws=draws, tune=tune, chains=chains, cores=cores,
            seed=sampler_seed, progress=progress, **kwargs,
        )  # fmt: skip
        reason = "z can be summed out, so θ is sampled by gradients and z drawn exactly"
        counted = None
    elif method == "pymc":
        posterior, stats, counted, interrupted = run_pymc(
            derivation, draws=draws, tune=tune, chains=chains, cores=cores,
            seed=sampler_seed, progress=progress, **kwargs,
        )  # fmt: skip
        reference = None if em is None else start_points(derivation, em, generator)[1]
        reason = "asked for: z in the chain, independent of the derived table"
    else:
        raise UnmixError(f"method is {method!r}: give 'nuts' or 'pymc'")
    parts = {n: stats.attrs.pop(n) for n in list(stats.attrs) if n.startswith("seconds_")}
    stack = stack_theta(derivation, posterior)
    drawing = time.perf_counter()
    assigned = assign_draws(derivation, stack, generator if counted is None else None, reference)
    if counted is None:
        parts["seconds_drawing_z"] = time.perf_counter() - drawing
    z = assigned.z if counted is None else counted.astype(z_dtype(derivation.n_components))
    assert z is not None  # drawn above where it was not counted
    tree = _tree(derivation, posterior, stats, z, assigned)
    name, arguments = recipe_of(derivation.model)
    tree.attrs = {
        "unmix_version": unmix.__version__,
        "pymc_version": pm.__version__,
        "method": method,
        "reason": reason,
        "seed": seed,
        "z_kind": "fresh" if counted is None else "dependent",
        "z_from_table": int(counted is None),
        "model": name,
        "model_arguments": arguments,
        "fingerprint": fingerprint(derivation),
        "deterministics_left_out": ", ".join(left_out),
        "seconds": time.perf_counter() - begun,
        **parts,
        "interrupted": int(interrupted),
    }
    _say_aloud(tree, draws)
    _say_labelling(derivation, posterior)
    return tree


def _require_known(method: str, options: dict[str, Any]) -> None:
    """Refuse an option that neither sampler knows, before anything is compiled."""
    if method == "nuts":
        settings = nutpie._lib.PyNutsSettings.Diag(0)
        known = {*inspect.signature(nutpie.sample).parameters, *dir(settings)}
    else:
        known = set(inspect.signature(pm.sample).parameters)
    for name in options:
        if name not in known or name in ("seed", "random_seed"):
            raise UnmixError(
                f"sample has no option {name!r}: it takes draws, tune, chains, cores, rng (the "
                "seed), em, progress, and the options of nutpie.sample or pymc.sample"
            )


def _tree(
    derivation: Derivation,
    posterior: xr.Dataset,
    stats: xr.Dataset,
    z: NDArray,
    assigned: Assigned,
) -> xr.DataTree:
    """Everything that was drawn, by group."""
    shape = (posterior.sizes["chain"], posterior.sizes["draw"])
    samples = {"chain": posterior["chain"].values, "draw": posterior["draw"].values}
    identified, sentence = verdict(assigned.margin, derivation.components.symmetric)
    stats = stats.assign_coords(samples).assign(
        log_likelihood=(("chain", "draw"), assigned.log_likelihood.reshape(shape)),
        concentration=(("chain", "draw"), assigned.concentration.reshape(shape)),
    )
    assignments = xr.Dataset(
        {derivation.latent.name: (("chain", "draw", "obs"), z.reshape(*shape, -1))},
        coords={**samples, "obs": derivation.obs_labels},
    )
    alignment = xr.Dataset(
        {
            "permutation": (
                ("chain", "draw", "component"),
                assigned.permutation.reshape(*shape, -1).astype(z_dtype(derivation.n_components)),
            ),
            "margin": (("chain", "draw"), assigned.margin.reshape(shape)),
        },
        coords={**samples, "component": derivation.component_labels},
        attrs={"identified": int(identified), "alignment": sentence},
    )
    groups = {
        "posterior": posterior.assign_coords(samples),
        "sample_stats": stats,
        "assignments": assignments,
        "alignment": alignment,
        "observed_data": observed_data(derivation),
    }
    return xr.DataTree.from_dict(groups)


def observed_data(derivation: Derivation) -> xr.Dataset:
    """The rows that the model was declared on, with the model's dims."""
    variables, coords = {}, {}
    for name, value in derivation.opened.observed.items():
        array = np.asarray(derivation.data[value].data)
        declared = derivation.model.named_vars_to_dims.get(name) or (None,) * array.ndim
        dims = tuple(d if d is not None else f"{name}_dim_{i}" for i, d in enumerate(declared))
        variables[name] = (dims, array)
        for d in dims:
            labels = derivation.model.coords.get(d)
            if labels is not None:
                coords[d] = np.asarray(labels)
    return xr.Dataset(variables, coords=coords)


def _say_labelling(derivation: Derivation, posterior: xr.Dataset) -> None:
    """Warn where chains sat in one of several plausible labellings."""
    found = unvisited_labelling(
        derivation,
        stack_theta(derivation, posterior),
        stack_theta(derivation, posterior, derivation.parameters),
    )
    if found is None:
        return
    i, j, cost = (*(derivation.component_labels[c] for c in found[:2]), found[2])
    warnings.warn(
        f"the prior hardly tells components {i} and {j} apart (swapping them costs {cost:.1f} "
        "log-density units) and no chain moved between the two labellings: responsibilities hold "
        "for the labelling that the chains sat in, and its weight is not known; make the priors "
        "of these components equal, or clearly different",
        UnmixWarning,
        stacklevel=3,
    )


def _say_aloud(tree: xr.DataTree, draws: int) -> None:
    """Warn of what a reader of the numbers must know."""
    stats = tree["sample_stats"].to_dataset()
    if tree.attrs["interrupted"]:
        warnings.warn(
            f"interrupted: {stats.sizes['draw']} of {draws} draws were kept, of "
            f"{stats.sizes['chain']} chains",
            UnmixWarning, stacklevel=3,
        )  # fmt: skip
    if "diverging" in stats and int(stats["diverging"].sum()):
        warnings.warn(
            f"{int(stats['diverging'].sum())} divergent draws: the posterior has corners that the "
            "sampler did not reach; tighten the priors, or raise target_accept",
            UnmixWarning, stacklevel=3,
        )  # fmt: skip
    if stats.sizes["chain"] > 1 and stats.sizes["draw"] >= 100:
        free = stats[["log_likelihood", "concentration"]]
        if float(free.to_array().std()) > 0:
            r_hat = az.rhat(free)
            worst = max(float(v) for v in r_hat.data_vars.values())
            few = min(float(v) for v in az.ess(free).data_vars.values()) < 400
            if worst > CLEARLY or (worst > R_HAT and few):
                warnings.warn(
                    f"chains disagree (R-hat {worst:.3f} on quantities that labels cannot "
                    "change): draw more, or look at the chains one by one; weights of separate "
                    "modes cannot be read from them",
                    UnmixWarning, stacklevel=3,
                )  # fmt: skip
    if not tree["alignment"].attrs["identified"]:
        warnings.warn(
            f"components are {tree['alignment'].attrs['alignment']}", UnmixWarning, stacklevel=3
        )
