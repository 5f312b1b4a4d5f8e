"""Write docs/benchmarks.md and its figure from what the scripts in benchmarks/ measured.

    python docs/make_benchmarks.py            from benchmarks/results/, into docs/
    python docs/make_benchmarks.py --quick    from benchmarks/results/quick/, and back into it

Nothing is measured here; `make bench` does both.
"""

import argparse
import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks" / "peers"))

from families_page import families_words
from page import TEXT, Table, machine_words, markdown, missing, ratio, seconds, show

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"

EM_NAMES = ("unmix", "unmix float32", "scikit-learn", "mclust", "gmmx float32")
# Chains that disagree so much have no effective sample size to speak of.
DISAGREE = 1.05


def main() -> int:
    """Make the page and the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the small run's results")
    quick = parser.parse_args().quick
    source = RESULTS / "quick" if quick else RESULTS
    page = source / "benchmarks.md" if quick else ROOT / "docs" / "benchmarks.md"
    image = source / "benchmarks.png" if quick else ROOT / "docs/images/benchmarks.png"
    em, sampling = (read(source / f"{name}.json") for name in ("em", "sampling"))
    relabel, partition = (read(source / f"{name}.json") for name in ("relabel", "partition"))
    if not em and not sampling:
        print("nothing has been measured: run `make bench`", file=sys.stderr)
        return 1
    import figure

    figure.draw(em, sampling, image, DISAGREE)
    picture = image.relative_to(page.parent)
    parts = words(em, sampling, str(picture), quick)
    parts += relabel_words(relabel) + partition_words(partition)
    parts += kinds_words(read(source / "parts.json"))
    parts += families_words(read(source / "families.json"))
    page.write_text("\n\n".join(parts) + "\n")
    print("written:", page.relative_to(ROOT), "and", image.relative_to(ROOT))
    return 0


def read(path: Path) -> dict[str, Any]:
    """Results, or none yet."""
    return json.loads(path.read_text()) if path.exists() else {}


def words(em: dict[str, Any], sampling: dict[str, Any], picture: str, quick: bool) -> list[str]:
    """The page, paragraph by paragraph."""
    parts = ["# How fast", TEXT["made"]]
    if quick:
        parts.append("**A quick run: it shows that everything runs, and no speeds.**")
    parts += [f"![Figures relative to the floor, and effective draws per second]({picture})"]
    if em:
        parts += em_words(em)
    if sampling:
        parts += sampling_words(sampling)
    return parts


def em_words(em: dict[str, Any]) -> list[str]:
    """EM's part of the page."""
    speed, rows = em["floor"], em["table"]
    installed = speed["tried"].get("as installed", {}).get("peak")
    parts = ["## EM", machine_words(em), TEXT["em"], TEXT["floor"].format(
        bandwidth=speed["bandwidth"] / 1e9, peak=speed["peak"] / 1e9,
        installed="–" if installed is None else f"{installed / 1e9:.0f}",
        exp=speed["exp"] * 1e9,
    )]  # fmt: skip
    names = [name for name in EM_NAMES if any(name in row["peers"] for row in rows)]
    took = {row["name"]: {n: seconds(row["peers"].get(n, {})) for n in names} for row in rows}
    floors = {row["name"]: row["floor"] for row in rows}
    head = ["N, D, K", *names, "floor"]
    parts += ["CPU milliseconds per iteration:"]
    parts += [markdown([head, *(
        [case, *(show(t, 1e3) for t in took[case].values()), show(floor, 1e3)]
        for case, floor in floors.items()
    )])]  # fmt: skip
    parts += ["Times the floor:"]
    parts += [markdown([head[:-1], *(
        [case, *(show(t, 1 / floors[case]) for t in took[case].values())] for case in floors
    )])]  # fmt: skip
    others = [name for name in names if name != "unmix"]
    parts += ["Times unmix (float64): above 1, unmix is that many times faster:"]
    parts += [markdown([["N, D, K", *others], *(
        [case, *(ratio(took[case][n], took[case].get("unmix")) for n in others)] for case in floors
    )])]  # fmt: skip
    parts += [missing({row["name"]: row["peers"] for row in rows})]
    wrong = [f"- {row['name']}: {s}" for row in rows for s in row.get("disagreements", [])]
    said = "All end at the same log-likelihood, to rounding."
    parts += ["**Not the same answer:**\n" + "\n".join(wrong) if wrong else said]
    parts += threads_words(em.get("threads", [])) + linear_words(em.get("linear", []))
    return [part for part in parts if part]


def threads_words(found: list[dict[str, Any]]) -> list[str]:
    """What a second thread is worth."""
    wall = {(row["name"], row["threads"]): row["peers"] for row in found}
    rows = []
    for name in dict.fromkeys(row["name"] for row in found):
        one, two = (wall.get((name, n), {}).get("unmix", {}).get("wall_seconds") for n in (1, 2))
        if one and two:
            rows.append([name, show(one, 1e3), show(two, 1e3), f"{one / two:.2f}"])
    if not rows:
        return []
    head = ["N, D, K", "one thread", "two threads", "gain"]
    return ["### Two threads", "Wall milliseconds per iteration of unmix:", markdown([head, *rows])]


def linear_words(found: list[dict[str, Any]]) -> list[str]:
    """Time and memory as N grows."""
    rows = []
    for row in found:
        figures = row["peers"].get("unmix", {})
        if "cpu_seconds" in figures:
            each, more = figures["cpu_seconds"] / row["n"], figures["peak_added_bytes"]
            rows.append([
                row["name"], show(figures["cpu_seconds"], 1e3), show(each, 1e9),
                f"{figures['cpu_seconds'] / row['floor']:.1f}", f"{more / 1e6:.0f}",
                f"{8 * row['n'] / 1e6:.0f}",
            ])  # fmt: skip
    if not rows:
        return []
    head = [
        "N, D, K",
        "ms per iteration",
        "ns per row",
        "times the floor",
        "MB added",
        "MB of data",
    ]
    return ["### Linear in N", TEXT["linear"], markdown([head, *rows])]


def sampling_words(sampling: dict[str, Any]) -> list[str]:
    """Sampling's part of the page."""
    table = sampling["table"]
    names = list(dict.fromkeys(n for column in table.values() for n in column["peers"]))
    head = ["", *(column["name"] for column in table.values())]
    parts = ["## Sampling", machine_words(sampling), TEXT["sampling"]]
    for key, title in (
        ("per_cpu_second", "Least bulk effective draws per CPU second of drawing:"),
        ("per_cpu_second_with_tuning", "The same per CPU second of tuning and drawing:"),
    ):
        rows = [
            [name, *(rate(column["peers"].get(name), key) for column in table.values())]
            for name in names
        ]
        parts += [title, markdown([head, *rows, *best(table, names, key)])]
    parts += [missing({c["name"]: c["peers"] for c in table.values()}), apart(table)]
    times = {n: t for n, t in sampling.get("start_to_end", {}).items() if "wall" in t}
    if times:
        ours = [t["wall"] for n, t in times.items() if n.startswith("unmix")]
        rows = [
            [
                name + (" (extrapolated)" if took["extrapolated"] else ""),
                show(took["wall"]),
                show(took["cpu"]),
                ratio(took["wall"], min(ours, default=None)),
            ]
            for name, took in sorted(times.items(), key=lambda item: item[1]["wall"])
        ]
        title = f"### From start to {sampling['wanted']:,} effective draws"
        head = ["N=1e3", "wall seconds", "CPU seconds", "wall, times the quickest of unmix"]
        parts += [title, TEXT["start"], markdown([head, *rows])]
    return [part for part in parts if part]


def relabel_words(found: dict[str, Any]) -> list[str]:
    """Relabelling's part of the page."""
    if not found:
        return []
    rows = [
        [name, show(f.get("cpu_seconds")), show(f.get("added_bytes"), 1e-6)]
        for name, f in found["table"].items()
    ]
    small = found["small"]
    names = list(dict.fromkeys(name for f in small["table"].values() for name in f))
    both = [
        [method, *(show(f[name].get("cpu_seconds")) for name in names)]
        for method, f in small["table"].items()
    ]
    size = f"{found['draws']:,} draws, {found['rows']:,} rows, {found['components']} components"
    return [
        "## Relabelling", machine_words(found), TEXT["relabel"], f"{size}:",
        markdown([["", "CPU seconds", "MB added"], *rows]),
        f"{small['draws']:,} draws, {small['rows']:,} rows, CPU seconds:",
        markdown([["", *names], *both]), missing(small["table"]),
    ]  # fmt: skip


def partition_words(found: dict[str, Any]) -> list[str]:
    """Partitions' part of the page."""
    if not found:
        return []
    names = list(dict.fromkeys(name for f in found["table"].values() for name in f))

    def cell(figures: dict[str, Any]) -> str:
        if "objective" not in figures:
            return "–"
        took = f" ({show(figures['cpu_seconds'])} s)" if "cpu_seconds" in figures else ""
        return f"{figures['objective']:.6g}{took}"

    rows = [[loss, *(cell(f.get(n, {})) for n in names)] for loss, f in found["table"].items()]
    return [
        "## Partitions", machine_words(found), TEXT["partition"],
        f"{found['draws']:,} draws of {found['rows']:,} rows, expected loss (CPU seconds):",
        markdown([["", *names], *rows]), missing(found["table"]),
    ]  # fmt: skip


def kinds_words(found: dict[str, Any]) -> list[str]:
    """The part of the page on rows of several kinds."""
    if not found:
        return []
    roads = ["one pass", "pass in parts", "iteration of EM in parts", "general road"]
    complete = found["table"]["complete"]["one pass"]

    def cell(seconds: float | None) -> str:
        return "–" if seconds is None else f"{show(1e3 * seconds)} ({seconds / complete:.2g})"

    rows = [[name, *(cell(f.get(road)) for road in roads)] for name, f in found["table"].items()]
    return [
        "## Rows of several kinds", machine_words(found), TEXT["parts"],
        f"{found['rows']:,} rows of {found['features']} features with full covariances, CPU "
        "milliseconds (as a multiple of one pass over complete rows):",
        markdown([["", *roads], *rows]),
    ]  # fmt: skip


def best(table: dict[str, Any], names: list[str], key: str) -> Table:
    """A row: the best of unmix over the best peer, in every column."""
    cells = []
    for column in table.values():
        agree = {n: f for n, f in column["peers"].items() if f.get("rhat", 9) <= DISAGREE}
        found = {n: agree[n][key] for n in names if n in agree}
        own = max((v for n, v in found.items() if v and n.startswith("unmix")), default=None)
        peer = max((v for n, v in found.items() if v and not n.startswith("unmix")), default=None)
        cells.append(f"**{own / peer:.1f}**" if own and peer else "–")
    return [["**best of unmix ÷ best peer**", *cells]]


def apart(table: dict[str, Any]) -> str:
    """How far posterior means lie from the middle one of all, in posterior standard deviations."""
    said = []
    for column in table.values():
        found = {n: f for n, f in column["peers"].items() if "ess" in f}
        if len(found) < 3:
            continue
        far = {}
        for name, figures in found.items():
            worst = 0.0
            for part in ("w", "mu", "sigma"):
                for i, mean in enumerate(figures["means"][part]):
                    middle = median(f["means"][part][i] for f in found.values())
                    sd = median(f["sds"][part][i] for f in found.values())
                    worst = max(worst, abs(mean - middle) / sd)
            far[name] = worst
        name = max(far, key=far.get)
        said.append(f"{column['name']}: {far[name]:.2f} ({name}, {found[name]['ess']:.0f} draws)")
    if not said:
        return ""
    return TEXT["apart"] + "\n\n" + "\n".join(f"- {line}" for line in said)


def rate(figures: dict[str, Any] | None, key: str) -> str:
    """Effective draws per second, as a cell."""
    if not figures or key not in figures:
        return "–"
    return show(figures[key]) + ("†" if figures["rhat"] > DISAGREE else "")


if __name__ == "__main__":
    sys.exit(main())
