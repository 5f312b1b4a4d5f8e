r"""Matching the components of every draw to a reference, within the model's symmetry.

Draws of a mixture may differ by a permutation of components; averages over draws mean something
only after it is undone. Here each draw is matched to reference responsibilities by the permutation

.. math:: \max_π \sum_i \sum_k r^{ref}_{ik}\, r_{i, π(k)}

a linear assignment problem (Papastamoulis and Iliopoulos 2010, JCGS 19:313, with responsibilities
in place of allocations). Only permutations that leave the model unchanged are allowed: where a
label has meaning it stays.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmix.assign.assignment import Symmetry, best_permutations, swap_margin

# A swap that would cost less than this share of the agreement leaves the labels of a draw open,
# and so many such draws leave the posterior's labels open.
OPEN_MARGIN = 0.1
OPEN_SHARE = 0.1


@dataclass(frozen=True)
class Matches:
    """How draws were matched.

    Attributes
    ----------
    permutation
        Raw component of every reference component, shape (sample, component).
    margin
        Share of the agreement that the best other permutation (one swap) would lose, (sample,);
        1 where none is allowed.
    """

    permutation: NDArray[np.int64]
    margin: NDArray[np.float64]


def match(
    responsibility: NDArray[np.float64],
    reference: NDArray[np.float64],
    symmetry: Symmetry,
) -> Matches:
    """Match draws to reference responsibilities.

    Parameters
    ----------
    responsibility
        Shape (sample, obs, component), raw labels.
    reference
        Shape (obs, component).
    symmetry
        Blocks of exchangeable components.
    """
    if all(len(block) == 1 for block in symmetry):
        samples, _, k = responsibility.shape
        return Matches(np.tile(np.arange(k), (samples, 1)), np.ones(samples))
    # agreement[s, j, l] = Σ_i reference_ij r_sil
    agreement = np.matmul(reference.T, responsibility)
    permutation = best_permutations(-agreement, symmetry)
    return Matches(permutation, swap_margin(agreement, permutation, symmetry))
