"""The parameters of a model whose every conditional is exact, laid out for the sweep.

θ is one flat vector of constrained values. A block is one row of integers: what it is, which term
of the pass it belongs to, where its values begin in θ, where its prior's numbers begin in
``hyper``, the prior's family, and where a second parameter (correlations) begins.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymc.distributions.multivariate import LKJCorrRV
from pytensor.tensor.random.basic import BetaRV, DirichletRV, GammaRV, NormalRV

from unmix.derive import Derivation
from unmix.derive.bare import bare
from unmix.derive.compiling import compile_table
from unmix.infer.closed_form import free_indexed, scaled_correlation
from unmix.infer.exact.priors import POSITIVE, arguments
from unmix.infer.objective import Objective
from unmix.infer.readings import one_over
from unmix.infer.weight_steps import free_weights
from unmix.onepass.terms import Recognised, Term

(WEIGHTS, MEAN, SCALE, SHARED, MV_MEAN, MV_SCALE, RATE, EXPONENTIAL_RATE, CHANCE, LEVELS) = range(
    10
)


class NotExact(Exception):
    """Why some parameter has no conditional in closed form; a phrase for a person."""


@dataclass(frozen=True, eq=False)
class Blocks:
    """All parameters, for the sweep.

    Attributes
    ----------
    table
        One row of six integers for each block, described above.
    hyper
        The priors' numbers.
    names
        Parameters in the order of the flat vector.
    shapes
        Their shapes.
    """

    table: NDArray[np.int64]
    hyper: NDArray[np.float64]
    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]

    @property
    def size(self) -> int:
        """Length of the flat vector."""
        return sum(int(np.prod(shape)) for shape in self.shapes)

    def flatten(self, theta: dict[str, NDArray]) -> NDArray[np.float64]:
        """θ as the flat vector."""
        return np.concatenate([np.ravel(theta[n]) for n in self.names]).astype(float)

    def unflatten(self, flat: NDArray) -> dict[str, NDArray]:
        """Draws (…, length) by name."""
        values, start = {}, 0
        for name, shape in zip(self.names, self.shapes, strict=True):
            size = int(np.prod(shape))
            part = flat[..., start : start + size]
            values[name] = part.reshape((*flat.shape[:-1], *shape))
            start += size
        return values


class _Reader:
    """Reads blocks off a model; raises `NotExact`."""

    def __init__(self, derivation: Derivation) -> None:
        self.derivation = derivation
        self.k = derivation.n_components
        self.objective = Objective(derivation, "likelihood", derivation.parameters, {})
        self.rows: list[list[int]] = []
        self.hyper: list[NDArray] = []
        self.names: list[str] = []
        self.at = {"theta": 0, "hyper": 0}

    def prior(self, name: str) -> Any:
        """The random variable behind a parameter."""
        return self.derivation.model[name]

    def given(self, name: str) -> list[NDArray]:
        """Values of a prior's arguments, each as large as the parameter; they must be constants."""
        rv, opened = self.prior(name), self.derivation.opened
        graphs = rv.owner.op.dist_params(rv.owner)
        from pymc.logprob.utils import replace_rvs_by_values
        from pytensor.graph.replace import vectorize_graph
        from pytensor.graph.traversal import ancestors

        rvs = {r: opened.theta[r.name] for r in self.derivation.model.free_RVs
               if r.name in opened.theta}  # fmt: skip
        graphs = replace_rvs_by_values(graphs, rvs_to_values=rvs)
        if set(opened.theta.values()) & set(ancestors(graphs)):
            raise NotExact(f"the prior of {name!r} has parameters of its own")
        if self.derivation.data:
            graphs = vectorize_graph(graphs, self.derivation.data)
        return [np.asarray(v, dtype=float) for v in compile_table([], graphs)()]

    def whole(self, name: str, allowed: tuple[str, ...]) -> None:
        """Refuse a parameter that its transform keeps in a part of its space."""
        transform = self.derivation.model.rvs_to_transforms.get(self.prior(name))
        kind = "none" if transform is None else type(transform).__name__
        if kind not in allowed:
            raise NotExact(f"{name!r} is held by the transform {kind}")

    def add(self, kind: int, term: int, name: str, family: int, numbers: list[NDArray]) -> None:
        """Enter a block and its parameter."""
        self.rows.append([kind, term, self.at["theta"], self.at["hyper"], family, -1])
        self.enter(name)
        shape = self.derivation.shapes[name]
        for value in numbers:
            full = np.ravel(np.broadcast_to(value, shape))
            self.hyper.append(full)
            self.at["hyper"] += len(full)

    def enter(self, name: str) -> int:
        """Give a parameter its place in θ."""
        if name in self.names:
            raise NotExact(f"{name!r} stands in more than one place")
        begin = self.at["theta"]
        self.names.append(name)
        self.at["theta"] += int(np.prod(self.derivation.shapes[name]))
        return begin

    def indexed(self, graph: Any, what: str) -> str:
        """Name of the free parameter that the graph is, indexed by z."""
        name = free_indexed(self.objective, graph)
        if name is None:
            raise NotExact(f"{what} is not a free parameter indexed by z alone")
        if self.derivation.shapes[name][:1] != (self.k,):
            raise NotExact(f"{name!r} has no component axis in front")
        return name

    def positive(self, name: str) -> tuple[int, list[NDArray]]:
        """Family and numbers of a positive parameter's prior."""
        self.whole(name, ("LogTransform", "IntervalTransform", "Interval"))
        op = self.prior(name).owner.op
        for kind, family in POSITIVE.items():
            if isinstance(op, kind):
                numbers = arguments(family, self.given(name))
                if numbers is not None and (family != 6 or np.all(numbers[0] >= 0)):
                    return family, list(numbers)
        raise NotExact(f"the prior of {name!r} is none that has a closed form here")


def find_blocks(derivation: Derivation) -> Blocks:
    """Lay out every parameter of a model on the fast road.

    Raises
    ------
    NotExact
        With the reason.
    """
    recognised = derivation.recognised
    if not isinstance(recognised, Recognised):
        raise NotExact(recognised)
    reader = _Reader(derivation)
    weights = free_weights(reader.objective)
    if weights is not None:
        op = reader.prior(weights).owner.op
        if not isinstance(op, DirichletRV):
            raise NotExact(f"the prior of {weights!r} is no Dirichlet")
        reader.whole(weights, ("SimplexTransform",))
        reader.add(WEIGHTS, -1, weights, 0, reader.given(weights))
    by_name = {rv.name: rv for rv in derivation.model.observed_RVs}
    for i, term in enumerate(recognised.terms):
        if term.family.about_z:
            continue
        _TERMS[term.family.name](reader, i, term, by_name[term.name])
    left = [n for n in derivation.parameters if n not in reader.names]
    if left:
        raise NotExact(f"{left[0]!r} has no conditional in closed form here")
    used = [n for n in reader.names if n in derivation.parameters]
    other = [
        name for name in derivation.opened.terms
        if name not in derivation.parameters and name not in derivation.opened.assignment_terms
        and name != derivation.latent.name
    ]  # fmt: skip
    if other:
        raise NotExact(f"{other[0]!r} adds to the density")
    return Blocks(
        np.array(reader.rows, dtype=np.int64),
        np.concatenate(reader.hyper),
        tuple(used),
        tuple(tuple(derivation.shapes[n]) for n in used),
    )


def _mean(reader: _Reader, i: int, graph: Any, kind: int, d: int) -> str:
    name = reader.indexed(graph, "the mean")
    reader.whole(name, ("none",))
    if not isinstance(reader.prior(name).owner.op, NormalRV):
        raise NotExact(f"the prior of {name!r} is no Normal")
    if int(np.prod(reader.derivation.shapes[name][1:])) != d:
        raise NotExact(f"{name!r} is shared between features")
    reader.add(kind, i, name, 0, reader.given(name))
    return name


def _normal(reader: _Reader, i: int, term: Term, rv: Any) -> None:
    mu_graph, sigma_graph = rv.owner.op.dist_params(rv.owner)
    mu = _mean(reader, i, mu_graph, MEAN, term.d)
    name = free_indexed(reader.objective, sigma_graph)
    if name is not None:
        if reader.derivation.shapes[name] != reader.derivation.shapes[mu]:
            raise NotExact(f"{name!r} is shared between features")
        reader.add(SCALE, i, name, *reader.positive(name))
        return
    shared = bare(sigma_graph)
    if shared.name in reader.derivation.parameters and shared.ndim == 0:
        reader.add(SHARED, i, shared.name, *reader.positive(shared.name))
        return
    from pytensor.graph.traversal import ancestors

    above = {v.name for v in ancestors([sigma_graph])} & set(reader.derivation.parameters)
    if above:
        raise NotExact(f"the standard deviation is a function of {min(above)!r}")


def _mvnormal(reader: _Reader, i: int, term: Term, rv: Any) -> None:
    mu_graph, covariance = rv.owner.op.dist_params(rv.owner)[:2]
    _mean(reader, i, mu_graph, MV_MEAN, term.d)
    found = scaled_correlation(reader.objective, covariance)
    if found is None:
        raise NotExact("the covariance is not scales times a correlation of their own")
    sigma, corr = found
    op = reader.prior(corr).owner.op
    if not isinstance(op, LKJCorrRV):
        raise NotExact(f"the prior of {corr!r} is no LKJCorr")
    eta = [v for v in reader.given(corr) if v.size == 1][-1]
    reader.add(MV_SCALE, i, sigma, *reader.positive(sigma))
    reader.rows[-1][5] = reader.enter(corr)
    reader.hyper.append(np.ravel(eta)[:1])
    reader.at["hyper"] += 1


def _simple(
    kind: int, rv_kind: type, transform: str, what: str
) -> Callable[[_Reader, int, Term, Any], None]:
    """A family with one parameter and a conjugate prior."""

    def read(reader: _Reader, i: int, term: Term, rv: Any) -> None:
        graph = rv.owner.op.dist_params(rv.owner)[0]
        graph = one_over(graph) if kind == EXPONENTIAL_RATE else graph
        if graph is None:
            raise NotExact(f"{what} is not a free parameter indexed by z alone")
        name = reader.indexed(graph, what)
        reader.whole(name, (transform,))
        if not isinstance(reader.prior(name).owner.op, rv_kind):
            raise NotExact(f"the prior of {name!r} is none that has a closed form here")
        size = term.d * getattr(term.family, "levels", 1)
        if int(np.prod(reader.derivation.shapes[name][1:])) != size:
            raise NotExact(f"{name!r} is shared between columns")
        numbers = reader.given(name)
        if rv_kind is GammaRV:
            numbers = [numbers[0], 1.0 / numbers[1]]
        reader.add(kind, i, name, 0, numbers)

    return read


_TERMS: dict[str, Callable[[_Reader, int, Term, Any], None]] = {
    "Normal": _normal,
    "MvNormal": _mvnormal,
    "Poisson": _simple(RATE, GammaRV, "LogTransform", "the rate"),
    "Exponential": _simple(EXPONENTIAL_RATE, GammaRV, "LogTransform", "the rate"),
    "Bernoulli": _simple(CHANCE, BetaRV, "LogOddsTransform", "the probability"),
    "Categorical": _simple(LEVELS, DirichletRV, "SimplexTransform", "the probability"),
}
