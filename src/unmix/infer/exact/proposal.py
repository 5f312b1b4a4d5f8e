r"""A mixture of multivariate t distributions, fitted to draws and judged by them.

With draws y_s from q and weights ω_s ∝ p(y_s | x) / q(y_s), one draw of q is worth

.. math:: \frac{E_q[ω]^2}{E_q[ω^2]} = \frac{E_q[ω]}{E_p[ω]}

independent ones (Kong 1992; for the independence sampler Liu 1996, Statistics and Computing 6:113).
The left side needs draws of q only, and cannot know of what q never reaches; the right side takes
its denominator from draws of the posterior, which can.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

Array = NDArray[np.float64]

# Degrees of freedom to choose from.
FREEDOM = (5.0, 12.0, 30.0)
# Components of the mixture; effective draws that each takes for a dimension; iterations of EM.
BENDS, ENOUGH, STEPS = 4, 3, 20
# A sweep proposes with a probability of the efficiency, at most the second; below the first, never.
LEAST, MOST = 0.1, 0.9


@dataclass(frozen=True, eq=False)
class Proposal:
    """A mixture of multivariate t distributions over y.

    Attributes
    ----------
    nu
        Degrees of freedom.
    log_share
        Log-weight of each mode, (mode,).
    centres, factors
        Places (mode, dimension) and lower triangular factors (mode, dimension, dimension).
    groups
        Exchangeable components have the same number, (component,).
    key
        Where the coordinate that sorts them begins in θ, and its stride.
    efficiency
        How many independent draws one of it is worth.
    """

    nu: float
    log_share: Array
    centres: Array
    factors: Array
    groups: NDArray[np.int64]
    key: NDArray[np.int64]
    efficiency: float

    @property
    def share(self) -> float:
        """Share of sweeps that propose."""
        return min(self.efficiency, MOST) if self.efficiency >= LEAST else 0.0

    def arrays(self) -> dict[str, NDArray]:
        """To be stored."""
        return {f.name: np.asarray(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_arrays(cls, held: dict[str, NDArray]) -> "Proposal":
        """The same, read back."""
        return cls(
            float(held["nu"]), held["log_share"], held["centres"], held["factors"],
            held["groups"], held["key"], float(held["efficiency"]),
        )  # fmt: skip

    def log_density(self, y: Array, nu: float | None = None) -> Array:
        """Log q of points (point, dimension)."""
        nu, p = self.nu if nu is None else nu, self.centres.shape[1]
        each = []
        for log_share, centre, factor in zip(
            self.log_share, self.centres, self.factors, strict=True
        ):
            # Not BLAS: handing a product this small to its threads costs more than the product.
            apart = np.einsum("ij,sj->si", np.linalg.inv(factor), y - centre)
            power = 0.5 * (nu + p) * np.log1p((apart**2).sum(axis=1) / nu)
            each.append(log_share - np.log(np.diag(factor)).sum() - power)
        constant = gammaln(0.5 * (nu + p)) - gammaln(0.5 * nu) - 0.5 * p * np.log(nu * np.pi)
        return np.asarray(logsumexp(each, axis=0)) + constant

    def draw(self, count: int, rng: np.random.Generator) -> Array:
        """Points from q, (point, dimension)."""
        mode = rng.choice(len(self.log_share), size=count, p=np.exp(self.log_share))
        wide = np.sqrt(self.nu / rng.chisquare(self.nu, size=count))
        normal = rng.standard_normal((count, self.centres.shape[1]))
        return self.centres[mode] + np.einsum(
            "sij,sj->si", self.factors[mode], wide[:, None] * normal
        )


def judged(proposal: Proposal, y: Array, height: Array) -> Proposal:
    """The proposal at its best degrees of freedom, and what it is worth, from draws of it."""
    weight = height - proposal.log_density(y)
    chosen = proposal
    for nu in FREEDOM:
        # Of another q', from these draws: E ω' = E ω and E' ω'² = E ω ω'.
        other = height - proposal.log_density(y, nu)
        both = 2 * logsumexp(weight) - np.log(len(y)) - logsumexp(weight + other)
        if np.exp(both) > chosen.efficiency:
            chosen = replace(proposal, nu=nu, efficiency=float(np.exp(both)))
    return chosen


def fit(
    proposal: Proposal, y: Array, weight: Array, effective: float, rng: np.random.Generator
) -> Proposal | None:
    """A mixture of t distributions fitted to weighted points by EM; None where they are too few.

    Parameters
    ----------
    proposal
        The one before.
    y, weight
        Points (point, dimension) and weights that sum to one.
    effective
        How many independent draws they are worth.
    rng
        Chooses where the mixture's components begin.
    """
    size = y.shape[1]
    modes = int(min(BENDS, effective // (ENOUGH * size)))
    if modes < 1:
        return None
    try:
        return _mixture(proposal, y, weight, effective, modes, rng)
    except np.linalg.LinAlgError:  # points on a plane
        return None


def _mixture(
    proposal: Proposal,
    y: Array,
    weight: Array,
    effective: float,
    modes: int,
    rng: np.random.Generator,
) -> Proposal:
    """EM from points drawn as centres."""
    size = y.shape[1]
    centre = weight @ y
    whole = _scatter(weight, y - centre)
    before = proposal.factors[0] @ proposal.factors[0].T
    # Few points know a covariance poorly: each is mixed with that of all of them, and that one with
    # the one before.
    trust = effective / (effective + ENOUGH * size)
    whole = trust * whole + (1 - trust) * before
    factors = np.repeat(np.linalg.cholesky(whole)[None], modes, axis=0)
    centres = (
        y[rng.choice(len(y), size=modes, replace=False, p=weight)] if modes > 1 else centre[None]
    )
    fitted = replace(
        proposal, nu=FREEDOM[-1], log_share=np.full(modes, -np.log(modes)), centres=centres,
        factors=factors, efficiency=0.0,
    )  # fmt: skip
    for _ in range(0 if modes == 1 else STEPS):
        each = np.stack([
            replace(fitted, log_share=fitted.log_share[[m]], centres=fitted.centres[[m]],
                    factors=fitted.factors[[m]]).log_density(y)
            for m in range(modes)
        ])  # fmt: skip
        r = np.exp(each - logsumexp(each, axis=0)) * weight
        mass = r.sum(axis=1)
        places, spreads = [], []
        for m in range(modes):
            here = r[m] / mass[m]
            apart = y - here @ y
            own = 1.0 / float(here @ here)
            trust = own / (own + ENOUGH * size)
            covariance = trust * _scatter(here, apart) + (1 - trust) * whole
            places.append(here @ y)
            spreads.append(np.linalg.cholesky(covariance))
        fitted = replace(
            fitted, log_share=np.log(mass / mass.sum()), centres=np.array(places),
            factors=np.array(spreads),
        )  # fmt: skip
    return fitted


def _scatter(weight: Array, apart: Array) -> Array:
    return np.asarray(np.einsum("s,si,sj->ij", weight, apart, apart))
