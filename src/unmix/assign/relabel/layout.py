"""Where the components lie in a trace, and moving all of them at once.

A permutation that reached μ and not w, or the parameters and not z, would make another posterior of
it. So the axes are found once, from the derived model or from the dims that the user named, and
every variable of a trace that has one is moved: parameters, what was computed from them, z.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from unmix.arguments import said
from unmix.assign.assignment import Symmetry, aligned
from unmix.assign.identity import side_by_side
from unmix.assign.relabel.given_symmetry import checked_symmetry
from unmix.derive.components import Components, Theta
from unmix.derive.theta import SAMPLE_DIMS
from unmix.errors import UnmixError

# Everything recomputed from moved θ and z: arrays by name, beginning with the draws.
Computed = Callable[[Theta, NDArray | None], Theta]


@dataclass(frozen=True, eq=False)
class Layout:
    """How a trace is laid out over components.

    Attributes
    ----------
    components
        Component axis of each variable, counted from the front of its own dims, families and
        symmetry.
    z
        Name of the assignments; empty where there are none.
    wanted
        Coordinates in the order that the axes are meant in, by dim; none for a foreign trace.
    computed, compute
        Variables that are no parameters and mix components, and the function that gives them anew.
    dims
        Each variable's own dims in the order that its axis is counted in; the trace's by default.
    """

    components: Components
    z: str = ""
    wanted: Mapping[str, NDArray] = field(default_factory=dict)
    computed: tuple[str, ...] = ()
    compute: Computed | None = None
    dims: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def moved(self) -> tuple[str, ...]:
        """Names of the variables with a component axis."""
        members = [name for family in self.components.families for name in family]
        return (*self.components.axes, *members)

    def move(
        self,
        dataset: xr.Dataset,
        permutation: NDArray[np.int64],
        lead: Mapping[str, int],
        z: NDArray | None,
    ) -> xr.Dataset:
        """The dataset with its components in another order, draw by draw.

        Parameters
        ----------
        dataset
            Parameters and anything else, any order of dims.
        permutation
            Shape (sample, component).
        lead
            Sample dims and their lengths.
        z
            Assignments under their new names, (sample, obs), for what depends on them.

        Raises
        ------
        UnmixError
            If a variable does not have the draws, or mixes components and cannot be computed anew.
        """
        values = self.read(dataset, lead)
        moved = self.components.permute(values, permutation)
        if self.z and self.z in dataset:
            moved[self.z] = aligned_z(self._flat(dataset[self.z], lead), permutation)
        again = [name for name in self.computed if name in dataset]
        if again:
            if self.compute is None:
                raise UnmixError(
                    f"{again[0]!r} mixes components and cannot be computed anew: drop it from the "
                    "trace first"
                )
            rest = {
                str(n): self._flat(v, lead)
                for n, v in dataset.data_vars.items()
                if n not in moved and set(lead) <= set(v.dims)
            }
            moved |= {n: v for n, v in self.compute(rest | moved, z).items() if n in again}
        variables = {}
        for name, value in moved.items():
            array = dataset[name]
            inner = self._inner(array, lead)
            shape = (*lead.values(), *(array.sizes[d] for d in inner))
            value = np.asarray(value).reshape(shape)
            variables[name] = (
                xr.DataArray(value, dims=(*lead, *inner)).transpose(*array.dims).variable
            )
            variables[name].attrs = dict(array.attrs)
        return dataset.assign(variables)

    def read(self, dataset: xr.Dataset, lead: Mapping[str, int]) -> Theta:
        """The variables with a component axis, shape (sample, …)."""
        return {n: self._flat(dataset[n], lead) for n in self.moved if n in dataset}

    def _inner(self, array: xr.DataArray, lead: Mapping[str, int]) -> tuple[str, ...]:
        """A variable's own dims, in the order in which its component axis is counted."""
        there = tuple(str(d) for d in array.dims if d not in lead)
        declared = self.dims.get(str(array.name), there)
        return declared if set(declared) == set(there) else there

    def _flat(self, array: xr.DataArray, lead: Mapping[str, int]) -> NDArray:
        """A variable as (sample, …)."""
        for dim, length in lead.items():
            if array.sizes.get(dim) != length:
                raise UnmixError(
                    f"{array.name!r} has no {length} along the dim {dim!r}: cut or thin all of the "
                    "trace alike"
                )
        array = array.transpose(*lead, *self._inner(array, lead))
        return array.values.reshape(-1, *array.shape[len(lead) :])

    def in_order(self, dataset: xr.Dataset) -> xr.Dataset:
        """The dataset with its coordinates in the order that the axes are meant in.

        Raises
        ------
        UnmixError
            If a dim's labels are not the wanted ones.
        """
        for dim, labels in self.wanted.items():
            if dim not in dataset.coords or np.array_equal(dataset[dim].values, labels):
                continue
            if set(dataset[dim].values.tolist()) != set(labels.tolist()):
                continue  # other labels, read by position
            dataset = dataset.sel({dim: labels})
        return dataset

    def side_by_side(self, values: Theta, block: tuple[int, ...]) -> NDArray[np.float64]:
        """All that a component has, for the components of one block.

        Returns
        -------
        numpy.ndarray
            Shape (sample, component of the block, number).
        """
        return side_by_side(self.components, values, block)


def aligned_z(z: NDArray, permutation: NDArray[np.int64]) -> NDArray:
    """Assignments under their new names, shape (sample, obs), in their own type."""
    out = np.empty_like(z)
    step = max(1, 2**22 // max(1, z.shape[1]))
    for start in range(0, len(z), step):
        part = slice(start, start + step)
        out[part] = aligned(z[part], permutation[part])
    return out


def named_axes(
    dataset: xr.Dataset,
    axes: str | Mapping[str, str] | None,
    symmetry: Symmetry | None,
    own: tuple[str, ...] = (),
) -> Components:
    """Component axes of a trace of another program, from the dims that its user names.

    Parameters
    ----------
    dataset
        The draws.
    axes
        The component dim, or the component dim of each variable by name. A variable that is not
        named but has one of these dims is moved as well.
    symmetry
        Blocks of exchangeable components; all by default.
    own
        Variables that hold no parameters: z.

    Raises
    ------
    UnmixError
        If a name is unknown, there is no component axis, there are two of different sizes, or one
        component only.
    """
    dims = {str(d) for v in dataset.data_vars.values() for d in v.dims} - set(SAMPLE_DIMS)
    if axes is None:
        if "component" not in dims:
            raise UnmixError(
                "the posterior has no component axis that is known: name it, as in "
                f"axes={{'mu': 'mu_dim_0'}}; its dims are {_listed(dims)}"
            )
        axes = "component"
    if isinstance(axes, str):
        component_dims = {axes}
        if axes not in dims:
            raise UnmixError(
                f"no variable of the posterior has the component axis {axes!r}: its dims are "
                f"{_listed(dims)}"
            )
    elif not isinstance(axes, Mapping):
        raise UnmixError(
            f"axes is {said(axes)}: give the component dim, or the component dim of each variable, "
            "as in axes={'mu': 'mu_dim_0'}"
        )
    elif not axes:
        raise UnmixError("axes names no variable: give the component dim of each that has one")
    else:
        for name, dim in axes.items():
            if name not in dataset:
                raise UnmixError(
                    f"axes names {name!r}, which the posterior does not hold: it holds "
                    f"{_listed(map(str, dataset.data_vars))}"
                )
            if dim not in dataset[name].dims or dim in SAMPLE_DIMS:
                raise UnmixError(
                    f"axes gives {name!r} the component axis {dim!r}, and its dims are "
                    f"{_listed(map(str, dataset[name].dims))}"
                )
        for name in own:
            if name in axes:
                raise UnmixError(
                    f"{name!r} is named as the assignments and in axes: assignments hold the names "
                    "of components and have no component axis, leave it out of axes"
                )
        component_dims = set(axes.values())
    found: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for key, array in dataset.data_vars.items():
        name = str(key)
        inner = [str(d) for d in array.dims if d not in SAMPLE_DIMS]
        here = [d for d in inner if d in component_dims]
        if not here or name in own:
            continue
        if len(here) > 1:
            raise UnmixError(
                f"{name!r} has two component axes, {here[0]!r} and {here[1]!r}: a relabelling "
                "moves one"
            )
        found[name], sizes[name] = inner.index(here[0]), array.sizes[here[0]]
    first = next(iter(sizes))
    for name, size in sizes.items():
        if size != sizes[first]:
            raise UnmixError(
                f"the posterior has component axes of two sizes, {first!r} with {sizes[first]} and "
                f"{name!r} with {size}: name those that belong together with axes={{…}}"
            )
    _require_one_order(dataset, found)
    k = sizes[first]
    members = {name: tuple(range(k)) for name in found}
    return Components(found, members, (), checked_symmetry(symmetry, k), k)


def _require_one_order(dataset: xr.Dataset, found: Mapping[str, int]) -> None:
    """Refuse component axes that label the same components in different orders."""
    labels: dict[str, NDArray] = {}
    for name, axis in found.items():
        dim = [d for d in dataset[name].dims if d not in SAMPLE_DIMS][axis]
        if dim in dataset[name].coords:
            labels[name] = dataset[name][dim].values
    for name, there in labels.items():
        first = next(iter(labels))
        if set(there.tolist()) == set(labels[first].tolist()) and list(there) != list(
            labels[first]
        ):
            raise UnmixError(
                f"{first!r} and {name!r} label the same components in different orders: put them "
                "into one order first, with .sel along the component dim"
            )


def _listed(names: object) -> str:
    return ", ".join(repr(n) for n in sorted(names)) or "none"  # type: ignore[call-overload]
