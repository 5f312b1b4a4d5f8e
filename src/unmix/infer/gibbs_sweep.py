"""One chain of the general Gibbs sampler, and one sweep of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmix.derive import Derivation
from unmix.errors import UnmixError
from unmix.infer.conditional import Conditional
from unmix.infer.gibbs_store import rng_from, rng_state
from unmix.infer.hmc import Tuning, move
from unmix.infer.marginal import flatten
from unmix.onepass.onepass import OnePass
from unmix.onepass.parts import Parts

Theta = dict[str, NDArray]

# Trajectories in a sweep, and how far below the tuned one their steps go. One leaves θ near what z
# was drawn from, and what many more would gain is lost again to the next z.
FINEST = (1.0, 1.0, 0.05)
# Around a starting point, as for nuts.
NOISE = 0.1
STATS = ("acceptance_rate", "n_steps", "diverging", "step_size", "n_empty")


@dataclass
class Chain:
    """Where a chain stands.

    Attributes
    ----------
    u
        Unconstrained values of all parameters.
    log_w, packed
        What the pass takes of them.
    rng
        Its random numbers.
    tuning
        Step size and metric; None before the first sweep.
    sweeps
        Sweeps done, tuning included.
    """

    u: NDArray
    log_w: NDArray
    packed: NDArray
    rng: np.random.Generator
    tuning: Tuning | None = None
    sweeps: int = 0

    def arrays(self) -> dict[str, NDArray]:
        """To be stored."""
        assert self.tuning is not None
        return {
            **self.tuning.arrays(),
            "u": self.u,
            "log_w": self.log_w,
            "packed": self.packed,
            "rng": rng_state(self.rng),
            "sweeps": np.asarray(self.sweeps),
        }

    @classmethod
    def from_arrays(cls, held: dict[str, NDArray]) -> "Chain":
        """The same, read back."""
        u, log_w, packed = (np.array(held[name]) for name in ("u", "log_w", "packed"))
        tuning = Tuning.from_arrays(held)
        return cls(u, log_w, packed, rng_from(held["rng"]), tuning, int(held["sweeps"]))


def sweep(
    conditional: Conditional,
    data: OnePass | Parts,
    chain: Chain,
    z: NDArray,
    *,
    tune: int = 0,
) -> tuple[float, ...]:
    """Draw z given θ, then θ given z.

    Parameters
    ----------
    chain
        Moved in place.
    z
        Takes the assignments, (obs,).
    tune
        Step size and metric adapt in the first so many sweeps.

    Returns
    -------
    tuple
        What `STATS` lists.
    """
    rng = chain.rng
    key = int(rng.integers(2**64, dtype=np.uint64))
    sums = data.run(chain.log_w, chain.packed, "sampled", key=key, z=z)
    evaluate = conditional.given(sums)
    if chain.tuning is None:
        chain.tuning = Tuning.begin(evaluate, chain.u)
    tuning, there = chain.tuning, evaluate(chain.u)
    accepted, steps, diverged = 0.0, 0, True
    for finest in FINEST:
        moved = move(evaluate, chain.u, there, tuning, rng, finest)
        chain.u, there = moved.u, moved.there
        accepted += moved.accepted / len(FINEST)
        steps, diverged = steps + moved.steps, moved.diverged  # of the finest, the last
        if finest == 1.0 and chain.sweeps < tune:
            tuning.learn(moved.accepted)
    if chain.sweeps < tune:
        tuning.watch(chain.u, there[1])
        tuning.close(chain.sweeps, tune)
    chain.log_w, chain.packed = there[2:]
    chain.sweeps += 1
    empty = int((sums.counts == 0).sum())
    return accepted, float(steps), float(diverged), tuning.step, float(empty)


def by_name(derivation: Derivation, u: NDArray) -> Theta:
    """Unconstrained values by name, from the flat vector."""
    space, values, start = derivation.space, {}, 0
    for name in derivation.opened.theta:
        shape, size = np.shape(space.initial[name]), space.sizes[name]
        values[name] = u[start : start + size].reshape(shape)
        start += size
    return values


def start(
    derivation: Derivation,
    data: OnePass | Parts,
    conditional: Conditional,
    points: Sequence[Theta],
    seed: np.random.SeedSequence,
) -> Chain:
    """A chain near one of the points, where the density is finite."""
    rng = np.random.default_rng(seed)
    centre = flatten(derivation, points[int(rng.integers(len(points)))])
    for noise in (*[NOISE] * 10, 0.0):
        u = centre + noise * rng.standard_normal(len(centre))
        where = data.recognised.pack(derivation.space.constrain(by_name(derivation, u)))
        sums = data.run(*where)
        if np.isfinite(sums.log_marginal):
            value, gradient, *_ = conditional.given(sums)(u)
            if np.isfinite(value) and np.isfinite(gradient).all():
                return Chain(u, *where, rng)
    raise UnmixError(
        "the density of the model is not finite where chains would begin: give initval to its "
        "parameters, or an EM result as em="
    )
