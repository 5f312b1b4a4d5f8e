"""`unmix demo`: Old Faithful from the declaration to the cross-checked answer."""

from typing import TYPE_CHECKING

from unmix.errors import UnmixError
from unmix.printable import listed, printable

if TYPE_CHECKING:
    import pandas as pd

STORY = (
    "Old Faithful, a geyser: 272 eruptions of October 1980. Waiting times for the next eruption "
    "come in two kinds, short and long. Which kind was each of them?"
)


def rows(columns: list[str] | None) -> "pd.DataFrame":
    """Columns of Old Faithful, by default the waiting time.

    Raises
    ------
    UnmixError
        For a column that it has not.
    """
    from unmix import datasets

    x = datasets.old_faithful()
    chosen = columns or ["waiting"]
    for name in chosen:
        if name not in x.columns:
            raise UnmixError(
                f"Old Faithful has no column {printable(name)}: choose {listed(list(x.columns))}"
            )
        if chosen.count(name) > 1:
            raise UnmixError(f"column {printable(name)} is asked for twice: name it once")
    return x[chosen]
