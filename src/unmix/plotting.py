"""`unmix plot`: the figures of a saved fit, one file each.

A figure that does not apply, as label traces to a fit by EM, is left out where all are wanted, and
refused in a sentence where it was asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from unmix.errors import UnmixError
from unmix.output import OutputFolder
from unmix.placed_rows import placed_rows
from unmix.printable import listed, printable
from unmix.stages import Stages

if TYPE_CHECKING:
    import numpy as np
    import pymc as pm
    import xarray as xr
    from matplotlib.figure import Figure

# Of more rows, every second, third, … enters the heat map: a partition is searched for, and no
# picture shows more.
MOST_ROWS = 1000


@dataclass
class Plotted:
    """A fit and what its figures are made from, computed when first asked for."""

    model: "pm.Model"
    fit: Any
    seed: int

    @cached_property
    def drawn(self) -> bool:
        """Whether the fit holds draws."""
        import xarray as xr

        return isinstance(self.fit, xr.DataTree)

    @cached_property
    def responsibilities(self) -> "xr.Dataset":
        """Of every row."""
        import unmix

        return unmix.responsibilities(self.model, self.fit)

    @cached_property
    def placed(self) -> "tuple[pm.Model, Any, xr.Dataset, str]":
        """What figures of components are drawn from; see `placed_rows`."""
        return placed_rows(self.model, self.fit, self.responsibilities)

    @cached_property
    def rows(self) -> "np.ndarray":
        """Positions of the rows of the heat map."""
        import numpy as np

        n = self.responsibilities.sizes["obs"]
        return np.arange(n)[:: -(-n // MOST_ROWS)]


def _similarity(p: Plotted) -> "Figure":
    import unmix
    from unmix import show
    from unmix.assign.partition.source import draws_of
    from unmix.derive import derive

    matrix = unmix.co_assignment(p.model, p.fit, obs=p.rows, other=p.rows)
    draws = draws_of(derive(p.model), p.fit, p.seed)
    found = unmix.partition(z=draws.z[:, p.rows], rng=p.seed)
    return show.similarity(matrix, found, of=p.responsibilities.sizes["obs"])


def _label_traces(p: Plotted) -> "Figure":
    import unmix
    from unmix import show

    return show.label_traces(p.fit, unmix.relabel(p.model, p.fit))


def _of(name: str, *, model: bool = False) -> "Callable[[Plotted], Figure]":
    """The figure of that name in `unmix.show`, of the responsibilities."""

    def make(p: Plotted) -> "Figure":
        from unmix import show

        given = p.placed[:3] if model else (p.responsibilities,)
        figure: Figure = getattr(show, name)(*given)
        return figure

    return make


def _traces(p: Plotted) -> "Figure":
    from unmix import show

    return show.traces(p.fit)


FIGURES: "dict[str, Callable[[Plotted], Figure]]" = {
    "components": _of("fitted_components", model=True),
    "uncertainty": _of("uncertainty", model=True),
    "membership": _of("membership"),
    "rootogram": _of("rootogram"),
    "two_roads": _of("two_roads"),
    "calibration": _of("calibration"),
    "similarity": _similarity,
    "label_traces": _label_traces,
    "traces": _traces,
}
OF_DRAWS = ("two_roads", "calibration", "similarity", "label_traces", "traces")


def wanted(names: list[str] | None) -> list[str] | None:
    """The names, each of them known and once; None for all.

    Raises
    ------
    UnmixError
        Naming the first that is unknown.
    """
    for name in names or ():
        if name not in FIGURES:
            raise UnmixError(
                f"there is no figure {printable(name)}: --figures takes {listed(list(FIGURES))}"
            )
    return None if names is None else list(dict.fromkeys(names))


def plot(
    path: Path, names: list[str] | None, out: OutputFolder, console: Console, seed: int
) -> None:
    """Draw the figures of a saved fit and write them.

    Parameters
    ----------
    path
        Of the fit.
    names
        From `wanted`.
    out
        A folder, not made yet.
    console
        Where to say what is done.
    seed
        For drawing z where the fit holds none, and for the search of a partition.

    Raises
    ------
    UnmixError
        If the fit cannot be read, its model is the user's own, or none of the figures can be drawn.
    """
    from unmix import io

    tree = io.load_tree(path)
    stage = Stages(console)
    with stage("building the model of the fit again"):
        p = Plotted(io.load_model(tree), io.fit_in(tree), seed)
    for name in names or ():
        if name in OF_DRAWS and not p.drawn:
            raise UnmixError(
                f"{name} is a figure of draws and {printable(path, 200)} is a fit by EM, which has "
                "none: name other figures, or a fit by gibbs, nuts or pymc"
            )
    out.make()
    left_out = {}
    for name in names or [n for n in FIGURES if p.drawn or n not in OF_DRAWS]:
        try:
            with stage(name):
                out.figure(name, FIGURES[name](p))
        except UnmixError as error:
            left_out[name] = str(error)
    if not out.written:
        raise UnmixError("; ".join(f"no figure {name}: {why}" for name, why in left_out.items()))
    for name, why in left_out.items():
        console.print(Text(f"No figure {name}: {why}", style="yellow"))
    if "placed" in p.__dict__ and p.placed[3]:
        console.print(Text(f"{p.placed[3].capitalize()}.", style="dim"))
    files = ", ".join(sorted(out.written))
    console.print(Text(f"Written to {printable(out.path, 200)}: {files}"))
