"""Where EM begins: responsibilities, not parameters, so that any model can start from them.

Half of the starts are k-means++ partitions of the observed rows (Arthur and Vassilvitskii 2007),
which find separated groups; the other half are random soft assignments (Dirichlet draws), which
find components that differ in something else than their means (spread, slope). Where components of
some rows are known, seeds are their means (Basu, Banerjee and Mooney 2002, ICML 19:27), and no row
begins where its label rules it out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

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
    known = derivation.known
    if n <= ENOUGH or derivation.onepass is None:
        features = observed_features(derivation)
        for r in start_responsibilities(features, k, number, rng, known=known):
            yield Start(r, np.arange(n))
        return
    if derivation.by_rows is None:
        features = observed_features(derivation)
    labelled = np.zeros(0, int) if known is None else np.flatnonzero(np.ptp(known, axis=1) > 0)
    for s in range(number):
        # Shuffling a few numbers, not all of them: the generator's cost is that of the sample.
        rows = np.sort(rng.choice(n, ENOUGH, replace=False, shuffle=False))
        if len(labelled):
            rows = _with_some(rows, labelled, rng)
        some = features[rows] if derivation.by_rows is None else _columns(derivation.by_rows, rows)
        here = None if known is None else known[rows]
        yield Start(start_responsibilities(some, k, 1, rng, first=s, known=here)[0], rows)


def _with_some(rows: NDArray, others: NDArray, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows, and others beside them, at most as many as there are rows."""
    few = min(len(rows), len(others))
    return np.unique(np.concatenate([rows, rng.choice(others, few, replace=False)]))


def _columns(by_rows: ByRows, rows: NDArray) -> NDArray:
    """`observed_features` of some rows, where no two rows share an assignment."""
    if not by_rows.data:
        return np.zeros((len(rows), 0))
    values = [np.asarray(x[rows], dtype=float) for x in by_rows.data.values()]
    return np.concatenate([v.reshape(len(rows), -1) for v in values], axis=1)


def has_features(derivation: Derivation) -> bool:
    """Whether `observed_features` has a column."""
    by_rows = derivation.by_rows
    return bool(by_rows is not None and by_rows.data) or observed_features(derivation).shape[1] > 0


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
    features: NDArray,
    k: int,
    number: int,
    rng: np.random.Generator,
    *,
    first: int = 0,
    known: NDArray | None = None,
) -> list[NDArray]:
    """Responsibilities (obs, component) to begin EM from, one array for each start.

    Parameters
    ----------
    features
        Shape (obs, feature).
    k, number
        How many components and starts.
    first
        Which start is the first, since they take turns.
    known
        Log-factors (obs, component) of rows' labels, where there are any.
    """
    n = len(features)
    spread = features.std(axis=0) if features.size else np.zeros(0)
    scaled = features[:, spread > 0] / spread[spread > 0]
    starts = []
    for s in range(first, first + number):
        if s % 2 == 0 and scaled.shape[1]:
            seeds = _seeds if known is None else partial(_labelled_seeds, known=known)
            r = _nearest(scaled, seeds(scaled, k, rng))
        else:
            r = rng.dirichlet(np.ones(k), size=n)
        starts.append(r if known is None else _as_known(r, known))
    return starts


def _as_known(r: NDArray, known: NDArray) -> NDArray[np.float64]:
    """Responsibilities with their labels' factors; each row has a component that is possible."""
    r = r * np.exp(known - known.max(axis=1, keepdims=True))
    normal: NDArray[np.float64] = r / r.sum(axis=1, keepdims=True)
    return normal


def _seeds(x: NDArray, k: int, rng: np.random.Generator) -> NDArray:
    """Rows drawn far from each other, (component, feature)."""
    n = len(x)
    seeds = [int(rng.integers(n))]
    distance = np.square(x - x[seeds[0]]).sum(axis=1)
    for _ in range(1, k):
        total = distance.sum()
        seeds.append(int(rng.choice(n, p=distance / total) if total > 0 else rng.integers(n)))
        distance = np.minimum(distance, np.square(x - x[seeds[-1]]).sum(axis=1))
    return x[seeds]


def _labelled_seeds(x: NDArray, k: int, rng: np.random.Generator, known: NDArray) -> NDArray:
    """Means of the rows known to be of a component; for the others rows that may be, far away."""
    share = _as_known(np.ones_like(known), known)
    seeds = np.zeros((k, x.shape[1]))
    distance = np.full(len(x), np.inf)
    certain = [k_ for k_ in range(k) if (share[:, k_] == 1.0).any()]
    for c in [*certain, *(c for c in range(k) if c not in certain)]:
        if c in certain:
            seeds[c] = x[share[:, c] == 1.0].mean(axis=0)
        else:
            chance = share[:, c] * np.where(np.isinf(distance), 1.0, distance)
            total = chance.sum()
            at = rng.choice(len(x), p=chance / total) if total > 0 else rng.integers(len(x))
            seeds[c] = x[at]
        distance = np.minimum(distance, np.square(x - seeds[c]).sum(axis=1))
    return seeds


def _nearest(x: NDArray, seeds: NDArray) -> NDArray:
    """The nearest of k seeds, softened so that no component is empty."""
    n, k = len(x), len(seeds)
    squared = np.stack([np.square(x - seed).sum(axis=1) for seed in seeds], axis=1)
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
