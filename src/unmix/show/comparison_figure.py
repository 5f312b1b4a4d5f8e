"""EM against MCMC: the same rows and the same parameters, by one θ and by all."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unmix.show import colours
from unmix.show.canvas import blank, folded, say, text, tidy
from unmix.show.numbers import number

MOST_PARAMETERS = 20
MOST_NAMED = 8
LINE = 0.05  # of the axis, more than a line of text is high
LETTER = 0.025  # of the axis, more than a letter is wide


def em_against_mcmc(comparison: Any) -> Figure:
    """Plug-in against averaged responsibilities, and the parameters by both.

    On the left a point for each row and component; rows whose most likely component changes are
    ringed and, in up to eight places where there is room, named. On the right each parameter's
    posterior interval with its mean, the maximum likelihood and the posterior mode, all measured in
    posterior standard deviations from the posterior mean, so that one axis serves every unit.

    Parameters
    ----------
    comparison
        The result of `unmix.compare`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    parameters = comparison.parameters
    if not np.isfinite(parameters["mean"].to_numpy(float)).any():
        figure = blank(6.2, 6)
        why = "Parameters are not shown: components cannot be told apart over draws."
        _rows(figure.subplots(), comparison.rows, why)
        return figure
    height = max(4.8, 1.8 + 0.3 * min(len(parameters), MOST_PARAMETERS))
    figure = blank(11, height)
    left, right = figure.subplots(1, 2)
    _rows(left, comparison.rows)
    _parameters(right, parameters)
    return figure


def _rows(axes: Axes, rows: Any, more: str = "") -> None:
    plug_in = rows["plug_in"].transpose("obs", "component").to_numpy()
    averaged = rows["averaged"].transpose("obs", "component").to_numpy()
    changed = np.flatnonzero(rows["changed"].to_numpy())
    axes.plot([0, 1], [0, 1], color=colours.INK, lw=0.8, zorder=1)
    for k, label in enumerate(rows["component"].values):
        axes.scatter(
            plug_in[:, k],
            averaged[:, k],
            s=22,
            color=colours.colour(k),
            marker=colours.marker(k),
            label=f"component {text(label, 24)}",
            zorder=2,
        )
    if len(changed):
        best = np.argmax(averaged[changed], axis=1)
        x, y = plug_in[changed, best], averaged[changed, best]
        axes.scatter(
            x,
            y,
            s=130,
            facecolors="none",
            edgecolors=colours.ALARM,
            linewidths=1.6,
            label="most likely component changes",
            zorder=3,
        )
        _name(axes, [text(rows["obs"].values[i], 16) for i in changed], x, y)
    axes.set_xlabel("plug-in responsibility (EM)")
    axes.set_ylabel("averaged responsibility (MCMC)")
    axes.set_aspect("equal")
    axes.legend(frameon=False, fontsize=10, loc="upper left")
    n = plug_in.shape[0]
    say(
        axes,
        "Rows: one θ against all of them",
        f"The most likely component changes in {len(changed):,} of {n:,} rows.\n{more}",
        columns=72,
    )
    tidy(axes)


def _name(axes: Axes, labels: list[str], x: NDArray, y: NDArray) -> None:
    """Labels beside points: one for points that lie together, none over another."""
    together: dict[tuple[int, int], list[int]] = {}
    for i, at in enumerate(zip((x / 0.04).round(), (y / 0.04).round(), strict=True)):
        together.setdefault((int(at[0]), int(at[1])), []).append(i)
    taken: list[tuple[float, float, float]] = []  # height, left and right end
    for members in list(together.values()):
        named = ", ".join(labels[i] for i in members[:3])
        named += f" and {len(members) - 3} more" if len(members) > 3 else ""
        across, height = float(x[members[0]]), float(y[members[0]])
        at_edge = across > 0.75
        width = LETTER * (len(named) + 2)
        left = across - width if at_edge else across
        right = left + width
        if len(taken) == MOST_NAMED or any(
            abs(height - other) < LINE and left < end and start < right
            for other, start, end in taken
        ):
            continue
        taken.append((height, left, right))
        axes.annotate(
            named,
            (across, height),
            xytext=(-9 if at_edge else 9, -12),
            ha="right" if at_edge else "left",
            textcoords="offset points",
            fontsize=9,
        )


def _parameters(axes: Axes, parameters: pd.DataFrame) -> None:
    shown = parameters.iloc[:MOST_PARAMETERS]
    y = np.arange(len(shown))
    mean, sd = shown["mean"].to_numpy(float), shown["sd"].to_numpy(float)
    scale = np.where(sd > 0, sd, 1.0)

    def standardised(column: str) -> np.ndarray:
        return (shown[column].to_numpy(float) - mean) / scale

    lower, upper = standardised("lower"), standardised("upper")
    axes.hlines(y, lower, upper, color=colours.INK, lw=2.5, label="posterior interval")
    axes.plot(np.zeros(len(y)), y, "o", color=colours.INK, ms=6, label="posterior mean")
    if np.isfinite(standardised("mode")).any():
        axes.plot(
            standardised("mode"), y, "D", mfc="white", mec="#777777", mew=1.6, ms=7,
            label="posterior mode",
        )  # fmt: skip
    axes.plot(
        standardised("ml"), y, "x", color=colours.ALARM, mew=2.2, ms=8, label="maximum likelihood"
    )
    names = [
        folded(f"{text(n, 60)} = {number(m, 3)}", 28)
        for n, m in zip(shown.index, mean, strict=True)
    ]
    axes.set_yticks(y, names)
    axes.set_ylim(len(y) - 0.4, -0.6)
    # In two lines: names of parameters can leave the axes narrower than one.
    axes.set_xlabel("distance from the posterior mean,\nin posterior standard deviations")
    left_out = len(parameters) - len(shown)
    say(
        axes,
        "Parameters, each beside its posterior mean",
        f"The first {len(shown)} of {len(parameters)}." if left_out else "",
    )
    # Its own row below the label, whatever the height of the axes.
    assert axes.figure is not None
    axes.figure.legend(
        *axes.get_legend_handles_labels(), frameon=False, fontsize=9, ncols=4,
        loc="outside lower right",
    )  # fmt: skip
    tidy(axes)
