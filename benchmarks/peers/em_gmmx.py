"""EM by gmmx, in JAX's float32 on the CPU."""

import importlib.metadata

import em_task
import numpy as np

try:
    import jax
    import jax.numpy as jnp
    from gmmx import EMFitter, GaussianMixtureModelJax
except ImportError as error:
    em_task.skip(f"{error.name} is not installed")

task, rows, start = em_task.read()
full = task.covariance == "full"
x = jnp.asarray(rows, dtype=jnp.float32)
variances = np.einsum("kdd->kd", start["sigma"])
begin = GaussianMixtureModelJax.from_squeezed(
    means=jnp.asarray(start["mu"], dtype=jnp.float32),
    covariances=jnp.asarray(start["sigma"] if full else variances, dtype=jnp.float32),
    weights=jnp.asarray(start["w"], dtype=jnp.float32),
    covariance_type="full" if full else "diag",
)


def run(iterations: int) -> em_task.Theta:
    fit = EMFitter(max_iter=iterations, tol=0.0, reg_covar=0.0).fit(x, begin)
    if int(fit.n_iter) != iterations:
        raise RuntimeError(f"{int(fit.n_iter)} iterations were run, not {iterations}")
    covariances = np.asarray(fit.gmm.covariances.values, dtype=float)[0]
    sigma = covariances if full else covariances * np.eye(task.d)
    return {
        "w": np.asarray(fit.gmm.weights, dtype=float).reshape(task.k),
        "mu": np.asarray(fit.gmm.means, dtype=float).reshape(task.k, task.d),
        "sigma": sigma,
    }


version = f"{importlib.metadata.version('gmmx')}, jax {jax.__version__}"
em_task.measure(task, run, version=version)
