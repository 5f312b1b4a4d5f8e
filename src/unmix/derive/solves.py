"""Triangular solves shared by many rows, done together.

The density of a multivariate normal solves L y = x − μ for every row. Broadcast over components,
PyTensor would call LAPACK once for each row and component, though only K matrices L differ. Where
the matrix is the same for all rows (its last batch axis has length one), the rows become columns
of one right-hand side: K calls instead of N·K.
"""

from collections.abc import Sequence

from pytensor.graph.basic import Apply
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.rewriting.basic import in2out, node_rewriter
from pytensor.graph.rewriting.utils import rewrite_graph
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.linalg.solvers.core import SolveBase
from pytensor.tensor.variable import TensorVariable


@node_rewriter([Blockwise])
def _rows_as_columns(fgraph: FunctionGraph, node: Apply) -> list[TensorVariable] | None:
    """A solve of one vector for each row as one solve of a matrix with the rows as columns."""
    core = node.op.core_op
    if not isinstance(core, SolveBase) or core.b_ndim != 1:
        return None
    matrix, rows = node.inputs
    last_batch = matrix.type.ndim - 3
    if last_batch < 0 or rows.type.ndim != matrix.type.ndim - 1:
        return None
    if not matrix.type.broadcastable[last_batch] or rows.type.broadcastable[last_batch]:
        return None
    properties = {**core._props_dict(), "b_ndim": 2}
    together = Blockwise(type(core)(**properties))
    columns = together(matrix.squeeze(axis=last_batch), rows.swapaxes(-1, -2))
    return [columns.swapaxes(-1, -2)]


def solve_rows_together(graphs: Sequence[TensorVariable]) -> list[TensorVariable]:
    """The same graphs with shared triangular solves done for all rows at once."""
    if not graphs:
        return []
    return rewrite_graph(
        list(graphs), include=(), custom_rewrite=in2out(_rows_as_columns), clone=True
    )
