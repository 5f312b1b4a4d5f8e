"""The sampling table's columns: data, priors and where chains begin, from a seeded generator."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SEED = 20240918
WEIGHTS = {3: (0.3, 0.45, 0.25), 5: (0.3, 0.25, 0.2, 0.15, 0.1)}


class Column(NamedTuple):
    """One column of the table.

    Attributes
    ----------
    name
        What the table calls it.
    n, d, k
        Rows, features, components; full covariances where d > 1.
    apart
        Distance of neighbouring means, in standard deviations (the mean of the two components').
    scales
        Standard deviations, where there is one feature.
    """

    name: str
    n: int
    d: int
    k: int
    apart: float
    scales: tuple[float, ...] = (1.0, 1.0, 1.0)


COLUMNS = {
    "1e3": Column("N=1e3", 1_000, 1, 3, 5.0),
    "1e4": Column("N=1e4", 10_000, 1, 3, 5.0),
    "1e5": Column("N=1e5", 100_000, 1, 3, 5.0),
    "overlap": Column("overlap, N=1e4", 10_000, 1, 3, 2.2, (0.6, 1.0, 1.4)),
    "ridge": Column("overlap on a ridge, N=1e4", 10_000, 1, 3, 2.2),
    "wide": Column("D=10, K=5, N=1e4", 10_000, 10, 5, 5.0),
}


def quick(column: Column) -> Column:
    """A tenth of the rows."""
    n = column.n // (10 if column.d == 1 else 4)
    return column._replace(n=n, name=f"{column.name}, cut to {n:,} rows")


def draw(column: Column) -> tuple[NDArray, dict[str, NDArray]]:
    """Rows (obs, feature), and the θ that made them: ``w``, ``mu``, ``sigma`` (covariances).

    One feature: the weights, standard deviations and distances of the column. Several: means at
    corners of a cube, so that two that differ in half of the signs are `apart`; random
    correlations.
    """
    n, d, k = column.n, column.d, column.k
    rng = np.random.default_rng([SEED, n, d, k, round(10 * column.apart)])
    w = np.array(WEIGHTS[k])
    if d == 1:
        scales = np.array(column.scales)
        gaps = column.apart * (scales[1:] + scales[:-1]) / 2
        mu = np.concatenate([[0.0], np.cumsum(gaps)])
        mu = (mu - mu[k // 2])[:, None]
        chol = scales[:, None, None]
    else:
        signs = 1 - 2 * (np.arange(d) >> np.arange(k)[:, None] & 1)  # no two rows alike
        mu = signs * column.apart / np.sqrt(2 * d)
        lower = np.tril(rng.standard_normal((k, d, d)), -1) / np.sqrt(d)
        chol = np.eye(d) + 0.5 * lower
    z = rng.choice(k, size=n, p=w)
    x = mu[z] + np.einsum("nij,nj->ni", chol[z], rng.standard_normal((n, d)))
    return x, {"w": w, "mu": mu, "sigma": chol @ chol.mT}


def prior(x: NDArray) -> dict[str, NDArray]:
    """What `unmix.models.gaussian` takes by itself, given to all: mu ~ Normal(centre, spread),
    sigma ~ Gamma(2, 2 / scale), w ~ Dirichlet(1, …, 1), correlations LKJ(2).
    """
    low, high = x.min(axis=0), x.max(axis=0)
    return {"centre": (low + high) / 2, "spread": high - low, "scale": x.std(axis=0)}
