r"""Draws from the model's prior, and the data it would make: what was said before data were seen.

.. math:: θ \sim p(θ), \qquad z \mid θ, \qquad \tilde x \mid z, θ
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pymc as pm
import xarray as xr
from pymc.distributions.transforms import ChainedTransform, Ordered
from pytensor.compile.mode import Mode

from unmix.arguments import random_generator, whole
from unmix.derive import Derivation, derive
from unmix.derive.compiling import without_c
from unmix.derive.latent import z_dtype
from unmix.derive.present import present_in
from unmix.errors import UnmixError, UnmixWarning
from unmix.infer.tree import observed_data
from unmix.recipe import recipe_of


def prior_predictive(
    model: pm.Model | None = None,
    *,
    draws: int = 500,
    rng: int | np.random.Generator | None = None,
) -> xr.DataTree:
    """Draw parameters, assignments and data from the model's prior.

    A prior is judged by the data that it makes: declared on data's own scale it should cover them,
    and not the moon as well (Gelman, Simpson and Betancourt 2017, Entropy 19:555).

    Parameters
    ----------
    model
        The declared mixture; found in the ``with`` block when left out.
    draws
        How many.
    rng
        Seed or generator.

    Returns
    -------
    xarray.DataTree
        ``prior`` (θ), ``assignments`` (z; chain, draw, obs), ``prior_predictive`` (simulated data,
        with the dims of the observed variables), ``observed_data``; one chain. Labels of components
        are those of the declaration.

    Raises
    ------
    UnmixError
        If the model has a potential, which is no distribution to draw from, or a prior cannot be
        drawn from.

    Warns
    -----
    UnmixWarning
        If a parameter is held in order by its transform: draws are not.
    """
    draws = whole("draws", draws)
    generator = random_generator(rng)
    derivation = derive(model)
    model = derivation.model
    if derivation.opened.label_terms:
        raise UnmixError(
            "the model knows the labels of some rows, and a prior is of rows that nobody has "
            "looked at: build the model without labels and draw from that"
        )
    if model.potentials and recipe_of(model).name:
        raise UnmixError(
            "hyperparameters of the model learn from a parameter that is fixed, so that they "
            "cannot be drawn from their priors: build the model without fixed and draw from that"
        )
    if model.potentials:
        raise UnmixError(
            f"the model has a potential, {model.potentials[0].name!r}, from which nothing can be "
            "drawn: declare it as a distribution, such as pm.CustomDist with random=..."
        )
    _warn_of_order(model)
    try:
        with without_c(), _quiet("pymc.sampling.forward"):
            drawn = pm.sample_prior_predictive(
                draws,
                model=model,
                random_seed=int(generator.integers(2**31)),
                # A few hundred evaluations are not worth compiling to machine code.
                compile_kwargs={"mode": Mode(linker="py", optimizer="fast_compile")},
            )
    except (NotImplementedError, ValueError, TypeError) as error:
        said = str(error).strip().splitlines()[0]
        raise UnmixError(f"the prior cannot be drawn from ({said}): give it proper numbers") from (
            error
        )
    return _tree(derivation, drawn)


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Without PyMC's list of all that it draws."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _tree(derivation: Derivation, drawn: xr.DataTree) -> xr.DataTree:
    name = derivation.latent.name
    prior = drawn["prior"].to_dataset()
    z = prior[name].transpose("chain", "draw", ...).to_numpy()
    samples = {"chain": prior["chain"].to_numpy(), "draw": prior["draw"].to_numpy()}
    theta = [n for n in derivation.parameters if n in prior]
    assignments = xr.Dataset(
        {
            name: (
                ("chain", "draw", "obs"),
                z.reshape(*z.shape[:2], -1).astype(z_dtype(derivation.n_components)),
            )
        },
        coords={**samples, "obs": derivation.obs_labels},
    )
    return xr.DataTree.from_dict(
        {
            "prior": prior[theta],
            "assignments": assignments,
            "prior_predictive": _where_present(derivation, drawn["prior_predictive"].to_dataset()),
            "observed_data": observed_data(derivation),
        }
    )


def _where_present(derivation: Derivation, drawn: xr.Dataset) -> xr.Dataset:
    """Simulated data, missing where the model's own cells are."""
    found = {}
    for name, values in drawn.data_vars.items():
        present = present_in(derivation.model, str(name))
        found[name] = values if present is None else values.where(present)
    return drawn.assign(found)


def _warn_of_order(model: pm.Model) -> None:
    for rv in model.free_RVs:
        transform = model.rvs_to_transforms.get(rv)
        parts = transform.transform_list if isinstance(transform, ChainedTransform) else [transform]
        if any(isinstance(part, Ordered) for part in parts):
            warnings.warn(
                f"{rv.name!r} is held in order by its transform, which draws from the prior know "
                "nothing of: read them whatever components are called",
                UnmixWarning,
                stacklevel=3,
            )
