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
import pytensor.tensor as pt
from numpy.typing import NDArray

from unmix.onepass import compiled
from unmix.onepass.chunks import Chunk, for_kernel
from unmix.onepass.kind_sums import KindSums
from unmix.onepass.onepass import MODES, Mode
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

    @cached_property
    def examples(self) -> NDArray[np.int64]:
        """One row of the model of each kind."""
        return self.rows[self.bounds[:-1]]

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

    def run(
        self,
        log_w: NDArray,
        packed: NDArray,
        mode: Mode = "expected",
        *,
        key: int = 0,
        z: NDArray | None = None,
    ) -> KindSums:
        """One serial pass at packed parameters.

        Parameters
        ----------
        mode, key, z
            As `unmix.onepass.onepass.OnePass.run` takes them; z (obs,) is in the model's order.
        """
        chunk, table = self.chunk, self.recognised.table
        drawn = np.empty(0 if z is None else len(z), np.uint8 if z is None else z.dtype)
        log_marginal, n, statistics = pass_by_kind(
            self.families, table, chunk.x, chunk.centre, chunk.weight, self.bounds,
            for_kernel(log_w), for_kernel(packed), (MODES[mode], key, drawn),
        )  # fmt: skip
        if z is not None:
            z[self.rows] = drawn
        return KindSums(self, log_marginal + self.total_base, n, statistics, packed)

    @cached_property
    def total_base(self) -> float:
        """The part of Σ_i log p(x_i | θ) that no parameter enters."""
        if self.log_base is None:
            return 0.0
        weight = self.chunk.weight
        return float(self.log_base @ weight if len(weight) else self.log_base.sum())

    def given(self, r: NDArray, about: NDArray) -> KindSums:
        """Sums with responsibilities that are given.

        Parameters
        ----------
        r
            (obs, component), times the rows' weights.
        about
            Parameters that sums are taken about, (kind or 1, component, parameter); as many as
            the model has.
        """
        kinds = self.recognised.packed.type.shape[0]
        about = np.ascontiguousarray(np.broadcast_to(about, (kinds, *about.shape[1:])))
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
        return KindSums(self, np.nan, n, statistics, about)

    def peaks(self, packed: NDArray) -> NDArray[np.float64]:
        """Largest value that each component's log-density can take, (component,)."""
        total = np.zeros(packed.shape[:2])
        for t in self.recognised.terms:
            if t.family.continuous:
                total += packed[..., t.parameters.stop - 1]
        return np.asarray(total.max(axis=0))

    @staticmethod
    def symbols() -> tuple[Graph, Graph, Graph]:
        """Counts, statistics and what these are about, as inputs of graphs."""
        return pt.matrix("n"), pt.tensor3("statistics"), pt.tensor3("about")

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


def pass_by_kind(
    families: Families,
    table: NDArray,
    x: NDArray,
    centre: NDArray,
    weight: NDArray,
    bounds: NDArray,
    log_w: NDArray,
    packed: NDArray,
    assign: tuple[int, int, NDArray] = (MODES["expected"], 0, np.zeros(0, np.uint8)),
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """One serial pass: Σ_i log p(x_i | θ), counts (kind, component), and statistics.

    Parameters
    ----------
    assign
        Mode of the pass, key of its random numbers, and what takes the assignments.
    """
    n = np.zeros(log_w.shape)
    statistics = np.zeros((*packed.shape[:2], table[-1, 5] + table[-1, 6]))
    kernel, total, (mode, key, z) = compiled.pass_rows(families), 0.0, assign
    for g in range(len(log_w)):
        p = g if len(packed) > 1 else 0
        total += kernel(
            mode, np.uint64(key), table, x, centre, weight, log_w[g], packed[p], n[g],
            statistics[p], z, int(bounds[g]), int(bounds[g + 1]),
        )  # fmt: skip
    return total, n, statistics


def _flat(graph: Graph) -> Graph:
    """(kind, component, …) with both in one dim."""
    return graph.reshape((-1, graph.shape[2]))
