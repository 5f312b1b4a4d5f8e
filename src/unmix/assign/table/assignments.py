r"""`assignments`: one row of data, one row of a table that says who made it and how surely.

For row i, with draws θ_1, …, θ_T matched within the model's symmetry,

.. math::

    \bar r_{ik} = \frac{1}{T} \sum_t p(z_i = k \mid x_i, θ_t), \qquad
    \underbrace{H(\bar r_i)}_{\text{entropy}} =
        \underbrace{\frac{1}{T} \sum_t H(r_i(θ_t))}_{\text{overlap}}
        + \underbrace{I(z_i; θ \mid x)}_{\text{parameter uncertainty}},

beside the frequency of z_i = k among drawn assignments, and the tail that says whether any
component explains the row at all (`unmix.assign.table.tail`). The mutual information I is what
knowing θ would settle; overlap stays open even then (Depeweg et al. 2018, ICML, section 3).
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pymc as pm
import xarray as xr

from unmix.arguments import file_path, random_generator, share, text
from unmix.assign.labels import match_draws
from unmix.assign.table.columns import Columns, as_partition
from unmix.assign.table.pieces import averages, choose_road, frequencies, pieces
from unmix.assign.table.tail import Replicates, threshold
from unmix.assign.table.write import require_writable, write_table
from unmix.derive import derive
from unmix.derive.theta import stack_theta
from unmix.errors import UnmixError, UnmixWarning
from unmix.fingerprint import require_same

if TYPE_CHECKING:
    import pandas as pd


@overload
def assignments(
    model: pm.Model | None = None,
    fit: Any = None,
    new: Mapping[str, Any] | pm.Model | None = None,
    *,
    interval: float = ...,
    partition: Any = ...,
    to: None = ...,
    overwrite: bool = ...,
    id: str = ...,
    tail: bool = ...,
    false_alarms: float = ...,
    rng: int | np.random.Generator | None = ...,
) -> "pd.DataFrame": ...


@overload
def assignments(
    model: pm.Model | None = None,
    fit: Any = None,
    new: Mapping[str, Any] | pm.Model | None = None,
    *,
    interval: float = ...,
    partition: Any = ...,
    to: str | Path,
    overwrite: bool = ...,
    id: str = ...,
    tail: bool = ...,
    false_alarms: float = ...,
    rng: int | np.random.Generator | None = ...,
) -> Path: ...


def assignments(
    model: pm.Model | None = None,
    fit: Any = None,
    new: Mapping[str, Any] | pm.Model | None = None,
    *,
    interval: float = 0.89,
    partition: Any = None,
    to: str | Path | None = None,
    overwrite: bool = False,
    id: str = "obs",
    tail: bool = True,
    false_alarms: float = 0.01,
    rng: int | np.random.Generator | None = 0,
) -> "pd.DataFrame | Path":
    r"""Who made each row, how surely, and whether any component explains it: one table.

    Parameters
    ----------
    model
        The declared mixture; found in the ``with`` block when left out.
    fit
        EM result, draws of any origin, or a point.
    new
        Other rows: a dict of arrays, or a second model (see `bayes_rule`).
    interval
        Mass of the equal-tailed interval over draws.
    partition
        A partition of the rows to stand beside: whole numbers (obs,), or an object that holds
        them as ``z``.
    to
        A ``.csv`` or ``.parquet`` file to write piece by piece, without the whole table in memory.
        In CSV, text that a spreadsheet would run as a formula (beginning with = + - @, a tab or a
        line break, and no number) has an apostrophe before it, which `unmix fit` takes away again.
    overwrite
        Whether a file that is there may be replaced.
    id
        What to call the index, or the file's column, that names the rows.
    tail
        Whether to simulate rows for the posterior predictive tail.
    false_alarms
        Share of tables with any row flagged as unexplained, if the model is right.
    rng
        Seed or generator of the simulated rows.

    Returns
    -------
    pandas.DataFrame or pathlib.Path
        The table, or the file that was written. Rows are named by the model's ``obs`` labels.
        Columns, for each component k by its label:

        - ``most_likely``: the component of the largest averaged responsibility;
        - ``responsibility[k]``, with draws ``lower[k]`` and ``upper[k]``, and where the fit holds
          z for these rows ``assignment_frequency[k]``;
        - ``entropy`` of the averaged responsibilities, nats; with draws its two parts,
          ``overlap`` and ``parameter_uncertainty``;
        - ``partition``, where one is given;
        - ``tail``: posterior predictive probability of a row as improbable as this one or more;
          ``unexplained``: whether it is at most ``false_alarms / (2 N)``.

        ``attrs`` say whether components are identified and how they were matched, the interval,
        the number of draws and of replicates, the threshold of the flag, and what is left out.

    Raises
    ------
    UnmixError
        If the fit does not belong to the model, a row is impossible under every component, an
        option cannot be used, or the file cannot be written.

    Warns
    -----
    UnmixWarning
        If components are not identified (columns that speak of components are left out then), or
        rows cannot be simulated (``tail`` and ``unexplained`` are).
    """
    interval, false_alarms = (
        share("interval", interval, "0.89"),
        share("false_alarms", false_alarms, "0.01"),
    )
    id = text("id", id, "obs")
    generator = random_generator(rng)
    path = None if to is None else file_path("to", to)
    if path is not None:
        require_writable(path, overwrite=overwrite)
    fitted = derive(model)
    if isinstance(fit, xr.DataTree):
        require_same(fitted, str(fit.attrs.get("fingerprint", "")))
    derivation = fitted if new is None else fitted.on(new)
    stack = stack_theta(derivation, fit)
    given = as_partition(partition, derivation.n_obs, derivation.obs_labels)
    labels = match_draws(fitted, fit, len(stack) if stack.dims else None)
    z = frequencies(fitted, fit, labels) if new is None and stack.dims else None
    columns = Columns(
        id, derivation.obs_labels, derivation.component_labels, labels.identified, z, given,
        threshold(derivation.n_obs, false_alarms),
    )  # fmt: skip
    road = choose_road(derivation, stack)
    replicates: Replicates | str = "not asked for"
    if tail:
        replicates = road.replicates(false_alarms, generator)
    averaged = averages(road, model, fit, new, interval)
    attrs: dict[str, Any] = {
        "identified": int(labels.identified),
        "alignment": labels.sentence,
        "interval": interval,
        "samples": len(stack),
    }
    if not labels.identified:
        warnings.warn(
            f"components are {labels.sentence}; the table leaves out every column that speaks of "
            "one",
            UnmixWarning,
            stacklevel=2,
        )
    if isinstance(replicates, str):
        attrs["tail"] = f"left out: {replicates}"
        if tail:
            warnings.warn(
                f"the columns tail and unexplained are left out: {replicates}",
                UnmixWarning,
                stacklevel=2,
            )
    else:
        attrs |= {
            "tail": f"unexplained where tail <= false_alarms / (2 N) = {columns.threshold:.3g}",
            "false_alarms": false_alarms,
            "replicates": replicates.total,
        }
    known = None if isinstance(replicates, str) else replicates
    frames = (
        columns.frame(_possible(piece, derivation.obs_labels))
        for piece in pieces(road, labels, interval, known, averaged)
    )
    if path is not None:
        write_table(frames, path)
        return path
    import pandas as pd

    table = pd.concat(list(frames))
    table.attrs.update(attrs)
    return table


def _possible(piece: Any, obs: Any) -> Any:
    """The piece, if some component allows each of its rows at every draw.

    Raises
    ------
    UnmixError
        Naming the first row that none does.
    """
    bad = np.flatnonzero(np.isnan(piece.responsibility).any(axis=1))
    if len(bad):
        raise UnmixError(
            f"row {obs[piece.rows][bad[0]]} is impossible under every component at a draw of the "
            "fit, so no component can have made it: add a component that allows it, or remove the "
            "row"
        )
    return piece
