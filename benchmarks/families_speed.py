"""CPU milliseconds per EM iteration for families other than the normal: unmix and its peers.

    python benchmarks/families_speed.py                  everything; some minutes
    python benchmarks/families_speed.py --quick          few rows: does everything run?
    python benchmarks/families_speed.py --only unmix     some columns (or --rows 0 3 for some rows)

benchmarks/README.md says what to install. What is missing is skipped by name; a peer is asked only
for the families that it has. Figures go to benchmarks/results/families.json; with --only or --rows
the others there stay as they were.
"""

import argparse
import json
import math
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent / "peers"))

import families_cases
import families_task
import launch
import machine
from em_speed import middle

FIRST = 2  # iterations of the shorter run
REPEATS = 5
# Mean log-likelihoods per row at the last θ, relative to the middle one. Closed M-steps leave
# rounding only, of float64 or float32; nnet, which fits flexmix's weights by group, iterates until
# its own criterion is steady to eight digits.
AGREE = {"float64": 1e-8, "float32": 1e-3, "iterated": 1e-6}


class Peer(NamedTuple):
    script: str
    families: tuple[str, ...]
    storage: str = "float64"
    own: bool = False

    def agree(self, family: str) -> float:
        iterated = family == "weights by group" and not self.own
        return AGREE["iterated" if iterated else self.storage]


ALL = tuple(dict.fromkeys(case.family for case in families_cases.TABLE))
PEERS = {
    "unmix": Peer("families_unmix.py", ALL, own=True),
    "flexmix": Peer("families_flexmix.R", ("poisson", "binary", "mixed", "weights by group")),
    "mixtools": Peer("families_mixtools.R", ("exponential",)),
    "e1071, by pattern": Peer("families_e1071.R", ("binary",)),
    "StepMix": Peer("families_stepmix.py", ("binary", "categorical", "mixed")),
    "pypolca": Peer("families_pypolca.py", ("binary", "categorical")),
    "pomegranate float32": Peer(
        "families_pomegranate.py",
        ("poisson", "binary", "categorical", "exponential", "mixed"),
        "float32",
    ),
}


def run_case(case: families_cases.Case, peers: dict[str, Peer]) -> dict[str, dict[str, Any]]:
    """The figures of every peer that has the family; of unmix, first and last, the slower run."""
    asked = {name: peer for name, peer in peers.items() if case.family in peer.families}
    own = [name for name, peer in asked.items() if peer.own]
    others = [name for name in asked if name not in own]
    turns = [*own, *others, *(own if others else [])]
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in asked}
    with tempfile.TemporaryDirectory() as folder:
        task = families_task.Task(
            Path(folder), case.family, case.n, case.d, case.k, case.levels, case.groups,
            FIRST, FIRST + case.iterations, REPEATS,
        )  # fmt: skip
        x, group, start = families_cases.draw(case, families_task.shapes(task))
        r = families_cases.responsibilities(families_cases.log_joint(case, x, group, start))
        families_task.write(task, {"x": x, "group": group, "r": r, **start})
        for name in turns:
            figures = launch.run(asked[name].script, task.words(), own=asked[name].own)
            if "cpu_seconds" in figures:
                theta = families_task.theta_in(task, "end_")
                joint = families_cases.log_joint(case, x[:10_000], group[:10_000], theta)
                figures["log_likelihood"] = families_cases.log_likelihood(joint)
            found[name].append(figures)
    figures_of = {name: middle(runs) for name, runs in found.items()}
    for name, figures in figures_of.items():
        say(case, name, figures)
    return figures_of


def say(case: families_cases.Case, name: str, figures: dict[str, Any]) -> None:
    if "cpu_seconds" in figures:
        text = (
            f"{1e3 * figures['cpu_seconds']:10.3f} ms CPU, log-likelihood per row "
            f"{figures.get('log_likelihood', math.nan):.9f}"
        )
    else:
        text = ": ".join(f"{k}: {figures[k]}" for k in ("skipped", "failed") if k in figures)
    print(f"{case.name:40} {name:20} {text}", flush=True)


def disagreements(family: str, found: dict[str, dict[str, Any]]) -> list[str]:
    """Peers whose last θ is not that of the others."""
    ends = {n: f["log_likelihood"] for n, f in found.items() if "log_likelihood" in f}
    exact = sorted(end for name, end in ends.items() if PEERS[name].storage == "float64")
    if not exact:
        return []
    reference = exact[len(exact) // 2]
    return [
        f"{name} ends at {end!r} per row, others at {reference!r}"
        for name, end in ends.items()
        if not abs(end - reference) <= PEERS[name].agree(family) * abs(reference)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small: does everything run?")
    parser.add_argument("--only", nargs="+", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--rows", nargs="+", type=int, help="rows of the table, from 0")
    given = parser.parse_args()
    small = families_cases.quick if given.quick else (lambda case: case)
    path = machine.RESULTS / ("quick/families.json" if given.quick else "families.json")
    whole = given.only == list(PEERS) and given.rows is None
    before = {} if whole or not path.exists() else json.loads(path.read_text())
    table = [small(case) for case in families_cases.TABLE]
    known = {row["name"]: row for row in before.get("table", [])}
    peers = {name: PEERS[name] for name in given.only}
    for case in table if given.rows is None else [table[i] for i in given.rows]:
        old = known.get(case.name, {})
        kept = old["peers"] if old.get("case") == case._asdict() else {}
        found = {**kept, **run_case(case, peers)}
        wrong = disagreements(case.family, found)
        for sentence in wrong:
            print(f"{case.name}: NOT THE SAME ANSWER: {sentence}", flush=True)
        known[case.name] = {
            "name": case.name, "case": case._asdict(), "peers": found, "disagreements": wrong
        }  # fmt: skip
        rows = [known[case.name] for case in table if case.name in known]
        results = {"machine": machine.describe(), "table": rows}
        # Now already, since what comes next may be stopped.
        path = machine.save("families", results, quick=given.quick)
    print("written:", path)
    return int(any(row["disagreements"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
