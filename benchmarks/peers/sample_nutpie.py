"""nutpie on PyMC's marginal model; `method` is its adaptation."""

import importlib.metadata
import warnings

import sampling_task

try:
    import nutpie
    import pymc  # noqa: F401
except ImportError as error:
    sampling_task.skip(f"{error.name} is not installed")

import pymc_models

task, given = sampling_task.read()
warnings.simplefilter("ignore")
begun = sampling_task.now()
model = pymc_models.marginal(task, given)
names = ["w", "mu", *(["sigma"] if task.d == 1 else [f"chol_{k}_stds" for k in range(task.k)])]
compiled = nutpie.compile_pymc_model(
    model,
    backend="numba",
    initial_points=pymc_models.start(task, given, 0),
    jitter_rvs=set(),
    var_names=names,
)
made = sampling_task.now()
tree = nutpie.sample(
    compiled,
    draws=task.draws,
    tune=task.tune,
    chains=task.chains,
    cores=1,
    seed=task.seed,
    adaptation=task.method,
    progress_bar=False,
    save_warmup=True,
)
done = sampling_task.now()
# Nearly all the time goes into gradients, so it is split by their number.
steps = float(tree["sample_stats"]["n_steps"].sum())
tuning = float(tree["warmup_sample_stats"]["n_steps"].sum())
spent = sampling_task.share(
    sampling_task.between("sampling", made, done), tuning / (tuning + steps)
)
figures = {
    **spent,
    **sampling_task.between("compiling", begun, made),
    "gradients": steps,
    "version": importlib.metadata.version("nutpie"),
}
sampling_task.finish(task, pymc_models.draws(task, tree["posterior"]), figures)
