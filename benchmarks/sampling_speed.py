"""Effective draws per CPU second: unmix and its peers, on the same data with the same priors.

    python benchmarks/sampling_speed.py             everything; an hour or so if all peers are there
    python benchmarks/sampling_speed.py --quick     small: does everything run?
    python benchmarks/sampling_speed.py --only "unmix nuts" --columns 1e4 overlap

benchmarks/README.md says what to install. What is missing is skipped by name. Figures go to
benchmarks/results/sampling.json; with --only or --columns the others there stay as they were.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent / "peers"))

import effective
import launch
import machine
import sampling_cases
import sampling_task

SEED = 7
WANTED = 20_000  # effective draws, for the time from start to end
LIMIT = 1200.0  # seconds for a peer in a column


class Length(NamedTuple):
    """Chains, and tuning steps and draws of each: enough for some hundred effective draws."""

    tune: int
    draws: int
    chains: int = 4


class Peer(NamedTuple):
    """``columns`` says where it runs, and for how long."""

    script: str
    method: str
    columns: dict[str, Length]
    own: bool = False


FULL = Length(1000, 1000)
GRADIENT = {"1e3": FULL, "1e4": FULL, "1e5": Length(300, 300, 2)}
OVERLAP = {"overlap": FULL, "ridge": FULL}
WIDE = {"wide": Length(500, 500, 2)}
ALL = dict.fromkeys(sampling_cases.COLUMNS, FULL)
LONG = Length(1000, 5000)
PEERS = {
    "PyMC explicit z": Peer("sample_pymc.py", "explicit", {"1e3": Length(300, 500, 2)}),
    "PyMC marginal": Peer("sample_pymc.py", "marginal", {**GRADIENT, **OVERLAP, **WIDE}),
    "nutpie marginal": Peer("sample_nutpie.py", "diag", {**GRADIENT, **OVERLAP, **WIDE}),
    "nutpie marginal, low rank": Peer("sample_nutpie.py", "low_rank", OVERLAP),
    "NumPyro marginal": Peer("sample_numpyro.py", "diag", {**GRADIENT, **WIDE}),
    "NumPyro marginal, dense": Peer("sample_numpyro.py", "dense", OVERLAP),
    "bayesm": Peer(
        "sample_bayesm.R",
        "gibbs",
        {
            "1e3": LONG,
            "1e4": Length(500, 2000),
            "1e5": Length(100, 500, 2),
            "overlap": Length(1000, 24_000),
            "ridge": Length(1000, 9000),
            "wide": Length(300, 1500),
        },
    ),
    "unmix gibbs": Peer("sample_unmix.py", "gibbs", ALL, own=True),
    "unmix nuts": Peer("sample_unmix.py", "nuts", ALL, own=True),
    "unmix auto": Peer("sample_unmix.py", "auto", ALL, own=True),
}


def run_peer(peer: Peer, column: sampling_cases.Column, length: Length) -> dict[str, Any]:
    """One peer's figures in one column."""
    x, theta = sampling_cases.draw(column)
    with tempfile.TemporaryDirectory() as folder:
        task = sampling_task.Task(
            Path(folder), column.n, column.d, column.k, peer.method, length.tune,
            length.draws, length.chains, SEED,
        )  # fmt: skip
        sampling_task.write(task, x, theta, sampling_cases.prior(x))
        figures = launch.run(peer.script, task.words(), own=peer.own, limit=LIMIT)
        if "cpu_drawing" not in figures:
            return figures
        figures |= {**length._asdict(), **effective.summary(task, theta["mu"])}
    figures["per_cpu_second"] = figures["ess"] / figures["cpu_drawing"]
    both = figures["cpu_drawing"] + figures["cpu_tuning"]
    figures["per_cpu_second_with_tuning"] = figures["ess"] / both
    return figures


def say(column: str, name: str, figures: dict[str, Any]) -> None:
    if "ess" in figures:
        text = (
            f"{figures['per_cpu_second']:10.1f} effective draws per CPU second, "
            f"{figures['per_cpu_second_with_tuning']:10.1f} with tuning; "
            f"{figures['ess']:.0f} in all, R-hat {figures['rhat']:.3f}"
        )
    else:
        text = next(f"{key}: {figures[key]}" for key in ("skipped", "failed") if key in figures)
    print(f"{column:18} {name:26} {text}", flush=True)


def shorter(length: Length) -> Length:
    return Length(max(length.tune // 10, 20), max(length.draws // 10, 20), length.chains)


def start_to_end(found: dict[str, Any], column: sampling_cases.Column) -> dict[str, Any]:
    """Wall and CPU seconds of a fresh process from its start to 20,000 effective draws.

    As many draws as the table's run says are needed, in one process that imports, compiles, tunes
    and draws, on one core. What is lacking or too much at the end is put right by the time of
    a draw. Where drawing would take more than half the limit, the table's figures are added up.
    """
    times = {}
    for name, figures in found.items():
        if "ess" not in figures or PEERS[name].script.endswith(".R"):
            continue
        long = WANTED / figures["ess"] * figures["wall_drawing"] > LIMIT / 2
        if not long:
            per_draw = figures["ess"] / (figures["draws"] * figures["chains"])
            length = Length(figures["tune"], int(1.05 * WANTED / per_draw / 4) + 1, 4)
            figures = run_peer(PEERS[name], column, length)
        if "ess" not in figures:
            times[name] = figures
            continue
        lacking = WANTED / figures["ess"] - 1
        seconds = {
            clock: figures[f"process_{clock}_seconds"] + lacking * figures[f"{clock}_drawing"]
            for clock in ("wall", "cpu")
        }
        times[name] = {**seconds, "extrapolated": long, "run": figures}
        print(
            f"{name:26} {seconds['wall']:10.1f} s, {seconds['cpu']:10.1f} s of it CPU, "
            f"to {WANTED:,} effective draws",
            flush=True,
        )
    return times


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small: does everything run?")
    parser.add_argument("--only", nargs="+", choices=list(PEERS), default=list(PEERS))
    columns = list(sampling_cases.COLUMNS)
    parser.add_argument("--columns", nargs="+", choices=columns, default=columns)
    parser.add_argument("--table", action="store_true", help="not the time to 20,000 draws")
    given = parser.parse_args()
    path = machine.RESULTS / ("quick/sampling.json" if given.quick else "sampling.json")
    whole = given.only == list(PEERS) and given.columns == columns
    before = {} if whole or not path.exists() else json.loads(path.read_text())
    # In the order of the page, whatever was measured first.
    table = {key: before["table"][key] for key in columns if key in before.get("table", {})}
    results = {**before, "machine": machine.describe(), "wanted": WANTED, "table": table}
    for key in given.columns:
        column = sampling_cases.COLUMNS[key]
        column = sampling_cases.quick(column) if given.quick else column
        # What was measured on other rows does not stand beside this.
        if table.get(key, {}).get("column") != json.loads(json.dumps(column)):
            table[key] = {
                "name": column.name,
                "column": json.loads(json.dumps(column)),
                "peers": {},
            }
        found = table[key]["peers"]
        for name in given.only:
            length = PEERS[name].columns.get(key)
            if length is not None:
                length = shorter(length) if given.quick else length
                found[name] = run_peer(PEERS[name], column, length)
                say(column.name, name, found[name])
                machine.save("sampling", results, quick=given.quick)
    if not given.table and not given.quick and "1e3" in given.columns:
        mine = {n: f for n, f in table["1e3"]["peers"].items() if n in given.only}
        times = start_to_end(mine, sampling_cases.COLUMNS["1e3"])
        results["start_to_end"] = {**before.get("start_to_end", {}), **times}
    print("written:", machine.save("sampling", results, quick=given.quick))
    return 0


if __name__ == "__main__":
    sys.exit(main())
