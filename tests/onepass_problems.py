"""Problems for the pass over the data, with answers in extended precision that share no code.

A problem is data, the parameters of one family per group of columns, and the same parameters packed
as the pass reads them. Answers come from the textbook densities in 80-bit arithmetic, where that
exists: 11 bits more than what is tested.
"""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from unmix.onepass.chunks import make_chunk
from unmix.onepass.families import FAMILIES
from unmix.onepass.onepass import OnePass
from unmix.onepass.terms import Recognised, Term

Long = np.longdouble
EPS = 2.0**-53  # half a unit in the last place of 1
HALF_LOG_2_PI = np.log(2 * Long("3.14159265358979323846264338327950288")) / 2
FAMILY = {f.name: f for f in FAMILIES}


@dataclass
class Part:
    """One observed variable: its columns and its parameters, one leading axis per component."""

    family: str
    x: NDArray  # (column, obs)
    theta: tuple[NDArray, ...]

    def __post_init__(self):
        self.long = tuple(np.asarray(v, dtype=Long) for v in self.theta)

    @property
    def d(self):
        return len(self.x)

    def pack(self):
        """(component, parameter), from θ by the formulas in the families' headings."""
        t = self.long
        with np.errstate(divide="ignore"):
            if self.family == "Normal":
                c = -np.log(t[1]).sum(1, keepdims=True) - self.d * HALF_LOG_2_PI
                parts = [t[0], 1 / t[1], c]
            elif self.family == "MvNormal":
                rows, columns = np.tril_indices(self.d)
                inverse = np.stack([inverse_lower(lower) for lower in t[1]])
                c = np.log(np.stack([np.diag(i) for i in inverse])).sum(1, keepdims=True)
                parts = [t[0], inverse[:, rows, columns], c - self.d * HALF_LOG_2_PI]
            elif self.family == "Poisson":
                parts = [np.log(t[0]), -t[0].sum(1, keepdims=True)]
            elif self.family == "Bernoulli":
                parts = [np.log(t[0]), np.log1p(-t[0])]
            elif self.family == "Categorical":
                parts = [np.log(t[0]).reshape(len(t[0]), -1)]
            else:
                parts = [-t[0], np.log(t[0]).sum(1, keepdims=True)]
        return np.concatenate(parts, axis=1).astype(np.float64)

    def log_density(self):
        """(obs, component), with base measure; and the sum of the sizes of its terms."""
        x, t = self.x.astype(Long), self.long
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.family == "Normal":
                u = (x.T[:, None] - t[0]) / t[1]
                terms = np.stack([-u * u / 2, -np.log(t[1]) + 0 * u, -HALF_LOG_2_PI + 0 * u])
            elif self.family == "MvNormal":
                terms = [mv_terms(x, mean, lower) for mean, lower in zip(*t, strict=True)]
                terms = np.stack(terms, axis=2)[..., None]
            elif self.family == "Poisson":
                seen = x.T[:, None]
                terms = np.stack([
                    np.where(seen > 0, seen * np.log(t[0]), 0), -t[0] + 0 * seen,
                    -gammaln(self.x.T + 1.0)[:, None] + 0 * t[0],
                ])  # fmt: skip
            elif self.family == "Bernoulli":
                terms = np.where(x.T[:, None] != 0, np.log(t[0]), np.log1p(-t[0]))[None]
            elif self.family == "Categorical":
                items, levels = np.arange(self.d), self.x.T.astype(int)
                terms = np.log(t[0])[:, items, levels].swapaxes(0, 1)[None]
            else:
                terms = np.stack([np.log(t[0]) + 0 * x.T[:, None], -t[0] * x.T[:, None]])
        return terms.sum((0, -1)), np.abs(terms).sum((0, -1))

    def features(self, k):
        """What the statistics of component k sum up, (obs, statistic)."""
        x, t = self.x.astype(Long).T, self.long
        if self.family == "Normal":
            return np.concatenate([x - t[0][k], (x - t[0][k]) ** 2], axis=1)
        if self.family == "MvNormal":
            rows, columns = np.tril_indices(self.d)
            u = x - t[0][k]
            return np.concatenate([u, u[:, rows] * u[:, columns]], axis=1)
        if self.family == "Categorical":
            return (x[:, :, None] == np.arange(t[0].shape[-1])).reshape(len(x), -1).astype(Long)
        return x


@dataclass
class Problem:
    """Data and parameters; `answer` is what a pass must return."""

    parts: list[Part]
    log_w: NDArray
    weight: NDArray | None = None

    @property
    def columns(self):
        return np.concatenate([p.x for p in self.parts]).astype(np.float64)

    @property
    def packed(self):
        return np.concatenate([p.pack() for p in self.parts], axis=1)

    def log_joint(self):
        """(obs, component) in extended precision."""
        with np.errstate(invalid="ignore"):
            joint = self.log_w.astype(Long) + sum(p.log_density()[0] for p in self.parts)
        return np.where(self.log_w == -np.inf, -np.inf, joint)

    def size(self):
        """Largest sum of the sizes of the terms of a log-joint density that matters to its row.

        One that is 50 nats below the row's largest adds nothing that a double could show.
        """
        joint = self.log_joint()
        with np.errstate(invalid="ignore"):
            size = sum(p.log_density()[1] for p in self.parts)
            matters = np.isfinite(size) & (joint > joint.max(axis=1, keepdims=True) - 50)
        return float(np.max(size, where=matters, initial=1.0))

    def sums_of(self, a):
        """(n, statistics, sums of the sizes of what is summed) with weights a (obs, component)."""
        n, sums, sizes = [], [], []
        for k in range(len(self.log_w)):
            features = np.concatenate([p.features(k) for p in self.parts], axis=1)
            n.append(a[:, k].sum())
            sums.append((a[:, k, None] * features).sum(0))
            sizes.append((a[:, k, None] * np.abs(features)).sum(0))
        return np.array(n), np.array(sums), np.array(sizes, dtype=float)

    def answer(self):
        """(log marginal, n, statistics, sizes of what is summed), expected."""
        log_marginal, r = normalised(self.log_joint())
        w = np.ones(len(r)) if self.weight is None else self.weight
        total = np.where(w > 0, w * np.where(w > 0, log_marginal, 0), 0).sum()
        return total, *self.sums_of(np.where(w[:, None] > 0, w[:, None] * r, 0))

    def recognised(self):
        """What recognition would have found."""
        terms, at = [], [0, 0, 0]
        for i, p in enumerate(self.parts):
            family = FAMILY[p.family]
            if p.family == "Categorical":
                family = family.with_levels(p.theta[0].shape[-1])
            terms.append(Term(f"x{i}", family, p.d, *at))
            sizes = p.d, family.n_parameters(p.d), family.n_statistics(p.d)
            at = [a + b for a, b in zip(at, sizes, strict=True)]
        derivation = SimpleNamespace(n_components=len(self.log_w), n_obs=self.columns.shape[1])
        return Recognised(derivation, tuple(terms), None, None)

    def onepass(self, *, cuts=(), dtype=np.float64, threads=1):
        """The pass over these rows, cut into chunks."""
        rows = np.split(np.arange(self.columns.shape[1]), cuts)
        chunks = [
            make_chunk(self.columns[:, i], None if self.weight is None else self.weight[i], dtype)
            for i in rows
        ]
        return OnePass(self.recognised(), chunks, threads=threads)

    def run(self, mode="expected", *, key=0, z=None, **how):
        return self.onepass(**how).run(self.log_w, self.packed, mode, key=key, z=z)

    def require(self, sums):
        """Rounding: derived, not tuned.

        A log-joint density of terms of sizes adding to s is off by some s · EPS, each term being
        made of about four operations, and so is the relative error of a responsibility; a sum of N
        terms adds at most N · EPS of their sizes.
        """
        log_marginal, n, statistics, sizes = self.answer()
        rows = self.columns.shape[1]
        one = EPS * (8 + 4 * (self.size() + np.abs(self.log_w[self.log_w > -np.inf]).max()))
        every = one + rows * EPS
        np.testing.assert_allclose(float(sums.log_marginal), float(log_marginal), rtol=every,
                                   atol=rows * one * self.top_weight())  # fmt: skip
        np.testing.assert_allclose(sums.n, n.astype(float), rtol=0, atol=every * self.total())
        # What a component without rows sums up is bounded by what rows could have given it.
        error = np.abs(sums.statistics - statistics.astype(float))
        assert (error <= every * (sizes + EPS * sizes.sum())).all(), (error / (every * sizes)).max()

    def top_weight(self):
        return 1.0 if self.weight is None else float(self.weight.max())

    def total(self):
        return float(self.columns.shape[1] if self.weight is None else self.weight.sum())


def normalised(log_joint):
    """Bayes' rule; an impossible row has log marginal −inf and weighs nothing."""
    largest = log_joint.max(axis=1, keepdims=True)
    shift = np.where(np.isfinite(largest), largest, 0)
    e = np.exp(log_joint - shift)
    total = e.sum(1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (shift + np.log(total))[:, 0], np.where(total > 0, e / total, 0)


def inverse_lower(lower):
    """Inverse of a lower triangle, by forward substitution."""
    d = len(lower)
    inverse = np.zeros_like(lower)
    for i in range(d):
        inverse[i] = -lower[i, :i] @ inverse[:i]
        inverse[i, i] += 1
        inverse[i] /= lower[i, i]
    return inverse


def mv_terms(x, mean, lower):
    """Squares of the whitened residuals, and the constants, (term, obs)."""
    u = (x.T - mean).T
    y = np.zeros_like(u)
    for i in range(len(lower)):
        y[i] = (u[i] - lower[i, :i] @ y[:i]) / lower[i, i]
    constants = -np.log(np.diag(lower)) - HALF_LOG_2_PI
    return np.concatenate([-y * y / 2, np.broadcast_to(constants[:, None], u.shape)])


def random_part(family, rng, n, d, k):
    """Data from the family, and parameters near what made them."""
    if family == "Normal":
        mu = rng.normal(0, 3, (k, d))
        x = mu[rng.integers(k, size=n)].T + rng.normal(size=(d, n))
        return Part(family, x, (mu, rng.uniform(0.5, 2, (k, d))))
    if family == "MvNormal":
        mu = rng.normal(0, 3, (k, d))
        lower = np.tril(rng.normal(0, 0.3, (k, d, d)), -1)
        lower += np.eye(d) * rng.uniform(0.5, 2, (k, d, 1))
        x = mu[rng.integers(k, size=n)].T + rng.normal(size=(d, n))
        return Part(family, x, (mu, lower))
    if family == "Poisson":
        return Part(family, rng.poisson(5, (d, n)), (rng.uniform(1, 9, (k, d)),))
    if family == "Bernoulli":
        return Part(family, rng.integers(2, size=(d, n)), (rng.uniform(0.1, 0.9, (k, d)),))
    if family == "Categorical":
        p = rng.dirichlet(np.ones(3), size=(k, d))
        return Part(family, rng.integers(3, size=(d, n)), (p,))
    return Part(family, rng.exponential(size=(d, n)), (rng.uniform(0.3, 3, (k, d)),))


def random_problem(families, rng, n=50, d=2, k=3, weighted=False):
    """A product of families, d columns each."""
    names = families.split("+")
    parts = [random_part(f, rng, n, d, k) for f in names]
    weight = rng.choice([0.0, 0.5, 1.0, 3.0], n) if weighted else None
    return Problem(parts, np.log(rng.dirichlet(np.full(k, 3.0))), weight)
