"""Rows of numbers from a CSV file.

Read by Python's own `csv` and not by pandas, which fills up lines that are too short, renames
columns of the same name and takes a surplus first column for an index, all without a word.
"""

import csv
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from unmix.csv_text import unguarded
from unmix.errors import UnmixError
from unmix.printable import printable
from unmix.table_columns import MISSING, choose, finish, nothing_left, row_names, tidy

BATCH = 2**14
INFINITE = {"inf", "infinity"}
# All that a number can be written with; what else float() takes ("1_000", "١") is text here.
_NUMERIC = frozenset("0123456789+-.eE \t")
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


@dataclass
class _Column:
    """What has been read of one column: its numbers, and where it first held something else."""

    name: str
    chunks: list[NDArray] = field(default_factory=list)
    n_numbers: int = 0
    n_other: dict[str, int] = field(default_factory=dict)
    first: dict[str, tuple[int, str]] = field(default_factory=dict)  # kind: line and cell

    def add(self, cells: Sequence[str], lines: Sequence[int]) -> None:
        """Add cells, as one array wherever all of them are numbers."""
        if _NUMERIC.issuperset("".join(cells)):
            try:
                numbers = np.array(cells, dtype=np.float64)
            except ValueError:
                pass
            else:
                if np.isfinite(numbers).all():
                    self.chunks.append(numbers)
                    self.n_numbers += len(cells)
                    return
        numbers = np.full(len(cells), np.nan)
        for i, cell in enumerate(cells):
            kind = _kind(cell)
            if kind == "number":
                numbers[i] = float(cell)
                self.n_numbers += 1
            else:
                self.n_other[kind] = self.n_other.get(kind, 0) + 1
                self.first.setdefault(kind, (lines[i], cell))
        self.chunks.append(numbers)

    @property
    def is_text(self) -> bool:
        """Whether it holds more text than numbers, or nothing at all."""
        infinite = self.n_other.get("infinite", 0)
        return self.n_other.get("text", 0) > self.n_numbers + infinite or not (
            self.n_numbers or infinite
        )

    def values(self) -> NDArray:
        """What all rows hold."""
        return np.concatenate(self.chunks)

    def refuse(self, where: str, *, missing: bool = False) -> None:
        """Raise for the first cell that is not a finite number, or ``missing`` where it may be."""
        wrong = {k: at for k, at in self.first.items() if not (missing and k == "missing")}
        if not wrong:
            return
        kind, (line, cell) = min(wrong.items(), key=lambda item: item[1][0])
        at = f"on line {line} of {where}"
        n = self.n_other[kind]
        more = f" ({n} such cells in all)" if n > 1 else ""
        name = printable(self.name)
        if kind == "missing":
            raise UnmixError(
                f"column {name} has no value {at}{more}: fill the cell, remove the line, or choose "
                "other columns with --columns"
            )
        if kind == "infinite":
            raise UnmixError(
                f"column {name} is infinite ({printable(cell.strip())}) {at}{more}: correct the "
                "cell or remove the line"
            )
        comma = _NUMBER.fullmatch(cell.replace(",", ".", 1))
        raise UnmixError(
            f"column {name} holds {printable(cell.strip())} {at}{more}, which is not a number: "
            + ("write decimals with a point" if comma else "correct it")
            + ", or choose other columns with --columns"
        )


def _kind(cell: str) -> str:
    word = cell.strip().lower()
    if word in MISSING:
        return "missing"
    if word.lstrip("+-") in INFINITE:
        return "infinite"
    if not _NUMBER.fullmatch(cell):
        return "text"
    return "number" if np.isfinite(float(cell)) else "infinite"  # 1e999


def read_csv(
    path: Path,
    head: bytes,
    named: list[str] | None,
    id: str | None,
    kind: "type[_Column]" = _Column,
    *,
    missing: bool = False,
    apart: Collection[str] = (),
) -> pd.DataFrame:
    """The columns named, or all that ``kind`` can read; `head` is how the file begins.

    See `read_table`.
    """
    where = printable(path.name, 80)
    encoding = _encoding(path, head)
    longest = csv.field_size_limit(2**31 - 1)  # a column that is not used may hold whole books
    try:
        with path.open(encoding=encoding, newline="") as file:
            records = _records(file, where)
            header = _header(records, where, named)
            chosen = choose(header, named, id, where, apart)
            columns = [kind(header[j]) for j in chosen]
            ids = None if id is None else header.index(id)
            n_rows, texts = _read_lines(records, len(header), chosen, columns, ids, where)
    except UnicodeError:
        raise UnmixError(
            f"{where} begins as {encoding[:6].rstrip('-').upper()} text and does not go on as it: "
            "save it as UTF-8"
        ) from None
    finally:
        csv.field_size_limit(longest)
    if n_rows == 0:
        raise UnmixError(f"{where} has a header and no rows: give one row for each observation")
    left_out = {f"column {j + 1}": "it has no name" for j, name in enumerate(header) if not name}
    used = []
    for column in columns:
        if named is None and column.is_text:
            left_out[column.name] = "text" if column.n_other.get("text") else "no values"
        else:
            column.refuse(where, missing=missing)
            used.append(column)
    if not used:
        raise nothing_left(header, where, apart)
    values = {c.name: c.values() for c in used}
    names = None if id is None else row_names(texts, id, "line", where)
    return finish(values, names, id, left_out if named is None else {}, encoding, header)


def _encoding(path: Path, head: bytes) -> str:
    """How the file's text is encoded: by its byte order mark, or by whether it is valid UTF-8."""
    if head.startswith(BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in head:
        raise UnmixError(
            f"{printable(path.name, 80)} is not text: save it as CSV or Parquet, which unmix reads"
        )
    decoder = getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while part := file.read(2**20):
                decoder.decode(part)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "latin-1"  # digits are the same in all its relatives; only names may look odd
    return "utf-8"


def _records(file: TextIO, where: str) -> Iterator[tuple[int, list[str]]]:
    """The records of a file with the lines they begin on, the blank ones left out."""
    reader = csv.reader(file, strict=True)
    line = 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise UnmixError(
            f"line {line} of {where} cannot be read as CSV ({error}): look for a quotation mark "
            "that is not closed"
        ) from None


def _header(
    records: Iterator[tuple[int, list[str]]], where: str, named: list[str] | None
) -> list[str]:
    _, header = next(records, (0, []))
    if not header:
        raise UnmixError(f"{where} is empty: it needs a header line and rows")
    names = [unguarded(tidy(cell)) for cell in header]
    if len(names) == 1 and (named is None or names[0] not in named):
        for sign, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
            if sign in header[0]:
                raise UnmixError(
                    f"{where} separates its columns by {word}: save it with commas between columns "
                    "and a point in decimals"
                )
    if named is None and all(_kind(name) == "number" for name in names):
        raise UnmixError(
            f"line 1 of {where} holds only numbers: give it a header line with the columns' names"
        )
    return names


def _read_lines(
    records: Iterator[tuple[int, list[str]]],
    width: int,
    chosen: list[int],
    columns: list[_Column],
    ids: int | None,
    where: str,
) -> tuple[int, list[tuple[int, str]]]:
    """Go through the rest of the file, batch by batch: how many rows, and the ids with lines."""
    n_rows = 0
    texts: list[tuple[int, str]] = []
    while batch := list(islice(records, BATCH)):
        lines, rows = zip(*batch, strict=True)
        for line, row in batch:
            if len(row) != width:
                raise UnmixError(
                    f"line {line} of {where} has {len(row)} cells and the header has {width}: give "
                    "every line one cell for each column"
                )
        for column, j in zip(columns, chosen, strict=True):
            column.add([row[j] for row in rows], lines)
        if ids is not None:
            texts.extend((line, unguarded(row[ids].strip())) for line, row in batch)
        n_rows += len(batch)
    return n_rows, texts
