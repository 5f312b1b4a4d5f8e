"""`Explanation`: Bayes' rule with one observation's numbers in it, on paper.

The layout is that of the classic derivation: the rule, its three events, and one line for each
component, from left to right prior, likelihood, joint, responsibility; below them the marginal.
The same cells are printed on a terminal and in a notebook.
"""

from dataclasses import dataclass
from html import escape
from textwrap import wrap
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from unmix.show.numbers import from_log, log_number, number, plain
from unmix.show.sections import alike, crossings, pulls
from unmix.show.ties import Tie

WIDTH = 100
MOST_NAMES = 6
COLUMNS = {
    "prior": "p(A)",
    "likelihood": "p(B|A)",
    "joint": "p(A) p(B|A)",
    "responsibility": "p(A|B)",
}
RULE = """\
             p(A) p(B|A)                            prior × likelihood
  p(A|B) = ---------------         responsibility = ------------------
           Σ_C p(C) p(B|C)                               marginal"""
LOG_RULE = """\
  log p(A|B) = log p(A) + log p(B|A) - log p(B)
  log responsibility = log prior + log likelihood - log marginal"""


class Cell(NamedTuple):
    """A number and what is printed small below it."""

    text: str
    below: str = ""


@dataclass(frozen=True, repr=False)
class Explanation:
    """Bayes' rule for one observation, term by term.

    ``str()`` and a notebook show it; `text` can show logarithms instead.

    Attributes
    ----------
    obs
        Label of the observation.
    new
        Whether it is a new row, not one of those the model was declared on.
    latent
        Name of the assignment.
    data
        What was observed of it: (name, value), the value as text.
    theta
        Which parameters the terms were computed at, in words.
    table
        The numbers. ``prior``, ``likelihood``, ``joint``, ``responsibility`` (component) and
        ``marginal`` (), each with its natural logarithm under ``log_…``, which holds what is too
        small for a float. With draws all have a leading dim ``summary`` (mean, lower, upper), and
        the logarithms are those of the means and bounds. ``counted`` and
        ``assignment_frequency`` (component) when the fit holds draws of z.
    interval
        Probability of the intervals; None for one θ.
    draws
        Number of draws; None for one θ.
    notes
        Sentences: what would be misread otherwise.
    contributions
        Where asked for, which features pull the row to which component: ``feature_pull``
        (against, feature), ``prior_pull`` and ``log_odds`` (against), nats, positive towards the
        leading component, with draws by ``summary``; ``how`` (feature).
    ties
        Where asked for, the value of each continuous feature at which the two leading components
        tie, the others held fixed.
    neighbours
        Where asked for, the rows most like it, nearest first: by obs the probability that they
        come from one component with it, and beside it their ``distance``
        (`unmix.assign.neighbours`).
    """

    obs: Any
    new: bool
    latent: str
    observed: tuple[str, ...]
    data: tuple[tuple[str, str], ...]
    theta: str
    table: xr.Dataset
    interval: float | None
    draws: int | None
    notes: tuple[str, ...]
    contributions: xr.Dataset | None = None
    ties: tuple[Tie, ...] | None = None
    neighbours: xr.DataArray | None = None

    def __repr__(self) -> str:
        return self.text()

    def text(self, *, logs: bool = False) -> str:
        """The derivation as plain text, at most 100 columns where names are short.

        Parameters
        ----------
        logs
            Natural logarithms of all terms in place of the terms.
        """
        head, rows = self._cells(logs)
        widths = [
            max(len(part) for row in [*head, *rows] for part in _parts(row[j]))
            for j in range(len(head[0]))
        ]
        lines = [self._title(), *self._wrapped(self.theta), ""]
        lines += [LOG_RULE if logs else RULE, ""]
        for event, meaning in self._events():
            first, *more = wrap(meaning, WIDTH - 20) or [""]
            if len(event) > 15:  # of many variables: a line of its own
                lines.append(f"  {event}")
                more.insert(0, first)
            else:
                lines.append(f"  {event:<16}{first}")
            lines += [" " * 18 + line for line in more]
        lines.append("")
        lines += [_line(row, widths) for row in head]
        lines.append("  " + "-" * (sum(widths) + 2 * (len(widths) - 1)))
        for row in rows[:-1]:
            lines.append(_line(row, widths))
            if any(_parts(cell)[1] for cell in row):
                lines.append(_line([_parts(cell)[1] for cell in row], widths))
        lines.append("  " + "-" * (sum(widths) + 2 * (len(widths) - 1)))
        lines.append(_line(rows[-1], widths))
        if any(_parts(cell)[1] for cell in rows[-1]):
            lines.append(_line([_parts(cell)[1] for cell in rows[-1]], widths))
        if self.notes:
            lines.append("")
        for note in self.notes:
            lines += self._wrapped(note)
        for title, body in self._sections():
            lines += ["", *self._wrapped(title), *body]
        return "\n".join(line.rstrip() for line in lines)

    def _repr_html_(self) -> str:
        """The derivation for a notebook; every name and value from outside is escaped."""
        head, rows = self._cells(logs=False)
        right, left = 'style="text-align:right"', 'style="text-align:left"'

        def cell(value: Cell | str, tag: str, j: int) -> str:
            text, below = _parts(value)
            small = f"<br><small>{escape(below)}</small>" if below else ""
            return f"<{tag} {right if j else left}>{escape(text)}{small}</{tag}>"

        def line(row: list[Cell | str], tag: str) -> str:
            return "<tr>" + "".join(cell(c, tag, j) for j, c in enumerate(row)) + "</tr>"

        events = "".join(
            f"<tr><td {left}><b>{escape(event)}</b></td><td {left}>{escape(meaning)}</td></tr>"
            for event, meaning in self._events()
        )
        return (
            f"<div><p><b>{escape(self._title())}</b><br>"
            f"{escape(self.theta)}</p><pre>{escape(RULE)}</pre><table><tbody>{events}</tbody></table>"
            f"<table><thead>{''.join(line(row, 'th') for row in head)}</thead>"
            f"<tbody>{''.join(line(row, 'td') for row in rows)}</tbody></table>"
            + "".join(f"<p>{escape(note)}</p>" for note in self.notes)
            + "".join(
                f"<p><b>{escape(title)}</b></p><pre>{escape(chr(10).join(body))}</pre>"
                for title, body in self._sections()
            )
            + "</div>"
        )

    def _sections(self) -> list[tuple[str, list[str]]]:
        """What was asked for beside Bayes' rule: titles and lines."""
        return [
            section
            for section in (
                pulls(self.contributions),
                crossings(self.ties, self._leading()),
                alike(self.neighbours),
            )
            if section is not None
        ]

    def _leading(self) -> list[str]:
        """The two components of the largest responsibilities, the largest first."""
        r = self.table["log_responsibility"]
        r = r if self.interval is None else r.sel(summary="mean")
        order = np.argsort(-r.to_numpy(), kind="stable")[:2]
        return [plain(self.table["component"].values[k], 24) for k in order]

    def _title(self) -> str:
        return f"Bayes' rule for {'new ' if self.new else ''}observation {plain(self.obs)}"

    def _events(self) -> list[tuple[str, str]]:
        shown = [f"{plain(n)}_i" for n in self.observed]
        if len(shown) > MOST_NAMES:
            shown = [*shown[: MOST_NAMES - 1], "…", shown[-1]]
        z, names = plain(self.latent), ", ".join(shown)
        values = ", ".join(
            f"and {value}" if name == "and" else f"{plain(name)} = {value}"
            for name, value in self.data
        )
        return [
            (f"A = {{{z}_i = k}}", "component k made the observation"),
            (f"B = {{{names}}}", "what was observed" + (f": {values}" if values else "")),
            (f"C = {{{z}_i = j}}", "any component j made it; the joints sum to the marginal p(B)"),
        ]

    def _cells(self, logs: bool) -> tuple[list[list[Cell | str]], list[list[Cell | str]]]:
        """Two header lines; a row for each component; the row of sums."""
        event = "log {}" if logs else "{}"
        head: list[list[Cell | str]] = [
            ["", *(event.format(e) for e in COLUMNS.values())],
            ["component", *COLUMNS],
        ]
        rows: list[list[Cell | str]] = []
        for k, label in enumerate(self.table["component"].values):
            terms = [self._term(name, k, logs) for name in COLUMNS]
            rows.append([plain(label, 24), *terms])
        rows.append(["p(B) marginal", "", "", self._term("marginal", None, logs), ""])
        if "counted" in self.table and self.draws:
            head[0].append("A counted")
            head[1].append("frequency")
            counted, frequency = self.table["counted"], self.table["assignment_frequency"]
            for k, row in enumerate(rows[:-1]):
                count = f"{int(counted[k]):,} of {self.draws:,}"
                row.append(Cell(number(float(frequency[k])), count))
            rows[-1].append("")
        return head, rows

    def _term(self, name: str, k: int | None, logs: bool) -> Cell:
        values = self.table[f"log_{name}"]
        if k is not None:
            values = values.isel(component=k)
        if self.interval is None:
            value = float(values)
            return Cell(log_number(value) if logs else from_log(value))
        mean, lower, upper = (float(v) for v in values)
        if logs:
            return Cell(log_number(mean), f"{log_number(lower)} to {log_number(upper)}")
        return Cell(from_log(mean), f"{from_log(lower, 3)}–{from_log(upper, 3)}")

    def _wrapped(self, sentence: str) -> list[str]:
        return wrap(sentence, WIDTH - 2, initial_indent="  ", subsequent_indent="  ")


def _parts(cell: Cell | str) -> Cell:
    return Cell(cell) if isinstance(cell, str) else cell


def _line(row: list[Any], widths: list[int]) -> str:
    first, *others = (_parts(cell).text for cell in row)
    cells = [f"{first:<{widths[0]}}"]
    cells += [f"{text:>{width}}" for text, width in zip(others, widths[1:], strict=True)]
    return "  " + "  ".join(cells)
