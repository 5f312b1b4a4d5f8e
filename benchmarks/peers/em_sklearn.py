"""EM by scikit-learn's GaussianMixture."""

import warnings

import em_task
import numpy as np

try:
    import sklearn
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture
except ImportError:
    em_task.skip("scikit-learn is not installed")

warnings.simplefilter("ignore", ConvergenceWarning)
task, x, start = em_task.read()
full = task.covariance == "full"
variances = np.einsum("kdd->kd", start["sigma"])
precisions = np.linalg.inv(start["sigma"]) if full else 1 / variances


def run(iterations: int) -> em_task.Theta:
    fit = GaussianMixture(
        task.k,
        covariance_type="full" if full else "diag",
        weights_init=start["w"],
        means_init=start["mu"],
        precisions_init=precisions,
        max_iter=iterations,
        tol=0.0,
        reg_covar=0.0,
    ).fit(x)
    if fit.n_iter_ != iterations:
        raise RuntimeError(f"{fit.n_iter_} iterations were run, not {iterations}")
    sigma = fit.covariances_ if full else fit.covariances_[:, :, None] * np.eye(task.d)
    return {"w": fit.weights_, "mu": fit.means_, "sigma": sigma}


em_task.measure(task, run, version=sklearn.__version__)
