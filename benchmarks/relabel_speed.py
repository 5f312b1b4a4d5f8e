"""Relabelling 4,000 draws of a mixture of 5 normals on 10,000 rows: CPU time and memory.

An array of draws × obs × component would take 1.6 GB; a method holds one block of draws at a time.
Each method runs in a process of its own, because a peak once reached never falls again:

    python benchmarks/relabel_speed.py                     every method
    python benchmarks/relabel_speed.py --obs 1000 --draws 500 --only stephens ecr

*Added* is the process's peak while the function runs, less what it held just before (the model, the
draws and z included). R's label.switching (Papastamoulis 2016, Journal of Statistical Software
69(1)) is asked for the same methods on the same draws where Rscript and the package are there, and
skipped by name where they are not; it holds the array of responsibilities, so both get fewer rows
and draws there.
Figures go to benchmarks/results/relabel.json.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from memory import held, peak

sys.path.insert(0, str(Path(__file__).parent / "peers"))

import machine

SMALL = (1000, 200)  # rows and draws, where R's label.switching stands beside

METHODS = (
    "ecr", "ecr-iterative-1", "ecr-iterative-2", "stephens", "order", "pra", "data", "reference",
)  # fmt: skip
R_NAMES = {
    "ecr-iterative-1": "ECR-ITERATIVE-1",
    "ecr-iterative-2": "ECR-ITERATIVE-2",
    "stephens": "STEPHENS",
    "order": "AIC",
    "data": "DATA-BASED",
}


def fit(n: int, k: int, draws: int):
    """A model, and draws about its θ with components in any order, and z."""
    import numpy as np
    import pymc as pm
    import xarray as xr

    import unmix

    rng = np.random.default_rng(1)
    centres = 3.0 * np.arange(k)
    x = rng.choice(centres, n) + rng.standard_normal(n)
    with pm.Model(coords={"component": range(k), "obs": range(n)}) as model:
        w = pm.Dirichlet("w", np.ones(k), dims="component")
        mu = pm.Normal("mu", 5, 10, dims="component")
        sigma = pm.HalfNormal("sigma", 2, dims="component")
        z = pm.Categorical("z", w, dims="obs")
        pm.Normal("x", mu[z], sigma[z], observed=x, dims="obs")
    chains, each, dims = 4, draws // 4, ("chain", "draw", "component")
    shape = (chains, each, k)
    order = np.argsort(rng.random(shape), axis=-1)
    values = {
        "w": rng.dirichlet(np.full(k, n / k), shape[:2]),
        "mu": centres + 0.05 * rng.standard_normal(shape),
        "sigma": np.exp(0.05 * rng.standard_normal(shape)),
    }
    posterior = xr.Dataset(
        {name: (dims, np.take_along_axis(v, order, axis=-1)) for name, v in values.items()}
    )
    assignments = unmix.draw_assignments(model, posterior, rng=2)
    tree = xr.DataTree.from_dict({"posterior": posterior, "assignments": assignments})
    return model, tree, order


def measure(method: str, n: int, k: int, draws: int) -> None:
    """One method in this process."""
    import numpy as np

    import unmix

    model, tree, order = fit(n, k, draws)
    options = {"by": "mu"} if method == "order" else {}
    before, begun, wall = held(), time.process_time(), time.perf_counter()
    found = unmix.relabel(model, tree, method=method, **options)
    seconds, wall, added = time.process_time() - begun, time.perf_counter() - wall, peak() - before
    relative = np.take_along_axis(order.reshape(-1, k), found.flat_permutation(), axis=-1)
    right = float(np.mean(np.all(relative == relative[0], axis=-1)))
    print(
        json.dumps(
            {"cpu_seconds": seconds, "wall_seconds": wall, "added_bytes": added, "right": right}
        )
    )


def run(method: str, n: int, k: int, draws: int) -> dict[str, Any]:
    """One method in a process of its own."""
    words = ["--obs", n, "--components", k, "--draws", draws, "--here", method]
    child = subprocess.run(
        [sys.executable, __file__, *map(str, words)],
        stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    if child.returncode:
        return {"failed": f"ended with status {child.returncode}"}
    return json.loads(child.stdout.splitlines()[-1])


def said(who: str, figures: dict[str, Any]) -> str:
    if "cpu_seconds" not in figures:
        return f"{who:>33}: " + ": ".join(f"{a}: {b}" for a, b in figures.items())
    text = f"{who:>33}: {figures['cpu_seconds']:6.2f} s CPU"
    if "added_bytes" in figures:
        added = figures["added_bytes"] / 1e6
        text += f", {added:4.0f} MB added, {100 * figures['right']:.1f} % put right"
    return text


R_SCRIPT = """
suppressMessages(library(label.switching))
a <- commandArgs(TRUE); folder <- a[1]; m <- as.integer(a[2]); n <- as.integer(a[3])
K <- as.integer(a[4]); read <- function(f, s) readBin(file.path(folder, f), "double", s)
z <- matrix(read("z", m * n), m, n); x <- read("x", n)
mcmc <- array(read("mcmc", m * K * 3), c(m, K, 3)); p <- array(read("p", m * n * K), c(m, n, K))
for (method in a[-(1:4)]) {
  t <- system.time(invisible(capture.output(label.switching(method = method, z = z, K = K, p = p,
    mcmc = mcmc, data = x, constraint = 1))))
  cat(method, t[["user.self"]] + t[["sys.self"]], "\n")
}
"""


def beside_r(n: int, k: int, draws: int, only: list[str]) -> dict[str, dict[str, Any]]:
    """R's label.switching on the same draws; skipped by name where it is not installed."""
    import numpy as np

    import unmix

    there = shutil.which("Rscript")
    if there is None:
        return {method: {"skipped": "Rscript is not installed"} for method in only}
    asked = [there, "-e", "library(label.switching)"]
    if subprocess.run(asked, capture_output=True, check=False).returncode:
        return {method: {"skipped": "R has no package label.switching"} for method in only}
    model, tree, _ = fit(n, k, draws)
    posterior = tree["posterior"].to_dataset()
    z = tree["assignments"]["z"].values.reshape(draws, n) + 1.0
    parts = [posterior[v].values.reshape(draws, k) for v in ("mu", "sigma", "w")]
    p = unmix.bayes_rule(model, posterior)["responsibility"].values.reshape(draws, n, k)
    x = np.asarray(model["x"].owner and model.rvs_to_values[model["x"]].eval(), dtype=float)
    with tempfile.TemporaryDirectory() as folder:
        for name, value in (("z", z), ("x", x), ("mcmc", np.stack(parts, axis=-1)), ("p", p)):
            # R reads columns first.
            np.asarray(value, dtype=float).ravel(order="F").tofile(Path(folder) / name)
        script = Path(folder) / "peer.R"
        script.write_text(R_SCRIPT)
        child = subprocess.run(
            [there, str(script), folder, str(draws), str(n), str(k), *(R_NAMES[m] for m in only)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    if child.returncode:
        print(child.stderr, file=sys.stderr)
        return {method: {"failed": f"R ended with status {child.returncode}"} for method in only}
    took = dict(line.split() for line in child.stdout.splitlines() if line.strip())
    return {m: {"cpu_seconds": float(took[R_NAMES[m]])} for m in only}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--obs", type=int, default=10_000)
    parser.add_argument("--components", type=int, default=5)
    parser.add_argument("--draws", type=int, default=4_000)
    parser.add_argument("--quick", action="store_true", help="500 rows: does everything run?")
    parser.add_argument("--only", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--here", choices=METHODS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.quick:
        given.obs, given.draws = 500, 400
    size = (given.obs, given.components, given.draws)
    if given.here:
        measure(given.here, *size)
        return 0
    whole = {}
    for method in given.only:
        whole[method] = run(method, *size)
        print(said(method, whole[method]), flush=True)
    small = (min(given.obs, SMALL[0]), given.components, min(given.draws, SMALL[1]))
    both = [method for method in given.only if method in R_NAMES]
    peers = beside_r(*small, both)
    beside = {m: {"unmix": run(m, *small), "R label.switching": peers[m]} for m in both}
    print(f"On {small[0]:,} rows and {small[2]:,} draws:")
    for method, found in beside.items():
        for name, figures in found.items():
            print(said(f"{method}, {name}", figures), flush=True)
    results = {
        "machine": machine.describe(), "rows": size[0], "components": size[1], "draws": size[2],
        "table": whole, "small": {"rows": small[0], "draws": small[2], "table": beside},
    }  # fmt: skip
    print("written:", machine.save("relabel", results, quick=given.quick))
    return int(any("failed" in figures for figures in whole.values()))


if __name__ == "__main__":
    sys.exit(main())
