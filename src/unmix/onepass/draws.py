"""Rows summed up over all draws of θ, some rows at a time: memory grows with neither.

`unmix.onepass.OnePass` answers for all rows at one θ. A table with one line a row, averaged over
draws, is asked the other way round: for these rows, at every θ.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.derive import bayes
from unmix.onepass import compiled
from unmix.onepass.chunks import Chunk, for_kernel
from unmix.onepass.onepass import OnePass
from unmix.onepass.threads import available_cores, pool

# Numbers kept for quantiles at a time, in single precision: 2^24 are 64 MiB.
KEPT = 2**24
# Rows at a time where no draws are kept.
ROWS = 2**16


@dataclass(frozen=True)
class SomeRows:
    """Consecutive rows, summed up over draws.

    Attributes
    ----------
    rows
        Which.
    mean
        Averaged responsibilities, (row, component), matched components.
    bounds
        The quantiles asked for, (quantile, row, component); None where none were.
    overlap
        Mean entropy of a row's assignment given θ, nats, (row,).
    log_marginal
        log p(x_i | θ_s) at the draws asked for, (draw, row).
    """

    rows: slice
    mean: NDArray[np.float64]
    bounds: NDArray[np.float64] | None
    overlap: NDArray[np.float64]
    log_marginal: NDArray[np.float64]


def rows_over_draws(
    onepass: OnePass,
    log_w: NDArray,
    packed: NDArray,
    order: NDArray[np.int64],
    quantiles: tuple[float, ...],
    at: NDArray[np.int64],
) -> Iterator[SomeRows]:
    """Every row summed up over all draws, in pieces of consecutive rows.

    Parameters
    ----------
    onepass
        The pass over the rows meant.
    log_w, packed
        Of every draw, (sample, component) and (sample, component, parameter).
    order
        Raw component of each matched one, (sample, component).
    quantiles
        Of a row's responsibilities over draws; none where empty.
    at
        Draws whose log marginals are wanted.
    """
    samples, k = log_w.shape
    log_w, packed = for_kernel(log_w), for_kernel(packed)
    order = np.require(order, np.int64, ["C", "W"])
    slot = np.full(samples, -1, dtype=np.int64)
    slot[at] = np.arange(len(at))
    cells = k * samples if quantiles else 1
    step = max(1, min(ROWS, KEPT // cells)) if quantiles else ROWS
    threads = onepass.threads or available_cores()
    kernel = compiled.draws_of_rows(onepass.families)
    offset = 0
    for chunk in onepass.chunks:
        for begin in range(0, len(chunk), step):
            end = min(begin + step, len(chunk))
            some = SomeRows(
                slice(offset + begin, offset + end),
                np.empty((end - begin, k)),
                np.empty((len(quantiles), end - begin, k)) if quantiles else None,
                np.empty(end - begin),
                np.empty((len(at), end - begin)),
            )
            share = -(-(end - begin) // threads)
            parts = [(b, min(b + share, end)) for b in range(begin, end, max(share, 1))]

            def do(part: tuple[int, int], some: SomeRows = some, chunk: Any = chunk,
                   begin: int = begin) -> None:  # fmt: skip
                b, e = part
                own = slice(b - begin, e - begin)
                kept = np.empty((e - b if quantiles else 0, k, samples), dtype=np.float32)
                log_marginal = np.empty((len(at), e - b))
                kernel(
                    onepass.terms, chunk.x, chunk.centre, log_w, packed, order, slot, b, e,
                    some.mean[own], some.overlap[own], kept, log_marginal,
                )  # fmt: skip
                some.log_marginal[:, own] = log_marginal
                if some.bounds is not None:
                    some.bounds[:, own] = _quantiles(kept, quantiles)

            if len(parts) == 1:
                do(parts[0])
            else:
                list(pool(threads).map(do, parts))
            base = onepass.recognised.log_bases(chunk)
            if base is not None:
                some.log_marginal[:] += base[begin:end]
            yield some
        offset += len(chunk)


def without_labels(onepass: OnePass) -> OnePass:
    """The pass over the same rows as if nothing were known of their components."""
    terms = tuple(t for t in onepass.recognised.terms if not t.family.about_z)
    if len(terms) == len(onepass.recognised.terms):
        return onepass
    last = terms[-1]  # labels come after all data
    d, p = last.columns.stop, last.parameters.stop
    recognised = replace(onepass.recognised, terms=terms, packed=onepass.recognised.packed[:, :p])
    chunks = [Chunk(c.x[:d], c.centre[:d], c.weight) for c in onepass.chunks]
    return OnePass(recognised, chunks, threads=onepass.threads)


def log_marginals(
    onepass: OnePass, log_w: NDArray, packed: NDArray, rows: slice
) -> NDArray[np.float64]:
    """Log p(x_i | θ_s) of some rows of the first chunk at draws, (sample, row)."""
    some, k = np.arange(rows.start, rows.stop), log_w.shape[1]
    end = int(onepass.terms[-1, 3] + onepass.terms[-1, 4])
    found = np.empty((len(log_w), len(some)))
    for s in range(len(log_w)):
        joint = onepass.joint_at(some, log_w[s], packed[s, :, :end])
        found[s] = bayes.normalise(joint.reshape(len(some), k))[0]
    return found


def _quantiles(kept: NDArray[np.float32], quantiles: tuple[float, ...]) -> NDArray[np.float64]:
    """Quantiles along the last axis, linear between order statistics; ``kept`` is reordered."""
    samples = kept.shape[-1]
    places = [q * (samples - 1) for q in quantiles]
    below = [int(p) for p in places]
    above = [min(b + 1, samples - 1) for b in below]
    kept.partition(sorted({*below, *above}), axis=-1)
    found = np.empty((len(quantiles), *kept.shape[:-1]))
    for i, (p, b, a) in enumerate(zip(places, below, above, strict=True)):
        low = kept[..., b].astype(np.float64)
        found[i] = low + (p - b) * (kept[..., a] - low)
    return found
