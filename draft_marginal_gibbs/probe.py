"""A model's parameters and log-densities at widely spread points, to tell what stands where."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pytensor.graph.replace import vectorize_graph
from pytensor.graph.traversal import ancestors, applys_between
from pytensor.scalar import basic as scalar
from pytensor.scalar import math as scalar_math
from pytensor.tensor.elemwise import Elemwise

from unmix.derive import Derivation
from unmix.derive.compiling import compile_table
from unmix.infer.gibbs import priors
from unmix.onepass.recognise import Recognised, Term

# Points; the first half tells what is what, all are compared afterwards.
POINTS = 8
SAME = 1e-9
# The model's own arguments may be single precision (PyMC writes 1/3 so).
ROUNDING = 1e-6

FUNCTIONS: dict[int, Callable[[NDArray], NDArray]] = {
    0: lambda v: v,
    1: np.sqrt,
    2: lambda v: 1.0 / np.sqrt(v),
    3: lambda v: 1.0 / v,
    4: lambda v: 1.0 / (1.0 + np.exp(-v)),
    5: np.exp,
}

# Functions that, where they agree with another such one on points spread out, agree everywhere.
_SMOOTH = (
    scalar.Identity, scalar.Second, scalar.Cast, scalar.Mul, scalar.TrueDiv, scalar.Add, scalar.Sub,
    scalar.Neg, scalar.Sqrt, scalar.Sqr, scalar.Reciprocal, scalar.Log, scalar.Log1p, scalar.Exp,
    scalar.Expm1, scalar.Pow, scalar_math.Sigmoid, scalar_math.Softplus, scalar_math.Log1mexp,
    scalar.Abs, scalar.Sign,  # of diagonals, of precisions; a change of sign shows at the points
)  # fmt: skip
_MOVING = {
    "DimShuffle", "Subtensor", "AdvancedSubtensor", "AdvancedSubtensor1", "Reshape", "Alloc",
    "Join", "Split", "MakeVector", "SpecifyShape", "TensorFromScalar", "ScalarFromTensor", "Sum",
    "Dot", "Blockwise", "SolveTriangular", "Cholesky", "IncSubtensor", "AdvancedIncSubtensor",
    "AdvancedIncSubtensor1", "Softmax", "LogSoftmax", "ExtractDiag", "Eye", "CAReduce", "Shape_i",
    "Shape", "Unbroadcast", "MatMul", "MatrixInverse", "AllocDiag", "Prod",
}  # fmt: skip


def smooth(derivation: Derivation, recognised: Recognised) -> str:
    """What in the graph between θ and the components' parameters could hide a corner; or nothing."""
    inputs = list(derivation.opened.theta.values())
    held = set(inputs)
    for node in applys_between(inputs, [recognised.log_w, recognised.packed]):
        depends = [bool(held & set(ancestors([i]))) for i in node.inputs]
        if not any(depends):
            continue
        if isinstance(node.op, Elemwise):
            kind = node.op.scalar_op
            fine = isinstance(kind, _SMOOTH) or (
                isinstance(kind, scalar.Switch) and not depends[0]
            )
            name = type(kind).__name__
        else:
            name = type(node.op).__name__
            fine = name in _MOVING
        if not fine:
            return f"{name} stands between the parameters and the components"
    return ""


def canonical_numbers(term: Term, packed: NDArray) -> tuple[NDArray, NDArray | None]:
    """Canonical numbers (…, column) and correlations' factors, from packed parameters."""
    d, family = term.d, term.family.name
    with np.errstate(all="ignore"):
        if family == "Normal":
            return np.concatenate([packed[..., :d], 1 / packed[..., d : 2 * d]], axis=-1), None
        if family == "MvNormal":
            inverse = np.zeros((*packed.shape[:-1], d, d))
            rows, columns = np.tril_indices(d)
            inverse[..., rows, columns] = packed[..., d:-1]
            factor = np.tril(np.linalg.inv(inverse))
            sd = np.sqrt(np.square(factor).sum(axis=-1))
            return np.concatenate([packed[..., :d], sd], axis=-1), factor / sd[..., None]
        if family == "Exponential":
            return -packed[..., :d], None
        return np.exp(packed if family == "Categorical" else packed[..., :d]), None


@dataclass(frozen=True, eq=False)
class Probes:
    """Points and what the model is there.

    Attributes
    ----------
    theta
        Flat constrained θ, (point, place).
    log_w, packed
        What the pass takes, (point, component[, parameter]).
    log_prior
        Sum of the log-densities of all parameters, (point,), by PyMC.
    """

    theta: NDArray
    log_w: NDArray
    packed: NDArray
    log_prior: NDArray

    @classmethod
    def make(
        cls, derivation: Derivation, recognised: Recognised, prior: dict, vectors: dict,
        factors: dict,
    ) -> "Probes":  # fmt: skip
        """Evaluate the model at points far apart."""
        rng = np.random.default_rng(20261125)
        size = sum(int(np.prod(derivation.shapes[n])) for n in derivation.parameters)
        theta = np.zeros((POINTS, size))
        for place, (code, a, b) in prior.items():
            where = priors.coordinate.py_func(code)
            far = rng.uniform(-1, 1, POINTS) * np.array([1, 2, 3, 4, 1, 2, 3, 4])
            if where == priors.IDENTITY:
                theta[:, place] = (a if code == priors.NORMAL else 0.0) + b * far
            elif where == priors.LOG:
                theta[:, place] = np.exp(far)
            else:
                low, high = (a, b) if code == priors.UNIFORM else (0.0, 1.0)
                theta[:, place] = low + (high - low) / (1 + np.exp(-far))
        for place, (length, _) in vectors.items():
            theta[:, place : place + length] = rng.dirichlet(np.ones(length), POINTS)
        for place, (d, _) in factors.items():
            rows = np.tril(rng.normal(size=(POINTS, d, d)), -1) + np.eye(d)
            rows /= np.sqrt(np.square(rows).sum(axis=-1, keepdims=True))
            theta[:, place : place + d * d] = rows.reshape(POINTS, -1)
        points = [_by_name(derivation, row) for row in theta]
        packs = [recognised.pack(point) for point in points]
        own = _own_priors(derivation)
        return cls(
            theta, np.array([w for w, _ in packs]), np.array([c for _, c in packs]),
            np.array([own(point) for point in points]),
        )  # fmt: skip

    def refute(self, layout: Any) -> str:
        """What of a layout is not the model's; nothing if all is."""
        from unmix.infer.gibbs import compiled

        unbound, back = compiled.unconstrain(), compiled.prior_and_pack()
        plan = layout.plan
        log_prior = np.zeros(len(self.theta))
        for i, flat in enumerate(self.theta):
            values = np.concatenate([flat, layout.constants])
            log_w, packed = np.zeros(self.log_w.shape[1]), np.zeros(self.packed.shape[1:])
            v = np.zeros(_dimensions(plan))
            unbound(plan, values, v)
            log_prior[i] = back(plan, v, values, log_w, packed) - log_jacobian(plan, flat)
            # Through the coordinates and back: parameters lose a few digits.
            same = np.allclose(values[: len(flat)], flat, rtol=1e-8, atol=1e-10)
            same &= np.allclose(log_w, self.log_w[i], rtol=1e-7, atol=1e-8)
            scale = 1.0 + np.abs(self.packed[i])
            same &= bool((np.abs(packed - self.packed[i]) <= 1e-6 * scale).all())
            if not same:
                return "its parameters do not enter the likelihood as elements of the model do"
        found, own = np.diff(log_prior), np.diff(self.log_prior)
        size = 1.0 + np.abs(self.log_prior[1:]) + np.abs(self.log_prior[:-1])
        if not (np.abs(found - own) <= 10 * ROUNDING * size).all():
            return "the closed form of its prior is not the model's own density"
        return ""


def log_jacobian(plan: Any, flat: NDArray) -> float:
    """Log |∂θ/∂v| of the sweep's coordinates at θ, over free entries, in plain NumPy."""
    total = 0.0
    for (place, code, *_), (a, b) in zip(plan.element, plan.argument, strict=True):
        x, where = flat[place], priors.coordinate.py_func(code)
        if where == priors.LOG:
            total += np.log(x)
        elif where == priors.LOGIT:
            low, high = (a, b) if code == priors.UNIFORM else (0.0, 1.0)
            total += np.log((x - low) * (high - x) / (high - low))
    for begin, length, *_ in plan.simplex:
        total += np.log(flat[begin : begin + length]).sum()
    for begin, _, _, d in plan.corr:
        diagonal = np.diag(flat[begin : begin + d * d].reshape(d, d))
        total += (np.arange(2, d + 2) * np.log(diagonal)).sum()
    return float(total)


def _dimensions(plan: Any) -> int:
    from unmix.infer.gibbs.plan import dimensions

    return dimensions(plan)


def _by_name(derivation: Derivation, flat: NDArray) -> dict[str, NDArray]:
    found, start = {}, 0
    for name in derivation.parameters:
        shape = derivation.shapes[name]
        size = int(np.prod(shape))
        found[name] = flat[start : start + size].reshape(shape)
        start += size
    return found


def _own_priors(derivation: Derivation) -> Callable[[dict[str, NDArray]], float]:
    """Sum of the parameters' log-densities, by PyMC."""
    opened = derivation.opened
    graphs = [opened.terms[n].sum() for n in opened.theta]
    if derivation.data:
        graphs = list(vectorize_graph(graphs, derivation.data))
    own = compile_table(opened.theta.values(), graphs)
    return lambda point: float(sum(own(*(point[n] for n in opened.theta))))
