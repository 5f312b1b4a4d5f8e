"""More than two features: a grid of panels, a pair of features in each, one on the diagonal."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unmix.show import colours
from unmix.show.canvas import blank, folded, say, tidy
from unmix.show.density import FEW, INTERVAL
from unmix.show.limits import far_rows, placed, to_draw, view, words
from unmix.show.line_figure import bins_of, histogram
from unmix.show.normals import Normals
from unmix.show.numbers import share
from unmix.show.rows_drawn import HOW_ROWS, draw_rows, handles

Array = NDArray[np.float64]

MOST_FEATURES = 5
GRID_POINTS = 80  # along each axis of a pair
DRAWS = 200
AVERAGED = 24  # of them in the plane
SIDE = 2.3  # of a panel, inches
MARGIN = 0.15


def pairs_figure(
    rows: NDArray,
    r: Array,
    features: list[str],
    labels: list[str],
    found: Normals | None,
    warning: str = "",
) -> Figure:
    """Rows (obs, feature) shaded by r (obs, component), and marginal densities of components.

    Without ``found`` the diagonal counts rows in proportion to their responsibility instead.
    """
    figure, panels = grid_of_pairs(rows, features)
    far = far_rows(rows[:, :MOST_FEATURES])
    some = to_draw(far)
    for i, row in enumerate(panels):
        _diagonal(row[i], rows[:, i], r, i, found)
        for j, axes in enumerate(row[:i]):
            ends = view(rows[:, j], MARGIN), view(rows[:, i], MARGIN)
            x, y = placed(rows[some, j], ends[0]), placed(rows[some, i], ends[1])
            draw_rows(axes, x, y, r[some], far[some], size=14)
            axes.set_xlim(*ends[0])
            axes.set_ylim(*ends[1])
            if found is not None:
                _contours(axes, rows[:, [j, i]], (j, i), found)
    more = HOW_ROWS + words(far)
    if found is None:
        more += " On the diagonal, rows counted in proportion to their responsibility."
    else:
        many = len(found.w)
        more += (
            " On the diagonal each p(z = k) p(x | z = k) over the data's histogram"
            + (f", with {share(INTERVAL)} bands over {many} draws" if many > 1 else "")
            + ". Contours where a component's density of the two features has fallen to exp(−1/2) "
            "and exp(−2) of its peak, the other features integrated out"
            + ("; thin: the outer one at single draws." if many > 1 else ".")
        )
    title = "Pairs of features: data and fitted components"
    head(panels, title, more, rows.shape[1], labels, warning)
    return figure


def grid_of_pairs(rows: NDArray, features: list[str]) -> tuple[Figure, list[list[Axes]]]:
    """A figure, and its panels by row: the lower triangle and the diagonal, with names of axes."""
    d = min(rows.shape[1], MOST_FEATURES)
    figure = blank(SIDE * d, SIDE * d + 0.5)
    squares = figure.subplots(d, d, sharex="col", squeeze=False)
    for i in range(d):
        for j in range(d):
            axes = squares[i, j]
            if j > i:
                axes.set_axis_off()
                continue
            tidy(axes)
            axes.tick_params(labelsize=9)
            if j == 0 and i > 0:
                axes.set_ylabel(folded(features[i]))
            if 0 < j < i:
                axes.sharey(squares[i, 0])
                axes.tick_params(labelleft=False)
            if i == d - 1:
                axes.set_xlabel(folded(features[j]))
    return figure, [list(line) for line in squares]


def head(
    panels: list[list[Axes]], title: str, more: str, n_features: int, labels: list[str],
    warning: str, *, lines: bool = True,
) -> None:  # fmt: skip
    """What is seen above the first panel, and the legend in the corner that has no panels."""
    d = len(panels)
    left = n_features - d
    if left:
        more += f" {left} feature{'s' * (left > 1)} more {'are' if left > 1 else 'is'} not shown."
    say(panels[0][0], title, f"{more}\n{warning}", columns=int(12 * SIDE * d))
    legend = panels[0][-1].legend(
        handles=handles(labels, lines=lines), loc="upper right", frameon=False, fontsize=10
    )
    legend.set_in_layout(False)  # a long name may reach into the empty panels beside


def _diagonal(axes: Axes, x: NDArray, r: Array, j: int, found: Normals | None) -> None:
    far = far_rows(x)
    axes.set_yticks([])
    axes.set_xlim(*view(x, MARGIN))
    if found is None:
        bins = list(bins_of(x[~far], x.dtype.kind in "iu"))
        for k in range(r.shape[1]):
            axes.hist(
                x, bins=bins, weights=np.nan_to_num(r[:, k]), histtype="step",
                color=colours.colour(k), ls=colours.line(k), lw=1.8,
            )  # fmt: skip
        return
    histogram(axes, x, far)
    even = np.linspace(*view(x, MARGIN), 300)
    # Each component's own middle too, so that none narrower than the steps is missed.
    means = found.mean[:, :, j].mean(axis=0)
    reach = np.sqrt(found.covariance[:, :, j, j]).mean(axis=0)[:, None] * np.linspace(-3, 3, 61)
    points = np.union1d(even, np.clip(means[:, None] + reach, even[0], even[-1]))
    joint = found.line(j, points)
    tail = (1 - INTERVAL) / 2
    for k in range(r.shape[1]):
        shade = colours.colour(k)
        axes.plot(points, joint[..., k].mean(axis=0), color=shade, ls=colours.line(k), lw=1.6)
        if len(joint) > 1:
            lower, upper = np.quantile(joint[..., k], [tail, 1 - tail], axis=0)
            axes.fill_between(points, lower, upper, color=shade, alpha=0.25, lw=0)
    axes.set_ylim(bottom=0)


def _contours(axes: Axes, rows: NDArray, pair: tuple[int, int], found: Normals) -> None:
    """As in the plane of two features: averaged over draws, and single draws as a band."""
    low, high = np.transpose([view(x, MARGIN) for x in rows.T])
    fewer = _of_draws(found, AVERAGED)
    for k in range(found.w.shape[1]):
        style: dict[str, Any] = {"colors": colours.colour(k), "linestyles": [colours.line(k)]}
        if len(found.w) > 1:
            single = _of_draws(found, FEW)
            rings = [single.ellipse(t, *pair, k, 2.0) for t in range(len(single.w))]
            axes.add_collection(
                LineCollection(rings, linewidths=0.5, alpha=0.35, **style), autolim=False
            )
        # As far as the component reaches: a grid over rows with an outlier would miss it.
        mean = fewer.mean[:, k][:, list(pair)].mean(axis=0)
        sd = np.sqrt(fewer.covariance[:, k][:, list(pair), list(pair)]).mean(axis=0)
        near, far = (
            np.maximum(low, mean - 4 * sd),
            np.minimum(high, mean + 4 * sd),
        )
        if not (near < far).all():
            continue
        across, up = (np.linspace(near[s], far[s], GRID_POINTS) for s in (0, 1))
        level = fewer.plane(*pair, k, across, up)
        levels = list(level.max() * np.exp([-2, -0.5]))
        axes.contour(across, up, level, levels=levels, linewidths=[0.9, 1.7], **style)


def _of_draws(found: Normals, most: int) -> Normals:
    keep = np.linspace(0, len(found.w) - 1, min(most, len(found.w))).astype(int)
    return Normals(found.w[keep], found.mean[keep], found.covariance[keep])
