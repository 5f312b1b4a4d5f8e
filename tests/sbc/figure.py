"""The ranks' distribution function less that of the uniform, quantity by quantity, in its band."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

from sbc.ranks import band, counts_up_to, p_value

INK, PALE, ALARM = "#1f3b57", "#dbe4ee", "#b3261e"


def draw(title: str, ranks: dict[str, NDArray], draws: int, false_alarm: float, path: Path) -> None:
    """Save a figure with a panel a quantity.

    Parameters
    ----------
    draws
        That truths were ranked among.
    false_alarm
        Of all panels together; bands are Bonferroni's.
    """
    n = len(next(iter(ranks.values())))
    at = np.arange(1, draws + 1) / (draws + 1)
    each = false_alarm / len(ranks)
    low, high = band(n, draws, each)
    columns = 3
    rows = -(-len(ranks) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(9.6, 0.6 + 2.3 * rows), sharex=True, sharey=True,
        layout="constrained",
    )  # fmt: skip
    for axis, (name, found) in zip(axes.flat, ranks.items(), strict=False):
        difference = counts_up_to(found, draws) / n - at
        p = p_value(found, draws)
        axis.fill_between(at, low, high, color=PALE, step="mid", lw=0)
        axis.axhline(0, color="white", lw=1)
        axis.plot(at, difference, color=ALARM if p < each else INK, lw=1.3)
        axis.set_title(f"{name}   p = {p:.2g}", fontsize=9, loc="left")
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
        axis.set_xlim(0, 1)
    for axis in axes.flat[len(ranks) :]:
        axis.set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("ECDF − uniform", fontsize=9)
    for axis in axes[-1]:
        axis.set_xlabel("rank of the truth / draws", fontsize=9)
    figure.suptitle(title, fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
