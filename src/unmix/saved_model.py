"""What a saved fit knows of its model: a catalogue entry, its arguments, and the rows."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr

from unmix.derive.row_weights import weigh
from unmix.errors import UnmixError
from unmix.printable import listed, printable
from unmix.recipe import BY_ROW, TABLE, remember_columns


def load_model(tree: xr.DataTree) -> pm.Model:
    """Build the catalogue model of a saved fit again, on the rows saved with it.

    Parameters
    ----------
    tree
        From `load_tree`.

    Returns
    -------
    pymc.Model

    Raises
    ------
    UnmixError
        If the fit is of a model of the user's own, or its note does not fit the catalogue.
    """
    from unmix.models import CATALOGUE

    name = str(tree.attrs.get("model", ""))
    if not name:
        raise UnmixError(
            "the fit is of a model that is not in the catalogue unmix.models: build it again "
            "and pass it to the functions of unmix together with the loaded fit"
        )
    if name not in CATALOGUE:
        raise UnmixError(
            f"the fit names a model {printable(name)}, and the catalogue has "
            f"{listed(sorted(CATALOGUE))}: was it saved by another version of unmix?"
        )
    damaged = UnmixError(
        f"what the fit says of its model {printable(name)} cannot be used: it was altered or "
        "saved by another version of unmix"
    )
    try:
        arguments = json.loads(tree.attrs.get("model_arguments", ""))
        arguments = {
            key: np.array(value) if isinstance(value, list) else value
            for key, value in arguments.items()
        }
        arguments |= _by_row(tree)
        weights = arguments.pop("weights", None)  # every model takes these
        model = weigh(CATALOGUE[name](_rows(tree), **arguments), weights)
        return remember_columns(model, _columns(tree))
    except UnmixError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise damaged from error


def _with_holes(table: xr.Dataset, j: int) -> Any:
    """A column, with nothing where nothing was."""
    values = table[f"column_{j}"].to_numpy()
    if f"there_{j}" not in table:
        return values
    with_holes = values.astype(object)
    with_holes[~table[f"there_{j}"].to_numpy().astype(bool)] = None
    return with_holes


def _by_row(tree: xr.DataTree) -> dict[str, Any]:
    """Arguments with one value for each row."""
    if BY_ROW not in tree.children:
        return {}
    return {str(name): v.to_numpy() for name, v in tree[BY_ROW].data_vars.items()}


def _columns(tree: xr.DataTree) -> dict[str, str]:
    """Of a file, that these were read from, where the fit knows."""
    if BY_ROW not in tree.children:
        return {}
    read = tree[BY_ROW].data_vars.items()
    return {str(name): str(v.attrs["column"]) for name, v in read if "column" in v.attrs}


def _rows(tree: xr.DataTree) -> Any:
    """The rows as a Series or a frame with their names, as they went in."""
    if TABLE in tree.children:
        table = tree[TABLE].to_dataset()
        # Zarr hands columns back in an order of its own.
        number = len([name for name in table.data_vars if str(name).startswith("column_")])
        columns = [table[f"column_{j}"] for j in range(number)]
        frame = pd.DataFrame({j: _with_holes(table, j) for j in range(number)})
        frame.columns = pd.Index([v.attrs["name"] for v in columns])
        return frame.set_index(table["obs"].to_index())
    (array,) = tree["observed_data"].to_dataset().data_vars.values()
    if array.ndim == 1:
        return array.to_series().rename(array.attrs.get("feature", array.name))
    rows = array.transpose("obs", ...)
    names = rows[rows.dims[1]].to_numpy().astype(str)
    return pd.DataFrame(rows.to_numpy(), index=rows["obs"].to_index(), columns=names)
