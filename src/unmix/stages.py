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
        turning: AbstractContextManager = nullcontext()
        if self.console.is_terminal and not has_bar:
            turning = self.console.status(Text(f"{name} …"))
        begun = perf_counter()
        with turning:
            yield
        self.took(name, perf_counter() - begun)

    def took(self, name: str, seconds: float) -> None:
        """Print a line for work that was timed elsewhere."""
        self.console.print(Text(f"{seconds:6.1f} s  {name}", style="dim"))

    def total(self) -> None:
        """Print how long all of it took, what has no stage of its own included."""
        self.took("in all", perf_counter() - self._begun)
