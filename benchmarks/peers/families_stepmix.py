"""EM by StepMix, its measurement model alone."""

import importlib.metadata
import warnings

import em_task
import families_task
import numpy as np

try:
    from stepmix import StepMix
except ImportError as error:
    em_task.skip(f"{error.name} is not installed")

warnings.simplefilter("ignore")
task, x, start = families_task.read()
r = families_task.responsibilities(task)
m = task.normals
measurement = {
    "binary": "binary",
    "categorical": "categorical",
    "mixed": {
        "normal": {"model": "gaussian_diag", "n_columns": m, "reg_covar": 0.0},
        "binary": {"model": "binary", "n_columns": task.d - m},
    },
}[task.family]


class Given(StepMix):
    """Begins with an M-step at the responsibilities given, where StepMix has random ones."""

    def _initialize_parameters(self, X, random_state):
        self.log_resp_ = np.log(r)
        self.weights_ = r.mean(axis=0)
        self._initialize_parameters_measurement(X, random_state)


def run(iterations: int) -> families_task.Theta:
    fit = Given(
        task.k,
        measurement=measurement,
        max_iter=iterations - 1,  # one is the start
        abs_tol=0.0,
        rel_tol=0.0,
        progress_bar=0,
    )
    fit.fit(x)
    if fit.n_iter_ != iterations - 1:
        raise RuntimeError(f"{fit.n_iter_ + 1} iterations were run, not {iterations}")
    found = fit.get_parameters()
    theta = {"w": found["weights"]}
    of = found["measurement"]
    if task.family == "mixed":
        sigma = np.sqrt(of["normal"]["covariances"])
        return theta | {"mu": of["normal"]["means"], "sigma": sigma, "p": of["binary"]["pis"]}
    return theta | {"p": np.reshape(of["pis"], families_task.shapes(task)["p"])}


em_task.measure(task, run, version=importlib.metadata.version("stepmix"))
