r"""Uncertainty map: where a row would have to lie for its component to be in doubt.

The doubt at a point x is the entropy of its averaged responsibility, which has two parts,

.. math:: H(\bar r(x)) = \frac1T \sum_t H(r(x; θ_t)) + I(z; θ),

overlap, which would be there if θ were known, and what knowing θ would settle (Depeweg et al. 2018,
ICML, section 3). One θ has the first only. The points are a grid over the data, put through
Bayes' rule as if they were rows.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unmix.derive import derive
from unmix.derive.bayes import entropy
from unmix.errors import UnmixError
from unmix.show import colours
from unmix.show.canvas import onto, say, tidy
from unmix.show.components_figure import observed_rows, require_same_rows
from unmix.show.density import Densities, try_densities
from unmix.show.limits import far_rows, placed, to_draw, view, words
from unmix.show.line_figure import DRAWS as LINE_DRAWS
from unmix.show.line_figure import line_grid
from unmix.show.pairs_figure import MARGIN, MOST_FEATURES, grid_of_pairs, head
from unmix.show.plane_figure import DRAWS as PLANE_DRAWS
from unmix.show.plane_figure import plane_grid
from unmix.show.rows_drawn import (
    edges,
    emptiest_corner,
    handles,
    label_warning,
    responsibilities_of,
)

Array = NDArray[np.float64]

SIZES = (18.0, 150.0)  # of a marker, from no doubt to the most there can be
SMALLER = (8.0, 70.0)  # in a panel among many


def uncertainty(
    model: pm.Model | None,
    fit: Any,
    responsibilities: xr.Dataset,
    *,
    names: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Entropy of the assignment over the data, and of every row.

    One feature: the entropy along the axis, split over draws into overlap and the uncertainty of
    θ, with the rows on it. Two features: the entropy as a shade of grey, and the rows over it, each
    as large as its own entropy. More: such rows for each pair of features, and on the diagonal the
    entropy of every row against one feature.

    Parameters
    ----------
    model
        The declared mixture, with one observed variable.
    fit
        Any θ: an EM result or draws.
    responsibilities
        The result of `unmix.responsibilities` for that fit.
    names
        Labels of the axes, with units; by default the model's feature names.
    ax
        Axes to draw onto, for one or two features; a figure is made without.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UnmixError
        If one or two features need more than the observed variable (covariates), so that a point
        alone has no responsibilities; or ``ax`` is given for more features.
    """
    derivation = derive(model)
    name, rows, features = observed_rows(derivation, names)
    r, labels = responsibilities_of(responsibilities)
    require_same_rows(derivation, r)
    if rows.shape[1] > 2:
        if ax is not None:
            raise UnmixError(
                f"the rows have {rows.shape[1]} features, which take a grid of panels: leave ax out"
            )
        return _pairs(rows, r, features, labels, label_warning(responsibilities))
    if rows.shape[1] == 1:
        x = rows[:, 0]
        grid = line_grid(x, x.dtype.kind in "iu")
        found = try_densities(derivation, fit, name, grid, LINE_DRAWS, r)
    else:
        across, up = plane_grid(rows)
        grid = np.stack([v.ravel() for v in np.meshgrid(across, up)], axis=1)
        found = try_densities(derivation, fit, name, grid, PLANE_DRAWS, r)
    if found is None:
        raise UnmixError(
            f"the responsibilities of a row need more than {name!r} (covariates), so a point of "
            "the map has none: look at show.membership"
        )
    warning = label_warning(responsibilities)
    if rows.shape[1] == 1:
        return _line(ax, rows[:, 0], r, grid, found, features[0], labels, warning)
    return _plane(ax, rows, r, (across, up), found, features, labels, warning)


def _line(
    ax: Axes | None,
    x: NDArray,
    r: Array,
    grid: NDArray,
    found: Densities,
    feature: str,
    labels: list[str],
    warning: str,
) -> Figure:
    figure, axes = onto(ax, 8, 4)
    total = entropy(found.responsibility)
    overlap = np.minimum(found.overlap, total)  # but for rounding
    axes.fill_between(grid, 0, overlap, color="#C8C8C8", lw=0, label="overlap of components")
    more = "Rows at their own entropy."
    if found.draws is not None:
        axes.fill_between(
            grid, overlap, total, facecolor="white", edgecolor="#777777", hatch="////", lw=0,
            label="uncertainty of θ",
        )  # fmt: skip
        more = f"Entropy of the responsibility averaged over {found.draws} draws. {more}"
    axes.plot(grid, total, color=colours.INK, lw=1.2, label="entropy")
    far = far_rows(x)
    some, at = to_draw(far), placed(x, view(x))
    more += words(far)
    own, most = entropy(r), np.argmax(np.nan_to_num(r), axis=1)
    for k in range(len(labels)):
        mine = some[most[some] == k]
        axes.scatter(
            at[mine], own[mine], s=20, marker=colours.marker(k), facecolors=colours.colour(k),
            **edges(far[mine], 0.4), zorder=3,
        )  # fmt: skip
    _limits(axes, len(labels))
    axes.set_xlim(*view(x))
    axes.set_xlabel(feature)
    axes.set_ylabel("entropy, nats")
    drawn, said = axes.get_legend_handles_labels()
    rows = handles(labels, lines=False)
    axes.legend(
        [*drawn, *rows], [*said, *(str(h.get_label()) for h in rows)], frameon=False, fontsize=9,
        loc="upper left", bbox_to_anchor=(1, 1),
    )  # fmt: skip
    say(axes, f"{feature}: where the component is in doubt", f"{more}\n{warning}", columns=84)
    tidy(axes)
    return figure


def _limits(axes: Axes, k: int) -> None:
    """The most entropy that K components can have, as a line."""
    most = np.log(max(k, 2))
    axes.axhline(most, color=colours.INK, lw=0.8, ls=":", label=f"log {max(k, 2)}, the most")
    axes.set_ylim(-0.05 * most, 1.12 * most)  # so that no marker is cut at either end


def _plane(
    ax: Axes | None,
    rows: NDArray,
    r: Array,
    sides: tuple[Array, Array],
    found: Densities,
    features: list[str],
    labels: list[str],
    warning: str,
) -> Figure:
    figure, axes = onto(ax, 7.8, 5.8)
    k = len(labels)
    most_entropy = np.log(max(k, 2))
    across, up = sides
    shade = entropy(found.responsibility).reshape(len(up), len(across))
    mesh = axes.pcolormesh(
        across, up, shade, cmap="Greys", vmin=0, vmax=1.35 * most_entropy, shading="nearest",
        rasterized=True,
    )  # fmt: skip
    own, most = np.nan_to_num(entropy(r)), np.argmax(np.nan_to_num(r), axis=1)
    size = _sizes(own, k, SIZES)
    far = far_rows(rows)
    some = to_draw(far)
    x, y = (placed(rows[:, j], (side[0], side[-1])) for j, side in enumerate(sides))
    for j in range(k):
        mine = some[most[some] == j]
        axes.scatter(
            x[mine], y[mine], s=size[mine], marker=colours.marker(j), facecolors=colours.colour(j),
            **edges(far[mine], 0.7),
        )  # fmt: skip
    bar = figure.colorbar(mesh, ax=axes, shrink=0.8, label="entropy, nats")
    bar.ax.set_ylim(0, most_entropy)
    axes.set_xlim(across[0], across[-1])
    axes.set_ylim(up[0], up[-1])
    axes.set_xlabel(features[0])
    axes.set_ylabel(features[1])
    axes.legend(
        handles=handles(labels, lines=False), fontsize=10, framealpha=0.8,
        loc=emptiest_corner(axes, x[some], y[some], k),
    )  # fmt: skip
    averaged = f" averaged over {found.draws} draws" if found.draws is not None else ""
    say(
        axes,
        f"{features[1]} and {features[0]}: where the component is in doubt",
        f"Grey: entropy of the responsibility{averaged}. Rows: the larger, the more in doubt; "
        f"colour and shape by most likely component.{words(far)}\n{warning}",
        columns=98,
    )
    tidy(axes)
    return figure


def _sizes(own: Array, k: int, sizes: tuple[float, float]) -> Array:
    """Areas of the markers of rows with these entropies, of k components."""
    return sizes[0] + (sizes[1] - sizes[0]) * own / np.log(max(k, 2))


def _pairs(rows: NDArray, r: Array, features: list[str], labels: list[str], warning: str) -> Figure:
    """More than two features: rows only, as a grid over all features has too many points."""
    figure, panels = grid_of_pairs(rows, features)
    k = len(labels)
    own, most = np.nan_to_num(entropy(r)), np.argmax(np.nan_to_num(r), axis=1)
    far = far_rows(rows[:, :MOST_FEATURES])
    some = to_draw(far)
    some = some[np.argsort(own[some], kind="stable")]  # rows in doubt lie on top of sure ones
    size, strong = _sizes(own, k, SMALLER), 0.35 + 0.65 * own / np.log(max(k, 2))
    for i, line in enumerate(panels):
        for j, axes in enumerate(line[: i + 1]):
            ends = view(rows[:, j], MARGIN), view(rows[:, i], MARGIN)
            x = placed(rows[:, j], ends[0])
            y = own if i == j else placed(rows[:, i], ends[1])
            axes.set_xlim(*ends[0])
            if i != j:
                axes.set_ylim(*ends[1])
            for one in range(k):
                mine = some[most[some] == one]
                axes.scatter(
                    x[mine], y[mine], s=size[mine], alpha=np.minimum(strong[mine], 1.0),
                    marker=colours.marker(one), facecolors=colours.colour(one),
                    **edges(far[mine], 0.4),
                )  # fmt: skip
        diagonal = line[i]
        diagonal.axhline(np.log(max(k, 2)), color=colours.INK, lw=0.8, ls=":")
        diagonal.set_ylim(-0.05 * np.log(max(k, 2)), 1.12 * np.log(max(k, 2)))
        diagonal.yaxis.tick_right()
        diagonal.spines["right"].set_visible(True)
        diagonal.spines["left"].set_visible(False)
    head(
        panels, "Pairs of features: which rows are in doubt",
        "Rows: the larger and stronger, the more in doubt; colour and shape by most likely "
        "component. On the diagonal the entropy of each row, in nats (dotted: "
        f"log {max(k, 2)}, the most there can be).{words(far)}",
        rows.shape[1], labels, warning, lines=False,
    )  # fmt: skip
    return figure
