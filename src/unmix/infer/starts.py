"""Where EM begins: responsibilities, not parameters, so that any model can start from them.

Half of the starts are k-means++ partitions of the observed rows (Arthur and Vassilvitskii 2007),
which find separated groups; the other half are random soft assignments (Dirichlet draws), which
find components that differ in something else than their means (spread, slope).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmix.derive import Derivation
from unmix.derive.by_rows import ByRows
from unmix.derive.present import rows_filled

# A start looks at no more rows than this: it only has to find the hill.
ENOUGH = 10_000


@dataclass(frozen=True)
class Start:
    """Where a run begins: responsibilities of some rows, or a point of θ.

    Attributes
    ----------
    r
        Shape (row, component).
    rows
        Which rows these are.
    theta
        Constrained values, in place of both.
    """

    r: NDArray | None = None
    rows: NDArray | None = None
    theta: dict[str, NDArray] | None = None


def find_starts(derivation: Derivation, number: int, rng: np.random.Generator) -> Iterator[Start]:
    """Starts in turn: responsibilities of all rows, or of a sample where there are many."""
    n, k = derivation.n_obs, derivation.n_components
    number = number if k > 1 else 1
    if n <= ENOUGH or derivation.onepass is None:
        features = observed_features(derivation)
        for r in start_responsibilities(features, k, number, rng):
            yield Start(r, np.arange(n))
        return
    if derivation.by_rows is None:
        features = observed_features(derivation)
    for s in range(number):
        # Shuffling a few numbers, not all of them: the generator's cost is that of the sample.
        rows = np.sort(rng.choice(n, ENOUGH, replace=False, shuffle=False))
        some = features[rows] if derivation.by_rows is None else _columns(derivation.by_rows, rows)
        yield Start(start_responsibilities(some, k, 1, rng, first=s)[0], rows)


def _columns(by_rows: ByRows, rows: NDArray) -> NDArray:
    """`observed_features` of some rows, where no two rows share an assignment."""
    values = [np.asarray(x[rows], dtype=float) for x in by_rows.data.values()]
    return np.concatenate([v.reshape(len(rows), -1) for v in values], axis=1)


def has_features(derivation: Derivation) -> bool:
    """Whether `observed_features` has a column."""
    return derivation.by_rows is not None or observed_features(derivation).shape[1] > 0


def observed_features(derivation: Derivation) -> NDArray:
    """Observed numbers of each element of ``z``, shape (obs, feature), averaged where several.

    Rows that share an assignment (all measurements of a subject) give their mean.
    """
    n = derivation.n_obs
    columns = []
    for name, index in derivation.table.index.items():
        value = derivation.opened.observed.get(name)
        if value is None:
            continue
        x = rows_filled(derivation, name).astype(float)
        if index.shape != x.shape:
            if x.ndim == index.ndim + 1 and x.shape[:-1] == index.shape:
                index = np.broadcast_to(index[..., None], x.shape)
            else:
                continue
        trailing = x.shape[-1] if x.ndim > len(derivation.table.z_shape) else 1
        flat, rows = x.reshape(-1, trailing), index.reshape(-1, trailing)
        for j in range(trailing):
            count = np.bincount(rows[:, j], minlength=n)
            total = np.bincount(rows[:, j], weights=flat[:, j], minlength=n)
            columns.append(total / np.maximum(count, 1))
    return np.stack(columns, axis=1) if columns else np.zeros((n, 0))


def start_responsibilities(
    features: NDArray, k: int, number: int, rng: np.random.Generator, *, first: int = 0
) -> list[NDArray]:
    """Responsibilities (obs, component) to begin EM from, one array for each start."""
    n = len(features)
    spread = features.std(axis=0) if features.size else np.zeros(0)
    scaled = features[:, spread > 0] / spread[spread > 0]
    starts = []
    for s in range(first, first + number):
        if s % 2 == 0 and scaled.shape[1]:
            starts.append(_kmeans_plus_plus(scaled, k, rng))
        else:
            starts.append(rng.dirichlet(np.ones(k), size=n))
    return starts


def _kmeans_plus_plus(x: NDArray, k: int, rng: np.random.Generator) -> NDArray:
    """Nearest of k seeds drawn far from each other, softened so that no component is empty."""
    n = len(x)
    seeds = [int(rng.integers(n))]
    distance = np.square(x - x[seeds[0]]).sum(axis=1)
    for _ in range(1, k):
        total = distance.sum()
        seeds.append(int(rng.choice(n, p=distance / total) if total > 0 else rng.integers(n)))
        distance = np.minimum(distance, np.square(x - x[seeds[-1]]).sum(axis=1))
    squared = np.stack([np.square(x - x[s]).sum(axis=1) for s in seeds], axis=1)
    nearest = squared.argmin(axis=1)
    return (
        np.where(np.arange(k) == nearest[:, None], 0.9, 0.1 / max(1, k - 1))
        if k > 1
        else (np.ones((n, 1)))
    )


def distinct_rows(derivation: Derivation) -> NDArray[np.int64]:
    """Group number of each observation; observations with equal data share one."""
    features = observed_features(derivation)
    if not features.shape[1]:
        return np.arange(derivation.n_obs)
    _, group = np.unique(features, axis=0, return_inverse=True)
    return group.reshape(-1)
