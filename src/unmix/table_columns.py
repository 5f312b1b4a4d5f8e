"""Which columns of a table are wanted, and what names its rows: the same for CSV and Parquet."""

import re
from collections.abc import Collection

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from unmix.errors import UnmixError
from unmix.printable import listed, printable

MISSING = {"", "na", "n/a", "#n/a", "nan", "null", "none"}
# Words by which columns are called that name rows and measure nothing.
_NAMES_ROWS = frozenset(
    ("id", "ids", "idx", "index", "row", "rownum", "rowid", "nr", "no", "num", "number", "key",
     "obs", "case", "record", "subject", "unnamed")
)  # fmt: skip
_WORD = re.compile(r"[a-z]+")
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})", re.ASCII)


def tidy(name: str) -> str:
    """A column name with its white space in order: spreadsheets put line breaks into headers."""
    return " ".join(name.split())


def choose(
    header: list[str],
    named: list[str] | None,
    id: str | None,
    where: str,
    apart: Collection[str] = (),
) -> list[int]:
    """Positions of the columns wanted: those named, or all that have a name and are not apart."""
    others = [n for n in header if n and n != id and n not in apart]
    wanted = others if named is None else named
    missing = [n for n in dict.fromkeys(wanted if id is None else [*wanted, id]) if n not in header]
    if len(missing) > 1:
        raise UnmixError(
            f"there are no columns {listed(missing)} in {where}: it has "
            f"{listed([n for n in header if n]) or 'no column with a name'}"
        )
    for name in wanted if id is None else [*wanted, id]:
        at = [i + 1 for i, other in enumerate(header) if other == name]
        if not at:
            raise UnmixError(
                f"there is no column {printable(name)} in {where}: it has "
                f"{listed([n for n in header if n]) or 'no column with a name'}"
            )
        if len(at) > 1:
            raise UnmixError(
                f"column {printable(name)} is there twice in {where}, as columns {at[0]} and "
                f"{at[1]}: rename one of them"
            )
        if not name.isprintable():
            raise UnmixError(
                f"the name of column {at[0]} of {where} holds a control character: rename it"
            )
    return [header.index(name) for name in wanted]


def finish(
    values: dict[str, NDArray],
    ids: NDArray | None,
    id: str | None,
    left_out: dict,
    encoding: str,
    header: list[str],
) -> pd.DataFrame:
    """The columns as a frame that says what was left out, how it was read, and all there is."""
    index = None if ids is None else pd.Index(ids, name=id)
    frame = pd.DataFrame(values, index=index)
    frame.attrs = {"left_out": left_out, "encoding": encoding, "header": header}
    return frame


def doubts(frame: pd.DataFrame) -> list[str]:
    """A sentence for each column of numbers that is hardly a measurement of the rows.

    One that counts the rows (whole numbers, each one more than the one before), one of whole
    numbers that all differ and that is called as row names are, and one of two values.
    """
    found = []
    for column, values in frame.items():
        x = values.dropna().to_numpy()
        if len(x) < 3:
            continue
        shown, different = printable(column), np.unique(x)
        whole = bool(np.all(x == np.floor(x))) and len(different) == len(x)
        counts = whole and bool(np.all(np.diff(x) == 1))
        if counts or (whole and _NAMES_ROWS.intersection(_WORD.findall(str(column).lower()))):
            why = "counts the rows" if counts else "has whole numbers that all differ"
            found.append(
                f"column {shown} {why} and is taken for a feature: name the rows by it with "
                f"--id {shown}, or leave it out by naming the features with --columns"
            )
        elif len(different) == 2:
            found.append(
                f"column {shown} has two values only ({different[0]:g} and {different[1]:g}), "
                "which no normal distribution gives, and is taken for a feature: leave it out by "
                "naming the features with --columns"
            )
    return found


def nothing_left(header: list[str], where: str, apart: Collection[str] = ()) -> UnmixError:
    """The error for a table without a column of numbers, but for those that are apart."""
    there = [n for n in header if n in apart]
    if there:
        return UnmixError(
            f"no column of {where} is left for the rows beside {listed(there)}: add the features"
        )
    names = listed([n for n in header if n])
    return UnmixError(f"no column of {where} holds numbers{'; it has ' + names if names else ''}")


def row_names(texts: list[tuple[int, str]], id: str, unit: str, where: str) -> NDArray:
    """The ids as whole numbers if all are, else as text; they must be there and differ."""
    seen: dict[str, int] = {}
    for line, text in texts:
        if text.lower() in MISSING:
            raise UnmixError(f"id column {printable(id)} has no value on {unit} {line} of {where}")
        if text in seen:
            raise UnmixError(
                f"id column {printable(id)} holds {printable(text)} on {unit}s {seen[text]} and "
                f"{line} of {where}: ids must differ"
            )
        seen[text] = line
    whole = all(_WHOLE.fullmatch(text) for text in seen)
    return np.array([int(t) for t in seen]) if whole else np.array(list(seen), dtype=object)
