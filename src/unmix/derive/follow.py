"""Which element of ``z`` each entry of a log-density term follows.

After ``z`` is replaced by all K values at once, a term of shape S becomes a table (K, *S). To add
it to the (component, obs) table one must know, for each of its entries, the one z_i that it
depends on. Names and shapes only suggest it (``mu[z][g]`` follows z_{g_n}); so it is measured.
Elements of ``z`` are numbered in binary, and for each bit the term is evaluated once with z_i = b
where the bit of i is set and z_i = a elsewhere. An entry that follows z_i spells out i, bit by bit.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from unmix.errors import UnmixError

Evaluate = Callable[[NDArray[np.int64]], NDArray[np.float64]]


def leading_axes(shape: tuple[int, ...], z_shape: tuple[int, ...]) -> NDArray[np.int64] | None:
    """The map "the first axes of the term are the axes of z", or None where shapes forbid it."""
    n = int(np.prod(z_shape))
    if shape[: len(z_shape)] != z_shape:
        return None
    trailing = int(np.prod(shape[len(z_shape) :]))
    return np.repeat(np.arange(n), trailing).reshape(shape)


def in_step(index: NDArray[np.integer], z_shape: tuple[int, ...]) -> bool:
    """Whether a term's entries follow ``z`` by position: its first axes are those of ``z``."""
    if index.shape[: len(z_shape)] != z_shape:
        return False
    n = int(np.prod(z_shape))
    return bool(np.all(index.reshape(n, -1) == np.arange(n)[:, None]))


def follow(
    evaluate: Evaluate,
    table: NDArray[np.float64],
    z_shape: tuple[int, ...],
    *,
    term: str,
    latent: str,
    read: Sequence[NDArray[np.integer]] = (),
) -> NDArray[np.int64]:
    """Find the element of ``z`` that each entry of a term depends on.

    Parameters
    ----------
    evaluate
        The original term as a function of an integer array of shape ``z_shape``.
    table
        The term with every z_i = k, shape (component, *S).
    z_shape
        Shape of ``z``.
    term, latent
        Names, for the error.
    read
        Rows of ``z`` that the term's graph reads, as in ``z[rows]``.

    Returns
    -------
    numpy.ndarray
        Flat index into ``z``, shape S.

    Raises
    ------
    UnmixError
        If an entry mixes several assignments, or cannot be attributed to one.
    """
    n = int(np.prod(z_shape))
    shape = table.shape[1:]
    guess = leading_axes(shape, z_shape)
    if n == 1:
        return np.zeros(shape, dtype=np.int64)
    index = np.full(shape, -1, dtype=np.int64)
    bits = max(1, int(np.ceil(np.log2(n))))
    codes = np.arange(n).reshape(z_shape)
    for other in range(1, len(table)):
        # Comparing component 0 with `other` resolves the entries on which the two differ.
        with np.errstate(invalid="ignore"):
            differ = (table[0] != table[other]) & ~(np.isnan(table[0]) | np.isnan(table[other]))
        todo = differ & (index < 0)
        if not todo.any():
            continue
        found = np.zeros(shape, dtype=np.int64)
        for bit in range(bits):
            value = evaluate(np.where((codes >> bit) & 1, other, 0))
            value = np.broadcast_to(value, shape)
            found |= _closer_to(value, table[other], table[0]).astype(np.int64) << bit
        index = np.where(todo, found, index)
    unresolved = index < 0
    if unresolved.any():
        # All components agree on these entries (a masked cell, an impossible row): only the
        # layout can say whose they are, and it must agree with every entry that was measured.
        guesses = [guess, *(_along(rows, shape) for rows in read)]
        fitting = [
            g for g in guesses
            if g is not None and np.array_equal(g[~unresolved], index[~unresolved])
        ]  # fmt: skip
        if not fitting:
            raise UnmixError(
                f"unmix cannot tell which element of {latent!r} some entries of {term!r} belong "
                "to, because every component gives them the same density: give each entry of "
                f"{term!r} its own element of {latent!r}"
            )
        index = np.where(unresolved, fitting[0], index)
    if index.max() >= n:
        raise mixes(term, latent)
    return index


def _along(rows: NDArray[np.integer], shape: tuple[int, ...]) -> NDArray[np.int64] | None:
    """The map "the first axis of the term is that of these rows of z"; None where it cannot be."""
    if rows.ndim != 1 or shape[:1] != rows.shape:
        return None
    trailing = (1,) * (len(shape) - 1)
    return np.broadcast_to(rows.astype(np.int64).reshape(-1, *trailing), shape)


def _closer_to(
    value: NDArray[np.float64], high: NDArray[np.float64], low: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Whether ``value`` is nearer to ``high`` than to ``low``; equal infinities are distance 0."""
    with np.errstate(invalid="ignore"):
        to_high = np.where(value == high, 0.0, np.abs(value - high))
        to_low = np.where(value == low, 0.0, np.abs(value - low))
    return to_high < to_low


def mixes(term: str, latent: str) -> UnmixError:
    """The refusal for a density whose entries depend on several assignments at once."""
    return UnmixError(
        f"the log-density of {term!r} mixes several elements of {latent!r} (such as "
        f"mu[{latent}.sum()], or a potential summed over observations), so it does not split into "
        f"one term per observation: write {term!r} element-wise, one entry per element of "
        f"{latent!r}, or group-wise with one {latent!r} per group"
    )
