r"""Matching to a reference θ, such as EM's: each draw's components take the nearest one's name.

With a table of responsibilities, the number of rows in which z drawn from the one and z drawn from
the other are expected to differ,

.. math:: c_{kj} = \sum_i r_{ij} - \sum_i r^{ref}_{ik} r_{ij},

which is ECR's cost (Papastamoulis and Iliopoulos 2010) with responsibilities in place of
assignments. Without one, the squared distance of the parameters,

.. math:: c_{kj} = \sum_g \Bigl(\frac{θ_{jg} - θ^{ref}_{kg}}{s_g}\Bigr)^2,

each number g in units of its standard deviation s over all draws and components.
"""

import numpy as np
from numpy.typing import NDArray

from unmix.assign.assignment import Solved, Symmetry, solve, swap_margin
from unmix.assign.relabel.blocks import Blocks
from unmix.assign.relabel.stephens import joined


def match_responsibilities(
    responsibility: Blocks, reference: NDArray[np.float64], symmetry: Symmetry
) -> tuple[Solved, NDArray[np.float64]]:
    """Match draws to reference responsibilities, and the margin of each.

    Parameters
    ----------
    responsibility
        Gives the responsibilities of the draws, block by block.
    reference
        Shape (obs, component).
    symmetry
        Blocks of exchangeable components.
    """
    parts, margins = [], []
    for _, r in responsibility():
        agreement = np.matmul(reference.T, r)
        part = solve(r.sum(axis=1)[:, None, :] - agreement, symmetry)
        margins.append(swap_margin(agreement, part.permutation, symmetry))
        parts.append(part)
    return joined(parts), np.concatenate(margins)


def distance_cost(
    values: NDArray[np.float64], reference: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Squared distances from the reference's components.

    Parameters
    ----------
    values
        Each component's parameters side by side, shape (sample, component, number).
    reference
        Those of one θ, shape (component, number).

    Returns
    -------
    numpy.ndarray
        Shape (sample, component, component).
    """
    scale = values.std(axis=(0, 1))
    apart = scale > 0
    a, b = values[..., apart] / scale[apart], reference[..., apart] / scale[apart]
    return np.square(b[None, :, None, :] - a[:, None, :, :]).sum(axis=-1)
