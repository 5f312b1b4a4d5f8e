"""The catalogue's normals on any rows, with one derivation for each shape.

What a model implies is derived once for each number of components, number of features and kind of
covariance, on rows made up for it; rows are inputs of what was compiled then, so that fitting and
predicting compile nothing. Priors play no part in what is asked here: the likelihood and Bayes'
rule.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pymc as pm
from numpy.typing import NDArray

from unmix.derive import Derivation, bayes, derive
from unmix.errors import UnmixError
from unmix.infer.missing_normals import MissingNormals
from unmix.models import gaussian
from unmix.onepass.chunks import make_chunk
from unmix.onepass.onepass import OnePass

Theta = Mapping[str, NDArray]

# scikit-learn's words for a covariance, and the catalogue's.
COVARIANCES = {"full": "full", "diag": "diagonal"}
# What the estimator takes of the catalogue's model: numbers of priors. What is by row comes to fit.
PRIORS = ("concentration", "centre", "spread", "scale", "correlation")
BY_ROW = {
    "labels": "give the component of each row as y, with labelled=True",
    "weights": "give fit a sample_weight",
}


def require_taken(names: Iterable[str]) -> None:
    """Refuse arguments that are no numbers of the catalogue's priors.

    Raises
    ------
    UnmixError
        Naming the first of them.
    """
    for name in names:
        if name in BY_ROW:
            raise UnmixError(f"priors has {name!r}, which each row has its own of: {BY_ROW[name]}")
        if name not in PRIORS:
            raise UnmixError(
                f"priors has {name!r}, which the estimator does not take: give "
                f"{', '.join(PRIORS)}, or use unmix.models.gaussian and unmix.em"
            )


def declared(x: Any, components: int, covariance: str, **more: Any) -> pm.Model:
    """The catalogue's model of some rows, with what else it is given."""
    return gaussian(x, components, covariance=COVARIANCES[covariance], **more)


@lru_cache(maxsize=32)
def derived(components: int, features: int, covariance: str) -> Derivation:
    """The derivation of a shape, on rows of its own."""
    rng = np.random.default_rng(20261127)
    x = rng.normal(size=(max(2 * components, 24), features))
    derivation = derive(declared(x, components, covariance))
    assert derivation.onepass is not None  # the catalogue's normals take the fast road
    return derivation


def on_rows(x: NDArray, components: int, covariance: str) -> Derivation:
    """The derivation of a shape on given rows (obs, feature), verified there like any other."""
    values = x[:, 0] if x.shape[1] == 1 else x
    kind = covariance if x.shape[1] > 1 else "diag"  # of one feature they are the same
    return derived(components, x.shape[1], kind).on({"x": values})


class BayesRule:
    """Bayes' rule for rows at θ, or at a stack of draws of it.

    Parameters
    ----------
    x
        Rows (obs, feature); NaN where a cell is missing.
    theta
        Parameters of the catalogue's model, (sample, …); labels matched where there are several.
    """

    def __init__(self, x: NDArray, theta: Theta) -> None:
        kind = "full" if "corr" in theta else "diag"
        recognised = derived(theta["w"].shape[-1], x.shape[1], kind).recognised
        assert not isinstance(recognised, str)
        there = np.isfinite(x)
        self._whole = there.all(axis=1)
        # A copy: kernels read arrays that are writable and lie row by row, of no other kind.
        whole = np.array(x[self._whole].T, np.float64, order="C")
        self._rows = OnePass(recognised, [make_chunk(whole)])
        corr = "corr" if "corr" in theta else None
        some = ~self._whole
        self._others = MissingNormals(x[some], there[some], "mu", "sigma", corr)
        self._theta, self._n, self._k = theta, len(x), theta["w"].shape[-1]
        self._log_w, self._packed = recognised.pack_stack(theta)

    def _joint(self, s: int) -> NDArray[np.float64]:
        """Log p(z_i = k, x_i) at one draw, (obs, component)."""
        out = np.empty((self._n, self._k))
        if self._whole.any():
            pieces = self._rows.joint(self._log_w[s], self._packed[s])
            out[self._whole] = np.concatenate(list(pieces))
        if not self._whole.all():
            at = {name: np.asarray(value[s]) for name, value in self._theta.items()}
            out[~self._whole] = self._log_w[s] + self._others.log_density(at)
        return out

    def log_density(self) -> NDArray[np.float64]:
        """Log p(x_i), averaged over the draws, shape (obs,)."""
        total = np.full(self._n, -np.inf)
        for s in range(len(self._log_w)):
            total = np.logaddexp(total, bayes.normalise(self._joint(s))[0])
        return total - np.log(len(self._log_w))

    def responsibility(self) -> NDArray[np.float64]:
        """Responsibilities, averaged over the draws, shape (obs, component).

        Raises
        ------
        UnmixError
            If a row is impossible under every component.
        """
        total = np.zeros((self._n, self._k))
        for s in range(len(self._log_w)):
            total += bayes.normalise(self._joint(s))[1]
        impossible = np.flatnonzero(np.isnan(total).any(axis=1))
        if len(impossible):
            raise UnmixError(
                f"row {impossible[0]} is so far from every component that no density can be told "
                "from zero: look at its numbers and their units"
            )
        return total / len(self._log_w)
