"""A table written piece by piece, as CSV or Parquet, whole or not at all.

Text that a spreadsheet would run as a formula is guarded in CSV (`unmix.csv_text`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from unmix.csv_text import guarded_frame
from unmix.errors import UnmixError
from unmix.printable import printable

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".parquet")


def require_writable(path: Path, *, overwrite: bool) -> None:
    """Refuse a path before anything is computed for it.

    Raises
    ------
    UnmixError
        If the suffix is neither ``.csv`` nor ``.parquet``, something is there, or the folder is
        not.
    """
    shown = printable(path, 200)
    if path.suffix not in SUFFIXES:
        raise UnmixError(f"to is {shown}: give a file name that ends in .csv or .parquet")
    if path.is_dir():
        raise UnmixError(f"{shown} is a folder: give the name of a file")
    if (path.exists() or path.is_symlink()) and not overwrite:
        raise UnmixError(f"{shown} exists already: choose another name, or pass overwrite=True")
    if not path.absolute().parent.is_dir():
        raise UnmixError(f"there is no folder to write {shown} in: make it, or name another")


def write_table(pieces: "Iterator[pd.DataFrame]", path: Path) -> None:
    """Write frames one after the other; the file gets its name when all are in it.

    Raises
    ------
    UnmixError
        If the disk refuses.
    """
    temporary = path.with_name(f".{uuid4().hex[:8]}{path.suffix}")
    try:
        if path.suffix == ".csv":
            _csv(pieces, temporary)
        else:
            _parquet(pieces, temporary)
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UnmixError(f"cannot write {printable(path, 200)}: {reason}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _csv(pieces: "Iterator[pd.DataFrame]", path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        for i, piece in enumerate(pieces):
            guarded_frame(piece).to_csv(file, header=i == 0, lineterminator="\n")


def _parquet(pieces: "Iterator[pd.DataFrame]", path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer: Any = None
    try:
        for piece in pieces:
            flat = piece.reset_index()
            for name in flat.columns:
                if flat[name].dtype == object:  # labels of any kind
                    flat[name] = flat[name].astype(str)
            table = pa.Table.from_pandas(flat, preserve_index=False)
            if writer is None:
                writer = pq.ParquetWriter(path, table.schema)
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()
