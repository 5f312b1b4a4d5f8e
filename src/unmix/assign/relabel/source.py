"""What a method of relabelling may ask of a fit, from a model or from a trace of any program.

Parameters side by side, assignments, responsibilities block by block, the likeliest draw, the data:
each is read or computed when a method asks for it, and what a fit cannot give is refused with a
sentence that says how to give it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from unmix.arguments import random_generator
from unmix.assign.alignment import component_matches, stored_z
from unmix.assign.drawing import draw_z
from unmix.assign.identity import told_by
from unmix.assign.relabel.blocks import Block, Blocks
from unmix.assign.relabel.computed import axes_of_computed, computed_anew
from unmix.assign.relabel.layout import Layout
from unmix.assign.relabel.reading import read_z, rows
from unmix.assign.stream import draw_responsibility, likeliest_draw, stream
from unmix.derive import Derivation
from unmix.derive.components import Components, Theta
from unmix.derive.latent import z_dtype
from unmix.derive.present import rows_filled
from unmix.derive.theta import stack_theta, theta_dataset
from unmix.errors import UnmixError
from unmix.fingerprint import require_same


@dataclass(frozen=True, eq=False)
class Source:
    """A fit, as the methods see it. Arrays begin with its draws, flattened.

    Attributes
    ----------
    layout
        Where the components lie.
    lead, coords
        Sample dims with their lengths, and their coordinates.
    theta
        The variables with a component axis.
    labels
        Names of the components.
    n_obs
        Number of observations; 0 where not known.
    z, responsibility, data
        Functions that give the assignments (sample, obs), the responsibilities, the data
        (obs, feature), or refuse.
    likeliest
        Function that gives the likeliest draw, or refuses.
    of_draw
        Function that gives the responsibilities (obs, component) of one draw, or refuses.
    at
        Function that gives responsibilities (obs, component) at another θ; None where there is no
        model.
    stored
        Permutations that the fit holds already, (sample, component); None where it holds none.
    fingerprint
        The fit's own; empty where it has none.
    notes
        What a reader of the result must know of how the fit was read.
    told_by
        The parameters by which heaps are told apart, where others are computed from them.
    """

    layout: Layout
    lead: dict[str, int]
    coords: dict[str, NDArray]
    theta: Theta
    labels: NDArray
    n_obs: int
    z: Callable[[], NDArray]
    responsibility: Callable[[], Blocks]
    data: Callable[[], NDArray[np.float64]]
    likeliest: Callable[[], int]
    of_draw: Callable[[int], NDArray[np.float64]]
    at: Callable[[Any], NDArray[np.float64]] | None = None
    stored: NDArray[np.int64] | None = None
    fingerprint: str = ""
    notes: tuple[str, ...] = ()
    told_by: Components | None = None

    @property
    def samples(self) -> int:
        """Number of draws."""
        return int(np.prod(list(self.lead.values())))

    @property
    def k(self) -> int:
        """Number of components."""
        return self.layout.components.n_components

    def where(self, sample: int) -> str:
        """A draw in words, such as ``chain 0, draw 17``."""
        at = np.unravel_index(sample, tuple(self.lead.values()))
        return ", ".join(
            f"{dim} {self.coords[dim][i] if dim in self.coords else i}"
            for dim, i in zip(self.lead, at, strict=True)
        )


def from_model(
    derivation: Derivation, fit: Any, z: Any, data: Any, rng: int | np.random.Generator | None
) -> Source:
    """A fit of a derived model.

    Raises
    ------
    UnmixError
        If the fit is not one of the model, or holds no draws.
    """
    generator = random_generator(rng)
    if isinstance(fit, xr.DataTree):
        require_same(derivation, str(fit.attrs.get("fingerprint", "")))
    stack = stack_theta(derivation, fit)
    if not stack.dims:
        raise UnmixError("the fit is a single point: there are no draws to relabel")
    lead = dict(zip(stack.dims, stack.shape, strict=True))
    dataset = theta_dataset(fit)
    layout = model_layout(derivation, dataset)
    given = None if z is None else read_z(fit, z, lead, derivation.n_components)
    if given is not None and given.shape[1] != derivation.n_obs:
        raise UnmixError(
            f"z has {given.shape[1]} rows and the model {derivation.n_obs}: is it of another model?"
        )
    held = given if given is not None else stored_z(derivation, fit)

    @cache  # a method may ask twice, and must be given the same
    def assignments() -> NDArray:
        if held is not None:
            return held
        drawn = np.empty((len(stack), derivation.n_obs), dtype=z_dtype(derivation.n_components))
        for block in stream(derivation, stack):
            drawn[block.samples] = draw_z(block.responsibility, generator)
        return drawn

    def blocks() -> Iterator[Block]:
        for block in stream(derivation, stack):
            yield block.samples, block.responsibility

    def at(theta: Any) -> NDArray[np.float64]:
        point = stack_theta(derivation, theta)
        if len(point) != 1:
            raise UnmixError(
                f"the reference holds {len(point)} draws: give one θ, such as an EM result or a "
                "dict of values"
            )
        return next(iter(stream(derivation, point))).responsibility[0]

    values = layout.read(layout.in_order(dataset), lead)
    return Source(
        layout, lead, dict(stack.coords), values, derivation.component_labels, derivation.n_obs,
        z=assignments,
        responsibility=lambda: blocks,
        data=lambda: rows(observed(derivation) if data is None else data, derivation.n_obs),
        likeliest=lambda: likeliest_draw(derivation, stack)[0],
        of_draw=lambda s: draw_responsibility(derivation, stack, s),
        at=at,
        stored=component_matches(derivation, fit, len(stack))[0],
        fingerprint=str(getattr(fit, "attrs", {}).get("fingerprint", "")),
        told_by=told_by(derivation),
    )  # fmt: skip


def model_layout(derivation: Derivation, dataset: xr.Dataset) -> Layout:
    """Component axes of all that a trace of a derived model holds."""
    model, found = derivation.model, derivation.components
    wanted = {
        derivation.dims[name][axis]: np.asarray(model.coords[derivation.dims[name][axis]])
        for name, axis in found.axes.items()
        if model.coords.get(derivation.dims[name][axis]) is not None
    }
    computed = tuple(str(v.name) for v in model.deterministics if v.name in dataset)
    dims = dict(derivation.dims)
    mixed: tuple[str, ...] = ()
    if computed and derivation.components.symmetric:
        axes, members, mixed = axes_of_computed(derivation, computed)
        found = replace(found, axes=found.axes | axes, members=found.members | members)
        for name in computed:
            declared = model.named_vars_to_dims.get(name)
            if declared and None not in declared:
                dims[name] = tuple(declared)
    compute = computed_anew(derivation, mixed) if mixed else None
    return Layout(found, derivation.latent.name, wanted, mixed, compute, dims)


def observed(derivation: Derivation) -> NDArray:
    """The model's rows, where they are one observed variable of numbers."""
    names = [n for n in derivation.opened.assignment_terms if n in derivation.opened.observed]
    if len(names) != 1:
        raise UnmixError(
            "method 'data' needs one table of numbers and the model has "
            f"{len(names)} observed variables: give data="
        )
    return rows_filled(derivation, names[0])
