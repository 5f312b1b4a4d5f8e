"""The (component, obs) table of log-densities, derived from the model's own graph.

Every element-wise term of the log-density that depends on ``z`` is evaluated at all K values of
``z`` at once: ``z`` is replaced by 0, …, K−1 along a new leading axis and PyTensor broadcasts, so
there is no loop over components or observations. Each entry is then added to the observation it
follows (`unmix.derive.follow`):

    log p(x_i | z_i = k, θ) = Σ_entries e that follow z_i  term_e(z = k, θ)
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.replace import vectorize_graph
from pytensor.graph.traversal import ancestors
from pytensor.tensor.subtensor import AdvancedSubtensor
from pytensor.tensor.variable import TensorVariable

from unmix.derive.by_rows import ByRows, find_rows
from unmix.derive.compiling import compile_table
from unmix.derive.follow import Evaluate, follow, in_step, mixes
from unmix.derive.opened import Opened
from unmix.derive.solves import solve_rows_together
from unmix.errors import UnmixError

Theta = Mapping[str, NDArray]


@dataclass(frozen=True)
class TableGraph:
    """Graphs of the two tables as functions of one point of constrained θ.

    Attributes
    ----------
    log_prior
        Shape (component, obs), or (component, 1) where every observation has the same prior.
    log_likelihood
        Shape (component, obs).
    index
        For each term, the flat element of ``z`` that each of its entries follows.
    z_shape
        Shape of ``z``; ``obs`` is ``z`` flattened in C order.
    n_components
        K.
    by_rows
        The same for any rows, where the graph proves that rows never meet; else None.
    """

    log_prior: TensorVariable
    log_likelihood: TensorVariable
    index: dict[str, NDArray[np.integer]]
    z_shape: tuple[int, ...]
    n_components: int
    by_rows: ByRows | None = None


def count_components(opened: Opened, data: dict[Variable, Variable], theta: Theta) -> int:
    """K: the length of the last axis of p(z = k | θ)."""
    length = (
        vectorize_graph(opened.log_prior.shape[-1], data) if data else (opened.log_prior.shape[-1])
    )
    return int(compile_table(opened.theta.values(), length)(*theta.values()))


def build_table(
    opened: Opened,
    data: dict[Variable, Variable],
    theta: Theta,
    z_shape: tuple[int, ...],
) -> TableGraph:
    """Build the table's graph: proved from the model's, or else measured.

    What is measured is checked, entry by entry, against the original terms.

    Parameters
    ----------
    opened
        The opened model.
    data
        Replacements from `freeze_data`.
    theta
        A feasible point of every free variable, for the measurements.
    z_shape
        Shape of ``z`` on these data.

    Raises
    ------
    UnmixError
        If a term mixes assignments or does not follow ``z`` entry by entry.
    """
    k = count_components(opened, data, theta)
    by_rows = find_rows(opened, data, k, z_shape)
    if by_rows is not None:
        return proved_table(opened, data, by_rows, theta)
    terms = opened.assignment_terms
    n = int(np.prod(z_shape))
    inputs = list(opened.theta.values())
    point = [theta[name] for name in opened.theta]
    z_full = pt.TensorType(opened.z.type.dtype, z_shape)(opened.latent.name)
    originals = vectorize_graph(list(terms.values()), {opened.z: z_full, **data}) if terms else []
    evaluate = compile_table([*inputs, z_full], originals)

    def original(i: int) -> Evaluate:
        """The i-th term as a function of ``z``."""
        return lambda z: evaluate(*point, z.astype(opened.z.type.dtype))[i]

    log_prior = vectorize_graph(opened.log_prior, data) if data else opened.log_prior
    log_prior = _prior_table(log_prior, k, z_shape)
    rng = np.random.default_rng(0)
    # Neighbours differ in the first two, so that few rows are no excuse for all z being equal.
    numbered = np.arange(n).reshape(z_shape)
    trials = [numbered % k, (numbered + 1) % k]
    trials += [rng.integers(k, size=z_shape) for _ in range(4)]
    failure: Exception | None = None
    # Broadcasting z as (K, 1, …) is the cheap way; graphs that look into z by position
    # (mu[z][g], boolean masks) need it at full length.
    for lengths in ((1,) * len(z_shape), z_shape):
        every_k = np.broadcast_to(np.arange(k).reshape((k,) + (1,) * len(z_shape)), (k, *lengths))
        every_k = np.ascontiguousarray(every_k, dtype=opened.z.type.dtype)
        # Tried as an input: PyTensor would evaluate a constant while it compiles, and print where
        # that fails.
        z_every = pt.TensorType(opened.z.type.dtype, every_k.shape)(opened.latent.name)
        try:
            tried = _expanded(terms, {opened.z: z_every, **data})
            tables = compile_table([*inputs, z_every], tried, trial=True)(*point, every_k)
            expanded = _expanded(terms, {opened.z: pt.constant(every_k), **data})
            index: dict[str, NDArray[np.integer]] = {}
            log_likelihood = pt.zeros((k, n))
            shapes = [np.shape(v) for v in evaluate(*point, trials[0])]
            for i, name in enumerate(terms):
                full = np.broadcast_to(tables[i], (k, *shapes[i]))
                names = {"term": name, "latent": opened.latent.name}
                index[name] = follow(
                    original(i), full, z_shape, **names, read=_rows_read(terms[name], opened.z)
                )
                _require_gathered(original(i), full, index[name], trials, **names)
                graph = pt.broadcast_to(expanded[i], (k, *shapes[i]))
                log_likelihood = log_likelihood + _gather(graph, index[name], z_shape)
        except UnmixError as error:
            failure = error
        except (IndexError, ValueError, TypeError, AssertionError) as error:
            failure = failure or error
        else:
            return TableGraph(log_prior, log_likelihood, index, z_shape, k)
    if isinstance(failure, UnmixError):
        raise failure
    raise UnmixError(
        f"the likelihood of {', '.join(map(repr, terms))} cannot be evaluated at every value of "
        f"{opened.latent.name!r}: {failure}"
    ) from failure


def _rows_read(term: Variable, z: Variable) -> list[NDArray]:
    """Rows of ``z`` that a term reads, as in ``z[rows]`` with rows that are known."""
    return [
        np.asarray(v.owner.inputs[1].data)
        for v in ancestors([term])
        if v.owner is not None
        and isinstance(v.owner.op, AdvancedSubtensor)
        and v.owner.inputs[0] is z
        and len(v.owner.inputs) == 2
        and isinstance(v.owner.inputs[1], Constant)
    ]


def _expanded(
    terms: Mapping[str, TensorVariable], given: Mapping[Variable, Variable]
) -> list[TensorVariable]:
    """The terms with variables replaced, batched."""
    return solve_rows_together(vectorize_graph(list(terms.values()), given)) if terms else []


def proved_table(
    opened: Opened, data: dict[Variable, Variable], by_rows: ByRows, theta: Theta
) -> TableGraph:
    """The table of a model whose rows never meet: entries follow ``z`` by position.

    Parameters
    ----------
    opened
        The opened model.
    data
        Replacements from `freeze_data`.
    by_rows
        The table for any rows, with those of ``data``.
    theta
        A feasible point of every free variable.
    """
    n, k = by_rows.n_obs, by_rows.n_components
    frozen: dict[Variable, Variable] = {
        opened.observed[name]: data[opened.observed[name]] for name in by_rows.data
    }
    frozen |= {variable: pt.constant(values) for variable, values in by_rows.beside.items()}
    log_likelihood = vectorize_graph(by_rows.log_likelihood, frozen)
    positions = np.arange(n, dtype=np.min_scalar_type(n))
    index: dict[str, NDArray[np.integer]] = {}
    for name, one in by_rows.elements(theta, np.zeros(1), slice(1)).items():
        if name != opened.latent.name:
            straight = positions.reshape((n,) + (1,) * (one.ndim - 1))
            index[name] = np.broadcast_to(straight, (n, *one.shape[1:]))
    log_likelihood = pt.specify_shape(log_likelihood, (k, n))
    return TableGraph(by_rows.log_prior, log_likelihood, index, (n,), k, by_rows)


def _prior_table(log_prior: TensorVariable, k: int, z_shape: tuple[int, ...]) -> TensorVariable:
    """Lay log p(z_i = k) out as (component, obs), or (component, 1) where it is shared."""
    leading = log_prior.type.shape[:-1]
    if all(length == 1 for length in leading):
        return log_prior.reshape((k, 1))
    full = pt.broadcast_to(log_prior, (*z_shape, k))
    return full.reshape((int(np.prod(z_shape)), k)).T


def _gather(
    table: TensorVariable, index: NDArray[np.integer], z_shape: tuple[int, ...]
) -> TensorVariable:
    """Add the entries of a (component, *S) table onto the observations they follow."""
    k, n = table.shape[0], int(np.prod(z_shape))
    if in_step(index, z_shape):
        if index.size == n:
            return table.reshape((k, n))
        return table.reshape((k, n, index.size // n)).sum(axis=-1)
    return pt.zeros((k, n))[:, index.ravel()].inc(table.reshape((k, index.size)))


def _require_gathered(
    original: Evaluate,
    full: NDArray[np.float64],
    index: NDArray[np.integer],
    trials: list[NDArray[np.int64]],
    *,
    term: str,
    latent: str,
) -> None:
    """At random z, every entry of the original term must be the table's at its own z_i."""
    for z in trials:
        actual = np.asarray(original(z), dtype=np.float64)
        k_of_entry = z.ravel()[index]
        expected = np.take_along_axis(full, k_of_entry[None], axis=0)[0]
        # The same arithmetic on the same numbers, up to the order of sums inside linear algebra.
        tolerance = 1e-9 * (1.0 + np.abs(np.where(np.isfinite(expected), expected, 0.0)))
        with np.errstate(invalid="ignore"):
            agree = (actual == expected) | (np.abs(actual - expected) <= tolerance)
        if not agree.all():
            raise mixes(term, latent)
