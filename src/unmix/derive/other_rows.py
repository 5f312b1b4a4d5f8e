"""A derivation on other rows than its model was declared on."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pymc as pm
from numpy.typing import NDArray
from pytensor.graph.basic import Variable

from unmix.derive.derivation import Derivation
from unmix.derive.deriving import derive
from unmix.derive.follow import in_step
from unmix.derive.newdata import as_rows_by_name, rows_left_behind, rows_of
from unmix.derive.opened import freeze_data
from unmix.derive.table import build_table, proved_table
from unmix.errors import UnmixError


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
    return replace(other, components=derivation.components)


def on_rows(derivation: Derivation, new: Mapping[str, NDArray]) -> Derivation:
    """The same model with arrays in place of observed variables or ``pm.Data``, by name.

    Raises
    ------
    UnmixError
        If a name is unknown or the number of rows cannot be told.
    """
    new = as_rows_by_name(derivation, new)
    z_shape = rows_of(derivation, new)
    data = freeze_data(derivation.opened, new)
    if _only_rows(derivation, new):
        return _of_rows(derivation, data)
    theta = derivation.space.jittered(np.random.default_rng(1))
    try:
        table = build_table(derivation.opened, data, theta, z_shape)
    except (ValueError, TypeError, AssertionError) as error:
        raise UnmixError(rows_left_behind(derivation, z_shape[0])) from error
    if not all(in_step(index, z_shape) for index in table.index.values()):
        raise UnmixError(rows_left_behind(derivation, z_shape[0]))
    return replace(derivation, data=data, table=table, on_new_rows=True)


def _only_rows(derivation: Derivation, new: Mapping[str, NDArray]) -> bool:
    """Whether rows of a model whose rows never meet are replaced, and nothing else has changed."""
    by_rows, frozen = derivation.by_rows, cast(dict[Any, Any], derivation.data)
    if by_rows is None or not set(new) <= set(by_rows.data):
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
    other = replace(derivation, data=data, table=table, on_new_rows=True)
    recognised = derivation.__dict__.get("recognised")
    if recognised is not None and not isinstance(recognised, str):
        # What was read off the graph of θ holds for any rows that the families hold.
        recognised = recognised.on(other)
        if recognised is not None:
            other.__dict__["recognised"] = recognised
    return other
