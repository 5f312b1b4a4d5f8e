"""How unmix compiles the graphs it derives.

PyTensor's default is to turn a graph into machine code, which takes from seconds to minutes and
pays only in long loops. A table over observations is a handful of NumPy calls on large arrays, so
the Python linker with PyTensor's numerical rewrites (the stable forms of log-softmax and friends)
is ready in a fraction of a second and as fast as NumPy is; once `clip`, which has no ufunc and
would be called for each number, is written as two comparisons.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pymc as pm
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray
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


@contextmanager
def without_c() -> Iterator[None]:
    """Compile without a C compiler, and without a word of it.

    Where PyTensor finds one, the insides of loops (correlations have one) go by way of C whatever
    the linker, a second for each operation that this machine has not seen. Without one it warns
    that it links no BLAS, and where it makes two loops of one that would have many arguments.
    """
    with pytensor.config.change_flags(cxx=""), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="PyTensor could not link to a BLAS")
        warnings.filterwarnings("ignore", message="Loop fusion failed because the resulting node")
        yield


def initial_point(model: pm.Model) -> dict[str, NDArray]:
    """PyMC's initial point of a model, always the same."""
    with without_c():
        return dict(model.initial_point(random_seed=0))


def compile_table(
    inputs: Iterable[Variable],
    outputs: Variable | Sequence[Variable],
    *,
    trial: bool = False,
) -> Callable[..., Any]:
    """Compile a graph for few, large evaluations; for a ``trial`` where it may not evaluate."""
    with without_c():
        return pytensor.function(
            list(inputs),
            outputs if isinstance(outputs, Variable) else list(outputs),
            mode=TRIAL_MODE if trial else TABLE_MODE,
            on_unused_input="ignore",
        )
