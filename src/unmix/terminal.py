"""Printing for a person: plain where nobody watches, in colour and with turning things else."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from unmix.errors import UnmixWarning

# A remedy that a program has and the command line has otherwise.
IN_PYTHON_AND_HERE = (
    "tighten the priors, or raise target_accept",
    "pass --target-accept 0.95, or ask for fewer components (-k)",
)


def terminal(*, error: bool = False) -> Console:
    """Standard output, or error; what is printed is never a style, as names come from files."""
    console = Console(highlight=False, markup=False, emoji=False, stderr=error)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 100  # a file has no width of its own; this is what tables are made for
    return console


def say(console: Console, text: str, style: str | None = None) -> None:
    """Print text as it stands; no line breaks are put in where nobody watches."""
    console.print(text, style=style, soft_wrap=not console.is_terminal)


@contextmanager
def warnings_to(console: Console) -> Iterator[None]:
    """Print our own warnings among the other lines; those of the libraries below are not shown."""

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if issubclass(category, UnmixWarning):
            said = str(message).replace(*IN_PYTHON_AND_HERE)
            say(console, f"Warning: {said}", "yellow")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield
