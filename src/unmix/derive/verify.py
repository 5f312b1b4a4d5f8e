"""The derived table against the model's own log-density.

If the table is right, then for any θ and any two assignments z and z′

    log p(x, z′, θ) − log p(x, z, θ)
        = Σ_i [log p(z_i = z′_i | θ) + log p(x_i | z_i = z′_i, θ)] − the same at z.

The left side is PyMC's full log-density, which has never been vectorised over components nor
gathered onto observations. Equal infinities agree.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmix.derive import bayes
from unmix.errors import UnmixError

if TYPE_CHECKING:
    from unmix.derive.derivation import Derivation, Theta

# Both sides add the same numbers in different orders; linear algebra (a Cholesky factor of a
# product) loses a few digits more. A wrong table is off by whole log-likelihood differences.
RELATIVE = 1e-10


@dataclass(frozen=True)
class Verification:
    """How a table was checked.

    Attributes
    ----------
    n_points
        Pairs (θ, z → z′) at which the full log-density was compared.
    worst
        Largest disagreement, relative to the sum of the sizes of the terms.
    """

    n_points: int
    worst: float

    def __str__(self) -> str:
        return (
            f"against the model's full log-density at {self.n_points} random changes of z, "
            f"largest relative disagreement {self.worst:.1e}"
        )


def verify(
    derivation: "Derivation", thetas: "list[Theta]", rng: np.random.Generator
) -> Verification:
    """Compare the table with the full log-density at random feasible ``z``.

    Raises
    ------
    UnmixError
        If they disagree anywhere.
    """
    n, k = derivation.n_obs, derivation.n_components
    rows = np.arange(n)
    worst, points = 0.0, 0
    for theta in thetas:
        stacked = {name: np.asarray(value)[None] for name, value in theta.items()}
        log_joint = bayes.joint(*derivation.log_terms(stacked))[0]
        log_joint = np.broadcast_to(log_joint, (n, k))
        best = log_joint.argmax(axis=1)
        changes = [rng.integers(k, size=n)]
        # Few changes at a time as well: in a full random z one impossible row hides all others.
        for _ in range(3):
            z = best.copy()
            z[rng.integers(n, size=min(n, 3))] = rng.integers(k, size=min(n, 3))
            changes.append(z)
        base = derivation.elements(theta, best)
        for z in changes:
            moved = derivation.elements(theta, z)
            full, size = _difference(moved, base)
            with np.errstate(invalid="ignore"):
                table = float(np.sum(log_joint[rows, z] - log_joint[rows, best]))
            if np.isnan(full):
                continue  # both ends impossible: nothing was compared, so nothing is counted
            points += 1
            if np.isinf(full) and full == table:
                continue
            error = abs(full - table) / size
            if not error <= RELATIVE:
                raise UnmixError(
                    "the table that unmix derived for "
                    f"{derivation.latent.name!r} differs from the model's own log-density by "
                    f"{abs(full - table):.3g}, so it is not used: please report this model"
                )
            worst = max(worst, error)
    if not points:
        raise UnmixError(
            f"no assignment of {derivation.latent.name!r} has positive density at the points "
            "tried, so the table cannot be checked: give the model initvals at which its data are "
            "possible"
        )
    return Verification(points, worst)


def _difference(moved: dict, base: dict) -> tuple[float, float]:
    """Change of the sum of all terms, and the sum of their sizes (at least one)."""
    change, size = 0.0, 1.0
    for name, value in moved.items():
        before = np.asarray(base[name], dtype=float)
        after = np.asarray(value, dtype=float)
        with np.errstate(invalid="ignore"):
            change += float(np.sum(np.where(after == before, 0.0, after - before)))
        finite = np.isfinite(after) & np.isfinite(before)
        size += float(np.sum(np.abs(after[finite]) + np.abs(before[finite])))
    return change, size
