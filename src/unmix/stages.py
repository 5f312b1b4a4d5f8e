"""Where the time goes, said on screen as it goes."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import perf_counter

from rich.console import Console
from rich.text import Text


class Stages:
    """Names each piece of work while it is done, and says afterwards how long it took.

    Parameters
    ----------
    console
        Where to; a spinner turns only where it is a terminal.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._begun = perf_counter()

    @contextmanager
    def __call__(self, name: str, *, has_bar: bool = False) -> Iterator[None]:
        """A stage of work; ``has_bar`` where that shows its own progress, as two cannot turn."""
        watched = self.console.is_terminal
        turning: AbstractContextManager = nullcontext()
        if watched and has_bar:  # its bar may be a while in coming
            self.console.print(Text(f"{name} …", style="dim"))
        elif watched:
            turning = self.console.status(Text(f"{name} …"))
        begun = perf_counter()
        with turning:
            yield
        seconds = perf_counter() - begun
        if watched and has_bar:
            self.console.print()  # a bar may not have ended its line
        self.took(name, seconds)

    def took(self, name: str, seconds: float) -> None:
        """Print a line for work that was timed elsewhere."""
        self.console.print(Text(f"{seconds:6.1f} s  {name}", style="dim"))

    def total(self) -> None:
        """Print how long all of it took, what has no stage of its own included."""
        self.took("in all", perf_counter() - self._begun)
