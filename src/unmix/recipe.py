"""Which catalogue entry a model was built from, and with what.

A saved fit carries this, so that its model can be built again from the saved rows.
"""

import json
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from unmix.derive.row_weights import weights_of

if TYPE_CHECKING:
    import pandas as pd

# Groups of a result tree that hold what observed variables do not.
TABLE, BY_ROW = "table", "by_row"


@dataclass(frozen=True)
class Recipe:
    """How a model was made.

    Attributes
    ----------
    name
        Of the catalogue entry; empty for a model of the user's own.
    arguments
        JSON of those arguments that are the same for all rows.
    table
        The rows as they came, where no observed variable holds them whole: cells are missing, or
        columns are of several types.
    by_row
        Arguments with one value for each row of the table, by name.
    encode
        Makes of new rows, given as the table was, arrays by variable of the model; None where the
        table holds them as the model does.
    titles
        What variables stand for, by name, where that is called differently.
    levels
        What the whole numbers of an observed variable stand for, by its name.
    columns
        Of a file, that arguments by row were read from; by argument, where that is known.
    """

    name: str = ""
    arguments: str = "{}"
    table: "pd.DataFrame | None" = None
    by_row: Mapping[str, NDArray] = field(default_factory=dict)
    encode: Callable[[Any], dict[str, Any]] | None = None
    titles: Mapping[str, str] = field(default_factory=dict)
    levels: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)

    def groups(self) -> dict[str, xr.Dataset]:
        """What a saved fit keeps beside its observed data."""
        found = {}
        if self.table is not None:
            columns: dict[str, Any] = {}
            for j, (name, values) in enumerate(self.table.items()):
                filled, is_there = _without_holes(values)
                # Names may hold anything, and a variable's name may not.
                columns[f"column_{j}"] = "obs", filled, {"name": str(name)}
                if is_there is not None:
                    columns[f"there_{j}"] = "obs", is_there
            found[TABLE] = xr.Dataset(columns, coords={"obs": self.table.index.to_numpy()})
        if self.by_row:
            of_file = {name: {"column": column} for name, column in self.columns.items()}
            found[BY_ROW] = xr.Dataset(
                {
                    # Rows that share an assignment have one weight.
                    name: (
                        ("weight" if name == "weights" else "row", *_more(name, v)),
                        v,
                        of_file.get(name, {}),
                    )
                    for name, v in self.by_row.items()
                }
            )
        return found


def _without_holes(column: "pd.Series") -> tuple[NDArray, NDArray | None]:
    """Values that a file can hold, and which are there where it has no word for those missing."""
    is_there = column.notna().to_numpy()
    if is_there.all() or (isinstance(column.dtype, np.dtype) and column.dtype.kind == "f"):
        return np.asarray(column), None
    cells = column[is_there].infer_objects()
    filled = column.astype(object).where(is_there, cells.iloc[0])
    return np.asarray(filled.infer_objects()), is_there


def _more(name: str, values: NDArray) -> list[str]:
    return [f"{name}_dim_{i}" for i in range(1, values.ndim)]


_recipes: "weakref.WeakKeyDictionary[pm.Model, Recipe]" = weakref.WeakKeyDictionary()


def remember(
    model: pm.Model,
    name: str,
    arguments: dict[str, Any],
    *,
    table: "pd.DataFrame | None" = None,
    by_row: Mapping[str, ArrayLike | None] | None = None,
    encode: Callable[[Any], dict[str, Any]] | None = None,
    titles: Mapping[str, str] | None = None,
    levels: Mapping[str, Sequence[Any]] | None = None,
) -> pm.Model:
    """Note the catalogue entry of a model, and hand the model back.

    Parameters
    ----------
    model
        What the entry made.
    name
        The entry.
    arguments
        Those that JSON can hold; arrays become lists.
    table, by_row, encode, titles, levels
        As in `Recipe`; what is None in ``by_row`` is left out. ``encode`` must not hold the model.
    """
    plain = {key: v.tolist() if hasattr(v, "tolist") else v for key, v in arguments.items()}
    kept = {key: np.asarray(v) for key, v in (by_row or {}).items() if v is not None}
    _recipes[model] = Recipe(
        name, json.dumps(plain), table, kept, encode, titles or {}, levels or {}
    )
    return model


def remember_columns(model: pm.Model, columns: Mapping[str, str]) -> pm.Model:
    """Note of which columns of a file a model's arguments by row are, and hand the model back."""
    _recipes[model] = replace(_recipes[model], columns=dict(columns))
    return model


def recipe_of(model: pm.Model) -> Recipe:
    """How a model was made; with an empty name for one of the user's own."""
    recipe, weights = _recipes.get(model, Recipe()), weights_of(model)
    if recipe.name and weights is not None:
        return replace(recipe, by_row={**recipe.by_row, "weights": weights})
    return recipe


def title_of(model: pm.Model, variable: str) -> str:
    """What a variable stands for: the name of its column, where that is another than its own."""
    return recipe_of(model).titles.get(variable, variable)
