r"""Rows most like one row: shared among the components as it is, draw by draw.

How probable it is that two rows come from one component,

.. math:: P(z_i = z_j \mid x) ≈ \frac{1}{T} \sum_t \sum_k r_{ik}(θ_t)\, r_{jk}(θ_t),

does not say which rows are like a row in doubt: with r_i = (½, ½) it is ½ for every j, and with
r_i = (0.6, 0.4) it is largest for the rows that are surest of the first component. So rows are
ordered by the distance that belongs to that product,

.. math::

    d_{ij}^2 = \frac{1}{T} \sum_t \sum_k (r_{ik}(θ_t) - r_{jk}(θ_t))^2 = P_{ii} + P_{jj} - 2 P_{ij},

where P_ii is taken by the same formula: of one row and another just like it. d is 0 for rows that
no draw tells apart and √2 for rows that are surely of different components; among rows that are
sure of their components it orders as P does, d² = 2 (1 − P). Given θ rows are independent, so P is
the Rao–Blackwell estimate of what the share of draws with z_i = z_j estimates as well. No labels
are involved, so nothing need be matched; and one row against all others streams over draws, where
all against all would be N × N.
"""

import numpy as np
from numpy.typing import NDArray

from unmix.arguments import whole
from unmix.assign.stream import stream
from unmix.assign.table.tail import spread_draws
from unmix.derive import Derivation
from unmix.derive.theta import Stack

# Responsibilities (draws × obs × component) that are computed at most; beyond, draws are thinned
# evenly. A probability known from 100 draws has a standard error of at most 0.05.
MOST, FEWEST_DRAWS = 2**28, 100
ROUNDING = 1e-12


def co_assignment(
    derivation: Derivation, stack: Stack, responsibility: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """P(z = z_j | x) of one row with every row j, and its distance d from it.

    Parameters
    ----------
    derivation
        The model on the rows j.
    stack
        Draws of θ, or one θ.
    responsibility
        Of the one row at every draw, (sample, component), raw labels.

    Returns
    -------
    probability, distance
        Shape (obs,).
    draws
        Number of draws that were used.
    """
    size = derivation.n_obs * derivation.n_components
    draws = spread_draws(len(stack), max(FEWEST_DRAWS, MOST // size))
    thin = Stack(stack[draws], ("sample",), (len(draws),), {})
    own = responsibility[draws]
    total, apart = np.zeros(derivation.n_obs), np.zeros(derivation.n_obs)
    for block in stream(derivation, thin):
        here = own[block.samples]
        total += np.einsum("snk,sk->n", block.responsibility, here)
        difference = block.responsibility - here[:, None, :]
        apart += np.einsum("snk,snk->n", difference, difference)
    distance = np.sqrt(apart / len(draws))
    distance[distance < ROUNDING] = 0.0  # equal rows, whose responsibilities differ by rounding
    return np.minimum(total / len(draws), 1.0), distance, len(draws)


def nearest(
    distance: NDArray[np.float64], many: int, left_out: int | None = None
) -> NDArray[np.int64]:
    """Positions of the rows at the smallest distances, smallest first, ties in row order.

    Raises
    ------
    UnmixError
        If ``many`` is not a number of rows.
    """
    many = whole("neighbours", many, 0)
    key = distance
    if left_out is not None:
        key = np.where(np.arange(len(key)) == left_out, np.inf, key)
    many = min(many, len(key) - (left_out is not None))
    if many < 1:
        return np.zeros(0, dtype=np.int64)
    border = np.partition(key, many - 1)[many - 1]
    candidates = np.flatnonzero(key <= border)
    return candidates[np.argsort(key[candidates], kind="stable")][:many]
