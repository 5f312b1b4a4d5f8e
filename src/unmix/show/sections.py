"""What `explain` prints below Bayes' rule: pulls, ties and neighbours, as lines of text."""

from textwrap import wrap

import numpy as np
import xarray as xr

from unmix.show.contributions import SEQUENTIAL, TOGETHER
from unmix.show.numbers import datum, log_number, number, plain
from unmix.show.ties import Tie

# So that a derivation stays on one screen: the features that pull most, the components most alike.
MOST_FEATURES, MOST_AGAINST = 8, 4
WIDTH = 96

Section = tuple[str, list[str]]


def pulls(contributions: xr.Dataset | None) -> Section | None:
    """Which features pull the row to which component."""
    if contributions is None or not contributions.sizes["against"]:
        return None
    with_draws = "summary" in contributions.dims
    mean = contributions.sel(summary="mean") if with_draws else contributions
    odds = mean["log_odds"].to_numpy()
    # The closest rivals are the ones that could have been.
    rivals = np.argsort(np.abs(odds), kind="stable")[:MOST_AGAINST]
    pull = mean["feature_pull"].to_numpy()[rivals]
    with np.errstate(invalid="ignore"):
        weight = np.nan_to_num(np.abs(pull), posinf=np.inf).max(axis=0)
    order = np.argsort(-weight, kind="stable")
    shown = np.sort(order[:MOST_FEATURES])
    rest = order[MOST_FEATURES:]
    how = contributions["how"].to_numpy()
    names = contributions["feature"].to_numpy()

    def cells(name: str, at: int | None) -> list[str]:
        texts = []
        for k in rivals:
            values = contributions[name].isel(against=int(k))
            values = values if at is None else values.isel(feature=at)
            numbers = np.atleast_1d(values.to_numpy())
            text = _signed(numbers[0])
            if with_draws:
                text += f" ({_signed(numbers[1])} to {_signed(numbers[2])})"
            texts.append(text)
        return texts

    head = ["", *(f"against {plain(v, 20)}" for v in mean["against"].to_numpy()[rivals])]
    rows = [["prior", *cells("prior_pull", None)]]
    for j in shown:
        mark = {SEQUENTIAL: " *", TOGETHER: " †"}.get(str(how[j]), "")
        rows.append([plain(names[j], 24) + mark, *cells("feature_pull", int(j))])
    if len(rest):
        left = [_signed(v) for v in pull[:, rest].sum(axis=-1)]
        rows.append([f"{len(rest)} more features", *left])
    rows.append(["sum: log odds", *cells("log_odds", None)])
    widths = [max(len(row[c]) for row in [head, *rows]) for c in range(len(head))]
    lines = ["  " + "  ".join(f"{t:<{w}}" if c == 0 else f"{t:>{w}}"
                              for c, (t, w) in enumerate(zip(row, widths, strict=True)))
             for row in [head, *rows]]  # fmt: skip
    if SEQUENTIAL in how:
        lines.append(
            "  * given the features before it: the sum is exact, its shares follow the order"
        )
    if TOGETHER in how:
        lines.append("  † all its values together: they are not independent given the component")
    leading = plain(contributions.attrs["leading"], 24)
    what = "means over draws of logarithms, with their intervals" if with_draws else "logarithms"
    title = (
        f"What pulls it to component {leading}: log likelihood ratios ({what}; negative pulls away)"
    )
    return title, [line.rstrip() for line in lines]


def crossings(ties: tuple[Tie, ...] | None, leading: list[str]) -> Section | None:
    """What would change its mind."""
    if not ties or len(leading) < 2:
        return None
    # The ones that need the smallest step, as a share of the range, come first.
    known = [t for t in ties if t.at is not None]
    known.sort(key=lambda t: abs(float(t.at or 0.0) - t.value) / (t.high - t.low or 1.0))
    lines = []
    for tie in known[:MOST_FEATURES]:
        assert tie.at is not None
        line = f"  {plain(tie.feature, 24)} at {datum(tie.at)} instead of {datum(tie.value)}"
        if tie.above is not None:
            line += f" (where component {plain(tie.above, 24)} is more probable than both)"
        lines.append(line)
    if len(known) > MOST_FEATURES:
        lines.append(f"  and {len(known) - MOST_FEATURES} more features with a tie")
    none = [
        f"{plain(t.feature, 24)} ({datum(t.low)} to {datum(t.high)})" for t in ties if t.at is None
    ]
    if none:
        some = ", ".join(none[:MOST_FEATURES])
        more = f" and {len(none) - MOST_FEATURES} more" if len(none) > MOST_FEATURES else ""
        lines += wrap(
            f"no tie within the data's range: {some}{more}", WIDTH,
            initial_indent="  ", subsequent_indent="  ",
        )  # fmt: skip
    title = (
        f"What would change its mind: components {leading[0]} and {leading[1]} tie, one feature "
        "moved and the others held fixed"
    )
    return title, lines


# Beyond this distance a row is no neighbour: a third of a row's probability is in another
# component. Rows that are surely of different components are √2 apart, and a row that is shared in
# halves is 0.71 from those that are sure.
FAR = 0.5


def alike(neighbours: xr.DataArray | None) -> Section | None:
    """Rows shared among components most as this one is; those that are not left out."""
    if neighbours is None or not neighbours.size:
        return None
    wanted = neighbours.size
    neighbours = neighbours[neighbours["distance"].to_numpy() <= FAR]
    rows = [
        f"{plain(label, 24)} ({number(float(p), 3)})"
        for label, p in zip(neighbours["obs"].to_numpy(), neighbours.to_numpy(), strict=True)
    ]
    if len(rows) < wanted:
        rows.append("no other row is near" if rows else "no row is near")
    lines = wrap(", ".join(rows), WIDTH, initial_indent="  ", subsequent_indent="  ")
    title = (
        "Nearest neighbours: rows that the components share most as they share this one (in "
        "brackets the probability of one component with it)"
    )
    return title, lines


def _signed(value: float) -> str:
    text = log_number(float(value))
    return text if text.startswith(("−", "u")) else "+" + text
