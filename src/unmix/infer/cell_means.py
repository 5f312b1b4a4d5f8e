r"""M-steps of columns that are independent given the component, from the cells that are there.

With t_ij 1 where cell j of row i is there and 0 where it is missing,

    Normal                 mu_kj, and sigma_kj² as the mean of (x_ij − mu_kj)² in the same way
    Poisson, Bernoulli     mean_kj = Σ_i r_ik t_ij x_ij / Σ_i r_ik t_ij
    Exponential            rate_kj = Σ_i r_ik t_ij / Σ_i r_ik t_ij x_ij
    Categorical            p_kjl   = Σ_i r_ik t_ij [x_ij = l] / Σ_i r_ik t_ij

The graph must prove it: the parameter is a free one indexed by ``z``, ``a[z]``, or
that with a constant in place of cells that are missing (`models/missing.py`).
"""

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
from unmix.derive.present import NEVER
from unmix.infer.expected import ClosedForm, Step, StepOfSums
from unmix.infer.objective import Objective
from unmix.onepass.kind_sums import KindSums

Theta = dict[str, NDArray]


class Indexed(NamedTuple):
    """``a[z]``, in those cells that are there.

    Attributes
    ----------
    array
        a.
    there
        Which cells are there, as it broadcasts over the parameter; None where all are.
    """

    array: TensorVariable
    there: NDArray[np.bool_] | None


def indexed_by_z(objective: Objective, graph: TensorVariable) -> Indexed | None:
    """``a`` where the graph is ``a[z]``, or that with a constant where cells are missing."""
    graph, there = bare(graph), None
    node = graph.owner
    if node is not None and _is(node.op, Switch):
        condition, graph, certain = node.inputs
        if not all(isinstance(bare(v), Constant) for v in (condition, certain)):
            return None
        there, graph = np.asarray(condition.eval(), dtype=bool), bare(graph)
        node = graph.owner
    if node is None or not isinstance(node.op, AdvancedSubtensor) or len(node.inputs) != 2:
        return None
    array, index = node.inputs
    return Indexed(array, there) if index is objective.derivation.latent.rv else None


def mean_step(objective: Objective, rv: TensorVariable, x: NDArray) -> ClosedForm | None:
    """The parameter of an observed variable of such a family and its M-step, or None.

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
    there = _there(found, x, own=int(is_level))
    if there is None:
        return None
    if is_level:
        return ClosedForm((name,), *_shares(name, rv.name, x, there, shape[-1]))

    def means(theta: Theta, n: NDArray, total: NDArray) -> Theta:
        above, below = (n, total) if is_rate else (total, n)
        old = np.array(theta[name], float)
        # A component none of whose rows has the cell keeps what it has.
        new = np.divide(above, below, out=old.reshape(n.shape), where=n > 0)
        return {name: new.reshape(old.shape)}

    def step(theta: Theta, r: NDArray) -> Theta:
        return means(theta, r.T @ there, r.T @ (x.reshape(there.shape) * there))

    def of_sums(theta: Theta, sums: KindSums) -> Theta:
        n, total = sums.of(rv.name)
        here = sums.examples(there)
        return means(theta, n.T @ here, (total * here[:, None]).sum(axis=0))

    return ClosedForm((name,), step, of_sums)


def normal_step(objective: Objective, rv: TensorVariable, x: NDArray) -> ClosedForm | None:
    """The same for normals of which cells are missing, where both parameters are indexed so."""
    mean, scale = (indexed_by_z(objective, g) for g in rv.owner.op.dist_params(rv.owner))
    if mean is None or scale is None or mean.there is None or scale.there is None:
        return None
    names, shapes = (mean.array.name, scale.array.name), objective.derivation.shapes
    model = objective.derivation.model
    if not set(names) <= set(objective.free) or any(shapes[n][1:] != x.shape[1:] for n in names):
        return None
    unrestricted = model.rvs_to_transforms.get(mean.array) is None
    if not (unrestricted and np.array_equal(mean.there, scale.there)):
        return None
    there = _there(mean, x)
    if there is None:
        return None
    rows = x.reshape(there.shape)

    def moved(theta: Theta, n: NDArray, mean: NDArray, variance: NDArray) -> Theta:
        mu, sigma = (np.asarray(theta[name], float).reshape(n.shape) for name in names)
        new = np.where(n > 0, mean, mu), np.where(n > 0, np.sqrt(variance), sigma)
        return {name: v.reshape(theta[name].shape) for name, v in zip(names, new, strict=True)}

    def step(theta: Theta, r: NDArray) -> Theta:
        n = r.T @ there
        mu = r.T @ (rows * there) / n
        squares = [r[:, k] @ (there * np.square(rows - mu[k])) for k in range(len(mu))]
        return moved(theta, n, mu, np.stack(squares) / n)

    def of_sums(theta: Theta, sums: KindSums) -> Theta:
        return moved(theta, *of_features(sums, rv.name, there))

    return ClosedForm(names, step, of_sums)


def of_features(
    sums: KindSums, name: str, there: NDArray | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Counts, means and variances of independent normal features, (component, feature) each.

    Parameters
    ----------
    there
        1 where a cell is there and 0 where it is missing, (obs, feature); None where all are.
    """
    n, about, first, second = sums.moments(name)
    here = np.ones(about.shape[::2]) if there is None else sums.examples(there)
    n = n[:, :, None] * here[:, None]
    total = n.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (n * about + here[:, None] * first).sum(axis=0) / total
        apart = mean - about
        squares = second - 2 * apart * first + n * np.square(apart)
        variance = (here[:, None] * squares).sum(axis=0) / total
    return total, mean, variance


def _there(found: Indexed, x: NDArray, own: int = 0) -> NDArray[np.float64] | None:
    """1 where a cell is there and 0 where it is missing, (obs, column).

    None where a cell's own ``own`` last dims are partly there.
    """
    there = np.ones((1,) * (x.ndim + own)) if found.there is None else found.there
    if own and there.shape[-1:] not in ((), (1,)):
        return None
    there = there[..., 0] if own and there.ndim else there
    return np.broadcast_to(there.astype(float), x.shape).reshape(len(x), -1)


def _shares(
    name: str, variable: str, x: NDArray, there: NDArray, levels: int
) -> tuple[Step, StepOfSums]:
    held = [there * (x.reshape(there.shape) == level) for level in range(levels)]

    def shares(theta: Theta, n: NDArray, counts: NDArray) -> Theta:
        old = np.array(theta[name], float)
        some = np.broadcast_to(n[..., None] > 0, counts.shape)
        p = np.divide(counts, n[..., None], out=old.reshape(counts.shape), where=some)
        return {name: np.maximum(p, NEVER).reshape(old.shape)}

    def step(theta: Theta, r: NDArray) -> Theta:
        return shares(theta, r.T @ there, np.stack([r.T @ one for one in held], axis=-1))

    def of_sums(theta: Theta, sums: KindSums) -> Theta:
        n, counts = sums.of(variable)
        here = sums.examples(there)
        counts = counts.reshape(*n.shape, -1, levels) * here[:, None, :, None]
        return shares(theta, n.T @ here, counts.sum(axis=0))

    return step, of_sums


def _is(op: Any, scalar: type) -> bool:
    return isinstance(op, Elemwise) and isinstance(op.scalar_op, scalar)


FAMILIES = (PoissonRV, BernoulliRV, ExponentialRV, CategoricalRV)
