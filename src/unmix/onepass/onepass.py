r"""`OnePass`: one pass over the data, and everything an algorithm needs from it.

At log-weights and component parameters it returns the log marginal likelihood
Σ_i log Σ_k p(z_i = k, x_i | θ) and, for each component, the sums Σ_i a_ik T(x_i) with a_ik the
responsibilities (EM, and by Fisher's identity the gradient), a draw of z_i (Gibbs) or the most
likely z_i (classification EM).
"""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pytensor.tensor as pt
from numpy.typing import DTypeLike, NDArray

from unmix.derive.latent import z_dtype
from unmix.onepass import compiled
from unmix.onepass.chunks import Chunk, for_kernel, make_chunk, total_weight
from unmix.onepass.sums import Sums
from unmix.onepass.terms import Recognised
from unmix.onepass.threads import WORTH_A_THREAD, available_cores, pool

Graph = Any
Mode = Literal["expected", "sampled", "hard"]
MODES: dict[Mode, int] = {"expected": 0, "sampled": 1, "hard": 2}
# Threads share rows in multiples of this, so that blocks stay whole.
GRAIN = 512
# SplitMix64's increment: adding it to a key moves to the next row.
GAMMA = 0x9E3779B97F4A7C15


class OnePass:
    """The pass over the rows of a recognised model.

    Parameters
    ----------
    recognised
        What `unmix.onepass.recognise.recognise` found.
    chunks
        Rows; by default the model's own, as one chunk.
    threads
        At most this many; by default as many as there are cores, fewer for little work. Give 1
        where several chains run side by side. The same number gives the same bits.
    dtype
        float64, or float32 to store (not to compute) in single precision.
    weight
        Row weights (obs,) where chunks are not given; by default those of the derivation.
    """

    def __init__(
        self,
        recognised: Recognised,
        chunks: list[Chunk] | None = None,
        *,
        threads: int | None = None,
        dtype: DTypeLike = np.float64,
        weight: NDArray | None = None,
    ) -> None:
        self.recognised = recognised
        self.threads = threads
        self.terms = recognised.table
        self.families = recognised.families
        if chunks is None:
            weight = recognised.derivation.weight if weight is None else weight
            columns = np.concatenate([recognised.values(t).T for t in recognised.terms])
            single = [t.family.single for t in recognised.terms for _ in range(t.d)]
            chunks = [make_chunk(columns, weight, dtype, single)]
        self.chunks = chunks
        self.log_base = sum(self._base(chunk) for chunk in chunks)

    def _base(self, chunk: Chunk) -> float:
        """Sum of the part of log p(x_i | k) that no parameter enters."""
        base = self.recognised.log_bases(chunk)
        if base is None:
            return 0.0
        return float(base @ chunk.weight) if len(chunk.weight) else float(base.sum())

    @property
    def n_components(self) -> int:
        """K."""
        return self.recognised.derivation.n_components

    @property
    def n_obs(self) -> int:
        """Rows in all chunks."""
        return sum(len(chunk) for chunk in self.chunks)

    @property
    def weight(self) -> float:
        """Number of rows, or the sum of their weights."""
        return total_weight(self.chunks)

    @property
    def magnitude(self) -> float:
        """What the log-likelihood is rounded against: rows, and the part that is added for all."""
        return self.weight + abs(self.log_base)

    # -- sums ----------------------------------------------------------------------------------

    def run(
        self,
        log_w: NDArray,
        packed: NDArray,
        mode: Mode = "expected",
        *,
        key: int = 0,
        z: NDArray | None = None,
    ) -> Sums:
        """One pass.

        Parameters
        ----------
        log_w
            Log-weights, shape (component,).
        packed
            Parameters, shape (component, parameter).
        mode
            ``"expected"``, ``"sampled"`` or ``"hard"`` assignments.
        key
            Of the random numbers of a sampled pass, 0 … 2^64 − 1.
        z
            Array (obs,) that takes sampled or hard assignments.
        """
        kernel = compiled.pass_rows(self.families)
        log_w, packed = self._checked(log_w, packed)
        k, key = len(log_w), int(key)
        if z is not None and (z.shape != (self.n_obs,) or k - 1 > np.iinfo(z.dtype).max):
            raise ValueError(
                f"z has shape {z.shape} and type {z.dtype}: {self.n_obs} assignments to "
                f"{k} components do not fit"
            )
        parts: list[tuple[Chunk, int, int, int]] = []
        offset = 0
        for chunk in self.chunks:
            parts += [(chunk, offset, *rows) for rows in self.shares(len(chunk))]
            offset += len(chunk)
        none = np.zeros(0, dtype=z_dtype(k) if z is None else z.dtype)

        def do(part: tuple[Chunk, int, int, int]) -> tuple[float, NDArray, NDArray]:
            chunk, offset, begin, end = part
            n, statistics = np.zeros(k), np.zeros((k, self.recognised.n_statistics))
            log_marginal = kernel(
                MODES[mode], np.uint64((key + offset * GAMMA) % 2**64), self.terms,
                chunk.x, chunk.centre, chunk.weight, log_w, packed, n, statistics,
                none if z is None else z[offset : offset + len(chunk)], begin, end,
            )  # fmt: skip
            return log_marginal, n, statistics

        if len(parts) == 1:
            done = [do(parts[0])]
        else:
            done = list(pool(max(1, self.threads or available_cores())).map(do, parts))
        log_marginal, n, statistics = done[0]
        for more in done[1:]:  # always in this order
            log_marginal += more[0]
            n += more[1]
            statistics += more[2]
        return Sums(float(log_marginal) + self.log_base, n, statistics, packed)

    @staticmethod
    def symbols() -> tuple[Graph, Graph, Graph]:
        """Counts, statistics and what these are about, as inputs of graphs."""
        return pt.vector("n"), pt.matrix("statistics"), pt.matrix("about")

    def expected(
        self, log_w: Graph, packed: Graph, n: Graph, statistics: Graph, about: Graph
    ) -> Graph:
        """Σ_ik r_ik log p(z_i = k, x_i | θ), up to base measures, from sums, a scalar graph.

        Parameters
        ----------
        log_w, packed
            As `run` takes them.
        n, statistics, about
            As `Sums` has them.
        """
        prior = self.recognised.expected_prior(log_w, n)
        return prior + self.recognised.expected(packed, n, statistics, about)

    def _checked(self, log_w: NDArray, packed: NDArray) -> tuple[NDArray, NDArray]:
        """Parameters as the kernel reads them: it does not look where arrays end."""
        length = int(self.terms[-1, 3] + self.terms[-1, 4])
        if np.shape(packed) != (len(log_w), length):
            raise ValueError(
                f"{len(log_w)} weights and parameters of shape {np.shape(packed)} are not those of "
                f"components with {length} parameters each"
            )
        return for_kernel(log_w), for_kernel(packed)

    def shares(self, rows: int) -> list[tuple[int, int]]:
        """Rows of a chunk split between threads."""
        work = rows * self.n_components * (8 + 2 * self.recognised.n_statistics)
        wanted = self.threads or min(available_cores(), max(1, work // WORTH_A_THREAD))
        share = -(-rows // max(1, wanted))
        share = -(-share // GRAIN) * GRAIN
        return [(b, min(b + share, rows)) for b in range(0, max(rows, 1), max(share, 1))]

    def given(self, r: NDArray, rows: NDArray, packed: NDArray) -> Sums:
        """Sums with weights that are given.

        Parameters
        ----------
        r
            Weights of the listed rows, (row, component).
        rows
            Their numbers in the first chunk.
        packed
            What sums are taken about.
        """
        chunk = self.chunks[0]
        k = r.shape[1]
        n, statistics = np.zeros(k), np.zeros((k, self.recognised.n_statistics))
        packed = for_kernel(packed)
        if len(chunk.weight):
            r = r * chunk.weight[rows, None]
        compiled.given_rows(self.families)(
            self.terms, chunk.x, chunk.centre, for_kernel(r),
            np.require(rows, np.int64, ["C", "W"]), packed, n, statistics,
        )  # fmt: skip
        return Sums(np.nan, n, statistics, packed)

    # -- rows ----------------------------------------------------------------------------------

    def joint(self, log_w: NDArray, packed: NDArray, rows: int = 65536) -> Iterator[NDArray]:
        """Log p(z_i = k, x_i | θ) of all rows in turn, arrays (row, component)."""
        kernel = compiled.joint_rows(self.families)
        log_w, packed = self._checked(log_w, packed)
        for chunk in self.chunks:
            base = self.recognised.log_bases(chunk)
            for begin in range(0, len(chunk), rows):
                end = min(begin + rows, len(chunk))
                out = np.empty((end - begin, len(log_w)))
                kernel(self.terms, chunk.x, chunk.centre, log_w, packed, begin, end, out)
                yield out if base is None else out + base[begin:end, None]

    def joint_at(self, rows: NDArray, log_w: NDArray, packed: NDArray) -> NDArray:
        """Log p(z_i = k, x_i | θ) of some rows of the first chunk, (row, component)."""
        chunk = self.chunks[0]
        some = Chunk(np.ascontiguousarray(chunk.x[:, rows]), chunk.centre, chunk.weight[:0])
        out = np.empty((len(rows), len(log_w)))
        compiled.joint_rows(self.families)(
            self.terms, some.x, some.centre, *self._checked(log_w, packed), 0, len(rows), out
        )
        base = self.recognised.log_bases(some)
        return out if base is None else out + base[:, None]

    def neutral(self) -> NDArray[np.float64]:
        """Parameters of one component fitted roughly to all rows of the first chunk."""
        chunk = self.chunks[0]
        parts = [
            t.family.neutral(
                np.asarray(chunk.x[t.columns], dtype=float) + chunk.centre[t.columns, None]
            )
            for t in self.recognised.terms
        ]
        return np.concatenate(parts)

    def variances(self) -> NDArray[np.float64]:
        """Variance of each column over the rows, (column,); 0 of labels, which are no data."""
        count, mean = 0, np.zeros(len(self.chunks[0].x))
        scatter = np.zeros(len(mean))
        data = np.zeros(len(mean), dtype=bool)
        for t in self.recognised.terms:
            data[t.columns] = not t.family.about_z
        for chunk in self.chunks:
            x = chunk.x if data.all() else chunk.x[data]
            here = x.mean(axis=1, dtype=np.float64) + chunk.centre[data]
            share = len(chunk) / (count + len(chunk))
            scatter[data] += x.var(axis=1, dtype=np.float64) * len(chunk)
            scatter[data] += np.square(here - mean[data]) * count * share
            mean[data] += (here - mean[data]) * share
            count += len(chunk)
        return scatter / count

    def peaks(self, packed: NDArray) -> NDArray[np.float64]:
        """Largest value that each component's log-density can take, (component,)."""
        total = np.zeros(len(packed))
        for t in self.recognised.terms:
            if t.family.continuous:
                total += packed[:, t.parameters.stop - 1]
        return total

    def responsibilities(self, log_w: NDArray, packed: NDArray) -> tuple[NDArray, NDArray]:
        """Bayes' rule at draws.

        Parameters
        ----------
        log_w, packed
            Shapes (sample, component) and (sample, component, parameter).

        Returns
        -------
        log_marginal
            log p(x_i | θ_s), shape (sample, obs).
        responsibility
            Shape (sample, obs, component); NaN where a row is impossible.
        """
        kernel = compiled.responsibility_rows(self.families)
        samples, k = log_w.shape
        r, log_marginal = np.empty((samples, self.n_obs, k)), np.empty((samples, self.n_obs))
        at = 0
        for chunk in self.chunks:
            rows = slice(at, at + len(chunk))
            base = self.recognised.log_bases(chunk)
            for s in range(samples):
                kernel(
                    self.terms, chunk.x, chunk.centre, *self._checked(log_w[s], packed[s]),
                    r[s, rows], log_marginal[s, rows],
                )  # fmt: skip
            if base is not None:
                log_marginal[:, rows] += base
            at += len(chunk)
        return log_marginal, r
