"""A model as the pass reads it: its terms, and how θ becomes their packed parameters."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.graph.replace import vectorize_graph
from pytensor.tensor.type import TensorType

from unmix.derive.compiling import compile_table
from unmix.onepass.chunks import Chunk, for_kernel
from unmix.onepass.families import Family
from unmix.onepass.families.categorical import Categorical
from unmix.onepass.families.labels import Labels
from unmix.onepass.variant import Families

Graph = Any
Derivation = Any  # unmix.derive.Derivation, which holds what is made here


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
        return (
            for_kernel(_for_each(samples, log_w, self.log_w)),
            for_kernel(_for_each(samples, packed, self.packed)),
        )

    def sums_to_one(self, log_w: NDArray, packed: NDArray) -> bool:
        """Whether weights, and levels' probabilities, sum to one at every draw."""
        sums = [np.exp(log_w).sum(axis=-1)]
        for t in self.terms:
            if isinstance(t.family, Categorical):
                p = np.exp(packed[..., t.parameters])
                sums.append(p.reshape(*p.shape[:-1], t.d, -1).sum(axis=-1).ravel())
        return all(bool(np.all(np.abs(s - 1.0) <= 1e-6)) for s in sums)

    def expected_prior(self, log_w: Graph, n: Graph) -> Graph:
        """Σ_ik r_ik log p(z_i = k) from counts; what counts for nothing adds 0, whatever log w."""
        some = pt.gt(n, 0.0)
        return pt.switch(some, n * pt.switch(some, log_w, 0.0), 0.0).sum()

    def log_bases(self, chunk: Chunk) -> NDArray | None:
        """The part of log p(x_i | k) that no parameter enters, (obs,); None where it is zero."""
        total = None
        for t in self.terms:
            if t.family.has_base:  # else the columns need not be copied
                base = t.family.log_base(chunk.x[t.columns] + chunk.centre[t.columns, None])
                total = base if total is None else total + base
        return total

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

    def on(self, derivation: Derivation) -> "Recognised | None":
        """The same for other rows of the model; None where a family does not hold them.

        Parameters
        ----------
        derivation
            That of the other rows. What was compiled is a function of θ alone, and is shared.
        """
        other = replace(self, derivation=derivation)
        compiled = ("table", "families", "_pack", "_pack_stack")
        other.__dict__.update({n: v for n, v in self.__dict__.items() if n in compiled})
        try:
            for term in self.terms:
                term.family.columns(other.values(term))
        except ValueError:
            return None
        return other

    def values(self, term: Term) -> NDArray[np.float64]:
        """Observed values of a term, (obs, d)."""
        if isinstance(term.family, Labels):
            return term.family.values
        opened = self.derivation.opened
        x = np.asarray(self.derivation.data[opened.observed[term.name]].data)
        return x.reshape(self.derivation.n_obs, term.d)


def _for_each(samples: int, values: NDArray, graph: Graph) -> NDArray:
    """Values of a graph for every sample, also where θ does not enter it."""
    return np.broadcast_to(values, (samples, *np.shape(values)[-graph.type.ndim :]))
