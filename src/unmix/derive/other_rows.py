"""A derivation on other rows than its model was declared on."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pymc as pm
from numpy.typing import NDArray
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.traversal import ancestors

from unmix.derive.derivation import Derivation
from unmix.derive.deriving import derive
from unmix.derive.follow import in_step
from unmix.derive.newdata import as_rows_by_name, rows_left_behind, rows_of
from unmix.derive.opened import freeze_data
from unmix.derive.present import has_missing
from unmix.derive.table import build_table, proved_table
from unmix.errors import UnmixError
from unmix.printable import listed, printable
from unmix.recipe import recipe_of


def with_model(derivation: Derivation, new: pm.Model) -> Derivation:
    """The derivation of a second model on its own rows, with the components of the first.

    Raises
    ------
    UnmixError
        If the second model's parameters differ.
    """
    other = derive(new)
    if other.n_components != derivation.n_components:
        raise UnmixError(
            f"the second model has {other.n_components} components and the first "
            f"{derivation.n_components}: build it with the same number"
        )
    for name in other.touched:
        if other.shapes[name] != derivation.shapes.get(name):
            raise UnmixError(
                f"parameter {name!r} of the second model has shape {other.shapes[name]} and the "
                f"first has {derivation.shapes.get(name, 'no such parameter')}: build both with "
                "the same parameters"
            )
        _require_same_names(derivation, other, name)
    _require_same_levels(derivation.model, new)
    return replace(other, components=derivation.components)


def _require_same_levels(model: pm.Model, other: pm.Model) -> None:
    """Refuse a second catalogue model whose levels are others, or in another order."""
    here, there = recipe_of(model).levels, recipe_of(other).levels
    if here and there and list(here.items()) != list(there.items()):
        raise UnmixError(
            "the second model has other items or levels than the first, or in another order, and "
            "their probabilities would be read by position: build it by unmix.models.on_rows, or "
            "give levels= to both"
        )


def _require_same_names(derivation: Derivation, other: Derivation, name: str) -> None:
    """Refuse a parameter whose names are not the fit's, in its order: it is read by position.

    Raises
    ------
    UnmixError
        With the first stranger, or saying that the order is another.
    """
    for dim in other.dims[name]:
        here, there = derivation.model.coords.get(dim), other.model.coords.get(dim)
        if here is None or there is None or dim == "obs":
            continue
        strangers = [label for label in there if label not in set(here)]
        if strangers:
            raise UnmixError(
                f"parameter {name!r} of the second model is about {dim} {printable(strangers[0])}, "
                f"which the first does not have: build both with the same names along {dim!r}"
            )
        if list(here) != list(there):
            raise UnmixError(
                f"parameter {name!r} of the second model has the names along {dim!r} in another "
                f"order ({listed(list(there))}) than the first ({listed(list(here))}): build both "
                "in the same order"
            )


def on_rows(derivation: Derivation, new: Mapping[str, NDArray]) -> Derivation:
    """The same model with arrays in place of observed variables or ``pm.Data``, by name.

    Raises
    ------
    UnmixError
        If a name is unknown or the number of rows cannot be told.
    """
    if has_missing(derivation.model):
        raise UnmixError(
            "the model was declared on rows with missing cells, and which those are is part of it: "
            "build a second model on the new rows and pass that, as in "
            "new=unmix.models.on_rows(model, rows)"
        )
    new = as_rows_by_name(derivation, new)
    labelled = derivation
    derivation = _without_labels(derivation, new)
    z_shape = rows_of(derivation, new)
    data = freeze_data(derivation.opened, new)
    _require_no_other_rows(derivation, new)
    if derivation is labelled and _only_rows(derivation, new):
        return _of_rows(derivation, data)
    theta = derivation.space.jittered(np.random.default_rng(1))
    try:
        table = build_table(derivation.opened, data, theta, z_shape)
    except (ValueError, TypeError, AssertionError) as error:
        raise UnmixError(rows_left_behind(derivation, z_shape[0])) from error
    if not all(in_step(index, z_shape) for index in table.index.values()):
        raise UnmixError(rows_left_behind(derivation, z_shape[0]))
    return replace(derivation, data=data, table=table, on_new_rows=True, weight=None)


def _require_no_other_rows(derivation: Derivation, new: Mapping[str, NDArray]) -> None:
    """Refuse new rows beside arrays that hold one entry for each of the old ones.

    With another number of rows no graph could be evaluated; with the same number it would answer
    for new rows with the old ones' groups, errors or covariates.

    Raises
    ------
    UnmixError
        With the name of a ``pm.Data`` to give as well, or what to pass instead.
    """
    opened, n = derivation.opened, derivation.n_obs
    if n < 2 or not set(new) & set(opened.observed):
        return
    terms = [t for name, t in opened.assignment_terms.items() if name not in opened.label_terms]
    above = set(ancestors([*terms, opened.log_prior]))
    for name, variable in opened.shared_data.items():
        value = variable.get_value(borrow=True)
        observed = any(opened.depends_on(opened.data[o], variable) for o in opened.observed)
        given = observed or name in new  # what is observed is what the new rows replace
        if variable in above and not given and np.ndim(value) and len(value) == n:
            raise UnmixError(
                f"{name!r} has one entry for each of the {n} old rows: give it for the new rows as "
                "well"
            )
    for variable in above:
        if isinstance(variable, Constant) and _by_row(np.asarray(variable.data), n):
            raise UnmixError(rows_left_behind(derivation, len(next(iter(new.values())))))


def _by_row(values: NDArray, n: int) -> bool:
    """Whether an array has an entry for each row, and does not merely count them."""
    if values.ndim == 0 or len(values) != n or np.all(values == values[:1]):
        return False
    return not np.array_equal(values, np.arange(n))


def unlabelled(derivation: Derivation) -> Derivation:
    """The same rows without what is known of their assignments beforehand."""
    plain = _without_labels(derivation, {})
    if plain is derivation:
        return derivation
    theta = derivation.space.jittered(np.random.default_rng(1))
    table = build_table(plain.opened, derivation.data, theta, derivation.table.z_shape)
    return replace(plain, table=table)


def _without_labels(derivation: Derivation, new: Mapping[str, NDArray]) -> Derivation:
    """What is known of the declared rows' assignments says nothing of others, unless replaced."""
    opened = derivation.opened
    gone = [
        name
        for name in opened.label_terms
        if not any(n in new and opened.depends_on(opened.terms[name], v)
                   for n, v in opened.shared_data.items())
    ]  # fmt: skip
    if not gone:
        return derivation
    table = derivation.table
    index = {name: i for name, i in table.index.items() if name not in gone}
    return replace(derivation, opened=opened.without(gone), table=replace(table, index=index))


def _only_rows(derivation: Derivation, new: Mapping[str, NDArray]) -> bool:
    """Whether rows of a model whose rows never meet are replaced, and nothing else has changed."""
    by_rows, frozen = derivation.by_rows, derivation.data
    if by_rows is None or by_rows.beside or not set(new) <= set(by_rows.data):
        return False
    shared: Any = derivation.opened.shared_data.values()
    return all(np.array_equal(frozen[v].data, v.get_value(borrow=True)) for v in shared)


def _of_rows(derivation: Derivation, data: dict[Variable, Variable]) -> Derivation:
    """The derivation where the data are inputs of what is compiled already: no graph is new."""
    opened, by_rows = derivation.opened, derivation.by_rows
    assert by_rows is not None
    constants: Any = {name: data[opened.observed[name]] for name in by_rows.data}
    by_rows = by_rows.of({name: np.asarray(value.data) for name, value in constants.items()})
    theta = derivation.space.jittered(np.random.default_rng(1))
    table = proved_table(opened, data, by_rows, theta)
    other = replace(derivation, data=data, table=table, on_new_rows=True, weight=None)
    recognised = derivation.__dict__.get("recognised")
    if recognised is not None and not isinstance(recognised, str):
        # What was read off the graph of θ holds for any rows that the families hold.
        recognised = recognised.on(other)
        if recognised is not None:
            other.__dict__["recognised"] = recognised
    return other
