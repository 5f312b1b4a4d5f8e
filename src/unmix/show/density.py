"""Component densities over a grid, read from Bayes' rule at grid points taken for observations.

No density is written here: `unmix.bayes_rule` with ``new=grid`` gives p(z = k | θ) and
p(x | z = k, θ) as the model declares them, whatever the family. With draws they are averaged over
a thinned set of them, components matched first.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from unmix.assign.draws import assign_draws
from unmix.derive import Derivation, bayes_rule
from unmix.derive.bayes import entropy
from unmix.derive.theta import SAMPLE_DIMS, stack_theta, theta_dataset
from unmix.errors import UnmixError
from unmix.show.numbers import share

Array = NDArray[np.float64]

INTERVAL = 0.89
FEW = 12  # draws drawn one by one


@dataclass(frozen=True)
class Densities:
    """Densities at grid points, averaged over draws where there are draws.

    Attributes
    ----------
    joint
        p(z = k) p(x | z = k), shape (point, component).
    likelihood
        p(x | z = k), shape (point, component).
    responsibility
        p(z = k | x), shape (point, component); NaN where no component reaches.
    overlap
        Entropy of the assignment given θ, nats, averaged over draws, shape (point,): what would be
        left of the entropy of `responsibility` if θ were known.
    lower, upper
        Equal-tailed bounds of the joint over draws, shape (point, component); None for one θ.
    each
        p(x | z = k) of a few of the draws, evenly spaced, shape (draw, point, component); None for
        one θ.
    draws
        Number of draws used; None for one θ.
    """

    joint: Array
    likelihood: Array
    responsibility: Array
    overlap: Array
    lower: Array | None
    upper: Array | None
    each: Array | None
    draws: int | None


def densities(
    derivation: Derivation,
    fit: Any,
    name: str,
    grid: NDArray,
    *,
    draws: int,
    reference: Array | None = None,
    interval: float = INTERVAL,
) -> Densities:
    """Densities of every component at the points of a grid.

    Parameters
    ----------
    derivation
        The model.
    fit
        Any θ.
    name
        The observed variable whose values the grid holds.
    grid
        Shape (point,) or (point, feature).
    draws
        At most so many draws, evenly spaced.
    reference
        Responsibilities (obs, component) whose labels the components are to have; without them,
        draws are averaged as they are.
    interval
        Probability of the bounds.

    Raises
    ------
    UnmixError
        If the model cannot be put on other rows by this variable alone, for example because its
        weights or means follow covariates.
    """
    theta = theta_dataset(fit)
    keep = thin(theta, draws)
    theta = theta.isel(keep)
    permutation = None if reference is None else match(derivation, theta, reference)
    bayes = bayes_rule(derivation.model, theta, new={name: grid})
    k = derivation.n_components
    points = len(grid)

    def term(variable: str) -> Array:
        values = bayes[variable].transpose(..., "obs", "component").to_numpy()
        values = values.reshape(-1, points, k)
        if permutation is not None:
            values = np.take_along_axis(values, permutation[:, None, :], axis=-1)
        return values

    with np.errstate(under="ignore"):
        joint, likelihood = np.exp(term("log_joint")), np.exp(term("log_likelihood"))
    r = term("responsibility")
    tail = (1 - interval) / 2
    many = len(joint) > 1
    return Densities(
        joint.mean(axis=0),
        likelihood.mean(axis=0),
        r.mean(axis=0),
        entropy(r).mean(axis=0),
        np.quantile(joint, tail, axis=0) if many else None,
        np.quantile(joint, 1 - tail, axis=0) if many else None,
        likelihood[:: -(-len(likelihood) // FEW)] if many else None,
        len(joint) if many else None,
    )


def try_densities(
    derivation: Derivation, fit: Any, name: str, grid: NDArray, draws: int, reference: Array
) -> Densities | None:
    """None where the model's rows cannot be replaced by values of one observed variable alone.

    Whether they can is tried on two points, or three where the data are two: as many points as data
    would be taken to have the data's covariates.
    """
    try:
        derivation.on({name: grid[: 2 + (derivation.n_obs == 2)]})
    except (UnmixError, ValueError, TypeError):
        return None
    return densities(derivation, fit, name, grid, draws=draws, reference=reference)


def averaged_words(found: Densities, *, bands: bool) -> str:
    """How densities of draws were averaged, for the note of a figure."""
    if found.draws is None:
        return ""
    of = f", {share(INTERVAL)} bands of the densities" if bands else ""
    return f"; means over {found.draws} draws{of}"


def thin(theta: xr.Dataset, draws: int) -> dict[str, NDArray]:
    """Positions along the last sample dim that leave at most about ``draws`` in all."""
    sample = [d for d in SAMPLE_DIMS if d in theta.dims]
    if not sample:
        return {}
    last = sample[-1]
    others = int(np.prod([theta.sizes[d] for d in sample[:-1]]))
    wanted = max(1, min(theta.sizes[last], draws // max(others, 1)))
    return {last: np.linspace(0, theta.sizes[last] - 1, wanted).astype(int)}


def match(derivation: Derivation, theta: xr.Dataset, reference: Array) -> NDArray | None:
    """Shape (sample, component): matched to the labels of the responsibilities shown."""
    stack = stack_theta(derivation, theta)
    if not stack.dims or not derivation.components.symmetric:
        return None
    return assign_draws(derivation, stack, None, np.nan_to_num(reference)).permutation
