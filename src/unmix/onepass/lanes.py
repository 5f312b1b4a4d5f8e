"""Vectors of doubles as values of compiled code, where a loop must be vectorised just so.

LLVM vectorises simple loops by itself. A product of small matrices it does not keep in registers,
and that is what multivariate normal densities are made of. A vector here is one machine register
(*narrow*) or four that are worked on side by side (*wide*), so that a chain of multiply-adds does
not wait for the one before it. ``+``, ``-``, ``*`` and ``/`` are by element.

Loads and stores go to element ``i`` and those that follow; nobody checks that they are there.
"""

import operator
from typing import Any

import numba as nb
import numpy as np
from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.core.codegen import get_host_cpu_features
from numba.core.typing import signature
from numba.core.typing.templates import ConcreteTemplate, infer_global
from numba.extending import intrinsic, lower_builtin, models, register_model

from unmix.onepass.elementary import jit

DOUBLE, INT, BITS = ir.DoubleType(), ir.IntType(32), ir.IntType(64)
FEATURES = getattr(nb.config, "CPU_FEATURES", None) or get_host_cpu_features()
NARROW = 8 if "+avx512f" in FEATURES else 4
WIDE = 4 * NARROW
LINE = 64  # bytes in a line of the cache
DIGITS = 52  # bits of a double below its exponent


class Lanes(types.Type):
    """A vector of this many doubles."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.vector = ir.VectorType(DOUBLE, size)
        super().__init__(name=f"Lanes({size})")


NARROW_LANES, WIDE_LANES = Lanes(NARROW), Lanes(WIDE)


@register_model(Lanes)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: Lanes) -> None:
        super().__init__(manager, lanes, lanes.vector)


def _spreading(lanes: Lanes) -> Any:
    def spread(context: Any, x: Any) -> Any:
        """The number in every lane."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            nothing = ir.Constant(lanes.vector, ir.Undefined)
            first = builder.insert_element(nothing, args[0], ir.Constant(INT, 0))
            zeros = ir.Constant(ir.VectorType(INT, lanes.size), [0] * lanes.size)
            return builder.shuffle_vector(first, nothing, zeros)

        return lanes(types.float64), generate

    return intrinsic(spread)


def _loading(lanes: Lanes) -> Any:
    def load(context: Any, row: Any, i: Any) -> Any:
        """Elements i, i + 1, … of a row of doubles."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.load(_address(context, builder, signature.args[0], args, lanes), align=8)

        return lanes(row, types.intp), generate

    return intrinsic(load)


def _address(context: Any, builder: Any, row: Any, args: Any, lanes: Lanes) -> Any:
    data = context.make_array(row)(context, builder, args[0]).data
    return builder.bitcast(builder.gep(data, [args[1]]), lanes.vector.as_pointer())


wide: Any = _spreading(WIDE_LANES)
narrow: Any = _spreading(NARROW_LANES)
load_wide: Any = _loading(WIDE_LANES)
load_narrow: Any = _loading(NARROW_LANES)


def _store(context: Any, row: Any, i: Any, lanes: Any) -> Any:
    """Write elements i, i + 1, … of a row of doubles."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        where = _address(context, builder, signature.args[0], args, lanes)
        builder.store(args[2], where, align=8)
        return context.get_dummy_value()

    return types.none(row, types.intp, lanes), generate


def _fused(context: Any, a: Any, b: Any, c: Any) -> Any:
    """A b + c, with one rounding where the machine can."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(a.vector, [a.vector] * 3)
        name = f"llvm.fmuladd.v{a.size}f64"
        return builder.call(get_or_insert_function(builder.module, kind, name), args)

    return a(a, a, a), generate


def _larger(context: Any, a: Any, b: Any) -> Any:
    """The greater, b where either is no number."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", *args), *args)

    return a(a, a), generate


def _from_on(context: Any, value: Any, x: Any, limit: Any) -> Any:
    """``value`` where x is at least ``limit`` or no number, else 0."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        zero = ir.Constant(value.vector, [0.0] * value.size)
        return builder.select(builder.fcmp_unordered(">=", args[1], args[2]), args[0], zero)

    return value(value, value, value), generate


def _scaled(context: Any, a: Any, t: Any) -> Any:
    """Times 2^n, n the low bits of the number t."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits = ir.VectorType(BITS, a.size)
        number, power = (builder.bitcast(value, bits) for value in args)
        power = builder.shl(power, ir.Constant(bits, [DIGITS] * a.size))
        return builder.bitcast(builder.add(number, power), a.vector)

    return a(a, a), generate


def _sum_lanes(context: Any, a: Any) -> Any:
    """Sum over the lanes."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(DOUBLE, [DOUBLE, a.vector])
        name = f"llvm.vector.reduce.fadd.v{a.size}f64"
        add = get_or_insert_function(builder.module, kind, name)
        return builder.call(add, [ir.Constant(DOUBLE, 0.0), args[0]], fastmath=("reassoc",))

    return types.float64(a), generate


store: Any = intrinsic(_store)
fused: Any = intrinsic(_fused)
larger: Any = intrinsic(_larger)
from_on: Any = intrinsic(_from_on)
scaled: Any = intrinsic(_scaled)
sum_lanes: Any = intrinsic(_sum_lanes)


def _by_element(operation: Any, instruction: str) -> None:
    @infer_global(operation)
    class Template(ConcreteTemplate):
        cases = [signature(lanes, lanes, lanes) for lanes in (NARROW_LANES, WIDE_LANES)]  # noqa: RUF012

    @lower_builtin(operation, Lanes, Lanes)
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return getattr(builder, instruction)(*args)


_by_element(operator.add, "fadd")
_by_element(operator.sub, "fsub")
_by_element(operator.mul, "fmul")
_by_element(operator.truediv, "fdiv")


@jit
def clear(row, m):  # type: ignore[no-untyped-def]
    """Zeros beyond element m, to the next full vector."""
    for i in range(m, (m + WIDE - 1) // WIDE * WIDE):
        row[i] = 0.0


@jit
def aligned(rows, columns):  # type: ignore[no-untyped-def]
    """An empty (rows, columns) whose rows begin with a line of the cache; columns a multiple of 8.

    A vector that lies across two lines takes two loads.
    """
    flat = np.empty(rows * columns + LINE // 8)
    skip = (LINE - flat.ctypes.data % LINE) % LINE // 8
    return flat[skip : skip + rows * columns].reshape((rows, columns))
