"""`run_exact`: chains of exact Gibbs sweeps, side by side, that can be stopped and gone on with."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from unmix.derive import Derivation
from unmix.derive.latent import z_dtype
from unmix.derive.theta import as_dataset
from unmix.infer.exact import compiled
from unmix.infer.exact.blocks import Blocks
from unmix.infer.exact.chain import Chain, Theta, begin
from unmix.infer.exact.landscape import Landscape
from unmix.infer.exact.laplace import propose_from
from unmix.infer.exact.learning import learn
from unmix.infer.exact.proposal import Proposal
from unmix.infer.exact.verify import require_priors
from unmix.infer.gibbs_store import Checkpoint, mapped
from unmix.infer.kept_draws import longest
from unmix.infer.progress import progress_bar
from unmix.infer.side_by_side import side_by_side
from unmix.onepass.onepass import OnePass
from unmix.onepass.threads import available_cores

# Rows times components in one call of the kernel: about a tenth of a second, after which an
# interrupt is seen and a checkpoint may be written.
WORK = 50_000_000
SECONDS = 1.0
# Tuning sweeps after which the proposal learns from the chains, as shares of all of them, and how
# many it takes to learn anything.
LESSONS, TOO_FEW = (0.25, 0.5), 40


@dataclass(frozen=True, eq=False)
class Kept:
    """What is kept of sweeps, arrays (chain, sweep, …); z or y may have no sweeps."""

    theta: NDArray
    log_marginal: NDArray
    repeated: NDArray
    z: NDArray
    y: NDArray

    def of(self, chain: int, begin: int, end: int) -> tuple[NDArray, ...]:
        """Some sweeps of one chain, as the kernel takes them."""
        some = slice(begin, end)
        return tuple(
            np.asarray(a[chain, some])
            for a in (self.z, self.theta, self.log_marginal, self.repeated, self.y)
        )

    def flush(self) -> None:
        """Write what is mapped to files."""
        for array in (self.theta, self.log_marginal, self.repeated, self.z):
            array.flush()  # type: ignore[attr-defined]


@dataclass(eq=False)
class _Run:
    """One call, while it lasts: sweeps ``begin`` to ``end`` of each chain are under way."""

    onepass: OnePass
    blocks: Blocks
    proposal: Proposal
    into: Kept
    checkpoint: Checkpoint | None
    stop: threading.Event
    advance: Callable[[], None]
    begin: int
    end: int

    def go(self, number: int, chain: Chain) -> None:
        """Run a chain until it is done or stopped."""
        step = max(1, min(500, WORK // max(1, len(chain.z) * len(chain.log_w))))
        written = time.monotonic()
        while chain.sweeps < self.end and not self.stop.is_set():
            count = min(step, self.end - chain.sweeps)
            self.sweep(number, chain, count)
            chain.sweeps += count
            self.advance()
            if self.checkpoint is not None and time.monotonic() - written > SECONDS:
                self.keep(number, chain)
                written = time.monotonic()
        if self.checkpoint is not None:
            self.keep(number, chain)

    def sweep(self, number: int, chain: Chain, count: int) -> None:
        """So many sweeps in one call of the kernel."""
        (chunk,) = self.onepass.chunks
        q, at = self.proposal, chain.sweeps - self.begin
        compiled.sweeps(self.onepass.families)(
            0, chain.rng, self.onepass.terms, chunk.x, chunk.centre, chunk.weight,
            self.blocks.table, self.blocks.hyper, q.nu, q.log_share, q.centres, q.factors, q.groups,
            q.key, q.share, chain.theta, chain.log_w, chain.packed, chain.n, chain.stats,
            chain.log_marginal, chain.z, *self.into.of(number, at, at + count),
        )  # fmt: skip

    def keep(self, number: int, chain: Chain) -> None:
        """The draws first, then the state that speaks of them."""
        assert self.checkpoint is not None
        self.into.flush()
        self.checkpoint.write(f"chain_{number}", chain.arrays())


def run_exact(
    derivation: Derivation,
    blocks: Blocks,
    points: Sequence[Theta],
    *,
    draws: int,
    tune: int,
    chains: int,
    cores: int | None,
    seed: int,
    progress: bool,
    store: str | Path | None = None,
    checkpoint: str | Path | None = None,
    proposal: Proposal | None = None,
) -> tuple[xr.Dataset, xr.Dataset, NDArray, bool]:
    """Sample θ and z: from exact conditionals, or both at once with z summed out.

    Parameters
    ----------
    derivation, blocks
        The model, and its parameters laid out for the sweep.
    points
        Unconstrained points around which chains begin.
    draws, tune, chains, cores, seed, progress
        As in `unmix.sample`. The same seed gives the same draws whatever ``cores``.
    store
        Folder in which the assignments are kept, memory-mapped, as ``z.npy``.
    checkpoint
        Folder in which the run is kept as it goes; the same call again goes on from there, to the
        same draws.
    proposal
        For moves of all of θ at once; found here when left out.

    Returns
    -------
    posterior, sample_stats
        Dims (chain, draw, …). ``repeated``: θ and z are those of the draw before.
    z
        Assignments, (chain, draw, obs); z_t was drawn given θ_t.
    interrupted
        Whether it was stopped before all draws were made.
    """
    assert derivation.onepass is not None
    begun = time.perf_counter()
    require_priors(derivation, blocks)
    onepass = OnePass(derivation.onepass.recognised, derivation.onepass.chunks, threads=1)
    land = Landscape(derivation, blocks, onepass)
    settings = {
        "sampler": "exact gibbs", "draws": draws, "tune": tune, "chains": chains, "seed": seed,
        "z_in_store": store is not None,
    }  # fmt: skip
    kept = None if checkpoint is None else Checkpoint(checkpoint, derivation, settings)

    def array(name: str, shape: tuple[int, ...], dtype: Any) -> NDArray:
        if name == "z" and store is not None:
            again = kept is not None and kept.goes_on
            return mapped(Path(store) / "z.npy", shape, dtype, again=again)
        return np.zeros(shape, dtype) if kept is None else kept.array(name, shape, dtype)

    into = Kept(
        array("theta", (chains, draws, blocks.size), np.float64),
        array("log_marginal", (chains, draws), np.float64),
        array("repeated", (chains, draws), np.bool_),
        array("z", (chains, draws, derivation.n_obs), z_dtype(derivation.n_components)),
        np.empty((chains, 0, 0)),
    )
    stop, threads = threading.Event(), min(chains, cores or available_cores())
    tuned = None if kept is None else kept.state("proposal")
    with progress_bar("gibbs", max(1, chains * (draws + tune) // 500), progress) as advance:
        if kept is not None and tuned is not None:
            proposal = Proposal.from_arrays(tuned)
            standing = [Chain.from_arrays(kept.state(f"chain_{c}") or {}) for c in range(chains)]
            run = _Run(onepass, blocks, proposal, into, kept, stop, advance, tune, tune + draws)
            ready = time.perf_counter()
        else:
            if proposal is None:
                proposal = propose_from(derivation, blocks, points, seed)
            standing = [
                begin(land, proposal, points, own)
                for own in np.random.SeedSequence(seed).spawn(chains)
            ]
            run = _Run(onepass, blocks, proposal, into, None, stop, advance, 0, 0)
            run.sweep(0, standing[0], 0)  # compiles
            ready = time.perf_counter()
            _tune(run, land, standing, tune, threads, seed)
            run = replace(run, checkpoint=kept, into=into, begin=tune, end=tune + draws)
            if kept is not None and not stop.is_set():
                for number, chain in enumerate(standing):
                    run.keep(number, chain)
                kept.write("proposal", run.proposal.arrays())
        drawing = time.perf_counter()
        if not stop.is_set():
            side_by_side(run.go, standing, threads, stop)
    lengths = np.array([max(0, c.sweeps - tune) for c in standing])
    which, length = longest(lengths)
    posterior = as_dataset(
        derivation, blocks.unflatten(np.array(into.theta[which, :length])), ("chain", "draw")
    )
    posterior = posterior[list(derivation.parameters)]
    count = posterior.sizes["chain"]
    posterior = posterior.assign_coords(chain=np.arange(count), draw=np.arange(length))
    stats = xr.Dataset(
        {"repeated": (("chain", "draw"), np.array(into.repeated[which, :length]))},
        coords={"chain": np.arange(count), "draw": np.arange(length)},
    )
    stats.attrs["seconds_compiling"] = ready - begun
    stats.attrs["seconds_tuning"] = drawing - ready
    stats.attrs["seconds_sampling"] = time.perf_counter() - ready
    stats.attrs["proposed"] = run.proposal.share
    return posterior, stats, into.z[which, :length], bool((lengths < draws).any())


def _tune(
    run: _Run, land: Landscape, standing: list[Chain], tune: int, threads: int, seed: int
) -> None:
    """The sweeps that are not kept; the run's proposal learns from them."""
    chains, rng = len(standing), np.random.default_rng([seed, tune])
    wide = land.size if run.proposal.centres.shape[1] else 0
    ends = [round(share * tune) for share in LESSONS] if wide else []
    for end in [*ends, tune]:
        run.begin, run.end = run.end, end
        count = run.end - run.begin
        run.into = Kept(
            np.empty((chains, count, run.blocks.size)), np.empty((chains, count)),
            np.empty((chains, count), dtype=bool),
            np.empty((chains, 0, len(standing[0].z)), dtype=standing[0].z.dtype),
            np.empty((chains, count if end < tune else 0, wide)),
        )  # fmt: skip
        side_by_side(run.go, standing, threads, run.stop)
        if run.stop.is_set():
            return
        if end < tune and count >= TOO_FEW:
            run.proposal = learn(land, run.proposal, run.into.y, run.into.log_marginal, rng)
