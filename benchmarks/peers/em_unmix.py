"""EM by unmix. The one place of the EM table that knows unmix's interface."""

import warnings

import em_task
import numpy as np

try:
    import unmix
except ImportError:
    em_task.skip("unmix is not installed")

task, rows, start = em_task.read()
full = task.covariance == "full" and task.d > 1
x = rows[:, 0] if task.d == 1 else rows
model = unmix.models.gaussian(x, components=task.k, covariance=task.covariance)
sd = np.sqrt(np.einsum("kdd->kd", start["sigma"]))
begin = {"w": start["w"]}
if task.d == 1:
    begin |= {"mu": start["mu"][:, 0], "sigma": sd[:, 0]}
else:
    begin |= {"mu": start["mu"], "sigma": sd}
if full:
    scaled = start["sigma"] / (sd[:, :, None] * sd[:, None, :])
    begin["corr"] = np.linalg.cholesky(scaled)


def run(iterations: int) -> em_task.Theta:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", unmix.UnmixWarning)
        fit = unmix.em(
            model,
            start=begin,
            starts=1,
            max_iterations=iterations,
            tolerance=0.0,
            accelerate=False,  # peers take plain steps
            storage=task.storage,
            progress=False,
        )
    done = len(fit.trace) - 1  # the trace begins at the start
    if done != iterations:
        raise RuntimeError(f"{done} iterations were run, not {iterations}")
    mu = fit.theta["mu"].values.reshape(task.k, task.d)
    sigma = fit.theta["sigma"].values.reshape(task.k, task.d)
    chol = sigma[:, :, None] * (fit.theta["corr"].values if full else np.eye(task.d))
    return {"w": fit.theta["w"].values, "mu": mu, "sigma": chol @ chol.mT}


em_task.measure(task, run, times=max(1, 40 // (task.last - task.first)), version=unmix.__version__)
