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
from unmix.derive.by_rows import ByRows
from unmix.errors import UnmixError

if TYPE_CHECKING:
    from unmix.derive.derivation import Derivation, Theta

# Both sides add the same numbers in different orders; linear algebra (a Cholesky factor of a
# product) loses a few digits more. A wrong table is off by whole log-likelihood differences.
RELATIVE = 1e-10
# In one row no other row's size hides what linear algebra loses.
ROW = 1e-9


@dataclass(frozen=True)
class Verification:
    """How a table was checked.

    Attributes
    ----------
    n_points
        Pairs (θ, z → z′), or (θ, z), at which the full log-density was compared.
    worst
        Largest disagreement, relative to the sum of the sizes of the terms.
    rows
        How many rows were compared, drawn at random and the extreme ones; None for all.
    """

    n_points: int
    worst: float
    rows: int | None = None

    def __str__(self) -> str:
        rows = f" of {self.rows:,} rows" if self.rows else ""
        return (
            f"against the model's full log-density at {self.n_points} random z{rows}, "
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
    if derivation.by_rows is not None:
        return _verify_by_rows(derivation, derivation.by_rows, thetas, rng)
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
                raise _differs(derivation, abs(full - table))
            worst = max(worst, error)
    if not points:
        raise _nothing_compared(derivation)
    return Verification(points, worst)


def _differs(derivation: "Derivation", by: float) -> UnmixError:
    return UnmixError(
        f"the table that unmix derived for {derivation.latent.name!r} differs from the model's "
        f"own log-density by {by:.3g}, so it is not used: please report this model"
    )


def _nothing_compared(derivation: "Derivation") -> UnmixError:
    return UnmixError(
        f"no assignment of {derivation.latent.name!r} has positive density at the points tried, "
        "so the table cannot be checked: give the model initvals at which its data are possible"
    )


def _verify_by_rows(
    derivation: "Derivation", by_rows: ByRows, thetas: "list[Theta]", rng: np.random.Generator
) -> Verification:
    """Row by row, where rows are proved to stay apart: no row can hide another.

    Each row's own entries must add up to the table's log p(z_i, x_i | θ), which asks for more than
    that two sums change alike. Rows that are proved apart are one function of θ, z_i and x_i, so
    that where each is slow some of many do.
    """
    worst, points, looked_at = 0.0, 0, 0
    for theta in thetas:
        compared, looked_at = 0, 0
        for rows in by_rows.verified(rng):
            joint = by_rows.joint(theta, rows)
            looked_at += len(joint)
            for _ in range(2):
                z = rng.integers(joint.shape[1], size=len(joint))
                found = by_rows.elements(theta, z, rows).values()
                parts = [np.asarray(v).reshape(len(z), -1) for v in found]
                full = np.sum([v.sum(axis=1) for v in parts], axis=0)
                size = 1.0 + np.sum([np.abs(v).sum(axis=1) for v in parts], axis=0)
                table = joint[np.arange(len(z)), z]
                with np.errstate(invalid="ignore"):
                    error = np.where(full == table, 0.0, np.abs(full - table) / size)
                finite = np.isfinite(full) & np.isfinite(table)
                # An impossible row has infinite size, and nothing but its own infinity agrees.
                alike = (full == table) | (np.isnan(full) & np.isnan(table))
                wrong = np.where(finite, ~(error <= ROW), ~alike)
                if wrong.any():
                    raise _differs(derivation, float(np.abs(full - table)[wrong].max()))
                compared += int(finite.sum())
                worst = max(worst, float(error[finite].max(initial=0.0)))
        points += 2 * (compared > 0)
    if not points:
        raise _nothing_compared(derivation)
    return Verification(points, worst, looked_at if looked_at < by_rows.n_obs else None)


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
