"""`method="pymc"`: z stays in the chain, under PyMC's own steps.

PyMC proposes one element of z at a time and evaluates the whole model for it, so this is slow and
for small N only. Its use is that it knows nothing of the table that unmix derives: where both
methods agree, the table cannot be why.
"""

import warnings
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import NDArray

from unmix.derive import Derivation


def run_pymc(
    derivation: Derivation,
    *,
    draws: int,
    tune: int,
    chains: int,
    cores: int | None,
    seed: int,
    progress: bool,
    **kwargs: Any,
) -> tuple[xr.Dataset, xr.Dataset, NDArray, bool]:
    """Sample θ and z together.

    Returns
    -------
    posterior, sample_stats
        Dims (chain, draw, …), without z.
    z
        Assignments, shape (chain, draw, obs).
    interrupted
        Whether it was stopped before all draws were made.
    """
    name = derivation.latent.name
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="PyTensor could not link to a BLAS")
        warnings.filterwarnings("ignore", message=".*fork.*", category=DeprecationWarning)
        tree = pm.sample(
            draws=draws, tune=tune, chains=chains, cores=cores, random_seed=seed,
            model=derivation.model, progressbar=progress, compute_convergence_checks=False,
            discard_tuned_samples=True, **kwargs,
        )  # fmt: skip
    posterior = tree["posterior"].to_dataset()
    z = posterior[name].transpose("chain", "draw", ...).values
    z = z.reshape(*z.shape[:2], derivation.n_obs)
    stats = tree["sample_stats"].to_dataset()
    numeric = [v for v in stats.data_vars if stats[v].dtype.kind in "fiub"]
    interrupted = posterior.sizes["draw"] < draws
    return posterior.drop_vars(name), stats[numeric], np.asarray(z), interrupted
