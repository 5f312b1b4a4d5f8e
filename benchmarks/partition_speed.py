"""Seconds, memory and objective of `unmix.partition` beside its peers: 1,000 rows, 1,000 draws.

    python benchmarks/partition_speed.py                  every loss; minutes
    python benchmarks/partition_speed.py --quick          60 rows: does everything run?
    python benchmarks/partition_speed.py --only unmix     some columns
    python benchmarks/partition_speed.py --losses vi      some losses

Peers are average linkage cut at its best, and where R has them salso and the greedy search of
mcclust.ext; what is missing is skipped by name. Partitions are judged here, all by the same formula
in NumPy. Ends with status 1 where a peer's partition is better than ours by more than rounding, or
where we add more than `LIMIT` bytes. Figures go to benchmarks/results/partition.json.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent / "peers"))

import launch
import machine
import partition_task

LIMIT = 1e9
ROUNDING = 1e-9
LOSSES = ("vi", "vi_lower_bound", "binder", "omari", "omari_approximate")


class Peer(NamedTuple):
    script: str
    restarts: int = 16
    own: bool = False


PEERS = {
    "unmix": Peer("partition_unmix.py", own=True),
    "unmix, one run": Peer("partition_unmix.py", 1, own=True),
    "average linkage": Peer("partition_linkage.py", own=True),
    "salso": Peer("partition_salso.R"),
    "mcclust.ext greedy": Peer("partition_mcclust.R"),
}


def run_loss(loss: str, peers: dict[str, Peer], *, draws: int, rows: int) -> dict[str, Any]:
    """Every peer's figures for one loss, and the best of the draws."""
    from unmix.assign.partition.expected import expected_loss
    from unmix.assign.partition.given import as_draws, canonical
    from unmix.assign.partition.similarity import co_assignment

    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        task = partition_task.Task(Path(folder), loss, draws, rows, 6, 16)
        z = partition_task.draw(task)
        partition_task.write(task, z)
        on_draws = loss in ("vi", "omari")
        over: dict[str, Any] = {"z": as_draws(z)} if on_draws else {"p": co_assignment(z=z).values}
        # A hundred of them, evenly spread: judging all would take longer than any peer.
        some = z[:: max(1, draws // 100)]
        least = min(expected_loss(loss, canonical(c), **over) for c in some)
        figures["best of 100 draws"] = {"objective": least}
        for name, peer in peers.items():
            words = task._replace(restarts=peer.restarts).words()
            told = launch.run(peer.script, words, own=peer.own)
            if "wall_seconds" in told:
                c = canonical(partition_task.found(task))
                told["objective"] = expected_loss(loss, c, **over)
                told["components"] = int(c.max()) + 1
            figures[name] = told
    for name, told in figures.items():
        print(f"{loss:18} {name:20} {said(told)}", flush=True)
    return figures


def said(told: dict[str, Any]) -> str:
    if "objective" not in told:
        return ": ".join(f"{k}: {told[k]}" for k in ("skipped", "failed") if k in told)
    text = f"objective {told['objective']:.9g}"
    if "wall_seconds" in told:
        text += f", {told['components']} components, {told['wall_seconds']:.2f} s wall, "
        text += f"{told['cpu_seconds']:.2f} s CPU"
    if "added_bytes" in told:
        text += f", {told['added_bytes'] / 1e6:.0f} MB added, {told['at_best']} runs at the best"
    return text


def faults(loss: str, figures: dict[str, Any]) -> list[str]:
    """Where we are worse than a peer, or take too much memory."""
    mine = figures.get("unmix", {})
    if "objective" not in mine:
        return []
    slack = ROUNDING * max(1.0, abs(mine["objective"]))
    wrong = [
        f"{loss}: {name} finds {told['objective']:.12g} and we {mine['objective']:.12g}"
        for name, told in figures.items()
        if told.get("objective", mine["objective"]) < mine["objective"] - slack
    ]
    if mine["added_bytes"] > LIMIT:
        wrong.append(f"{loss}: {mine['added_bytes'] / 1e6:.0f} MB added")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small: does everything run?")
    parser.add_argument("--only", nargs="+", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--losses", nargs="+", choices=LOSSES, default=list(LOSSES))
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=1000)
    given = parser.parse_args()
    if given.quick:
        given.rows, given.draws = 60, 100
    peers = {name: PEERS[name] for name in given.only}
    table = {
        loss: run_loss(loss, peers, draws=given.draws, rows=given.rows) for loss in given.losses
    }
    wrong = [sentence for loss, figures in table.items() for sentence in faults(loss, figures)]
    for sentence in wrong:
        print("NOT GOOD ENOUGH:", sentence, flush=True)
    results = {
        "machine": machine.describe(),
        "rows": given.rows,
        "draws": given.draws,
        "table": table,
        "faults": wrong,
    }
    print("written:", machine.save("partition", results, quick=given.quick))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
