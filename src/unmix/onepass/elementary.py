"""Scalar functions that LLVM turns into vector instructions: log, and uniform numbers.

The library's log is a call, and a call keeps a loop from being vectorised. This one is branch-free:
argument reduction by the bits of a double, then a polynomial (Muller 2016, Elementary Functions,
chapters 5 and 6), within two units in the last place (tested). The exponential is in
`unmix.onepass.lanes_exp`.
"""

from typing import Any

import numba as nb
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

# Sums may be taken in any order, products and sums fused; NaN and infinities keep their meaning.
FAST = {"reassoc", "contract", "nsz", "arcp"}
# The argument reduction lives off (t + c) − c not being simplified away.
EXACT = {"contract", "nsz"}

jit = nb.njit(fastmath=FAST, error_model="numpy", nogil=True)
# For what is called from one place: compiled there, and not once more by itself.
jit_inline = nb.njit(fastmath=FAST, error_model="numpy", nogil=True, inline="always")


def _to_bits(context: Any, x: Any) -> Any:
    """The 64 bits of a double as an integer."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), generate


def _to_double(context: Any, x: Any) -> Any:
    """The double with these 64 bits."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), generate


_bits: Any = intrinsic(_to_bits)
_double: Any = intrinsic(_to_double)


@jit
def put(source, target):  # type: ignore[no-untyped-def]
    """Copy a vector over another one of its length.

    Assignment to a slice does it too, and takes in all that could say why two shapes do not agree:
    seconds of compiling.
    """
    for i in range(len(target)):
        target[i] = source[i]


@jit
def put_rows(source, target):  # type: ignore[no-untyped-def]
    """Copy a matrix over another one of its shape."""
    for i in range(len(target)):
        put(source[i], target[i])


@nb.njit(fastmath=EXACT, error_model="numpy")
def log(x: float) -> float:
    """log(x) for normal positive x; −inf at zero; infinity and NaN as they came."""
    # x = 2^e m with m in [√½, √2).
    bits = _bits(x)
    shifted = bits - 4604544271217802189  # the bits of √½
    e = shifted >> 52
    f = _double(bits - (e << 52)) - 1.0
    s = f / (2.0 + f)
    z = s * s
    # 2 artanh(s) = 2 (s + s³/3 + s⁵/5 + …), |s| ≤ 0.1716
    p = 2.0 / 23
    p = p * z + 2.0 / 21
    p = p * z + 2.0 / 19
    p = p * z + 2.0 / 17
    p = p * z + 2.0 / 15
    p = p * z + 2.0 / 13
    p = p * z + 2.0 / 11
    p = p * z + 2.0 / 9
    p = p * z + 2.0 / 7
    p = p * z + 2.0 / 5
    p = p * z + 2.0 / 3
    n = np.float64(e)
    result = n * 0.693147180369123816490 + (2.0 * s + (s * z * p + n * 1.90821492927058770002e-10))
    result = -np.inf if x == 0.0 else result
    return result if x < np.inf else x


@nb.njit(error_model="numpy")
def uniform(key: np.uint64, row: int) -> float:
    """A uniform number in [0, 1) for a row, a function of key and row alone.

    SplitMix64 (Steele, Lea and Flood 2014, OOPSLA), so that neither threads nor the order of rows
    change what is drawn.
    """
    s = key + np.uint64(row) * np.uint64(0x9E3779B97F4A7C15)
    s = (s ^ (s >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    s = (s ^ (s >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    s = s ^ (s >> np.uint64(31))
    return np.float64(s >> np.uint64(11)) * 1.1102230246251565e-16
