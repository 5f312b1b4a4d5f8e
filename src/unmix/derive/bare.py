"""A variable without what PyMC wraps around it to broadcast it."""

from pytensor.scalar.basic import Second
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.variable import TensorVariable


def bare(graph: TensorVariable) -> TensorVariable:
    """A variable without the broadcasting that PyMC wrapped around it."""
    while graph.owner is not None:
        op = graph.owner.op
        if isinstance(op, Elemwise) and isinstance(op.scalar_op, Second):
            graph = graph.owner.inputs[1]  # "as large as the first, filled with the second"
            continue
        if not isinstance(op, DimShuffle):
            break
        order = op.new_order
        if [o for o in order if o != "x"] != list(range(graph.owner.inputs[0].ndim)):
            break
        graph = graph.owner.inputs[0]
    return graph
