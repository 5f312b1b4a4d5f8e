"""`unmix.sample`; `method` is its method. The one place of this table that knows the interface."""

import time
import warnings

import sampling_task

# unmix clocks its parts by the wall. What counts here is the CPU's time, which only differs on a
# machine that others use too, so that is the clock it is shown.
time.perf_counter = time.process_time

try:
    import unmix
except ImportError:
    sampling_task.skip("unmix is not installed")

task, given = sampling_task.read()
model = unmix.models.gaussian(given.x[:, 0] if task.d == 1 else given.x, components=task.k)
one = task.d == 1
start = {
    "w": given.w,
    "mu": given.mu[:, 0] if one else given.mu,
    "sigma": given.sigma[:, 0] if one else given.sigma,
    **({} if one else {"corr": given.corr}),
}
before = sampling_task.now()
try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = unmix.sample(
            model,
            method=task.method,
            draws=task.draws,
            tune=task.tune,
            chains=task.chains,
            cores=1,
            rng=task.seed,
            em=start,
            progress=False,
        )
except unmix.UnmixError as error:
    if "method" not in str(error):
        raise
    sampling_task.skip(f"this unmix has no method {task.method!r}")
whole = sampling_task.between("whole", before, sampling_task.now())
sampling, compiling = (tree.attrs.get(f"seconds_{p}", 0.0) for p in ("sampling", "compiling"))
tuning = tree.attrs.get("seconds_tuning", sampling * task.tune / (task.tune + task.draws))
cpu = {"compiling": compiling, "tuning": tuning, "drawing": sampling - tuning}
busy = whole["cpu_whole"] / whole["wall_whole"]
figures = {
    **whole,
    **{f"cpu_{name}": seconds for name, seconds in cpu.items()},
    **{f"wall_{name}": seconds / busy for name, seconds in cpu.items()},
    "cpu_drawing_z": tree.attrs.get("seconds_drawing_z", 0.0),
    "method": tree.attrs["method"],
    "reason": tree.attrs["reason"],
    "version": unmix.__version__,
}
posterior = tree["posterior"]
draws = {name: posterior[name].values for name in ("w", "mu", "sigma")}
sampling_task.finish(task, draws, figures)
