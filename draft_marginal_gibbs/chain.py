"""One chain: where it stands, how it is tuned, and how it goes on."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from unmix.derive import Derivation
from unmix.errors import UnmixError
from unmix.infer.gibbs import compiled
from unmix.infer.gibbs.laplace import Laplace, no_laplace, reshape
from unmix.infer.gibbs.layout import Layout
from unmix.infer.gibbs.sweep import IMPOSSIBLE, STATS
from unmix.infer.gibbs_store import rng_from, rng_state
from unmix.onepass.onepass import OnePass

Theta = dict[str, NDArray]

# Around a starting point, as for nuts.
NOISE = 0.1
# Shares of the two marginal moves until it is known how often they are accepted.
TRIED = (0.5, 0.5)
# The tuning's last part, in which acceptance is counted, and how many proposals of a kind tell.
COUNTED, ENOUGH = 0.5, 20
# The tuning's first part, a drift; between both, draws are watched to shape the proposals.
DRIFT = 0.1
# An independence proposal accepted this often needs no random walk beside it; one accepted less
# often than the other bound is worth nothing.
GOOD, USELESS = 0.2, 0.02


@dataclass
class Chain:
    """Where a chain stands.

    Attributes
    ----------
    values
        θ, flat, and the constants.
    rng
        Its random numbers.
    moves
        Chances of an independence proposal, and of a random walk.
    proposal
        What both are made of.
    tried, taken
        Proposals of both kinds, and those accepted, in the counted part of the tuning.
    sweeps
        Sweeps done, tuning included.
    seen
        Draws that will shape the proposals, (sweep, place) each.
    """

    values: NDArray[np.float64]
    rng: np.random.Generator
    moves: NDArray[np.float64]
    proposal: Laplace
    tried: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, dtype=np.int64))
    taken: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, dtype=np.int64))
    sweeps: int = 0
    seen: list[NDArray] = field(default_factory=list)

    def arrays(self) -> dict[str, NDArray]:
        """To be stored."""
        return {
            "values": self.values, "rng": rng_state(self.rng), "moves": self.moves,
            "centre": self.proposal.centre, "factor": self.proposal.factor,
            "tried": self.tried, "taken": self.taken, "sweeps": np.asarray(self.sweeps),
            "seen": np.concatenate(self.seen) if self.seen else np.zeros((0, 0)),
        }  # fmt: skip

    @classmethod
    def from_arrays(cls, held: dict[str, NDArray]) -> "Chain":
        """The same, read back."""
        values, moves, centre, factor, tried, taken = (
            np.array(held[n]) for n in ("values", "moves", "centre", "factor", "tried", "taken")
        )
        rng, proposal = rng_from(held["rng"]), Laplace(centre, factor)
        seen = [np.array(held["seen"])] if held["seen"].size else []
        sweeps = int(held["sweeps"])
        return cls(values, rng, moves, proposal, tried, taken, sweeps, seen)

    def next_stop(self, tune: int, draws: int) -> int:
        """The sweep at which something about the chain changes."""
        seen_from, counted_from = int(DRIFT * tune), tune - int(COUNTED * tune)
        stops = (seen_from, counted_from, tune, tune + draws)
        return next(s for s in stops if s > self.sweeps)

    def learn(self, layout: Layout, theta: NDArray, stats: NDArray, tune: int) -> None:
        """Take note of sweeps just made; choose the moves at the end of the tuning."""
        if self.sweeps > tune or not self.moves.any():
            return
        if self.sweeps > tune - int(COUNTED * tune):
            made = stats[:, :4].sum(axis=0).astype(np.int64)
            self.tried += made[[0, 2]]
            self.taken += made[[1, 3]]
        elif self.sweeps > int(DRIFT * tune):
            self.seen.append(theta)
            if self.sweeps == tune - int(COUNTED * tune):
                self.proposal = reshape(layout, self.proposal, np.concatenate(self.seen))
                self.seen = []
        if self.sweeps == tune:
            self.moves = _shares(self.tried, self.taken)


def _shares(tried: NDArray, taken: NDArray) -> NDArray[np.float64]:
    """How often each marginal move is made from now on."""
    if tried.min() < ENOUGH:
        return np.array(TRIED)
    independent, walk = taken / tried
    if independent >= GOOD:
        return np.array([1.0, 0.0])
    return np.array([0.5 * (independent >= USELESS), 0.5 * (walk >= USELESS)])


def begin(
    derivation: Derivation, layout: Layout, points: Sequence[Theta], laplace: Laplace | None,
    seed: np.random.SeedSequence,
) -> Chain:  # fmt: skip
    """A chain near one of the points.

    Raises
    ------
    UnmixError
        If the likelihood is zero there.
    """
    rng = np.random.default_rng(seed)
    centre = points[int(rng.integers(len(points)))]
    onepass = derivation.onepass
    assert onepass is not None
    serial = OnePass(onepass.recognised, onepass.chunks, threads=1)
    for noise in (*[NOISE] * 10, 0.0):
        u = {n: v + noise * rng.standard_normal(np.shape(v)) for n, v in centre.items()}
        theta = derivation.space.constrain(u)
        with np.errstate(all="ignore"):
            where = onepass.recognised.pack(theta)
            possible = all(np.isfinite(a).all() for a in where)
        if possible and np.isfinite(serial.run(*where).log_marginal):
            moves = np.zeros(2) if laplace is None else np.array(TRIED)
            proposal = no_laplace(layout) if laplace is None else laplace
            return Chain(layout.values(theta), rng, moves, proposal)
    raise UnmixError(
        "the likelihood is zero where chains would begin: give initval to the parameters, or an EM "
        "result as em="
    )


def go_on(
    chain: Chain, layout: Layout, onepass: OnePass, number: int,
    theta: NDArray, stats: NDArray, z: NDArray,
) -> None:  # fmt: skip
    """``number`` more sweeps; the last arguments take what is kept of them.

    Raises
    ------
    UnmixError
        Where a row became impossible, or a conditional improper.
    """
    chunk, laplace = onepass.chunks[0], chain.proposal
    done, outcome = compiled.sweeps()(
        layout.plan, chunk.x, chunk.centre, chain.values, chain.moves,
        laplace.centre, laplace.factor, laplace.inverse, chain.rng,
        theta[:number], stats[:number], z,
    )  # fmt: skip
    chain.sweeps += done
    if done == number:
        return
    if outcome == IMPOSSIBLE:
        raise UnmixError(
            f"after {chain.sweeps} sweeps some row became impossible under every component: are "
            "the priors far from the data?"
        )
    raise UnmixError(
        f"after {chain.sweeps} sweeps the conditional of some parameter was improper, as its prior "
        "is flat and no row was left to its component: give it a proper prior"
    )


__all__ = ["STATS", "Chain", "begin", "go_on"]
