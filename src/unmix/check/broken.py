"""Three deliberately wrong ways to Bayes' rule, for `unmix demo --break`. Never used otherwise.

A check is worth something only to one who has seen it fail. Each mistake here is one that is
easily made and hard to notice: rows still sum to one, pictures still look right.

    weights    p(z=k | x) ∝ p(x | z=k)             the mixing weights are forgotten
    variance   p(x | z=k) = Normal(mu_k, sigma_k²)  the variance where the sd should be
    sticky     z_t = z_{t−1} one time in ten        draws that were not made afresh

The first two replace the table of Bayes' rule itself: responsibilities, drawn assignments and all
that is made of them agree with each other and are wrong. What can tell is the model's own full
log-density, which knows nothing of the table. The third leaves the table alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import NDArray

from unmix.derive import Derivation, derive
from unmix.derive import deriving as room
from unmix.derive.derivation import Theta
from unmix.errors import UnmixError

Array = NDArray[np.float64]

BREAKS = {
    "weights": "the mixing weights are forgotten in Bayes' rule",
    "variance": "Bayes' rule takes the variance where the standard deviation should be",
    "sticky": "one z in ten is not drawn afresh but kept from the draw before",
}


def weights_forgotten(log_prior: Array, log_likelihood: Array) -> tuple[Array, Array]:
    """Wrong: every component is equally likely before the data are seen."""
    return np.full_like(log_prior, -np.log(log_prior.shape[-1])), log_likelihood


def variance_for_sd(theta: Theta) -> dict[str, NDArray]:
    """Wrong: sigma² where sigma belongs."""
    return {name: value**2 if name == "sigma" else value for name, value in theta.items()}


def sticky(rng: np.random.Generator, z: NDArray, share: float = 0.1) -> NDArray:
    """Wrong: some z, shape (chain, draw, obs), keep the value of the draw before."""
    z = z.copy()
    for draw in range(1, z.shape[1]):
        kept = rng.random(z[:, draw].shape) < share
        z[:, draw][kept] = z[:, draw - 1][kept]
    return z


class _Broken(Derivation):
    # The compiled pass would be held to the wrong table, and refuse it.
    recognised = "a wrong rule was asked for"
    onepass = parts = None


class _WeightsForgotten(_Broken):
    def log_terms(self, theta: Theta) -> tuple[NDArray, NDArray]:
        return weights_forgotten(*super().log_terms(theta))


class _VarianceForSd(_Broken):
    def log_terms(self, theta: Theta) -> tuple[NDArray, NDArray]:
        return super().log_terms(variance_for_sd(theta))


_TABLES = {"weights": _WeightsForgotten, "variance": _VarianceForSd}


@contextmanager
def wrong_rule(model: pm.Model, name: str) -> Iterator[None]:
    """Within, everything that asks for this model's Bayes' rule is given a wrong one.

    Parameters
    ----------
    model
        The declared mixture. With "variance", its scale parameter is called ``sigma``.
    name
        One of `BREAKS`. Of "sticky" the table is right, and nothing is done here.

    Raises
    ------
    UnmixError
        If there is no such break.
    """
    if name not in BREAKS:
        raise UnmixError(f"there is no break {name!r}: choose {', '.join(BREAKS)}")
    right = derive(model)
    if name in _TABLES:
        parts = {field.name: getattr(right, field.name) for field in fields(right)}
        parts["table"] = replace(right.table, by_rows=None)  # else it would be asked past log_terms
        room._known[model] = (room._data_state(model), _TABLES[name](**parts))
    try:
        yield
    finally:
        room._known[model] = (room._data_state(model), right)


def broken_draws(model: pm.Model, post: xr.DataTree, name: str, seed: int) -> xr.DataTree:
    """The same draws of θ, with z as a program would have drawn it that holds the mistake.

    Parameters
    ----------
    model
        The declared mixture; call within `wrong_rule`.
    post
        From `unmix.sample`.
    name
        One of `BREAKS`.
    seed
        For the drawing.
    """
    from unmix.assign import draw_assignments
    from unmix.fingerprint import fingerprint

    rng = np.random.default_rng(seed)
    z = draw_assignments(model, post, rng=rng)
    if name == "sticky":
        z = z.map(lambda v: v.copy(data=sticky(rng, v.to_numpy())))
    wrong = xr.DataTree.from_dict({**post.to_dict(), "/assignments": z})
    # It would also have noted the fingerprint of its own table.
    wrong.attrs = {**post.attrs, "fingerprint": fingerprint(derive(model))}
    return wrong
