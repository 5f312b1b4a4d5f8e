"""How many assignments there are on new rows, told from the arrays that replace the old ones."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from unmix.derive.follow import in_step
from unmix.derive.opened import Opened, as_new_data
from unmix.errors import UnmixError
from unmix.recipe import recipe_of

if TYPE_CHECKING:
    from unmix.derive.derivation import Derivation


def as_rows_by_name(derivation: "Derivation", new: Any) -> dict[str, Any]:
    """New data as arrays by name, with a frame's columns in the order of the model's features.

    Rows alone, without a name, are those of the observed variable where there is only one.

    Raises
    ------
    UnmixError
        If rows have no name and the model has several observed variables, or a frame lacks one of
        the model's features.
    """
    opened = derivation.opened
    names = [name for name in opened.assignment_terms if name in opened.observed]
    if (encode := recipe_of(derivation.model).encode) is not None:
        new = encode(new)
    if not isinstance(new, Mapping):
        if len(names) != 1:
            raise UnmixError(
                "new data need names: give a dict of arrays, with keys out of "
                f"{', '.join(map(repr, [*opened.observed, *opened.shared_data]))}"
            )
        new = {names[0]: new}
    arrays = {}
    for name, value in new.items():
        if hasattr(value, "columns") and hasattr(value, "to_numpy"):
            kept = {**opened.shared_data, **opened.observed}.get(name)
            declared: list[Any] = list(derivation.model.named_vars_to_dims.get(name) or ())
            last = str(declared[-1]) if len(declared) == 2 else ""
            labels = derivation.model.coords.get(last) if last else None
            if labels is not None:
                missing = [str(f) for f in labels if f not in set(map(str, value.columns))]
                if missing:
                    raise UnmixError(
                        f"new data {name!r} have no column {missing[0]!r}: the model's features "
                        f"are {', '.join(map(str, labels))}"
                    )
                value = value.set_axis(list(map(str, value.columns)), axis=1)[list(labels)]
            value = value.to_numpy()
            if kept is not None and kept.type.ndim == 1 and value.ndim == 2 and value.shape[1] == 1:
                value = value[:, 0]
        elif isinstance(value, xr.DataArray):
            value = _in_order(derivation, str(name), value)
        arrays[str(name)] = value
    return arrays


def _in_order(derivation: "Derivation", name: str, value: xr.DataArray) -> NDArray:
    """A labelled array's dims and features in the order in which the model has them.

    Raises
    ------
    UnmixError
        If it lacks one of the model's dims or labels along one that does not count rows.
    """
    dims = derivation.model.named_vars_to_dims.get(name)
    if not dims or None in dims:
        return value.to_numpy()
    if set(value.dims) != set(dims):
        raise UnmixError(
            f"new data {name!r} have dims {', '.join(map(str, value.dims))} and the model's are "
            f"{', '.join(map(str, dims))}: rename them, or give a plain array"
        )
    value = value.transpose(*dims)
    for dim in dims[1:]:
        labels = derivation.model.coords.get(dim)
        if labels is None or dim not in value.coords:
            continue
        missing = [label for label in labels if label not in set(value[dim].values.tolist())]
        if missing:
            raise UnmixError(f"new data {name!r} have no {dim} {missing[0]!r}: name all of them")
        value = value.sel({dim: list(labels)})
    return value.to_numpy()


def rows_left_behind(derivation: "Derivation", n: int) -> str:
    """Why new rows do not fit: something in the model still has the old ones."""
    return (
        f"the model cannot be evaluated on {n} new rows, because it holds other arrays with one "
        f"entry for each of its {derivation.n_obs} rows: declare them as pm.Data and replace them "
        "too, or pass a second model built on the new rows"
    )


def rows_of(derivation: "Derivation", new: Mapping[str, NDArray]) -> tuple[int, ...]:
    """Shape of ``z`` on new rows.

    Raises
    ------
    UnmixError
        If a name is neither an observed variable nor a ``pm.Data`` of the model, if arrays
        disagree in length, or if rows are not in step with ``z`` (subjects, groups): then a second
        model says what no array can.
    """
    opened = derivation.opened
    shared, observed = opened.shared_data, opened.observed
    for name in new:
        if name not in shared and name not in observed:
            known = ", ".join(map(repr, [*observed, *shared]))
            raise UnmixError(f"new data name {name!r} is not in the model: it has {known}")
    z_shape = derivation.table.z_shape
    if len(z_shape) != 1 or not all(
        in_step(index, z_shape) for index in derivation.table.index.values()
    ):
        raise UnmixError(
            f"rows of this model are not in step with {opened.latent.name!r}: build a second model "
            "with the same parameters on the new rows and pass that"
        )
    for name, value in new.items():
        kept = {**shared, **observed}[name]
        as_new_data(value, name, kept.type.dtype, kept.type.ndim)
        if name in observed:
            columns = np.shape(derivation.data[observed[name]].data)[1:]
            if np.shape(value)[1:] != columns:
                raise UnmixError(
                    f"new data {name!r} have {np.shape(value)[-1]} columns and the model has "
                    f"{columns[-1]}: give these"
                )
    lengths = {}
    for name in opened.assignment_terms:
        if name in observed and name in new:
            lengths[name] = len(np.asarray(new[name]))
    for name, value in new.items():
        if name in shared and _rows_held(opened, name) == z_shape[0]:
            lengths[name] = len(np.asarray(value))
    if not lengths:
        raise UnmixError(
            "the new data replace nothing that has one row for each element of "
            f"{opened.latent.name!r}: give the observed variable "
            f"{', '.join(map(repr, observed))} as well"
        )
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name!r} has {n}" for name, n in lengths.items())
        raise UnmixError(f"new data differ in their number of rows: {told}")
    n = next(iter(lengths.values()))
    if n != z_shape[0]:
        for name in (*observed, *shared):
            still = _rows_held(opened, name)
            if name not in new and still == z_shape[0] and not _fed_by(opened, name, new):
                raise UnmixError(
                    f"new data has {n} rows but {name!r} still has {still}: give new rows for "
                    f"{name!r} too"
                )
    return (n,)


def _rows_held(opened: Opened, name: str) -> int | None:
    """Rows of what the model holds under a name; None where it has none or cannot say."""
    shared = opened.shared_data
    if name in shared:
        shape = shared[name].get_value(borrow=True).shape
    else:
        shape = opened.data[name].type.shape
    return shape[0] if shape and None not in shape else None


def _fed_by(opened: Opened, name: str, new: Mapping[str, NDArray]) -> bool:
    """Whether an observed variable's data come from a ``pm.Data`` that is being replaced."""
    if name not in opened.observed:
        # A pm.Data that only feeds an observed variable replaced under its own name.
        return any(
            opened.depends_on(opened.data[o], opened.shared_data[name]) and o in new
            for o in opened.observed
        )
    return any(
        opened.depends_on(opened.data[name], v) and n in new for n, v in opened.shared_data.items()
    )
