"""Tables for a terminal, as rich draws them. Every name from outside stands as plain text.

What should be looked at is marked with a sign as well as a colour, so that nothing is lost where
there is no colour.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from unmix.assign.convergence import ESS, R_HAT
from unmix.derive.correlations import with_correlations
from unmix.show.numbers import datum, number, plain
from unmix.show.table_widths import NAME, Widest, filled, name_in_lines, plain_table

MOST_ROWS = 40
MOST_COMPONENTS = 6


def em_table(em: Any) -> RenderableType:
    """Status, fit and parameters of an EM result."""
    kind = em.maximised
    style = "green" if em.converged else "bold red"
    figures = [
        f"log-likelihood {em.log_likelihood:.4f}",
        f"{em.df} free parameters",
        f"{em.n_obs:,} observations",
        f"{em.seconds:.1f} s",
    ]
    if np.isfinite(em.aic):
        figures += [f"AIC {em.aic:.2f}", f"BIC {em.bic:.2f}"]
    lines: list[RenderableType] = [
        Text(f"EM, {kind}: ", style="bold") + Text(plain(em.status, 400), style=style),
        _indented(", ".join(figures)),
    ]
    if em.left_out:
        names = ", ".join(plain(n) for n in em.left_out)
        lines.append(_indented(f"not in the likelihood, left out: {names}"))
    return Group(*lines, *_theta_tables(with_correlations(em.theta)))


# The table is of matched components, so labels that switch are not among the causes.
_CAUSES = {
    "r_hat": f"r_hat above {R_HAT}: chains have not come to agree on this number",
    "ess": f"fewer than {ESS} effective draws: draw more of them",
}


def posterior_table(summary: pd.DataFrame) -> RenderableType:
    """What `arviz.summary` gives; chains that disagree and too few effective draws are marked."""
    columns = [c for c in summary.columns if c != "mcse_sd"]  # no room, and the least asked for
    marked = set()
    rows = []
    for name, row in summary.iloc[:MOST_ROWS].iterrows():
        cells = []
        for column, value in row[columns].items():
            bad = (column == "r_hat" and float(value) > R_HAT) or (
                str(column).startswith("ess") and float(value) < ESS
            )
            if bad:
                marked.add("r_hat" if column == "r_hat" else "ess")
            shown = _statistic(str(column), value) + (" !" if bad else "")
            cells.append(Text(shown, style="bold red" if bad else ""))
        rows.append((name, cells))
    # Where there is no room for all, first what is least asked for goes, then names are folded.
    heads = [_heading(c) for c in columns]
    least = [j for j, c in enumerate(columns, 1) if c in ("mcse_mean", "ess_tail")][::-1]
    upright = [head.replace(" ", "\n") for head in heads]
    ways = [
        (heads, [], NAME),
        (upright, [], NAME),
        (upright, least[:1], NAME),
        (upright, least, NAME),
        (upright, least, NAME // 2),
    ]
    lines: list[RenderableType] = [
        Widest([filled(rows, *way) for way in ways]), *_left_out(len(summary))
    ]  # fmt: skip
    lines += [
        Text(f"! {sentence}", style="bold red")
        for name, sentence in _CAUSES.items()
        if name in marked
    ]
    return Group(*lines)


def assignments_table(
    responsibilities: xr.Dataset, rows: int = 8, data: pd.DataFrame | None = None
) -> RenderableType:
    """The first rows: who made them, with what probability, by both roads where there are two.

    Parameters
    ----------
    responsibilities
        The result of `unmix.responsibilities`.
    rows
        How many.
    data
        The data's columns, row by row, to be shown beside them.
    """
    first = responsibilities.isel(obs=slice(rows))
    r = first["responsibility"].transpose("obs", "component").to_numpy()
    counted = first.get("assignment_frequency")
    labels = [plain(label, 16) for label in first["component"].values]
    several = len(labels) <= MOST_COMPONENTS
    columns = [] if data is None else [plain(c, NAME) for c in data.columns]
    heads = [f"p(z={label}|x)" for label in labels] if several else ["responsibility"]
    table = plain_table("obs", *columns, "most likely", *heads)
    if counted is not None:
        table.add_column("counted", justify="right", header_style="bold")
        frequency = counted.transpose("obs", "component").to_numpy()
    for i, label in enumerate(first["obs"].values):
        values = [] if data is None else [_datum(v) for v in data.iloc[i]]
        k = int(np.argmax(np.nan_to_num(r[i])))
        shown = [number(v, 3) for v in (r[i] if several else r[i, [k]])]
        most = plain(first["most_likely"].values[i], 16) if "most_likely" in first else labels[k]
        cells = [plain(label, 24), *values, most, *shown]
        if counted is not None:
            cells.append(number(frequency[i, k], 3))
        table.add_row(*map(Text, cells))
    n = responsibilities.sizes["obs"]
    note = f"the first {min(rows, n)} of {n:,} rows"
    if counted is not None:
        note += "; counted: share of draws with the most likely component"
    return Group(table, Text(note, style="dim"))


def unexplained_note(table: pd.DataFrame, rows: int = 8) -> RenderableType:
    """Which rows of `unmix.assignments` no component explains, in a sentence."""
    if "unexplained" not in table:
        return Text(f"rows that no component explains: {table.attrs['tail']}", style="dim")
    flagged = [plain(label, 24) for label in table.index[table["unexplained"]]]
    if not flagged:
        return Text("every row is one that the fitted mixture makes now and then", style="dim")
    more = f" and {len(flagged) - rows} more" if len(flagged) > rows else ""
    return Text(
        f"! no component explains {', '.join(flagged[:rows])}{more}: the fitted mixture makes rows "
        f"as improbable in {float(table['tail'][table['unexplained']].max()):.1g} of cases at most",
        style="bold red",
    )


def crosscheck_table(check: Any) -> RenderableType:
    """The verdict on the two roads, every test behind it, and what it cannot see."""
    styles = {"consistent": "bold green", "inconsistent": "bold red"}
    table = plain_table("test", "statistic", "p-value", "terms")
    table.add_column("read against", justify="left", header_style="bold", overflow="fold")
    for outcome in check.outcomes:
        table.add_row(
            Text(plain(outcome.name)),
            f"{outcome.statistic:.3f}" if np.isfinite(outcome.statistic) else "–",
            f"{outcome.p_value:.2g}" if np.isfinite(outcome.p_value) else "not made",
            f"{outcome.n_used:,}",
            Text(plain(outcome.reference, 200)),
        )
    return Group(
        Text("Counting z against Bayes' rule: ", style="bold")
        + Text(check.verdict, style=styles.get(check.verdict, "bold yellow")),
        _indented(check.reason),
        table,
        _indented(check.decides),
        *([Text("What the words mean:")] if check.in_words else []),
        *(_indented("· " + sentence) for sentence in check.in_words),
        Text("What this does not rule out:"),
        *(_indented("· " + sentence) for sentence in check.cannot_see),
    )


def comparison_table(comparison: Any) -> RenderableType:
    """EM against MCMC, parameter by parameter; then what it comes to."""
    parameters = comparison.parameters
    names = [c for c in ("ml", "mode", "mean", "sd", "lower", "upper") if c in parameters]
    heads = {"ml": "maximum likelihood", "mode": "posterior mode", "mean": "posterior mean"}
    rows = []
    for label, row in parameters.iloc[:MOST_ROWS].iterrows():
        inside = {True: "yes", False: "no !"}.get(row["em_inside"], "–")  # None: not known
        cells = [Text(number(float(row[c]))) for c in names]
        rows.append((label, [*cells, Text(inside, style="bold red" if "!" in inside else "")]))
    long = [*(heads.get(c, c) for c in names), "EM inside"]
    upright = [head.replace(" ", "\n") for head in long]
    least = [j for j, c in enumerate(names, 1) if c in ("mode", "sd")]
    ways = [
        (long, [], NAME),
        (upright, [], NAME),
        (upright, [], NAME // 2),
        (upright, least[:1], NAME // 2),
        (upright, least, NAME // 2),
    ]
    return Group(
        Widest([filled(rows, *way) for way in ways]),
        *_left_out(len(parameters)),
        *(Text(plain(sentence, 400)) for sentence in comparison.text),
    )


# -- parts ---------------------------------------------------------------------------------------


def _theta_tables(theta: xr.Dataset) -> Iterable[RenderableType]:
    """θ with one column for each component, then what belongs to all of them."""
    by_component = [n for n, v in theta.items() if "component" in v.dims]
    if by_component:
        labels = [plain(v, NAME) for v in theta["component"].values]
        table = plain_table("parameter", *(f"component {label}" for label in labels))
        lines = [line for name in by_component for line in _elements(theta[name], "component")]
        for label, values in lines[:MOST_ROWS]:
            table.add_row(name_in_lines(label), *(number(float(v), 5) for v in values))
        yield table
        yield from _left_out(len(lines))
    shared = [n for n in theta.data_vars if n not in by_component]
    if shared:
        table = plain_table("parameter", "value")
        lines = [line for name in shared for line in _elements(theta[name], None)]
        for label, values in lines[:MOST_ROWS]:
            table.add_row(name_in_lines(label), number(float(values), 5))
        yield table
        yield from _left_out(len(lines))


def _elements(values: xr.DataArray, along: str | None) -> list[tuple[str, Any]]:
    """Named elements of a parameter; each an array along ``along``, or a number."""
    own = [d for d in values.dims if d != along]
    lines = []
    for at in np.ndindex(*(values.sizes[d] for d in own)):
        one = values.isel(dict(zip(own, at, strict=True))).to_numpy()
        labels = [plain(values[d].values[i], 4 * NAME) for d, i in zip(own, at, strict=True)]
        name = plain(values.name)
        lines.append((f"{name}[{', '.join(labels)}]" if labels else name, one))
    return lines


def _indented(sentence: str) -> Padding:
    return Padding(Text(plain(sentence, 400)), (0, 0, 0, 2))


def _heading(column: str) -> str:
    """A column of `arviz.summary` in words that may be broken in two lines."""
    words = {"_lb": " from", "_ub": " to"}
    for suffix, word in words.items():
        if column.endswith(suffix):
            kind, digits = column.removesuffix(suffix)[:3], column.removesuffix(suffix)[3:]
            return f"{digits} %{word}" if kind in ("eti", "hdi") else plain(column)
    return plain(column.replace("_", " "))


def _left_out(n: int) -> list[RenderableType]:
    return [Text(f"… and {n - MOST_ROWS} more", style="dim")] if n > MOST_ROWS else []


def _statistic(column: str, value: Any) -> str:
    if isinstance(value, str):
        return plain(value)
    if not np.isfinite(value):
        return "–"
    if column.startswith("ess"):
        return f"{value:,.0f}"
    if column == "r_hat":
        return f"{value:.3f}"
    return number(float(value), 3 if column == "sd" or column.startswith("mcse") else 4)


def _datum(value: Any) -> str:
    return datum(float(value)) if isinstance(value, float | np.floating) else plain(value, 24)
