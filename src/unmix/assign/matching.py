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
from scipy.optimize import linear_sum_assignment

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
    symmetry: tuple[tuple[int, ...], ...],
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
    samples, _, k = responsibility.shape
    permutation = np.tile(np.arange(k), (samples, 1))
    margin = np.ones(samples)
    if all(len(block) == 1 for block in symmetry):
        return Matches(permutation, margin)
    # agreement[s, j, l] = Σ_i reference_ij r_sil
    agreement = np.matmul(reference.T, responsibility)
    for block in symmetry:
        if len(block) == 1:
            continue
        members = np.array(block)
        for s in range(samples):
            part = agreement[s][np.ix_(members, members)]
            _, chosen = linear_sum_assignment(part, maximize=True)
            permutation[s, members] = members[chosen]
    rows = np.arange(samples)
    for block in symmetry:
        for a, j in enumerate(block):
            for m in block[a + 1 :]:
                pj, pm = permutation[:, j], permutation[:, m]
                kept = agreement[rows, j, pj] + agreement[rows, m, pm]
                swapped = agreement[rows, j, pm] + agreement[rows, m, pj]
                with np.errstate(invalid="ignore", divide="ignore"):
                    loss = np.where(kept > 0, (kept - swapped) / kept, 0.0)
                margin = np.minimum(margin, loss)
    return Matches(permutation, margin)


def verdict(margin: NDArray[np.float64], symmetric: bool) -> tuple[bool, str]:
    """Whether components keep their identity over draws, and a sentence that says so."""
    if not symmetric:
        return True, "labels come from the declaration: no two components are exchangeable"
    open_share = float(np.mean(margin < OPEN_MARGIN))
    if open_share > OPEN_SHARE:
        return False, (
            f"not identified: in {100 * open_share:.0f} % of the draws swapping two components "
            f"would cost less than {100 * OPEN_MARGIN:.0f} % of the agreement with the reference, "
            "so components cannot be told apart over draws: use fewer, or label-free answers"
        )
    return True, (
        "matched to a reference within the model's symmetry; in "
        f"{100 * open_share:.1f} % of the draws another labelling would do nearly as well"
    )
