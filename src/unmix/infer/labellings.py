"""Labellings that a prior only weakly tells apart, and chains that never moved between them.

With a prior that differs a little between components (μ_1 ~ N(−1, 5²), μ_2 ~ N(1, 5²)) swapping
them leaves the likelihood as it was and the prior nearly so: the posterior has a second mode of
comparable weight. Chains that stay in one of the two say nothing about that weight, and no R-hat
of label-free quantities can notice. So the swapped points are evaluated.
"""

import itertools

import numpy as np

from unmix.assign.matching import match
from unmix.derive import Derivation, bayes
from unmix.derive.theta import Stack

# A swap that costs more log-density than this leaves the other labelling too little weight to
# matter: e^-10 is 5e-5.
NEGLIGIBLE = 10.0
LOOKS = 16


def unvisited_labelling(
    derivation: Derivation, stack: Stack, everything: Stack
) -> tuple[int, int, float] | None:
    """Two components whose swap is plausible under the posterior and was never made by a chain.

    Parameters
    ----------
    stack, everything
        Draws of the parameters that the table depends on, and of all parameters.

    Returns
    -------
    tuple or None
        The two components and what swapping them costs in log-density; None where there are none.
    """
    components = derivation.components
    k = derivation.n_components
    block_of = {c: i for i, block in enumerate(components.symmetry) for c in block}
    pairs = [(i, j) for i, j in itertools.combinations(range(k), 2) if block_of[i] != block_of[j]]
    if not pairs or len(stack.shape) < 2:
        return None
    chains, per_chain = stack.shape
    looks = np.concatenate(
        [c * per_chain + np.unique(np.linspace(0, per_chain - 1, LOOKS).astype(int))
         for c in range(chains)]
    )  # fmt: skip
    r = derivation.bayes(stack[looks]).responsibility
    reference = r[0]
    for i, j in pairs:
        cost = min(
            swap_cost(derivation, everything.point(int(s)), i, j) for s in looks[:: LOOKS // 2]
        )
        if cost > NEGLIGIBLE:
            continue
        swap = ((i, j), *((c,) for c in range(k) if c not in (i, j)))
        order = match(r, reference, swap).permutation[:, i].reshape(chains, -1)
        if np.all(order == order[:, :1]):
            return i, j, cost
    return None


def swap_cost(derivation: Derivation, theta: dict[str, np.ndarray], i: int, j: int) -> float:
    """Log-density lost by swapping two components; infinite where the likelihood changes."""
    swap = np.arange(derivation.n_components)
    swap[[i, j]] = j, i
    try:
        moved = derivation.components.permute(theta, swap)
        if not derivation.space.contains(moved):
            return np.inf
    except (ValueError, AssertionError, ArithmeticError):
        return np.inf
    both = {n: np.stack([theta[n], moved[n]]) for n in derivation.touched}
    joint = bayes.joint(*derivation.log_terms(both))
    with np.errstate(invalid="ignore"):
        same = np.abs(joint[1][:, swap] - joint[0]) <= 1e-9 * (1 + np.abs(joint[0]))
    same |= joint[1][:, swap] == joint[0]
    if not same.all():
        return np.inf  # different likelihoods: other components, not other names
    best = joint[0].argmax(axis=1)
    cost = derivation.log_density(theta, best) - derivation.log_density(moved, swap[best])
    return cost if np.isfinite(cost) else np.inf
