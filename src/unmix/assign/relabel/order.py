r"""An order constraint: components are named by the size of one parameter.

The constraint :math:`θ_1 < θ_2 < … < θ_K` picks the permutation that sorts each draw, which is also
the assignment that minimises

.. math:: c_{kj} = -k\, θ_j

(Diebolt and Robert 1994, JRSS B 56:363). It is right where components differ in that parameter. It
cuts through the posterior where they overlap in it, and then bends every labelled average
(Celeux, Hurn and Robert 2000, JASA 95:957).
"""

import numpy as np
from numpy.typing import NDArray


def order_cost(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Costs whose best permutation sorts each draw upwards.

    Parameters
    ----------
    value
        The parameter, shape (sample, component).

    Returns
    -------
    numpy.ndarray
        Shape (sample, component, component); in units of the parameter.
    """
    # Ranks less their mean, and values less theirs: the same assignment, and less to round off.
    k = value.shape[-1]
    rank = np.arange(k) - (k - 1) / 2
    centred = value - value.mean(axis=-1, keepdims=True)
    return -rank[None, :, None] * centred[:, None, :]
