"""What one EM peer is told, how it is timed, and what it gives back.

A peer is a script called with a folder, which holds the task as raw float64 files, and these
words: n d k covariance first last repeats storage. It prints one line of JSON last.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Theta = dict[str, NDArray]
BUDGET = 30.0  # seconds


class Task(NamedTuple):
    """``first`` and ``last`` are the two numbers of iterations that are timed."""

    folder: Path
    n: int
    d: int
    k: int
    covariance: str
    first: int
    last: int
    repeats: int
    storage: str

    def words(self) -> list[str]:
        return [str(word) for word in self]


def write(task: Task, x: NDArray, start: Theta) -> None:
    for name, array in {"x": x, **start}.items():
        np.ascontiguousarray(array, dtype=float).tofile(task.folder / f"{name}.bin")


def read() -> tuple[Task, NDArray, Theta]:
    """The task on the command line: rows (obs, feature) and θ with covariances (k, d, d)."""
    folder, n, d, k, covariance, first, last, repeats, storage = sys.argv[1:]
    task = Task(
        Path(folder), int(n), int(d), int(k), covariance, int(first), int(last), int(repeats),
        storage,
    )  # fmt: skip
    x = np.fromfile(task.folder / "x.bin").reshape(task.n, task.d)
    return task, x, theta_in(task, "")


def theta_in(task: Task, prefix: str) -> Theta:
    shapes = {"w": (task.k,), "mu": (task.k, task.d), "sigma": (task.k, task.d, task.d)}
    return {
        name: np.fromfile(task.folder / f"{prefix}{name}.bin").reshape(shape)
        for name, shape in shapes.items()
    }


def skip(reason: str) -> None:
    """End here: this peer cannot run, and why."""
    print(json.dumps({"skipped": reason}))
    sys.exit(0)


def measure(task: Task, run: Callable[[int], Theta], *, times: int = 1, **about: object) -> None:
    """Time ``run(iterations)``, which returns the θ it ends at; print the figures.

    An iteration costs (seconds of ``last`` iterations − seconds of ``first``) ÷ their difference,
    so whatever happens once (checks, copies, centring) cancels. Both are run once beforehand,
    then in turns; the median over the repeats counts. Slow peers repeat only three times. A quick
    one may take ``times`` as many iterations between the two, lest they drown in what happens once;
    the θ that is given back is that of ``last``.
    """
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.perf_counter()
    run(task.first)
    warm = time.perf_counter() - begun
    theta = run(task.last)
    added = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    cpu, wall, once = [], [], []
    extra = times * (task.last - task.first)
    enough = task.repeats
    begun = time.perf_counter()
    while enough > len(cpu):
        marks = [(time.process_time(), time.perf_counter())]
        for iterations in (task.first, task.first + extra):
            run(iterations)
            marks.append((time.process_time(), time.perf_counter()))
        (c0, w0), (c1, w1), (c2, w2) = marks
        cpu.append(((c2 - c1) - (c1 - c0)) / extra)
        wall.append(((w2 - w1) - (w1 - w0)) / extra)
        once.append(c1 - c0)
        if time.perf_counter() - begun > BUDGET:
            enough = min(enough, 3)
    for name, array in theta.items():
        np.ascontiguousarray(array, dtype=float).tofile(task.folder / f"end_{name}.bin")
    figures = {
        "cpu_seconds": median(cpu),
        "wall_seconds": median(wall),
        "cpu_all": cpu,
        "wall_all": wall,
        "first_run_wall_seconds": warm,
        f"cpu_seconds_of_{task.first}_iterations": median(once),
        "peak_added_bytes": added * (1 if sys.platform == "darwin" else 1024),
        **about,
    }
    print(json.dumps(figures))
