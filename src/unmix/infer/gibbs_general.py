"""Gibbs under any continuous prior: z by the pass, θ given its sums by Hamiltonian steps.

For hierarchies, hyperparameters, ordered transforms and whatever else has no conditional in closed
form. Each chain draws all z_i in one serial pass, then moves θ a few trajectories on the density
given the pass's sums (`unmix.infer.conditional`). What is tuned is tuned before the first draw.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from unmix.derive import Derivation
from unmix.derive.latent import z_dtype
from unmix.errors import UnmixError
from unmix.infer.conditional import Conditional, Linker
from unmix.infer.gibbs_store import Checkpoint, mapped
from unmix.infer.gibbs_sweep import STATS, Chain, Theta, start, sweep
from unmix.infer.kept_draws import draws_of_theta, longest
from unmix.infer.progress import progress_bar, waiting
from unmix.infer.side_by_side import side_by_side
from unmix.onepass.onepass import OnePass
from unmix.onepass.parts import Parts
from unmix.onepass.threads import available_cores

# Sweeps between looks at the clock, and seconds between two states on disk.
BATCH = 50
SECONDS = 1.0


@dataclass(eq=False)
class _Run:
    """One call of `run_general`, while it lasts."""

    conditional: Conditional
    data: OnePass | Parts
    draws: int
    tune: int
    checkpoint: Checkpoint | None
    u: NDArray  # (chain, draw, dimension)
    stats: NDArray  # (chain, draw, stat)
    z: NDArray  # (chain, draw, obs)
    stop: threading.Event
    advance: Callable[[], None]

    def go(self, number: int, chain: Chain) -> None:
        """Run a chain until it is done or stopped."""
        spare = np.empty(self.z.shape[-1], dtype=self.z.dtype)
        written = time.monotonic()
        while chain.sweeps < self.tune + self.draws and not self.stop.is_set():
            at = chain.sweeps - self.tune
            z = self.z[number, at] if at >= 0 else spare
            numbers = sweep(self.conditional, self.data, chain, z, tune=self.tune)
            if at >= 0:
                self.u[number, at], self.stats[number, at] = chain.u, numbers
            if chain.sweeps % BATCH == 0:
                self.advance()
                if self.checkpoint is not None and time.monotonic() - written > SECONDS:
                    self.keep(number, chain)
                    written = time.monotonic()
        if self.checkpoint is not None and chain.tuning is not None:
            self.keep(number, chain)

    def keep(self, number: int, chain: Chain) -> None:
        """The draws first, then the state that speaks of them."""
        assert self.checkpoint is not None
        for array in (self.u, self.stats, self.z):
            array.flush()  # type: ignore[attr-defined]
        self.checkpoint.write(f"chain_{number}", chain.arrays())


def serial_pass(derivation: Derivation) -> OnePass | Parts:
    """The pass over a model's data, for chains that run side by side.

    Raises
    ------
    UnmixError
        If the model takes the general road.
    """
    if derivation.onepass is not None:
        return OnePass(derivation.onepass.recognised, derivation.onepass.chunks, threads=1)
    if derivation.parts is not None:
        return derivation.parts  # always serial
    raise UnmixError(
        "gibbs needs the compiled pass over the data, and this model takes the general road "
        f"because {derivation.recognised}: use method='nuts'"
    )


def run_general(
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
    linker: Linker = "numba",
    conditional: Conditional | None = None,
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
    linker
        How PyTensor compiles.
    conditional
        A density compiled before, for runs on the same model.

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
    begun = time.perf_counter()
    data = serial_pass(derivation)
    size = sum(derivation.space.sizes.values())
    settings = {
        "sampler": "general gibbs", "draws": draws, "tune": tune, "chains": chains, "seed": seed,
        "linker": linker, "z_in_store": store is not None,
    }  # fmt: skip
    kept = None if checkpoint is None else Checkpoint(checkpoint, derivation, settings)

    def array(name: str, shape: tuple[int, ...], dtype: Any) -> NDArray:
        if name == "z" and store is not None:
            again = kept is not None and kept.goes_on
            return mapped(Path(store) / "z.npy", shape, dtype, again=again)
        return np.zeros(shape, dtype) if kept is None else kept.array(name, shape, dtype)

    u = array("u", (chains, draws, size), np.float64)
    stats = array("stats", (chains, draws, len(STATS)), np.float64)
    z = array("z", (chains, draws, derivation.n_obs), z_dtype(derivation.n_components))
    seeds = np.random.SeedSequence(seed).spawn(chains)
    if conditional is None:
        conditional = Conditional(derivation, linker)
    held = [None if kept is None else kept.state(f"chain_{number}") for number in range(chains)]
    before = [Chain.from_arrays(h) if h is not None else None for h in held]
    if any(c is None or c.sweeps < tune + draws for c in before):
        with waiting(f"PyTensor compiles θ given {derivation.latent.name}", progress):
            conditional.call  # noqa: B018, compiled at first sight
    standing = [
        start(derivation, data, conditional, points, own) if chain is None else chain
        for chain, own in zip(before, seeds, strict=True)
    ]
    compiled = time.perf_counter()
    batches = sum((tune + draws - c.sweeps) // BATCH for c in standing)
    stop = threading.Event()
    with progress_bar("gibbs", max(1, batches), progress) as advance:
        run = _Run(conditional, data, draws, tune, kept, u, stats, z, stop, advance)
        side_by_side(run.go, standing, min(chains, cores or available_cores()), stop)
    lengths = np.array([max(0, c.sweeps - tune) for c in standing])
    which, length = longest(lengths)
    posterior = draws_of_theta(derivation, u[which, :length])
    sample_stats = xr.Dataset(
        {name: (("chain", "draw"), stats[which, :length, i]) for i, name in enumerate(STATS)}
    )
    sample_stats = sample_stats.assign(
        {name: sample_stats[name].astype(dtype)
         for name, dtype in (("n_steps", int), ("diverging", bool), ("n_empty", int))}
    )  # fmt: skip
    sample_stats.attrs["seconds_compiling"] = compiled - begun
    sample_stats.attrs["seconds_sampling"] = time.perf_counter() - compiled
    interrupted = bool((lengths < draws).any())
    return posterior, sample_stats, z[which, :length], interrupted
