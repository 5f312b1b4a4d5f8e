"""Subjects measured several times: all rows of a subject come from one component.

The story of a subject s and its rows i:

    w              ~ Dirichlet(1, …, 1)          how common each component is among subjects
    z_s            ~ Categorical(w)              which component subject s is of
    x_i | z        ~ Normal(mu_k, sigma_k)       each of its rows, with k = z_s(i)

so that p(z_s = k | x, θ) is w_k times the product of the densities of all its rows, over the sum of
that for all components. There is one assignment for each subject, not for each row: w counts
subjects, and responsibilities are those of subjects. What is known of a row is what is known of its
subject,

    rows = unmix.responsibilities(model, post).sel(obs=subjects)

Given its component the rows of a subject are independent. Where subjects differ from each other
within a component as well, many rows of one subject make this model surer than it should be.

Priors are those of `gaussian`, scaled to the data. A subject may have a single row. A subject never
seen needs nothing special: a second model on its rows has the same parameters.
"""

from collections.abc import Sequence
from typing import Any

import pymc as pm

from unmix.recipe import remember

# ruff takes siblings for the banned root name
from .components import component_names  # noqa: TID251
from .normal_rows import by_feature, coordinates, normal_rows, observe  # noqa: TID251
from .parts import add_rows  # noqa: TID251
from .together import subjects as subjects_of  # noqa: TID251


def repeated_measures(
    x: Any,
    subjects: Any,
    components: int | Sequence[str] = 2,
    *,
    covariance: str = "full",
    concentration: float = 1.0,
    centre: Any = None,
    spread: Any = None,
    scale: Any = None,
    correlation: float = 2.0,
) -> pm.Model:
    """Declare a mixture of normals in which all rows of a subject share one assignment.

    Parameters
    ----------
    x
        Rows: array of shape (obs,) or (obs, feature), pandas Series or DataFrame.
    subjects
        The subject of each row: array or Series of names or whole numbers, shape (obs,). A row
        whose cell is missing is a subject of its own.
    components
        K, or names of the components.
    covariance
        ``"full"``, or ``"diagonal"`` for features that are independent within a component.
    concentration
        Of the Dirichlet prior of ``w``.
    centre, spread, scale, correlation
        Of the priors of components, as in `gaussian`.

    Returns
    -------
    pymc.Model
        Free ``w`` (component), ``mu`` and ``sigma`` (component[, feature]), ``corr`` (when full),
        latent ``z`` (subject), observed ``x`` (obs[, feature]).

    Raises
    ------
    UnmixError
        As `gaussian`, with subjects in the place of rows where components are counted.
    """
    rows, own = normal_rows(x, centre=centre, spread=spread, scale=scale)
    subject = subjects_of(subjects, rows.labels)
    names = component_names(components, len(subject.names) if centre is None else None)
    of_component = by_feature(rows, "component")

    with pm.Model(coords=coordinates(rows, names, subject=subject.names)) as model:
        add_rows(model, rows.labels)
        w = pm.Dirichlet("w", [concentration] * len(names), dims="component")
        mu = pm.Normal("mu", own.centre, own.spread, dims=of_component)
        sigma = pm.Gamma("sigma", 2, 2 / own.scale, dims=of_component)
        z = pm.Categorical("z", w, dims="subject")
        observe(rows.values, z[subject.of_row], mu, sigma, covariance, correlation)
    arguments = {
        "components": components if isinstance(components, int) else list(names),
        "covariance": covariance,
        "concentration": concentration,
        "centre": own.centre,
        "spread": own.spread,
        "scale": own.scale,
        "correlation": correlation,
    }
    by_row = {"subjects": subject.names[subject.of_row]}
    return remember(model, "repeated_measures", arguments, by_row=by_row)
