"""Run what is left of the simulations, draw the figures, write the table of docs/sbc.md.

In tests/: ``python -m sbc [--simulations 1000] [--problems normal …] [--method gibbs]``.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np

os.environ.setdefault("MPLBACKEND", "Agg")

from sbc.figure import draw
from sbc.fits import FITS, Settings, settings_for
from sbc.problems import PROBLEMS
from sbc.ranks import p_value
from sbc.runs import go_on, name_of, path_of, ranks_of, read

DOCS = Path(__file__).resolve().parents[2] / "docs"
FALSE_ALARM = 0.01
# Simulations below which nothing is shown.
FEWEST = 20
BEGIN, END = "<!-- results -->", "<!-- end of results -->"


def main() -> None:
    parser = argparse.ArgumentParser(prog="make sbc", description=__doc__)
    parser.add_argument("--simulations", type=int, default=1000, help="of each problem")
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument("--method", choices=FITS, help="by default each problem's own")
    options = parser.parse_args()
    for name in options.problems:
        settings = settings_for(name, options.method)
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
    """Figures of all problems that have results enough, and a table of p-values."""
    found = []
    for method in FITS:
        for name in PROBLEMS:
            path = path_of(Settings(name, method))
            if path.exists():
                settings, rows = read(path)
                if len(rows) >= FEWEST:
                    found.append((settings, rows))
    common = set.intersection(*(set(ranks_of(rows)) for _, rows in found))
    head = ["", "simulations", "effective of 100"]
    head += [name for name in ranks_of(found[0][1]) if name in common] + ["others"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += [_line(settings, rows, common) for settings, rows in found]
    lines += [""] + [f"![{s.problem}, {s.method}](images/sbc_{name_of(s)}.png)\n" for s, _ in found]
    return "\n".join(lines) + "\n"


def _line(settings: Settings, rows: list[dict[str, float]], common: set[str]) -> str:
    """Draw one figure; its line of the table."""
    name, ranks = settings.problem, ranks_of(rows)
    title = (
        f"{name}, {len(rows)} simulations of {PROBLEMS[name].rows} rows, {settings.method}: "
        f"bands are left by right ranks in {100 * FALSE_ALARM:g} % of such figures"
    )
    path = DOCS / "images" / f"sbc_{name_of(settings)}.png"
    draw(title, ranks, settings.ranked, FALSE_ALARM, path)
    effective = np.median([r["effective"] for r in rows]) * 100 / settings.ranked
    values = {name: f"{p_value(r, settings.ranked):.2g}" for name, r in ranks.items()}
    others = ", ".join(f"{name} {p}" for name, p in values.items() if name not in common)
    cells = [f"{name}, {settings.method}", str(len(rows)), f"{effective:.0f}"]
    cells += [p for name, p in values.items() if name in common]
    return "| " + " | ".join([*cells, others]) + " |"


if __name__ == "__main__":
    main()
