r"""The two roads to p(z_i = k | x) against each other: Bayes' rule averaged, and z counted.

With z_t drawn afresh given θ_t, the count of {z_i = k} over T draws has mean Σ_t r_t and variance
V = Σ_t r_t (1 − r_t), r_t being the responsibility at draw t, whatever the chain's mixing. Both
follow from what `unmix.responsibilities` keeps, mean r̄ and standard deviation s of r_t over draws:

.. math:: V / T = \bar r (1 - \bar r) - s^2 (T - 1) / T .

So the band is exact and needs no draw again; it is narrower than the binomial r̄(1 − r̄)/T.
"""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter
from numpy.typing import NDArray

from unmix.arguments import whole
from unmix.errors import UnmixError
from unmix.show import colours
from unmix.show.canvas import blank, say, text, tidy

Array = NDArray[np.float64]

# Below ten expected turns of the coin a count is too lopsided to be read in standard deviations.
LEAST_VARIANCE = 10.0
BEYOND_TWO = 0.0455  # chance of a normal beyond ±2


def two_roads(
    responsibilities: xr.Dataset, draws: int | None = None, *, fresh: bool | None = None
) -> Figure:
    """Assignment frequency against averaged responsibility, one point for each row and component.

    On the left both as they are, each point with the range that counting may come from (two
    standard deviations either way of the averaged responsibility); on the right the difference in
    standard deviations, for the points whose count varies enough to be read so (variance at least
    10; the others are the business of `unmix.crosscheck`).

    Parameters
    ----------
    responsibilities
        The result of `unmix.responsibilities` for a fit that holds draws of z.
    draws
        Number of draws T; by default the result's own attribute ``samples``.
    fresh
        Whether z was drawn afresh at every θ; by default what the fit said of itself. If not,
        standard deviations are not known from the responsibilities, and only the differences are
        shown.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UnmixError
        If the responsibilities hold no assignment frequencies, or the number of draws is unknown.
    """
    averaged, frequency, variance, t = _roads(responsibilities, draws)
    if fresh is None:
        fresh = responsibilities.attrs.get("z_kind", "fresh") == "fresh"
    labels = [text(label, 24) for label in responsibilities["component"].values]
    figure = blank(10, 4.8)
    left, right = figure.subplots(1, 2)
    sd = np.sqrt(variance / t)  # of the frequency, over t draws
    if fresh:
        left.add_collection(_bars(averaged, 2 * sd))
    left.plot([0, 1], [0, 1], color=colours.INK, lw=0.8, zorder=1)
    judged = variance * t >= LEAST_VARIANCE
    for k, label in enumerate(labels):
        style = {"marker": colours.marker(k), "s": 22, "linewidths": 0.8, "zorder": 3}
        left.scatter(averaged[:, k], frequency[:, k], color=colours.colour(k), label=label, **style)
    left.set_xlabel("averaged responsibility (Bayes' rule)")
    left.set_ylabel("assignment frequency (z counted)")
    left.set_aspect("equal")
    left.legend(title="component", frameon=False, fontsize=10, loc="upper left")
    say(
        left,
        "Two roads to p(z = k | x)",
        f"{averaged.shape[0]:,} rows, {t:,} draws"
        + ("; bars: two standard deviations." if fresh else "."),
    )
    tidy(left)
    if fresh:
        _standardised(right, averaged, frequency, sd, judged)
    else:
        _differences(right, averaged, frequency)
    return figure


def calibration(
    responsibilities: xr.Dataset,
    draws: int | None = None,
    *,
    bins: int = 10,
    fresh: bool | None = None,
) -> Figure:
    """Reliability curve: of the rows said to be of a component with probability p, how many were.

    Rows are gathered into bins of equal width of averaged responsibility, for each component by
    itself, so that no row enters a bin twice. Above, the mean assignment frequency of each bin
    against its mean averaged responsibility; below, their difference, with two standard errors
    sqrt(Σ_i V_i) / (n T) over the bin's n rows.

    Parameters
    ----------
    responsibilities, draws, fresh
        As for `two_roads`. Without fresh z the errors are not known and are left out.
    bins
        Number of bins between 0 and 1.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UnmixError
        As for `two_roads`.
    """
    bins = whole("bins", bins)
    averaged, frequency, variance, t = _roads(responsibilities, draws)
    if fresh is None:
        fresh = responsibilities.attrs.get("z_kind", "fresh") == "fresh"
    labels = [text(label, 24) for label in responsibilities["component"].values]
    figure = blank(6.5, 6.5)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1.1])
    above.plot([0, 1], [0, 1], color=colours.INK, lw=0.8)
    below.axhline(0, color=colours.INK, lw=0.8)
    for k, label in enumerate(labels):
        expected, seen, error = _binned(averaged[:, k], frequency[:, k], variance[:, k], t, bins)
        style = {"color": colours.colour(k), "marker": colours.marker(k), "ms": 6}
        above.plot(expected, seen, ls=colours.line(k), label=label, **style)
        below.errorbar(
            expected,
            seen - expected,
            yerr=2 * error if fresh else None,
            ls="",
            capsize=3,
            **style,
        )
    above.set_ylabel("assignment frequency")
    above.legend(title="component", frameon=False, fontsize=10)
    more = f"{averaged.shape[0]:,} rows in {bins} bins of averaged responsibility, {t:,} draws"
    say(above, "Calibration: of rows given a probability, the share drawn there", more)
    below.set_ylabel("difference\n± 2 standard errors" if fresh else "difference")
    below.set_xlabel("averaged responsibility, mean of the bin")
    below.set_xlim(-0.03, 1.03)
    tidy(above)
    tidy(below)
    return figure


def _roads(responsibilities: xr.Dataset, draws: int | None) -> tuple[Array, Array, Array, int]:
    """Averaged responsibility, frequency and E_t[r(1−r)], all (obs, component); T."""
    if "assignment_frequency" not in responsibilities:
        raise UnmixError(
            "these responsibilities have no assignment_frequency to compare with: compute them "
            "from a fit that holds draws of z, as unmix.sample gives"
        )
    draws = responsibilities.attrs.get("samples") if draws is None else draws
    if draws is None:
        raise UnmixError("the number of draws is not known: give it with draws")
    averaged, frequency, sd = (
        responsibilities[name].transpose("obs", "component").to_numpy()
        for name in ("responsibility", "assignment_frequency", "sd")
    )
    t = whole("draws", draws)
    # `sd` is that of a sample, over T − 1. Rounding can leave −1e-17 where every draw agrees.
    variance = np.clip(averaged * (1 - averaged) - sd**2 * (t - 1) / t, 0, None)
    return averaged, frequency, variance, t


def _bars(averaged: Array, half: Array) -> LineCollection:
    """Where counting may come out, as upright segments around the diagonal."""
    x, h = averaged.ravel(), half.ravel()
    ends = np.stack([np.stack([x, x - h], axis=1), np.stack([x, x + h], axis=1)], axis=1)
    return LineCollection(list(ends), colors="#D0D0D0", linewidths=2.5, zorder=0)


def _standardised(
    axes: Axes, averaged: Array, frequency: Array, sd: Array, judged: NDArray[np.bool_]
) -> None:
    axes.axhspan(-2, 2, color="#EDEDED", zorder=0)
    axes.axhline(0, color=colours.INK, lw=0.8, zorder=1)
    beyond, largest = 0, 0.0
    for k in range(averaged.shape[1]):
        mine = judged[:, k]
        score = (frequency - averaged)[mine, k] / sd[mine, k]
        beyond += int((np.abs(score) > 2).sum())
        largest = max(largest, float(np.abs(score).max(initial=0.0)))
        axes.scatter(
            averaged[mine, k],
            score,
            s=22,
            marker=colours.marker(k),
            color=colours.colour(k),
            zorder=3,
        )
    limit = max(4.0, 1.1 * largest)
    n = int(judged.sum())
    axes.set_xlim(-0.05, 1.05)
    axes.set_ylim(-limit, limit)
    axes.set_xlabel("averaged responsibility (Bayes' rule)")
    axes.set_ylabel("difference, in standard deviations")
    say(
        axes,
        "Counted minus averaged",
        f"{beyond} of {n} beyond ±2 (by chance {BEYOND_TWO * n:.0f}); "
        f"{judged.size - n} hardly ever change: left out.",
        columns=72,
    )
    tidy(axes)


def _differences(axes: Axes, averaged: Array, frequency: Array) -> None:
    axes.axhline(0, color=colours.INK, lw=0.8, zorder=1)
    for k in range(averaged.shape[1]):
        axes.scatter(
            averaged[:, k],
            (frequency - averaged)[:, k],
            s=22,
            marker=colours.marker(k),
            color=colours.colour(k),
        )
    axes.set_xlabel("averaged responsibility")
    axes.set_ylabel("difference")
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))  # a power of ten hides words above
    say(axes, "Counted minus averaged", "z is not fresh in every draw: no simple error is known.")
    tidy(axes)


def _binned(
    averaged: Array, frequency: Array, variance: Array, t: int, bins: int
) -> tuple[Array, Array, Array]:
    """Of each bin that holds rows: mean responsibility, mean frequency, standard error."""
    which = np.minimum((averaged * bins).astype(int), bins - 1)
    n = np.bincount(which, minlength=bins)
    held = n > 0
    expected = np.bincount(which, averaged, bins)[held] / n[held]
    seen = np.bincount(which, frequency, bins)[held] / n[held]
    error = np.sqrt(np.bincount(which, variance, bins)[held] / t) / n[held]
    return expected, seen, error
