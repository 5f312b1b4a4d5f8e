r"""What can be said of a mixture whatever its components are called.

Each number here is a function of a draw that no renaming changes, so its mean over draws, its R-hat
and its effective sample size mean something even where labels do not:

- the log-likelihood :math:`\sum_i \log p(x_i \mid θ)`;
- the entropy of the responsibilities, a mean over rows, in nats;
- the shares of the rows, :math:`\frac1N \sum_i r_{ik}`, sorted: the smallest, …, the largest; and
  their concentration, the sum of their squares;
- mean and variance of each feature of the mixture (`unmix.assign.moments`);
- how many components have a row, :math:`K_+`;
- each parameter that has one number for a component, sorted: order statistics, not components.
"""

import numpy as np
from numpy.typing import NDArray

from unmix.assign.relabel.layout import Layout
from unmix.assign.stream import stream
from unmix.derive import Derivation, bayes, row_weights
from unmix.derive.components import Theta
from unmix.derive.theta import Stack


def of_responsibilities(derivation: Derivation, stack: Stack) -> dict[str, NDArray[np.float64]]:
    """Log-likelihood, entropy, concentration and sorted shares of every draw.

    Returns
    -------
    dict
        Arrays (sample,), and ``share`` (sample, component), from the smallest to the largest.
    """
    log_likelihood, entropy = np.empty(len(stack)), np.empty(len(stack))
    share = np.empty((len(stack), derivation.n_components))
    weight = derivation.weight
    for block in stream(derivation, stack):
        log_likelihood[block.samples] = row_weights.total(block.log_marginal, weight)
        entropy[block.samples] = row_weights.mean(bayes.entropy(block.responsibility), weight)
        share[block.samples] = np.sort(
            row_weights.mean(block.responsibility, weight, axis=1), axis=-1
        )
    return {
        "log_likelihood": log_likelihood,
        "entropy": entropy,
        "concentration": np.square(share).sum(axis=-1),
        "share": share,
    }


def occupied(z: NDArray, k: int) -> NDArray[np.int64]:
    """How many components have a row, shape (sample,)."""
    there = np.zeros((len(z), k), dtype=bool)
    for component in range(k):
        there[:, component] = (z == component).any(axis=1)
    return there.sum(axis=1)


def order_statistics(layout: Layout, theta: Theta) -> dict[str, NDArray[np.float64]]:
    """Parameters with one number for a component, sorted within each block that may be permuted.

    Returns
    -------
    dict
        Arrays (sample, component of the block) by the parameter's name, blocks numbered where
        there are several.
    """
    found: dict[str, NDArray[np.float64]] = {}
    blocks = [block for block in layout.components.symmetry if len(block) > 1]
    for name, axis in layout.components.axes.items():
        if name not in theta or theta[name].ndim != 2 or axis != 0:
            continue
        members = layout.components.members[name]
        for number, block in enumerate(blocks):
            if set(block) <= set(members):
                key = name if len(blocks) == 1 else f"{name} of block {number}"
                slices = theta[name][:, [members.index(k) for k in block]]
                found[key] = np.sort(slices.astype(float), axis=1)
    return found
