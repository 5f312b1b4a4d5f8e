"""The data beside what the prior would have made: all of it together, and some data sets alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unmix.arguments import share
from unmix.derive import Derivation, derive
from unmix.derive.present import rows_shown
from unmix.errors import UnmixError
from unmix.show import colours
from unmix.show.canvas import blank, say, text, tidy
from unmix.show.components_figure import feature_names
from unmix.show.rows_drawn import some_of

Array = NDArray[np.float64]

ALONE = 5  # simulated data sets that get a panel each
BINS = 60
SEEN = 0.98  # of what the prior makes; the rest would set the scale
MOST_POINTS = 4000


def prior_predictive(
    model: pm.Model | None,
    prior: Any,
    *,
    features: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    interval: float = 0.89,
) -> Figure:
    """The observed rows beside data sets drawn from the prior.

    Above, all draws together: for one feature the histogram of the data, the mean density of the
    simulated data sets and its interval from data set to data set; for two the rows over simulated
    ones. Below, the data and five simulated data sets of as many rows, by component.

    Parameters
    ----------
    model
        The declared mixture, with one observed variable.
    prior
        The result of `unmix.prior_predictive` for that model.
    features
        One or two features to draw, by name; by default the first two.
    names
        Labels for them, with units; by default their names.
    interval
        Mass of the equal-tailed interval over data sets.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UnmixError
        If the draws are not of this model, or it has no single observed variable.
    """
    interval = share("interval", interval, "0.89")
    derivation = derive(model)
    name, rows, known, index = _observed(derivation)
    if not isinstance(prior, xr.DataTree) or "prior_predictive" not in prior.children:
        raise UnmixError(
            f"a {type(prior).__name__} without a group 'prior_predictive' cannot be drawn: pass "
            "the result of unmix.prior_predictive"
        )
    drawn = prior["prior_predictive"].to_dataset()
    if name not in drawn or drawn[name].shape[2:3] != rows.shape[:1]:
        raise UnmixError(
            f"the draws hold no {name!r} of {len(rows)} rows: draw them from this model"
        )
    made = drawn[name].transpose("chain", "draw", ...).to_numpy()
    made = made.reshape(-1, len(rows), rows.shape[1]).astype(np.float64)
    z = prior["assignments"].to_dataset()[derivation.latent.name].to_numpy()
    z = z.reshape(len(made), -1)[:, index]
    shown = _chosen(known, features)
    labels = [text(n) for n in (names if names is not None else [known[j] for j in shown])]
    if len(labels) != len(shown):
        raise UnmixError(f"names has {len(labels)} labels for {len(shown)} features")
    rows, made = rows[:, shown].astype(np.float64), made[:, :, shown]
    whole = np.isfinite(rows).all(axis=1)  # cells that are missing are so in what was drawn too
    rows, made, z = rows[whole], made[:, whole], z[:, whole]
    limits = [_limits(rows[:, j], made[:, :, j]) for j in range(len(shown))]
    alone = np.unique(np.linspace(0, len(made) - 1, ALONE).astype(int))
    draw = _one_feature if len(shown) == 1 else _two_features
    return draw(rows, made, z, limits, alone, labels, interval)


def _observed(derivation: Derivation) -> tuple[str, NDArray, list[str], NDArray]:
    """Name, rows (row, feature) and features of the observed variable, and each row's z."""
    opened = derivation.opened
    observed = [n for n in opened.observed if n in opened.assignment_terms]
    if len(observed) != 1:
        raise UnmixError(
            f"the figure needs one observed variable that follows {derivation.latent.name!r} and "
            f"the model has {len(observed)}: draw this one by hand"
        )
    name = observed[0]
    rows = rows_shown(derivation, name)
    if rows.ndim not in (1, 2):
        raise UnmixError(f"the figure needs rows of {name!r} and it has {rows.ndim} dims")
    of_row = np.asarray(derivation.table.index[name]).reshape(len(rows), -1)[:, 0]
    rows = rows.reshape(len(rows), -1)
    return name, rows, feature_names(derivation, name, rows), of_row


def _chosen(known: list[str], features: Sequence[str] | None) -> list[int]:
    if features is None:
        return list(range(min(2, len(known))))
    wanted = [features] if isinstance(features, str) else list(map(str, features))
    missing = [f for f in wanted if f not in known]
    if missing or len(wanted) not in (1, 2):
        raise UnmixError(f"features is {', '.join(wanted)}: give one or two of {', '.join(known)}")
    return [known.index(f) for f in wanted]


def _limits(x: Array, made: Array) -> tuple[float, float]:
    """An axis that holds the data and all but the far tails of what the prior makes."""
    low, high = np.nanquantile(made, [(1 - SEEN) / 2, (1 + SEEN) / 2])
    low, high = min(low, x.min()), max(high, x.max())
    margin = 0.03 * (high - low)
    return float(low - margin), float(high + margin)


def _hidden(made: Array, limits: list[tuple[float, float]]) -> str:
    inside = np.ones(made.shape[:2], dtype=bool)
    for j, (low, high) in enumerate(limits):
        inside &= (made[:, :, j] >= low) & (made[:, :, j] <= high)
    out = 100 * (1 - inside.mean())
    return f" {out:.1f} % of the simulated rows lie outside." if out >= 0.05 else ""


def _one_feature(
    rows: Array,
    made: Array,
    z: NDArray,
    limits: list[tuple[float, float]],
    alone: NDArray,
    labels: list[str],
    interval: float,
) -> Figure:
    figure = blank(9, 6)
    grid = figure.add_gridspec(2, len(alone) + 1, height_ratios=[2.2, 1])
    top = figure.add_subplot(grid[0, :])
    edges: Any = np.linspace(*limits[0], BINS + 1)
    width = edges[1] - edges[0]
    x = rows[:, 0]
    each = np.stack([np.histogram(d, edges)[0] for d in made[:, :, 0]]) / (made.shape[1] * width)
    own = _bins_inside(edges, x)
    top.hist(x, bins=own.tolist(), density=True, color="#AAAAAA", alpha=0.7, zorder=2, label="data")
    low, high = np.quantile(each, [(1 - interval) / 2, (1 + interval) / 2], axis=0)
    band = f"{100 * interval:.0f} % of the data sets"
    top.stairs(
        high, edges, baseline=low, fill=True, color=colours.COLOURS[4], alpha=0.3, label=band
    )
    top.stairs(
        each.mean(axis=0), edges, color=colours.COLOURS[0], lw=2, zorder=3, label="prior predictive"
    )
    top.set_xlim(*limits[0])
    top.set_ylim(bottom=0)
    top.set_ylabel("density")
    top.set_xlabel(labels[0])
    top.legend(frameon=False, fontsize=10)
    tidy(top)
    how = f"{len(made):,} data sets of {len(x):,} rows drawn from the prior.{_hidden(made, limits)}"
    say(top, f"{labels[0]}: the data, and what the prior makes", how)
    k = int(z.max()) + 1
    for j, axes in enumerate(_small(figure, grid, alone)):
        if j == 0:
            axes.hist(x, bins=edges.tolist(), color="#AAAAAA")
        else:
            d = alone[j - 1]
            parts = [made[d, z[d] == c, 0] for c in range(k)]
            axes.hist(
                parts,
                bins=edges.tolist(),
                stacked=True,
                color=[colours.colour(c) for c in range(k)],
            )
        axes.set_xlim(*limits[0])
        axes.set_yticks([])
    return figure


def _bins_inside(edges: Array, x: Array) -> Any:
    """The data's own bins, finer than those of a prior that is much wider than they are."""
    width = min(edges[1] - edges[0], max(np.ptp(x), 1e-300) / 20)
    return np.arange(x.min(), x.max() + width, width)


def _two_features(
    rows: Array,
    made: Array,
    z: NDArray,
    limits: list[tuple[float, float]],
    alone: NDArray,
    labels: list[str],
    interval: float,
) -> Figure:
    figure = blank(9, 8)
    grid = figure.add_gridspec(2, len(alone) + 1, height_ratios=[3, 1])
    top = figure.add_subplot(grid[0, :])
    every = made.reshape(-1, 2)
    some = every[:: -(-len(every) // MOST_POINTS)]
    made_style: dict[str, Any] = {"s": 8, "lw": 0, "alpha": 0.45, "color": colours.COLOURS[4]}
    top.scatter(some[:, 0], some[:, 1], label="prior predictive", **made_style)
    seen = rows[some_of(len(rows))]
    top.scatter(seen[:, 0], seen[:, 1], s=12, color=colours.INK, lw=0, label="data")
    top.set_xlim(*limits[0])
    top.set_ylim(*limits[1])
    top.set_xlabel(labels[0])
    top.set_ylabel(labels[1])
    top.legend(frameon=False, fontsize=10)
    tidy(top)
    how = (
        f"{len(some):,} rows of {len(made):,} data sets drawn from the prior, each of "
        f"{len(rows):,} rows.{_hidden(made, limits)}"
    )
    say(top, f"{labels[0]} and {labels[1]}: the data, and what the prior makes", how)
    for j, axes in enumerate(_small(figure, grid, alone)):
        if j == 0:
            axes.scatter(seen[:, 0], seen[:, 1], s=3, color=colours.INK, lw=0)
        else:
            d = alone[j - 1]
            shades = [colours.colour(int(c)) for c in z[d]]
            axes.scatter(made[d, :, 0], made[d, :, 1], s=3, color=shades, lw=0)
        axes.set_xlim(*limits[0])
        axes.set_ylim(*limits[1])
        axes.set_xticks([])
        axes.set_yticks([])
    return figure


def _small(figure: Figure, grid: Any, alone: NDArray) -> list[Axes]:
    found = [figure.add_subplot(grid[1, j]) for j in range(len(alone) + 1)]
    for j, axes in enumerate(found):
        tidy(axes)
        axes.tick_params(labelsize=8)
        axes.set_title("data" if j == 0 else f"draw {alone[j - 1]}", fontsize=10, loc="left")
    return found
