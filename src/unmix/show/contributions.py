r"""Which features pull a row to which component.

The log odds of the leading component a against another one k split into the prior's and one part
for each feature,

.. math::

    \log \frac{p(z_i = a \mid x_i, θ)}{p(z_i = k \mid x_i, θ)} = \log \frac{w_a}{w_k}
        + \sum_j \log \frac{p(x_{ij} \mid a, θ)}{p(x_{ij} \mid k, θ)},

exactly, where features are independent given z (Good 1950, *Probability and the Weighing of
Evidence*, calls a part the weight of evidence). Features of a multivariate normal are not: there
the parts are sequential, p(x_j | x_1, …, x_{j−1}, k) in the order of the columns, and another order
would share the same sum out otherwise. With :math:`Σ_k = L L^T` and :math:`u = L^{-1}(x - μ)`,

.. math:: \log p(x_j \mid x_{<j}, k) = -\tfrac12 u_j^2 + \log (L^{-1})_{jj} - \tfrac12 \log 2π.

Over draws every part is averaged as a logarithm, so that averages add up as the parts do.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from unmix.derive import Derivation
from unmix.show.observation import named_entries
from unmix.show.one_row import OneRow

EXACT = "independent given z"
SEQUENTIAL = "given those before it"
TOGETHER = "all its values together"
HALF_LOG_2_PI = 0.9189385332046727


@dataclass(frozen=True)
class Feature:
    """One cell of a row.

    Attributes
    ----------
    name, value
        What it is called, and what was observed.
    variable, position
        The observed variable, and where in a row of it.
    """

    name: str
    value: Any
    variable: str
    position: int


def features_of(derivation: Derivation, row: int) -> dict[str, list[Feature]]:
    """The cells of a row, by observed variable of the likelihood."""
    found: dict[str, list[Feature]] = {}
    opened = derivation.opened
    for name, index in derivation.table.index.items():
        found[name] = []
        if name not in opened.observed:
            continue
        data = np.asarray(derivation.data[opened.observed[name]].eval())
        if data.shape[: index.ndim] != index.shape:
            continue
        follows = index.reshape(index.shape + (1,) * (data.ndim - index.ndim)) == row
        mask = np.broadcast_to(follows, data.shape)
        found[name] = [
            Feature(label, value, name, at)
            for at, (label, value) in enumerate(named_entries(derivation, name, data, mask))
        ]
    return found


def log_parts(one: OneRow) -> tuple[list[str], list[str], NDArray[np.float64]]:
    """Log-densities of a row, feature by feature.

    Returns
    -------
    names, how
        Of each feature; and whether it stands alone, after those before it, or for several values.
    values
        log p(feature | …, k, θ_s), (sample, component, feature), raw labels; their sum over
        features is the row's log-likelihood.
    """
    names: list[str] = []
    how: list[str] = []
    values = []
    cells = features_of(one.here, one.row)
    for variable, part in one.parts().items():
        features = cells[variable]
        split = _sequential(one, variable, features) if part.shape[-1] == 1 else None
        if len(features) == part.shape[-1]:
            names += [f.name for f in features]
            how += [EXACT] * len(features)
        elif split is not None:
            part = split
            names += [f.name for f in features]
            how += [SEQUENTIAL] * len(features)
        else:
            many = part.shape[-1]
            names += [variable] if many == 1 else [f"{variable}[{j}]" for j in range(many)]
            how += [TOGETHER if len(features) > many else EXACT] * many
        values.append(part)
    return names, how, np.concatenate(values, axis=-1)


def _sequential(one: OneRow, variable: str, features: list[Feature]) -> NDArray | None:
    """Conditionals of a multivariate normal the pass knows, (sample, component, feature)."""
    recognised = one.fitted.recognised
    if isinstance(recognised, str) or len(features) < 2:
        return None
    term = next((t for t in recognised.terms if t.name == variable), None)
    if term is None or term.family.name != "MvNormal":
        return None
    d = term.d
    _, packed = recognised.pack_stack(one.stack.values)
    p = packed[:, :, term.parameters]
    inverse = np.zeros((*p.shape[:2], d, d))
    rows, columns = np.tril_indices(d)
    inverse[:, :, rows, columns] = p[:, :, d:-1]
    x = np.array([float(f.value) for f in features])
    u = np.matmul(inverse, (x - p[:, :, :d])[..., None])[..., 0]
    # A factor of a covariance may have negative entries on its diagonal.
    diagonal = np.abs(np.diagonal(inverse, axis1=-2, axis2=-1))
    found: NDArray = -0.5 * u**2 + np.log(diagonal) - HALF_LOG_2_PI
    return np.broadcast_to(found, (len(one.stack), *found.shape[1:]))


def contributions(
    one: OneRow,
    log_prior: NDArray,
    permutation: NDArray,
    leading: int,
    labels: NDArray,
    interval: float | None,
) -> xr.Dataset:
    """Log odds of the leading component against every other one, split by feature.

    Parameters
    ----------
    one
        The row.
    log_prior
        Its log prior at every draw, (sample, component), raw labels.
    permutation
        Raw component of each matched one, (sample, component).
    leading
        Position of the leading component among the matched ones.
    labels
        Names of the components.
    interval
        Mass of the interval over draws; None for one θ.

    Returns
    -------
    xarray.Dataset
        ``feature_pull`` ([summary,] against, feature), ``prior_pull`` and ``log_odds``
        ([summary,] against), nats; positive towards the leading component. ``how`` (feature).
    """
    names, how, parts = log_parts(one)
    parts = np.take_along_axis(parts, permutation[:, :, None], axis=1)
    prior = np.take_along_axis(log_prior, permutation, axis=1)
    others = [k for k in range(len(labels)) if k != leading]
    with np.errstate(invalid="ignore"):
        pull = parts[:, [leading]] - parts[:, others]
        of_prior = prior[:, [leading]] - prior[:, others]
        odds = of_prior + pull.sum(axis=-1)
    lead = () if interval is None else ("summary",)
    variables: dict[str, Any] = {
        "feature_pull": ((*lead, "against", "feature"), _summed(pull, interval)),
        "prior_pull": ((*lead, "against"), _summed(of_prior, interval)),
        "log_odds": ((*lead, "against"), _summed(odds, interval)),
        "how": ("feature", how),
    }
    coords: dict[str, Any] = {"against": labels[others], "feature": names}
    if interval is not None:
        coords["summary"] = ["mean", "lower", "upper"]
    return xr.Dataset(variables, coords=coords, attrs={"leading": labels[leading]})


def _summed(values: NDArray, interval: float | None) -> NDArray[np.float64]:
    if interval is None:
        return np.asarray(values[0])
    tails = [(1 - interval) / 2, (1 + interval) / 2]
    with np.errstate(invalid="ignore"):
        return np.concatenate([values.mean(axis=0)[None], np.quantile(values, tails, axis=0)])
