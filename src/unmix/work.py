"""What every stage of an analysis needs, and the ways in which all of them tell and write."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from rich.rule import Rule
from rich.text import Text

from unmix.errors import UnmixError
from unmix.output import OutputFolder
from unmix.plan import Plan
from unmix.printable import printable
from unmix.stages import Stages

if TYPE_CHECKING:
    import pandas as pd
    import pymc as pm
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Work:
    """What every stage needs: the rows, their model, what was asked for, and where to tell."""

    x: "pd.DataFrame"
    model: "pm.Model"
    plan: Plan
    out: OutputFolder | None
    console: Console
    stage: Stages

    def save(self, name: str, fit: Any) -> None:
        """Write a fit to the folder, if there is one."""
        if self.out:
            with self.stage(f"writing {name}{self.plan.suffix}"):
                self.out.fit(f"{name}{self.plan.suffix}", fit, self.model)

    def show(self, title: str, *content: RenderableType) -> None:
        """Print under a heading."""
        self.console.print()
        self.console.print(Rule(Text(title, style="bold"), align="left", style="dim"))
        for part in content:
            self.console.print(part)
        if content:
            self.console.print()

    def figures(self, makers: "dict[str, Callable[[Any], Figure]]") -> None:
        """Draw and write each; one that cannot be drawn is said and the others still are."""
        if self.out is None or not self.plan.figures:
            return
        with self.stage("figures"):
            from unmix import show

            left_out = {}
            for name, make in makers.items():
                try:
                    self.out.figure(name, make(show))
                except UnmixError as error:
                    left_out[name] = str(error)
        for name, reason in left_out.items():
            self.console.print(Text(f"No figure {name}: {reason}", style="yellow"))

    def end(self) -> None:
        """Say how long all of it took, and what has been written."""
        self.stage.total()
        if self.out:
            written = ", ".join(sorted(self.out.written))
            self.console.print(Text(f"Written to {printable(self.out.path, 200)}: {written}"))
