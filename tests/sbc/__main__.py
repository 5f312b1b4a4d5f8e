"""Run what is left of the simulations, draw the figures, write the table of docs/sbc.md.

In tests/: ``python -m sbc [--simulations 1000] [--problems normal …] [--method gibbs]``.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("MPLBACKEND", "Agg")

from sbc.figure import draw
from sbc.problems import PROBLEMS
from sbc.ranks import p_value
from sbc.runs import FITS, Settings, go_on, name_of, path_of, ranks_of, read

DOCS = Path(__file__).resolve().parents[2] / "docs"
FALSE_ALARM = 0.01
BEGIN, END = "<!-- results -->", "<!-- end of results -->"


def main() -> None:
    parser = argparse.ArgumentParser(prog="make sbc", description=__doc__)
    parser.add_argument("--simulations", type=int, default=1000, help="of each problem")
    # A fit by NUTS is compiled for each data set, a minute: those are run when asked for.
    quick = [name for name, problem in PROBLEMS.items() if problem.method == "gibbs"]
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=quick)
    parser.add_argument("--method", choices=FITS, help="by default each problem's own")
    options = parser.parse_args()
    for name in options.problems:
        settings = Settings(name, options.method or PROBLEMS[name].method)
        begun, last = time.monotonic(), 0.0
        for made, row in enumerate(go_on(settings, options.simulations), 1):
            if time.monotonic() - last > 30:
                last = time.monotonic()
                each = (last - begun) / made
                left = each * (options.simulations - row["number"] - 1) / 60
                print(f"{name}: {row['number']:.0f}, {each:.2f} s each, {left:.0f} min left",
                      flush=True)  # fmt: skip
    table = report()
    page = DOCS / "sbc.md"
    if page.exists():
        text = page.read_text()
        before, rest = text.split(BEGIN)
        page.write_text(f"{before}{BEGIN}\n{table}{END}{rest.split(END)[1]}")
    print(table)


def report() -> str:
    """Figures of all problems that have results, and a table of p-values."""
    lines: list[str] = []
    for method in FITS:
        for name in PROBLEMS:
            path = path_of(Settings(name, method))
            if path.exists():
                settings, rows = read(path)
                ranks = ranks_of(rows)
                if not lines:
                    head = ["", "simulations", "effective of 100", *ranks]
                    lines += ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
                lines.append(_line(settings, rows, ranks))
    found = [Settings(name, method) for method in FITS for name in PROBLEMS]
    lines += [""] + [
        f"![{s.problem}, {s.method}](images/sbc_{name_of(s)}.png)\n"
        for s in found if path_of(s).exists()
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _line(settings: Settings, rows: list[dict[str, float]], ranks: dict[str, NDArray]) -> str:
    """Draw one figure; its line of the table."""
    name = settings.problem
    title = (
        f"{name}, {len(rows)} simulations of {PROBLEMS[name].rows} rows, {settings.method}: "
        f"bands are left by right ranks in {100 * FALSE_ALARM:g} % of such figures"
    )
    path = DOCS / "images" / f"sbc_{name_of(settings)}.png"
    draw(title, ranks, settings.ranked, FALSE_ALARM, path)
    effective = np.median([r["effective"] for r in rows]) * 100 / settings.ranked
    values = [f"{p_value(r, settings.ranked):.2g}" for r in ranks.values()]
    return "| " + " | ".join([f"{name}, {settings.method}", str(len(rows)), f"{effective:.0f}",
                              *values]) + " |"  # fmt: skip


if __name__ == "__main__":
    main()
