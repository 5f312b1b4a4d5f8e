"""Applying a relabelling to a trace: every component axis, z, and the alignment that it carries.

The trace is copied. What was done stands in the copy, a group ``relabelling`` of a tree or an
attribute of a Dataset, so that a second permutation on top is refused and the first can be undone.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from unmix.assign.assignment import inverse
from unmix.assign.relabel.arrays import with_dims
from unmix.assign.relabel.layout import aligned_z
from unmix.derive.theta import theta_dataset
from unmix.errors import UnmixError

if TYPE_CHECKING:
    from unmix.assign.relabel.relabelling import Relabelling

GROUP = "relabelling"


def turned(relabelling: "Relabelling", trace: Any, *, undo: bool) -> Any:
    """A copy of a trace with its components renamed, or as they were before.

    Raises
    ------
    UnmixError
        If the trace is of another model, has other draws, was relabelled already, or, to undo,
        was not.
    """
    layout, lead = relabelling.layout, relabelling.lead
    trace = with_dims(trace, layout.dims, tuple(lead))
    dataset = layout.in_order(theta_dataset(trace))
    _require_these_draws(relabelling, trace, dataset)
    _require_turnable(relabelling, trace, dataset, undo)
    permutation = relabelling.flat_permutation()
    if undo:
        permutation = inverse(permutation)
    groups = {}
    if isinstance(trace, xr.DataTree):
        groups = {key: node.to_dataset() for key, node in trace.children.items()}
    z = None
    for held in (groups.get("assignments"), dataset):
        if z is None and layout.z and held is not None and layout.z in held:
            z = _renamed(held[layout.z], lead, permutation)
    flat_z = None if z is None else _flat(z, lead, len(permutation))
    moved = layout.move(dataset, permutation, lead, flat_z).copy()
    if not isinstance(trace, xr.DataTree):
        moved.attrs = {k: v for k, v in dataset.attrs.items() if k != GROUP}
        if not undo:
            moved.attrs[GROUP] = relabelling.digest
        return moved
    groups["posterior"] = moved
    if layout.z and layout.z in groups.get("assignments", {}):
        groups["assignments"] = groups["assignments"].assign({layout.z: z})
    if "permutation" in groups.get("alignment", {}):
        groups["alignment"] = _realigned(groups["alignment"], lead, permutation)
    groups.pop(GROUP, None)
    if not undo:
        groups[GROUP] = relabelling.to_dataset()
    tree = xr.DataTree.from_dict(groups)
    tree.attrs = dict(trace.attrs)
    return tree


def _flat(array: xr.DataArray, lead: dict[str, int], samples: int) -> NDArray:
    return array.transpose(*lead, ...).values.reshape(samples, -1)


def _renamed(z: xr.DataArray, lead: dict[str, int], permutation: NDArray) -> xr.DataArray:
    ordered = z.transpose(*lead, ...)
    flat = ordered.values.reshape(len(permutation), -1)
    whole = flat if flat.dtype.kind in "iu" else flat.astype(np.int64)
    named = aligned_z(whole, permutation).astype(flat.dtype).reshape(ordered.shape)
    return ordered.copy(data=named).transpose(*z.dims)


def _realigned(group: xr.Dataset, lead: dict[str, int], permutation: NDArray) -> xr.Dataset:
    """The alignment group of the turned draws: it finds the same components as before."""
    old = group["permutation"].transpose(*lead, "component")
    flat = old.values.reshape(permutation.shape).astype(np.int64)
    now = np.take_along_axis(inverse(permutation), flat, axis=1).astype(old.dtype)
    return group.assign(permutation=old.copy(data=now.reshape(old.shape)))


def _require_turnable(
    relabelling: "Relabelling", trace: Any, dataset: xr.Dataset, undo: bool
) -> None:
    if not isinstance(trace, xr.DataTree):
        done = str(dataset.attrs.get(GROUP, ""))
    elif GROUP in trace.children:
        done = str(trace[GROUP].attrs.get("digest", "of another program"))
    else:
        done = ""
    if undo and done != relabelling.digest:
        raise UnmixError(
            "the trace was not relabelled by this relabelling"
            + (f" but by another ({done}): undo that one" if done else ": there is nothing to undo")
        )
    if not undo and done:
        raise UnmixError(
            f"the trace holds {GROUP!r} already ({done}), and a second permutation on top would "
            "mix the labels: undo the first, or rename what has that name"
        )


def _require_these_draws(relabelling: "Relabelling", trace: Any, dataset: xr.Dataset) -> None:
    theirs = str(getattr(trace, "attrs", {}).get("fingerprint", ""))
    if relabelling.fingerprint and theirs and theirs != relabelling.fingerprint:
        raise UnmixError(
            "the trace was made with another model than the relabelling (their fingerprints "
            "differ): relabel it anew"
        )
    moved = relabelling.layout.moved
    if not any(name in dataset for name in moved):
        raise UnmixError(f"the trace holds none of {', '.join(moved)}: is it of another model?")
    for dim, length in relabelling.lead.items():
        labels = relabelling.permutation.coords.get(dim)
        same = dataset.sizes.get(dim) == length and (
            labels is None
            or dim not in dataset.coords
            or np.array_equal(labels.values, dataset[dim].values)
        )
        if not same:
            raise UnmixError(
                f"the trace's draws are not those of the relabelling: {dim!r} differs; relabel "
                "after cutting or thinning"
            )
