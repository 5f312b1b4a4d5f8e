"""What one column of a table may be drawn from, given the component: the families of `mixed`.

Each is a few lines: parameters by component, named after the column, with the priors of the
catalogue's model of that family; then the observed variable.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
from numpy.typing import NDArray

from unmix.counts import as_counts, as_waits
from unmix.derive.present import NEVER
from unmix.errors import UnmixError
from unmix.levels import Level, as_cells, codes_of, levels_of, require_telling, there
from unmix.printable import printable
from unmix.rows import as_rows

from .held import Held  # noqa: TID251  a sibling
from .missing import CERTAIN, cells_of  # noqa: TID251
from .parts import typical  # noqa: TID251
from .student_t import NU  # noqa: TID251

# Of this many different whole numbers and fewer, the guess is levels; of more, counts.
FEW = 5
# Whole numbers of this mean and more are taken for measurements: a Poisson distribution of that
# mean is nearly normal, but for a standard deviation that it cannot choose.
LARGE = 100


@dataclass(frozen=True)
class Column:
    """A column, ready to be declared.

    Attributes
    ----------
    name
        The variable's.
    values
        Numbers, or numbers of levels, (obs,); NaN where a cell is missing.
    levels
        Of a categorical column.
    scales
        What its priors are measured in, from `scales_of`.
    """

    name: str
    values: NDArray
    levels: list[Level]
    scales: Mapping[str, float]


def scale_names(family: str) -> tuple[str, ...]:
    """What priors of a family are measured in."""
    if family in ("normal", "student_t"):
        return ("centre", "spread", "scale")
    return ("mean",) if family in _CHECKS else ()


def scales_of(values: NDArray, family: str) -> dict[str, float]:
    """The same of a column's own values."""
    names = scale_names(family)
    if names == ("mean",):
        return {"mean": float(typical(values))}
    if not names:
        return {}
    low, high = np.nanmin(values), np.nanmax(values)
    found = {"centre": (low + high) / 2, "spread": high - low, "scale": np.nanstd(values)}
    return {name: float(found[name]) for name in names}


def guess(column: pd.Series) -> str:
    """The family of a column by the type and values of its cells; the rule stands in `mixed`.

    Raises
    ------
    UnmixError
        For a column without cells.
    """
    column = there(column)
    if pd.api.types.is_bool_dtype(column):
        return "bernoulli"
    if not pd.api.types.is_numeric_dtype(column):
        return "categorical"
    x = column.to_numpy()
    if x.dtype.kind == "f" or x.min() < 0:
        return "normal"
    different = np.unique(x)
    if np.array_equal(different, [0, 1]):
        return "bernoulli"
    if len(different) <= FEW:
        return "categorical"
    return "poisson" if x.mean() < LARGE else "normal"


def _of_numbers(column: pd.Series, check: Callable[..., Any], constant: bool) -> NDArray:
    """Numbers of a column, looked at as its family's rows are."""
    values: NDArray = check(column, missing=True, constant=constant).values
    return values


def _binary(column: pd.Series, labels: NDArray) -> NDArray:
    """A column of two answers as 0 and 1, NaN where a cell is missing."""
    plain, missing = column.astype(object).to_numpy(), column.isna().to_numpy()
    wrong = np.flatnonzero(
        [not gone and v not in (0, 1) for v, gone in zip(plain, missing, strict=True)]
    )
    if len(wrong):
        raise UnmixError(
            f"column {printable(column.name)} is {printable(plain[wrong[0]])} in row "
            f"{labels[wrong[0]]}, and bernoulli takes 0 and 1, or False and True: correct the cell "
            "or call the column categorical in families"
        )
    return np.where(missing, np.nan, plain).astype(np.float64)


def values_of(
    column: pd.Series,
    family: str,
    levels: list[Level] | None,
    labels: NDArray,
    *,
    constant: bool = False,
) -> tuple[NDArray, list[Level]]:
    """A column as its family takes it: numbers, and the levels where they are numbers of these.

    Numbers are NaN where a cell is missing. All may be the same where ``constant``.

    Raises
    ------
    UnmixError
        For cells that the family cannot have made, naming column and row.
    """
    if family == "categorical":
        known = levels_of(column, labels) if levels is None else levels
        codes = codes_of(column, known, labels)
        return as_cells(codes), known
    if family == "bernoulli":
        return _binary(column, labels), []
    named = pd.Series(column.to_numpy(), index=labels, name=column.name)
    return _of_numbers(named, _CHECKS.get(family, as_rows), constant), []


def _mean_and_scale(c: Column, held: Held) -> tuple[Any, Any]:
    centre, spread, scale = (c.scales[name] for name in ("centre", "spread", "scale"))
    mu = held(f"mu_{c.name}", ("component",), pm.Normal, centre, spread)
    return mu, held(f"sigma_{c.name}", ("component",), pm.Gamma, 2, 2 / scale)


def _normal(c: Column, z: Any, held: Held) -> None:
    mu, sigma = _mean_and_scale(c, held)
    cells = cells_of(c.values, c.name)
    mean, scale = cells.known(mu[z], 0.0), cells.known(sigma[z], CERTAIN)
    pm.Normal(c.name, mean, scale, observed=cells.filled, dims="obs")


def _student_t(c: Column, z: Any, held: Held) -> None:
    mu, sigma = _mean_and_scale(c, held)
    nu = held(f"nu_{c.name}", ("component",), pm.Gamma, *NU)
    cells = cells_of(c.values, c.name)
    tails, mean = cells.known(nu[z], 1.0), cells.known(mu[z], 0.0)
    scale = cells.known(sigma[z], 1 / np.pi)
    pm.StudentT(c.name, nu=tails, mu=mean, sigma=scale, observed=cells.filled, dims="obs")


def _poisson(c: Column, z: Any, held: Held) -> None:
    rate = held(f"rate_{c.name}", ("component",), pm.Gamma, 1, 1 / c.scales["mean"])
    cells = cells_of(c.values, c.name)
    pm.Poisson(c.name, cells.known(rate[z], NEVER), observed=cells.whole, dims="obs")


def _negative_binomial(c: Column, z: Any, held: Held) -> None:
    mu = held(f"mu_{c.name}", ("component",), pm.Exponential, scale=c.scales["mean"])
    alpha = held(f"alpha_{c.name}", ("component",), pm.Exponential, scale=10.0)
    cells = cells_of(c.values, c.name)
    mean, shape = cells.known(mu[z], NEVER), cells.known(alpha[z], 1.0)
    pm.NegativeBinomial(c.name, mu=mean, alpha=shape, observed=cells.whole, dims="obs")


def _exponential(c: Column, z: Any, held: Held) -> None:
    rate = held(f"rate_{c.name}", ("component",), pm.Gamma, 2, 2 * c.scales["mean"])
    cells = cells_of(c.values, c.name)
    pm.Exponential(c.name, cells.known(rate[z], 1.0), observed=cells.filled, dims="obs")


def _bernoulli(c: Column, z: Any, held: Held) -> None:
    p = held(f"p_{c.name}", ("component",), pm.Beta, 1, 1)
    cells = cells_of(c.values, c.name)
    pm.Bernoulli(c.name, cells.known(p[z], NEVER), observed=cells.whole, dims="obs")


def _categorical(c: Column, z: Any, held: Held) -> None:
    level = f"level_{c.name}"
    pm.modelcontext(None).add_coord(level, c.levels)
    p = held(f"p_{c.name}", ("component", level), pm.Dirichlet, [1.0] * len(c.levels))
    cells = cells_of(c.values, c.name)
    shares = cells.shares(p[z], len(c.levels))
    pm.Categorical(c.name, shares, observed=cells.whole, dims="obs")


FAMILIES: dict[str, Callable[[Column, Any, Held], None]] = {
    "normal": _normal,
    "student_t": _student_t,
    "poisson": _poisson,
    "negative_binomial": _negative_binomial,
    "exponential": _exponential,
    "bernoulli": _bernoulli,
    "categorical": _categorical,
}
PARTS = ("mu", "sigma", "nu", "rate", "alpha", "p", "level")
_CHECKS: dict[str, Callable[..., Any]] = {
    "poisson": as_counts,
    "negative_binomial": as_counts,
    "exponential": as_waits,
}


def require_different(column: pd.Series, family: str, values: NDArray) -> None:
    """Raise for a column of one value only, or of levels that all differ."""
    if family in ("categorical", "bernoulli"):
        require_telling(column, values)
