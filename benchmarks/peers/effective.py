"""The least bulk effective sample size over w, mu and sigma, after the components are matched."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sampling_task import Task


def read_draws(task: Task) -> dict[str, NDArray]:
    shapes = {"w": (), "mu": (task.d,), "sigma": (task.d,)}
    return {
        name: np.fromfile(Path(task.folder) / f"end_{name}.bin").reshape(
            task.chains, -1, task.k, *tail
        )
        for name, tail in shapes.items()
    }


def relabel(draws: dict[str, NDArray], truth: NDArray) -> dict[str, NDArray]:
    """One feature: sorted by mu in every draw. Several: each chain's mean matched to the truth."""
    from scipy.optimize import linear_sum_assignment

    mu = draws["mu"]
    if mu.shape[-1] == 1:
        order = np.argsort(mu[..., 0], axis=2)
    else:
        apart = ((mu.mean(axis=1)[:, None] - truth[:, None]) ** 2).sum(axis=-1)
        chosen = np.array([linear_sum_assignment(cost)[1] for cost in apart])
        order = np.broadcast_to(chosen[:, None], mu.shape[:3])
    return {
        "w": np.take_along_axis(draws["w"], order, axis=2),
        "mu": np.take_along_axis(mu, order[..., None], axis=2),
        "sigma": np.take_along_axis(draws["sigma"], order[..., None], axis=2),
    }


def summary(task: Task, truth: NDArray) -> dict[str, Any]:
    """Least bulk effective sample size and which, largest R-hat, posterior means (for checking)."""
    import arviz as az
    import xarray as xr

    draws = relabel(read_draws(task), truth)
    names = ("chain", "draw", "component", "feature")
    held = xr.Dataset({name: (names[: a.ndim], a) for name, a in draws.items()})
    sizes, rhat = az.ess(held, method="bulk"), az.rhat(held)
    least = {name: float(sizes[name].min()) for name in held}
    return {
        "ess": min(least.values()),
        "ess_least_of": min(least, key=least.get),
        "ess_each": least,
        "rhat": max(float(rhat[name].max()) for name in held),
        "means": {name: a.mean(axis=(0, 1)).ravel().tolist() for name, a in draws.items()},
        "sds": {name: a.std(axis=(0, 1)).ravel().tolist() for name, a in draws.items()},
    }
