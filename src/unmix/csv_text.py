"""Text in CSV files that a spreadsheet would take for a formula, and back.

A cell that begins with = + - @, a tab, a carriage return or a line feed is run by spreadsheets when
the file is opened (OWASP, CSV Injection). Names of rows, columns and components come from whoever
made the data. So such text is written with an apostrophe before it, the spreadsheets' own sign for
text; text that begins with apostrophes before such a character gets one more, so that taking one
away gives back exactly what was there. Numbers stay as they are, also where they are text: -5 is no
formula.
"""

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
_GUARDED = re.compile(r"'+[=+\-@\t\r\n]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def guarded(cell: Any) -> Any:
    """A cell as it is written: text that would be a formula with an apostrophe before it."""
    if not isinstance(cell, str) or not _FORMULA.match(cell) or _NUMBER.fullmatch(cell):
        return cell
    return "'" + cell


def unguarded(text: str) -> str:
    """Text as it was before `guarded`."""
    return text[1:] if _GUARDED.match(text) else text


def guarded_frame(frame: "pd.DataFrame") -> "pd.DataFrame":
    """A frame with its text guarded: cells, names of rows, names of columns, name of the index."""
    safe = frame.copy()
    for name in safe.columns:
        if safe[name].dtype.kind not in "biuf":
            safe[name] = safe[name].map(guarded)
    safe.columns = safe.columns.map(guarded)
    if safe.index.dtype.kind not in "biuf":
        safe.index = safe.index.map(guarded)
    return safe.rename_axis(index=guarded(frame.index.name))
