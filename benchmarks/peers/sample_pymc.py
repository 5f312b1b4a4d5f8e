"""PyMC's own sampler: NUTS on the marginal model, or its default steps with z explicit."""

import itertools

import sampling_task

try:
    import pymc as pm
except ImportError:
    sampling_task.skip("pymc is not installed")

import pymc_models

task, given = sampling_task.read()
explicit = task.method == "explicit"
begun = sampling_task.now()
model = (pymc_models.explicit if explicit else pymc_models.marginal)(task, given)
starts = [pymc_models.start(task, given, chain) for chain in range(task.chains)]
marks: list[tuple[int, bool, sampling_task.Mark]] = []


def note(trace, draw) -> None:  # PyMC calls it after every draw
    if not marks or marks[-1][:2] != (draw.chain, draw.tuning):
        marks.append((draw.chain, draw.tuning, sampling_task.now()))


with model:
    tree = pm.sample(
        task.draws,
        tune=task.tune,
        chains=task.chains,
        cores=1,
        initvals=starts,
        init="adapt_diag",
        random_seed=task.seed,
        progressbar=False,
        compute_convergence_checks=False,
        callback=note,
    )
marks.append((-1, False, sampling_task.now()))
# A stretch runs from the first draw of its kind to the first of the next: what compiles at the
# very first call is not in it, one draw of the first chain neither.
spent = {f"{c}_{p}": 0.0 for c in ("cpu", "wall") for p in ("tuning", "drawing")}
for (_, tuning, a), (_, _, b) in itertools.pairwise(marks):
    for name, seconds in sampling_task.between("tuning" if tuning else "drawing", a, b).items():
        spent[name] += seconds
compiling = sampling_task.between("compiling", begun, marks[0][2])
draws = pymc_models.draws(task, tree["posterior"])
sampling_task.finish(task, draws, {**spent, **compiling, "version": pm.__version__})
