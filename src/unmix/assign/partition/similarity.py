r"""The posterior similarity matrix: how probable it is that two rows come from one component.

No permutation of components changes it, so nothing has to be aligned. Given θ the assignments are
independent, so besides counting there is the Rao–Blackwell road, which has the smaller variance:

.. math::

    P_{ij} = \frac1T \sum_t [z_{ti} = z_{tj}] \qquad\text{or}\qquad
    P_{ij} = \frac1T \sum_t \sum_k r_{tik}\, r_{tjk} \quad (i ≠ j), \qquad P_{ii} = 1

Both are products of matrices (obs, draws · component) with their own transposes, added up over
blocks of draws; counting puts zeros and ones in place of responsibilities. What is asked for is all
that is held.

References: Binder 1978, Biometrika 65:31; Fritsch and Ickstadt 2009, Bayesian Anal. 4:367.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from unmix.arguments import one_of, random_generator, rectangular, said
from unmix.assign.partition.source import draws_from, posterior
from unmix.assign.stream import stream
from unmix.derive.theta import stack_theta
from unmix.errors import UnmixError

From = Literal["responsibilities", "z"]
# Columns of a block of the product, and numbers in a block of rows of the result.
WIDTH, BLOCK = 256, 2**22
# Bytes of a matrix that is made in memory.
LARGEST = 2**31


def co_assignment(
    model: pm.Model | None = None,
    fit: Any = None,
    *,
    from_: From = "responsibilities",
    z: Any = None,
    obs: ArrayLike | None = None,
    other: ArrayLike | None = None,
    out: NDArray[np.floating] | None = None,
    rng: int | np.random.Generator | None = None,
) -> xr.DataArray:
    r"""Posterior probability that two rows come from one component: the similarity matrix.

    It is of the rows of the table, one entry for each pair: weights that the model has
    (`unmix.weigh`) are in the fit and do not come in here once more.

    Parameters
    ----------
    model
        The declared mixture; found in the ``with`` block when left out.
    fit
        Draws of any origin, an EM result or a point.
    from_
        ``"responsibilities"``: averaged given θ, mean over draws of Σ_k r_ik r_jk.
        ``"z"``: the share of draws with z_i = z_j; where the fit holds no z it is drawn.
    z
        Draws of assignments from anywhere, (draw, obs) or (chain, draw, obs), in place of a model
        and its fit.
    obs, other
        Positions of the rows wanted, and of the rows that they are held against; all by default.
        With many rows ask for some of them: N = 30,000 in full would take 7 GB.
    out
        Array of shape (obs, obs_other) that takes the result, such as a `numpy.memmap`.
    rng
        Seed or generator, where z must be drawn.

    Returns
    -------
    xarray.DataArray
        P(z_i = z_j | x), dims (obs, obs_other); one where both are the same row. Attributes
        ``from`` and ``samples``.

    Raises
    ------
    UnmixError
        If the fit does not belong to the model, a position does not exist, or the matrix would take
        more than 2 GB and no ``out`` is given.
    """
    one_of("from_", from_, ("responsibilities", "z"))
    random_generator(rng)  # refused whether or not it is needed
    if out is not None and not isinstance(out, np.ndarray):
        raise UnmixError(
            f"out is {said(out)}: give an array of NumPy, such as a numpy.memmap, of real numbers"
        )
    blocks: Iterable[NDArray]
    if z is not None or from_ == "z":
        draws = draws_from(model, fit, z, rng)
        from_, labels, samples, blocks = "z", draws.obs_labels, len(draws.z), one_hot(draws.z)
    else:
        derivation = posterior(model, fit)
        stack = stack_theta(derivation, fit)
        labels, samples = derivation.obs_labels, len(stack)
        blocks = (block.responsibility for block in stream(derivation, stack))
    rows, columns = _positions(obs, len(labels), "obs"), _positions(other, len(labels), "other")
    matrix = similarity(blocks, samples, rows, columns, out)
    return xr.DataArray(
        matrix,
        dims=("obs", "obs_other"),
        coords={"obs": labels[rows], "obs_other": labels[columns]},
        name="co_assignment",
        attrs={"from": from_, "samples": samples},
    )


def similarity(
    blocks: Iterable[NDArray],
    samples: int,
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    out: NDArray[np.floating] | None = None,
) -> NDArray[np.floating]:
    """Mean over draws of Σ_k r_ik r_jk for some rows i and columns j, one where i is j.

    Parameters
    ----------
    blocks
        Responsibilities, or zeros and ones, of consecutive draws, shape (sample, obs, component).
    samples
        How many draws there are in all blocks.
    """
    shape = (len(rows), len(columns))
    if out is None:
        if 8 * shape[0] * shape[1] > LARGEST:
            raise UnmixError(
                f"the similarity matrix of {shape[0]:,} by {shape[1]:,} rows would take "
                f"{8e-9 * shape[0] * shape[1]:.1f} GB: ask for some rows by obs= and other=, or "
                "give an array on disk as out="
            )
        out = np.zeros(shape)
    elif out.shape != shape or out.dtype.kind != "f":
        raise UnmixError(
            f"out is an array {out.shape} of {out.dtype}: it must hold real numbers, {shape}"
        )
    else:
        out[...] = 0.0
    symmetric = np.array_equal(rows, columns)
    step = max(1, BLOCK // max(1, len(columns)))
    for wide in _widened(blocks):
        left = wide[rows]
        right = left if symmetric else wide[columns]
        for begin in range(0, len(rows), step):
            part = slice(begin, begin + step)
            # Of a symmetric matrix only what is right of the block's first row.
            across = slice(begin if symmetric else 0, None)
            out[part, across] += left[part] @ right[across].T
    for begin in range(0, len(rows), step):
        part = slice(begin, begin + step)
        if symmetric:
            square = out[part, part]
            square[...] = np.triu(square) + np.triu(square, 1).T
            out[part.stop :, part] = out[part, part.stop :].T
    for begin in range(0, len(rows), step):
        part = slice(begin, begin + step)
        # Rounding may carry a sum of shares past one.
        out[part] = np.clip(out[part] / samples, 0.0, 1.0)
        out[part][rows[part, None] == columns] = 1.0
    return out


def _widened(blocks: Iterable[NDArray]) -> Iterator[NDArray]:
    """Blocks as (obs, draws · component), joined until a product is worth its overhead."""
    held: list[NDArray] = []
    for block in blocks:
        held.append(np.moveaxis(block, 0, 1).reshape(block.shape[1], -1))
        if sum(b.shape[1] for b in held) >= WIDTH:
            yield np.concatenate(held, axis=1)
            held = []
    if held:
        yield np.concatenate(held, axis=1)


def one_hot(z: NDArray[np.unsignedinteger]) -> Iterator[NDArray[np.float32]]:
    """Draws of z as zeros and ones, block by block, shape (sample, obs, component).

    Single precision: sums of ones are exact in it up to 2²⁴, more than a block can hold.
    """
    k = np.arange(int(z.max()) + 1, dtype=z.dtype)
    step = max(1, BLOCK // (z.shape[1] * len(k)))
    for begin in range(0, len(z), step):
        yield (z[begin : begin + step, :, None] == k).astype(np.float32)


def _positions(rows: ArrayLike | None, n: int, name: str) -> NDArray[np.intp]:
    """Positions of rows, checked; all where none are given."""
    if rows is None:
        return np.arange(n)
    array = np.atleast_1d(rectangular(name, rows, "positions of rows, whole numbers from 0"))
    if array.ndim != 1 or array.dtype.kind not in "iu" or array.size == 0:
        raise UnmixError(f"{name} is {said(rows)}: give positions of rows, whole numbers from 0")
    if array.min() < -n or array.max() >= n:
        worst = int(array[(array < -n) | (array >= n)][0])
        raise UnmixError(f"{name} asks for row {worst} and there are {n}, numbered from 0")
    return np.asarray(array % n, dtype=np.intp)
