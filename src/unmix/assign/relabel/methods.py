"""The methods of relabelling on what was read from a fit: costs, the best permutations, words.

Each takes from the `Source` what it needs, or refuses by it, and hands back costs solved for every
draw, how clear each was, and what the draws were aligned to.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmix.assign.assignment import Solved, Symmetry, names_like, solve, swap_margin
from unmix.assign.relabel import databased, ecr, order, pra, reference
from unmix.assign.relabel.blocks import mean_responsibility
from unmix.assign.relabel.pivots import pivot_assignment, pivot_point
from unmix.assign.relabel.source import Source
from unmix.assign.relabel.stephens import stephens
from unmix.derive.components import Theta
from unmix.errors import UnmixError

Options = dict[str, Any]


class Found(NamedTuple):
    """What a method hands back.

    Attributes
    ----------
    solved
        Permutations and costs.
    margin
        Share of their agreement that the two closest components would lose by a swap, (sample,);
        None where the costs have no such share.
    unit, aligned_to
        In words.
    numbers
        Of the method, such as its iterations.
    """

    solved: Solved
    margin: NDArray[np.float64] | None
    unit: str
    aligned_to: str
    numbers: dict[str, float]


def _by_order(source: Source, symmetry: Symmetry, options: Options) -> Found:
    by = options["by"]
    name, index = (by, ()) if isinstance(by, str) else (by[0], tuple(by[1:]))
    axes = source.layout.components.axes
    if name not in axes or name not in source.theta:
        raise UnmixError(
            f"by is {by!r}: give a parameter with a component axis ({', '.join(axes) or 'none'})"
        )
    members = source.layout.components.members[name]
    values = np.moveaxis(source.theta[name], 1 + axes[name], 1)
    try:
        values = values[(slice(None), slice(None), *index)]
    except IndexError:
        raise UnmixError(f"by is {by!r}: {name!r} has no number {index} for a component") from None
    if values.ndim != 2:
        raise UnmixError(
            f"{name!r} has {int(np.prod(values.shape[2:]))} numbers for each component: say which "
            f"one orders them, as in by=({name!r}, {', '.join('0' * (values.ndim - 2))})"
        )
    missing = [k for block in symmetry if len(block) > 1 for k in block if k not in members]
    if missing:
        raise UnmixError(f"{name!r} has nothing for component {missing[0]}: order by another")
    full = np.zeros((len(values), source.k))
    full[:, list(members)] = values
    cost = np.zeros((len(values), source.k, source.k))
    for block in symmetry:  # ranks within a block, so that its costs do not depend on the others
        cost[:, np.array(block)[:, None], np.array(block)] = order.order_cost(full[:, block])
    return Found(solve(cost, symmetry), None, f"ranks times {name}", f"an increasing {name}", {})


def _by_ecr(source: Source, symmetry: Symmetry, options: Options) -> Found:
    z = source.z()
    pivot, words = pivot_assignment(source, z, options["pivot"])
    solved = solve(ecr.ecr_cost(z, pivot, source.k), symmetry)
    margin = _shared_margin(solved, symmetry)
    if options["pivot"] is None:
        solved = _like_stored(source, solved)
    return Found(solved, margin, "rows", words, {})


def _by_ecr_1(source: Source, symmetry: Symmetry, options: Options) -> Found:
    z = source.z()
    runs = [
        ecr.ecr_iterative_1(z, pivot, source.k, symmetry)
        for pivot in _pivots_to_begin_at(source, options)
    ]
    return _iterated(source, runs, symmetry, "the most frequent assignment")


def _by_ecr_2(source: Source, symmetry: Symmetry, options: Options) -> Found:
    z, blocks = source.z(), source.responsibility()
    runs = [
        ecr.ecr_iterative_2(z, blocks, pivot, source.k, symmetry)
        for pivot in _pivots_to_begin_at(source, options)
    ]
    return _iterated(source, runs, symmetry, "the component of the largest mean responsibility")


def _iterated(
    source: Source,
    runs: list[tuple[Solved, NDArray[np.int64], int]],
    symmetry: Symmetry,
    words: str,
) -> Found:
    solved, _, iterations = min(runs, key=lambda run: float(run[0].after.sum()))
    margin = _shared_margin(solved, symmetry)
    named = _like_stored(source, solved)
    return Found(named, margin, "rows", f"{words} of each row", {"iterations": iterations})


def _by_stephens(source: Source, symmetry: Symmetry, options: Options) -> Found:
    blocks = source.responsibility()
    runs = [
        stephens(blocks, source.samples, q, symmetry)
        for q in _responsibilities_to_begin_at(source, options)
    ]
    found = min(runs, key=lambda run: run.loss[-1])
    words = "the mean responsibilities"
    if not found.converged:
        words += f" (not settled after {len(found.loss)} iterations)"
    numbers = {"iterations": float(len(found.loss)), "loss": found.loss[-1]}
    return Found(_like_stored(source, found.solved), found.margin, "nats", words, numbers)


def _by_pra(source: Source, symmetry: Symmetry, options: Options) -> Found:
    point, words = pivot_point(source, options["pivot"])
    solved = solve(_parameter_cost(source, symmetry, point, pra.pra_cost), symmetry)
    if options["pivot"] is None:
        solved = _like_stored(source, solved)
    return Found(solved, None, "inner products, negative", words, {})


def _by_data(source: Source, symmetry: Symmetry, options: Options) -> Found:
    z, x = source.z(), source.data()
    x = x - x.mean(axis=0)
    summed = databased.moments(z, x, source.k)
    cost = databased.databased_cost(summed, *databased.centres(summed, x, symmetry))
    solved = solve(cost, symmetry)
    margin = swap_margin(cost, solved.permutation, symmetry)
    return Found(_like_stored(source, solved), margin, "squared spreads", "centres in the data", {})


def _by_reference(source: Source, symmetry: Symmetry, options: Options) -> Found:
    given = options["reference"]
    if source.at is not None:
        if given is None:
            sample = source.likeliest()
            table, words = source.of_draw(sample), f"the likeliest draw ({source.where(sample)})"
        else:
            table, words = source.at(given), "the given θ"
        blocks = source.responsibility()
        solved, margin = reference.match_responsibilities(blocks, table, symmetry)
        if given is None:
            solved = _like_stored(source, solved)
        return Found(solved, margin, "expected rows", words, {})
    point, words = pivot_point(source, given)
    cost = _parameter_cost(source, symmetry, point, reference.distance_cost)
    solved = solve(cost, symmetry)
    margin = swap_margin(cost, solved.permutation, symmetry)
    return Found(solved, margin, "squared standard deviations", words, {})


def _parameter_cost(
    source: Source,
    symmetry: Symmetry,
    point: Theta,
    cost_of: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Costs from parameters side by side, block by block of exchangeable components."""
    cost = np.zeros((source.samples, source.k, source.k))
    for block in symmetry:
        if len(block) == 1:
            continue
        values = source.layout.side_by_side(source.theta, block)
        if not values.shape[-1]:
            raise UnmixError(
                f"no parameter has numbers for all of the components {block}: take another method"
            )
        target = source.layout.side_by_side(point, block)[0]
        cost[:, np.array(block)[:, None], np.array(block)] = cost_of(values, target)
    return cost


def _pivots_to_begin_at(source: Source, options: Options) -> list[NDArray[np.int64]]:
    """Assignments (obs,) at which an iterative method begins; the best end is kept.

    With a model, the most likely one at the likeliest draw. Without, that of the first draw, and
    the most frequent one of the raw labels, where a chain that hardly switched is nearly right.
    """
    raw = options["start"] == "raw"
    if source.at is not None and not raw:
        return [np.argmax(source.of_draw(source.likeliest()), axis=-1)]
    z = source.z()
    most = np.argmax(ecr.frequencies(z, _raw_labels(source)), axis=1)
    return [most] if raw else [z[0].astype(np.int64), most]


def _responsibilities_to_begin_at(source: Source, options: Options) -> list[NDArray[np.float64]]:
    """Responsibilities (obs, component) at which Stephens' algorithm begins, likewise."""
    raw = options["start"] == "raw"
    if source.at is not None and not raw:
        return [_mixed(source.of_draw(source.likeliest()))]
    blocks = source.responsibility()
    mean = mean_responsibility(blocks, _raw_labels(source))
    return [mean] if raw else [_mixed(next(iter(blocks()))[1][0]), mean]


def _raw_labels(source: Source) -> NDArray[np.int64]:
    return np.tile(np.arange(source.k), (source.samples, 1))


def _mixed(r: NDArray[np.float64], share: float = 0.01) -> NDArray[np.float64]:
    """Responsibilities of one draw with a little of every component: no draw is impossible yet."""
    return (1 - share) * r + share / r.shape[-1]


def _like_stored(source: Source, solved: Solved) -> Solved:
    """The same with the names of the alignment that the fit holds, as other results use them."""
    if source.stored is None:
        return solved
    return solved.renamed(names_like(source.stored, solved.permutation))


def _shared_margin(solved: Solved, symmetry: Symmetry) -> NDArray[np.float64]:
    """Margins of the rows that draws share with a pivot, from those that differ."""
    k = solved.cost.shape[-1]
    # Over all names, the rows of a component differ K − 1 times and are shared once.
    shared = solved.cost.sum(axis=1, keepdims=True) / (k - 1) - solved.cost
    return swap_margin(shared, solved.permutation, symmetry)


METHODS: dict[str, Callable[[Source, Symmetry, Options], Found]] = {
    "ecr": _by_ecr,
    "ecr-iterative-1": _by_ecr_1,
    "ecr-iterative-2": _by_ecr_2,
    "stephens": _by_stephens,
    "order": _by_order,
    "pra": _by_pra,
    "data": _by_data,
    "reference": _by_reference,
}
