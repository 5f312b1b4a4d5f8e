"""A model, opened: every element-wise log-density term as a graph of *constrained* θ and ``z``.

PyMC's own graph functions work on transformed values (log σ, stick-broken weights). Bayes' rule is
read in the model's own parameters, and so are posterior draws, so the terms are built here over
fresh value variables that have never seen a transform.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.logprob.basic import transformed_conditional_logp
from pymc.logprob.utils import replace_rvs_by_values
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.replace import vectorize_graph
from pytensor.graph.traversal import ancestors
from pytensor.tensor.basic import Alloc
from pytensor.tensor.type import TensorType
from pytensor.tensor.variable import TensorVariable

from unmix.derive.compiling import TABLE_MODE
from unmix.derive.latent import Latent, find_latent
from unmix.errors import UnmixError


@dataclass(frozen=True)
class Opened:
    """A model's log-density, term by term.

    Attributes
    ----------
    model
        The user's model, untouched.
    latent
        Which variable is ``z``.
    z
        Value variable of ``z``.
    theta
        Value variables of every other free variable, by name, in the model's order; constrained.
    observed
        Value variables of the observed variables, by name.
    data
        What the model holds for each observed variable: a constant or a graph of ``pm.Data``.
    terms
        Element-wise log-density of every random variable and potential, by name.
    log_prior
        log p(z_i = k | θ), component last, broadcastable to the shape of ``z``.
    """

    model: pm.Model
    latent: Latent
    z: TensorVariable
    theta: dict[str, TensorVariable]
    observed: dict[str, TensorVariable]
    data: dict[str, TensorVariable]
    terms: dict[str, TensorVariable]
    log_prior: TensorVariable

    def depends_on(self, graph: Variable, value: Variable) -> bool:
        """Whether a graph is a function of a value variable."""
        return value in set(ancestors([graph]))

    @property
    def assignment_terms(self) -> dict[str, TensorVariable]:
        """The terms, other than the prior of ``z``, that depend on ``z``: the likelihood."""
        return {
            name: term
            for name, term in self.terms.items()
            if name != self.latent.name and self.depends_on(term, self.z)
        }

    @property
    def label_terms(self) -> tuple[str, ...]:
        """Potentials of ``z`` and nothing else that is observed or free: what is known of rows."""
        other = {*self.theta.values(), *self.observed.values()}
        named = {potential.name for potential in self.model.potentials}
        return tuple(
            name
            for name, term in self.assignment_terms.items()
            if name in named and not other & set(ancestors([term]))
        )

    def without(self, names: Collection[str]) -> "Opened":
        """The same model without some terms."""
        return replace(self, terms={n: t for n, t in self.terms.items() if n not in names})

    @property
    def shared_data(self) -> dict[str, SharedVariable]:
        """The ``pm.Data`` that the log-density reads, by name."""
        graphs = [*self.terms.values(), self.log_prior, *self.data.values()]
        return {v.name: v for v in ancestors(graphs) if isinstance(v, SharedVariable) and v.name}


def _value_of(rv: TensorVariable, *, any_length: bool = False) -> TensorVariable:
    """Fresh value variable for a random variable; ``any_length`` forgets the number of rows."""
    shape = tuple(1 if n == 1 else None for n in rv.type.shape) if any_length else rv.type.shape
    return TensorType(rv.type.dtype, shape)(rv.name)


def without_length(term: TensorVariable) -> TensorVariable:
    """A term without the final broadcast to the number of rows that the model was built with.

    An observed value has all its rows already, so the broadcast changes nothing, and without it
    the graph holds for any number of rows.
    """
    return term.owner.inputs[0] if term.owner and isinstance(term.owner.op, Alloc) else term


def open_model(model: pm.Model) -> Opened:
    """Open a model's log-density.

    Raises
    ------
    UnmixError
        If the model has no usable latent (`find_latent`).
    """
    latent = find_latent(model)
    observed = {rv.name: _value_of(rv, any_length=True) for rv in model.observed_RVs}
    theta = {rv.name: _value_of(rv) for rv in model.free_RVs if rv is not latent.rv}
    z = _value_of(latent.rv)
    values = {latent.name: z, **theta, **observed}
    rvs = list(model.basic_RVs)
    rvs_to_values = {rv: values[rv.name] for rv in rvs}
    elements = transformed_conditional_logp(
        rvs, rvs_to_values=rvs_to_values, rvs_to_transforms={}, jacobian=False
    )
    others = replace_rvs_by_values(
        [*model.potentials, latent.probabilities], rvs_to_values=rvs_to_values
    )
    elements = [
        without_length(term) if rv in model.observed_RVs else term
        for rv, term in zip(rvs, elements, strict=True)
    ]
    names = [rv.name for rv in rvs] + [potential.name for potential in model.potentials]
    return Opened(
        model=model,
        latent=latent,
        z=z,
        theta=theta,
        observed=observed,
        data={rv.name: model.rvs_to_values[rv] for rv in model.observed_RVs},
        terms=dict(zip(names, [*elements, *others[:-1]], strict=True)),
        log_prior=others[-1].log(),
    )


def freeze_data(
    opened: Opened, new: Mapping[str, np.ndarray] | None = None
) -> dict[Variable, Variable]:
    """Replacements that put data into the graphs: the model's own, or what ``new`` gives.

    What ``pm.set_data`` can change is copied, so that it cannot change half of a derivation.

    Parameters
    ----------
    opened
        The opened model.
    new
        Arrays by the name of an observed variable or of a ``pm.Data`` container.

    Returns
    -------
    dict
        From data variables to constants, for `pytensor.graph.replace.vectorize_graph`.
    """
    kept = {**opened.shared_data, **opened.observed}
    new = {
        name: as_new_data(value, name, kept[name].type.dtype, kept[name].type.ndim)
        for name, value in (new or {}).items()
    }
    shared = opened.shared_data
    frozen: dict[Variable, Variable] = {
        variable: pt.constant(np.array(new.get(name, variable.get_value()), variable.type.dtype))
        for name, variable in shared.items()
    }
    for name, value in opened.observed.items():
        if name in new:
            frozen[value] = pt.constant(new[name])
        elif isinstance(opened.data[name], Constant):
            frozen[value] = opened.data[name]  # nobody can change it
        else:
            data = vectorize_graph(opened.data[name], frozen) if frozen else opened.data[name]
            frozen[value] = pt.constant(data.eval(mode=TABLE_MODE))
    return frozen


def as_new_data(value: Any, name: str, dtype: str, ndim: int) -> np.ndarray:
    """New rows of one variable, in the type that the model holds and with the same values.

    Raises
    ------
    UnmixError
        For masked, missing or infinite cells, a wrong number of dims, or values that the
        variable's type cannot hold: rounding them would answer for other data.
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.getmaskarray(value).any():
        raise UnmixError(f"new data {name!r} have masked cells: give only rows that are complete")
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise UnmixError(f"new data {name!r} are not numbers: convert the column first")
    if array.ndim != ndim:
        raise UnmixError(f"new data {name!r} have {array.ndim} dims and the model's have {ndim}")
    if array.size == 0:
        raise UnmixError(f"new data {name!r} have no rows")
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        raise UnmixError(
            f"new data {name!r} are {array[tuple(bad[0])]} in row {bad[0][0]}: remove the row or "
            "fill the cell; or, if it is missing and the model is of the catalogue, give "
            "new=unmix.models.on_rows(model, rows), which keeps it"
        )
    held = array.astype(dtype)
    changed = np.argwhere(held != array)
    if len(changed):
        raise UnmixError(
            f"new data {name!r} are {array[tuple(changed[0])]} in row {changed[0][0]}, and the "
            f"model holds {dtype} there: give values of that type, or build the model with others"
        )
    return held
