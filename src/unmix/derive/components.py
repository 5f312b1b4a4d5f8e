"""How θ is laid out over components, and what it is to put them in another order.

A *component axis* is an axis of a parameter that ``z`` indexes; its slices each belong to one
component, and there may be fewer than K of them, as beside a noise component whose parameters are
fixed. A *family* is K parameters declared one by one (``chol_0``, ``chol_1``, …, stacked
afterwards) that play one role. Which is which is measured (`unmix.derive.axes`), and so is which
components may change places (`unmix.derive.symmetry`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Theta = dict[str, NDArray]


@dataclass(frozen=True)
class Components:
    """How θ is laid out over components.

    Attributes
    ----------
    axes
        Component axis of each parameter that has one, counted from the front.
    members
        For each of those, the component that every slice along the axis belongs to.
    families
        Tuples of K parameter names, one for each component, that together play one role.
    symmetry
        The components split into blocks; components in one block are exchangeable.
    n_components
        K.
    """

    axes: dict[str, int]
    members: dict[str, tuple[int, ...]]
    families: tuple[tuple[str, ...], ...]
    symmetry: tuple[tuple[int, ...], ...]
    n_components: int

    @property
    def symmetric(self) -> bool:
        """Whether any two components are exchangeable."""
        return any(len(block) > 1 for block in self.symmetry)

    def allows(self, permutation: NDArray) -> bool:
        """Whether a permutation stays within the symmetry (each block maps to itself)."""
        block_of = {k: i for i, block in enumerate(self.symmetry) for k in block}
        return all(block_of[k] == block_of[int(p)] for k, p in enumerate(permutation))

    def permute(self, theta: Mapping[str, NDArray], permutation: NDArray) -> Theta:
        """θ with its components reordered: new component k is old component ``permutation[k]``.

        Parameters
        ----------
        theta
            Arrays by name, each with the same leading sample dims (…) before the parameter's own.
        permutation
            Shape (component,), or (…, component) with one permutation per sample.
        """
        permutation = np.asarray(permutation)
        moved = dict(theta)
        for name, axis in self.axes.items():
            if name in moved:
                order = slice_order(permutation, self.members[name])
                moved[name] = take_components(moved[name], order, axis)
        for family in self.families:
            if all(name in moved for name in family):
                stacked = np.stack([theta[name] for name in family], axis=permutation.ndim - 1)
                stacked = take_components(stacked, permutation, 0)
                for k, name in enumerate(family):
                    moved[name] = stacked[(slice(None),) * (permutation.ndim - 1) + (k,)]
        return moved


def slice_order(permutation: NDArray, members: tuple[int, ...]) -> NDArray:
    """What a permutation of components means for the slices of an axis that covers some of them.

    Raises
    ------
    ValueError
        If a component that the axis covers would be taken from one that it does not.
    """
    position = np.full(int(permutation.shape[-1]), -1)
    position[list(members)] = np.arange(len(members))
    order = position[permutation[..., list(members)]]
    if (order < 0).any():
        raise ValueError("the permutation mixes components that play different roles")
    return order


def take_components(values: NDArray, permutation: NDArray, axis: int) -> NDArray:
    """Reorder one axis of an array by one permutation, or by one per leading sample."""
    lead = permutation.ndim - 1
    values = np.asarray(values)
    shape = (
        *permutation.shape[:-1],
        *(permutation.shape[-1] if a == axis else 1 for a in range(values.ndim - lead)),
    )
    return np.take_along_axis(values, permutation.reshape(shape), axis=lead + axis)


def pair_families(owners: Mapping[str, int], theta: Theta, k: int) -> tuple[tuple[str, ...], ...]:
    """Families from single-component parameters: the r-th of each component play one role."""
    owned = [[name for name in theta if owners.get(name) == j] for j in range(k)]
    shapes = [[np.shape(theta[name]) for name in names] for names in owned]
    if not owned[0] or any(shape != shapes[0] for shape in shapes):
        return ()
    return tuple(zip(*owned, strict=True))
