"""What one sampling peer is told, and what it gives back.

A peer is a script called with a folder, which holds data, priors and start as raw float64 files,
and these words: n d k method tune draws chains seed. It writes the draws (chain, draw, …) of
``w``, ``mu`` and ``sigma`` (standard deviations) there, and prints one line of JSON last:
CPU and wall seconds of compiling, tuning and drawing.
"""

import json
import resource
import sys
from pathlib import Path
from time import perf_counter, process_time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Task(NamedTuple):
    folder: Path
    n: int
    d: int
    k: int
    method: str
    tune: int
    draws: int
    chains: int
    seed: int

    def words(self) -> list[str]:
        return [str(word) for word in self]


class Given(NamedTuple):
    """``x`` (obs, feature); priors per feature; ``w``, ``mu``, ``sigma``, ``corr`` to begin at.

    ``sigma`` holds standard deviations and ``corr`` Cholesky factors of the correlations.
    """

    x: NDArray
    centre: NDArray
    spread: NDArray
    scale: NDArray
    w: NDArray
    mu: NDArray
    sigma: NDArray
    corr: NDArray

    def begin(self, chain: int, seed: int) -> dict[str, NDArray]:
        """The start of one chain: the θ that made the data, moved a little."""
        rng = np.random.default_rng([seed, chain])
        w = self.w * np.exp(0.05 * rng.standard_normal(self.w.shape))
        return {
            "w": w / w.sum(),
            "mu": self.mu + 0.05 * self.sigma * rng.standard_normal(self.mu.shape),
            "sigma": self.sigma * np.exp(0.05 * rng.standard_normal(self.sigma.shape)),
            "corr": self.corr,
        }


def write(task: Task, x: NDArray, theta: dict[str, NDArray], prior: dict[str, NDArray]) -> None:
    for name, array in {"x": x, **theta, **prior}.items():
        np.ascontiguousarray(array, dtype=float).tofile(task.folder / f"{name}.bin")


def read() -> tuple[Task, Given]:
    folder, n, d, k, method, *rest = sys.argv[1:]
    task = Task(Path(folder), int(n), int(d), int(k), method, *map(int, rest))

    def floats(name: str, *shape: int) -> NDArray:
        return np.fromfile(task.folder / f"{name}.bin").reshape(shape)

    covariance = floats("sigma", task.k, task.d, task.d)
    sd = np.sqrt(np.einsum("kdd->kd", covariance))
    given = Given(
        floats("x", task.n, task.d),
        *(floats(name, task.d) for name in ("centre", "spread", "scale")),
        floats("w", task.k),
        floats("mu", task.k, task.d),
        sd,
        np.linalg.cholesky(covariance / (sd[:, :, None] * sd[:, None, :])),
    )
    return task, given


def skip(reason: str) -> None:
    """End here: this peer cannot run, and why."""
    print(json.dumps({"skipped": reason}))
    sys.exit(0)


class Mark(NamedTuple):
    """A moment, by CPU clock and wall clock."""

    cpu: float
    wall: float


def now() -> Mark:
    return Mark(process_time(), perf_counter())


def between(name: str, a: Mark, b: Mark) -> dict[str, float]:
    return {f"cpu_{name}": b.cpu - a.cpu, f"wall_{name}": b.wall - a.wall}


def share(spent: dict[str, float], tuning: float) -> dict[str, float]:
    """``sampling`` split into tuning, a share of it given, and drawing."""
    found = {}
    for clock in ("cpu", "wall"):
        whole = spent[f"{clock}_sampling"]
        found[f"{clock}_tuning"] = tuning * whole
        found[f"{clock}_drawing"] = (1 - tuning) * whole
    return found


def finish(task: Task, draws: dict[str, NDArray], figures: dict[str, object]) -> None:
    """Write draws, with a feature axis also where there is one feature, and print figures."""
    for name, tail in (("w", ()), ("mu", (task.d,)), ("sigma", (task.d,))):
        array = np.asarray(draws[name], dtype=float)
        array.reshape(task.chains, -1, task.k, *tail).tofile(task.folder / f"end_{name}.bin")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = most * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({**figures, "peak_bytes": peak}))
