r"""M-steps of columns that are independent given the component, from the cells that are there.

With t_ij 1 where cell j of row i is there and 0 where it is missing,

    Normal                 mu_kj, and sigma_kj² as the mean of (x_ij − mu_kj)² in the same way
    Poisson, Bernoulli     mean_kj = Σ_i r_ik t_ij x_ij / Σ_i r_ik t_ij
    Exponential            rate_kj = Σ_i r_ik t_ij / Σ_i r_ik t_ij x_ij
    Categorical            p_kjl   = Σ_i r_ik t_ij [x_ij = l] / Σ_i r_ik t_ij

The graph must prove it: the parameter is a free one indexed by ``z``, ``a[z]``, or
that with a constant in place of cells that are missing (`models/missing.py`).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pytensor.graph.basic import Constant
from pytensor.scalar.basic import Reciprocal, Switch
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.random.basic import BernoulliRV, CategoricalRV, ExponentialRV, PoissonRV
from pytensor.tensor.subtensor import AdvancedSubtensor
from pytensor.tensor.variable import TensorVariable

from unmix.derive.bare import bare
from unmix.infer.objective import Objective

Theta = dict[str, NDArray]
Step = Callable[[Theta, NDArray], Theta]
# Shares of 0 have no logarithm; ones that are this small change no other number.
LEAST = 1e-300


class Indexed(NamedTuple):
    """``a[z]``, in those cells that are there.

    Attributes
    ----------
    array
        a.
    there
        Which cells are there, in the shape of the variable or of one of its columns; None where
        all are.
    """

    array: TensorVariable
    there: NDArray[np.bool_] | None


def indexed_by_z(objective: Objective, graph: TensorVariable) -> Indexed | None:
    """``a`` where the graph is ``a[z]``, or that with a constant where cells are missing."""
    graph, there = bare(graph), None
    node = graph.owner
    if node is not None and _is(node.op, Switch):
        condition, graph, certain = (bare(v) for v in node.inputs)
        if not (isinstance(condition, Constant) and isinstance(certain, Constant)):
            return None
        there = np.asarray(condition.data, dtype=bool)
        node = graph.owner
    if node is None or not isinstance(node.op, AdvancedSubtensor) or len(node.inputs) != 2:
        return None
    array, index = node.inputs
    return Indexed(array, there) if index is objective.derivation.latent.rv else None


def mean_step(
    objective: Objective, rv: TensorVariable, x: NDArray
) -> tuple[tuple[str, ...], Step] | None:
    """The parameter of an observed variable of such a family, and its M-step; None for others.

    Parameters
    ----------
    x
        Its values, (obs, …).
    """
    if not isinstance(rv.owner.op, FAMILIES):
        return None
    (graph,) = rv.owner.op.dist_params(rv.owner)
    is_rate = isinstance(rv.owner.op, ExponentialRV)
    if is_rate:  # PyMC hands over its inverse
        graph = bare(graph)
        if graph.owner is None or not _is(graph.owner.op, Reciprocal):
            return None
        graph = graph.owner.inputs[0]
    found = indexed_by_z(objective, graph)
    if found is None or found.array.name not in objective.free:
        return None
    name, shape = found.array.name, objective.derivation.shapes[found.array.name]
    is_level = isinstance(rv.owner.op, CategoricalRV)
    if shape[1 : -1 if is_level else None] != x.shape[1:]:
        return None
    there = np.ones(x.shape) if found.there is None else found.there.astype(float)
    there = there.reshape(x.shape)
    if is_level:
        return (name,), _shares(name, x, there, shape[-1])

    def step(theta: Theta, r: NDArray) -> Theta:
        n, total = r.T @ there, r.T @ (x * there)
        above, below = (n, total) if is_rate else (total, n)
        # A component none of whose rows has the cell keeps what it has.
        return {name: np.divide(above, below, out=np.array(theta[name], float), where=n > 0)}

    return (name,), step


def normal_step(
    objective: Objective, mu_graph: TensorVariable, sigma_graph: TensorVariable, x: NDArray
) -> tuple[tuple[str, ...], Step] | None:
    """The same for normals of which cells are missing, where both parameters are indexed so."""
    mean, scale = (indexed_by_z(objective, graph) for graph in (mu_graph, sigma_graph))
    if mean is None or scale is None or mean.there is None or scale.there is None:
        return None
    names, shapes = (mean.array.name, scale.array.name), objective.derivation.shapes
    model = objective.derivation.model
    if not set(names) <= set(objective.free) or any(shapes[n][1:] != x.shape[1:] for n in names):
        return None
    unrestricted = model.rvs_to_transforms.get(mean.array) is None
    if not (unrestricted and np.array_equal(mean.there, scale.there)):
        return None
    there = mean.there.astype(float).reshape(x.shape)

    def step(theta: Theta, r: NDArray) -> Theta:
        n = r.T @ there
        mu, sigma = (np.array(theta[name], float) for name in names)
        mu = np.divide(r.T @ (x * there), n, out=mu, where=n > 0)
        squares = np.stack([r[:, k] @ (there * np.square(x - mu[k])) for k in range(len(mu))])
        variance = np.divide(squares, n, out=np.square(sigma), where=n > 0)
        return {names[0]: mu, names[1]: np.sqrt(variance)}

    return names, step


def _shares(name: str, x: NDArray, there: NDArray, levels: int) -> Step:
    held = [there * (x == level) for level in range(levels)]

    def step(theta: Theta, r: NDArray) -> Theta:
        n = (r.T @ there)[..., None]
        counts = np.stack([r.T @ one for one in held], axis=-1)
        old = np.array(theta[name], float)
        p = np.divide(counts, n, out=old, where=np.broadcast_to(n > 0, counts.shape))
        return {name: np.maximum(p, LEAST)}

    return step


def _is(op: Any, scalar: type) -> bool:
    return isinstance(op, Elemwise) and isinstance(op.scalar_op, scalar)


FAMILIES = (PoissonRV, BernoulliRV, ExponentialRV, CategoricalRV)
