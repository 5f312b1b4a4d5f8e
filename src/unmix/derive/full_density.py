"""The model's full log-density log p(x, z, θ), term by term, as PyMC computes it.

Where rows are proved to stay apart, what depends on ``z`` is taken a window of rows at a time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pytensor.graph.basic import Variable
from pytensor.graph.replace import vectorize_graph
from pytensor.tensor.type import TensorType

from unmix.derive.by_rows import ByRows
from unmix.derive.compiling import compile_table
from unmix.derive.opened import Opened
from unmix.derive.table import TableGraph

Theta = Mapping[str, NDArray]


@dataclass(frozen=True, eq=False)
class FullDensity:
    """The terms of a model's log-density on some rows.

    Attributes
    ----------
    opened, data, table
        The log-density term by term, the frozen data, the table's graph.
    by_rows
        The terms for any rows; None where rows are not proved to stay apart.
    """

    opened: Opened
    data: dict[Variable, Variable]
    table: TableGraph
    by_rows: ByRows | None

    @cached_property
    def _elements(self) -> Callable[..., Any]:
        name = self.opened.latent.name
        z = TensorType(self.opened.z.type.dtype, self.table.z_shape)(name)
        terms = vectorize_graph(list(self.opened.terms.values()), {self.opened.z: z, **self.data})
        return compile_table([*self.opened.theta.values(), z], terms)

    @cached_property
    def _without_z(self) -> tuple[tuple[str, ...], Callable[..., Any]]:
        mixed = {*self.opened.assignment_terms, self.opened.latent.name}
        names = tuple(name for name in self.opened.terms if name not in mixed)
        terms = [self.opened.terms[name] for name in names]
        graphs = vectorize_graph(terms, self.data) if self.data and terms else terms
        return names, compile_table(list(self.opened.theta.values()), graphs)

    def _point(self, theta: Theta) -> list[NDArray]:
        return [np.asarray(theta[n], dtype=v.type.dtype) for n, v in self.opened.theta.items()]

    def elements_without_z(self, theta: Theta) -> dict[str, NDArray]:
        """See `Derivation.elements_without_z`."""
        names, terms = self._without_z
        return dict(zip(names, terms(*self._point(theta)), strict=True))

    def elements(self, theta: Theta, z: NDArray) -> dict[str, NDArray]:
        """See `Derivation.elements`."""
        if self.by_rows is not None:
            found = self.elements_without_z(theta)
            found |= self.by_rows.elements(theta, np.ravel(z), slice(None))
            return {name: found[name] for name in self.opened.terms}
        z = np.asarray(z, dtype=self.opened.z.type.dtype).reshape(self.table.z_shape)
        return dict(zip(self.opened.terms, self._elements(*self._point(theta), z), strict=True))

    def log_density(self, theta: Theta, z: NDArray) -> float:
        """See `Derivation.log_density`."""
        if self.by_rows is None:
            return float(sum(np.sum(v) for v in self.elements(theta, z).values()))
        total = float(sum(np.sum(v) for v in self.elements_without_z(theta).values()))
        z = np.ravel(z)
        for rows in self.by_rows.windows():
            found = self.by_rows.elements(theta, z[rows], rows)
            total += float(sum(np.sum(v) for v in found.values()))
        return total
