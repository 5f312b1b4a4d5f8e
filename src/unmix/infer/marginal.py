r"""The declared model with ``z`` summed out, in unconstrained coordinates, for gradient samplers.

    log p(x, u) = Σ_i log Σ_k p(z_i = k, x_i | θ(u)) + log p(θ(u)) + log |∂θ/∂u|

A model with one flat vector, this density as its potential, and θ as deterministics. On the fast
road the sum over rows is one compiled pass, gradient included (`unmix.onepass.op`); on the general
one it is the derived table. Nothing of the user's model is copied or rewritten, so nothing in it
(initial values, deterministics downstream of ``z``) can stand in the way.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.graph.replace import clone_replace, vectorize_graph
from pytensor.graph.traversal import ancestors
from pytensor.tensor.variable import TensorVariable

from unmix.derive import Derivation
from unmix.derive.compiling import compile_table
from unmix.infer.whiten import Whitening
from unmix.onepass.op import log_marginal, log_marginal_of_parts

# The one free variable of the model.
FLAT = "position"


@dataclass(frozen=True)
class Marginal:
    """A model without ``z``.

    Attributes
    ----------
    model
        A flat vector ``position``, deterministics with the user's names.
    names
        Deterministics to keep: θ, and the user's deterministics that do not depend on ``z``.
    left_out
        The user's deterministics that depend on ``z``; they need drawn assignments.
    whitening
        What the position is measured in; None for unconstrained values as they are.
    """

    model: pm.Model
    names: tuple[str, ...]
    left_out: tuple[str, ...]
    whitening: Whitening | None

    def position(self, u: NDArray) -> NDArray[np.float64]:
        """The flat vector at unconstrained values."""
        return u if self.whitening is None else self.whitening.whiten(u)


def flatten(derivation: Derivation, point: Mapping[str, NDArray]) -> NDArray[np.float64]:
    """Unconstrained values of all parameters as one vector, in the model's order."""
    return np.concatenate([np.ravel(point[name]) for name in derivation.opened.theta]).astype(float)


def log_marginal_density(derivation: Derivation) -> TensorVariable:
    """Σ_i log Σ_k p(z_i = k, x_i | θ) plus every term without ``z``, a graph of constrained θ."""
    opened, table = derivation.opened, derivation.table
    mixed = {*opened.assignment_terms, opened.latent.name}
    others = [term for name, term in opened.terms.items() if name not in mixed]
    if others and derivation.data:
        others = vectorize_graph(others, derivation.data)
    if derivation.onepass is not None:
        total = log_marginal(derivation.onepass)
    elif derivation.parts is not None:
        total = log_marginal_of_parts(derivation.parts)
    else:
        by_row = pt.logsumexp(table.log_prior + table.log_likelihood, axis=0)
        if derivation.weight is None:
            total = by_row.sum()
        else:
            counted = np.flatnonzero(derivation.weight)
            total = (by_row[counted] * derivation.weight[counted]).sum()
    for term in others:
        total = total + term.sum()
    return total


def log_jacobian(derivation: Derivation) -> TensorVariable:
    """Log |∂θ/∂u| of the model's own transforms, as a graph of its unconstrained values."""
    model, space = derivation.model, derivation.space
    total = pt.zeros(())
    for rv in model.free_RVs:
        transform = model.rvs_to_transforms.get(rv)
        if rv.name not in space.unconstrained or transform is None:
            continue
        graph = transform.log_jac_det(space.unconstrained[rv.name], *rv.owner.inputs)
        total = total + graph.sum()
    (total,) = model.replace_rvs_by_values([total])
    return vectorize_graph(total, derivation.data) if derivation.data else total


def _over_position(
    derivation: Derivation, position: TensorVariable, graphs: list[TensorVariable]
) -> list[TensorVariable]:
    """Graphs of unconstrained values as graphs of one flat vector of them."""
    space = derivation.space
    pieces, start = {}, 0
    for name in derivation.opened.theta:
        value, shape = space.unconstrained[name], np.shape(space.initial[name])
        size = space.sizes[name]
        piece = position[start : start + size].reshape(shape)
        pieces[value] = pt.specify_shape(piece, value.type.shape)
        start += size
    # clone_replace would clone the position too, and with it the model's variable.
    return list(vectorize_graph(graphs, pieces))


def log_density(derivation: Derivation) -> TensorVariable:
    """Log p(x, u), a graph of unconstrained values."""
    opened, space = derivation.opened, derivation.space
    constrained = dict(zip(opened.theta, space.constrained_graphs.values(), strict=True))
    density = clone_replace(
        log_marginal_density(derivation),
        {opened.theta[n]: pt.specify_shape(g, opened.theta[n].type.shape)
         for n, g in constrained.items()},
        rebuild_strict=False,
    )  # fmt: skip
    return density + log_jacobian(derivation)


def compile_log_density(
    derivation: Derivation,
) -> Callable[[NDArray], tuple[float, NDArray]]:
    """Log p(x, u) and its gradient as a function of the flat vector, for a few evaluations."""
    u = pt.vector("u")
    (density,) = _over_position(derivation, u, [log_density(derivation)])
    compiled = compile_table([u], [density, pytensor.grad(density, u)])

    def evaluate(at: NDArray) -> tuple[float, NDArray]:
        value, gradient = compiled(at)
        return float(value), np.asarray(gradient)

    return evaluate


def build_marginal(derivation: Derivation, whitening: Whitening | None = None) -> Marginal:
    """Sum ``z`` out of a derived model."""
    opened, space = derivation.opened, derivation.space
    constrained = dict(zip(opened.theta, space.constrained_graphs.values(), strict=True))
    derived, left_out = _deterministics(derivation)
    size = sum(space.sizes[name] for name in opened.theta)
    coords = {k: v for k, v in derivation.model.coords.items() if v is not None}
    with pm.Model(coords=coords) as model:
        position = pm.Flat(FLAT, shape=size)
        u = position
        if whitening is not None:
            # Shared, so that what is compiled does not depend on their values.
            centre = pytensor.shared(whitening.centre, "centre")
            u = centre + pytensor.shared(whitening.factor, "factor") @ position
        graphs = _over_position(
            derivation, u, [log_density(derivation), *constrained.values(), *derived.values()]
        )
        pm.Potential("log_density", graphs[0])
        for (name, _), graph in zip(constrained.items(), graphs[1:], strict=False):
            pm.Deterministic(name, graph, dims=_dims(derivation, name))
        for name, graph in zip(derived, graphs[1 + len(constrained) :], strict=True):
            pm.Deterministic(name, graph, dims=_dims(derivation, name))
    return Marginal(model, (*constrained, *derived), left_out, whitening)


def _dims(derivation: Derivation, name: str) -> tuple[str, ...] | None:
    dims = derivation.model.named_vars_to_dims.get(name)
    return tuple(dims) if dims and None not in dims else None


def _deterministics(derivation: Derivation) -> tuple[dict[str, TensorVariable], tuple[str, ...]]:
    """The user's deterministics as graphs of unconstrained values; names of those that need z."""
    model = derivation.model
    z_value = model.rvs_to_values[derivation.latent.rv]
    kept, left_out = {}, []
    for variable in model.deterministics:
        (graph,) = model.replace_rvs_by_values([variable])
        if z_value in set(ancestors([graph])):
            left_out.append(variable.name)
        else:
            kept[variable.name] = (
                vectorize_graph(graph, derivation.data) if derivation.data else graph
            )
    return kept, tuple(left_out)
