"""Rows of numbers, and what normal components say of them: shared by the stories of this folder.

    x_i | z_i = k  ~ Normal(mu_k, sigma_k)                 one feature, or features apart
    x_i | z_i = k  ~ MvNormal(mu_k, Σ_k)                   features that hang together

where Σ_k has the standard deviations sigma_k and the correlations corr_k corr_kᵀ.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
from numpy.typing import NDArray

from unmix.arguments import one_of
from unmix.rows import Rows, as_rows

from .by_name import per_column  # noqa: TID251  ruff takes siblings for the banned root name
from .held import Held  # noqa: TID251
from .normals import observe as observe_normals  # noqa: TID251
from .parts import positive  # noqa: TID251


@dataclass(frozen=True)
class Measure:
    """The data's own scale, in which default priors are written: a change of units changes nothing.

    Attributes
    ----------
    centre
        Middle of the data's range, shape () or (feature,).
    spread
        Length of that range.
    scale
        Standard deviation of the data; None where all that a story asks for was given.
    """

    centre: Any
    spread: Any
    scale: Any = None


def normal_rows(x: Any, **given: Any) -> tuple[Rows, Measure]:
    """Rows, and the scale of priors: what is given, and the data's own where it is None.

    Raises
    ------
    UnmixError
        As `unmix.rows.as_rows`; a column may be constant where the whole scale is given.
    """
    rows = as_rows(x, missing=True, constant=all(v is not None for v in given.values()))
    values = rows.values
    chosen = {
        name: per_column(name, value, rows.features, above=-np.inf if name == "centre" else 0)
        for name, value in given.items()
        if value is not None
    }
    if len(chosen) < len(given):  # else columns may have no cell at all
        low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
        own = {"centre": (low + high) / 2, "spread": high - low, "scale": np.nanstd(values, axis=0)}
        # One row alone has no scale; any will do, as its priors are of no use.
        own = {k: np.where(v > 0, v, 1.0)[()] if k != "centre" else v for k, v in own.items()}
        chosen = {**own, **chosen}
    return rows, Measure(**chosen)


def coordinates(rows: Rows, names: Sequence[Any], **more: Any) -> dict[str, Any]:
    """Coordinates of a model of these rows; of one feature only figures use the name."""
    return {"component": names, "feature": rows.features, **more}


def by_feature(rows: Rows, *dims: str) -> tuple[str, ...]:
    """Dims of a parameter that each feature has one of."""
    return dims if rows.values.ndim == 1 else (*dims, "feature")


def observe(
    values: NDArray[np.float64],
    z: Any,
    mu: Any,
    sigma: Any,
    covariance: str,
    correlation: float,
    held: Held,
) -> None:
    """Declare ``x``, inside a ``with`` block.

    Parameters
    ----------
    values
        Rows, (obs,) or (obs, feature); NaN where a cell is missing.
    z
        Component of each row.
    mu, sigma
        Graphs (component[, feature]).
    covariance
        ``"full"`` adds ``corr``, Cholesky factors of one correlation matrix a component.
    correlation
        LKJ shape of its prior.
    held
        What parameters are held at.
    """
    one_of("covariance", covariance, ("full", "diagonal"))
    k, corr = len(pm.modelcontext(None).coords["component"]), None
    if values.ndim == 2 and covariance == "full":
        eta = positive("correlation", correlation)
        corr = held.correlations("corr", (k,), values.shape[1], eta)
    observe_normals(values, z, mu, sigma, corr, normals=k)
