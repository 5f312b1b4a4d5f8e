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

from collections.abc import Mapping, Sequence
from typing import Any

import pymc as pm

from unmix.recipe import remember

# ruff takes siblings for the banned root name
from .held import Held  # noqa: TID251
from .latent import Latent  # noqa: TID251
from .normal_rows import by_feature, coordinates, normal_rows, observe  # noqa: TID251
from .parts import add_rows  # noqa: TID251


def repeated_measures(
    x: Any,
    subjects: Any,
    components: int | Sequence[str] = 2,
    *,
    covariance: str = "full",
    labels: Any = None,
    fixed: Mapping[str, Any] | None = None,
    concentration: float = 1.0,
    centre: Any = None,
    spread: Any = None,
    scale: Any = None,
    correlation: float = 2.0,
    weights: Any = None,
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
    labels
        What is known of rows' components, as in `gaussian`: what is known of a row is known of its
        subject. New rows have no labels.
    fixed
        Values of parameters that are known, as in `gaussian`.
    concentration
        Of the Dirichlet prior of ``w``.
    centre, spread, scale, correlation
        Of the priors of components, as in `gaussian`.
    weights
        How much each row counts, 0 or more (`unmix.weigh`); rows of one subject have one weight.
        Priors are scaled to the rows as they stand.

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
    latent, held = Latent(rows.labels, labels, subjects, weights, called="subjects"), Held(fixed)
    names = latent.component_names(components, counted=centre is None)
    of_component = by_feature(rows, "component")

    with pm.Model(coords=coordinates(rows, names)) as model:
        add_rows(model, rows.labels)
        w = held("w", ("component",), pm.Dirichlet, [concentration] * len(names))
        mu = held("mu", of_component, pm.Normal, own.centre, own.spread)
        sigma = held("sigma", of_component, pm.Gamma, 2, 2 / own.scale)
        z = latent.declare(w, names)  # that of each row, one for all rows of a subject
        observe(rows.values, z, mu, sigma, covariance, correlation, held)
    arguments = {
        "components": components if isinstance(components, int) else list(names),
        "covariance": covariance,
        "fixed": held.plain(),
        "concentration": concentration,
        "centre": own.centre,
        "spread": own.spread,
        "scale": own.scale,
        "correlation": correlation,
    }
    return remember(latent.weigh(model), "repeated_measures", arguments, by_row=latent.by_row)
