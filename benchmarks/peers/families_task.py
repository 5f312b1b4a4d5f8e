"""What one peer is told of a mixture of no normals, and what it gives back.

A peer is a script called with a folder, which holds the task as raw float64 files, and these
words: family n d k levels groups first last repeats. It prints one line of JSON last; how it is
timed stands in em_task.py, for peers in R in measure.R.

The folder holds ``x`` (obs, column), ``group`` (obs) where there are groups, the parameters to
begin from by name, and for peers that begin with an M-step ``r`` (obs, component), the
responsibilities there: from these their iteration number t ends where that of the others does.
Answers and binary items are numbers from 0. The peer writes its last θ as ``end_…``.
"""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Theta = dict[str, NDArray]


class Task(NamedTuple):
    """``first`` and ``last`` are the two numbers of iterations that are timed.

    ``levels`` are those of a categorical item, ``groups`` the number of groups with weights of
    their own; 0 where there are none. Of the columns of a mixed table the first ``normals`` are
    normal and the others binary.
    """

    folder: Path
    family: str
    n: int
    d: int
    k: int
    levels: int
    groups: int
    first: int
    last: int
    repeats: int

    @property
    def normals(self) -> int:
        return {"mixed": self.d // 3, "weights by group": self.d, "student_t": self.d}.get(
            self.family, 0
        )

    def words(self) -> list[str]:
        return [str(word) for word in self]


def shapes(task: Task) -> dict[str, tuple[int, ...]]:
    """The parameters of a family, in order."""
    k, d = task.k, task.d
    w = {"w": (task.groups, k) if task.groups else (k,)}
    own: dict[str, dict[str, tuple[int, ...]]] = {
        "poisson": {"rate": (k, d)},
        "exponential": {"rate": (k, d)},
        "binary": {"p": (k, d)},
        "categorical": {"p": (k, d, task.levels)},
        "mixed": {
            "mu": (k, task.normals),
            "sigma": (k, task.normals),
            "p": (k, d - task.normals),
        },
        "weights by group": {"mu": (k, d), "sigma": (k, d)},
        "student_t": {"nu": (k,), "mu": (k, d), "sigma": (k, d)},
    }
    return {**w, **own[task.family]}


def write(task: Task, arrays: dict[str, NDArray]) -> None:
    for name, array in arrays.items():
        np.ascontiguousarray(array, dtype=float).tofile(task.folder / f"{name}.bin")


def read() -> tuple[Task, NDArray, Theta]:
    """The task on the command line: rows (obs, column) and θ to begin from."""
    folder, family, *numbers = sys.argv[1:]
    task = Task(Path(folder), family, *map(int, numbers))
    return task, floats(task, "x", (task.n, task.d)), theta_in(task, "")


def floats(task: Task, name: str, shape: tuple[int, ...]) -> NDArray:
    return np.fromfile(task.folder / f"{name}.bin").reshape(shape)


def group(task: Task) -> NDArray[np.int64]:
    """The group of each row, from 0."""
    return floats(task, "group", (task.n,)).astype(np.int64)


def responsibilities(task: Task) -> NDArray:
    """Those at the start, (obs, component)."""
    return floats(task, "r", (task.n, task.k))


def theta_in(task: Task, prefix: str) -> Theta:
    return {name: floats(task, prefix + name, shape) for name, shape in shapes(task).items()}
