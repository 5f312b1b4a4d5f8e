"""The folder that the command line writes: made fresh, and each file in it whole or not at all."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from unmix.csv_text import guarded_frame
from unmix.errors import UnmixError
from unmix.printable import printable

if TYPE_CHECKING:
    import pandas as pd
    import pymc as pm
    from matplotlib.figure import Figure


class OutputFolder:
    """A new folder and what has been written to it.

    Parameters
    ----------
    path
        Where; nothing may be there yet.

    Raises
    ------
    UnmixError
        If something is there, or the folder it should be made in is not.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written: list[str] = []
        shown = printable(path, 200)
        if path.exists() or path.is_symlink():
            raise UnmixError(f"{shown} exists already: name a new folder with --output")
        if not path.absolute().parent.is_dir():
            raise UnmixError(f"there is no folder to make {shown} in: make it, or name another")

    @classmethod
    def numbered(cls, path: Path) -> "OutputFolder":
        """The folder, or the first of folder-2, folder-3, … that is not there yet."""
        number, free = 1, path
        while free.exists() or free.is_symlink():
            number += 1
            free = path.with_name(f"{path.name}-{number}")
        return cls(free)

    def make(self) -> None:
        """Make the folder, before anything that takes time: it tells whether one can write there.

        Raises
        ------
        UnmixError
            If one cannot.
        """
        try:
            self.path.mkdir()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise UnmixError(
                f"cannot make the folder {printable(self.path, 200)}: {reason}"
            ) from error

    def leave(self) -> None:
        """Remove the folder again if nothing came of it."""
        if not self.written:
            with suppress(OSError):
                self.path.rmdir()

    def write(self, name: str, writer: Callable[[Path], object]) -> None:
        """Have a file written under another name, and give it its own when it is whole.

        Parameters
        ----------
        name
            Of the file.
        writer
            Writes to the path that it is given, which has the same suffix.

        Raises
        ------
        UnmixError
            If the disk refuses.
        """
        path = self.path / name
        temporary = path.with_name(f".{uuid4().hex[:8]}{path.suffix}")
        try:
            writer(temporary)
            temporary.rename(path)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise UnmixError(f"cannot write {printable(path, 200)}: {reason}") from error
        finally:
            temporary.unlink(missing_ok=True)
        self.written.append(name)

    def fit(self, name: str, fit: Any, model: "pm.Model") -> None:
        """Save a fit, which `unmix.io` does as carefully."""
        from unmix import io

        io.save(fit, self.path / name, model=model)
        self.written.append(name)

    def figure(self, name: str, figure: "Figure") -> None:
        """Write a matplotlib figure as PNG."""
        self.write(f"{name}.png", lambda path: figure.savefig(path, dpi=150))

    def assignments(self, table: "pd.DataFrame") -> None:
        """Write what `unmix.assignments` says of each row as ``assignments.csv``."""
        self.write("assignments.csv", lambda path: guarded_frame(table).to_csv(path))
