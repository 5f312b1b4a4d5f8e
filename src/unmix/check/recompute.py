"""Responsibilities from the model's full log-density, without the derived table.

For one draw and one row, log p(x, z, θ) with z_i set to each k in turn, and everything else left
as drawn, differs between components by exactly the log joint of row i:

    p(z_i = k | x_i, θ) = exp[log p(x, z_{i→k}, θ)] / Σ_j exp[log p(x, z_{i→j}, θ)]

PyMC evaluates the left side as it would for any model; weights forgotten in the table, a variance
for a standard deviation, rows out of step with z, all show here.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.check.verdict import TestOutcome
from unmix.derive import Derivation, bayes
from unmix.derive.theta import Stack, stack_theta
from unmix.errors import UnmixError


@dataclass(frozen=True)
class Recomputed:
    """Cells of which both roads were evaluated.

    Attributes
    ----------
    sample, obs
        Which (draw, row) pairs.
    table, full
        Responsibilities from the table and from the full log-density, shape (cell, component).
    tolerance
        What rounding in the full log-density allows, shape (cell,).
    """

    sample: NDArray[np.int64]
    obs: NDArray[np.int64]
    table: NDArray[np.float64]
    full: NDArray[np.float64]
    tolerance: NDArray[np.float64]

    def outcome(self) -> TestOutcome:
        """Exact comparison: a p-value of 1 or 0."""
        worst = np.abs(self.table - self.full).max(axis=1)
        ok = worst <= self.tolerance  # False also where either is NaN
        return TestOutcome(
            name="table against full model",
            statistic=float(np.max(np.where(np.isnan(worst), np.inf, worst))),
            p_value=1.0 if ok.all() else 0.0,
            reference=f"largest difference of r over {len(ok)} (draw, obs) pairs; rounding only",
            n_used=len(ok),
            catches="weights forgotten, a wrong density, rows out of step with z",
        )


def recompute(
    derivation: Derivation,
    stack: Stack,
    everything: Stack,
    z: NDArray,
    cells: int,
    rng: np.random.Generator,
) -> Recomputed:
    """Evaluate both roads on a random subset of (draw, row) pairs.

    Half of the rows are drawn among the most uncertain ones of their draw, where a wrong table
    shows; in well-separated data most rows have responsibilities of 0 and 1 under any table.

    Parameters
    ----------
    stack
        The parameters that the table depends on.
    everything
        All parameters, for the full log-density.
    z
        Drawn assignments, shape (sample, obs).
    """
    samples = rng.integers(len(stack), size=cells)
    k, n = derivation.n_components, derivation.n_obs
    obs = rng.integers(n, size=cells)
    table = np.empty((cells, k))
    full = np.empty((cells, k))
    tolerance = np.empty(cells)
    for c, s in enumerate(samples):
        r = derivation.bayes(stack[slice(s, s + 1)]).responsibility[0]
        if c % 2:
            doubt = bayes.entropy(r)
            top = np.argsort(-np.nan_to_num(doubt, nan=np.inf))[: max(1, n // 10)]
            obs[c] = rng.choice(top)
        table[c] = r[obs[c]]
        theta = everything.point(s)
        at = z[s].astype(np.int64).copy()
        density = np.empty(k)
        size = 0.0
        for component in range(k):
            at[obs[c]] = component
            elements = derivation.elements(theta, at)
            density[component] = sum(float(np.sum(v)) for v in elements.values())
            size = max(
                size,
                sum(float(np.sum(np.abs(v[np.isfinite(v)]))) for v in map(np.asarray,
                    elements.values())),
            )  # fmt: skip
        full[c] = bayes.normalise(density)[1]
        # Rounding of a sum of terms of this total size; |dr| <= |d log-odds| / 4.
        tolerance[c] = 1e-9 + 64 * np.finfo(float).eps * size
    return Recomputed(samples, obs, table, full, tolerance)


def full_stack(derivation: Derivation, fit: Any) -> Stack | None:
    """All parameters of a fit; None where it holds only those the table depends on."""
    try:
        return stack_theta(derivation, fit, derivation.parameters)
    except UnmixError:
        return None
