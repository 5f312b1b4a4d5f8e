"""Data that no parameter makes possible, and data that PyMC rounded.

Where a family's support is the same for all of its parameters (counts are 0, 1, 2, …), a value
outside makes its row impossible under every component and every θ: p(x_i | θ) = 0, and there is
nothing to derive. That is a mistake in the data or in the declaration, and is said as such.

PyMC cuts what a family of whole numbers observes to whole numbers, so that 2.5 becomes 2. With a
`pm.Data` the numbers given stand in the model still and are held against what was made of them; of
an array or a list nothing but the result is left, and nobody can tell.
"""

from collections.abc import Callable

import numpy as np
import pymc as pm
from numpy.typing import NDArray
from pytensor.graph.basic import Variable
from pytensor.scalar.basic import Cast
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.random.basic import (
    BernoulliRV,
    BetaRV,
    CategoricalRV,
    ExponentialRV,
    GammaRV,
    GeometricRV,
    HalfNormalRV,
    InvGammaRV,
    LogNormalRV,
    NegBinomialRV,
    PoissonRV,
)
from pytensor.tensor.variable import TensorVariable

from unmix.derive.compiling import compile_table
from unmix.errors import UnmixError

Outside = Callable[[NDArray], NDArray[np.bool_]]

# How many rows are named.
NAMED = 5


def _below(least: float) -> Outside:
    return lambda x: x < least


# Closed where a family may have its edge in or out: what is possible is never refused.
_COUNTS = (_below(0), "counts are 0 or more")
_POSITIVE = (_below(0), "its values are 0 or more")
_SUPPORT: dict[type, tuple[Outside, str]] = {
    PoissonRV: _COUNTS,
    NegBinomialRV: _COUNTS,
    GeometricRV: (_below(1), "its counts are 1 or more"),
    BernoulliRV: (lambda x: (x != 0) & (x != 1), "its values are 0 and 1"),
    BetaRV: (lambda x: (x < 0) | (x > 1), "its values lie between 0 and 1"),
    ExponentialRV: _POSITIVE,
    GammaRV: _POSITIVE,
    InvGammaRV: _POSITIVE,
    LogNormalRV: _POSITIVE,
    HalfNormalRV: _POSITIVE,
}


def require_whole(model: pm.Model) -> None:
    """Refuse observed numbers that became others when they were made whole.

    Raises
    ------
    UnmixError
        Naming the variable, the rows, and that counts are whole.
    """
    for rv in model.observed_RVs:
        node = model.rvs_to_values[rv].owner
        if node is None or not isinstance(node.op, Elemwise):
            continue
        (given, *_), (made, *_) = node.inputs, node.outputs
        if not isinstance(node.op.scalar_op, Cast) or "int" not in made.dtype:
            continue
        no_inputs: list[Variable] = []
        x = np.asarray(compile_table(no_inputs, given)())
        with np.errstate(invalid="ignore"):
            other = x != x.astype(made.dtype)
        if other.any():
            raise _impossible(model, rv, x, other, "its values are whole numbers")


def require_possible(model: pm.Model, values: dict[str, NDArray]) -> None:
    """Refuse data outside the support of their family.

    Parameters
    ----------
    values
        Observed values by name of the variable, rows along the first axis.

    Raises
    ------
    UnmixError
        Naming the variable, the rows, and what the family allows.
    """
    for rv in model.observed_RVs:
        x = values[rv.name]
        if rv.owner is None or x.dtype.kind not in "biuf":
            continue
        op = rv.owner.op
        if isinstance(op, CategoricalRV):
            levels = _levels(op.dist_params(rv.owner)[0])
            found = (x < 0) | (x >= levels), f"its levels are 0 to {levels - 1}"
        else:
            outside, words = next(
                (rule for kind, rule in _SUPPORT.items() if isinstance(op, kind)), (None, "")
            )
            found = (np.zeros(x.shape, bool) if outside is None else outside(x)), words
        infinite = np.isinf(x) if x.dtype.kind == "f" else np.zeros((), bool)
        if infinite.any():
            found = infinite, "densities are for finite numbers"
        if found[0].any():
            raise _impossible(model, rv, x, *found)


def _levels(p: TensorVariable) -> int:
    """Number of levels of a categorical variable."""
    known = p.type.shape[-1]
    no_inputs: list[Variable] = []
    return int(compile_table(no_inputs, p.shape[-1])()) if known is None else int(known)


def _impossible(
    model: pm.Model, rv: TensorVariable, x: NDArray, wrong: NDArray, words: str
) -> UnmixError:
    rows = np.unique(np.argwhere(wrong)[:, 0]) if x.ndim else np.zeros(1, int)
    declared = model.named_vars_to_dims.get(rv.name)
    labels = model.coords.get(declared[0]) if declared else None
    first, *others = [str(i if labels is None else labels[i]) for i in rows[: NAMED + 1]]
    more = f" and {len(rows) - 1 - NAMED} more" if len(rows) > 1 + NAMED else ""
    also = f" (so are rows {', '.join(others)}{more})" if others else ""
    family = type(rv.owner.op).__name__.removesuffix("RV")
    return UnmixError(
        f"{rv.name!r} is {x[wrong].flat[0]:g} in row {first}, which is impossible under every "
        f"component of {family}, as {words}{also}: correct or leave out "
        f"{'these rows' if others else 'the row'}, or declare another likelihood"
    )
