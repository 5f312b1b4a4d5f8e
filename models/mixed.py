"""Columns of different kinds in one table: each with a family of its own, all sharing one z.

The story of one observation: nature picks a component, then draws every column from it, without
regard to the other columns.

    w               ~ Dirichlet(1, …, 1)      how common each component is
    z_i             ~ Categorical(w)          which component made observation i
    x_ij | z_i = k  ~ Family_j(theta_kj)      what that component makes in column j

with Family_j one of normal, student_t, poisson, negative_binomial, exponential, bernoulli and
categorical (Everitt 1988, Statistics & Probability Letters 6:305, for normal and categorical
columns; conditional independence as in latent classes). Priors are those of the catalogue's models
of one family.

What the family of a column is, unless said: text and categoricals are categorical; truth values,
and whole numbers that are 0 and 1, bernoulli; numbers with decimals, and whole numbers some of
which are negative, normal; other whole numbers categorical where there are at most 5 different
ones, else poisson, or from a mean of 100 on normal. Cells that are missing are not looked at.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
from numpy.typing import NDArray

from unmix.arguments import numbers
from unmix.errors import UnmixError
from unmix.levels import (
    Level,
    as_frame,
    checked_levels,
    columns_of,
    require_complete,
    row_labels,
)
from unmix.printable import listed, printable
from unmix.recipe import remember
from unmix.safe_names import safe_names

from .columns import (  # noqa: TID251  a sibling
    FAMILIES,
    PARTS,
    Column,
    guess,
    require_different,
    scale_names,
    scales_of,
    values_of,
)
from .held import Held  # noqa: TID251
from .latent import Latent  # noqa: TID251
from .parts import add_rows, positive  # noqa: TID251


def mixed(
    x: Any,
    components: Any = 2,
    *,
    families: Mapping[str, str] | None = None,
    levels: Mapping[str, Any] | None = None,
    scales: Mapping[str, Mapping[str, float]] | None = None,
    labels: Any = None,
    together: Any = None,
    fixed: Mapping[str, Any] | None = None,
    concentration: float = 1.0,
    weights: Any = None,
) -> pm.Model:
    """Declare columns of different kinds that share one z: numbers, counts and categories.

    Parameters
    ----------
    x
        A frame; cells may be missing.
    components
        K, at least 1 and at most the number of rows; or a sequence of names.
    families
        Families by column: ``"normal"``, ``"student_t"``, ``"poisson"``, ``"negative_binomial"``,
        ``"exponential"``, ``"bernoulli"`` or ``"categorical"``. Columns that are not named have
        the one guessed from their type (`guessed_families`).
    levels
        Levels of categorical columns, as in `latent_class`.
    scales
        What priors are measured in, by column, in units of the column: ``centre``, ``spread`` and
        ``scale`` of a normal or t, ``mean`` of counts and waiting times, as in the models of one
        family. By default the data's own.
    labels
        What is known of rows' components: names or numbers (obs,), missing where unknown; or
        factors of the weights (obs, component). New rows have no labels.
    together
        The subject of each row: rows of one subject share one ``z``. Missing: a row on its own.
    fixed
        Values of parameters that are known, by name as ``mu_age``, in full shape; NaN for
        components that are free.
    concentration
        Of the Dirichlet prior of ``w``.
    weights
        How much each row counts, 0 or more (`unmix.weigh`); rows of one subject have one weight.
        Priors are scaled to the rows as they stand.

    Returns
    -------
    pymc.Model
        Free ``w`` (component), latent ``z`` (obs, or subject), an observed variable for each
        column, named after it, and its parameters: ``mu_age`` and ``sigma_age`` of a normal column
        ``age``. Where a column's name cannot be a variable's, the nearest one that can.

    Raises
    ------
    UnmixError
        For an unknown family, cells that a column's family cannot have made, a constant column, or
        a number of components that the rows cannot carry.

    Notes
    -----
    New rows are given as a table with the same columns: ``new=frame``.
    """
    frame = as_frame(x)
    columns = list(frame.columns)
    declared = checked_levels(levels, columns)
    chosen = _chosen(families, columns)
    rows = row_labels(frame)
    for name in columns:
        if name not in chosen:
            chosen[name] = "categorical" if name in declared else guess(frame[name])
    given = _scales(scales, chosen, declared)
    latent, held = Latent(rows, labels, together, weights), Held(fixed)
    names = latent.component_names(components, counted=not given)
    concentration = positive("concentration", concentration)
    called = safe_names(columns, PARTS)
    values: dict[str, NDArray] = {}
    known: dict[str, list[Level]] = {}
    for name in columns:
        values[name], found = values_of(
            frame[name], chosen[name], declared.get(name), rows, constant=bool(given)
        )
        if not given:
            require_different(frame[name], chosen[name], values[name])
        if found:
            known[name] = found
    measured = given or {name: scales_of(values[name], chosen[name]) for name in columns}
    with pm.Model(coords={"component": names}) as model:
        add_rows(model, rows)
        w = held("w", ("component",), pm.Dirichlet, [concentration] * len(names))
        z = latent.declare(w, names)
        for name in columns:
            column = Column(called[name], values[name], known.get(name, []), measured[name])
            FAMILIES[chosen[name]](column, z, held)

    def encode(new: Any) -> dict[str, NDArray]:
        return _encoded(new, chosen, known, called)

    arguments = {
        "components": components,
        "families": {name: chosen[name] for name in columns},
        "levels": known,
        "scales": measured,
        "fixed": held.plain(),
        "concentration": concentration,
    }
    titles = {variable: column for column, variable in called.items()}
    shown = {called[name]: given for name, given in known.items()}
    return remember(
        latent.weigh(model), "mixed", arguments, table=frame, by_row=latent.by_row,
        encode=encode, titles=titles, levels=shown,
    )  # fmt: skip


def _scales(
    scales: Mapping[str, Mapping[str, float]] | None,
    chosen: Mapping[str, str],
    levels: Mapping[str, Any],
) -> dict[str, dict[str, float]]:
    """What priors are measured in, of every column, where it is given; else nothing.

    With levels and scales of all columns nothing is read off the rows, and any will do.
    """
    if scales is None:
        return {}
    found: dict[str, dict[str, float]] = {}
    for name, family in chosen.items():
        given, needed = dict(scales.get(name, {})), scale_names(family)
        if sorted(given) != sorted(needed) or (family == "categorical" and name not in levels):
            what = "levels" if family == "categorical" else f"scales {listed(list(needed))}"
            raise UnmixError(
                f"scales are given, and of column {printable(name)}, which is {family}, not: give "
                f"{what} of it as well"
            )
        found[name] = {
            key: float(numbers(f"{key} in scales", value, "a number"))
            for key, value in given.items()
        }
        for key in set(needed) - {"centre"}:
            positive(f"{key} in scales", found[name][key])
    return found


def guessed_families(x: Any) -> dict[str, str]:
    """The family of each column by its type and values, as `mixed` guesses it.

    Parameters
    ----------
    x
        A frame.

    Returns
    -------
    dict
        From column to family.

    Raises
    ------
    UnmixError
        For two columns of one name, or a column without cells.
    """
    frame = as_frame(x)
    return {str(name): guess(column) for name, column in frame.items()}


def _chosen(families: Mapping[str, str] | None, columns: list[str]) -> dict[str, str]:
    """Families that were said, each of them known and of a column that is there."""
    if families is not None and not isinstance(families, Mapping):
        raise UnmixError(
            "families is no dict: give the family of a column by its name, such as "
            "{'visits': 'poisson'}"
        )
    chosen = {str(name): family for name, family in (families or {}).items()}
    for name, family in chosen.items():
        if name not in columns:
            raise UnmixError(
                f"families names a column {printable(name)} that is not there: the columns are "
                f"{listed(columns)}"
            )
        if family not in FAMILIES:
            raise UnmixError(
                f"column {printable(name)} is called {printable(family)}, which is no family: give "
                f"one of {listed(list(FAMILIES))}"
            )
    return chosen


def _encoded(
    new: Any, chosen: dict[str, str], known: dict[str, list[Level]], called: dict[str, str]
) -> dict[str, NDArray]:
    """New rows as arrays by variable of the model."""
    if isinstance(new, Mapping) and not set(map(str, new)) & set(called):
        return dict(new)  # by names of the model's own variables
    frame = columns_of(new, list(called))
    labels = row_labels(frame)
    found = {}
    for name, variable in called.items():
        require_complete(frame[name], labels)
        if chosen[name] in ("categorical", "bernoulli"):
            codes = values_of(frame[name], chosen[name], known.get(name), labels)[0]
            found[variable] = codes.astype(np.int64)
        else:
            found[variable] = frame[name].infer_objects().to_numpy()
    return found
