"""What a sweep is made of: which numbers of θ are what to the components, as arrays for Numba.

θ lies flat in ``values``, parameter after parameter, followed by the model's constants. Each
observed variable (a term of the pass) has *canonical* numbers for each component: means and
standard deviations, rates, probabilities. A table says in which element of ``values`` each of them
stands, and through which function; to be shared is to stand in one place.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

# How a canonical number follows from the element of ``values``.
AS_IT_IS, ROOT, ROOT_OF_INVERSE, INVERSE, LOGISTIC, EXPONENTIATED = 0, 1, 2, 3, 4, 5
# What an element is to the likelihood; joint means are drawn with the others of their component.
MEAN, SCALE, RATE, HAZARD, PROBABILITY, JOINT_MEAN = 0, 1, 2, 3, 4, 5
# Weights that are known, a Dirichlet vector, or (1 − p, p).
KNOWN, SIMPLEX, SWITCH = 0, 1, 2


class Plan(NamedTuple):
    """Tables that the kernels walk through; rows are described column by column.

    Attributes
    ----------
    terms
        The pass's terms, as in `unmix.onepass.kernel`.
    columns
        First canonical column of each term.
    source, how
        Place in ``values`` of each canonical number, and the function, (component, column). The
        last column of a multivariate normal is the place of its correlations' Cholesky factor.
    weights
        Kind of the weights, and where in ``values`` they begin.
    element
        Numbers with a prior of their own: place, prior, kind, function, whether the conditional is
        drawn exactly, first cell, number of cells.
    argument
        Arguments of their priors, (element, 2).
    cell
        Where elements are used: term (−1 is z itself), component, feature.
    simplex
        Dirichlet vectors: place, length, first cell, number of cells.
    alpha
        Concentrations, by place.
    simplex_cell
        Where they are used: term (−1 for the weights), component, first statistic.
    joint
        Means drawn jointly: term, component.
    mean, precision
        Of the priors of those means, by place.
    corr
        Cholesky factors of correlations: place, first cell, number of cells, features.
    eta
        Their LKJ shapes.
    corr_cell
        Where they are used: term, component.
    covariance
        Covariances that are all free and unshared: row of ``corr``, first of their standard
        deviations in ``element``.
    """

    terms: Integers
    columns: Integers
    source: Integers
    how: Integers
    weights: Integers
    element: Integers
    argument: NDArray[np.float64]
    cell: Integers
    simplex: Integers
    alpha: NDArray[np.float64]
    simplex_cell: Integers
    joint: Integers
    mean: NDArray[np.float64]
    precision: NDArray[np.float64]
    corr: Integers
    eta: NDArray[np.float64]
    corr_cell: Integers
    covariance: Integers


def dimensions(plan: Plan) -> int:
    """Number of unconstrained dimensions."""
    d = plan.corr[:, 3]
    return int(len(plan.element) + (plan.simplex[:, 1] - 1).sum() + (d * (d - 1) // 2).sum())
