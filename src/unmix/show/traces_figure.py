"""The sampler's traces, as ArviZ draws them."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from unmix.derive.correlations import with_correlations
from unmix.errors import UnmixError
from unmix.show.canvas import folded
from unmix.show.numbers import plain

MOST_ROWS = 20
ROW = 1.15  # height of one, inches
CHAINS = ["#1A1A1A", "#8C8C8C", "#4D4D4D", "#BFBFBF"]  # colours are the components'


def traces(post: xr.DataTree, *, var_names: list[str] | None = None) -> Figure:
    """`arviz.plot_trace_dist` of each parameter: where each chain went, and its distribution.

    Parameters
    ----------
    post
        A DataTree with a group ``posterior``, raw labels: a label switch shows as a jump.
    var_names
        Parameters to draw; by default those of floating type, and correlations in place of their
        Cholesky factor. Numbers that never change are left out, and so is what comes after the
        twentieth.

    Returns
    -------
    matplotlib.figure.Figure
        Not open in pyplot.

    Raises
    ------
    UnmixError
        If there is no posterior group or nothing in it to draw.
    """
    import arviz as az
    from matplotlib import pyplot

    if "posterior" not in getattr(post, "children", ()):
        raise UnmixError("traces need a DataTree with a group 'posterior', as unmix.sample gives")
    posterior = post["posterior"].to_dataset()
    every = _elements(with_correlations(posterior) if var_names is None else posterior, var_names)
    if not every:
        raise UnmixError("the posterior holds no parameter that moves: name others in var_names")
    elements = dict(list(every.items())[:MOST_ROWS])
    groups = {"posterior": xr.Dataset(elements)}
    if "sample_stats" in post.children:  # its divergences are marked
        groups["sample_stats"] = post["sample_stats"].to_dataset()
    drawn: Any = az.plot_trace_dist(
        xr.DataTree.from_dict(groups), compact=False, backend="matplotlib",
        color=CHAINS,
    )  # fmt: skip
    figure: Figure = drawn.viz["figure"].item()
    pyplot.close(figure)
    figure.set_size_inches(11, 0.6 + ROW * len(elements))
    figure.set_layout_engine("constrained")
    rows = list(zip(figure.axes[::2], figure.axes[1::2], strict=True))
    for at, (spread, trace) in enumerate(rows):
        # A name stands upright beside its row, which is less high than the name is long.
        name = folded(trace.get_ylabel().replace("$", r"\$"))
        spread.set_ylabel(name, fontsize=9, rotation=0, ha="right", va="center")
        trace.set_ylabel("")
        for axes in (spread, trace):
            axes.tick_params(labelsize=8)
            axes.set_xlabel("")
        if at < len(rows) - 1:
            trace.tick_params(labelbottom=False)  # draws are counted below the last row
    rows[0][0].set_title("distribution of each chain's draws", fontsize=10, loc="left")
    left_out = f"; the first {MOST_ROWS} of {len(every)} numbers" if len(every) > MOST_ROWS else ""
    rows[0][1].set_title(f"in the order drawn{left_out}", fontsize=10, loc="left")
    rows[-1][1].set_xlabel("draw", fontsize=9)
    return figure


def _elements(posterior: xr.Dataset, var_names: list[str] | None) -> dict[str, xr.DataArray]:
    """Single numbers by name, as ``mu[0]``; without those that no draw changes."""
    elements: dict[str, xr.DataArray] = {}
    for name in posterior.data_vars if var_names is None else var_names:
        values = posterior[name]
        if values.dtype.kind != "f" and var_names is None:
            continue  # z, in a trace that holds it
        own = [d for d in values.dims if d not in ("chain", "draw")]
        for at in np.ndindex(*(values.sizes[d] for d in own)):
            one = values.isel(dict(zip(own, at, strict=True)))
            labels = [plain(values[d].values[i]) for d, i in zip(own, at, strict=True)]
            if float(np.ptp(one.to_numpy())) > 0:
                key = f"{plain(name)}[{', '.join(labels)}]" if labels else plain(name)
                # xarray keeps the stroke for paths of groups; a sign that looks the same stands in.
                elements[key.replace("/", "\N{DIVISION SLASH}")] = one.reset_coords(drop=True)
    return elements
