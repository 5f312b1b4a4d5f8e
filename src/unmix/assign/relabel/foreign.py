"""A trace of any program: its user says which dims are component axes, and where z is.

Nothing is guessed: a dim of length K may be a feature, and a permutation applied to it, or to all
parameters but one, would make another posterior. What the user names is checked and the rest is
left as it is.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import xarray as xr

from unmix.assign.relabel.layout import SAMPLE_DIMS, Layout, named_axes
from unmix.assign.relabel.reading import likeliest_of_trace, read_responsibility, read_z, rows
from unmix.assign.relabel.source import Source
from unmix.derive.theta import theta_dataset
from unmix.errors import UnmixError


def from_trace(
    fit: Any, axes: Any, symmetry: Any, z: Any, responsibility: Any, data: Any
) -> Source:
    """A trace of any program, with the component axes that its user names.

    Raises
    ------
    UnmixError
        If the trace has no component axis, two of different sizes, or numbers that are not finite.
    """
    dataset = theta_dataset(fit)
    own = tuple(n for n in (z,) if isinstance(n, str) and n in dataset)
    axes = _with_responsibility(dataset, axes, responsibility)
    components = named_axes(dataset, axes, symmetry, own)
    first = next(iter(components.axes))
    dims = {
        n: tuple(str(d) for d in dataset[n].dims if d not in SAMPLE_DIMS)
        for n in (*components.axes, *(m for family in components.families for m in family))
    }
    named = {dims[n][axis] for n, axis in components.axes.items()}
    wanted = {d: np.asarray(dataset[d].values) for d in named if d in dataset.coords}
    layout = Layout(components, z if isinstance(z, str) else "", wanted=wanted, dims=dims)
    lead = lead_of(dataset, layout)
    theta = layout.read(dataset, lead)
    coords = {d: np.asarray(dataset[d].values) for d in lead if d in dataset.coords}
    held = None if z is None else read_z(fit, z, lead, components.n_components)
    blocks = None
    if responsibility is not None:
        blocks = read_responsibility(dataset, responsibility, lead, components.n_components, layout)
    if isinstance(responsibility, str):
        theta.pop(responsibility, None)
    first_dim = str([d for d in dataset[first].dims if d not in lead][components.axes[first]])
    labels = dataset[first_dim].values if first_dim in dataset.coords else None
    n_obs = held.shape[1] if held is not None else 0
    if blocks is not None and not n_obs:
        n_obs = next(iter(blocks()))[1].shape[1]
    given = [n for n in (z, responsibility) if isinstance(n, str)]
    others = dataset.drop_vars(given, errors="ignore")
    source = Source(
        layout, lead, coords, theta,
        np.arange(components.n_components) if labels is None else np.asarray(labels), n_obs,
        z=lambda: _or_refuse(
            held, "assignments", "the variable that holds them, as in z='z', or an array (…, obs)"
        ),
        responsibility=lambda: _or_refuse(
            blocks, "responsibilities",
            "responsibility= with a name, an array (…, obs, component) or a function of a slice of "
            "draws",
        ),
        data=lambda: rows(_or_refuse(data, "data", "data= with an array (obs,)"), n_obs),
        likeliest=lambda: likeliest_of_trace(fit, lead),
        of_draw=lambda _: _or_refuse(None, "a model", "the model"),
        fingerprint=str(getattr(fit, "attrs", {}).get("fingerprint", "")),
        notes=tuple(
            not_moved(others, (*layout.moved, *layout.computed), components.n_components)
        ),
    )  # fmt: skip
    _require_finite(source)
    return source


def not_moved(dataset: xr.Dataset, moved: Collection[str], k: int) -> list[str]:
    """A sentence on variables that may have components, and stay under their raw labels."""
    left = [
        str(n) for n, v in dataset.data_vars.items()
        if n not in moved and k in [v.sizes[d] for d in v.dims if d not in SAMPLE_DIMS]
    ]  # fmt: skip
    if not left:
        return []
    return [
        f"{', '.join(left)} stay under raw labels, as axes names no component dim of theirs, "
        f"though they have a dim of length {k}: name it if it counts components"
    ]


def lead_of(dataset: xr.Dataset, layout: Layout) -> dict[str, int]:
    """The sample dims of a trace and their lengths.

    Raises
    ------
    UnmixError
        If there are none.
    """
    first = next((n for n in layout.moved if n in dataset), None)
    sizes = dataset.sizes if first is None else dataset[first].sizes
    lead = {d: int(sizes[d]) for d in SAMPLE_DIMS if d in sizes}
    if not lead:
        raise UnmixError(
            f"{first!r} has no dim chain, draw or sample: there are no draws to relabel"
        )
    return lead


def _or_refuse(value: Any, what: str, how: str) -> Any:
    if value is None:
        raise UnmixError(f"this method needs {what}: give {how}")
    return value


def _with_responsibility(
    dataset: xr.Dataset, axes: str | Mapping[str, str] | None, responsibility: Any
) -> str | Mapping[str, str] | None:
    """The axes with that of a named table of responsibilities, which is its last dim."""
    if not isinstance(responsibility, str) or responsibility not in dataset:
        return axes
    dims = [str(d) for d in dataset[responsibility].dims if d not in SAMPLE_DIMS]
    if isinstance(axes, Mapping):
        named = set(axes.values())
        return dict(axes) if named & set(dims) else {**axes, responsibility: dims[-1]}
    name = "component" if axes is None else axes
    if name in dims:
        return axes
    others = {
        str(n): name for n, v in dataset.data_vars.items() if name in v.dims and n != responsibility
    }
    return {**others, responsibility: dims[-1]} if others else axes


def _require_finite(source: Source) -> None:
    for name, value in source.theta.items():
        bad = np.argwhere(~np.isfinite(value))
        if len(bad):
            raise UnmixError(
                f"{name!r} is not finite at {source.where(int(bad[0][0]))}: remove these draws"
            )
