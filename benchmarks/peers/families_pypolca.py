"""EM by pypolca, the C++ translation of R's poLCA."""

import importlib.metadata

import em_task
import families_task
import numpy as np

try:
    import pypolca
except ImportError as error:
    em_task.skip(f"{error.name} is not installed")

task, x, start = families_task.read()
levels = task.levels or 2
p = start["p"] if task.levels else np.stack([1 - start["p"], start["p"]], axis=-1)
data = pypolca.Data()
data.y = x.astype(np.int32) + 1  # 0 is a missing answer
data.x = np.ones((task.n, 1))
data.num_choices = [levels] * task.d


def run(iterations: int) -> families_task.Theta:
    fit = pypolca.fit_em(
        data,
        nclass=task.k,
        maxiter=iterations,
        tol=-1.0,
        probs_start=p.ravel(),
        beta_start=np.array([], dtype=float),  # without covariates, equal weights
        seed=1,
        calc_se=False,
    )
    if fit.iterations != iterations or fit.error:
        raise RuntimeError(f"{fit.iterations} iterations were run, not {iterations}")
    found = np.reshape(fit.params.vecprobs, (task.k, task.d, levels))
    return {"w": np.asarray(fit.prior)[0], "p": found if task.levels else found[..., 1]}


em_task.measure(task, run, version=importlib.metadata.version("polca"))
