"""The rows that a figure can place: those of which no cell is missing.

Figures of components have an axis for each column. Where some cells are missing, the rows that have
all of theirs make a second model of the catalogue, and the fit is shown on that.
"""

from typing import TYPE_CHECKING, Any

from unmix.errors import UnmixError

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr


def placed_rows(
    model: "pm.Model", fit: Any, responsibilities: "xr.Dataset"
) -> "tuple[pm.Model, Any, xr.Dataset, str]":
    """What a figure of components is drawn from, and a sentence on what it leaves out.

    Parameters
    ----------
    model
        The declared mixture.
    fit
        An EM result or a tree of draws.
    responsibilities
        Of all its rows.

    Returns
    -------
    model, fit, responsibilities
        Of the complete rows where cells are missing; else what was given.
    sentence
        Empty where nothing is left out.
    """
    import pandas as pd
    import xarray as xr

    import unmix
    from unmix.derive import derive
    from unmix.derive.present import has_missing, rows_shown

    if not has_missing(model):
        return model, fit, responsibilities, ""
    derivation = derive(model)
    observed = [n for n in derivation.opened.observed if n in derivation.opened.assignment_terms]
    if len(observed) != 1:
        return model, fit, responsibilities, ""  # no such figure: it says so itself
    values = rows_shown(derivation, observed[0])
    table = pd.DataFrame(values.reshape(len(values), -1), index=derivation.obs_labels)
    features = model.coords.get("feature")
    if features is not None and len(features) == table.shape[1]:
        table.columns = list(map(str, features))
    complete = table.dropna()
    try:
        again = unmix.models.on_rows(model, complete)
        found = unmix.responsibilities(model, fit, new=again)
    except UnmixError:  # groups, subjects, errors: what is given by row is not at hand here
        return model, fit, responsibilities, ""
    if isinstance(fit, xr.DataTree):
        fit = fit["posterior"].to_dataset()  # not asked whether it was made with these rows
    sentence = (
        f"the figures of places show the {len(complete)} of {len(table)} rows that miss no cell"
    )
    return again, fit, found, sentence
