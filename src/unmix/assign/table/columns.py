"""The columns of the table: their names, and a piece of rows as a frame."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unmix.arguments import rectangular
from unmix.assign.labels import labels_of_rows
from unmix.assign.table.pieces import Piece
from unmix.derive import bayes
from unmix.derive.theta import in_order_of
from unmix.errors import UnmixError
from unmix.printable import printable

if TYPE_CHECKING:
    import pandas as pd

PER_COMPONENT = ("responsibility", "lower", "upper", "assignment_frequency")
PER_ROW = (
    "most_likely", "entropy", "overlap", "parameter_uncertainty", "partition", "tail",
    "unexplained",
)  # fmt: skip


@dataclass(frozen=True)
class Columns:
    """What the table holds, and how its columns are called.

    Attributes
    ----------
    id
        Name of the column, or index, that names the rows.
    obs, components
        Names of the rows (obs,) and of the components (component,).
    identified
        Whether components mean the same in all draws; else no column speaks of one.
    frequency
        Assignment frequencies, (obs, component), or None.
    partition
        A partition given by the caller, (obs,), or None.
    threshold
        The tail at or below which a row is flagged.
    """

    id: str
    obs: NDArray
    components: NDArray
    identified: bool
    frequency: NDArray[np.float64] | None
    partition: NDArray[np.int64] | None
    threshold: float

    def __post_init__(self) -> None:
        names = [str(label) for label in self.components]
        double = next((n for n in names if names.count(n) > 1), None)
        if double is not None:
            raise UnmixError(
                f"two components are called {printable(double)}, and columns of the table would "
                "share their names: give the components of the model different labels"
            )
        own = {*PER_ROW, *(f"{kind}[{n}]" for kind in PER_COMPONENT for n in names)}
        if self.id in own:
            raise UnmixError(
                f"id is {printable(self.id)}, which is the name of a column of the table: name "
                "the rows differently"
            )

    def frame(self, piece: Piece) -> "pd.DataFrame":
        """Some rows of the table."""
        import pandas as pd

        rows, r = piece.rows, piece.responsibility
        found: dict[str, Any] = {}
        entropy = bayes.entropy(r)
        if self.identified:
            found["most_likely"] = self.components[np.argmax(r, axis=1)]
            for k, label in enumerate(self.components):
                found[f"responsibility[{label}]"] = r[:, k]
                if piece.bounds is not None:
                    found[f"lower[{label}]"], found[f"upper[{label}]"] = piece.bounds[:, :, k]
                if self.frequency is not None:
                    found[f"assignment_frequency[{label}]"] = self.frequency[rows, k]
            found["entropy"] = entropy
        if not self.identified or piece.bounds is not None:
            found["overlap"] = piece.overlap
        if self.identified and piece.bounds is not None:
            # Rounding may put either an ulp or so below zero.
            found["overlap"] = np.clip(piece.overlap, 0.0, entropy)
            found["parameter_uncertainty"] = np.maximum(entropy - piece.overlap, 0.0)
        if self.partition is not None:
            found["partition"] = self.partition[rows]
        if piece.tail is not None:
            found["tail"] = piece.tail
            found["unexplained"] = piece.tail <= self.threshold
        return pd.DataFrame(found, index=pd.Index(self.obs[rows], name=self.id))


def free_name(id: str) -> str:
    """The name of a file's id column, or ``obs`` where a column of the table has that name."""
    own = id in PER_ROW or id.startswith(tuple(f"{kind}[" for kind in PER_COMPONENT))
    return "obs" if own else id


def as_partition(partition: Any, rows: int, labels: NDArray) -> NDArray[np.int64] | None:
    """A partition as whole numbers, one a row.

    Parameters
    ----------
    partition
        Array of integers (obs,), or an object that holds one as ``z``; where it has labels of rows,
        rows are matched by them.
    rows, labels
        Number and names of the table's rows.

    Raises
    ------
    UnmixError
        If it has another length, or cells that are not whole numbers.
    """
    if partition is None:
        return None
    given = getattr(partition, "z", partition)
    values = rectangular("partition", given, "one whole number for each row")
    own = labels_of_rows(given)
    if values.shape != (rows,):
        raise UnmixError(
            f"partition has shape {values.shape} and the table has {rows} rows: give one whole "
            "number for each row"
        )
    if values.dtype.kind not in "biuf" or not np.all(np.isfinite(values)):
        raise UnmixError("partition holds cells that are not numbers: give whole numbers")
    if np.any(values != np.floor(values)):
        row = int(np.argmax(values != np.floor(values)))
        raise UnmixError(f"partition is {values[row]} in row {row}: give whole numbers")
    order = None if own is None else in_order_of(labels, own)
    return (values if order is None else values[order]).astype(np.int64)
