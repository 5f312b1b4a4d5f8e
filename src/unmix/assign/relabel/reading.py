"""Assignments, responsibilities and data, from the forms in which users have them.

Each comes as the name of a variable, as an array, or (responsibilities) as a function of a slice of
draws, and leaves as (sample, obs) or in blocks of (sample, obs, component).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from unmix.arguments import numbers, rectangular
from unmix.assign.relabel.blocks import Block, Blocks
from unmix.assign.relabel.layout import Layout
from unmix.derive.latent import z_dtype
from unmix.derive.theta import theta_dataset
from unmix.errors import UnmixError


def read_z(fit: Any, z: Any, lead: Mapping[str, int], k: int) -> NDArray:
    """Assignments of every draw from a name or an array, shape (sample, obs).

    Raises
    ------
    UnmixError
        If there are none of that name, they are not of these draws, or a number is no component.
    """
    name = "z"
    if isinstance(z, str):
        name, z = z, variable_of(fit, z)
    if isinstance(z, xr.DataArray):
        missing = [d for d in lead if d not in z.dims]
        if missing:
            raise UnmixError(f"{name!r} has no dim {missing[0]!r}: give assignments of every draw")
        z = z.transpose(*lead, ...).values
    array = rectangular(repr(name), z, "one assignment of every row for each draw")
    samples, shape = int(np.prod(list(lead.values()))), tuple(lead.values())
    if array.shape[: len(shape)] == shape:
        array = array.reshape(samples, -1)
    if array.ndim != 2 or len(array) != samples:
        raise UnmixError(
            f"{name!r} has shape {array.shape} and there are {samples} draws: give one assignment "
            "of every row for each draw"
        )
    if array.dtype.kind not in "biuf" or (
        array.dtype.kind == "f" and not bool(np.all(array == np.floor(array)))
    ):
        raise UnmixError(
            f"{name!r} does not hold whole numbers: give the components as 0 to {k - 1}"
        )
    low, high = int(array.min(initial=0)), int(array.max(initial=0))
    if low < 0 or high >= k:
        raise UnmixError(
            f"{name!r} holds {low} to {high}, and components are numbered 0 to {k - 1}: "
            + ("subtract 1" if high == k and int(array.min()) >= 1 else "is it of another trace?")
        )
    return array.astype(z_dtype(k), copy=False)


def variable_of(fit: Any, name: str) -> xr.DataArray:
    """A variable of a trace, wherever it stands.

    Raises
    ------
    UnmixError
        If there is none of that name.
    """
    if isinstance(fit, xr.DataTree):
        for group in ("posterior", "assignments"):
            if group in fit.children and name in fit[group]:
                return fit[group].to_dataset()[name]
    dataset = theta_dataset(fit)
    if name not in dataset:
        raise UnmixError(
            f"the trace holds no {name!r}: it holds {', '.join(map(str, dataset.data_vars))}"
        )
    return dataset[name]


def read_responsibility(
    dataset: xr.Dataset, given: Any, lead: Mapping[str, int], k: int, layout: Layout
) -> Blocks:
    """Responsibilities from a name, an array or a function of a slice of draws.

    Raises
    ------
    UnmixError
        Here or when they are read: if they are not (…, obs, component), or do not sum to one.
    """
    samples = int(np.prod(list(lead.values())))
    if callable(given) and not isinstance(given, xr.DataArray):
        first = np.shape(given(slice(0, 1)))
        if len(first) != 3 or first[-1] != k:
            raise UnmixError(
                f"the function of responsibilities returns shape {first} for one draw: return "
                f"(draw, obs, component) with {k} components"
            )
        n = first[1]
        take = given
    else:
        if isinstance(given, str):
            if given not in dataset:
                raise UnmixError(f"the trace holds no {given!r} to take responsibilities from")
            array = dataset[given]
            inner = [d for d in array.dims if d not in lead]
            last = inner[layout.components.axes[given]]
            given = array.transpose(*lead, *(d for d in inner if d != last), last).values
        elif isinstance(given, xr.DataArray):
            given = given.transpose(*lead, ...).values
        table = numbers(
            "responsibility", given, f"(…, obs, component) for {samples} draws and {k} components"
        )
        if table.shape[: len(lead)] == tuple(lead.values()):
            table = table.reshape(samples, *table.shape[len(lead) :])
        if table.ndim != 3 or len(table) != samples or table.shape[-1] != k:
            raise UnmixError(
                f"responsibilities have shape {table.shape}: give (…, obs, component) for "
                f"{samples} draws and {k} components"
            )
        n = table.shape[1]
        take = table.__getitem__
    step = max(1, 2**20 // max(1, n * k))

    def blocks() -> Iterator[Block]:
        for start in range(0, samples, step):
            part = slice(start, min(start + step, samples))
            r = np.asarray(take(part), dtype=float)
            if not (r >= 0).all() or np.abs(r.sum(axis=-1) - 1).max() > 1e-5:
                raise UnmixError(
                    f"responsibilities of the draws {part.start} to {part.stop - 1} are not shares "
                    "that sum to one over the components: exponentiate and divide by their sum"
                )
            yield part, r

    return blocks


def likeliest_of_trace(fit: Any, lead: Mapping[str, int]) -> int:
    """The draw of largest log-density, where the trace's statistics hold it.

    Raises
    ------
    UnmixError
        If they do not.
    """
    if isinstance(fit, xr.DataTree) and "sample_stats" in fit.children:
        stats = fit["sample_stats"].to_dataset()
        for name in ("log_likelihood", "lp", "logp"):
            if name in stats and set(lead) == set(stats[name].dims):
                return int(np.argmax(stats[name].transpose(*lead).values))
    raise UnmixError(
        "which draw is the likeliest is not known (no sample_stats with 'lp'): name one, such as "
        "pivot=(0, 17) or reference=(0, 17), or take method='ecr-iterative-1' with z=, or "
        "'stephens' with responsibility=, which need none; draws that are aligned already are "
        "summarised as they are with symmetry=[[0], [1], …]"
    )


def rows(data: Any, n_obs: int) -> NDArray[np.float64]:
    """Data as (obs, feature).

    Raises
    ------
    UnmixError
        If they are not finite numbers, or of another number of rows.
    """
    table = rectangular("data", data, "numbers, (obs,) or (obs, feature)")
    if table.dtype.kind not in "biuf":
        raise UnmixError("method 'data' needs numbers, and the data are not: give data=")
    table = table.reshape(len(table), -1).astype(float) if table.ndim else table.reshape(1, 1)
    if n_obs and len(table) != n_obs:
        raise UnmixError(f"data have {len(table)} rows and z has {n_obs}: give the same rows")
    if not np.isfinite(table).all():
        row = int(np.argwhere(~np.isfinite(table))[0][0])
        raise UnmixError(f"the data are not finite in row {row}: method 'data' needs numbers")
    return table
