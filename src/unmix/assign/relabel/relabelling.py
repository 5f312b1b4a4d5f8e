"""`Relabelling`: one permutation of the components for each draw, and how much it is worth.

It changes nothing by itself. Applied to a trace it moves every component axis and renames z, in a
copy; undone, it gives back the raw labels. It says how many draws have labels at all.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from unmix.arguments import said
from unmix.assign.assignment import Symmetry, most_common_renaming
from unmix.assign.identity import verdict
from unmix.assign.matching import OPEN_MARGIN
from unmix.assign.relabel.applying import turned
from unmix.assign.relabel.layout import Layout
from unmix.errors import UnmixError


@dataclass(frozen=True, eq=False)
class Relabelling:
    """One permutation of the components for each draw.

    Attributes
    ----------
    permutation
        Raw component of every aligned one, dims (chain, draw, component).
    cost_before, cost_after
        What the raw labels cost and what the aligned ones do, dims (chain, draw); see `unit`.
    gap
        What the second best permutation would cost more, dims (chain, draw).
    tied
        Whether it would cost the same: the labels of that draw are open.
    margin
        Share of their agreement that the two closest components would lose by a swap; None where
        the method has no such share.
    not_permutation
        Whether the draw does not have one component in each heap of the point process
        (`unmix.assign.pointprocess`); None where there are no parameters to tell.
    method, unit, aligned_to
        In words: how, what a cost counts, and what the draws were aligned to.
    symmetry
        Blocks of components that may change places.
    layout
        Where components lie in the trace.
    notes
        Sentences that a reader of the aligned draws must know.
    fingerprint
        Of the fit; empty where it has none.
    attrs
        Numbers of the method, such as its iterations.
    """

    permutation: xr.DataArray
    cost_before: xr.DataArray
    cost_after: xr.DataArray
    gap: xr.DataArray
    tied: xr.DataArray
    margin: xr.DataArray | None
    not_permutation: xr.DataArray | None
    method: str
    unit: str
    aligned_to: str
    symmetry: Symmetry
    layout: Layout
    notes: tuple[str, ...] = ()
    fingerprint: str = ""
    attrs: dict[str, Any] = field(default_factory=dict)

    # -- what it is worth --------------------------------------------------------------------

    @property
    def shares(self) -> dict[str, float]:
        """Shares of the draws: moved; tied; open (`margin` under a tenth); not a permutation."""
        k = self.permutation.sizes["component"]
        flat = self.flat_permutation()
        found = {
            "moved": float(np.any(flat != np.arange(k), axis=1).mean()),
            "tied": float(self.tied.mean()),
        }
        if self.margin is not None:
            found["open"] = float((self.margin < OPEN_MARGIN).mean())
        if self.not_permutation is not None:
            found["not a permutation"] = float(self.not_permutation.mean())
        return found

    @property
    def identified(self) -> bool:
        """Whether components keep their identity over draws."""
        return verdict(self.shares, self.aligned_to)[0]

    @property
    def sentence(self) -> str:
        """Whether labels mean something, with the numbers that say so."""
        return verdict(self.shares, self.aligned_to)[1]

    def agreement(self, other: "Relabelling") -> float:
        """Share of the draws on which two relabellings agree, up to one renaming of all draws."""
        mine, theirs = self.flat_permutation(), other.flat_permutation()
        if mine.shape != theirs.shape:
            raise UnmixError(
                f"one relabelling is of {mine.shape[0]} draws of {mine.shape[1]} components and "
                f"the other of {theirs.shape[0]} of {theirs.shape[1]}: compare those of one fit"
            )
        return most_common_renaming(mine, theirs)[1]

    # -- applying it -------------------------------------------------------------------------

    def apply(self, trace: Any) -> Any:
        """A copy of a trace with its components aligned: every component axis, and z.

        Parameters
        ----------
        trace
            The draws that this was made from: a DataTree (groups ``posterior``, ``assignments``
            and ``alignment`` are renamed alike and ``relabelling`` says how), a Dataset, or a dict
            of arrays, of which a Dataset is made, as a dict has no place for what was done to it.

        Returns
        -------
        xarray.DataTree or xarray.Dataset

        Raises
        ------
        UnmixError
            If the trace is of another model, has other draws, or was relabelled already.
        """
        return turned(self, trace, undo=False)

    def undo(self, trace: Any) -> Any:
        """The trace as it was before `apply`.

        Raises
        ------
        UnmixError
            If the trace was not relabelled by this.
        """
        return turned(self, trace, undo=True)

    def to_dataset(self) -> xr.Dataset:
        """Permutation, costs and flags as a Dataset, for a file."""
        variables = {
            "permutation": self.permutation,
            "cost_before": self.cost_before,
            "cost_after": self.cost_after,
            "gap": self.gap,
            "tied": self.tied.astype(np.int8),
        }
        if self.margin is not None:
            variables["margin"] = self.margin
        if self.not_permutation is not None:
            variables["not_permutation"] = self.not_permutation.astype(np.int8)
        attrs = {
            "method": self.method,
            "unit": self.unit,
            "aligned_to": self.aligned_to,
            "identified": int(self.identified),
            "alignment": self.sentence,
            "digest": self.digest,
        }
        return xr.Dataset(variables, attrs=attrs)

    @property
    def digest(self) -> str:
        """A short number of the permutations, by which a relabelled trace is known."""
        flat = np.ascontiguousarray(self.flat_permutation(), dtype=np.int64)
        return hashlib.sha256(flat.tobytes()).hexdigest()[:16]

    def flat_permutation(self) -> NDArray[np.int64]:
        """The permutations, shape (sample, component)."""
        values = self.permutation.values
        return values.reshape(-1, values.shape[-1]).astype(np.int64)

    @property
    def lead(self) -> dict[str, int]:
        """Sample dims and their lengths."""
        return {str(d): n for d, n in self.permutation.sizes.items() if d != "component"}

    # -- for a person ------------------------------------------------------------------------

    def __repr__(self) -> str:
        blocks = " ".join("{" + ", ".join(map(str, b)) + "}" for b in self.symmetry)
        draws = int(np.prod(list(self.lead.values())))
        lines = [
            f"relabelling of {draws} draws of {self.permutation.sizes['component']} components, "
            f"exchangeable {blocks}",
            f"  method      {self.method}, aligned to {self.aligned_to}",
            f"  cost        {float(self.cost_before.sum()):.6g} before, "
            f"{float(self.cost_after.sum()):.6g} after, {self.unit}",
            f"  moves       {', '.join(self.layout.moved)}"
            + (f"; renames {self.layout.z}" if self.layout.z else ""),
            *(f"  {name:<18} {100 * share:.1f} % of the draws" for name, share in
              self.shares.items()),
            f"  {'identified' if self.identified else self.sentence}",
            *(f"  note: {note}" for note in self.notes),
        ]  # fmt: skip
        return "\n".join(lines)


def compare_relabellings(*relabellings: Relabelling) -> pd.DataFrame:
    """On how many draws relabellings of one fit agree, each with each.

    Each pair is compared up to one renaming of all draws, as methods name components differently.

    Parameters
    ----------
    *relabellings
        From `relabel`, two or more, of the same draws.

    Returns
    -------
    pandas.DataFrame
        Shares of the draws, methods in rows and columns. A method that stands twice is numbered.

    Raises
    ------
    UnmixError
        If there are fewer than two, or they are of different draws.
    """
    if len(relabellings) < 2:
        raise UnmixError("comparing takes two relabellings or more: pass those of several methods")
    names: list[str] = []
    for one in relabellings:
        if not isinstance(one, Relabelling):
            raise UnmixError(
                f"comparing takes relabellings and not {said(one)}: pass what unmix.relabel gave"
            )
        again = sum(n == one.method or n.startswith(one.method + " (") for n in names)
        names.append(one.method if not again else f"{one.method} ({again + 1})")
    table = [[a.agreement(b) for b in relabellings] for a in relabellings]
    return pd.DataFrame(table, index=names, columns=names)
