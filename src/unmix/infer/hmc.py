r"""Hamiltonian steps with a diagonal metric: step size and metric are tuned, then left alone.

In coordinates v = u / scale a trajectory of L leapfrog steps of size ε is proposed and accepted by
Metropolis's rule (Neal 2011, Handbook of Markov chain Monte Carlo, chapter 5). L is drawn afresh
each time, or trajectories that come back to where they began would repeat themselves. ε follows
dual averaging (Hoffman and Gelman 2014, JMLR 15:1593, section 3.2).
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

# (log-density, its gradient, whatever else was computed there)
Evaluated = tuple
Evaluate = Callable[[NDArray], Evaluated]

# A quarter of the period of a standard normal: the farthest that one gets from where one was.
PATH = np.pi / 2
LONGEST = 64
DIVERGED = 1000.0
TARGET = 0.8
# Shares of the tuning at whose end the metric is set anew; the first part, a drift, is forgotten,
# and after the last one the step size settles.
WINDOWS = (0.1, 0.25, 0.5, 0.9)
FEWEST = 20


@dataclass
class Tuning:
    """The step size, the metric, and what they are tuned with; numbers and arrays only.

    Attributes
    ----------
    scale
        Units of the coordinates, (dimension,).
    log_step
        Log of the step size, in those units.
    log_mean, gap, count, anchor
        Dual averaging: weighted mean of ``log_step``, mean lack of acceptance, how often, and
        where it is drawn to.
    seen, mean, scatter, steepness
        The window so far: draws, their mean and sums of squares about it, sums of squared
        gradients.
    """

    scale: NDArray
    log_step: float
    log_mean: float
    gap: float
    count: int
    anchor: float
    seen: int
    mean: NDArray
    scatter: NDArray
    steepness: NDArray

    @classmethod
    def begin(cls, evaluate: Evaluate, u: NDArray) -> "Tuning":
        """Units from the curvature along each coordinate, by differences of the gradient."""
        scale = np.ones(len(u))
        with np.errstate(all="ignore"):
            for j in range(len(u)):
                h = 1e-4 * max(1.0, abs(u[j]))
                up, down = u.copy(), u.copy()
                up[j] += h
                down[j] -= h
                curvature = (evaluate(down)[1][j] - evaluate(up)[1][j]) / (2 * h)
                if np.isfinite(curvature) and curvature > 1e-12:
                    scale[j] = 1.0 / np.sqrt(curvature)
        zero = np.zeros(len(u))
        step = float(np.log(0.5 * len(u) ** -0.25))
        made = cls(scale, step, step, 0.0, 0, 0.0, 0, zero, zero.copy(), zero.copy())
        made.restart()
        return made

    @property
    def step(self) -> float:
        """The step size."""
        return float(np.exp(self.log_step))

    def restart(self) -> None:
        """Dual averaging begins again from where it is."""
        self.anchor = self.log_step + float(np.log(2.0))
        self.log_mean, self.gap, self.count = self.log_step, 0.0, 0

    def learn(self, accepted: float) -> None:
        """Move the step size towards an acceptance of `TARGET`."""
        self.count += 1
        eta = 1.0 / (self.count + 10)
        self.gap += eta * (TARGET - accepted - self.gap)
        self.log_step = self.anchor - np.sqrt(self.count) / 0.05 * self.gap
        weight = self.count**-0.75
        self.log_mean += weight * (self.log_step - self.log_mean)

    def watch(self, u: NDArray, gradient: NDArray) -> None:
        """Take a draw into the window."""
        self.seen += 1
        before = u - self.mean
        self.mean = self.mean + before / self.seen
        self.scatter = self.scatter + before * (u - self.mean)
        self.steepness = self.steepness + gradient**2

    def close(self, iteration: int, tune: int) -> None:
        """What happens after a sweep of the tuning, if it is the end of a window or of all."""
        if iteration + 1 in {int(share * tune) for share in WINDOWS}:
            if self.seen >= FEWEST and iteration + 1 > int(WINDOWS[0] * tune):
                self._new_scale()
            self.seen = 0
            self.mean, self.scatter, self.steepness = (np.zeros(len(self.mean)) for _ in range(3))
        if iteration + 1 == tune:
            self.log_step = self.log_mean

    def _new_scale(self) -> None:
        """Between the spread of the draws and what the gradients say of it.

        Gradients given z speak of the spread given z, on which the step size depends; but a few
        steep places make them too large, as z makes the draws' spread.
        """
        with np.errstate(all="ignore"):
            found = np.sqrt(self.scatter / self.steepness)  # a variance
        share = self.seen / (self.seen + 5.0)
        usable = np.isfinite(found) & (found > 0)
        kept = self.scale**2
        self.scale = np.sqrt(np.where(usable, found**share * kept ** (1 - share), kept))
        self.restart()

    def arrays(self) -> dict[str, NDArray]:
        """Everything, to be stored."""
        return {f.name: np.asarray(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray]) -> "Tuning":
        """The same, read back."""
        values: dict[str, Any] = {
            f.name: f.type(arrays[f.name]) if f.type in (int, float) else np.array(arrays[f.name])
            for f in fields(cls)
        }
        return cls(**values)


@dataclass(frozen=True)
class Moved:
    """How a trajectory ended.

    Attributes
    ----------
    u, there
        Where the chain is now, and what was evaluated there.
    accepted
        Probability with which the proposal was accepted.
    steps
        Leapfrog steps made.
    diverged
        Whether the energy was off by more than `DIVERGED`, or not a number.
    """

    u: NDArray
    there: Evaluated
    accepted: float
    steps: int
    diverged: bool


@np.errstate(over="ignore", invalid="ignore")  # far out; the proposal is refused
def move(
    evaluate: Evaluate,
    u: NDArray,
    here: Evaluated,
    tuning: Tuning,
    rng: np.random.Generator,
    finest: float = 1.0,
) -> Moved:
    """One trajectory from ``u``, where ``here`` was evaluated.

    Its step is the tuned one, or shorter by a factor down to ``finest``: where a scale is small,
    what it scales moves in small steps only.
    """
    scale, step = tuning.scale, tuning.step
    length = int(np.ceil(rng.uniform(0.5, 1.5) * PATH / step))
    length = min(max(length, 1), LONGEST)
    r = rng.standard_normal(len(u))
    chance = rng.random()
    energy = here[0] - 0.5 * (r @ r)
    stride = step * finest ** rng.random() * scale
    at, there = u, here
    r = r + 0.5 * stride * there[1]
    for done in range(1, length + 1):
        at = at + stride * r
        there = evaluate(at)
        if not np.isfinite(there[0]) or not np.isfinite(there[1]).all():
            return Moved(u, here, 0.0, done, True)
        r = r + (0.5 if done == length else 1.0) * stride * there[1]
    change = (there[0] - 0.5 * (r @ r)) - energy
    if not change > -DIVERGED:
        return Moved(u, here, 0.0, length, True)
    accepted = float(np.exp(min(0.0, change)))
    if chance < accepted:
        return Moved(at, there, accepted, length, False)
    return Moved(u, here, accepted, length, False)
