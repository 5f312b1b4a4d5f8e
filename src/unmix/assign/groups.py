r"""Groups of rows: what components have of them, draw by draw.

.. math:: r_{gk}(θ) = \frac{1}{N_g} \sum_{i \in g} p(z_i = k \mid x_i, θ),

the share of the group's rows that component k is expected to have made at θ.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.by_row import by_row, missing
from unmix.derive import Derivation
from unmix.errors import UnmixError
from unmix.printable import listed, printable
from unmix.recipe import recipe_of


@dataclass(frozen=True)
class Groups:
    """Rows in groups.

    Attributes
    ----------
    names
        Sorted, shape (group,).
    of_row
        Number of each row's group, shape (obs,).
    weight
        How much each row counts, (obs,); None where each counts once.
    """

    names: NDArray
    of_row: NDArray[np.int64]
    weight: NDArray[np.float64] | None = None

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Rows of each group."""
        return np.bincount(self.of_row, minlength=len(self.names))

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        return np.argsort(self.of_row, kind="stable"), starts

    def means(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Averages over each group's rows: (sample, obs, component) to (sample, group, …)."""
        order, starts = self._sorted
        if self.weight is None:
            return np.add.reduceat(values[:, order], starts, axis=1) / self.sizes[:, None]
        summed = np.add.reduceat(values[:, order] * self.weight[order, None], starts, axis=1)
        total = np.bincount(self.of_row, weights=self.weight, minlength=len(self.names))
        return summed / total[:, None]


def read_groups(derivation: Derivation, by: Any) -> Groups:
    """The group of each row.

    Parameters
    ----------
    derivation
        Of the model, on the rows that are asked about.
    by
        A name for each row, a Series of them, or the name of an argument by row that a catalogue
        model was built with.

    Raises
    ------
    UnmixError
        For another length, a row without a group, or a name that the model was not built with.
    """
    n = derivation.n_obs
    if isinstance(by, str):
        kept = recipe_of(derivation.model).by_row
        if by not in kept:
            raise UnmixError(
                f"by is {printable(by)}, and the model was built with "
                f"{listed(sorted(kept)) or 'no argument'} by row: give the group of each row"
            )
        by = kept[by]
    values = by_row("by", by, derivation.obs_labels)
    if values.ndim != 1:
        raise UnmixError(
            f"by has shape {values.shape} and there are {n} observations: give the group of each"
        )
    none = missing(values)
    if none.any():
        row = derivation.obs_labels[int(np.argmax(none))]
        raise UnmixError(f"by is missing in row {row}: name a group there")
    if values.dtype.kind not in "biufUS":
        values = values.astype(str)
    names, of_row = np.unique(values, return_inverse=True)
    groups = Groups(names, of_row, derivation.weight)
    if derivation.weight is not None:
        empty = np.bincount(of_row, weights=derivation.weight, minlength=len(names)) == 0
        if empty.any():
            raise UnmixError(
                f"all rows of group {printable(names[int(np.argmax(empty))])} have weight 0, so "
                "that it has no average: leave the group out"
            )
    return groups
