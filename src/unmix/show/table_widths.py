"""Tables that give way to a narrow terminal in an order, and never break a number in two."""

from textwrap import wrap
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from unmix.show.numbers import plain

NAME = 32  # characters of a name in one line


def plain_table(first: str, *others: str) -> Table:
    """A table without rows, its first column to the left and the others to the right."""
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, header_style="bold")
    # Names are what one looks for: numbers and headings give way first.
    table.add_column(Text(first), justify="left", overflow="fold", no_wrap=True)
    for name in others:
        table.add_column(Text(name), justify="right", overflow="fold")
    return table


class Widest:
    """Of several tables with the widths that they need, the first that there is room for."""

    def __init__(self, tables: list[tuple[Table, int]]) -> None:
        self.tables = tables

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        fitting = (table for table, width in self.tables if width <= options.max_width)
        yield next(fitting, self.tables[-1][0])


def filled(
    rows: list[tuple[Any, list[Text]]], heads: list[str], out: list[int], width: int
) -> tuple[Table, int]:
    """A table without some of its columns, counted from 1, its names folded; the room it needs."""
    kept = [j for j in range(len(heads)) if j + 1 not in out]
    table = plain_table("parameter", *(heads[j] for j in kept))
    for column in table.columns:
        column.no_wrap = True  # a number that is broken in two is read as another
    named = [name_in_lines(name, width) for name, _ in rows]
    for name, (_, cells) in zip(named, rows, strict=True):
        table.add_row(name, *(cells[j] for j in kept))
    room = max([9, *(len(line) for name in named for line in name.plain.split("\n"))])
    for j in kept:
        room += max(map(len, [*heads[j].split("\n"), *(cells[j].plain for _, cells in rows)]))
    return table, room + 2 * len(kept) + 4  # blanks between, and the edges


def name_in_lines(name: Any, width: int = NAME) -> Text:
    """A parameter's name, whole: one that is long goes on in the next line, between words."""
    return Text("\n  ".join(wrap(plain(name, 8 * NAME), width)))
