"""The table, and the model's own terms, for any rows: nothing of size obs × component is built.

Only where rows are proved never to meet (`unmix.derive.rowwise`). There the data are inputs of the
compiled functions, not constants, and a window of rows is a model of its own with the same θ.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.graph.basic import Variable
from pytensor.graph.replace import clone_replace, vectorize_graph
from pytensor.graph.traversal import ancestors
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.type import TensorType
from pytensor.tensor.variable import TensorConstant, TensorVariable

from unmix.derive import bayes
from unmix.derive.compiling import compile_table
from unmix.derive.opened import Opened, without_length
from unmix.derive.rowwise import proved
from unmix.derive.solves import solve_rows_together
from unmix.errors import UnmixError

Theta = Mapping[str, NDArray]
Rows = slice | NDArray

# Numbers, rows × components × columns, in one window: a handful of temporaries of 2 MiB each.
WINDOW = 2**18
# Measurements that need no more than typical rows look at this many, and at the extreme ones.
SAMPLE = 4096
# Rows at which the table is verified where each takes some microseconds of Python.
VERIFIED = 2**15


def broken(error: Exception, touched: tuple[str, ...]) -> UnmixError:
    """The refusal for a θ at which the likelihood cannot be evaluated."""
    said = str(error).strip().splitlines()[0]
    return UnmixError(
        f"θ breaks a constraint of the likelihood ({said}): check the values of "
        f"{', '.join(touched)}"
    )


def require_sum_of_one(log_prior: NDArray, latent: str, *, axis: int) -> None:
    """Refuse weights that are none.

    Raises
    ------
    UnmixError
        With the first sum that is not one.
    """
    with np.errstate(over="ignore"):
        total = np.exp(log_prior).sum(axis=axis)
    wrong = ~(np.abs(total - 1.0) <= 1e-6)
    if np.any(wrong):
        raise UnmixError(
            f"the prior weights of {latent!r} sum to {total[wrong].flat[0]:.6g} and not to one: "
            "divide them by their sum"
        )


@dataclass(frozen=True, eq=False)
class ByRows:
    """Functions of any rows of the data.

    Attributes
    ----------
    opened
        The opened model.
    data
        Observed values by name, each with one entry or slice for each row.
    beside
        Other arrays with one entry or slice for each row (labels, covariates, measurement errors),
        by the variable that stands for each in the graphs.
    log_prior, log_likelihood
        Graphs of θ, (component, 1), and of θ and the observed value variables, (component, row).
    names
        Terms that depend on ``z``, its own prior first.
    terms
        Those terms, compiled: from θ, z and observed values to entries (row, …).
    """

    opened: Opened
    data: dict[str, NDArray]
    beside: dict[TensorVariable, NDArray]
    log_prior: TensorVariable
    log_likelihood: TensorVariable
    names: tuple[str, ...]
    terms: Callable[..., Any]

    @property
    def n_obs(self) -> int:
        """Number of rows."""
        return len(self.arrays[0])

    @property
    def arrays(self) -> list[NDArray]:
        """All that has one entry or slice for each row."""
        return [*self.data.values(), *self.beside.values()]

    @property
    def n_components(self) -> int:
        """K."""
        return int(self.log_prior.type.shape[0] or 1)

    @cached_property
    def _touched(self) -> dict[str, TensorVariable]:
        above = set(ancestors([self.log_prior, self.log_likelihood]))
        return {name: value for name, value in self.opened.theta.items() if value in above}

    @cached_property
    def _tables(self) -> Callable[..., Any]:
        observed = [self.opened.observed[n] for n in self.data]
        inputs = [*self._touched.values(), *observed, *self.beside]
        return compile_table(inputs, [self.log_prior, self.log_likelihood])

    def tables(self, theta: Theta, rows: Rows) -> tuple[NDArray, NDArray]:
        """Log prior (component, 1) and log likelihood (component, row) at one θ.

        Raises
        ------
        UnmixError
            If θ breaks a constraint of the likelihood.
        """
        point = [np.asarray(theta[n], v.type.dtype) for n, v in self._touched.items()]
        values = [x[rows] for x in self.arrays]
        try:
            log_prior, log_likelihood = self._tables(*point, *values)
        except (ValueError, AssertionError, ArithmeticError) as error:
            raise broken(error, tuple(self._touched)) from error
        return log_prior, log_likelihood

    def joint(self, theta: Theta, rows: Rows) -> NDArray:
        """Log p(z_i = k, x_i | θ) of some rows at one θ, (row, component).

        Raises
        ------
        UnmixError
            If θ breaks a constraint of the likelihood, or the weights do not sum to one.
        """
        log_prior, log_likelihood = self.tables(theta, rows)
        require_sum_of_one(log_prior, self.opened.latent.name, axis=0)
        return bayes.joint(log_prior, log_likelihood).T

    def elements(self, theta: Theta, z: NDArray, rows: Rows) -> dict[str, NDArray]:
        """Every term that depends on ``z``, as PyMC computes it, for some rows; z (row,)."""
        point = [np.asarray(theta[n], v.type.dtype) for n, v in self.opened.theta.items()]
        z = np.asarray(z, dtype=self.opened.z.type.dtype)
        values = self.terms(*point, z, *(x[rows] for x in self.arrays))
        return dict(zip(self.names, values, strict=True))

    def windows(self) -> Iterator[slice]:
        """All rows, a window at a time."""
        columns = sum(x[0].size for x in self.arrays)
        step = max(1024, WINDOW // (self.n_components * columns))
        for start in range(0, self.n_obs, step):
            yield slice(start, min(start + step, self.n_obs))

    @cached_property
    def one_by_one(self) -> bool:
        """Whether PyMC's own terms solve a system for each row, a call of Python's each."""
        nodes = self.terms.maker.fgraph.apply_nodes  # type: ignore[attr-defined]
        return any(isinstance(node.op, Blockwise) for node in nodes)

    def verified(self, rng: np.random.Generator) -> Iterator[Rows]:
        """Rows at which table and terms are compared: all; or, one by one, a sample if many."""
        if self.one_by_one and self.n_obs > VERIFIED:
            yield self.sample(rng, VERIFIED)
        else:
            yield from self.windows()

    def sample(self, rng: np.random.Generator, size: int = SAMPLE) -> NDArray[np.int64]:
        """Rows to look at: all where few; else random ones, and the extreme ones of each column."""
        n = self.n_obs
        if n <= size:
            return np.arange(n)
        found = [rng.integers(n, size=size), np.array([0, n - 1])]
        for x in self.arrays:
            for column in x.reshape(n, -1).T[:256]:
                found.append(np.array([column.argmin(), column.argmax()]))
        return np.unique(np.concatenate(found))

    def on(self, rows: Rows) -> "ByRows":
        """The same functions of some of the rows."""
        beside = {variable: x[rows] for variable, x in self.beside.items()}
        return self.of({name: x[rows] for name, x in self.data.items()}, beside)

    def of(
        self, data: dict[str, NDArray], beside: Mapping[Variable, NDArray] | None = None
    ) -> "ByRows":
        """The same functions of other rows: data are their inputs, so nothing is compiled anew."""
        other = replace(self, data=data, beside=dict(beside or {}))
        other.__dict__.update(_touched=self._touched, _tables=self._tables)
        return other


def find_rows(
    opened: Opened, data: dict[Variable, Variable], k: int, z_shape: tuple[int, ...]
) -> ByRows | None:
    """The functions, or None where rows are not proved to stay apart."""
    terms = opened.assignment_terms
    if len(z_shape) != 1 or not terms or any(n != 1 for n in opened.log_prior.type.shape[:-1]):
        return None
    everywhere = set(ancestors(list(terms.values())))
    read = {name: value for name, value in opened.observed.items() if value in everywhere}
    values: Any = {name: data[value] for name, value in read.items()}
    arrays = {name: np.asarray(value.data) for name, value in values.items()}
    if any(x.ndim == 0 or len(x) != z_shape[0] for x in arrays.values()):
        return None
    held = {v: c for v, c in data.items() if v not in set(read.values())}
    z = TensorType(opened.z.type.dtype, (None,))(opened.latent.name)
    z_every = pt.constant(np.arange(k, dtype=opened.z.type.dtype)[:, None])
    own = without_length(opened.terms[opened.latent.name])
    parts = [own, *terms.values()]
    try:
        originals = vectorize_graph(parts, {opened.z: z, **held})
        expanded = vectorize_graph(list(terms.values()), {opened.z: z_every, **held})
    except (IndexError, ValueError, TypeError, AssertionError):
        return None  # a graph that looks into z by position, at its full length
    found = _proved(opened, read, z, originals, expanded, {})
    if found is None:
        # Once more with constants of that length as data: labels, covariates.
        beside, freed = _of_rows(originals, [*read.values()], z_shape[0])
        if not freed:
            return None
        originals, expanded = _freed(originals, freed), _freed(expanded, freed)
        found = _proved(opened, read, z, originals, expanded, beside)
    else:
        beside = {}
    if found is None:
        return None
    compiled, expanded = found
    summed = [g.sum(axis=tuple(range(2, g.type.ndim))) if g.type.ndim > 2 else g for g in expanded]
    log_likelihood = pt.add(*summed) if len(summed) > 1 else summed[0]
    log_prior = vectorize_graph(opened.log_prior, held) if held else opened.log_prior
    names = (opened.latent.name, *terms)
    log_prior = log_prior.reshape((k, 1))
    return ByRows(opened, arrays, beside, log_prior, log_likelihood, names, compiled)


def _proved(
    opened: Opened,
    read: dict[str, TensorVariable],
    z: TensorVariable,
    originals: list[TensorVariable],
    expanded: list[TensorVariable],
    beside: dict[TensorVariable, NDArray],
) -> tuple[Callable[..., Any], list[TensorVariable]] | None:
    """The terms compiled and their tables, where rows are proved to stay apart."""
    sources = [*read.values(), *beside]
    if any(not set(sources) & set(ancestors([term])) for term in originals[1:]):
        return None
    try:
        compiled = compile_table([*opened.theta.values(), z, *sources], originals)
        if not proved(compiled, 1 + len(sources)):
            return None
        return compiled, solve_rows_together(expanded)
    except (IndexError, ValueError, TypeError, AssertionError):
        return None


def _of_rows(
    graphs: list[TensorVariable], read: list[TensorVariable], n: int
) -> tuple[dict[TensorVariable, NDArray], dict[Variable, Variable]]:
    """Constants with one entry for each of n rows, and variables in their place.

    Whether they belong to the rows, or have that length by accident, the proof will tell: it holds
    for any arrays in their place.
    """
    constants = [
        v
        for v in ancestors(graphs)
        if isinstance(v, TensorConstant) and v.type.ndim and len(v.data) == n > 1
    ]
    beside: dict[TensorVariable, NDArray] = {}
    freed: dict[Variable, Variable] = {}
    numbers = [c for c in constants if _is_range(c.data)]
    for i, constant in enumerate(c for c in constants if not _is_range(c.data)):
        kind = TensorType(constant.type.dtype, (None, *constant.type.shape[1:]))
        freed[constant] = kind(f"beside_{i}")
        beside[freed[constant]] = constant.data
    length = [*read, *beside]
    if length:
        freed |= {c: pt.arange(length[0].shape[0], dtype=c.type.dtype) for c in numbers}
    return beside, freed


def _is_range(values: NDArray) -> bool:
    whole = values.ndim == 1 and values.dtype.kind in "iu"
    return whole and np.array_equal(values, np.arange(len(values)))


def _freed(graphs: list[TensorVariable], freed: dict[Variable, Variable]) -> list[TensorVariable]:
    """Graphs with variables in place of constants."""
    return list(clone_replace(graphs, freed, rebuild_strict=False))
