"""One parameter of every component along the draws, under raw labels and after alignment.

A sampler is free to call any component by any name. Under raw labels a name that changes owner
shows as a jump within a chain, or as chains that stand at different places; after alignment each
component should keep to its place. Where it does not, components have no identity, and no table of
them would mean anything.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from unmix.arguments import said
from unmix.assign.relabel.applying import GROUP
from unmix.assign.relabel.layout import Layout
from unmix.assign.relabel.relabelling import Relabelling
from unmix.derive.theta import SAMPLE_DIMS, theta_dataset
from unmix.errors import UnmixError
from unmix.show import colours
from unmix.show.canvas import blank, figure_of, panels, say, text, tidy
from unmix.show.numbers import plain

Array = NDArray[np.float64]

MOST_DRAWS = 300  # of a chain; beyond, dots hide each other


def label_traces(
    post: Any,
    relabelling: Relabelling,
    parameter: str | tuple[str, int] | None = None,
    *,
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Draws of one parameter of every component, raw on the left, aligned on the right.

    Parameters
    ----------
    post
        Raw draws.
    relabelling
        From `unmix.relabel`, of these draws.
    parameter
        A parameter with a component axis, or one and the position of a number in what a component
        has of it, such as ``("mu", 1)`` for the second feature. By default the first such
        parameter that is no weight, and its first number.
    axes
        Two axes to draw onto; a figure is made without.

    Returns
    -------
    matplotlib.figure.Figure
        Chains stand side by side, every second one shaded; of long ones some draws are left out,
        evenly.

    Raises
    ------
    UnmixError
        If the draws are not those of the relabelling, or the parameter has no component axis.
    """
    if not isinstance(relabelling, Relabelling):
        raise UnmixError(
            f"a {type(relabelling).__name__} is no relabelling: pass what unmix.relabel returned"
        )
    given = panels(axes, 2, "there are two panels, before and after")
    layout = relabelling.layout
    raw = layout.in_order(theta_dataset(post))
    name, at = _parameter(layout, raw, parameter)
    bare = _only_parameters(post, raw, layout)
    both = (raw, theta_dataset(relabelling.apply(bare)))
    figure = blank(10.5, 4.2) if given is None else figure_of(given[0])
    left, right = given or figure.subplots(1, 2)
    labels = [text(v, 24) for v in relabelling.permutation["component"].values]
    label = text(_named(raw, layout, name, at), 60)
    chains = relabelling.lead.get("chain", 1)
    for ax, dataset in zip((left, right), both, strict=True):
        values, members = _values(layout, dataset, relabelling.lead, name, at)
        _draw(ax, values.reshape(chains, -1, len(members)), members, labels)
        tidy(ax)
    outside = _limits(values, left, right)  # the same values in both panels
    left.set_ylabel(label)
    moved = relabelling.shares["moved"]
    say(left, "Raw labels", f"Under the names that the sampler used.{outside}", columns=66)
    said = f"By method {text(relabelling.method)}, which moves {moved:.1%} of the draws"
    if relabelling.identified:
        say(right, "Aligned", f"{said}.", columns=66)
    else:
        say(right, "Aligned, and NOT IDENTIFIED", f"{said}, in vain.", columns=66)
    right.legend(
        title="component", frameon=False, fontsize=10, loc="upper left", bbox_to_anchor=(1, 1),
        markerscale=2.2,
    )  # fmt: skip
    return figure


def _parameter(
    layout: Layout, raw: xr.Dataset, parameter: str | tuple[str, int] | None
) -> tuple[str, int | None]:
    """The parameter's name, and the position of the number in it where it has several."""
    there = [name for name in layout.moved if name in raw]
    if parameter is None:
        # Weights of an overfitted mixture are small and alike; where components lie tells more.
        parameter = next((n for n in there if raw[n].dtype.kind == "f" and n != "w"), there[0])
    pair: tuple[Any, ...] = parameter if isinstance(parameter, tuple) else (parameter, None)
    good = len(pair) == 2 and (pair[1] is None or isinstance(pair[1], int | np.integer))
    if not good or isinstance(pair[1], bool):
        raise UnmixError(
            f"parameter is {said(parameter)}: give a name, or one and the position of a number in "
            "it, such as ('mu', 1)"
        )
    name, at = pair
    if not isinstance(name, str) or name not in there:
        raise UnmixError(
            f"{plain(name)!r} has no component axis: give one of {', '.join(map(plain, there))}"
        )
    return name, at


def _named(raw: xr.Dataset, layout: Layout, name: str, at: int | None) -> str:
    """The number drawn, as ``mu[waiting]``: labels along every dim of it but the component's."""
    axis = layout.components.axes.get(name)
    own = [d for d in raw[name].dims if d not in SAMPLE_DIMS]
    if axis is not None:
        del own[axis]
    shape = tuple(raw.sizes[d] for d in own)
    if not shape or not -np.prod(shape) <= (at or 0) < np.prod(shape):
        return name  # one number; what is not there is refused where it is read
    place = np.unravel_index((at or 0) % int(np.prod(shape)), shape)
    labels = [plain(raw[d].values[i], 24) for d, i in zip(own, place, strict=True)]
    return f"{name}[{', '.join(labels)}]"


def _only_parameters(post: Any, raw: xr.Dataset, layout: Layout) -> Any:
    """What is drawn and nothing else: z of many rows would be copied for nothing."""
    bare = raw[[name for name in layout.moved if name in raw]]
    if not isinstance(post, xr.DataTree):
        return bare
    groups = {"posterior": bare}
    if GROUP in post.children:
        groups[GROUP] = post[GROUP].to_dataset()
    tree = xr.DataTree.from_dict(groups)
    tree.attrs = dict(post.attrs)
    return tree


def _values(
    layout: Layout, dataset: xr.Dataset, lead: dict[str, int], name: str, at: int | None
) -> tuple[Array, Sequence[int]]:
    """One number of every component, shape (sample, member), and which components these are."""
    values = layout.read(dataset, lead)
    if name in layout.components.axes:
        members: Sequence[int] = layout.components.members[name]
        stacked = np.moveaxis(values[name], 1 + layout.components.axes[name], 1)
    else:
        family = next(f for f in layout.components.families if name in f)
        members = range(len(family))
        stacked = np.stack([values[one] for one in family], axis=1)
    numbers = stacked.reshape(len(stacked), len(members), -1)
    if not -numbers.shape[-1] <= (at or 0) < numbers.shape[-1]:
        raise UnmixError(
            f"a component has {numbers.shape[-1]} numbers of {plain(name)!r} and {at} was asked "
            f"for: count from 0"
        )
    return numbers[..., at or 0], members


def _limits(values: Array, *axes: Axes) -> str:
    """Both panels to one scale, which a few far values do not set; how many these are, in words."""
    low, high = np.quantile(values, [0.005, 0.995])
    margin = 0.15 * (high - low)
    if np.ptp(values) < 1.6 * (high - low + 2 * margin):
        low, high, margin = values.min(), values.max(), 0.04 * np.ptp(values)
    low, high = low - margin, high + margin
    for ax in axes:
        if high > low:
            ax.set_ylim(low, high)
    beyond = float(np.mean((values < low) | (values > high)))
    return f" {beyond:.1%} of the values lie beyond the axes." if beyond else ""


def _draw(ax: Axes, values: Array, members: Sequence[int], labels: list[str]) -> None:
    """Values (chain, draw, member), one chain after the other."""
    chains, draws, _ = values.shape
    kept = np.unique(np.linspace(0, draws - 1, min(draws, MOST_DRAWS)).astype(int))
    x = (np.arange(chains)[:, None] * draws + kept).ravel()
    for j, k in enumerate(members):
        ax.scatter(
            x,
            values[:, kept, j].ravel(),
            s=7,
            marker=colours.marker(k),
            color=colours.colour(k),
            linewidths=0,
            alpha=0.75,
            label=labels[k],
            rasterized=True,
        )
    for chain in range(1, chains, 2):
        ax.axvspan(chain * draws, (chain + 1) * draws, color="#EDEDED", lw=0, zorder=0)
    ax.set_xlim(0, chains * draws)
    ax.set_xticks((np.arange(chains) + 0.5) * draws, [f"chain {c}" for c in range(chains)])
    ax.tick_params(axis="x", length=0)
