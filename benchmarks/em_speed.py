"""CPU milliseconds per EM iteration: unmix and its peers, beside the floor of this machine.

    python benchmarks/em_speed.py                  everything; an hour or so if all peers are there
    python benchmarks/em_speed.py --quick          a hundredth of the rows: does everything run?
    python benchmarks/em_speed.py --only unmix     some columns (or --rows 0 3 for some rows)

benchmarks/README.md says what to install. What is missing is skipped by name. Figures go to
benchmarks/results/em.json; with --only or --rows the others there stay as they were.
"""

import argparse
import json
import math
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent / "peers"))

import em_cases
import em_task
import launch
import machine

FIRST = 3  # iterations of the shorter run
REPEATS = 5
# Mean log-likelihoods per row at the last θ are equal but for rounding: float64 leaves some
# 1e-12, float32 some 1e-6; a peer that did something else differs in the first digits.
AGREE = {"float64": 1e-8, "float32": 1e-3}


class Peer(NamedTuple):
    script: str
    storage: str = "float64"
    own: bool = False


PEERS = {
    "unmix": Peer("em_unmix.py", own=True),
    "unmix float32": Peer("em_unmix.py", "float32", own=True),
    "scikit-learn": Peer("em_sklearn.py"),
    "mclust": Peer("em_mclust.R"),
    "gmmx float32": Peer("em_gmmx.py", "float32"),
}


def floor_of(case: em_cases.Case, speed: dict[str, Any]) -> float:
    """Seconds that no pass in float64 can beat: the data read once, or the arithmetic done once."""
    streaming = 8 * case.n * case.d / speed["bandwidth"]
    arithmetic = 4 * case.n * case.features * case.k / speed["peak"]
    return max(streaming, arithmetic + case.n * case.k * speed["exp"])


def run_case(
    case: em_cases.Case, peers: dict[str, Peer], *, threads: int = 1
) -> dict[str, dict[str, Any]]:
    """Every peer's figures on one row of the table."""
    x, start = em_cases.draw(case)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        task = em_task.Task(
            Path(folder), case.n, case.d, case.k, case.covariance, FIRST, FIRST + case.iterations,
            REPEATS, "",
        )  # fmt: skip
        em_task.write(task, x, start)
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in peers}
        for name in turns(peers):
            words = task._replace(storage=peers[name].storage).words()
            figures = launch.run(peers[name].script, words, threads=threads, own=peers[name].own)
            if "cpu_seconds" in figures:
                theta = em_task.theta_in(task, "end_")
                figures["log_likelihood"] = em_cases.log_likelihood(x[:10_000], theta)
            runs[name].append(figures)
        for name, figures in runs.items():
            found[name] = middle(figures)
            say(case, name, found[name], threads)
    return found


def turns(peers: dict[str, Peer]) -> list[str]:
    """Who runs when: unmix, which is quick, before and after every other.

    A machine that others use too is at times half as fast, for minutes; so each peer has unmix's
    figures from either side of its own.
    """
    own = [name for name, peer in peers.items() if peer.own]
    others = [name for name, peer in peers.items() if not peer.own]
    return own + [name for other in others for name in (other, *own)]


def middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The run of median CPU time; the first where none has any."""
    timed = sorted((r for r in runs if "cpu_seconds" in r), key=lambda r: r["cpu_seconds"])
    return timed[len(timed) // 2] if timed else runs[0]


def say(case: em_cases.Case, name: str, figures: dict[str, Any], threads: int) -> None:
    if "cpu_seconds" in figures:
        text = (
            f"{1e3 * figures['cpu_seconds']:10.3f} ms CPU, {1e3 * figures['wall_seconds']:10.3f} "
            f"ms wall, log-likelihood per row {figures.get('log_likelihood', math.nan):.9f}"
        )
    else:
        text = ": ".join(
            f"{key}: {figures[key]}" for key in ("skipped", "failed") if key in figures
        )
    many = "" if threads == 1 else f", {threads} threads"
    print(f"{case.name + many:28} {name:14} {text}", flush=True)


def say_floor(speed: dict[str, Any]) -> None:
    print(
        f"bandwidth {speed['bandwidth'] / 1e9:.1f} GB/s, peak {speed['peak'] / 1e9:.1f} Gflop/s, "
        f"exp {speed['exp'] * 1e9:.2f} ns",
        flush=True,
    )


def disagreements(found: dict[str, dict[str, Any]]) -> list[str]:
    """Peers whose last θ is not that of the others."""
    ends = {
        name: figures["log_likelihood"]
        for name, figures in found.items()
        if "log_likelihood" in figures
    }
    if len(ends) < 2:
        return []
    middle = sorted(ends[n] for n in ends if PEERS[n].storage == "float64" or len(ends) == 2)
    reference = middle[len(middle) // 2] if middle else next(iter(ends.values()))
    return [
        f"{name} ends at {end!r} per row, others at {reference!r}"
        for name, end in ends.items()
        if not abs(end - reference) <= AGREE[PEERS[name].storage] * abs(reference)
    ]


def measure_table(
    cases: list[em_cases.Case], peers: dict[str, Peer], before: dict, *, quick: bool
) -> list[dict[str, Any]]:
    rows = []
    for case in cases:
        speed = machine.floor(quick=quick)
        say_floor(speed)
        old = next((r for r in before.get("table", []) if r["case"] == case._asdict()), {})
        found = {**old.get("peers", {}), **run_case(case, peers)}
        wrong = disagreements(found)
        for sentence in wrong:
            print(f"{case.name}: NOT THE SAME ANSWER: {sentence}", flush=True)
        row = {
            "name": case.name, "case": case._asdict(), "floor": floor_of(case, speed),
            "speed": speed,
        }  # fmt: skip
        rows.append({**row, "peers": found, "disagreements": wrong})
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small: does everything run?")
    parser.add_argument("--only", nargs="+", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--rows", nargs="+", type=int, help="rows of the table, from 0")
    parser.add_argument("--table", action="store_true", help="neither threads nor linearity")
    given = parser.parse_args()
    small = em_cases.quick if given.quick else (lambda case: case)
    path = machine.RESULTS / ("quick/em.json" if given.quick else "em.json")
    whole = given.only == list(PEERS) and given.rows is None
    before = {} if whole or not path.exists() else json.loads(path.read_text())
    peers = {name: PEERS[name] for name in given.only}
    table = [small(case) for case in em_cases.TABLE]
    chosen = [table[i] for i in given.rows] if given.rows else table
    rows = measure_table(chosen, peers, before, quick=given.quick)
    speed = max((row["speed"] for row in rows), key=lambda found: found["peak"])
    done = [row["name"] for row in rows]
    rows += [row for row in before.get("table", []) if row["name"] not in done]
    order = [case.name for case in table]
    rows.sort(key=lambda row: order.index(row["name"]) if row["name"] in order else len(order))
    results = {**before, "machine": machine.describe(), "floor": speed, "table": rows}
    machine.save("em", results, quick=given.quick)  # what comes next may be stopped
    if "unmix" in peers and not given.table:
        mine = {name: peer for name, peer in peers.items() if peer.own}
        results["threads"] = [
            {"name": case.name, "threads": n, "peers": run_case(case, mine, threads=n)}
            for case in chosen
            for n in (1, 2)
        ]
        results["linear"] = [
            {"name": c.name, "n": c.n, "floor": floor_of(c, speed), "peers": run_case(c, mine)}
            for c in map(small, em_cases.LINEAR)
        ]
    print("written:", machine.save("em", results, quick=given.quick))
    return int(any(row["disagreements"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
