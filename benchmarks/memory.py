"""Memory that `unmix.responsibilities` adds: 100,000 rows, 5 components, 4,000 draws.

An array of draws × obs × component would take 16 GB in double precision; the promise is under 1 GB.
Each case runs in a process of its own, because a peak once reached never falls again:

    python benchmarks/memory.py               both cases: parameters alone, and with draws of z
    python benchmarks/memory.py --obs 10000   smaller

*Added* is the process's peak while the function runs, less what it held just before it (model,
derivation and draws included). Ends with status 1 where a case adds 1 GB (10⁹ bytes) or more.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

LIMIT = 1e9
CASES = ("parameters", "parameters and z")


def held() -> int:
    """Bytes resident now; where the system does not say (no /proc), the peak so far."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return peak()
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak() -> int:
    """Most bytes resident so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def measure(case: str, n: int, k: int, draws: int) -> bool:
    """One case in this process; whether it kept under the limit."""
    import numpy as np
    import pymc as pm
    import xarray as xr

    import unmix

    rng = np.random.default_rng(1)
    centres = 4.0 * np.arange(k)
    x = rng.choice(centres, n) + rng.standard_normal(n)
    with pm.Model(coords={"component": range(k), "obs": range(n)}) as model:
        w = pm.Dirichlet("w", np.ones(k), dims="component")
        mu = pm.Normal("mu", 10, 10, dims="component")
        sigma = pm.HalfNormal("sigma", 2, dims="component")
        z = pm.Categorical("z", w, dims="obs")
        pm.Normal("x", mu[z], sigma[z], observed=x, dims="obs")
    chains, each, dims = 4, draws // 4, ("chain", "draw", "component")
    shape = (chains, each, k)
    posterior = xr.Dataset(
        {
            "w": (dims, rng.dirichlet(np.full(k, 500.0), shape[:2])),
            "mu": (dims, centres + 0.05 * rng.standard_normal(shape)),
            "sigma": (dims, np.exp(0.05 * rng.standard_normal(shape))),
        }
    )
    groups = {"posterior": posterior}
    if case == "parameters and z":
        drawn = rng.integers(0, k, (chains, each, n), dtype=np.uint8)
        groups["assignments"] = xr.Dataset({"z": (("chain", "draw", "obs"), drawn)})
    fit = xr.DataTree.from_dict(groups)
    unmix.derive(model)
    before, begun = held(), time.perf_counter()
    table = unmix.responsibilities(model, fit)
    seconds, added = time.perf_counter() - begun, peak() - before
    total = float(table["responsibility"].sum())
    if abs(total - n) > 1e-6 * n:  # rounding of 4,000 additions, generously
        raise SystemExit(f"responsibilities sum to {total}, not to {n}")
    print(
        f"{case:>17}: {n:,} rows, {k} components, {each * chains:,} draws: {added / 1e6:7.0f} MB "
        f"added to {before / 1e6:.0f} MB, {seconds:.0f} s",
        flush=True,
    )
    return added < LIMIT


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--obs", type=int, default=100_000)
    parser.add_argument("--components", type=int, default=5)
    parser.add_argument("--draws", type=int, default=4_000)
    parser.add_argument("--quick", action="store_true", help="5,000 rows: does everything run?")
    parser.add_argument("--case", choices=CASES, help="one case, in this process")
    given = parser.parse_args()
    if given.quick:
        given.obs = 5_000
    if given.case:
        return int(not measure(given.case, given.obs, given.components, given.draws))
    ended = [
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--case", case], check=False)
        for case in CASES
    ]
    return max(run.returncode != 0 for run in ended)


if __name__ == "__main__":
    sys.exit(main())
