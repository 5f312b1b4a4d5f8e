"""Log p(y | x), z summed out, as the sweeps see it: its height and slope anywhere."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from unmix.derive import Derivation
from unmix.derive.latent import z_dtype
from unmix.infer.exact import compiled
from unmix.infer.exact.blocks import LEVELS, MEAN, MV_MEAN, MV_SCALE, SHARED, WEIGHTS, Blocks
from unmix.onepass.onepass import OnePass
from unmix.onepass.threads import WORTH_A_THREAD, available_cores

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Landscape:
    """Log p(y | x) up to a constant, as the sweeps see it.

    Attributes
    ----------
    derivation, blocks, onepass
        The model, its parameters and its rows.
    """

    derivation: Derivation
    blocks: Blocks
    onepass: OnePass

    @cached_property
    def _scratch(self) -> tuple[NDArray, NDArray, NDArray]:
        initial = self.derivation.space.constrain(self.derivation.space.initial)
        log_w, packed = self.onepass.recognised.pack(initial)
        return self.blocks.flatten(initial), log_w, packed

    def _call(self, what: int, y: Array, *more: NDArray) -> float:
        none, nothing = np.zeros(0), np.zeros((0, 0))
        n, stats, centre, scale, first, second = more or (none, nothing, nothing, none, none, none)
        found = compiled.surroundings(self.onepass.families)(
            what, self.onepass.terms, self.blocks.table, self.blocks.hyper, y, *self._scratch, n,
            stats, centre, scale, first, second,
        )  # fmt: skip
        return float(found)

    @cached_property
    def size(self) -> int:
        """Length of y."""
        return int(self._call(0, np.zeros(0)))

    def fold(self, theta: dict[str, NDArray]) -> Array:
        """Y at θ."""
        y = np.empty(self.size)
        flat, log_w, packed = self._scratch
        flat[:] = self.blocks.flatten(theta)
        log_w[:], packed[:] = self.onepass.recognised.pack(theta)
        self._call(1, y)
        return y

    def unfold(self, y: Array) -> tuple[Array, Array, Array, float]:
        """Θ (flat), log-weights, packed parameters and the log prior density at y."""
        prior = self._call(2, np.ascontiguousarray(y))
        flat, log_w, packed = self._scratch
        return flat.copy(), log_w.copy(), packed.copy(), prior

    def heights(self, groups: NDArray[np.int64], key: NDArray[np.int64], y: Array) -> Array:
        """Log p(y | x) up to a constant at points (point, dimension).

        −inf where exchangeable components are not in order.
        """
        out = np.empty(len(y))
        cores = available_cores() if y.shape[0] * self.derivation.n_obs > WORTH_A_THREAD else 1
        bounds = np.linspace(0, len(y), cores + 1).astype(int)

        def part(begin: int, end: int) -> None:
            self._heights(groups, key, np.ascontiguousarray(y[begin:end]), out[begin:end])

        with ThreadPoolExecutor(cores) as pool:
            list(pool.map(part, bounds[:-1], bounds[1:]))
        return out

    def _heights(
        self, groups: NDArray[np.int64], key: NDArray[np.int64], y: Array, out: Array
    ) -> None:
        (chunk,), terms = self.onepass.chunks, self.onepass.terms
        theta, log_w, packed = (a.copy() for a in self._scratch)
        k, p = len(log_w), y.shape[1]
        one, none = np.zeros(1), np.zeros(0, dtype=z_dtype(k))
        compiled.sweeps(self.onepass.families)(
            1, np.random.default_rng(0), terms, chunk.x, chunk.centre, chunk.weight,
            self.blocks.table, self.blocks.hyper, 1.0, one, np.zeros((1, p)), np.zeros((1, p, p)),
            groups, key, 0.0, theta, log_w, packed, np.zeros(k),
            np.zeros((k, self.onepass.recognised.n_statistics)), one, none, none[None],
            theta[None], out, np.zeros(0, dtype=bool), y,
        )  # fmt: skip

    def slope(self, y: Array, scale: Array) -> tuple[float, Array, Array]:
        """Height, gradient, and the second derivatives along y with responsibilities held."""
        first, second = np.zeros(self.size), np.zeros(self.size)
        prior = self._call(2, np.ascontiguousarray(y))
        _, log_w, packed = self._scratch
        if not (np.isfinite(prior) and np.isfinite(log_w).all() and np.isfinite(packed).all()):
            return -np.inf, first, second
        sums = self.onepass.run(log_w, packed)
        self._call(3, np.array(y), sums.n, sums.statistics, sums.about.copy(), scale, first, second)
        return prior + sums.log_marginal - self.onepass.log_base, first, second

    def scales(self, theta: dict[str, NDArray]) -> Array:
        """Size of a change of each coordinate that changes a component clearly.

        For means the component's standard deviation; for all others, which are logarithms, one.
        """
        _, packed = self.onepass.recognised.pack(theta)
        k, parts = self.derivation.n_components, []
        for kind, term, *_ in self.blocks.table:
            own = self.onepass.recognised.terms[term] if kind != WEIGHTS else None
            if own is None:
                parts.append(np.ones(k - 1))
                continue
            d = own.d
            values = packed[:, own.parameters]
            if kind == MEAN:
                parts.append((1.0 / values[:, d : 2 * d]).ravel())
            elif kind == MV_MEAN:
                for row in values:
                    inverse = np.zeros((d, d))
                    inverse[np.tril_indices(d)] = row[d : d + d * (d + 1) // 2]
                    factor = scipy.linalg.solve_triangular(inverse, np.eye(d), lower=True)
                    parts.append(np.sqrt((factor**2).sum(axis=1)))
            elif kind == SHARED:
                parts.append(np.ones(1))
            elif kind == LEVELS:
                parts.append(np.ones(values.size - k * d))
            else:
                parts.append(np.ones(k * d + (kind == MV_SCALE) * (k * d * (d - 1) // 2)))
        return np.concatenate(parts)


def is_sorted(groups: NDArray[np.int64], key: NDArray[np.int64], flat: Array) -> bool:
    """Whether exchangeable components stand in order."""
    values = flat[key[0] + np.arange(len(groups)) * key[1]]
    last: dict[int, float] = {}
    for group, value in zip(groups.tolist(), values.tolist(), strict=True):
        if value < last.get(group, -np.inf):
            return False
        last[group] = value
    return True
