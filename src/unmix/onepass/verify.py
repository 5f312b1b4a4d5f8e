"""The pass, held to the derived table before anyone uses it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.derive import bayes
from unmix.errors import UnmixError
from unmix.onepass.onepass import OnePass

# Rows that are looked at one by one, besides the extreme ones of each column. The kernels treat all
# rows alike, and a block is 512.
LOOKS = 1100
# Both compute the same sums of squares, the table through a triangular solve and the pass with the
# inverse factor, which lose digits with the condition of the covariance; a wrong formula is off by
# a part in ten or so.
TOLERANCE = 1e-6


def require_table(derivation: Any, onepass: OnePass) -> None:
    """Compare log p(z_i = k, x_i | θ) of both roads, row by row at two points; and their totals.

    The total is over all rows, a window of them at a time.

    Raises
    ------
    UnmixError
        If they differ: a defect of unmix, never of the model.
    """
    rng = np.random.default_rng(20261124)
    rows, table = _looked_at(derivation, rng)
    for _ in range(2):
        theta = derivation.space.jittered(rng)
        log_w, packed = onepass.recognised.pack(theta)
        require_same("compiled pass", onepass.joint_at(rows, log_w, packed), table(theta), rows)
    total, size = 0.0, 1.0
    for rows, joint in derivation.joint_windows(theta):
        log_marginal, _ = bayes.normalise(joint)
        if derivation.weight is not None:
            counted = derivation.weight[rows] > 0
            log_marginal = (derivation.weight[rows] * log_marginal)[counted]
        total += float(log_marginal.sum())
        size += float(np.abs(log_marginal).sum())
    summed = onepass.run(log_w, packed).log_marginal
    if not (abs(summed - total) <= TOLERANCE * size or not np.isfinite(total)):
        raise UnmixError(
            f"the compiled pass sums the rows to {summed:.12g} where the derived table gives "
            f"{total:.12g}: please report the model"
        )


def require_same(what: str, found: NDArray, table: NDArray, rows: NDArray) -> None:
    """Refuse log p(z_i = k, x_i | θ) that differ from the derived table's, both (row, component).

    Raises
    ------
    UnmixError
        With the first number that differs.
    """
    with np.errstate(invalid="ignore"):
        same = np.abs(found - table) <= TOLERANCE * (1.0 + np.abs(table))
    same |= (found == table) | (np.isnan(found) & np.isnan(table))
    if not same.all():
        i, k = (int(v) for v in np.argwhere(~same)[0])
        raise UnmixError(
            f"the {what} gives {found[i, k]:.12g} for row {rows[i]} and component {k} where the "
            f"derived table gives {table[i, k]:.12g}: please report the model"
        )


def _looked_at(
    derivation: Any, rng: np.random.Generator
) -> tuple[NDArray, Callable[[Any], NDArray]]:
    """Which rows, and the table of these at one θ, (row, component)."""
    if derivation.by_rows is not None:
        rows = derivation.by_rows.sample(rng, LOOKS)
        some = derivation.by_rows.on(rows)
        return rows, lambda theta: some.joint(theta, slice(None))
    rows = np.arange(derivation.n_obs)
    if len(rows) > LOOKS:
        rows = np.unique(rng.integers(len(rows), size=LOOKS))

    def table(theta: Any) -> NDArray:
        return next(joint for _, joint in derivation.joint_windows(theta))[rows]

    return rows, table
