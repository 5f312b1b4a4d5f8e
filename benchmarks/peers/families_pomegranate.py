"""EM by pomegranate, in PyTorch's float32."""

import importlib.metadata

import em_task
import families_task
import numpy as np

try:
    import torch
    from pomegranate.distributions import (
        Bernoulli,
        Categorical,
        Exponential,
        IndependentComponents,
        Normal,
        Poisson,
    )
    from pomegranate.gmm import GeneralMixtureModel
except ImportError as error:
    em_task.skip(f"{error.name} is not installed")

torch.set_num_threads(1)
task, rows, start = families_task.read()
x = torch.tensor(rows, dtype=torch.int64 if task.family == "categorical" else torch.float32)
m = task.normals


def component(j: int) -> object:
    of = {name: torch.tensor(a[j], dtype=torch.float32) for name, a in start.items()}
    match task.family:
        case "poisson":
            return Poisson(of["rate"])
        case "exponential":
            return Exponential(1 / of["rate"])
        case "binary":
            return Bernoulli(of["p"])
        case "categorical":
            return Categorical(of["p"])
        case _:  # a distribution of its own for each column
            normals = [
                Normal(of["mu"][i : i + 1], of["sigma"][i : i + 1] ** 2, covariance_type="diag")
                for i in range(m)
            ]
            binary = [Bernoulli(of["p"][i : i + 1]) for i in range(task.d - m)]
            return IndependentComponents(normals + binary)


def run(iterations: int) -> families_task.Theta:
    components = [component(j) for j in range(task.k)]
    priors = torch.tensor(start["w"], dtype=torch.float32)
    fit = GeneralMixtureModel(components, priors=priors, max_iter=iterations, tol=-np.inf)
    fit.fit(x)

    def every(name: str, of: slice = slice(None)) -> np.ndarray:
        """A parameter of all components (component, column)."""
        return np.stack([
            np.concatenate([np.asarray(getattr(c, name)) for c in one.distributions[of]])
            if isinstance(one, IndependentComponents) else np.asarray(getattr(one, name))
            for one in fit.distributions
        ])  # fmt: skip

    theta = {"w": np.asarray(fit.priors)}
    match task.family:
        case "poisson":
            return theta | {"rate": every("lambdas")}
        case "exponential":
            return theta | {"rate": 1 / every("scales")}
        case "mixed":
            own, other = slice(m), slice(m, None)
            sigma = np.sqrt(every("covs", own))
            return theta | {"mu": every("means", own), "sigma": sigma, "p": every("probs", other)}
    return theta | {"p": every("probs")}


version = f"{importlib.metadata.version('pomegranate')}, torch {torch.__version__}"
em_task.measure(task, run, version=version)
