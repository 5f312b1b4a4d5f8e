"""The figure of the benchmarks' page: two panels of points on logarithmic axes."""

from pathlib import Path
from typing import Any

# Okabe and Ito's colours, which the colour-blind can tell apart; in grey the shapes do it. Ours is
# filled and dark, and the peers are open.
LOOKS = {
    "unmix": ("o", "#000000", True),
    "unmix float32": ("D", "#0072B2", True),
    "unmix auto": ("o", "#000000", True),
    "unmix gibbs": ("s", "#0072B2", True),
    "unmix nuts": ("^", "#D55E00", True),
    "scikit-learn": ("s", "#D55E00", False),
    "mclust": ("^", "#009E73", False),
    "gmmx float32": ("v", "#CC79A7", False),
    "PyMC explicit z": ("X", "#000000", False),
    "PyMC marginal": ("P", "#000000", False),
    "nutpie marginal": ("D", "#009E73", False),
    "nutpie marginal, low rank": ("d", "#009E73", False),
    "NumPyro marginal": ("v", "#CC79A7", False),
    "NumPyro marginal, dense": ("<", "#CC79A7", False),
    "bayesm": ("h", "#D55E00", False),
}


def draw(em: dict[str, Any], sampling: dict[str, Any], path: Path, disagree: float) -> None:
    """EM: times the floor, by row. Sampling: effective draws per CPU second, by column.

    Samplers whose R-hat is above ``disagree`` are left out.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 7), layout="constrained")
    rows = [
        (
            row["name"],
            {
                name: figures["cpu_seconds"] / row["floor"]
                for name, figures in row["peers"].items()
                if "cpu_seconds" in figures
            },
        )
        for row in em.get("table", [])
    ]
    _panel(left, rows, "EM: CPU time of an iteration ÷ floor  (less is better)")
    left.axvspan(1, 2, color="0.85", zorder=0)
    left.axvline(1, color="0.3", linewidth=1)
    left.set_ylabel("N, D, K")
    columns = [
        (
            column["name"],
            {
                name: figures["per_cpu_second"]
                for name, figures in column["peers"].items()
                if figures.get("rhat", 9.0) <= disagree
            },
        )
        for column in sampling.get("table", {}).values()
    ]
    _panel(right, columns, "Sampling: effective draws per CPU second  (more is better)")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _panel(axes: Any, rows: list[tuple[str, dict[str, float]]], title: str) -> None:
    seen = []
    for y, (_, points) in enumerate(rows):
        axes.axhline(y, color="0.9", linewidth=0.8, zorder=0)
        for name, value in points.items():
            marker, colour, filled = LOOKS.get(name, ("*", "0.5", False))
            axes.plot(
                value,
                y,
                marker,
                markersize=9,
                color=colour,
                markerfacecolor=colour if filled else "white",
                markeredgewidth=1.6,
                label=None if name in seen else name,
                zorder=4 if filled else 3,
            )
            seen.append(name)
    axes.set_xscale("log")
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_title(title, fontsize=10.5, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    if seen:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.05), ncols=3, frameon=False)
