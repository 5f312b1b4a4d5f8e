"""How unmix compiles the graphs it derives.

PyTensor's default is to turn a graph into machine code, which takes from seconds to minutes and
pays only in long loops. A table over observations is a handful of NumPy calls on large arrays, so
the Python linker with PyTensor's numerical rewrites (the stable forms of log-softmax and friends)
is ready in a fraction of a second and as fast as NumPy is.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytensor
from pytensor.compile.mode import Mode
from pytensor.graph.basic import Variable
from pytensor.graph.rewriting.db import RewriteDatabaseQuery

# Fusion makes composite scalars that the Python linker would loop over; in-place rewrites would
# let one output overwrite an input that the caller still holds.
TABLE_MODE = Mode(
    linker="py",
    optimizer=RewriteDatabaseQuery(
        include=["fast_run"],
        exclude=["fusion", "inplace", "c_blas", "cxx_only", "numba", "scan_make_inplace"],
    ),
)


def compile_table(
    inputs: Iterable[Variable], outputs: Variable | Sequence[Variable]
) -> Callable[..., Any]:
    """Compile a graph for few, large evaluations."""
    with warnings.catch_warnings():
        # PyTensor looks for a BLAS to link C code with, and warns; NumPy's own is used here.
        warnings.filterwarnings("ignore", message="PyTensor could not link to a BLAS")
        return pytensor.function(
            list(inputs),
            outputs if isinstance(outputs, Variable) else list(outputs),
            mode=TABLE_MODE,
            on_unused_input="ignore",
        )
