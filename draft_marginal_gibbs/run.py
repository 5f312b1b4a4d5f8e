"""`method="gibbs"`: z and θ in turn, by exact conditionals wherever there are some."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pymc.logprob.utils import replace_rvs_by_values
from pytensor.graph.replace import vectorize_graph
from pytensor.graph.traversal import ancestors
from pytensor.tensor.type import TensorType

from unmix.derive import Derivation
from unmix.derive.compiling import compile_table
from unmix.derive.latent import z_dtype
from unmix.errors import UnmixError
from unmix.infer.gibbs.chain import Chain, Theta, begin, go_on
from unmix.infer.gibbs.laplace import find_laplace
from unmix.infer.gibbs.layout import Layout, NotExact, find_layout
from unmix.infer.gibbs.sweep import STATS
from unmix.infer.gibbs_store import Checkpoint, mapped
from unmix.infer.kept_draws import longest
from unmix.infer.progress import progress_bar
from unmix.onepass.onepass import OnePass, available_cores

# Seconds between looks at the clock, progress and whether to stop; and between states on disk.
CHUNK, SECONDS = 0.2, 2.0
# Draws at which the sweep's parameters are compared with the model's own afterwards.
LOOKS = 50


def why_not_exact(derivation: Derivation) -> str | None:
    """Why θ given z has no conditionals in closed form; None where it has."""
    found = _layout(derivation)
    return found if isinstance(found, str) else None


def _layout(derivation: Derivation) -> Layout | str:
    """The layout, or why there is none; found once for each derivation."""
    held = derivation.__dict__
    if "_gibbs_layout" not in held:
        try:
            held["_gibbs_layout"] = find_layout(derivation)
        except NotExact as reason:
            held["_gibbs_layout"] = str(reason)
    return held["_gibbs_layout"]


def run_gibbs(
    derivation: Derivation,
    points: Sequence[Theta],
    *,
    draws: int,
    tune: int,
    chains: int,
    cores: int | None,
    seed: int,
    progress: bool,
    store: str | os.PathLike | None = None,
    checkpoint: str | os.PathLike | None = None,
    **options: Any,
) -> tuple[xr.Dataset, xr.Dataset, NDArray, bool]:
    """Sample θ and z by turns.

    Parameters
    ----------
    derivation
        A derived model with a pass.
    points
        Unconstrained points around which chains begin.
    draws, tune, chains, cores, seed, progress
        As in `unmix.sample`. The same seed gives the same draws whatever ``cores``.
    store
        Folder in which the assignments are kept, memory-mapped, as ``z.npy``.
    checkpoint
        Folder in which the run is kept as it goes; the same call again goes on from there, to the
        same draws.
    **options
        For `unmix.infer.gibbs_general.run_general`, where priors have no closed form.

    Returns
    -------
    posterior, sample_stats
        Dims (chain, draw, …).
    z
        Assignments, (chain, draw, obs).
    interrupted
        Whether it was stopped before all draws were made.

    Raises
    ------
    UnmixError
        If the model has no pass; for a checkpoint of another model or other settings; if nothing
        was drawn.
    """
    common: dict[str, Any] = {
        "draws": draws, "tune": tune, "chains": chains, "cores": cores, "seed": seed,
        "progress": progress, "store": store, "checkpoint": checkpoint,
    }  # fmt: skip
    if derivation.onepass is None:
        raise UnmixError(
            "gibbs needs the compiled pass over the data, and this model takes the general road "
            f"because {derivation.recognised}: use method='nuts'"
        )
    begun = time.perf_counter()
    layout = _layout(derivation)
    if isinstance(layout, str):
        from unmix.infer.gibbs_general import run_general  # here, because it compiles by PyTensor

        return run_general(derivation, points, **common, **options)
    if options:
        raise UnmixError(f"gibbs has no option {next(iter(options))!r}: leave it out")
    run = _Run.prepare(derivation, layout, points, common)
    compiled = time.perf_counter()
    with progress_bar("gibbs", chains * (tune + draws), progress) as advance:
        run.all_chains(min(chains, cores or available_cores()), advance)
    lengths = np.array([max(0, c.sweeps - tune) for c in run.chains])
    which, length = longest(lengths)
    kept = run.theta[which, :length]
    posterior = _dataset(derivation, layout, kept)
    _require_model(derivation, layout, kept)
    stats = run.stats[which, :length]
    dims = ("chain", "draw")
    sample_stats = xr.Dataset(
        {
            "accepted_independent": (dims, stats[..., 1].astype(int)),
            "accepted_walks": (dims, stats[..., 3].astype(int)),
            "n_empty": (dims, stats[..., 4].astype(int)),
        }
    )
    sample_stats.attrs["seconds_compiling"] = compiled - begun
    sample_stats.attrs["seconds_sampling"] = time.perf_counter() - compiled
    return posterior, sample_stats, run.z[which, :length], bool((lengths < draws).any())


@dataclass(eq=False)
class _Run:
    """One call of `run_gibbs`, while it lasts."""

    layout: Layout
    onepass: OnePass
    draws: int
    tune: int
    checkpoint: Checkpoint | None
    theta: NDArray  # (chain, draw, place)
    stats: NDArray  # (chain, draw, stat)
    z: NDArray  # (chain, draw, obs)
    chains: list[Chain]
    stop: threading.Event

    @classmethod
    def prepare(
        cls, derivation: Derivation, layout: Layout, points: Sequence[Theta],
        common: dict[str, Any],
    ) -> "_Run":  # fmt: skip
        """Everything before the first sweep, or as the checkpoint has it."""
        assert derivation.onepass is not None
        draws, tune, chains = common["draws"], common["tune"], common["chains"]
        onepass = OnePass(derivation.onepass.recognised, derivation.onepass.chunks, threads=1)
        settings = {
            "sampler": "gibbs", "draws": draws, "tune": tune, "chains": chains,
            "seed": common["seed"], "z_in_store": common["store"] is not None,
        }  # fmt: skip
        folder = common["checkpoint"]
        kept = None if folder is None else Checkpoint(folder, derivation, settings)

        def array(name: str, shape: tuple[int, ...], dtype: Any) -> NDArray:
            if name == "z" and common["store"] is not None:
                again = kept is not None and kept.goes_on
                return mapped(Path(common["store"]) / "z.npy", shape, dtype, again=again)
            return np.zeros(shape, dtype) if kept is None else kept.array(name, shape, dtype)

        size = len(layout.plan.alpha)
        theta = array("theta", (chains, draws, size), np.float64)
        stats = array("stats", (chains, draws, STATS), np.float64)
        z = array("z", (chains, draws, derivation.n_obs), z_dtype(derivation.n_components))
        seeds = np.random.SeedSequence(common["seed"]).spawn(chains)
        held = [None if kept is None else kept.state(i) for i in range(chains)]
        laplace = None
        if any(h is None for h in held):
            with progress_bar("the posterior's mode", 1, common["progress"]):
                start = derivation.space.constrain(points[0])
                laplace = find_laplace(layout, onepass, start)
        standing = [
            Chain.from_arrays(h) if h is not None
            else begin(derivation, layout, points, laplace, seeds[i])
            for i, h in enumerate(held)
        ]  # fmt: skip
        return cls(
            layout, onepass, draws, tune, kept, theta, stats, z, standing,
            threading.Event(),
        )  # fmt: skip

    def go(self, number: int, advance: Callable[[], None]) -> None:
        """Run a chain until it is done or stopped."""
        chain, n_obs = self.chains[number], self.z.shape[-1]
        spare = np.empty((1, n_obs), dtype=self.z.dtype)
        end, step, written = self.tune + self.draws, 1, time.monotonic()
        while chain.sweeps < end and not self.stop.is_set():
            take = min(step, chain.next_stop(self.tune, self.draws) - chain.sweeps)
            at = chain.sweeps - self.tune
            began = time.monotonic()
            if at < 0:
                theta, stats = np.empty((take, self.theta.shape[-1])), np.zeros((take, STATS))
                z = spare
            else:
                theta, stats = (a[number, at : at + take] for a in (self.theta, self.stats))
                z = self.z[number, at : at + take]
            go_on(chain, self.layout, self.onepass, take, theta, stats, z)
            chain.learn(self.layout, theta, stats, self.tune)
            took = time.monotonic() - began
            step = int(np.clip(CHUNK / max(took / take, 1e-9), 1, 4 * step))
            for _ in range(take):
                advance()
            if self.checkpoint is not None and time.monotonic() - written > SECONDS:
                self.keep(number)
                written = time.monotonic()
        if self.checkpoint is not None:
            self.keep(number)

    def keep(self, number: int) -> None:
        """The draws first, then the state that speaks of them."""
        assert self.checkpoint is not None
        for array in (self.theta, self.stats, self.z):
            array.flush()  # type: ignore[attr-defined]
        self.checkpoint.write(number, self.chains[number].arrays())

    def all_chains(self, threads: int, advance: Callable[[], None]) -> None:
        """Run chains side by side, until all are done, one fails, or the user has had enough."""
        # In threads of their own: an interrupt then finds this one, and no sweep is cut in two.
        with ThreadPoolExecutor(threads, thread_name_prefix="unmix-gibbs") as pool:
            futures = [pool.submit(self.go, i, advance) for i in range(len(self.chains))]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
            except KeyboardInterrupt:
                pass
            finally:
                self.stop.set()
        for future in futures:
            future.result()


def _dataset(derivation: Derivation, layout: Layout, kept: NDArray) -> xr.Dataset:
    """θ by name, and the user's deterministics that need no z."""
    found = dict(layout.by_name(kept))
    found |= _deterministics(derivation, found)
    variables: dict[str, Any] = {}
    for name, value in found.items():
        declared = derivation.model.named_vars_to_dims.get(name) or (None,) * (value.ndim - 2)
        dims = [d if d is not None else f"{name}_dim_{i}" for i, d in enumerate(declared)]
        variables[name] = (("chain", "draw", *dims), np.array(value))
    used = {d for dims, _ in variables.values() for d in dims}
    coords = {
        d: np.asarray(labels)
        for d, labels in derivation.model.coords.items()
        if labels is not None and d in used
    }
    return xr.Dataset(variables, coords=coords)


def _deterministics(derivation: Derivation, theta: Theta) -> Theta:
    """Deterministics of draws (chain, draw, …), computed for all of them at once."""
    model, opened = derivation.model, derivation.opened
    rvs = {r: opened.theta[r.name] for r in model.free_RVs if r.name in opened.theta}
    graphs = {}
    for variable in model.deterministics:
        if derivation.latent.rv in set(ancestors([variable])):
            continue
        (graph,) = replace_rvs_by_values([variable], rvs_to_values=rvs)
        graphs[variable.name] = (
            vectorize_graph(graph, derivation.data) if derivation.data else graph
        )
    if not graphs:
        return {}
    inputs = list(opened.theta.values())
    stacked = [TensorType(v.type.dtype, (None, *v.type.shape))(v.name) for v in inputs]
    outputs = vectorize_graph(list(graphs.values()), dict(zip(inputs, stacked, strict=True)))
    lead = next(iter(theta.values())).shape[:2]
    flat = [theta[n].reshape(-1, *theta[n].shape[2:]) for n in opened.theta]
    values = compile_table(stacked, list(outputs))(*flat)
    one = [g.type.ndim for g in graphs.values()]
    return {
        name: np.broadcast_to(value, (len(flat[0]), *np.shape(value)[np.ndim(value) - ndim :]))
        .reshape(*lead, *np.shape(value)[np.ndim(value) - ndim :])
        for name, value, ndim in zip(graphs, values, one, strict=True)
    }  # fmt: skip


def _require_model(derivation: Derivation, layout: Layout, kept: NDArray) -> None:
    """Where the chains have been, the sweep's parameters are the model's own.

    Raises
    ------
    UnmixError
        If not: a defect of unmix.
    """
    from unmix.infer.gibbs import compiled

    assert derivation.onepass is not None
    recognised = derivation.onepass.recognised
    flat = kept.reshape(-1, kept.shape[-1])
    for row in flat[:: max(1, len(flat) // LOOKS)]:
        log_w, packed = recognised.pack(layout.by_name(row))
        own_w, own = np.empty_like(log_w), np.empty_like(packed)
        values = np.concatenate([row, layout.constants])
        compiled.prior_and_pack()(layout.plan, np.zeros(0), values, own_w, own)
        scale = 1.0 + np.abs(packed)
        same = np.abs(own - packed) <= 1e-6 * scale
        if not (same.all() and np.allclose(own_w, log_w, rtol=1e-6, atol=1e-6)):
            raise UnmixError(
                "a sweep's parameters are not those of the model at the same draw: please report "
                "the model, and use method='nuts'"
            )
