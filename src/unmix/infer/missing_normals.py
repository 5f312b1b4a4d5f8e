r"""The M-step of normals of which some cells are missing.

Rows that lack the same cells form a pattern with observed columns o and missing ones m. Given its
component, what is expected of a row's missing cells is their regression on the observed ones,

.. math:: E[x_m] = μ_m + B (x_o − μ_o),\quad B = Σ_{mo} Σ_{oo}^{-1},\quad
          \operatorname{cov}(x_m) = Σ_{mm} − B Σ_{om}

and with these the weighted mean and covariance of the completed rows raise the likelihood of the
observed cells (Little and Rubin 2019, Statistical Analysis with Missing Data, section 11.2;
Ghahramani and Jordan 1994, NIPS 6:120, for mixtures). Where features are independent no completion
is needed: each feature has its weighted mean and variance over the rows that have it.

That a model is of this kind is measured: its table is the one that these formulas give.
"""

from itertools import product

import numpy as np
from numpy.typing import NDArray
from pymc.distributions.transforms import CholeskyCorrTransform, LogTransform

from unmix.derive.present import present_in
from unmix.infer.objective import Objective

Theta = dict[str, NDArray]
# Completions in one M-step; each raises the likelihood of the observed cells.
CYCLES = 3


class MissingNormals:
    """Means, scales and correlations of normals, from rows some of whose cells are missing.

    Parameters
    ----------
    x
        Rows (obs, feature); what stands in a missing cell is not looked at.
    present
        Which cells are there, (obs, feature).
    mu, sigma, corr
        Names of the parameters; ``corr`` is None where features are independent.
    """

    def __init__(self, x: NDArray, present: NDArray, mu: str, sigma: str, corr: str | None) -> None:
        self.x, self.present = x, present
        self.mu, self.sigma, self.corr = mu, sigma, corr
        patterns, of_row = np.unique(present, axis=0, return_inverse=True)
        of_row = of_row.reshape(-1)
        self.patterns = [
            (np.flatnonzero(of_row == p), np.flatnonzero(there), np.flatnonzero(~there))
            for p, there in enumerate(patterns)
            if there.any()
        ]

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that are set."""
        return tuple(n for n in (self.mu, self.sigma, self.corr) if n is not None)

    def log_density(self, theta: Theta) -> NDArray[np.float64]:
        """Log p(x_i | z_i = k) of the cells that are there, (obs, component)."""
        mu, covariance = self._flat(theta)
        out = np.zeros((len(self.x), len(mu)))
        for rows, o, _ in self.patterns:
            for k in range(len(mu)):
                factor = np.linalg.cholesky(covariance[k][np.ix_(o, o)])
                white = np.linalg.solve(factor, (self.x[np.ix_(rows, o)] - mu[k, o]).T)
                out[rows, k] = -0.5 * np.square(white).sum(axis=0)
                out[rows, k] -= np.log(np.diagonal(factor)).sum() + 0.5 * len(o) * np.log(2 * np.pi)
        return out

    def step(self, theta: Theta, r: NDArray) -> Theta:
        """New values from responsibilities (obs, component)."""
        if self.corr is None:
            return self._independent(theta, r)
        mu, covariance = self._flat(theta)
        for _ in range(CYCLES):
            for k in range(len(mu)):
                try:
                    mu[k], covariance[k] = self._completed(r[:, k], mu[k], covariance[k])
                except np.linalg.LinAlgError:  # collapsed onto a point
                    covariance[k] = np.nan
        sd = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
        correlation = covariance / (sd[:, :, None] * sd[:, None, :])
        good = np.isfinite(correlation).all(axis=(1, 2))
        factor = np.full_like(correlation, np.nan)
        for whole in np.flatnonzero(good):
            try:
                factor[whole] = np.linalg.cholesky(correlation[whole])
            except np.linalg.LinAlgError:
                continue
        shape = np.shape(theta[self.mu])
        return {self.mu: mu.reshape(shape), self.sigma: sd.reshape(shape), self.corr: factor}

    def _independent(self, theta: Theta, r: NDArray) -> Theta:
        there = self.present.astype(float)
        x = np.where(self.present, self.x, 0.0)
        n = r.T @ there
        mu = (r.T @ x) / n
        variance = np.stack(
            [(r[:, k] @ (there * np.square(x - mu[k]))) / n[k] for k in range(r.shape[1])]
        )
        shape = np.shape(theta[self.mu])
        return {self.mu: mu.reshape(shape), self.sigma: np.sqrt(variance).reshape(shape)}

    def _completed(self, r: NDArray, mu: NDArray, cov: NDArray) -> tuple[NDArray, NDArray]:
        """Weighted mean and covariance of one component's rows, completed at these values."""
        d = len(mu)
        total, shift, scatter = 0.0, np.zeros(d), np.zeros((d, d))
        for rows, o, m in self.patterns:
            weight = r[rows]
            centred = self.x[np.ix_(rows, o)] - mu[o]
            n, first = weight.sum(), weight @ centred
            second = (centred * weight[:, None]).T @ centred
            total += n
            shift[o] += first
            scatter[np.ix_(o, o)] += second
            if len(m):
                b = np.linalg.solve(cov[np.ix_(o, o)], cov[np.ix_(o, m)]).T
                shift[m] += b @ first
                scatter[np.ix_(m, o)] += b @ second
                scatter[np.ix_(o, m)] += second @ b.T
                left = cov[np.ix_(m, m)] - b @ cov[np.ix_(o, m)]
                scatter[np.ix_(m, m)] += b @ second @ b.T + n * left
        shift /= total
        return mu + shift, scatter / total - np.outer(shift, shift)

    def _flat(self, theta: Theta) -> tuple[NDArray, NDArray]:
        """Means (component, feature), covariances (component, feature, feature); copies."""
        k, d = len(theta[self.mu]), self.x.shape[1]
        mu = np.array(theta[self.mu], dtype=float).reshape(k, d)
        sd = np.asarray(theta[self.sigma], dtype=float).reshape(k, d)
        factor = np.eye(d) if self.corr is None else np.asarray(theta[self.corr])
        factor = sd[:, :, None] * factor
        return mu, factor @ factor.swapaxes(1, 2)


def missing_normals(objective: Objective, name: str, x: NDArray) -> MissingNormals | None:
    """The M-step of an observed variable with missing cells; None where it is another model."""
    derivation = objective.derivation
    present = present_in(derivation.model, name)
    if present is None or set(derivation.opened.assignment_terms) != {name}:
        return None
    rows, there = x.reshape(len(x), -1), present.reshape(len(x), -1)
    k, d = derivation.n_components, rows.shape[1]
    shapes, model = derivation.shapes, derivation.model
    kinds: dict[str, list[str]] = {"mu": [], "sigma": [], "corr": []}
    for parameter in objective.free:
        transform = model.rvs_to_transforms.get(model[parameter])
        if shapes[parameter] in ((k, d), (k,) if d == 1 else (k, d)):
            kind = "mu" if transform is None else "sigma"
            if transform is None or isinstance(transform, LogTransform):
                kinds[kind].append(parameter)
        elif shapes[parameter] == (k, d, d) and isinstance(transform, CholeskyCorrTransform):
            kinds["corr"].append(parameter)
    theta = derivation.space.jittered(np.random.default_rng(20261129))
    stacked = {n: np.asarray(v)[None] for n, v in theta.items()}
    right = derivation.log_terms(stacked)[1][0]
    for mu, sigma, corr in product(kinds["mu"], kinds["sigma"], kinds["corr"] or [None]):  # type: ignore[list-item]
        found = MissingNormals(rows, there, mu, sigma, corr)
        try:
            same = np.allclose(found.log_density(theta), right, rtol=1e-8, atol=1e-8)
        except np.linalg.LinAlgError:
            continue
        if same:
            return found
    return None
