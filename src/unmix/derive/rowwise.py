"""Likelihoods whose rows never meet, proved from the graph.

Where entry i of a term is one and the same function of θ, z_i and row i of the data,

    term_i = f(θ, z_i, x_i)   for every i,

nothing has to be measured to know which z_i an entry follows, and rows may be looked at in pieces
of any size. The proof follows the axis of the rows through the simplified graph, from ``z`` and the
data to the term, operation by operation. An operation that is not known to keep rows apart ends it,
as does any other array with an entry for each row (a covariate, an offset); then everything is
measured on all rows at once (`unmix.derive.follow`).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.traversal import io_toposort
from pytensor.raise_op import CheckAndRaise
from pytensor.tensor.basic import Alloc, ARange, ExtractDiag
from pytensor.tensor.blas.batched import BatchedDot
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.elemwise import CAReduce, DimShuffle, Elemwise
from pytensor.tensor.shape import Shape_i, SpecifyShape
from pytensor.tensor.subtensor import AdvancedSubtensor

# What is known of a variable: no row enters it (absent), rows lie along an axis (0, 1, …), it holds
# the numbers of the rows along that axis, or rows meet in it.
_MIXED = -1


class _Rows:
    """Where the rows are in each variable that they enter."""

    def __init__(self, sources: Iterable[Variable]) -> None:
        self.axis: dict[Variable, int] = dict.fromkeys(sources, 0)
        self.numbers: set[Variable] = set()

    def of(self, variables: Sequence[Variable]) -> list[int | None]:
        return [self.axis.get(v) for v in variables]

    def shared(self, variables: Sequence[Variable]) -> int:
        """The axis along which all of them have the same rows, or one entry for all of them."""
        axes = {a for a in self.of(variables) if a is not None}
        if len(axes) != 1 or self.numbers & set(variables):
            return _MIXED
        (axis,) = axes
        alike = all(
            v in self.axis or (axis < v.type.ndim and v.type.shape[axis] == 1) for v in variables
        )
        return axis if alike else _MIXED


def is_row_wise(
    inputs: Sequence[Variable], outputs: Sequence[Variable], sources: Sequence[Variable]
) -> bool:
    """Whether entry i of every output is one function of the inputs and of row i of the sources.

    Parameters
    ----------
    inputs, outputs
        Of a simplified graph.
    sources
        The inputs with one entry, or one slice, for each row along their first axis.
    """
    rows = _Rows(sources)
    for node in io_toposort(list(inputs), list(outputs)):
        known = rows.of(node.inputs)
        if all(axis is None for axis in known):
            continue
        if isinstance(node.op, Shape_i):
            # The number of rows is no row; who adds it to a density mixes them.
            if node.op.i == known[0] or known[0] == _MIXED:
                rows.axis[node.outputs[0]] = _MIXED
            continue
        axis = _MIXED
        if isinstance(node.op, CheckAndRaise):
            # Hands its first input on, or raises: the conditions change no value.
            if known[0] is None:
                continue
            axis = known[0]
        elif isinstance(node.op, ARange):
            if _counts_rows(node, rows):
                axis = 0
                rows.numbers.update(node.outputs)
        elif isinstance(node.op, Alloc):
            axis = _repeated(node, rows)
        elif _MIXED not in known:
            rule = next((r for kind, r in _RULES.items() if isinstance(node.op, kind)), None)
            axis = _MIXED if rule is None else rule(node, rows)
        for output in node.outputs:
            rows.axis[output] = axis
    return all(rows.axis.get(v) == 0 and v not in rows.numbers for v in outputs)


def _counts_rows(node: Apply, rows: _Rows) -> bool:
    """Whether a range is 0, 1, … up to the number of rows."""
    start, stop, step = node.inputs
    constant = isinstance(start, Constant) and isinstance(step, Constant)
    counted = stop.owner is not None and isinstance(stop.owner.op, Shape_i)
    if not constant or not counted or start.data != 0 or step.data != 1:
        return False
    return rows.axis.get(stop.owner.inputs[0]) == stop.owner.op.i


def _repeated(node: Apply, rows: _Rows) -> int:
    """The axis along which what no row enters is repeated once for each row."""
    value, *lengths = node.inputs
    along = [i for i, v in enumerate(lengths) if v in rows.axis]
    if value in rows.axis or len(along) != 1:
        return _MIXED
    (axis,) = along
    own = axis - (len(lengths) - value.type.ndim)
    counted = lengths[axis].owner
    if counted is None or not isinstance(counted.op, Shape_i):
        return _MIXED
    if own >= 0 and value.type.shape[own] != 1:
        return _MIXED
    return axis if rows.axis.get(counted.inputs[0]) == counted.op.i else _MIXED


def _elemwise(node: Apply, rows: _Rows) -> int:
    return rows.shared(node.inputs)


def _shuffle(node: Apply, rows: _Rows) -> int:
    (source,) = node.inputs
    if source in rows.numbers:
        rows.numbers.update(node.outputs)
    order = list(node.op.new_order)
    return order.index(rows.axis[source]) if rows.axis[source] in order else _MIXED


def _reduce(node: Apply, rows: _Rows) -> int:
    (source,) = node.inputs
    axis, over = rows.axis[source], node.op.axis
    if source in rows.numbers or over is None or axis in over:
        return _MIXED
    return axis - sum(a < axis for a in over)


def _specify(node: Apply, rows: _Rows) -> int:
    source, *lengths = node.inputs
    alone = all(v not in rows.axis for v in lengths) and source not in rows.numbers
    axis = rows.axis[source] if alone else _MIXED
    if axis >= 0 and getattr(lengths[axis], "data", 0) is not None:
        return _MIXED
    return axis


def _diagonal(node: Apply, rows: _Rows) -> int:
    (source,) = node.inputs
    axis = rows.axis[source]
    return axis if axis < min(node.op.axis1, node.op.axis2) else _MIXED


def _batched(node: Apply, rows: _Rows) -> int:
    axis = rows.shared(node.inputs)
    return axis if axis < node.op.batch_ndim(node) else _MIXED


def _batched_dot(node: Apply, rows: _Rows) -> int:
    return 0 if rows.of(node.inputs) == [0, 0] else _MIXED


def _index(node: Apply, rows: _Rows) -> int:
    """An array of parameters at an index for each row; or row i of an array at row number i."""
    array, *indices = node.inputs
    leading, trailing = node.op.idx_list[: len(indices)], node.op.idx_list[len(indices) :]
    if list(leading) != list(range(len(indices))) or any(s != slice(None) for s in trailing):
        return _MIXED  # slices or new axes among the indices
    if len({v.type.ndim for v in indices}) != 1 or any(v.type.dtype == "bool" for v in indices):
        return _MIXED
    axis = rows.axis.get(array)
    if axis is None:
        return rows.shared(indices)
    if axis >= len(indices) or array in rows.numbers:
        return _MIXED
    number = indices[axis]
    others = [v for v in indices if v is not number]
    if number not in rows.numbers or any(v in rows.numbers for v in others):
        return _MIXED
    along = rows.axis[number]
    alike = all(
        rows.axis[v] == along if v in rows.axis else v.type.shape[along] == 1 for v in others
    )
    return along if alike else _MIXED


_RULES: dict[type, Callable[[Apply, _Rows], int]] = {
    Elemwise: _elemwise,
    DimShuffle: _shuffle,
    CAReduce: _reduce,
    SpecifyShape: _specify,
    ExtractDiag: _diagonal,
    BatchedDot: _batched_dot,
    Blockwise: _batched,
    AdvancedSubtensor: _index,
}


def proved(compiled: Callable[..., Any], sources: int) -> bool:
    """`is_row_wise` for a compiled function whose last ``sources`` inputs have the rows."""
    graph: Any = compiled.maker.fgraph  # type: ignore[attr-defined]
    inputs = list(graph.inputs)
    return is_row_wise(inputs, list(graph.outputs), inputs[len(inputs) - sources :])
