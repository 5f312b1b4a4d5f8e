"""When the pass applies, read off the derived graph; and if not, why not.

An observed variable qualifies when its family is one the pass knows and its parameters, once ``z``
is replaced by all K values, no longer depend on the row. How θ becomes those parameters is the
model's own graph, so any parametrisation and any prior over it will do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
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
from pytensor.tensor.type import TensorType

from unmix.derive.bare import bare
from unmix.derive.compiling import compile_table
from unmix.derive.follow import in_step
from unmix.onepass.families import FAMILIES, Family
from unmix.onepass.families.categorical import Categorical
from unmix.onepass.variant import Families

Graph = Any
Derivation = Any  # unmix.derive.Derivation, which holds what is made here


class NotRecognised(Exception):
    """Why a model takes the general road; a phrase for a person."""


@dataclass(frozen=True)
class Term:
    """One observed variable of the pass.

    Attributes
    ----------
    name
        Of the observed variable.
    family
        Its family.
    d
        Number of columns.
    column, parameter, statistic
        Where its columns, parameters and statistics begin.
    """

    name: str
    family: Family
    d: int
    column: int
    parameter: int
    statistic: int

    @property
    def parameters(self) -> slice:
        """Its part of a component's packed parameters."""
        return slice(self.parameter, self.parameter + self.family.n_parameters(self.d))

    @property
    def statistics(self) -> slice:
        """Its part of a component's statistics."""
        return slice(self.statistic, self.statistic + self.family.n_statistics(self.d))

    @property
    def columns(self) -> slice:
        """Its rows of the data matrix."""
        return slice(self.column, self.column + self.d)


@dataclass(frozen=True, eq=False)
class Recognised:
    """A model whose data the pass can sum up.

    Attributes
    ----------
    derivation
        The derived model.
    terms
        The observed variables that share ``z``.
    log_w, packed
        Graphs of constrained θ: log-weights (component,), parameters (component, parameter).
    """

    derivation: Derivation
    terms: tuple[Term, ...]
    log_w: Graph
    packed: Graph

    @cached_property
    def table(self) -> NDArray[np.int64]:
        """The terms as the kernel reads them."""
        return np.array(
            [
                [
                    t.family.code, t.column, t.d,
                    t.parameter, t.family.n_parameters(t.d),
                    t.statistic, t.family.n_statistics(t.d),
                ]
                for t in self.terms
            ],
            dtype=np.int64,
        )  # fmt: skip

    @cached_property
    def families(self) -> Families:
        """Which families the terms are of, for the compiler."""
        return Families(tuple(sorted({t.family.code for t in self.terms})))

    @property
    def n_statistics(self) -> int:
        """Length of one component's statistics."""
        last = self.terms[-1]
        return last.statistic + last.family.n_statistics(last.d)

    @cached_property
    def _pack(self) -> Callable[..., Any]:
        theta = self.derivation.opened.theta
        inputs = [theta[name] for name in self.derivation.touched]
        return compile_table(inputs, [self.log_w, self.packed])

    @cached_property
    def _pack_stack(self) -> Callable[..., Any]:
        theta = self.derivation.opened.theta
        inputs = [theta[name] for name in self.derivation.touched]
        stacked = [TensorType(v.type.dtype, (None, *v.type.shape))(v.name) for v in inputs]
        graphs = vectorize_graph([self.log_w, self.packed], dict(zip(inputs, stacked, strict=True)))
        return compile_table(stacked, graphs)

    def pack(self, theta: Any) -> tuple[NDArray, NDArray]:
        """Log-weights (component,) and packed parameters (component, parameter) at one θ."""
        with np.errstate(divide="ignore", invalid="ignore"):
            log_w, packed = self._pack(*(theta[name] for name in self.derivation.touched))
        return np.array(log_w, dtype=float), np.array(packed, dtype=float)

    def pack_stack(self, theta: Any) -> tuple[NDArray, NDArray]:
        """The same for draws: (sample, component) and (sample, component, parameter)."""
        values = [np.asarray(theta[name]) for name in self.derivation.touched]
        samples = len(values[0]) if values else 1
        with np.errstate(divide="ignore", invalid="ignore"):
            log_w, packed = self._pack_stack(*values)
        k = self.derivation.n_components
        return (
            np.ascontiguousarray(np.broadcast_to(log_w, (samples, k)), dtype=float),
            np.ascontiguousarray(
                np.broadcast_to(packed, (samples, *np.shape(packed)[-2:])), dtype=float
            ),
        )

    def sums_to_one(self, log_w: NDArray, packed: NDArray) -> bool:
        """Whether weights, and levels' probabilities, sum to one at every draw."""
        sums = [np.exp(log_w).sum(axis=-1)]
        for t in self.terms:
            if isinstance(t.family, Categorical):
                p = np.exp(packed[..., t.parameters])
                sums.append(p.reshape(*p.shape[:-1], t.d, -1).sum(axis=-1).ravel())
        return all(bool(np.all(np.abs(s - 1.0) <= 1e-6)) for s in sums)

    def expected(self, packed: Graph, n: Graph, statistics: Graph, centre: Graph) -> Graph:
        """Σ_ik r_ik log p(x_i | z_i = k) from statistics, a scalar graph of packed parameters."""
        total = pt.zeros(())
        for t in self.terms:
            total = (
                total
                + t.family.expected(
                    packed[:, t.parameters], n, statistics[:, t.statistics],
                    centre[:, t.parameters], t.d,
                ).sum()
            )  # fmt: skip
        return total

    def values(self, term: Term) -> NDArray[np.float64]:
        """Observed values of a term, (obs, d)."""
        opened = self.derivation.opened
        x = np.asarray(self.derivation.data[opened.observed[term.name]].data)
        return x.reshape(self.derivation.n_obs, term.d)


def recognise(derivation: Derivation) -> Recognised:
    """Read the pass off a derived model.

    Raises
    ------
    NotRecognised
        With the reason.
    """
    opened, table = derivation.opened, derivation.table
    model, k = derivation.model, derivation.n_components
    if table.log_prior.type.shape[-1] != 1:
        raise NotRecognised(f"the weights of {opened.latent.name!r} depend on the row")
    by_name = {rv.name: rv for rv in model.basic_RVs}
    terms: list[Term] = []
    packed: list[Graph] = []
    at = [0, 0, 0]
    for name in opened.assignment_terms:
        if name not in opened.observed:
            kind = "a potential" if name not in by_name else "a further latent"
            raise NotRecognised(f"{name!r} is {kind} that depends on {opened.latent.name!r}")
        rv = by_name[name]
        family = _family(rv, name)
        if not in_step(table.index[name], table.z_shape):
            raise NotRecognised(f"rows of {name!r} do not follow {opened.latent.name!r} one by one")
        x = np.asarray(derivation.data[opened.observed[name]].data)
        d = x.size // derivation.n_obs
        if family.event and d != x.shape[-1]:
            raise NotRecognised(f"{name!r} has several vectors a row")
        graphs = _parameters(derivation, rv, name, family, x.shape)
        if isinstance(family, Categorical):
            family = family.with_levels(
                int(graphs[0].type.shape[-1] or _length(derivation, graphs[0]))
            )
        try:
            family.columns(x.reshape(derivation.n_obs, d))
        except ValueError as error:
            raise NotRecognised(f"{name!r} holds {error}") from None
        term = Term(name, family, d, *at)
        at = [at[0] + d, at[1] + family.n_parameters(d), at[2] + family.n_statistics(d)]
        terms.append(term)
        packed.append(family.pack(graphs, k, d))
    log_w = pt.specify_shape(table.log_prior[:, 0], (k,))
    return Recognised(derivation, tuple(terms), log_w, pt.concatenate(packed, axis=1))


def _family(rv: Graph, name: str) -> Family:
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
    values = {**opened.theta, **opened.observed, opened.latent.name: opened.z}
    rvs_to_values = {rv: values[rv.name] for rv in derivation.model.basic_RVs}
    graphs = [bare(g) for g in rv.owner.op.dist_params(rv.owner)[: len(family.own)]]
    lower = _lower_factor(graphs[1]) if family.name == "MvNormal" else None
    if lower is not None:
        graphs[1] = lower
    graphs = replace_rvs_by_values(graphs, rvs_to_values=rvs_to_values)
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
