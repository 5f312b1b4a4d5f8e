"""A catalogue model again, on other rows: the second model that verbs take as ``new=``."""

import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pymc as pm

from unmix.errors import UnmixError
from unmix.recipe import recipe_of


def rebuild(
    catalogue: Mapping[str, Callable[..., pm.Model]], model: pm.Model, x: Any, by_row: Any
) -> pm.Model:
    """The entry that a model came from, with its arguments, on the rows ``x``.

    Raises
    ------
    UnmixError
        For a model of the user's own, or arguments by row that are missing or unknown.
    """
    recipe = recipe_of(model)
    if recipe.name not in catalogue:
        raise UnmixError(
            "the model is not of the catalogue unmix.models: build it on the new rows as it was "
            "built on the old ones"
        )
    entry = catalogue[recipe.name]
    for name in inspect.signature(entry).parameters:
        # Labels and weights are of the old rows alone; all else that is given by row is needed.
        if name in recipe.by_row and name not in by_row and name not in ("labels", "weights"):
            raise UnmixError(
                f"{recipe.name} takes {name} by row: give {name}= for the new rows as well"
            )
    for name in by_row:
        if name not in recipe.by_row:
            raise UnmixError(
                f"{recipe.name} was built without {name}: leave it out, or build the model with it"
            )
    arguments = {
        key: np.array(value) if isinstance(value, list) else value
        for key, value in json.loads(recipe.arguments).items()
    }
    return entry(x, **{**arguments, **by_row})
