"""How unmix compiles the graphs it derives.

PyTensor's default is to turn a graph into machine code, which takes from seconds to minutes and
pays only in long loops. A table over observations is a handful of NumPy calls on large arrays, so
the Python linker with PyTensor's numerical rewrites (the stable forms of log-softmax and friends)
is ready in a fraction of a second and as fast as NumPy is; once `clip`, which has no ufunc and
would be called for each number, is written as two comparisons.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytensor
import pytensor.tensor as pt
from pytensor.compile.mode import Mode
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.rewriting.basic import in2out, node_rewriter
from pytensor.graph.rewriting.db import RewriteDatabaseQuery
from pytensor.scalar.basic import Clip
from pytensor.tensor.elemwise import Elemwise


@node_rewriter([Elemwise])
def _compare(fgraph: FunctionGraph, node: Apply) -> list[Variable] | None:
    """clip(x, low, high) as comparisons, which NumPy has."""
    if not isinstance(node.op.scalar_op, Clip):
        return None
    x, low, high = node.inputs
    clipped = pt.switch(pt.lt(x, low), low, pt.switch(pt.gt(x, high), high, x))
    return [clipped.astype(node.outputs[0].type.dtype)]


# Fusion makes composite scalars that the Python linker would loop over; in-place rewrites would
# let one output overwrite an input that the caller still holds.
TABLE_MODE = Mode(
    linker="py",
    optimizer=RewriteDatabaseQuery(
        include=["fast_run"],
        exclude=["fusion", "inplace", "c_blas", "cxx_only", "numba", "scan_make_inplace"],
    ),
).register((in2out(_compare, name="unmix_clip"), 48))  # after all that could make or move a clip


# For a graph that may not evaluate: what is constant in it fails when called, where the caller sees
# it, and not while it is compiled, where PyTensor writes the traceback to the terminal and goes on.
TRIAL_MODE = TABLE_MODE.excluding("topo_constant_folding")


def compile_table(
    inputs: Iterable[Variable],
    outputs: Variable | Sequence[Variable],
    *,
    trial: bool = False,
) -> Callable[..., Any]:
    """Compile a graph for few, large evaluations; for a ``trial`` where it may not evaluate."""
    with warnings.catch_warnings():
        # PyTensor looks for a BLAS to link C code with, and warns; NumPy's own is used here.
        warnings.filterwarnings("ignore", message="PyTensor could not link to a BLAS")
        return pytensor.function(
            list(inputs),
            outputs if isinstance(outputs, Variable) else list(outputs),
            mode=TRIAL_MODE if trial else TABLE_MODE,
            on_unused_input="ignore",
        )
