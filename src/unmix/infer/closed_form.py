r"""M-steps with a closed form, used only where the graph proves the structure.

A likelihood parameter qualifies when it *is* a free parameter of the model indexed by ``z`` along
its first axis (``mu[z]``), with nothing in between, and appears nowhere else in the likelihood.
With N_k = Σ_i r_ik:

    weights    see `unmix.infer.weight_steps`
    Normal     mu_k = Σ_i r_ik x_i / N_k,   sigma_k² = Σ_i r_ik (x_i − mu_k)² / N_k
    MvNormal   mu_k as above,               Σ_k = Σ_i r_ik (x_i − mu_k)(x_i − mu_k)ᵀ / N_k
    Poisson, Bernoulli, Exponential, Categorical: see `unmix.infer.cell_means`

(Bishop 2006, Pattern Recognition and Machine Learning, section 9.2.) Everything else is maximised
by gradient (`unmix.infer.objective`).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from pymc.distributions.multivariate import LKJCorrRV
from pymc.distributions.transforms import (
    CholeskyCorrTransform,
    LogOddsTransform,
    LogTransform,
    SimplexTransform,
)
from pytensor.graph.traversal import ancestors
from pytensor.scalar.basic import Mul
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.random.basic import (
    MvNormalRV,
    NormalRV,
)
from pytensor.tensor.subtensor import AdvancedSubtensor
from pytensor.tensor.variable import TensorVariable

from unmix.derive.follow import in_step
from unmix.derive.present import present_in
from unmix.infer.cell_means import FAMILIES, indexed_by_z, mean_step, normal_step, of_features
from unmix.infer.expected import ClosedForm
from unmix.infer.missing_normals import missing_normals
from unmix.infer.objective import Objective
from unmix.infer.weight_steps import weight_step
from unmix.onepass.kind_sums import KindSums

Theta = dict[str, NDArray]


def closed_forms(objective: Objective) -> list[ClosedForm]:
    """Every block of the M-step that the graph proves to have a closed form."""
    if objective.kind != "likelihood":
        return []
    found: list[ClosedForm | None] = [weight_step(objective)]
    derivation = objective.derivation
    model = derivation.model
    for rv in model.observed_RVs:
        if rv.name not in derivation.opened.assignment_terms or rv.owner is None:
            continue
        index = derivation.table.index[rv.name]
        z_shape = derivation.table.z_shape
        if len(z_shape) != 1 or not in_step(index, z_shape):
            continue
        x = np.asarray(derivation.data[derivation.opened.observed[rv.name]].data, dtype=float)
        plain = isinstance(rv.owner.op, (*_FAMILIES, *FAMILIES))
        some_missing = present_in(model, rv.name) is not None
        means = mean_step(objective, rv, x)
        found.append(means)
        missing = None
        if means is None and (some_missing or not plain):
            missing = missing_normals(objective, rv.name, x)
        if missing is not None:
            found.append(ClosedForm(missing.names, missing.step, missing.of_sums(rv.name)))
        for family, rule in _FAMILIES.items():
            if isinstance(rv.owner.op, family):
                found.append(rule(objective, rv, x))
    return [block for block in found if block is not None and alone(objective, block.names)]


def alone(objective: Objective, names: tuple[str, ...]) -> bool:
    """Whether parameters are free, unrestricted, and enter the objective through one term only."""
    opened, model = objective.derivation.opened, objective.derivation.model
    if not set(names) <= set(objective.free):
        return False
    for name in names:
        transform = model.rvs_to_transforms.get(model[name])
        if transform is not None and not isinstance(transform, _WHOLE_SPACE):
            return False  # ordered means, an interval: the maximum may lie outside
        value = opened.theta[name]
        uses = [
            term
            for term, graph in opened.terms.items()
            if term not in opened.theta and value in set(ancestors([graph]))
        ]
        if len(uses) > 1:
            return False
    return True


def free_indexed(objective: Objective, graph: TensorVariable) -> str | None:
    """Name of the free parameter that the graph indexes by ``z`` and does nothing else to."""
    found = indexed_by_z(objective, graph)
    if found is None or found.there is not None:
        return None
    return found.array.name if found.array.name in objective.free else None


def _weighted_mean(x: NDArray, r: NDArray) -> NDArray:
    n_k = r.sum(axis=0)
    return (r.T @ x) / n_k.reshape((-1,) + (1,) * (x.ndim - 1))


def _normal(objective: Objective, rv: TensorVariable, x: NDArray) -> ClosedForm | None:
    mu_graph, sigma_graph = rv.owner.op.dist_params(rv.owner)
    cells = normal_step(objective, rv, x)
    if cells is not None:
        return cells
    mu = free_indexed(objective, mu_graph)
    if mu is None or objective.derivation.shapes[mu][1:] != x.shape[1:]:
        return None
    model = objective.derivation.model
    if model.rvs_to_transforms.get(model[mu]) is not None:
        return None  # a mean kept positive, say
    sigma = free_indexed(objective, sigma_graph)
    if sigma is not None and objective.derivation.shapes[sigma] != objective.derivation.shapes[mu]:
        return None
    if sigma is None:
        # A shared or known sigma leaves the weighted mean the maximum for mu, whatever it is,
        # as long as it is the same for every row.
        if objective.derivation.latent.rv in set(ancestors([sigma_graph])) or any(
            length != 1 for length in sigma_graph.type.shape
        ):
            return None
        return ClosedForm(
            (mu,),
            lambda theta, r: {mu: _weighted_mean(x, r)},
            lambda theta, sums: {mu: of_features(sums, rv.name)[1].reshape(theta[mu].shape)},
        )

    def of_sums(theta: Theta, sums: KindSums) -> Theta:
        _, mean, variance = of_features(sums, rv.name)
        shape = theta[mu].shape
        return {mu: mean.reshape(shape), sigma: np.sqrt(variance).reshape(shape)}

    def step(theta: Theta, r: NDArray) -> Theta:
        mean = _weighted_mean(x, r)
        variance = np.stack(
            [r[:, k] @ np.square(x - mean[k]) / r[:, k].sum() for k in range(r.shape[1])]
        )
        return {mu: mean, sigma: np.sqrt(variance)}

    return ClosedForm((mu, sigma), step, of_sums)


def _mvnormal(objective: Objective, rv: TensorVariable, x: NDArray) -> ClosedForm | None:
    mu_graph, cov_graph = rv.owner.op.dist_params(rv.owner)[:2]
    mu = free_indexed(objective, mu_graph)
    names = scaled_correlation(objective, cov_graph)
    if mu is None or names is None or x.ndim != 2:
        return None
    sigma, corr = names

    def step(theta: Theta, r: NDArray) -> Theta:
        mean = _weighted_mean(x, r)
        covariance = []
        for k in range(r.shape[1]):
            centred = x - mean[k]
            covariance.append((r[:, k, None] * centred).T @ centred / r[:, k].sum())
        return apart(mean, np.stack(covariance))

    def apart(mean: NDArray, cov: NDArray) -> Theta:
        sd = np.sqrt(np.diagonal(cov, axis1=-2, axis2=-1))
        return {
            mu: mean,
            sigma: sd,
            corr: np.linalg.cholesky(cov / (sd[:, :, None] * sd[:, None, :])),
        }

    def of_sums(theta: Theta, sums: KindSums) -> Theta:
        n, about, first, second = sums.moments(rv.name)
        n = n.sum(axis=0)[:, None]
        shift = first.sum(axis=0) / n  # all kinds have one mean
        cov = second.sum(axis=0) / n[..., None] - shift[:, :, None] * shift[:, None, :]
        return apart(about[0] + shift, cov)

    return ClosedForm((mu, sigma, corr), step, of_sums)


def scaled_correlation(objective: Objective, cov: TensorVariable) -> tuple[str, str] | None:
    """(sigma, corr) where the covariance is chol[z] chol[z]ᵀ, chol = sigma[..., None] * corr."""
    above = [v for v in ancestors([cov]) if v.owner is not None]
    indexed = {
        v.owner.inputs[0]
        for v in above
        if isinstance(v.owner.op, AdvancedSubtensor)
        and len(v.owner.inputs) == 2
        and v.owner.inputs[1] is objective.derivation.latent.rv
    }
    if len(indexed) != 1:
        return None
    (chol,) = indexed
    product = chol.owner
    if product is None or not isinstance(product.op, Elemwise) or len(product.inputs) != 2:
        return None
    if not isinstance(product.op.scalar_op, Mul):
        return None
    # Nothing may stand between chol[z] and the covariance but the product with its transpose.
    between = {
        type(v.owner.op).__name__ for v in above if chol in set(ancestors([v])) and v is not chol
    }
    if not between <= {"AdvancedSubtensor", "DimShuffle", "Dot", "Blockwise"}:
        return None
    for scale, corr in (product.inputs, product.inputs[::-1]):
        sigma = scale
        while sigma.owner is not None and isinstance(sigma.owner.op, DimShuffle):
            if tuple(sigma.owner.op.new_order) != (0, 1, "x"):
                return None
            sigma = sigma.owner.inputs[0]
        if (
            corr.owner is not None
            and isinstance(corr.owner.op, LKJCorrRV)
            and {sigma.name, corr.name} <= set(objective.free)
            and len(objective.derivation.shapes[sigma.name]) == 2
        ):
            return sigma.name, corr.name
    return None


# Transforms whose space is all that the family allows, so that no closed form can leave it.
_WHOLE_SPACE = (LogTransform, LogOddsTransform, SimplexTransform, CholeskyCorrTransform)
_FAMILIES: dict[type, Callable[[Objective, TensorVariable, NDArray], ClosedForm | None]] = {
    NormalRV: _normal,
    MvNormalRV: _mvnormal,
}
