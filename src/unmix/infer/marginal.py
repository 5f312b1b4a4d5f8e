r"""The declared model with ``z`` summed out, in unconstrained coordinates, for gradient samplers.

    log p(x, u) = Σ_i log Σ_k p(z_i = k, x_i | θ(u)) + log p(θ(u)) + log |∂θ/∂u|

Built from the same derived table as everything else: a model with one flat variable for every
unconstrained value, this density as its potential, and θ as deterministics. Nothing of the user's
model is copied or rewritten, so nothing in it (initial values, deterministics downstream of ``z``)
can stand in the way.
"""

from dataclasses import dataclass

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.graph.replace import clone_replace, vectorize_graph
from pytensor.graph.traversal import ancestors
from pytensor.tensor.variable import TensorVariable

from unmix.derive import Derivation

SUFFIX = "_unconstrained"


@dataclass(frozen=True)
class Marginal:
    """A model without ``z``.

    Attributes
    ----------
    model
        Flat variables ``name_unconstrained``, deterministics with the user's names.
    names
        Deterministics to keep: θ, and the user's deterministics that do not depend on ``z``.
    order
        Parameters in the order of the flat vector.
    left_out
        The user's deterministics that depend on ``z``; they need drawn assignments.
    """

    model: pm.Model
    names: tuple[str, ...]
    order: tuple[str, ...]
    left_out: tuple[str, ...]


def log_marginal_density(derivation: Derivation) -> TensorVariable:
    """Σ_i log Σ_k p(z_i = k, x_i | θ) plus every term without ``z``, a graph of constrained θ."""
    opened, table = derivation.opened, derivation.table
    mixed = {*opened.assignment_terms, opened.latent.name}
    others = [term for name, term in opened.terms.items() if name not in mixed]
    if others and derivation.data:
        others = vectorize_graph(others, derivation.data)
    joint = table.log_prior + table.log_likelihood
    total = pt.logsumexp(joint, axis=0).sum()
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


def build_marginal(derivation: Derivation) -> Marginal:
    """Sum ``z`` out of a derived model."""
    opened, space = derivation.opened, derivation.space
    constrained = dict(zip(opened.theta, space.constrained_graphs.values(), strict=True))
    density = clone_replace(
        log_marginal_density(derivation),
        {opened.theta[n]: pt.specify_shape(g, opened.theta[n].type.shape)
         for n, g in constrained.items()},
        rebuild_strict=False,
    )  # fmt: skip
    density = density + log_jacobian(derivation)
    derived, left_out = _deterministics(derivation)
    coords = {k: v for k, v in derivation.model.coords.items() if v is not None}
    with pm.Model(coords=coords) as model:
        flat = {
            space.unconstrained[name]: pm.Flat(
                f"{name}{SUFFIX}", shape=np.shape(space.initial[name])
            )
            for name in opened.theta
        }
        graphs = vectorize_graph([density, *constrained.values(), *derived.values()], flat)
        pm.Potential("log_density", graphs[0])
        for (name, _), graph in zip(constrained.items(), graphs[1:], strict=False):
            pm.Deterministic(name, graph, dims=_dims(derivation, name))
        for name, graph in zip(derived, graphs[1 + len(constrained) :], strict=True):
            pm.Deterministic(name, graph, dims=_dims(derivation, name))
    return Marginal(model, (*constrained, *derived), tuple(opened.theta), left_out)


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
