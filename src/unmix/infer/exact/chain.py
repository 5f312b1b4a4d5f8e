"""Where one chain of sweeps stands, and where it begins."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmix.derive.latent import z_dtype
from unmix.infer.exact.landscape import Landscape
from unmix.infer.exact.proposal import Proposal
from unmix.infer.gibbs_store import rng_from, rng_state

Theta = dict[str, NDArray]

# Around a starting point, as for nuts.
NOISE = 0.1
STATE = ("theta", "log_w", "packed", "n", "stats", "log_marginal", "z")


@dataclass
class Chain:
    """Where a chain stands.

    Attributes
    ----------
    theta, log_w, packed
        θ (flat), and what the pass takes of it.
    rng
        Its random numbers.
    n, stats
        The pass's sums at z, about ``packed``.
    log_marginal
        Log marginal likelihood at θ, without base measures, (1,).
    z
        Assignments, (obs,).
    sweeps
        Sweeps done, tuning included.
    """

    theta: NDArray
    log_w: NDArray
    packed: NDArray
    rng: np.random.Generator
    n: NDArray
    stats: NDArray
    log_marginal: NDArray
    z: NDArray
    sweeps: int = 0

    def arrays(self) -> dict[str, NDArray]:
        """To be stored."""
        held = {name: getattr(self, name) for name in STATE}
        return {**held, "rng": rng_state(self.rng), "sweeps": np.asarray(self.sweeps)}

    @classmethod
    def from_arrays(cls, held: dict[str, NDArray]) -> "Chain":
        """The same, read back."""
        state = {name: np.array(held[name]) for name in STATE}
        return cls(**state, rng=rng_from(held["rng"]), sweeps=int(held["sweeps"]))


def begin(
    land: Landscape,
    proposal: Proposal,
    points: Sequence[Theta],
    seed: np.random.SeedSequence,
) -> Chain:
    """A chain at a draw from the proposal, or near one of the points, and z given it."""
    rng, derivation, onepass = np.random.default_rng(seed), land.derivation, land.onepass
    if proposal.share > 0:
        theta, log_w, packed, _ = land.unfold(proposal.draw(1, rng)[0])
    else:
        point = points[int(rng.integers(len(points)))]
        moved = {
            n: np.asarray(v) + NOISE * rng.standard_normal(np.shape(v)) for n, v in point.items()
        }
        value = derivation.space.constrain(moved)
        theta = land.blocks.flatten(value)
        log_w, packed = onepass.recognised.pack(value)
    z = np.empty(derivation.n_obs, dtype=z_dtype(derivation.n_components))
    key = int(rng.integers(2**64, dtype=np.uint64))
    sums = onepass.run(log_w, packed, "sampled", key=key, z=z)
    log_marginal = np.array([sums.log_marginal - onepass.log_base])
    return Chain(theta, log_w, packed, rng, sums.n, sums.statistics, log_marginal, z)
