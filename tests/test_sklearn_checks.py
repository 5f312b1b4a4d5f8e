"""scikit-learn's own checks of an estimator, on `unmix.sklearn.Mixture`."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from unmix.sklearn import Mixture

OTHER_STARTS = (
    "EM begins from rows drawn at random, and repeated rows are drawn otherwise than weighted "
    "ones: with 15 rows of 30 features of noise, one start ends elsewhere than another"
)


def expected(_):
    """Checks that fail, with reasons."""
    return {"check_sample_weight_equivalence_on_dense_data": OTHER_STARTS}


# Variances are held up, since some checks fit a handful of rows on a grid; two starts, since they
# fit a hundred times.
FEW = Mixture(2, covariance_type="diag", n_init=2, floor=0.01, max_iter=500)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks([FEW], expected_failed_checks=expected)
def test_check(estimator, check):
    check(estimator)
