"""Simulations, one after the other into a file, from which the next run goes on."""

import csv
import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import arviz as az
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sbc.fits import FITS, SHORT, Fit, Settings, stacked
from sbc.problem import Problem
from sbc.problems import PROBLEMS
from sbc.ranks import rank

RESULTS = Path(__file__).parent / "results"
SEED = 20231


def one(settings: Settings, number: int, fit: Fit | None = None) -> dict[str, float]:
    """One simulation: ranks by quantity, effective draws of the log-likelihood, seconds."""
    problem = PROBLEMS[settings.problem]
    rng = np.random.default_rng([SEED, problem.number, number])
    theta, z, x = problem.simulate(rng)
    truth = problem.quantities(theta, z, x)
    begun = time.perf_counter()
    posterior, assigned = (fit or FITS[settings.method])(settings, x, int(rng.integers(2**31)))
    seconds = time.perf_counter() - begun
    every = settings.draws * settings.chains // settings.ranked
    kept = slice(every - 1, None, every)
    held = _quantities(problem, posterior, assigned, kept, x)
    found = {name: rank(truth[name][0], v.ravel(), rng) for name, v in held.items()}
    # Of the draws that are ranked: as many as there are, were they independent.
    effective = float(az.ess(held["log-likelihood"]))
    return {**found, "effective": round(effective, 1), "seconds": round(seconds, 3)}


def _quantities(
    problem: Problem, posterior: xr.Dataset, z: NDArray, kept: slice, x: NDArray
) -> dict[str, NDArray]:
    """Of the kept draws, (chain, draw) each."""
    theta, shape = stacked(posterior.isel(draw=kept))
    found = problem.quantities(theta, z[:, kept].reshape(-1, z.shape[-1]), x)
    return {name: v.reshape(shape) for name, v in found.items()}


# --- The file -------------------------------------------------------------------------------------


def path_of(settings: Settings, folder: Path = RESULTS) -> Path:
    return folder / f"{name_of(settings)}.csv"


def name_of(settings: Settings) -> str:
    """Of files and figures."""
    return settings.problem + SHORT[settings.method]


def read(path: Path) -> tuple[Settings, list[dict[str, float]]]:
    """Settings and simulations of a file; a line that was cut short is left out."""
    with open(path, newline="") as file:
        settings = Settings(**json.loads(file.readline().removeprefix("# ")))
        rows = list(csv.DictReader(file))
    whole = [r for r in rows if None not in r and None not in r.values() and r["seconds"]]
    return settings, [{name: float(v) for name, v in r.items()} for r in whole]


def ranks_of(rows: list[dict[str, float]]) -> dict[str, NDArray]:
    """Ranks by quantity, (simulation,)."""
    names = [n for n in rows[0] if n not in ("number", "effective", "seconds")]
    return {n: np.array([int(r[n]) for r in rows]) for n in names}


def go_on(
    settings: Settings, simulations: int, folder: Path = RESULTS
) -> Iterator[dict[str, float]]:
    """The simulations that are not in the file yet, each written as it is made."""
    path = path_of(settings, folder)
    folder.mkdir(parents=True, exist_ok=True)
    done: list[dict[str, float]] = []
    if path.exists():
        before, done = read(path)
        if before != settings:
            raise SystemExit(f"{path} was made with {before}, not {settings}: move it away")
        _write(path, settings, done)  # without the line that was cut short
    numbers = {int(r["number"]) for r in done}
    for number in range(simulations):
        if number in numbers:
            continue
        row = {"number": number, **one(settings, number)}
        if not done:
            _write(path, settings, [row])
        else:
            with open(path, "a", newline="") as file:
                csv.DictWriter(file, row).writerow(row)
        done.append(row)
        yield row


def _write(path: Path, settings: Settings, rows: list[dict[str, float]]) -> None:
    new = path.with_name(path.name + ".new")
    with open(new, "w", newline="") as file:
        file.write(f"# {json.dumps(asdict(settings))}\n")
        if rows:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            broken = ("effective", "seconds")  # all others are whole numbers
            writer.writerows(
                {n: v if n in broken else int(v) for n, v in row.items()} for row in rows
            )
    new.replace(path)
