"""`Mixture`: a mixture of normals as an estimator of scikit-learn's kind."""

import warnings
from typing import Any, Self

import numpy as np
import pymc as pm
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClusterMixin, DensityMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import validate_data

from unmix.arguments import not_negative, one_of, whole
from unmix.errors import UnmixError
from unmix.rows import Rows, as_rows
from unmix.sklearn import fitting, parameters
from unmix.sklearn.answers import Answers
from unmix.sklearn.rows import COVARIANCES, declared, require_taken

METHODS = ("em", "auto", "gibbs", "nuts")


class Mixture(Answers, ClusterMixin, DensityMixin, BaseEstimator):
    """A mixture of normals: clusters, responsibilities and a density, by EM or by MCMC.

    It is called Mixture, and not MixtureClassifier, because it learns no classes: components are
    found and not taught, and scikit-learn would stratify the folds of a classifier by ``y`` and
    score it by accuracy. To scikit-learn it is a clusterer and a density estimator. The answers are
    those of `unmix.em`, `unmix.sample` and `unmix.responsibilities` on `unmix.models.gaussian`,
    and ``model_`` with ``em_`` or ``posterior_`` goes into every other verb of unmix.

    Parameters
    ----------
    n_components
        K, number of components.
    covariance_type
        ``"full"``, or ``"diag"`` for features that are independent within a component.
    method
        ``"em"``: maximum likelihood. ``"auto"``, ``"gibbs"`` or ``"nuts"``: draws from the
        posterior, as `unmix.sample` takes them; responsibilities are then averaged over draws whose
        components were matched.
    n_init
        EM's starts; the best proper one is kept.
    max_iter
        EM's iterations, at most, from each start.
    tol
        As ``tolerance`` of `unmix.em`: what the parameters may still be going to change by. It is
        stricter than scikit-learn's, which looks at the last change of the log-likelihood.
    floor
        Smallest variance of a component in any direction, as a share of the data's own. Unlike
        scikit-learn's ``reg_covar`` it adds nothing to the variances above it, and units do not
        matter.
    labelled
        Whether ``y`` names the components of rows that are known, 0 … K−1, with −1 for unknown.
        By default ``y`` is ignored, as by every clusterer.
    priors
        Further arguments of `unmix.models.gaussian`, such as ``{"concentration": 2.0}``. Maximum
        likelihood does not see them.
    draws, tune, chains
        As in `unmix.sample`.
    random_state
        Seed, ``numpy.random.RandomState`` or None. A seed gives what ``rng`` gives in unmix.

    Attributes
    ----------
    weights_, means_, covariances_
        Shapes (component,), (component, feature) and (component, feature, feature) or, with
        ``"diag"``, (component, feature). Of draws their means, where components are identified;
        missing where they are not.
    labels_
        Most likely component of each row of X; what ``y`` said where it said something.
    converged_, n_iter_
        Whether EM stood still at a proper maximum, or chains agreed; iterations of the best start,
        or of each chain.
    lower_bound_
        EM: log-likelihood of the data, mean per row.
    em_, posterior_
        `unmix.EMResult`, or the DataTree of `unmix.sample`.
    identified_
        Draws: whether components keep their identity from draw to draw.
    n_features_in_, feature_names_in_
        As everywhere in scikit-learn.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If EM ran out of iterations.
    UnmixWarning
        What `unmix.sample` warns of, components that are not identified among it: `predict` and
        `predict_proba` then refuse.

    Notes
    -----
    The first fit of a shape (number of components, number of features, kind of covariance) in a
    process derives and compiles, which takes seconds; those that follow compile nothing.

    Examples
    --------
    >>> from unmix.datasets import iris
    >>> from unmix.sklearn import Mixture
    >>> x = iris().drop(columns="species")
    >>> mixture = Mixture(n_components=3, random_state=0).fit(x)
    >>> mixture.predict_proba(x).shape
    (150, 3)
    """

    def __init__(
        self,
        n_components: int = 2,
        *,
        covariance_type: str = "full",
        method: str = "em",
        n_init: int = 10,
        max_iter: int = 2000,
        tol: float = 1e-9,
        floor: float = 1e-6,
        labelled: bool = False,
        priors: dict[str, Any] | None = None,
        draws: int = 1000,
        tune: int = 1000,
        chains: int = 4,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.method = method
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.floor = floor
        self.labelled = labelled
        self.priors = priors
        self.draws = draws
        self.tune = tune
        self.chains = chains
        self.random_state = random_state

    # -- fitting -------------------------------------------------------------------------------

    def fit(
        self, X: ArrayLike, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Fit the mixture.

        Parameters
        ----------
        X
            Rows, (obs, feature); NaN where a cell is missing, and such a row counts by the others.
        y
            Ignored; with ``labelled=True`` the component of each row, −1 where it is not known.
        sample_weight
            Weights of the rows, (obs,).

        Raises
        ------
        UnmixError
            For an option that makes no sense, a column that is constant, and where every start of
            EM ended on a component without width or without rows.
        """
        one_of("covariance_type", self.covariance_type, COVARIANCES)
        one_of("method", self.method, METHODS)
        components = whole("n_components", self.n_components)
        whole("n_init", self.n_init)
        whole("max_iter", self.max_iter)
        not_negative("tol", self.tol)
        values = validate_data(
            self, X, dtype=np.float64, ensure_min_samples=2, ensure_all_finite="allow-nan"
        )
        rows = as_rows(self._named(values), name="X", missing=True)
        if components > len(values):
            raise UnmixError(
                f"n_components is {components} but there are only n_samples={len(values)} rows: "
                "give at most one component for each row"
            )
        given = fitting.by_row(len(values), components, y if self.labelled else None, sample_weight)
        if self.labelled and "labels" not in given:
            raise UnmixError("labelled=True needs y: give the component of each row, −1 if unknown")
        more = {**(self.priors or {}), **given}
        require_taken(self.priors or {})
        self._forget()
        self._declaration = (np.array(values), components, self.covariance_type, more)
        if self.method == "em":
            self._fit_em(values, rows, given)
        else:
            self._fit_draws()
        if self._labels_mean_something:
            self.weights_ = self._theta["w"].mean(axis=0)
            self.means_ = parameters.means(self._theta).mean(axis=0)
            self.covariances_ = parameters.covariances(self._theta, self.covariance_type)
            found = self._rule(values).responsibility().argmax(axis=1)
            known = given.get("labels")
            self.labels_ = found if known is None else np.where(known >= 0, known, found)
        return self

    def fit_predict(
        self, X: ArrayLike, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> NDArray[np.int64]:
        """Fit the mixture, and give the most likely component of each row, (obs,)."""
        self.fit(X, y, sample_weight=sample_weight)
        self._require_labels()
        return self.labels_

    def _fit_em(self, values: NDArray, rows: Rows, given: dict[str, NDArray]) -> None:
        options = {
            "starts": self.n_init, "max_iterations": self.max_iter, "tolerance": self.tol,
            "floor": self.floor, "rng": self._seed(), "progress": False,
        }  # fmt: skip
        missing = bool(np.isnan(values).any())
        if given or missing:
            # A floor is for complete rows; without one a collapsed start is set aside by rule.
            em = fitting.em_of_model(self.model_, options | ({"floor": 0.0} if missing else {}))
        else:
            em = fitting.em_of_rows(values, rows, self.n_components, self.covariance_type, options)
        if em.status.name not in ("converged", "iteration limit", "not monotone"):
            raise UnmixError(
                f"all {self.n_init} starts of EM ended at a component without width or without "
                f"rows ({em.status.name}): use fewer components, raise floor or n_init, choose "
                "covariance_type='diag', or let priors hold with method='auto'"
            )
        if not em.converged:
            warnings.warn(
                f"EM did not converge ({em.status.name}): raise max_iter, now {self.max_iter}, or "
                "tol, or expect components that the data barely tell apart",
                ConvergenceWarning,
                stacklevel=3,
            )
        self.em_ = em
        self.converged_, self.n_iter_ = em.converged, len(em.trace)
        self.lower_bound_ = em.log_likelihood / em.total_weight
        self._theta = parameters.stacked(em.theta)

    def _fit_draws(self) -> None:
        options = {
            "method": self.method, "draws": self.draws, "tune": self.tune, "chains": self.chains,
            "rng": self._seed(), "progress": False,
        }  # fmt: skip
        self.posterior_, aligned, self.converged_ = fitting.draws_of_model(self.model_, options)
        self.n_iter_ = int(self.tune) + int(self.draws)
        self.identified_ = bool(aligned.attrs["identified"])
        self._alignment = str(aligned.attrs["alignment"])
        self._theta = parameters.stacked(aligned)

    @property
    def model_(self) -> pm.Model:
        """The declared mixture on the rows of the fit: a PyMC model, built when first asked for."""
        if "_declaration" not in self.__dict__:
            raise AttributeError("model_ is there after fit")
        if "_model" not in self.__dict__:
            values, components, covariance, more = self._declaration
            self._model = declared(self._named(values), components, covariance, **more)
        return self._model

    # -- within --------------------------------------------------------------------------------

    def _named(self, values: NDArray) -> Any:
        """Rows as the catalogue's model takes them, with the features' names where known."""
        names = getattr(self, "feature_names_in_", None)
        if names is None:
            return values
        import pandas as pd  # here, because arrays do without

        return pd.DataFrame(values, columns=names, copy=False)

    def _forget(self) -> None:
        """Leave nothing of an earlier fit, whose method may have been another."""
        kept = ("n_features_in_", "feature_names_in_")
        for name in [n for n in vars(self) if n.endswith("_") and n not in kept]:
            delattr(self, name)
        for name in ("_model", "_theta", "_declaration", "_alignment"):
            self.__dict__.pop(name, None)

    def __getstate__(self) -> dict[str, Any]:
        """Arrays and results; the PyMC model is built again when it is asked for."""
        state = dict(super().__getstate__())
        state.pop("_model", None)
        return state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = bool(self.labelled)
        tags.input_tags.allow_nan = True
        return tags
