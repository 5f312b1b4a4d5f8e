"""`run_exact`: chains of exact Gibbs sweeps, side by side, that can be stopped and gone on with."""

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
from unmix.derive.theta import as_dataset
from unmix.infer.exact import compiled
from unmix.infer.exact.blocks import Blocks
from unmix.infer.exact.verify import require_priors
from unmix.infer.gibbs_store import Checkpoint, mapped, rng_from, rng_state
from unmix.infer.kept_draws import longest
from unmix.infer.progress import progress_bar
from unmix.infer.side_by_side import side_by_side
from unmix.onepass.onepass import OnePass, available_cores

Theta = dict[str, NDArray]

# Rows times components in one call of the kernel: about a tenth of a second, after which an
# interrupt is seen and a checkpoint may be written.
WORK = 50_000_000
SECONDS = 1.0
NOISE = 0.1


@dataclass
class Chain:
    """Where a chain stands: θ, what the pass takes of it, its random numbers, sweeps done."""

    theta: NDArray
    log_w: NDArray
    packed: NDArray
    rng: np.random.Generator
    sweeps: int = 0

    def arrays(self) -> dict[str, NDArray]:
        """To be stored."""
        return {
            "theta": self.theta, "log_w": self.log_w, "packed": self.packed,
            "rng": rng_state(self.rng), "sweeps": np.asarray(self.sweeps),
        }  # fmt: skip

    @classmethod
    def from_arrays(cls, held: dict[str, NDArray]) -> "Chain":
        """The same, read back."""
        theta, log_w, packed = (np.array(held[n]) for n in ("theta", "log_w", "packed"))
        return cls(theta, log_w, packed, rng_from(held["rng"]), int(held["sweeps"]))


@dataclass(eq=False)
class _Run:
    """One call, while it lasts."""

    onepass: OnePass
    blocks: Blocks
    draws: int
    tune: int
    checkpoint: Checkpoint | None
    theta: NDArray  # (chain, draw, value)
    z: NDArray  # (chain, draw, obs)
    stop: threading.Event
    advance: Callable[[], None]

    def go(self, number: int, chain: Chain) -> None:
        """Run a chain until it is done or stopped; if it fails, so are the others."""
        try:
            self._go(number, chain)
        except BaseException:
            self.stop.set()
            raise

    def _go(self, number: int, chain: Chain) -> None:
        (chunk,) = self.onepass.chunks
        kernel = compiled.sweeps()
        step = max(1, min(500, WORK // max(1, len(chunk) * len(chain.log_w))))
        spare = np.empty((1, len(chunk)), dtype=self.z.dtype)
        thrown = np.empty((step, self.blocks.size))
        written = time.monotonic()
        while chain.sweeps < self.tune + self.draws and not self.stop.is_set():
            at = chain.sweeps - self.tune
            count = min(step, -at if at < 0 else self.draws - at)
            z = self.z[number, at : at + count] if at >= 0 else spare
            kept = self.theta[number, at : at + count] if at >= 0 else thrown[:count]
            kernel(
                chain.rng, self.onepass.terms, chunk.x, chunk.centre, chunk.weight,
                self.blocks.table, self.blocks.hyper, chain.theta, chain.log_w, chain.packed,
                np.asarray(z), np.asarray(kept),
            )  # fmt: skip
            chain.sweeps += count
            self.advance()
            if self.checkpoint is not None and time.monotonic() - written > SECONDS:
                self.keep(number, chain)
                written = time.monotonic()
        if self.checkpoint is not None:
            self.keep(number, chain)

    def keep(self, number: int, chain: Chain) -> None:
        """The draws first, then the state that speaks of them."""
        assert self.checkpoint is not None
        for array in (self.theta, self.z):
            array.flush()  # type: ignore[attr-defined]
        self.checkpoint.write(number, chain.arrays())


def _begin(
    derivation: Derivation, blocks: Blocks, points: Sequence[Theta], seed: np.random.SeedSequence
) -> Chain:
    """A chain near one of the points."""
    rng = np.random.default_rng(seed)
    point = points[int(rng.integers(len(points)))]
    moved = {n: np.asarray(v) + NOISE * rng.standard_normal(np.shape(v)) for n, v in point.items()}
    theta = derivation.space.constrain(moved)
    recognised = derivation.recognised
    assert not isinstance(recognised, str)
    log_w, packed = recognised.pack(theta)
    return Chain(blocks.flatten(theta), log_w, packed, rng)


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
) -> tuple[xr.Dataset, xr.Dataset, NDArray, bool]:
    """Sample θ and z by turns, everything from its exact conditional.

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

    Returns
    -------
    posterior, sample_stats
        Dims (chain, draw, …).
    z
        Assignments, (chain, draw, obs); z_t was drawn before θ_t.
    interrupted
        Whether it was stopped before all draws were made.
    """
    assert derivation.onepass is not None
    begun = time.perf_counter()
    require_priors(derivation, blocks)
    onepass = OnePass(derivation.onepass.recognised, derivation.onepass.chunks, threads=1)
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

    theta = array("theta", (chains, draws, blocks.size), np.float64)
    z = array("z", (chains, draws, derivation.n_obs), z_dtype(derivation.n_components))
    standing = []
    for number, one in enumerate(np.random.SeedSequence(seed).spawn(chains)):
        held = None if kept is None else kept.state(number)
        standing.append(
            _begin(derivation, blocks, points, one) if held is None else Chain.from_arrays(held)
        )
    compiled.sweeps()
    ready = time.perf_counter()
    stop = threading.Event()
    with progress_bar("gibbs", max(1, chains * (draws + tune) // 500), progress) as advance:
        run = _Run(onepass, blocks, draws, tune, kept, theta, z, stop, advance)
        side_by_side(run.go, standing, min(chains, cores or available_cores()), stop)
    lengths = np.array([max(0, c.sweeps - tune) for c in standing])
    which, length = longest(lengths)
    posterior = as_dataset(
        derivation, blocks.unflatten(np.array(theta[which, :length])), ("chain", "draw")
    )
    posterior = posterior[list(derivation.parameters)]
    count = posterior.sizes["chain"]
    posterior = posterior.assign_coords(chain=np.arange(count), draw=np.arange(length))
    stats = xr.Dataset(coords={"chain": np.arange(count), "draw": np.arange(length)})
    stats.attrs["seconds_compiling"] = ready - begun
    stats.attrs["seconds_sampling"] = time.perf_counter() - ready
    return posterior, stats, z[which, :length], bool((lengths < draws).any())
