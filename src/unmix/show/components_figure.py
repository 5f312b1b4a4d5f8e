"""The data with the fitted components over them, every row shaded by who is responsible for it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pytensor.tensor.random.basic import CategoricalRV

from unmix.derive import Derivation, derive
from unmix.derive.present import has_missing
from unmix.errors import UnmixError
from unmix.show.canvas import text
from unmix.show.line_figure import line_figure
from unmix.show.normals import try_normals
from unmix.show.pairs_figure import DRAWS, pairs_figure
from unmix.show.plane_figure import plane_figure
from unmix.show.rows_drawn import label_warning, responsibilities_of


def fitted_components(
    model: pm.Model | None,
    fit: Any,
    responsibilities: xr.Dataset,
    *,
    names: Sequence[str] | None = None,
) -> Figure:
    """Observed rows, shaded by responsibility, with the fitted components.

    One feature: a histogram, the components' densities weighted by w and their sum, the rows in a
    strip, and the responsibilities as functions of the value. Two features: the rows, and for each
    component the two contours where its density has fallen to exp(-1/2) and exp(-2) of its peak,
    which for a normal are the ellipses at one and two standard deviations. More: all pairs of the
    first five, with the same contours, and each feature's density on the diagonal; where components
    are not normal these would be integrals over the other features, and only the rows are shown.

    Densities come from `unmix.bayes_rule` on a grid; where the model's rows need more than the
    observed variable (covariates), only the rows are shown.

    Parameters
    ----------
    model
        The declared mixture, with one observed variable.
    fit
        Any θ: an EM result or draws.
    responsibilities
        The result of `unmix.responsibilities` for that fit.
    names
        Labels of the axes, with units; by default the model's feature names.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UnmixError
        If the model has no single observed variable with one value, or one row of values, for each
        observation.
    """
    derivation = derive(model)
    name, rows, features = observed_rows(derivation, names)
    r, labels = responsibilities_of(responsibilities)
    require_same_rows(derivation, r)
    warning = label_warning(responsibilities)
    if rows.shape[1] == 1:
        return line_figure(derivation, fit, name, rows[:, 0], r, features[0], labels, warning)
    if rows.shape[1] == 2:
        return plane_figure(derivation, fit, name, rows, r, features, labels, warning)
    found = try_normals(derivation, fit, name, rows, DRAWS, r)
    return pairs_figure(rows, r, features, labels, found, warning)


def observed_rows(
    derivation: Derivation, names: Sequence[str] | None
) -> tuple[str, NDArray, list[str]]:
    """The one observed variable, its rows (obs, feature) and the features' names.

    Raises
    ------
    UnmixError
        If there is no such one, or ``names`` are not as many as features.
    """
    opened = derivation.opened
    observed = [n for n in opened.observed if n in opened.assignment_terms]
    if len(observed) != 1:
        raise UnmixError(
            f"the figure needs one observed variable that follows {derivation.latent.name!r} and "
            f"the model has {len(observed)}: draw this one by hand"
        )
    name = observed[0]
    rv = next(rv for rv in derivation.model.observed_RVs if rv.name == name)
    if rv.owner is not None and isinstance(rv.owner.op, CategoricalRV):
        raise UnmixError(
            f"the figure places rows by their values and {name!r} holds levels, which have no "
            "distances: see show.membership, or the table of unmix.summary"
        )
    if has_missing(derivation.model):
        raise UnmixError(
            "the figure places rows by all their cells and some are missing: draw the complete "
            "rows, with a model of their own (unmix.models.on_rows) and the same fit"
        )
    rows = np.asarray(derivation.data[opened.observed[name]].eval())
    if rows.ndim not in (1, 2) or len(rows) != derivation.n_obs:
        raise UnmixError(
            f"the figure needs one row of {name!r} for each observation and it has shape "
            f"{rows.shape} for {derivation.n_obs}: draw this one by hand"
        )
    rows = rows.reshape(len(rows), -1)
    if names is None:
        names = feature_names(derivation, name, rows)
    if len(names) != rows.shape[1]:
        raise UnmixError(f"names has {len(names)} labels for {rows.shape[1]} features")
    return name, rows, [text(n) for n in names]


def feature_names(derivation: Derivation, name: str, rows: NDArray) -> list[str]:
    """Names of the columns of an observed variable's rows (row, feature)."""
    dims = list(derivation.model.named_vars_to_dims.get(name) or ())
    known = derivation.model.coords.get(dims[1]) if len(dims) == 2 else None
    if len(dims) < 2 and rows.shape[1] == 1:  # the catalogue keeps the name of a single column so
        known = derivation.model.coords.get("feature")
        known = known if known is not None and len(known) == 1 else None
    if known is not None:
        return [str(n) for n in known]
    return [name] if rows.shape[1] == 1 else [f"{name}[{j}]" for j in range(rows.shape[1])]


def require_same_rows(derivation: Derivation, r: NDArray[np.float64]) -> None:
    """Refuse responsibilities that are not of the model's rows and components.

    Raises
    ------
    UnmixError
        With both sizes.
    """
    if r.shape != (derivation.n_obs, derivation.n_components):
        raise UnmixError(
            f"the responsibilities are for {r.shape[0]} rows and {r.shape[1]} components and the "
            f"model has {derivation.n_obs} and {derivation.n_components}: compute them for this "
            "model"
        )
