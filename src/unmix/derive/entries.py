"""The likelihood entry by entry, as a function of θ and of the data.

The table (`unmix.derive.table`) has the model's own data in it and every row's entries added up.
Two questions need it opened once more: what each entry adds to a row's log-density, and what the
table would be with other data of the same kind, such as replicated ones or one cell moved. The
same graphs are compiled here with the data as inputs, and held to the table before they are used.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.graph.replace import vectorize_graph
from pytensor.tensor.type import TensorType

from unmix.derive.compiling import compile_table
from unmix.derive.follow import in_step
from unmix.derive.solves import solve_rows_together
from unmix.derive.table import _prior_table
from unmix.errors import UnmixError

if TYPE_CHECKING:
    from unmix.derive.derivation import Derivation

Data = Mapping[str, NDArray]
# Both evaluate the same graphs; sums of a row's entries may be taken in another order.
TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Entries:
    """Log-density of every entry of the likelihood, given θ and data.

    Attributes
    ----------
    derivation
        The derived model.
    data
        Its own data by name: observed variables of the likelihood and the ``pm.Data`` beside them.
    """

    derivation: "Derivation"
    data: dict[str, NDArray]
    evaluate: Callable[..., Any]

    def __call__(
        self, theta: Mapping[str, NDArray], data: Data | None = None
    ) -> tuple[NDArray, dict[str, NDArray]]:
        """Prior and likelihood of draws, entry by entry.

        Parameters
        ----------
        theta
            Arrays (sample, …) of at least the touched parameters.
        data
            In place of the model's own, by name. Another number of rows is possible where rows
            stand one by one and nothing else in the model has one entry for each.

        Returns
        -------
        log_prior
            (sample, component, obs), or (sample, component, 1).
        log_likelihood
            By observed variable, (sample, component, …) with the variable's own shape last.

        Raises
        ------
        UnmixError
            If the model cannot be evaluated on that number of rows.
        """
        derivation, table = self.derivation, self.derivation.table
        values = [np.asarray(theta[name], float) for name in derivation.touched]
        samples, k = len(values[0]) if values else 1, table.n_components
        given = {**self.data, **(data or {})}
        rows = None
        for name in table.index:
            if data is not None and name in data:
                rows = len(given[name])
        same = rows is None or rows == len(self.data[next(iter(table.index))])
        try:
            log_prior, *terms = self.evaluate(*values, *given.values())
            log_prior = np.broadcast_to(log_prior, (samples, k, np.shape(log_prior)[-1]))
            found = {}
            for (name, index), term in zip(table.index.items(), terms, strict=True):
                shape = index.shape if same else (rows, *index.shape[1:])
                found[name] = np.broadcast_to(term, (samples, k, *shape))
            if rows is not None and not same and log_prior.shape[-1] not in (1, rows):
                raise ValueError("the weights have the old rows")
        except (ValueError, IndexError, TypeError, AssertionError) as error:
            raise UnmixError(
                f"the model cannot be evaluated on {rows} rows, because it holds other arrays with "
                f"one entry for each of its {derivation.n_obs} rows: declare them as pm.Data"
            ) from error
        return log_prior, found

    def log_terms(
        self, theta: Mapping[str, NDArray], data: Data | None = None
    ) -> tuple[NDArray, NDArray]:
        """Prior and likelihood laid out for Bayes' rule, as `Derivation.log_terms`."""
        log_prior, terms = self(theta, data)
        table = self.derivation.table
        total: Any = 0.0
        for name, term in terms.items():
            samples, k = term.shape[:2]
            index = table.index[name]
            if in_step(index, table.z_shape):
                z_ndim = len(table.z_shape)
                n = int(np.prod(term.shape[2 : 2 + z_ndim]))
                total = total + term.reshape(samples, k, n, -1).sum(axis=-1)
            else:
                # Entries of one row lie apart: (entry, sample, component), added up by row.
                here = np.zeros((self.derivation.n_obs, samples, k))
                np.add.at(here, index.ravel(), np.moveaxis(term.reshape(samples, k, -1), -1, 0))
                here = np.moveaxis(here, 0, -1)
                total = total + here
        return np.swapaxes(log_prior, -1, -2), np.swapaxes(total, -1, -2)


def open_entries(derivation: "Derivation") -> Entries:
    """Compile the likelihood with its data as inputs, and hold it to the table.

    Raises
    ------
    UnmixError
        If it differs from the table: a defect of unmix, never of the model.
    """
    opened, table = derivation.opened, derivation.table
    terms = {name: opened.terms[name] for name in table.index}
    names = [n for n in (*opened.observed, *opened.shared_data) if n not in opened.theta]
    variables = {**opened.shared_data, **opened.observed}
    own = {n: np.asarray(derivation.data[variables[n]].eval()) for n in names}
    inputs = {
        n: TensorType(variables[n].type.dtype, (None,) * variables[n].type.ndim)(f"{n}_given")
        for n in names
    }
    given = {variables[n]: inputs[n] for n in names}
    theta = [opened.theta[name] for name in derivation.touched]
    batched = [TensorType(v.type.dtype, (None, *v.type.shape))(v.name) for v in theta]
    k, z_shape = table.n_components, table.z_shape
    prior = vectorize_graph(opened.log_prior, given) if given else opened.log_prior
    if all(length == 1 for length in opened.log_prior.type.shape[:-1]):
        prior = _prior_table(prior, k, z_shape)
    else:
        prior = prior.reshape((-1, k)).T
    failure: Exception | None = None
    for lengths in ((1,) * len(z_shape), z_shape):
        every_k = np.broadcast_to(np.arange(k).reshape((k,) + (1,) * len(z_shape)), (k, *lengths))
        every_k = np.ascontiguousarray(every_k, dtype=opened.z.type.dtype)
        z_every = pt.TensorType(opened.z.type.dtype, every_k.shape)(opened.latent.name)
        try:
            expanded = vectorize_graph(list(terms.values()), {opened.z: z_every, **given})
            outputs = vectorize_graph(
                [prior, *solve_rows_together(expanded)], dict(zip(theta, batched, strict=True))
            )
            # An input: PyTensor would evaluate a constant while it compiles, and print where that
            # fails.
            evaluate = partial(
                compile_table([z_every, *batched, *inputs.values()], outputs), every_k
            )
            found = Entries(derivation, own, evaluate)
            _require_table(derivation, found)
        except (UnmixError, IndexError, ValueError, TypeError, AssertionError) as error:
            failure = failure or error
        else:
            return found
    raise UnmixError(
        f"the likelihood cannot be opened entry by entry: {failure}; please report the model"
    ) from failure


def _require_table(derivation: "Derivation", entries: Entries) -> None:
    point = derivation.space.jittered(np.random.default_rng(20261126))
    theta = {name: np.asarray(value)[None] for name, value in point.items()}
    for right, ours in zip(derivation.log_terms(theta), entries.log_terms(theta), strict=True):
        with np.errstate(invalid="ignore"):
            same = np.abs(ours - right) <= TOLERANCE * (1.0 + np.abs(right))
        if not np.all(same | (ours == right) | (np.isnan(ours) & np.isnan(right))):
            raise UnmixError("its entries do not add up to the derived table")
