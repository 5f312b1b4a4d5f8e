r"""The pivotal reordering algorithm: each draw's parameters are turned towards a pivot's.

A draw takes the names under which the inner product with the pivot :math:`θ^*` is largest, so

.. math:: c_{kj} = -\sum_g θ^*_{kg}\, θ_{jg}

where g runs over everything that a component has (Marin, Mengersen and Robert 2005, Handbook of
Statistics 25:459, section 3). As no permutation changes a draw's length, this is the nearest in
Euclidean distance, in the parameters' own units: the one with the largest numbers counts most.
"""

import numpy as np
from numpy.typing import NDArray


def pra_cost(values: NDArray[np.float64], pivot: NDArray[np.float64]) -> NDArray[np.float64]:
    """Negative inner products with the pivot.

    Parameters
    ----------
    values
        Each component's parameters side by side, shape (sample, component, number).
    pivot
        Those of one θ, shape (component, number).

    Returns
    -------
    numpy.ndarray
        Shape (sample, component, component).
    """
    return -np.einsum("kg,sjg->skj", pivot, values)
