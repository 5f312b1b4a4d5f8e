"""The numbers of the table, some rows at a time.

On the fast road each piece of rows is taken through all draws by the compiled pass, so that memory
grows neither with the rows nor with the draws. On the general road the derived table is streamed
over draws, with all rows at once, as `unmix.responsibilities` does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from unmix.assign.alignment import stored_z
from unmix.assign.labels import Labels
from unmix.assign.responsibilities import responsibilities
from unmix.assign.table.replicates import from_components, from_model, why_not
from unmix.assign.table.tail import (
    FEWEST,
    Replicates,
    Simulate,
    replicate,
    replicates_each,
    spread_draws,
)
from unmix.derive import Derivation, bayes
from unmix.derive.other_rows import unlabelled
from unmix.derive.theta import Stack

# Tables that a model on the general road draws at least.
FEWEST_TABLES = 400


@dataclass(frozen=True)
class Piece:
    """Consecutive rows of the table.

    Attributes
    ----------
    rows
        Which.
    responsibility
        Averaged over draws, (row, component), matched components.
    bounds
        Lower and upper end of the interval, (2, row, component); None at one θ.
    overlap
        Mean entropy given θ, (row,), nats.
    tail
        (row,); None where rows cannot be replicated.
    """

    rows: slice
    responsibility: NDArray[np.float64]
    bounds: NDArray[np.float64] | None
    overlap: NDArray[np.float64]
    tail: NDArray[np.float64] | None


@dataclass(frozen=True)
class Road:
    """How a model's rows are taken through the draws.

    Attributes
    ----------
    derivation, stack
        The model on the rows meant, and θ.
    packed
        Log-weights and packed parameters of every draw on the fast road; None on the general one.
    """

    derivation: Derivation
    stack: Stack
    packed: tuple[NDArray, NDArray] | None

    @cached_property
    def plain(self) -> Derivation:
        """The same without labels: how probable a row's data are is asked without them."""
        return unlabelled(self.derivation)

    def simulate(self) -> Simulate | str:
        """What replicates rows at a draw, or why nothing does."""
        if self.packed is not None:
            return from_components(self.derivation.onepass, *self.packed)
        return why_not(self.plain) or from_model(self.plain, self.stack)

    def replicates(self, rate: float, rng: np.random.Generator) -> Replicates | str:
        """Replicated rows of the table at some draws, or why there are none."""
        simulate = self.simulate()
        if isinstance(simulate, str):
            return simulate
        draws = spread_draws(len(self.stack))
        fewest = FEWEST
        if self.packed is None:  # a table at a time, each as long as a call takes
            fewest = min(FEWEST, FEWEST_TABLES * self.derivation.n_obs)
        each = replicates_each(self.derivation.n_obs, len(draws), rate, fewest)
        try:
            return replicate(simulate, draws, each, rng)
        except NotImplementedError as error:  # pm.CustomDist without random=
            said = " ".join(str(error).split())[:120]
            return f"the model's likelihood cannot be drawn from ({said})"


def choose_road(derivation: Derivation, stack: Stack) -> Road:
    """The compiled pass where the model has one and θ keeps to its constraints."""
    onepass = derivation.onepass
    if onepass is not None:
        try:
            log_w, packed = onepass.recognised.pack_stack(stack.values)
        except (ValueError, AssertionError, ArithmeticError):
            packed = np.array(np.nan)
        # Where θ breaks a constraint the table is asked, which says which one.
        if not np.isnan(packed).any() and onepass.recognised.sums_to_one(log_w, packed):
            # Copies, which the kernel may write to: it is compiled anew for arrays that it may not.
            shape = (len(stack), *log_w.shape[1:]), (len(stack), *packed.shape[1:])
            return Road(
                derivation,
                stack,
                (
                    np.array(np.broadcast_to(log_w, shape[0]), order="C"),
                    np.array(np.broadcast_to(packed, shape[1]), order="C"),
                ),
            )
    return Road(derivation, stack, None)


def pieces(
    road: Road,
    labels: Labels,
    interval: float,
    replicates: Replicates | None,
    averaged: xr.Dataset | None,
) -> Iterator[Piece]:
    """All rows of the table, in pieces.

    Parameters
    ----------
    averaged
        On the general road, what `unmix.responsibilities` says.
    """
    draws = bool(road.stack.dims)
    quantiles = ((1 - interval) / 2, (1 + interval) / 2) if draws and labels.identified else ()
    at = np.zeros(0, dtype=np.int64) if replicates is None else replicates.draws
    if road.packed is not None:
        from unmix.onepass.draws import log_marginals, rows_over_draws, without_labels

        onepass = road.derivation.onepass
        assert onepass is not None
        plain = without_labels(onepass)
        log_w, packed = road.packed
        for some in rows_over_draws(onepass, *road.packed, labels.permutation, quantiles, at):
            log_marginal = some.log_marginal
            if plain is not onepass:
                # A label is no surprise: how probable a row's data are is asked without it.
                log_marginal = log_marginals(plain, log_w[at], packed[at], some.rows)
            tail = None if replicates is None else replicates.tail(log_marginal)
            yield Piece(some.rows, some.mean, some.bounds, some.overlap, tail)
        return
    assert averaged is not None
    r = averaged["responsibility"].to_numpy()
    bounds = np.stack([averaged["lower"], averaged["upper"]]) if draws else None
    overlap = averaged["overlap" if draws else "entropy"].to_numpy()
    tail = None
    if replicates is not None:
        rows = road.derivation.n_obs
        log_marginal = np.empty((len(at), rows))
        for block in road.derivation.blocks(len(at)):
            terms = road.plain.log_terms(road.stack[at[block]])
            log_marginal[block] = bayes.normalise(bayes.joint(*terms))[0]
        tail = replicates.tail(log_marginal)
    yield Piece(slice(0, len(r)), r, bounds, overlap, tail)


def averages(road: Road, model: Any, fit: Any, new: Any, interval: float) -> xr.Dataset | None:
    """`unmix.responsibilities` on the general road; None on the fast one, which streams."""
    return responsibilities(model, fit, new, interval=interval) if road.packed is None else None


def frequencies(fitted: Derivation, fit: Any, labels: Labels) -> NDArray[np.float64] | None:
    """Share of draws in which each row was drawn from each component, (obs, component).

    None where the fit holds no z. Draws are counted one by one: nothing of size draws × obs is
    made beside what the fit holds.
    """
    z = stored_z(fitted, fit)
    if z is None:
        return None
    counts = np.zeros((fitted.n_components, z.shape[1]), dtype=np.int32)
    for drawn, order in zip(z, labels.permutation, strict=True):
        for k, raw in enumerate(order):
            counts[k] += drawn == raw
    return counts.T / len(z)
