r"""What a model knows of assignments before it looks at their data: its labels.

A potential of ``z`` alone multiplies each row's joint density by a factor a_ik for each component,

.. math:: p(x_i, z_i = k \mid θ) \propto w_k \, a_{ik} \, p(x_i \mid z_i = k, θ),

whatever θ is.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pytensor.graph.replace import vectorize_graph
from pytensor.tensor.type import TensorType

from unmix.derive.compiling import compile_table

if TYPE_CHECKING:
    from unmix.derive.derivation import Derivation


def label_factors(derivation: "Derivation") -> NDArray[np.float64]:
    """Log a_ik, (obs, component): zero where nothing is known, −∞ where a component is ruled out.

    Parameters
    ----------
    derivation
        A derived model with labels (`unmix.derive.opened.Opened.label_terms`).
    """
    opened, table = derivation.opened, derivation.table
    names = opened.label_terms
    z = TensorType(opened.z.type.dtype, table.z_shape)(opened.latent.name)
    graphs = vectorize_graph([opened.terms[n] for n in names], {opened.z: z, **derivation.data})
    evaluate = compile_table([z], graphs)
    log_a = np.zeros((derivation.n_components, derivation.n_obs))
    for k, row in enumerate(log_a):
        found = evaluate(np.full(table.z_shape, k, dtype=opened.z.type.dtype))
        for name, value in zip(names, found, strict=True):
            index = table.index[name]
            np.add.at(row, index.ravel(), np.broadcast_to(value, index.shape).ravel())
    return np.ascontiguousarray(log_a.T)
