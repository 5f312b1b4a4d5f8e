"""When the pass applies, read off the derived graph; and if not, why not.

An observed variable qualifies when its family is one the pass knows and its parameters, once ``z``
is replaced by all K values, no longer depend on the row. How θ becomes those parameters is the
model's own graph, so any parametrisation and any prior over it will do.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pymc.logprob.utils import replace_rvs_by_values
from pytensor.graph.replace import vectorize_graph
from pytensor.graph.traversal import ancestors
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.elemwise import DimShuffle
from pytensor.tensor.linalg import cholesky
from pytensor.tensor.math import Dot

from unmix.derive.bare import bare
from unmix.derive.compiling import compile_table
from unmix.derive.follow import in_step
from unmix.onepass.families import FAMILIES, Family
from unmix.onepass.families.categorical import Categorical
from unmix.onepass.families.labels import Labels
from unmix.onepass.terms import Recognised, Term

Graph = Any
Derivation = Any  # unmix.derive.Derivation, which holds what is made here


class NotRecognised(Exception):
    """Why a model takes the general road; a phrase for a person."""


def recognise(derivation: Derivation) -> Recognised:
    """Read the pass off a derived model.

    Raises
    ------
    NotRecognised
        With the reason.
    """
    opened, table = derivation.opened, derivation.table
    k = derivation.n_components
    if table.log_prior.type.shape[-1] != 1:
        raise NotRecognised(f"the weights of {opened.latent.name!r} depend on the row")
    terms: list[Term] = []
    packed: list[Graph] = []
    at = [0, 0, 0]
    known = opened.label_terms
    for name in opened.assignment_terms:
        if name in known:
            continue
        rv, family, x = observed_rows(derivation, name)
        d = x.size // derivation.n_obs
        graphs = _parameters(derivation, rv, name, family, x.shape)
        if isinstance(family, Categorical):
            family = family.with_levels(
                int(graphs[0].type.shape[-1] or _length(derivation, graphs[0]))
            )
        require_taken(name, family, x.reshape(derivation.n_obs, d))
        term = Term(name, family, d, *at)
        at = [at[0] + d, at[1] + family.n_parameters(d), at[2] + family.n_statistics(d)]
        terms.append(term)
        packed.append(family.pack(graphs, k, d))
    if known and terms:
        term, own, _ = labels_term(derivation, at)
        terms.append(term)
        packed.append(own)
    log_w = pt.specify_shape(table.log_prior[:, 0], (k,))
    return Recognised(derivation, tuple(terms), log_w, pt.concatenate(packed, axis=1))


def labels_term(derivation: Derivation, at: Sequence[int]) -> tuple[Term, Graph, NDArray]:
    """Labels as the last term, their parameters (component, 2) and their columns (obs, d).

    Parameters
    ----------
    at
        Where its columns, parameters and statistics begin.
    """
    labels = Labels.of(derivation.known)
    d = labels.values.shape[1]
    term = Term(derivation.opened.label_terms[0], labels, d, *at)
    return term, labels.pack([], derivation.n_components, d), labels.values


def observed_rows(derivation: Derivation, name: str) -> tuple[Graph, Family, NDArray]:
    """An observed variable whose rows follow ``z`` one by one: itself, its family, its values.

    Raises
    ------
    NotRecognised
        With the reason.
    """
    opened, table = derivation.opened, derivation.table
    by_name = {rv.name: rv for rv in derivation.model.basic_RVs}
    if name not in opened.observed:
        kind = "a potential" if name not in by_name else "a further latent"
        raise NotRecognised(f"{name!r} is {kind} that depends on {opened.latent.name!r}")
    rv = by_name[name]
    family = family_of(rv, name)
    if not in_step(table.index[name], table.z_shape):
        raise NotRecognised(f"rows of {name!r} do not follow {opened.latent.name!r} one by one")
    x = np.asarray(derivation.data[opened.observed[name]].data)
    if family.event and x.size // derivation.n_obs != x.shape[-1]:
        raise NotRecognised(f"{name!r} has several vectors a row")
    return rv, family, x


def require_taken(name: str, family: Family, rows: NDArray) -> None:
    """Refuse values (obs, d) that the family's loops do not take."""
    try:
        family.columns(rows)
    except ValueError as error:
        raise NotRecognised(f"{name!r} holds {error}") from None


def arguments_of(rv: Graph, family: Family) -> list[Graph]:
    """The distribution's parameters, over the model's random variables."""
    return [bare(g) for g in rv.owner.op.dist_params(rv.owner)[: len(family.own)]]


def over_values(derivation: Derivation, graphs: list[Graph]) -> list[Graph]:
    """Graphs over the model's random variables as graphs of θ and ``z``."""
    opened = derivation.opened
    values = {**opened.theta, **opened.observed, opened.latent.name: opened.z}
    found: list[Graph] = replace_rvs_by_values(
        graphs, rvs_to_values={rv: values[rv.name] for rv in derivation.model.basic_RVs}
    )
    return found


def family_of(rv: Graph, name: str) -> Family:
    """The family of an observed variable, or `NotRecognised`."""
    for family in FAMILIES:
        if rv.owner is not None and isinstance(rv.owner.op, family.op):
            return family
    what = type(rv.owner.op).__name__.removesuffix("RV") if rv.owner is not None else "unknown"
    raise NotRecognised(f"{name!r} is {what}, which is no family of the pass")


def _parameters(
    derivation: Derivation, rv: Graph, name: str, family: Family, shape: tuple[int, ...]
) -> list[Graph]:
    """The distribution's parameters as graphs of θ, (K or 1, columns or 1, …)."""
    opened, z_ndim = derivation.opened, len(derivation.table.z_shape)
    graphs = arguments_of(rv, family)
    lower = _lower_factor(graphs[1]) if family.name == "MvNormal" else None
    if lower is not None:
        graphs[1] = lower
    graphs = over_values(derivation, graphs)
    every = np.arange(derivation.n_components).reshape((-1,) + (1,) * z_ndim)
    z_every = pt.constant(every.astype(opened.z.type.dtype))
    try:
        expanded = vectorize_graph(graphs, {opened.z: z_every, **derivation.data})
        theta = derivation.space.jittered(np.random.default_rng(3))
        inputs = list(opened.theta.values())
        found = compile_table(inputs, expanded)(*(theta[n] for n in opened.theta))
    except (ValueError, TypeError, IndexError, AssertionError) as error:
        raise NotRecognised(f"the parameters of {name!r} depend on the row") from error
    if lower is not None and not _is_lower(found[1]):
        raise NotRecognised(f"the factor of the covariance of {name!r} is not lower triangular")
    if family.name == "MvNormal" and lower is None:
        expanded[1] = cholesky(expanded[1])
    aligned = []
    for graph, value, own, original in zip(expanded, found, family.own, graphs, strict=True):
        follows = opened.z in set(ancestors([original]))
        lead = value.ndim - own - int(follows)  # dims that the parameter shares with the rows
        of_rows = max(0, lead - (len(shape) - z_ndim - family.event))
        start = int(follows)
        if any(length != 1 for length in value.shape[start : start + of_rows]):
            raise NotRecognised(f"the parameters of {name!r} depend on the row")
        rest = value.shape[start + of_rows : value.ndim - own]
        wide = int(np.prod(rest)) if rest else 1
        features = shape[z_ndim : len(shape) - family.event]
        if wide != 1 and rest != features:
            graph = pt.broadcast_to(graph, (*value.shape[: start + of_rows], *features,
                                            *value.shape[value.ndim - own :]))  # fmt: skip
            wide = int(np.prod(features))
        tail = value.shape[value.ndim - own :]
        # Constants of low precision (an integer, a float32) are numbers like any other.
        graph = pt.cast(graph, "float64")
        first = derivation.n_components if follows else 1
        middle = () if family.event else (wide,)
        aligned.append(graph.reshape((first, *middle, *tail)))
    return aligned


def _length(derivation: Derivation, graph: Graph) -> int:
    theta = derivation.space.jittered(np.random.default_rng(3))
    inputs = list(derivation.opened.theta.values())
    value = compile_table(inputs, graph)(*(theta[n] for n in derivation.opened.theta))
    return int(np.shape(value)[-1])


def _lower_factor(covariance: Graph) -> Graph | None:
    """A, where the covariance is written A Aᵀ."""
    node = covariance.owner
    if node is None:
        return None
    op = node.op.core_op if isinstance(node.op, Blockwise) else node.op
    if not isinstance(op, Dot) or len(node.inputs) != 2:
        return None
    left, right = node.inputs
    if right.owner is None or not isinstance(right.owner.op, DimShuffle):
        return None
    order = list(right.owner.op.new_order)
    swapped = [*range(left.ndim - 2), left.ndim - 1, left.ndim - 2]
    return left if right.owner.inputs[0] is left and order == swapped else None


def _is_lower(value: NDArray) -> bool:
    upper = np.triu(np.ones(value.shape[-2:], dtype=bool), 1)
    diagonal = np.diagonal(value, axis1=-2, axis2=-1)
    return not np.any(value[..., upper]) and bool(np.all(diagonal != 0))
