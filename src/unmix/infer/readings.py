"""θ from the pass's parameters, where each is a free parameter of the model and nothing else.

Then EM needs no θ between its steps: it runs on packed parameters, and θ is read off at the end.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pytensor.scalar.basic import Reciprocal, TrueDiv
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.variable import TensorConstant, TensorVariable

from unmix.derive.bare import bare
from unmix.infer.closed_form import alone, free_indexed, scaled_correlation
from unmix.infer.objective import Objective
from unmix.infer.weight_steps import free_weights
from unmix.onepass.terms import Recognised, Term

Theta = dict[str, NDArray]


@dataclass(frozen=True)
class Reading:
    """Some parameters, read off the packed ones.

    Attributes
    ----------
    names
        Which parameters.
    read
        From packed parameters of one term (component, parameter) to their values.
    """

    names: tuple[str, ...]
    read: Callable[[NDArray], Theta]


@dataclass(frozen=True)
class Readings:
    """All free parameters, read off.

    Attributes
    ----------
    weights
        Name of the free weights, or None where they are known.
    terms
        A reading for each term of the pass.
    """

    weights: str | None
    terms: tuple[tuple[Term, Reading], ...]

    def theta(self, log_w: NDArray, packed: NDArray) -> Theta:
        """Constrained values of the parameters read."""
        theta: Theta = {} if self.weights is None else {self.weights: np.exp(log_w)}
        for term, reading in self.terms:
            theta.update(reading.read(packed[:, term.parameters]))
        return theta


def find_readings(objective: Objective, recognised: Recognised) -> Readings | None:
    """How every free parameter is read off the packed ones; None where one cannot be."""
    if objective.kind != "likelihood":
        return None
    derivation = objective.derivation
    by_name = {rv.name: rv for rv in derivation.model.observed_RVs}
    found: list[tuple[Term, Reading]] = []
    for term in recognised.terms:
        if term.family.about_z:
            continue
        reading = _READERS[term.family.name](objective, by_name[term.name], term)
        if reading is None or not alone(objective, reading.names):
            return None
        found.append((term, reading))
    weights = free_weights(objective)
    if weights is not None and not alone(objective, (weights,)):
        return None
    names = {n for _, reading in found for n in reading.names} | ({weights} - {None})
    if names != set(objective.free):
        return None
    return Readings(weights, tuple(found))


def _shape(objective: Objective, name: str) -> tuple[int, ...]:
    return tuple(objective.derivation.shapes[name])


def _normal(objective: Objective, rv: TensorVariable, term: Term) -> Reading | None:
    mu, sigma = (free_indexed(objective, g) for g in rv.owner.op.dist_params(rv.owner))
    if mu is None or sigma is None or _shape(objective, mu) != _shape(objective, sigma):
        return None
    model, shape, d = objective.derivation.model, _shape(objective, mu), term.d
    if model.rvs_to_transforms.get(model[mu]) is not None:
        return None  # a mean kept positive, say
    if shape not in ((objective.derivation.n_components,), (objective.derivation.n_components, d)):
        return None
    if int(np.prod(shape[1:])) != d:
        return None

    def read(packed: NDArray) -> Theta:
        return {mu: packed[:, :d].reshape(shape), sigma: (1 / packed[:, d : 2 * d]).reshape(shape)}

    return Reading((mu, sigma), read)


def _mvnormal(objective: Objective, rv: TensorVariable, term: Term) -> Reading | None:
    mu_graph, covariance = rv.owner.op.dist_params(rv.owner)[:2]
    mu, names = free_indexed(objective, mu_graph), scaled_correlation(objective, covariance)
    if mu is None or names is None:
        return None
    model, (sigma, corr), d = objective.derivation.model, names, term.d
    if model.rvs_to_transforms.get(model[mu]) is not None:
        return None

    def read(packed: NDArray) -> Theta:
        inverse = np.zeros((len(packed), d, d))
        rows, columns = np.tril_indices(d)
        inverse[:, rows, columns] = packed[:, d:-1]
        factor = np.tril(np.linalg.inv(inverse))
        sd = np.sqrt(np.square(factor).sum(axis=-1))
        return {mu: packed[:, :d].copy(), sigma: sd, corr: factor / sd[:, :, None]}

    return Reading((mu, sigma, corr), read)


def _through(
    transform: Callable[[NDArray, int], NDArray],
) -> Callable[[Objective, TensorVariable, Term], Reading | None]:
    """A family with one parameter, from its packed columns."""

    def reader(objective: Objective, rv: TensorVariable, term: Term) -> Reading | None:
        graph = rv.owner.op.dist_params(rv.owner)[0]
        if term.family.name == "Exponential":
            graph = one_over(graph)
        name = None if graph is None else free_indexed(objective, graph)
        if name is None:
            return None
        shape = _shape(objective, name)
        size = int(np.prod(shape[1:]))
        packed_size = term.d * getattr(term.family, "levels", 1)
        if shape[:1] != (objective.derivation.n_components,) or size != packed_size:
            return None
        return Reading((name,), lambda p: {name: transform(p, term.d).reshape(shape)})

    return reader


def _probabilities(logs: NDArray) -> NDArray[np.float64]:
    """Probabilities from their logs; where a sum came out an ulp above its parts, 1 is the most."""
    return np.minimum(np.exp(logs), 1.0)


def one_over(graph: TensorVariable) -> TensorVariable | None:
    """a, where the graph is 1 / a."""
    graph = bare(graph)
    node = graph.owner
    if node is None or not isinstance(node.op, Elemwise):
        return None
    if isinstance(node.op.scalar_op, Reciprocal):
        return node.inputs[0]
    if isinstance(node.op.scalar_op, TrueDiv):
        top = bare(node.inputs[0])
        if isinstance(top, TensorConstant) and np.all(top.data == 1):
            return node.inputs[1]
    return None


_READERS: dict[str, Callable[[Objective, TensorVariable, Term], Reading | None]] = {
    "Normal": _normal,
    "MvNormal": _mvnormal,
    "Poisson": _through(lambda p, d: np.exp(p[:, :d])),
    "Bernoulli": _through(lambda p, d: _probabilities(p[:, :d])),
    "Categorical": _through(lambda p, d: _probabilities(p)),
    "Exponential": _through(lambda p, d: -p[:, :d]),
}
