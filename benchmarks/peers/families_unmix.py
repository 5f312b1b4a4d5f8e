"""EM by unmix. The one place of the table of families that knows unmix's interface."""

import warnings

import em_task
import families_task
import numpy as np

try:
    import pandas as pd

    import unmix
except ImportError:
    em_task.skip("unmix is not installed")

task, x, start = families_task.read()
column = x[:, 0] if task.d == 1 else x
k, flat = task.k, task.d == 1
match task.family:
    case "poisson":
        model = unmix.models.poisson(column.astype(int), k)
    case "exponential":
        model = unmix.models.exponential(column, k)
    case "binary" | "categorical":
        levels = task.levels or 2
        items = [f"item{j}" for j in range(task.d)]
        frame = pd.DataFrame(x.astype(int), columns=items)
        model = unmix.models.latent_class(frame, k, levels=dict.fromkeys(items, range(levels)))
    case "mixed":
        normal = [f"x{j}" for j in range(task.normals)]
        binary = [f"b{j}" for j in range(task.d - task.normals)]
        frame = pd.DataFrame(x, columns=normal + binary).astype(dict.fromkeys(binary, int))
        families = {**dict.fromkeys(normal, "normal"), **dict.fromkeys(binary, "bernoulli")}
        model = unmix.models.mixed(frame, k, families=families)
    case "weights by group":
        model = unmix.models.grouped_weights(column, families_task.group(task), k)
    case "student_t":
        model = unmix.models.student_t(column, k)


def own(theta: families_task.Theta) -> families_task.Theta:
    """θ by the names that the model has, shaped as its parameters are."""
    if task.family == "binary":
        return {"w": theta["w"], "p": np.stack([1 - theta["p"], theta["p"]], axis=-1)}
    if task.family == "mixed":
        of = [("mu", normal), ("sigma", normal), ("p", binary)]
        return {"w": theta["w"]} | {
            f"{name}_{c}": theta[name][:, j] for name, names in of for j, c in enumerate(names)
        }
    return {n: a[:, 0] if flat and n not in ("w", "nu") else a for n, a in theta.items()}


def common(theta: families_task.Theta) -> families_task.Theta:
    """The way back."""
    if task.family == "binary":
        return {"w": theta["w"], "p": theta["p"][..., 1]}
    if task.family == "mixed":
        of = [("mu", normal), ("sigma", normal), ("p", binary)]
        return {"w": theta["w"]} | {
            name: np.stack([theta[f"{name}_{c}"] for c in names], axis=1) for name, names in of
        }
    shapes = families_task.shapes(task)
    return {name: theta[name].reshape(shape) for name, shape in shapes.items()}


derivation = unmix.derive(model)
# With no pass over packed parameters EM begins with an M-step, at the start's responsibilities.
early = int(derivation.onepass is None)


def run(iterations: int) -> families_task.Theta:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", unmix.UnmixWarning)
        fit = unmix.em(
            model,
            start=own(start),
            starts=1,
            max_iterations=iterations - early,
            tolerance=0.0,
            accelerate=False,  # peers take plain steps
            progress=False,
        )
    done = len(fit.trace) - 1 + early
    if done != iterations:
        raise RuntimeError(f"{done} iterations were run, not {iterations}")
    return common({str(name): array.values for name, array in fit.theta.items()})


def run_by_gradient(iterations: int) -> families_task.Theta:
    """EM alone: `unmix.em` leaves it for quasi-Newton steps where the M-step has no closed form."""
    from unmix.infer import closed_form, em_run, objective

    what = objective.make_objective(derivation, "likelihood", None)
    blocks = closed_form.closed_forms(what)
    theta = {**what.initial, **own(start)}
    for _ in range(iterations):
        theta = em_run.m_step(what, blocks, theta, what.expect(theta))
    return common(theta)


by_gradient = task.family == "student_t"
run_it = run_by_gradient if by_gradient else run
# As many more than peers take where they are quick, but not so many that EM stands still.
times = 1 if by_gradient else max(1, 80 // (task.last - task.first))
often = task._replace(repeats=5 * task.repeats)
em_task.measure(often, run_it, times=times, version=unmix.__version__)
