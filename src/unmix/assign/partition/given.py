"""Partitions, draws of them and similarity matrices as people have them: checked once, here.

Two assignments are the same partition if they differ in the names of components only. So all that
comes in is numbered by first appearance: the component of the first row is 0, the next new one 1,
and so on. Whatever is computed from there on cannot depend on names, not even by rounding, and the
number of occupied components is the largest number plus one.
"""

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from unmix.arguments import numbers, rectangular
from unmix.derive.latent import z_dtype
from unmix.derive.theta import SAMPLE_DIMS
from unmix.errors import UnmixError

# How far a matrix of shares may be off for rounding: of decimals when it was written, of sums.
SLACK = 1e-6


def canonical(c: NDArray) -> NDArray[np.int64]:
    """One partition, shape (obs,), numbered by first appearance; any names will do."""
    _, first, inverse = np.unique(c, return_index=True, return_inverse=True)
    number = np.empty(len(first), dtype=np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    return number[inverse.reshape(-1)]


def canonical_draws(z: NDArray[np.integer]) -> NDArray[np.unsignedinteger]:
    """Draws, shape (sample, obs), each numbered by first appearance, in the smallest integers.

    Walks through the names, not through the rows: each name's first row in each draw gives its
    rank.
    """
    samples, n = z.shape
    # Names may be large and few, as those of a sampler without a fixed K: packed first.
    if int(z.max()) >= 4 * n + 256:
        _, packed = np.unique(z, return_inverse=True)
        z = packed.reshape(z.shape)
    names = int(z.max()) + 1
    out = np.empty((samples, n), dtype=z_dtype(min(names, n)))
    step = max(1, 2**22 // max(n, names))
    for begin in range(0, samples, step):
        part = z[begin : begin + step].astype(np.intp)
        first = np.full((len(part), names), n)
        # Of repeated writes the last one stays: written backwards, that is the first appearance.
        first[np.arange(len(part))[:, None], part[:, ::-1]] = np.arange(n - 1, -1, -1)
        number = np.argsort(np.argsort(first, axis=1, kind="stable"), axis=1, kind="stable")
        out[begin : begin + step] = np.take_along_axis(number, part, axis=1)
    return out


def as_draws(z: Any) -> NDArray[np.unsignedinteger]:
    """Draws of z as (sample, obs), numbered by first appearance.

    Parameters
    ----------
    z
        Array of shape (draw, obs) or (chain, draw, obs), or a DataArray with such dims; whole
        numbers from 0 or from 1, or any that are not negative.

    Raises
    ------
    UnmixError
        For another shape, and for numbers that are not finite, not whole or negative, with the
        first such draw and row.
    """
    if isinstance(z, xr.DataArray):
        lead = [d for d in SAMPLE_DIMS if d in z.dims]
        z = z.transpose(*lead, ...)
    array = rectangular("z", z, "draws of the assignments, as (draw, obs) or (chain, draw, obs)")
    if array.ndim not in (2, 3) or array.size == 0:
        raise UnmixError(
            f"z has shape {array.shape}: give draws of the assignments as (draw, obs) or "
            "(chain, draw, obs)"
        )
    array = array.reshape(-1, array.shape[-1])
    return canonical_draws(_whole(array, "z", ("draw", "row")))


def as_partition(c: Any, name: str = "the partition") -> NDArray[np.int64]:
    """One partition, shape (obs,), numbered by first appearance.

    Parameters
    ----------
    c
        Names of components, one for each row: whole numbers, text or truth values.
    name
        What to call it in errors.

    Raises
    ------
    UnmixError
        If it is not one-dimensional, is empty, or holds numbers that are not finite or not whole,
        a row without a name, or text beside numbers, as 1 and "1" may or may not be one component.
    """
    if isinstance(c, list | tuple) and any(isinstance(v, str) for v in c):
        c = np.fromiter(c, dtype=object, count=len(c))  # or NumPy makes text of all of it
    array = rectangular(name, c, "one component for each row, (obs,)")
    if array.ndim != 1 or array.size == 0:
        raise UnmixError(f"{name} has shape {array.shape}: give one component for each row, (obs,)")
    if array.dtype.kind == "f":
        array = _whole(array[None], name, ("draw", "row"))[0]
    elif array.dtype.kind == "O":
        array = _of_one_kind(array, name)
    return canonical(array)


def _of_one_kind(array: NDArray, name: str) -> NDArray:
    """Names of components that came as Python objects, as an array of texts or of numbers.

    Raises
    ------
    UnmixError
        Where one is missing, with the first such row, and where there is text beside numbers.
    """
    import pandas as pd  # here, because it takes a moment

    missing = np.flatnonzero(pd.isna(array))
    if len(missing):
        raise UnmixError(
            f"{name} has no component at row {missing[0]} ({array[missing[0]]}): give one for each"
        )
    kinds = set(map(type, array.tolist()))
    numbers_ = {kind for kind in kinds if issubclass(kind, int | float | np.number | np.bool_)}
    if numbers_ and numbers_ != kinds:
        raise UnmixError(
            f"{name} names components by numbers and by text, so that 1 and '1' may be one: write "
            "all names in one way"
        )
    if numbers_:
        return _whole(array.astype(float)[None], name, ("draw", "row"))[0]
    return np.array([str(v) for v in array.tolist()])


def _whole(array: NDArray, name: str, words: tuple[str, str]) -> NDArray[np.integer]:
    """Whole numbers that are not negative, as integers."""
    if array.dtype.kind not in "biuf":
        raise UnmixError(f"{name} is of type {array.dtype}: give whole numbers, as integers")
    if array.dtype.kind == "f":
        bad = ~np.isfinite(array)
        said = "is not finite"
        if not bad.any():
            bad, said = array != np.floor(array), "is not a whole number"
        if not bad.any():
            bad, said = np.abs(array) >= 2**53, "is too large for a name"
    else:
        bad, said = np.zeros(1, dtype=bool), ""
    if not bad.any() and array.dtype.kind in "if":
        bad, said = array < 0, "is negative"
    if bad.any():
        t, i = (int(v) for v in np.argwhere(bad)[0])
        where = f"{words[0]} {t}, {words[1]} {i}" if len(array) > 1 else f"{words[1]} {i}"
        raise UnmixError(
            f"{name} {said} at {where} ({array[t, i]}): components are whole numbers from 0"
        )
    return array.astype(np.int64) if array.dtype.kind in "fb" else array


def as_similarity(p: Any) -> NDArray[np.float64]:
    """A matrix of P(z_i = z_j), shape (obs, obs), made exactly symmetric with ones on the diagonal.

    Raises
    ------
    UnmixError
        If it is not square, not finite, not symmetric, not within [0, 1], or its diagonal is not
        one, by more than `SLACK`; with the first such cell.
    """
    array = numbers(
        "the similarity matrix", p, "P(z_i = z_j), such as unmix.co_assignment makes"
    ).astype(float)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or array.size == 0:
        raise UnmixError(
            f"the similarity matrix has shape {array.shape}: give one row and one column for each "
            "observation"
        )
    with np.errstate(invalid="ignore"):
        faults = {
            "is not finite": ~np.isfinite(array),
            "is not within 0 and 1": (array < -SLACK) | (array > 1 + SLACK),
            "is not symmetric": np.abs(array - array.T) > SLACK,
            "has a diagonal that is not one": np.diag(np.abs(np.diag(array) - 1) > SLACK),
        }
    for said, bad in faults.items():
        if bad.any():
            i, j = (int(v) for v in np.argwhere(bad)[0])
            raise UnmixError(
                f"the similarity matrix {said} at row {i}, column {j} ({array[i, j]:.6g}): give "
                "P(z_i = z_j), such as unmix.co_assignment makes"
            )
    array = np.clip(0.5 * (array + array.T), 0.0, 1.0)
    np.fill_diagonal(array, 1.0)
    return array
