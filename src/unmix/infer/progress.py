"""Progress on the terminal or in a notebook, by rich; elsewhere, as in a log, words at most."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


@contextmanager
def progress_bar(what: str, total: int, show: bool) -> Iterator[Callable[[], None]]:
    """A bar with ``total`` steps; the value it gives is called once a step."""
    if not show or not sys.stderr.isatty():
        yield lambda: None
        return
    with Progress(console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(what, total=total)
        yield lambda: bars.advance(task)


@contextmanager
def waiting(what: str, show: bool) -> Iterator[None]:
    """Words that stand, with the time gone by, while something takes long and has no steps.

    A notebook, where a bar that nobody moves would look stuck, gets the words alone; so does what
    is no terminal, where whoever reads the log would think that nothing goes on.
    """
    console = Console(stderr=True)
    if show and console.is_jupyter:
        console.print(what)
    elif show and sys.stderr.isatty():
        columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
        with Progress(*columns, console=console, transient=True) as bars:
            bars.add_task(what, total=None)
            yield
        return
    elif show:
        print(what, file=sys.stderr, flush=True)
        begun = time.monotonic()
        yield
        print(f"that took {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
        return
    yield
