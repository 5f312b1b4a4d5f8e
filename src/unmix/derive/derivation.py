"""`Derivation`: everything that a declared mixture implies.

From the model's own graph: log p(z_i = k | θ) and log p(x_i | z_i = k, θ) as functions of
constrained θ, batched over draws; the component axes of θ; the permutations of components that
leave the model unchanged. `unmix.derive.deriving` makes one and checks it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pymc as pm
from numpy.typing import NDArray
from pytensor.graph.basic import Variable
from pytensor.graph.replace import vectorize_graph
from pytensor.graph.traversal import ancestors
from pytensor.tensor.type import TensorType

from unmix.derive import bayes
from unmix.derive.by_rows import ByRows, broken, require_sum_of_one
from unmix.derive.compiling import compile_table
from unmix.derive.components import Components
from unmix.derive.full_density import FullDensity
from unmix.derive.latent import Latent
from unmix.derive.opened import Opened
from unmix.derive.roads import Roads
from unmix.derive.space import Space
from unmix.derive.table import TableGraph
from unmix.derive.verify import Verification

if TYPE_CHECKING:
    from unmix.derive.entries import Entries

Theta = Mapping[str, NDArray]

# Numbers in one block of a streamed table: 2^20 float64 are 8 MiB, and a handful of temporaries of
# that size stay near the cache whatever the number of draws.
BLOCK = 2**20


@dataclass(frozen=True, eq=False)
class Derivation(Roads):
    """What a declared mixture implies.

    Attributes
    ----------
    model
        The user's model.
    opened, data, space, table
        Its log-density term by term, the frozen data, the coordinates of θ, the table's graph.
    components
        Component axes, families and symmetry of θ.
    verification
        How the table was checked against the model's full log-density.
    on_new_rows
        Whether the data are not those that the model was declared on.
    weight
        How much each row counts, (obs,); None where each counts once (`unmix.weigh`).
    """

    model: pm.Model
    opened: Opened
    data: dict[Variable, Variable]
    space: Space
    table: TableGraph
    components: Components
    verification: Verification
    on_new_rows: bool = False
    weight: NDArray[np.float64] | None = None

    # -- what it is about --------------------------------------------------------------------

    @property
    def latent(self) -> Latent:
        """The latent assignment ``z``."""
        return self.opened.latent

    @property
    def n_components(self) -> int:
        """K."""
        return self.table.n_components

    @property
    def n_obs(self) -> int:
        """Number of elements of ``z``; an observation is what has one."""
        return int(np.prod(self.table.z_shape))

    @property
    def total_weight(self) -> float:
        """N, or the sum of the rows' weights."""
        return float(self.n_obs if self.weight is None else self.weight.sum())

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of all of θ, in the model's order."""
        return tuple(self.opened.theta)

    @cached_property
    def touched(self) -> tuple[str, ...]:
        """Names of the parameters that the table depends on: those p(x | θ) is a function of."""
        above = set(ancestors([self.table.log_prior, self.table.log_likelihood]))
        return tuple(name for name, value in self.opened.theta.items() if value in above)

    @cached_property
    def local(self) -> tuple[str, ...]:
        """Free variables whose own density depends on ``z``: further latents, not parameters."""
        return tuple(name for name in self.opened.assignment_terms if name in self.opened.theta)

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Constrained shape of each parameter."""
        return {n: np.shape(v) for n, v in self.space.constrain(self.space.initial).items()}

    @cached_property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """Dimension names of each parameter: the model's, or ``name_dim_i`` as PyMC names them."""
        declared = self.model.named_vars_to_dims
        return {
            name: tuple(
                dim if dim is not None else f"{name}_dim_{i}"
                for i, dim in enumerate(declared.get(name) or (None,) * len(shape))
            )
            for name, shape in self.shapes.items()
        }

    @cached_property
    def component_labels(self) -> NDArray:
        """Names of the components: the model's coordinates where it has them, else 0, …, K−1."""
        for name, axis in self.components.axes.items():
            dims = self.model.named_vars_to_dims.get(name)
            coords = self.model.coords.get(dims[axis]) if dims else None
            if coords is not None and len(coords) == self.n_components:
                return np.asarray(coords)
        return np.arange(self.n_components)

    @cached_property
    def obs_labels(self) -> NDArray:
        """Names of the observations: the model's coordinates where it has them, else 0, …, N−1."""
        dims = self.model.named_vars_to_dims.get(self.latent.name)
        coords = self.model.coords.get(dims[0]) if dims and len(dims) == 1 else None
        if coords is not None and len(coords) == self.n_obs and not self.on_new_rows:
            return np.asarray(coords)
        return np.arange(self.n_obs)

    @cached_property
    def known(self) -> NDArray | None:
        """Log-factors (obs, component) of what is known of assignments; None where nothing is."""
        from unmix.derive.known import label_factors

        return label_factors(self) if self.opened.label_terms else None

    @cached_property
    def entries(self) -> "Entries":
        """The likelihood entry by entry, as a function of θ and of the data."""
        from unmix.derive.entries import open_entries  # compiled for those who ask

        return open_entries(self)

    # -- the table ---------------------------------------------------------------------------

    @cached_property
    def _batched(self) -> Callable[..., Any]:
        inputs = [self.opened.theta[name] for name in self.touched]
        batched = [TensorType(v.type.dtype, (None, *v.type.shape))(v.name) for v in inputs]
        outputs = [self.table.log_prior, self.table.log_likelihood]
        expanded = vectorize_graph(outputs, dict(zip(inputs, batched, strict=True)))
        return compile_table(batched, expanded)

    def log_terms(self, theta: Theta) -> tuple[NDArray, NDArray]:
        """Prior and likelihood for a stack of draws, laid out for Bayes' rule.

        Parameters
        ----------
        theta
            Arrays of shape (sample, …) for at least the `touched` parameters.

        Returns
        -------
        log_prior
            log p(z_i = k | θ_s), shape (sample, obs, component), or (sample, 1, component) where
            every observation has the same prior.
        log_likelihood
            log p(x_i | z_i = k, θ_s), shape (sample, obs, component).
        """
        values = [np.asarray(theta[name], float) for name in self.touched]
        samples = len(values[0]) if values else 1
        try:
            log_prior, log_likelihood = self._batched(*values)
        except (ValueError, AssertionError, ArithmeticError) as error:
            raise broken(error, self.touched) from error
        require_sum_of_one(log_prior, self.latent.name, axis=-2)
        k, n = self.n_components, self.n_obs
        log_prior = np.broadcast_to(log_prior, (samples, k, np.shape(log_prior)[-1]))
        log_likelihood = np.broadcast_to(log_likelihood, (samples, k, n))
        return np.swapaxes(log_prior, -1, -2), np.swapaxes(log_likelihood, -1, -2)

    def bayes(self, theta: Theta) -> bayes.Terms:
        """All five terms of Bayes' rule for a stack of draws, (sample, obs, component)."""
        return bayes.rule(*self.log_terms(theta))

    def blocks(self, samples: int) -> Iterator[slice]:
        """Slices of consecutive draws whose tables fit the memory of one block."""
        step = max(1, BLOCK // max(1, self.n_obs * self.n_components))
        for start in range(0, samples, step):
            yield slice(start, min(start + step, samples))

    # -- the full density, PyMC's own --------------------------------------------------------

    @cached_property
    def by_rows(self) -> ByRows | None:
        """The table and the terms for any rows; None where rows are not proved to stay apart."""
        by_rows = self.table.by_rows
        if by_rows is None or by_rows.log_prior is self.table.log_prior:
            return by_rows
        return replace(by_rows, log_prior=self.table.log_prior)

    def joint_windows(self, theta: Theta) -> Iterator[tuple[slice, NDArray]]:
        """Log p(z_i = k, x_i | θ) at one θ, rows (row, component) in turn.

        A window at a time where rows are proved to stay apart, else all at once.
        """
        if self.by_rows is None:
            stacked = {name: np.asarray(value)[None] for name, value in theta.items()}
            yield slice(0, self.n_obs), bayes.joint(*self.log_terms(stacked))[0]
            return
        for rows in self.by_rows.windows():
            yield rows, self.by_rows.joint(theta, rows)

    @cached_property
    def _full(self) -> FullDensity:
        return FullDensity(self.opened, self.data, self.table, self.by_rows)

    def elements_without_z(self, theta: Theta) -> dict[str, NDArray]:
        """The terms that do not depend on ``z``: priors, and observed variables of their own."""
        return self._full.elements_without_z(theta)

    def elements(self, theta: Theta, z: NDArray) -> dict[str, NDArray]:
        """Every element-wise term of the model's full log-density, as PyMC computes it.

        Parameters
        ----------
        theta
            One point of every parameter, constrained.
        z
            Assignments, shape (obs,).
        """
        return self._full.elements(theta, z)

    def log_density(self, theta: Theta, z: NDArray) -> float:
        """The model's full constrained log-density log p(x, z, θ), without Jacobians."""
        return self._full.log_density(theta, z)

    # -- other data --------------------------------------------------------------------------

    def on(self, new: Mapping[str, NDArray] | pm.Model) -> "Derivation":
        """The same derivation on other rows.

        Parameters
        ----------
        new
            Arrays in place of observed variables or ``pm.Data``, by name; or a second model with
            the same parameters, built on the new rows.

        Raises
        ------
        UnmixError
            If a name is unknown, the number of rows cannot be told, or the second model's
            parameters differ.
        """
        # Here, because both make what this module defines.
        from unmix.derive.other_rows import on_rows, with_model

        return with_model(self, new) if isinstance(new, pm.Model) else on_rows(self, new)

    def __repr__(self) -> str:
        from unmix.derive.described import described

        return described(self)
