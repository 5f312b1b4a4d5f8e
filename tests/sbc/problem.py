"""What a problem is: a prior, a story, and quantities that no relabelling changes.

Draws from the priors and the log-likelihoods are written in NumPy and SciPy (`sbc.problems`), so
that the declaration, its derivation and the sampler are all on the other side of the comparison.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pymc as pm
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import logsumexp

Array = NDArray[np.float64]
# A sample of parameters, (sample, component, …).
Theta = dict[str, Array]

K = 2


def as_x(x: Array) -> dict[str, Array]:
    """Rows as the one observed variable that most models have; a missing cell stands there as 0."""
    return {"x": np.nan_to_num(x)}


def weights(rng: Generator, size: int = 1, components: int = K) -> Array:
    """Uniform on the simplex, (sample, component)."""
    return rng.dirichlet(np.ones(components), size=size)


@dataclass(frozen=True)
class Problem:
    """A model to be calibrated.

    What has one z is a unit: a row, unless `unit_of` says which rows make one.

    Attributes
    ----------
    rows
        Observations in a data set.
    prior
        Draws of θ, from a generator and their number.
    data
        Rows given θ (a sample of one) and the z of each row.
    declare
        The model on rows.
    density
        log p(x_i | z_i = k, θ), (sample, row, component).
    level, spread
        A component's mean, and its mean square about zero or variance, (sample, component).
    number
        What its random numbers are seeded with, beside the simulation's own.
    method
        How it is fitted unless another is asked for, one of `sbc.fits.FITS`.
    weights
        p(z = k | θ), (sample, unit or 1, component).
    factors
        What else is known of z, (unit, component): labels; `prior` has to be that given them.
    unit_of
        Unit of each row, in the order in which rows first mention them.
    more
        Further quantities that no relabelling changes, of θ and of z (sample, unit).
    observed
        Rows as the model's observed variables, by name.
    usable
        Whether rows are to be fitted. Ranks are uniform given any rows, so what a function of these
        alone leaves out does not matter to them.
    example
        Rows that the model is declared on where its priors look at them; else the first simulation.
    """

    rows: int
    prior: Callable[[Generator, int], Theta]
    data: Callable[[Generator, Theta, NDArray], Array]
    declare: Callable[[Array], pm.Model]
    density: Callable[[Theta, Array], Array]
    level: Callable[[Theta], Array]
    spread: Callable[[Theta], Array]
    number: int
    method: str = "gibbs"
    weights: Callable[[Theta], Array] = lambda theta: theta["w"][:, None]
    factors: Array | None = None
    unit_of: NDArray | None = None
    more: Callable[[Theta, NDArray], dict[str, Array]] = lambda theta, z: {}
    observed: Callable[[Array], dict[str, Array]] = as_x
    usable: Callable[[Array], bool] = lambda x: True
    example: Array | None = None

    @property
    def units(self) -> int:
        """How many z there are."""
        return self.rows if self.unit_of is None else int(self.unit_of.max()) + 1

    def simulate(self, rng: Generator) -> tuple[Theta, NDArray, Array]:
        """θ, z and rows; θ and z as samples of one."""
        while True:
            theta = self.prior(rng, 1)
            p = self.weights(theta)[0] * (1.0 if self.factors is None else self.factors)
            below = np.cumsum(p / p.sum(axis=1, keepdims=True), axis=1)
            z = (rng.random(self.units)[:, None] >= below[:, :-1]).sum(axis=1)
            x = self.data(rng, theta, z if self.unit_of is None else z[self.unit_of])
            if self.usable(x):
                return theta, z[None], x

    def rows_to_declare(self) -> Array:
        """Rows that the model is declared on, once for all simulations."""
        if self.example is not None:
            return self.example
        return self.simulate(np.random.default_rng(0))[2]

    def joint(self, theta: Theta, x: Array) -> Array:
        """log p(z = k, x | θ) of each unit, (sample, unit, component)."""
        likelihood = self.density(theta, x)
        if self.unit_of is not None:
            of_unit = np.eye(self.units)[self.unit_of]
            likelihood = np.einsum("srk,ru->suk", likelihood, of_unit)
        with np.errstate(divide="ignore"):
            prior = np.log(self.weights(theta))
            known = 0.0 if self.factors is None else np.log(self.factors)
        return prior + known + likelihood

    def quantities(self, theta: Theta, z: NDArray, x: Array) -> dict[str, Array]:
        """Label-free quantities of a sample, (sample,) each."""
        joint = self.joint(theta, x)
        at_z = np.take_along_axis(joint, z[..., None].astype(int), axis=2)
        counts = np.stack([(z == k).sum(axis=1) for k in range(joint.shape[-1])])
        w = self.weights(theta).mean(axis=1)
        return {
            "log-likelihood": logsumexp(joint, axis=2).sum(axis=1),
            "log-density with z": at_z.sum(axis=(1, 2)),
            "largest weight": w.max(axis=1),
            "mean of the mixture": (w * self.level(theta)).sum(axis=1),
            "spread of the components": np.log((w * self.spread(theta)).sum(axis=1)),
            "rows in the largest": counts.max(axis=0).astype(float),
            **self.more(theta, z),
        }
