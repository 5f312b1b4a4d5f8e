r"""The pass over rows that are of a few kinds: a part for each kind.

Weights or parameters that change from row to row rule out one pass (`unmix.onepass.recognise`). But
where they take few values (groups that share components, means by group, cells that are missing)
rows of one kind stand side by side and each kind is a pass with its own numbers:

.. math:: \sum_i \log p(x_i \mid θ) = \sum_g \sum_{i \in g} \log \sum_k w_{gk} \, p(x_i \mid θ_{gk})

Each sum of statistics is then a sum over kinds, and Fisher's identity holds for all of them as for
one. How the numbers of the kinds follow from θ is the model's own graph.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.onepass import compiled
from unmix.onepass.chunks import Chunk, for_kernel
from unmix.onepass.terms import Recognised
from unmix.onepass.variant import Families

Graph = Any


@dataclass(frozen=True, eq=False)
class Parts:
    """All rows, those of a kind side by side.

    Attributes
    ----------
    recognised
        The terms, which all rows have; graphs of constrained θ: log-weights (kind, component), and
        parameters (kind, component, parameter), or (1, component, parameter) where these are the
        same for all.
    rows
        Which rows of the model, in the order of the chunk.
    kind
        Kind of each row of the model, (obs,).
    bounds
        Rows ``bounds[g]`` to ``bounds[g + 1]`` of the chunk are of kind g.
    chunk
        The data.
    """

    recognised: Recognised
    rows: NDArray[np.int64]
    kind: NDArray[np.int64]
    bounds: NDArray[np.int64]
    chunk: Chunk

    @property
    def families(self) -> Families:
        """Of the terms, for the compiler."""
        return self.recognised.families

    @property
    def n_kinds(self) -> int:
        """How many kinds of rows there are."""
        return len(self.bounds) - 1

    @property
    def n_components(self) -> int:
        """K."""
        return int(self.recognised.derivation.n_components)

    def __str__(self) -> str:
        families = dict.fromkeys(t.family.name for t in self.recognised.terms)
        return f"{', '.join(families)} given z, for {self.n_kinds} kinds of rows"

    # -- parameters ----------------------------------------------------------------------------

    def pack(self, theta: Any) -> tuple[NDArray, NDArray]:
        """Log-weights and parameters at one θ, as the graphs have them."""
        return self.recognised.pack(theta)

    def _by_kind(self, log_w: NDArray, packed: NDArray) -> Iterator[tuple[slice, NDArray, NDArray]]:
        """Rows of the chunk, log-weights and parameters of each kind."""
        for g in range(self.n_kinds):
            rows = slice(int(self.bounds[g]), int(self.bounds[g + 1]))
            own = packed[g if len(packed) > 1 else 0]
            yield rows, for_kernel(log_w[g]), for_kernel(own)

    # -- Bayes' rule ---------------------------------------------------------------------------

    @cached_property
    def log_base(self) -> NDArray[np.float64] | None:
        """The part of log p(x_i | k) that no parameter enters, (row of the chunk,); or None."""
        return self.recognised.log_bases(self.chunk)

    def joint(self, log_w: NDArray, packed: NDArray) -> NDArray[np.float64]:
        """Log p(z_i = k, x_i | θ), (obs, component)."""
        kernel, table = compiled.joint_rows(self.families), self.recognised.table
        found = np.empty((len(self.rows), self.n_components))
        for rows, w, p in self._by_kind(log_w, packed):
            kernel(table, self.chunk.x, self.chunk.centre, w, p, rows.start, rows.stop, found[rows])
        if self.log_base is not None:
            found += self.log_base[:, None]
        out = np.empty_like(found)
        out[self.rows] = found
        return out

    def joint_stack(self, theta: Any) -> NDArray[np.float64]:
        """The same for draws of θ: (sample, obs, component)."""
        log_w, packed = self.recognised.pack_stack(theta)
        return np.stack([self.joint(log_w[s], packed[s]) for s in range(len(log_w))])

    # -- sums ----------------------------------------------------------------------------------

    def neutral(self) -> NDArray[np.float64]:
        """Parameters to take sums about where no θ is known yet, (1, component, parameter)."""
        x = self.chunk.x + self.chunk.centre[:, None]
        one = np.concatenate([t.family.neutral(x[t.columns]) for t in self.recognised.terms])
        return np.tile(one, (1, self.n_components, 1))

    def given(self, r: NDArray, about: NDArray) -> tuple[NDArray, NDArray]:
        """Sums with responsibilities that are given.

        Parameters
        ----------
        r
            (obs, component), times the rows' weights.
        about
            Parameters that sums are taken about, (kind or 1, component, parameter).

        Returns
        -------
        n
            (kind, component).
        statistics
            (kind or 1, component, statistic), as the parameters are.
        """
        kernel, table = compiled.given_rows(self.families), self.recognised.table
        r = for_kernel(r[self.rows])
        n = np.zeros((self.n_kinds, r.shape[1]))
        statistics = np.zeros((len(about), r.shape[1], self.recognised.n_statistics))
        for g in range(self.n_kinds):
            at, rows = g if len(about) > 1 else 0, np.arange(self.bounds[g], self.bounds[g + 1])
            kernel(
                table, self.chunk.x, self.chunk.centre, r[rows], rows, for_kernel(about[at]), n[g],
                statistics[at],
            )  # fmt: skip
        return n, statistics

    def expected(
        self, log_w: Graph, packed: Graph, n: Graph, statistics: Graph, about: Graph
    ) -> Graph:
        """Σ_ik r_ik log p(z_i = k, x_i | θ), up to base measures, from sums as `given` has them.

        Components of different kinds are so many components more.
        """
        prior = self.recognised.expected_prior(log_w, n)
        if packed.type.shape[0] == 1:
            n = n.sum(axis=0)
        return prior + self.recognised.expected(
            _flat(packed), n.ravel(), _flat(statistics), _flat(about)
        )


def _flat(graph: Graph) -> Graph:
    """(kind, component, …) with both in one dim."""
    return graph.reshape((-1, graph.shape[2]))
