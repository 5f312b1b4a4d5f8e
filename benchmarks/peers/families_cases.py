"""The rows of the table of families: their data and where EM begins, from a seeded generator."""

from typing import Any, NamedTuple

import numpy as np
from em_cases import power
from families_task import Theta
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

SEED = 20240918


class Case(NamedTuple):
    """One row of the table; `families_task.Task` says what its numbers are.

    Attributes
    ----------
    iterations
        EM iterations whose time is taken, beyond the first two.
    """

    family: str
    n: int
    d: int
    k: int
    iterations: int
    levels: int = 0
    groups: int = 0

    @property
    def name(self) -> str:
        more = f", {self.levels} levels" if self.levels else ""
        more += f", {self.groups} groups" if self.groups else ""
        return f"{self.family}: {power(self.n)}, {self.d}, {self.k}{more}"


TABLE = (
    Case("poisson", 100_000, 1, 3, 20),
    Case("poisson", 100_000, 5, 3, 10),
    Case("poisson", 100_000, 5, 10, 5),
    Case("poisson", 10_000, 5, 3, 50),
    Case("binary", 100_000, 10, 3, 10),
    Case("binary", 10_000, 10, 3, 50),
    Case("categorical", 100_000, 10, 3, 10, levels=4),
    Case("categorical", 10_000, 10, 3, 50, levels=4),
    Case("exponential", 100_000, 1, 3, 20),
    Case("exponential", 10_000, 1, 3, 100),
    Case("mixed", 100_000, 6, 3, 10),
    Case("mixed", 10_000, 6, 3, 50),
    Case("weights by group", 100_000, 1, 3, 5, groups=5),
    Case("weights by group", 10_000, 1, 3, 10, groups=5),
    Case("student_t", 100_000, 1, 3, 3),
    Case("student_t", 10_000, 1, 3, 10),
)


def quick(case: Case) -> Case:
    """A fiftieth of the rows, and few iterations."""
    return case._replace(n=max(case.n // 50, 500), iterations=min(case.iterations, 3))


def draw(case: Case, shapes: dict[str, tuple[int, ...]]) -> tuple[NDArray, NDArray, Theta]:
    """Rows (obs, column), their groups (obs), and a θ to begin from.

    Components overlap, so that EM still moves after all the iterations that are timed. The start
    is the truth, each parameter moved by some tenths of what components differ by, with equal
    weights.
    """
    rng = np.random.default_rng([SEED, *(word for word in case if isinstance(word, int))])
    truth = {name: _parameters(name, shape, rng, case) for name, shape in shapes.items()}
    group = rng.integers(max(case.groups, 1), size=case.n)
    # By the inverse of the cumulated weights, all rows at once.
    below = np.cumsum(np.atleast_2d(truth["w"]), axis=1)[group]
    z = np.minimum((rng.random(case.n)[:, None] > below).sum(axis=1), case.k - 1)
    x = _rows(case, z, truth, rng)
    other = {name: _parameters(name, shape, rng, case) for name, shape in shapes.items()}
    # A convex combination stays inside whatever the parameter space is.
    start = {name: 0.8 * truth[name] + 0.2 * other[name] for name in shapes}
    start["w"] = np.full(shapes["w"], 1 / case.k)
    return x, group, start


def _parameters(name: str, shape: tuple[int, ...], rng: np.random.Generator, case: Case) -> NDArray:
    rank = np.arange(case.k).reshape(-1, *[1] * (len(shape) - 1))
    match name:
        case "w":
            return rng.dirichlet(np.full(case.k, 10.0), size=shape[:-1])
        case "rate" if case.family == "exponential":
            return 4.0**-rank * rng.uniform(0.7, 1.4, shape)
        case "rate":
            return 2.0 + 3.0 * rank + rng.uniform(0, 2, shape)
        case "p" if case.levels:
            return rng.dirichlet(np.full(case.levels, 1.5), size=shape[:-1])
        case "p":
            return rng.uniform(0.15, 0.85, shape)
        case "mu":
            return 2.5 * rank + rng.uniform(-0.5, 0.5, shape)
        case "nu":
            return rng.uniform(3, 8, shape)
        case _:
            return rng.uniform(0.7, 1.3, shape)


def _rows(case: Case, z: NDArray, truth: Theta, rng: np.random.Generator) -> NDArray:
    shape = (case.n, case.d)
    match case.family:
        case "poisson":
            return rng.poisson(truth["rate"][z]).astype(float)
        case "exponential":
            return rng.standard_exponential(shape) / truth["rate"][z]
        case "categorical":
            below = np.cumsum(truth["p"], axis=2)[z]
            levels = (rng.random(shape)[:, :, None] > below).sum(axis=2)
            return np.minimum(levels, case.levels - 1).astype(float)
        case "student_t":
            t = rng.standard_t(truth["nu"][z][:, None], shape)
            return truth["mu"][z] + truth["sigma"][z] * t
    parts = []
    if "mu" in truth:
        size = (case.n, truth["mu"].shape[1])
        parts.append(truth["mu"][z] + truth["sigma"][z] * rng.standard_normal(size))
    if "p" in truth:
        parts.append(1.0 * (rng.random((case.n, truth["p"].shape[1])) < truth["p"][z]))
    return np.concatenate(parts, axis=1)


def log_joint(case: Case, x: NDArray, group: NDArray, theta: Theta) -> NDArray:
    """Log w_k p(x_i | θ_k), (obs, component), plainly: what every peer's last θ is judged by."""
    own = {name: array[None] for name, array in theta.items() if name != "w"}
    y: Any = x[:, None, :]
    log_w = np.log(np.atleast_2d(theta["w"]))[group]
    match case.family:
        case "poisson":
            cells = y * np.log(own["rate"]) - own["rate"] - gammaln(y + 1)
        case "exponential":
            cells = np.log(own["rate"]) - own["rate"] * y
        case "categorical":
            items = np.arange(case.d)
            cells = np.log(theta["p"])[:, items, x.astype(int)].swapaxes(0, 1)
        case "student_t":
            nu, scaled = own["nu"][..., None], (y - own["mu"]) / own["sigma"]
            cells = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * np.log(np.pi * nu)
            cells = cells - np.log(own["sigma"]) - (nu + 1) / 2 * np.log1p(scaled**2 / nu)
        case _:
            cells = _normal_and_binary(y, own)
    return log_w + cells.sum(axis=2)


def _normal_and_binary(y: NDArray, own: Theta) -> NDArray:
    d = own["mu"].shape[2] if "mu" in own else 0
    cells = []
    if d:
        scaled = (y[..., :d] - own["mu"]) / own["sigma"]
        cells.append(-0.5 * scaled**2 - np.log(own["sigma"]) - 0.5 * np.log(2 * np.pi))
    if "p" in own:
        cells.append(np.where(y[..., d:] == 1, np.log(own["p"]), np.log1p(-own["p"])))
    return np.concatenate(cells, axis=2)


def responsibilities(joint: NDArray) -> NDArray:
    return np.exp(joint - logsumexp(joint, axis=1, keepdims=True))


def log_likelihood(joint: NDArray) -> float:
    """Its mean over the rows."""
    return float(logsumexp(joint, axis=1).mean())
