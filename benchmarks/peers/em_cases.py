"""The EM table's rows: their data and where EM begins, both from a seeded generator."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SEED = 20240917


class Case(NamedTuple):
    """One row of the table.

    Attributes
    ----------
    n, d, k
        Rows, features, components.
    covariance
        ``"full"`` or ``"diagonal"``; with one feature they are the same.
    iterations
        EM iterations whose time is taken, beyond the first two.
    """

    n: int
    d: int
    k: int
    covariance: str
    iterations: int

    @property
    def name(self) -> str:
        kind = f" {self.covariance}" if self.d > 1 else ""
        return f"{power(self.n)}, {self.d}, {self.k}{kind}"

    @property
    def features(self) -> int:
        """Sufficient statistics of a row and component, its share of the count among them."""
        if self.covariance == "full":
            return 1 + self.d + self.d * (self.d + 1) // 2
        return 1 + 2 * self.d


TABLE = (
    Case(10_000, 1, 3, "full", 200),
    Case(1_000_000, 1, 3, "full", 20),
    Case(1_000_000, 1, 10, "full", 10),
    Case(1_000_000, 2, 3, "full", 10),
    Case(100_000, 2, 50, "full", 10),
    Case(100_000, 10, 10, "full", 20),
    Case(1_000_000, 10, 10, "full", 4),
    Case(100_000, 50, 10, "full", 5),
    Case(10_000, 50, 3, "full", 20),
    Case(1_000_000, 10, 10, "diagonal", 5),
    Case(100_000, 50, 50, "diagonal", 10),
)
LINEAR = (
    Case(100_000, 1, 3, "full", 100),
    Case(1_000_000, 1, 3, "full", 20),
    Case(10_000_000, 1, 3, "full", 4),
)


def power(n: int) -> str:
    """1e6 for a million."""
    digits = len(str(n)) - 1
    return f"1e{digits}" if n == 10**digits else f"{n:,}"


def quick(case: Case) -> Case:
    """A hundredth of the rows, and few iterations."""
    rows = max(case.n // 100, 100 * case.d, 50 * case.k)
    return case._replace(n=rows, iterations=min(case.iterations, 5))


def draw(case: Case) -> tuple[NDArray, dict[str, NDArray]]:
    """Rows (obs, feature), and a θ to begin from: ``w``, ``mu``, ``sigma`` (covariances).

    Components overlap (neighbouring means two to three standard deviations apart), so that EM
    still moves after all the iterations that are timed. The start has the true means, each moved
    by a third of a standard deviation, one common spherical covariance and equal weights.
    """
    n, d, k = case.n, case.d, case.k
    rng = np.random.default_rng([SEED, n, d, k, case.covariance == "full"])
    if d == 1:
        centres = 2.5 * (np.arange(k) - (k - 1) / 2)[:, None]
    else:
        centres = rng.standard_normal((k, d)) * (2.2 / np.sqrt(d) * k ** (1 / min(d, 4)))
    scales = rng.uniform(0.7, 1.3, (k, d))
    lower = np.tril(rng.standard_normal((k, d, d)), -1) * (0.5 / np.sqrt(d))
    chol = np.eye(d) + (lower if case.covariance == "full" else np.zeros((k, d, d)))
    w = rng.dirichlet(np.full(k, 10.0))
    z = rng.choice(k, size=n, p=w)
    x = rng.standard_normal((n, d))
    for component in range(k):
        mine = z == component
        x[mine] = centres[component] + (x[mine] @ chol[component].T) * scales[component]
    start = {
        "w": np.full(k, 1 / k),
        "mu": centres + rng.standard_normal((k, d)) / 3,
        "sigma": np.broadcast_to(np.eye(d) * 1.2**2, (k, d, d)).copy(),
    }
    return x, start


def log_likelihood(x: NDArray, theta: dict[str, NDArray]) -> float:
    """Mean over rows of log p(x_i | θ), plainly: what every peer's last θ is compared by."""
    joint = np.empty((len(x), len(theta["w"])))
    for component, (w, mu, sigma) in enumerate(
        zip(theta["w"], theta["mu"], theta["sigma"], strict=True)
    ):
        chol = np.linalg.cholesky(sigma)
        white = np.linalg.solve(chol, (x - mu).T)
        constant = np.log(w) - np.log(np.diag(chol)).sum() - 0.5 * x.shape[1] * np.log(2 * np.pi)
        joint[:, component] = constant - 0.5 * (white**2).sum(axis=0)
    top = joint.max(axis=1)
    return float((top + np.log(np.exp(joint - top[:, None]).sum(axis=1))).mean())
