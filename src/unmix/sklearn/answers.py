"""What a fitted `unmix.sklearn.Mixture` answers: Bayes' rule, densities, criteria, new rows."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from unmix.arguments import whole
from unmix.errors import UnmixError
from unmix.infer import EMResult
from unmix.sklearn import parameters
from unmix.sklearn.rows import BayesRule


class Answers:
    """Methods of an estimator that read what a fit left, and change nothing."""

    random_state: Any
    em_: EMResult
    _theta: dict[str, NDArray]
    _alignment: str

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Responsibilities of the components for rows, (obs, component).

        Raises
        ------
        UnmixError
            If components are not identified over draws.
        """
        values = self._checked(X)
        self._require_labels()
        return self._rule(values).responsibility()

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Most likely component of rows, (obs,)."""
        return self.predict_proba(X).argmax(axis=1)

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Log-density of rows, nats, (obs,); of draws the posterior predictive one."""
        return self._rule(self._checked(X)).log_density()

    def score(self, X: ArrayLike, y: Any = None) -> float:
        """Log-density, mean per row; ``y`` is ignored."""
        return float(self.score_samples(X).mean())

    def sample(self, n_samples: int = 1) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Draw new rows.

        Parameters
        ----------
        n_samples
            How many.

        Returns
        -------
        X
            Shape (n_samples, feature), in the order of their components.
        y
            The component of each, (n_samples,).
        """
        check_is_fitted(self)
        rng = np.random.default_rng(self._seed())
        return parameters.drawn(self._theta, whole("n_samples", n_samples), rng)

    def aic(self, X: ArrayLike) -> float:
        """−2 ℓ(X) + 2 df of the maximum-likelihood fit (Akaike 1974)."""
        return self._minus_twice(X, "aic") + 2 * self.em_.df

    def bic(self, X: ArrayLike) -> float:
        """−2 ℓ(X) + df log N of the maximum-likelihood fit (Schwarz 1978)."""
        values = self._checked(X)
        return self._minus_twice(X, "bic") + self.em_.df * float(np.log(len(values)))

    def _minus_twice(self, X: ArrayLike, name: str) -> float:
        values = self._checked(X)
        if not hasattr(self, "em_"):
            raise UnmixError(
                f"{name} is for maximum likelihood, and this fit is of draws: compare held-out "
                "scores, or fit with method='em'"
            )
        return -2.0 * float(self._rule(values).log_density().sum())

    def _checked(self, X: ArrayLike) -> NDArray[np.float64]:
        check_is_fitted(self)
        return validate_data(self, X, dtype=np.float64, reset=False, ensure_all_finite="allow-nan")

    def _rule(self, values: NDArray) -> BayesRule:
        return BayesRule(values, self._theta)

    @property
    def _labels_mean_something(self) -> bool:
        return getattr(self, "identified_", True)

    def _require_labels(self) -> None:
        if not self._labels_mean_something:
            raise UnmixError(
                f"components have no labels to predict ({self._alignment}): fit fewer, or ask "
                "unmix.partition(posterior_) which rows are together"
            )

    def _seed(self) -> int:
        seed = self.random_state
        if isinstance(seed, int | np.integer) and not isinstance(seed, bool):
            return int(seed)
        return int(check_random_state(seed).randint(2**31 - 1))

    def __sklearn_is_fitted__(self) -> bool:
        return "_theta" in self.__dict__
