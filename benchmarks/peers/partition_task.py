"""What one peer is told of a search for a partition, and what it gives back.

A peer is a script called with a folder and the words: loss, draws, rows, components, restarts.
The folder holds ``z.bin``: int32, draw by draw, numbered from 1. The peer writes ``c.bin``, the
partition that it found, as int32, and prints one line of JSON last: its wall and CPU seconds,
compilation left out. The losses are judged by the caller, all in the same way.
"""

import json
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Task(NamedTuple):
    folder: Path
    loss: str
    draws: int
    rows: int
    components: int
    restarts: int

    def words(self) -> list[str]:
        return [str(word) for word in self]


def draw(task: Task, seed: int = 1) -> NDArray[np.int32]:
    """Draws of z for a normal mixture whose components overlap, its means known up to a tenth."""
    rng = np.random.default_rng(seed)
    centres = 2.5 * np.arange(task.components)
    x = rng.choice(centres, task.rows) + rng.standard_normal(task.rows)
    z = np.empty((task.draws, task.rows), dtype=np.int32)
    for t in range(task.draws):
        mu = centres + 0.1 * rng.standard_normal(task.components)
        noise = rng.gumbel(size=(task.rows, task.components))
        z[t] = 1 + np.argmax(noise - 0.5 * np.square(x[:, None] - mu), axis=1)
    return z


def write(task: Task, z: NDArray[np.int32]) -> None:
    z.tofile(task.folder / "z.bin")


def read() -> tuple[Task, NDArray[np.int32]]:
    folder, loss, *numbers = sys.argv[1:]
    task = Task(Path(folder), loss, *map(int, numbers))
    return task, np.fromfile(task.folder / "z.bin", dtype=np.int32).reshape(task.draws, task.rows)


def found(task: Task) -> NDArray[np.int64]:
    """The partition that the last peer wrote."""
    return np.fromfile(task.folder / "c.bin", dtype=np.int32).astype(np.int64)


def tell(task: Task, c: NDArray, **figures: float) -> None:
    np.asarray(c, dtype=np.int32).tofile(task.folder / "c.bin")
    print(json.dumps(figures))
