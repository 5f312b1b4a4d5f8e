"""The same mixture as PyMC users write it: z summed out by hand, or explicit."""

from typing import Any

import pymc as pm
from sampling_task import Given, Task


def marginal(task: Task, given: Given) -> pm.Model:
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1.0] * task.k)
        if task.d == 1:
            mu, sigma = _one_feature(task, given)
            pm.NormalMixture("x", w, mu, sigma, observed=given.x[:, 0])
            return model
        mu = pm.Normal("mu", given.centre, given.spread, shape=(task.k, task.d))
        parts = []
        for k in range(task.k):
            sd = pm.Gamma.dist(2, 2 / given.scale, shape=task.d)
            chol, _, _ = pm.LKJCholeskyCov(f"chol_{k}", n=task.d, eta=2, sd_dist=sd)
            parts.append(pm.MvNormal.dist(mu[k], chol=chol))
        pm.Mixture("x", w, parts, observed=given.x)
    return model


def explicit(task: Task, given: Given) -> pm.Model:
    """One feature only."""
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1.0] * task.k)
        mu, sigma = _one_feature(task, given)
        z = pm.Categorical("z", w, shape=task.n)
        pm.Normal("x", mu[z], sigma[z], observed=given.x[:, 0])
    return model


def start(task: Task, given: Given, chain: int) -> dict[str, Any]:
    """Where a chain begins, by the model's names."""
    begin = given.begin(chain, task.seed)
    if task.d == 1:
        return {"w": begin["w"], "mu": begin["mu"][:, 0], "sigma": begin["sigma"][:, 0]}
    lower = [(i, j) for i in range(task.d) for j in range(i + 1)]
    chol = begin["sigma"][:, :, None] * begin["corr"]
    packed = {f"chol_{k}": [chol[k, i, j] for i, j in lower] for k in range(task.k)}
    return {"w": begin["w"], "mu": begin["mu"], **packed}


def draws(task: Task, posterior: Any) -> dict[str, Any]:
    """``w``, ``mu`` and ``sigma`` out of a posterior."""
    import numpy as np

    found = {name: posterior[name].values for name in ("w", "mu")}
    if task.d == 1:
        return {**found, "sigma": posterior["sigma"].values}
    sd = [posterior[f"chol_{k}_stds"].values for k in range(task.k)]
    return {**found, "sigma": np.stack(sd, axis=2)}


def _one_feature(task: Task, given: Given) -> tuple[Any, Any]:
    mu = pm.Normal("mu", given.centre[0], given.spread[0], shape=task.k)
    sigma = pm.Gamma("sigma", 2, 2 / given.scale[0], shape=task.k)
    return mu, sigma
