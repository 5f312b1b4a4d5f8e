"""One observation of a model: where its label stands, and what was observed of it."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from unmix.arguments import said
from unmix.derive import Derivation
from unmix.derive.present import rows_shown
from unmix.errors import UnmixError
from unmix.printable import printable
from unmix.recipe import recipe_of
from unmix.show.numbers import datum, plain

MOST_VALUES = 8


def find_row(derivation: Derivation, obs: Any, *, new: bool = False) -> tuple[int, tuple[str, ...]]:
    """Where the observation ``obs`` stands among the rows, and what is to be said of that.

    A label is looked for first; where no row has it, a whole number is a position from 0.

    Parameters
    ----------
    derivation
        The model on the rows meant.
    obs
        Its label, or the label as text; or its position. None where there is only one row.
    new
        Whether the rows are new ones, for the words of an error.

    Raises
    ------
    UnmixError
        If no row or several rows have that label.
    """
    labels = derivation.obs_labels
    if obs is None:
        if len(labels) == 1:
            return 0, ()
        rows = f"new holds {len(labels)} rows" if new else f"there are {len(labels)} observations"
        raise UnmixError(f"{rows}: say which one to explain with obs, {_range(labels)}")
    if labels.dtype.kind == "O":  # a label may be anything, an array too
        found = np.flatnonzero([bool(np.all(label == obs)) for label in labels])
    else:
        if np.ndim(obs):
            raise UnmixError(f"obs is {said(obs)}: one observation is explained at a time, name it")
        found = np.flatnonzero(np.broadcast_to(labels == obs, labels.shape))
    if not len(found):
        found = np.flatnonzero(labels.astype(str) == str(obs))
    if not len(found):
        number = _position(obs)
        if {"together", "subjects"} & set(recipe_of(derivation.model).by_row):
            # A number is as well a row's, and rows of one subject are not explained apart.
            raise UnmixError(f"there is no subject {_shown(obs)}: subjects are {_range(labels)}")
        if number is None or number >= len(labels):
            raise UnmixError(f"there is no observation {_shown(obs)}: labels are {_range(labels)}")
        return number, (
            f"No row is labelled {number}, so this is the row at position {number}, counted from "
            f"0, which is labelled {plain(labels[number])}.",
        )
    if len(found) > 1:
        raise UnmixError(
            f"{len(found)} observations are labelled {_shown(obs)}: give each one label of its own"
        )
    return int(found[0]), ()


def _position(obs: Any) -> int | None:
    """A whole number from 0, also as text; None where it is something else."""
    if isinstance(obs, str):
        return int(obs) if obs.isascii() and obs.isdecimal() else None
    good = isinstance(obs, int | np.integer) and not isinstance(obs, bool) and obs >= 0
    return int(obs) if good else None


def _range(labels: np.ndarray) -> str:
    if labels.dtype.kind in "iu" and np.array_equal(labels, np.arange(labels[0], labels[-1] + 1)):
        return f"{labels[0]} to {labels[-1]}"
    if len(labels) <= 4:
        return ", ".join(_shown(label) for label in labels)
    first, second, last = (_shown(labels[i]) for i in (0, 1, -1))
    return f"{first}, {second}, …, {last} ({len(labels)} in all)"


def _shown(label: Any) -> str:
    return printable(label) if isinstance(label, str) else plain(label)


def data_of(derivation: Derivation, row: int) -> tuple[tuple[str, str], ...]:
    """Names and values of what was observed of a row, and of the ``pm.Data`` that go with it.

    Values beyond the eighth are counted, not listed.
    """
    pairs = [*_observed(derivation, row), *_given(derivation, row)]
    shown = [(name, datum(value)) for name, value in pairs[:MOST_VALUES]]
    if len(pairs) > MOST_VALUES:
        shown.append(("and", f"{len(pairs) - MOST_VALUES} more values"))
    return tuple(shown)


def _given(derivation: Derivation, row: int) -> Iterator[tuple[str, Any]]:
    """What a catalogue model was given for the row beside its data: its group, its label."""
    given = {} if derivation.on_new_rows else recipe_of(derivation.model).by_row
    for name, values in given.items():
        if name == "labels":
            yield from _label(derivation, row, values, given.get("together", given.get("subjects")))
            continue
        if values.ndim != 1 or len(values) != derivation.n_obs or name in derivation.opened.theta:
            continue
        value = values[row].item() if values.dtype.kind != "O" else values[row]
        if name not in derivation.opened.shared_data:
            yield {"groups": "group", "weights": "weight"}.get(name, name), value


def _label(
    derivation: Derivation, row: int, labels: np.ndarray, subjects: np.ndarray | None
) -> Iterator[tuple[str, Any]]:
    """The component that the row, or its subject, is known to be of."""
    own = labels[[row]] if subjects is None else labels[subjects == derivation.obs_labels[row]]
    if labels.ndim > 1 or not len(own):
        return
    known = max(own.tolist())  # a subject's rows that have a label have the same
    if isinstance(known, str):  # where components are called by numbers
        known = list(map(str, derivation.component_labels)).index(known) if known else -1
    if known >= 0:
        yield "label", derivation.component_labels[known]


def _observed(derivation: Derivation, row: int) -> Iterator[tuple[str, Any]]:
    opened = derivation.opened
    carried = set()  # pm.Data that an observed variable already shows
    for name in opened.observed:
        index = derivation.table.index.get(name)
        if index is None:
            continue
        data = rows_shown(derivation, name)
        carried |= {
            n for n, v in opened.shared_data.items() if opened.depends_on(opened.data[name], v)
        }
        if data.shape[: index.ndim] == index.shape:
            follows = index.reshape(index.shape + (1,) * (data.ndim - index.ndim)) == row
            yield from named_entries(derivation, name, data, np.broadcast_to(follows, data.shape))
    if len(derivation.table.z_shape) > 1:
        return
    for name, variable in opened.shared_data.items():
        data = np.asarray(derivation.data[variable].eval())
        if name not in carried and data.ndim and len(data) == derivation.n_obs:
            own = np.zeros(data.shape, bool)
            own[row] = True
            yield from named_entries(derivation, name, data, own)


def named_entries(
    derivation: Derivation, name: str, data: np.ndarray, own: np.ndarray
) -> Iterator[tuple[str, Any]]:
    """Entries of an array, each named by its labels along the axes that tell them apart.

    A variable of the catalogue goes by the name of its column, and a number of a level is shown as
    the level.
    """
    model = derivation.model
    recipe = recipe_of(model)
    title, levels = recipe.titles.get(name, name), recipe.levels.get(name)
    where = np.argwhere(own)
    telling = [axis for axis in range(data.ndim) if len(set(where[:, axis])) > 1]
    dims = model.named_vars_to_dims.get(name) or (None,) * data.ndim
    for at in where:
        labels = []
        for axis in telling:
            coordinates = model.coords.get(dims[axis]) if axis < len(dims) else None
            if coordinates is None or len(coordinates) != data.shape[axis]:
                coordinates = range(data.shape[axis])
            labels.append(plain(coordinates[at[axis]]))
        value = data[tuple(at)].item()
        yield (
            f"{title}[{', '.join(labels)}]" if labels else title,
            value if levels is None or np.isnan(value) else str(levels[int(value)]),
        )
