"""Figures that belong to nobody but the caller: pyplot never hears of them, so none is left open.

A plain matplotlib Figure made without pyplot is not shown by a notebook that has not loaded
pyplot, hence the one method added here.
"""

from collections.abc import Sequence
from io import BytesIO
from textwrap import wrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unmix.errors import UnmixError
from unmix.show import colours
from unmix.show.numbers import plain


class NotebookFigure(Figure):
    """A matplotlib Figure that a notebook shows whatever the backend."""

    def _repr_png_(self) -> bytes:
        page = BytesIO()
        self.savefig(page, format="png", dpi=self.get_dpi())
        return page.getvalue()


def blank(width: float, height: float, **more: Any) -> NotebookFigure:
    """An empty figure, in inches, that lays itself out."""
    return NotebookFigure(figsize=(width, height), dpi=100, layout="constrained", **more)


def tidy(axes: Axes) -> None:
    """No box, no ticks without need: only what carries numbers stays."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=10)
    axes.xaxis.label.set_fontsize(11)
    axes.yaxis.label.set_fontsize(11)


def say(axes: Axes, title: str, more: str = "", *, columns: int = 100) -> None:
    """What is seen, above the axes; smaller below it, how it was computed.

    Parameters
    ----------
    axes
        The panel.
    title, more
        The two; ``more`` is broken into lines of at most ``columns`` characters, and where it has
        line breaks of its own.
    columns
        What the panel is wide enough for.
    """
    lines = [line for part in more.split("\n") for line in wrap(part, columns)]
    axes.set_title(title + "\n" * len(lines), loc="left", fontsize=12, color=colours.INK)
    note = axes.text(
        0,
        1.02,
        "\n".join(lines),
        transform=axes.transAxes,
        fontsize=9,
        color="#555555",
        va="bottom",
    )
    note.set_in_layout(False)  # the title's empty lines keep its room


def text(value: Any, longest: int = 40) -> str:
    """A name as it stands: a $ in it starts no formula."""
    return plain(value, longest).replace("$", r"\$")


def folded(name: str, columns: int = 22) -> str:
    """A long name in lines of so many characters, which leave room for what it names."""
    return "\n".join(wrap(name, columns)) or name


def onto(ax: Axes | None, width: float, height: float) -> tuple[Figure, Axes]:
    """The caller's axes and the figure that they are in, or a new figure of a size in inches."""
    if ax is None:
        figure = blank(width, height)
        return figure, figure.subplots()
    return figure_of(ax), ax


def figure_of(ax: Axes) -> Figure:
    """The figure that axes are in, whatever subfigures lie between."""
    found = ax.get_figure(root=True)
    assert isinstance(found, Figure)
    return found


def panels(axes: Sequence[Axes] | None, n: int, what: str) -> list[Axes] | None:
    """The caller's axes as a list, if there are as many as there is to draw.

    Raises
    ------
    UnmixError
        If there are more or fewer than ``n``.
    """
    if axes is None:
        return None
    try:
        given = list(axes)
    except TypeError:
        given = [axes]  # type: ignore[list-item]  # one panel, as the caller gave it
    if len(given) != n:
        raise UnmixError(f"axes holds {len(given)} and {what}: give {n}")
    return given
