r"""Measurement errors that are known: each row is its component's draw and noise of its own.

.. math:: x_i \mid z_i = k \sim \operatorname{Normal}(μ_k, Σ_k + S_i)

with S_i the covariance of the errors of row i (Bovy, Hogg and Roweis 2011, Annals of Applied
Statistics 5:1657). μ and Σ are those of the true values, free of the errors.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.by_row import by_row, named
from unmix.errors import UnmixError

from .by_name import by_name  # noqa: TID251  ruff takes siblings for the banned root name


def read(error: Any, rows: NDArray, features: Sequence[str]) -> NDArray:
    """Check measurement errors.

    Parameters
    ----------
    error
        Standard deviations (obs,), the same for every feature; (obs, feature); or covariances
        (obs, feature, feature).
    rows
        Names of the rows.
    features
        Names of the columns.

    Returns
    -------
    numpy.ndarray
        In the shape that it came in.

    Raises
    ------
    UnmixError
        For another shape, cells that are negative or not finite, or covariances that are none; the
        rows are named.
    """
    given = by_row("error", by_name("error", error, columns=features), rows)
    d = len(features)
    try:
        s = given.astype(np.float64)
    except (TypeError, ValueError):
        raise UnmixError("error holds cells that are no numbers: convert or fill them") from None
    if s.ndim > 1 and s.shape[1:] == (1,) * (s.ndim - 1) and d == 1:
        s = np.sqrt(s[:, 0, 0]) if s.ndim == 3 else s[:, 0]
    if s.shape[1:] not in ((), (d,), (d, d)) or (s.ndim == 3 and d == 1):
        raise UnmixError(
            f"error has shape {s.shape} for {len(rows)} rows of {d} features: give standard "
            "deviations (obs,) or (obs, feature), or covariances (obs, feature, feature)"
        )
    flat = s.reshape(len(s), -1)
    wrong = ~np.isfinite(flat).all(axis=1)
    if s.ndim < 3:
        wrong |= (flat < 0).any(axis=1)
    if wrong.any():
        raise UnmixError(
            f"error is negative or not a finite number in {named(rows, wrong)}: give standard "
            "deviations, 0 where there is no error"
        )
    if s.ndim == 3:
        size = 1e-9 * np.abs(flat).max(axis=1, initial=0.0)
        wrong = np.abs(s - s.swapaxes(1, 2)).max(axis=(1, 2)) > size
        wrong |= np.linalg.eigvalsh((s + s.swapaxes(1, 2)) / 2)[:, 0] < -size
        if wrong.any():
            raise UnmixError(
                f"error is no covariance matrix in {named(rows, wrong)}: give symmetric matrices "
                "without negative eigenvalues"
            )
    return s


def as_covariances(s: NDArray, features: int) -> NDArray:
    """Errors as covariances (obs, feature, feature)."""
    if s.ndim == 3:
        return s
    deviations = np.broadcast_to(s.reshape(len(s), -1), (len(s), features))
    return np.square(deviations)[:, :, None] * np.eye(features)
