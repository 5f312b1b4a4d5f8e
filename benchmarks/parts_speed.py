"""CPU time of a pass and of EM where rows are of several kinds: missing cells, weights by group.

    python benchmarks/parts_speed.py             100,000 rows; a minute or two
    python benchmarks/parts_speed.py --quick     2,000 rows: does everything run?

Beside the pass in parts stand the single pass over complete rows of one group, which costs the
least that could be hoped for, and the general road over the derived table, which these models would
take without it. A pass gives the log-likelihood and the sums of the M-step; an iteration of EM is
one, and the M-step. Figures go to benchmarks/results/parts.json.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "peers"))

import machine

FEATURES, COMPONENTS, PATTERNS, GROUPS = 5, 3, 20, 50
REPEATS = 5


def rows(n: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    centre = 3.0 * rng.normal(size=(COMPONENTS, FEATURES))
    return centre[rng.integers(COMPONENTS, size=n)] + rng.normal(size=(n, FEATURES))


def with_holes(x: np.ndarray) -> np.ndarray:
    """The rows with cells missing in one of a few patterns each."""
    rng = np.random.default_rng(2)
    codes = np.unique(rng.integers(1, 2**FEATURES, size=200))
    patterns = (rng.permutation(codes)[:PATTERNS, None] >> np.arange(FEATURES)) & 1
    there = patterns[rng.integers(len(patterns), size=len(x))].astype(bool)
    return np.where(there, x, np.nan)


def cpu_seconds(step: Callable[[], Any]) -> float:
    """The least of several runs, after one that compiles."""
    step()
    found = []
    for _ in range(REPEATS):
        begun = time.process_time()
        step()
        found.append(time.process_time() - begun)
    return min(found)


def e_steps(model: Any) -> dict[str, Callable[[], Any]]:
    """The E-step of a model on each road that it has, at one θ."""
    from unmix.derive import bayes, derive
    from unmix.infer.closed_form import closed_forms
    from unmix.infer.em_run import m_step
    from unmix.infer.em_starts import on_the_road
    from unmix.infer.objective import make_objective

    derivation = derive(model)
    theta = derivation.space.jittered(np.random.default_rng(3))
    stacked = {name: np.asarray(value)[None] for name, value in theta.items()}

    def general() -> Any:
        log_prior, log_likelihood = derivation.log_terms(stacked)
        _, r = bayes.normalise(bayes.joint(log_prior, log_likelihood)[0])
        x = np.asarray(derivation.data[derivation.opened.observed["x"]].data)
        return r.sum(axis=0), r.T @ x, np.einsum("ik,ij,il->kjl", r, x, x, optimize=True)

    found = {"general road": general}
    if derivation.onepass is not None:
        onepass = derivation.onepass
        onepass.threads = 1
        found["one pass"] = lambda: onepass.run(*onepass.recognised.pack(theta))
    elif derivation.parts is not None:
        parts = derivation.parts
        objective = on_the_road(make_objective(derivation, "likelihood", None))
        blocks = closed_forms(objective)
        whole = {**objective.initial, **theta}
        found["pass in parts"] = lambda: parts.run(*parts.pack(theta))
        found["iteration of EM in parts"] = lambda: m_step(
            objective, blocks, whole, objective.expect(whole)
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small: does everything run?")
    quick = parser.parse_args().quick
    import unmix

    n = 2000 if quick else 100_000
    x = rows(n)
    group = np.arange(n) % GROUPS
    models = {
        "complete": unmix.models.gaussian(x, COMPONENTS),
        f"missing cells, {PATTERNS} patterns": unmix.models.gaussian(with_holes(x), COMPONENTS),
        f"weights by group, {GROUPS} groups": unmix.models.grouped_weights(x, group, COMPONENTS),
    }
    table: dict[str, dict[str, float]] = {}
    for name, model in models.items():
        table[name] = {road: cpu_seconds(step) for road, step in e_steps(model).items()}
        told = ", ".join(f"{road} {1e3 * s:.1f} ms" for road, s in table[name].items())
        print(f"{name:32} {told}", flush=True)
    results = {"machine": machine.describe(), "rows": n, "features": FEATURES, "table": table}
    print("written:", machine.save("parts", results, quick=quick))


if __name__ == "__main__":
    main()
