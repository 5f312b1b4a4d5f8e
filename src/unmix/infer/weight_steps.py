"""The M-step of the weights, where ``z`` takes them as they are and they are free."""

import numpy as np
from numpy.typing import NDArray
from pytensor.graph.basic import Constant
from pytensor.tensor.random.basic import DirichletRV
from pytensor.tensor.subtensor import AdvancedSubtensor
from scipy.sparse import csr_array

from unmix.derive.bare import bare
from unmix.infer.expected import ClosedForm, Theta
from unmix.infer.objective import Objective
from unmix.onepass.kind_sums import KindSums


def free_weights(objective: Objective) -> str | None:
    """Name of the weights where ``z`` takes them as they are and they are free; None otherwise."""
    source = bare(objective.derivation.latent.probabilities)
    if source.owner is None or not isinstance(source.owner.op, DirichletRV) or source.ndim != 1:
        return None
    return source.name if source.name in objective.free else None


def _weights_by_group(objective: Objective) -> ClosedForm | None:
    """Of ``w[group]``, where ``w`` has a free row for each group, and groups of rows are known."""
    source = bare(objective.derivation.latent.probabilities)
    node = source.owner
    if node is None or not isinstance(node.op, AdvancedSubtensor) or len(node.inputs) != 2:
        return None
    array, index = node.inputs
    if array.owner is None or not isinstance(array.owner.op, DirichletRV) or array.ndim != 2:
        return None
    data, opened = objective.derivation.data, objective.derivation.opened
    known = data.get(index, index)
    if array.name not in objective.free or not isinstance(known, Constant) or known.ndim != 1:
        return None
    name, group = array.name, np.asarray(known.data)
    if len(group) != objective.derivation.n_obs or name not in opened.theta:
        return None
    groups = objective.derivation.shapes[name][0]
    member = csr_array(
        (np.ones(len(group)), (group, np.arange(len(group)))), shape=(groups, len(group))
    )

    def shares(theta: Theta, total: NDArray) -> Theta:
        size = total.sum(axis=1, keepdims=True)
        # A group whose rows count for nothing keeps the weights that it has.
        return {name: np.where(size > 0, total / np.where(size > 0, size, 1.0), theta[name])}

    def of_sums(theta: Theta, sums: KindSums) -> Theta:
        total = np.zeros((groups, sums.n.shape[1]))
        np.add.at(total, group[sums.parts.examples], sums.n)
        return shares(theta, total)

    return ClosedForm((name,), lambda theta, r: shares(theta, member @ r), of_sums)


def weight_step(objective: Objective) -> ClosedForm | None:
    """M-step of the weights, w_k = N_k / N or of each group its own; None where there is none."""
    name = free_weights(objective)
    if name is None:
        return _weights_by_group(objective)
    return ClosedForm(
        (name,),
        lambda theta, r: {name: r.sum(axis=0) / r.sum()},
        lambda theta, sums: {name: sums.counts / sums.counts.sum()},
    )
