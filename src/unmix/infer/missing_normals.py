r"""The M-step of normals of which some cells are missing, or beside which there is noise.

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

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray
from pymc.distributions.transforms import CholeskyCorrTransform, LogTransform

from unmix.derive.present import present_in
from unmix.infer.cell_means import of_features
from unmix.infer.objective import Objective
from unmix.onepass.kind_sums import KindSums, Moments

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
        # Rows that lack the same cells, and the features that they have.
        self.patterns = [
            (np.flatnonzero(of_row == p), np.flatnonzero(there))
            for p, there in enumerate(patterns)
            if there.any()
        ]
        self._there = patterns[patterns.any(axis=1)]

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that are set."""
        return tuple(n for n in (self.mu, self.sigma, self.corr) if n is not None)

    def log_density(self, theta: Theta) -> NDArray[np.float64]:
        """Log p(x_i | z_i = k) of the cells that are there, (obs, component)."""
        mu, covariance = self._flat(theta)
        out = np.zeros((len(self.x), len(mu)))
        for rows, o in self.patterns:
            for k in range(len(mu)):
                factor = np.linalg.cholesky(covariance[k][np.ix_(o, o)])
                white = np.linalg.solve(factor, (self.x[np.ix_(rows, o)] - mu[k, o]).T)
                out[rows, k] = -0.5 * np.square(white).sum(axis=0)
                out[rows, k] -= np.log(np.diagonal(factor)).sum() + 0.5 * len(o) * np.log(2 * np.pi)
        return out

    def step(self, theta: Theta, r: NDArray) -> Theta:
        """New values from responsibilities (obs, component), the normals' first."""
        r = r[:, : len(theta[self.mu])]
        if self.corr is None:
            return self._independent(theta, r)
        return self._in_turns(theta, self._moments(theta, r), self._there)

    def _moments(self, theta: Theta, r: NDArray) -> Moments:
        """Moments of each pattern about the components' means; 0 where a cell is missing."""
        mu, _ = self._flat(theta)
        k, d = mu.shape
        shape = len(self.patterns), k
        n, first, second = np.zeros(shape), np.zeros((*shape, d)), np.zeros((*shape, d, d))
        for p, (rows, o) in enumerate(self.patterns):
            n[p] = r[rows].sum(axis=0)
            for j in range(k):
                centred = self.x[np.ix_(rows, o)] - mu[j, o]
                first[p, j, o] = r[rows, j] @ centred
                second[p, j][np.ix_(o, o)] = (centred * r[rows, j, None]).T @ centred
        return Moments(n, np.broadcast_to(mu, first.shape), first, second)

    def _in_turns(self, theta: Theta, moments: Moments, there: NDArray[np.bool_]) -> Theta:
        """Complete the rows and take their moments, a few times.

        Parameters
        ----------
        moments
            Of rows of different kinds.
        there
            Which features rows of a kind have, (kind, feature).
        """
        assert self.corr is not None
        mu, covariance = self._flat(theta)
        for _ in range(CYCLES):
            try:
                mu, covariance = completed(moments, there, mu, covariance)
            except np.linalg.LinAlgError:  # some have collapsed onto a point
                for k in range(len(mu)):
                    own, one = Moments(*(part[:, k : k + 1] for part in moments)), slice(k, k + 1)
                    try:
                        mu[one], covariance[one] = completed(own, there, mu[one], covariance[one])
                    except np.linalg.LinAlgError:
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

    def of_sums(self, name: str) -> Callable[[Theta, KindSums], Theta]:
        """The same from the sums of a pass in parts, of the observed variable ``name``."""

        def step(theta: Theta, sums: KindSums) -> Theta:
            if self.corr is None:
                _, mean, variance = of_features(sums, name, self.present.astype(float))
                shape = np.shape(theta[self.mu])
                return {
                    self.mu: mean.reshape(shape), self.sigma: np.sqrt(variance).reshape(shape)
                }  # fmt: skip
            return self._in_turns(theta, sums.moments(name), sums.examples(self.present))

        return step

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

    def _flat(self, theta: Theta) -> tuple[NDArray, NDArray]:
        """Means (component, feature), covariances (component, feature, feature); copies."""
        k, d = len(theta[self.mu]), self.x.shape[1]
        mu = np.array(theta[self.mu], dtype=float).reshape(k, d)
        sd = np.asarray(theta[self.sigma], dtype=float).reshape(k, d)
        factor = np.eye(d) if self.corr is None else np.asarray(theta[self.corr])
        factor = sd[:, :, None] * factor
        return mu, factor @ factor.swapaxes(1, 2)


def completed(
    moments: Moments, there: NDArray[np.bool_], mu: NDArray, cov: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weighted means and covariances of the components' rows, completed at these values.

    Parameters
    ----------
    moments
        Of each kind of rows and component; what they say of missing cells is not looked at.
    there
        Which features rows of a kind have, (kind, feature).
    mu, cov
        Means (component, feature) and covariances (component, feature, feature) that missing cells
        are expected by.
    """
    d = mu.shape[-1]
    o = there[:, None].astype(float)
    both = o[..., :, None] * o[..., None, :]
    rows_missing = (1 - o)[..., :, None]
    # Blocks of observed features, (kind, component, feature, feature), and 1 for each missing one.
    inverse = np.linalg.inv(cov * both + np.eye(d) * rows_missing) * both
    regression = rows_missing * (cov @ inverse)
    complete = np.eye(d) * o[..., None] + regression
    left = rows_missing * np.swapaxes(rows_missing, -1, -2) * (cov - regression @ cov)

    n = moments.n * there.any(axis=1)[:, None]  # rows without a cell say nothing
    apart = (mu - moments.about) * o  # from now on about the means that cells are expected by
    first = moments.first * o
    cross = first[..., :, None] * apart[..., None, :]
    square = moments.second * both - cross - np.swapaxes(cross, -1, -2)
    square = square + n[..., None, None] * apart[..., :, None] * apart[..., None, :]
    moved = first - n[..., None] * apart
    total = n.sum(axis=0)
    shift = (complete @ moved[..., None])[..., 0].sum(axis=0) / total[:, None]
    scatter = complete @ square @ np.swapaxes(complete, -1, -2) + n[..., None, None] * left
    second = scatter.sum(axis=0) / total[:, None, None]
    return mu + shift, second - shift[:, :, None] * shift[:, None, :]


def missing_normals(objective: Objective, name: str, x: NDArray) -> MissingNormals | None:
    """The M-step of normals with missing cells, or with noise; None where it is another model."""
    derivation = objective.derivation
    opened, k = derivation.opened, derivation.n_components
    others = set(opened.assignment_terms) - {name}
    if name not in opened.assignment_terms or not others <= set(opened.label_terms):
        return None
    present = present_in(derivation.model, name)
    rows = x.reshape(len(x), -1)
    there = np.ones(rows.shape, bool) if present is None else present.reshape(len(x), -1)
    known = 0.0 if derivation.known is None else derivation.known
    rng = np.random.default_rng(20261129)
    points = [derivation.space.jittered(rng) for _ in range(2)]
    with np.errstate(invalid="ignore"):
        tables = [
            derivation.log_terms({n: np.asarray(v)[None] for n, v in theta.items()})[1][0] - known
            for theta in points
        ]
    # The last component may be noise, whose density no parameter enters.
    noise = k > 1 and np.array_equal(tables[0][:, -1], tables[1][:, -1], equal_nan=True)
    normals = k - int(noise)
    for names in _candidates(objective, normals, rows.shape[1]):
        found = MissingNormals(rows, there, *names)
        if all(
            _same(found, theta, table[:, :normals])
            for theta, table in zip(points, tables, strict=True)
        ):
            return found
    return None


def _same(found: MissingNormals, theta: Theta, table: NDArray) -> bool:
    """Whether the formulas give the table, wherever labels leave it finite."""
    try:
        ours = found.log_density(theta)
    except np.linalg.LinAlgError:
        return False
    finite = np.isfinite(table)
    return bool(finite.any()) and np.allclose(ours[finite], table[finite], rtol=1e-8, atol=1e-8)


def _candidates(objective: Objective, k: int, d: int) -> Iterator[tuple[str, str, str | None]]:
    """Free parameters that may be means, scales and correlations of k normals of d features."""
    shapes, model = objective.derivation.shapes, objective.derivation.model
    means: list[str] = []
    scales: list[str] = []
    correlations: list[str | None] = []
    for name in objective.free:
        transform = model.rvs_to_transforms.get(model[name])
        if shapes[name] == (k, d) or (d == 1 and shapes[name] == (k,)):
            if transform is None:
                means.append(name)
            elif isinstance(transform, LogTransform):
                scales.append(name)
        elif shapes[name] == (k, d, d) and isinstance(transform, CholeskyCorrTransform):
            correlations.append(name)
    for mu, sigma in product(means, scales):
        for corr in correlations or [None]:
            yield mu, sigma, corr
