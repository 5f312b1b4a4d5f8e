"""`summary`: what `arviz.summary` gives, on aligned components, and whether it means anything.

A table of components is given only where components keep their identity over draws. Elsewhere it
would be a table of whatever the alignment happened to call component 0, so the table holds what
labels cannot change, and says why.
"""

import inspect
from typing import Any

import pandas as pd
import pymc as pm
import xarray as xr
from numpy.typing import NDArray

from unmix.arguments import no_option
from unmix.assign.alignment import stored_z
from unmix.assign.convergence import never_move, of_arviz
from unmix.assign.doubts import WITHOUT_MODEL, doubts, few_rows
from unmix.assign.label_free import occupied, of_responsibilities, order_statistics
from unmix.assign.moments import mixture_moments
from unmix.assign.relabel.applying import GROUP
from unmix.assign.relabel.arrays import with_dims
from unmix.assign.relabel.foreign import not_moved
from unmix.assign.relabel.layout import Layout, named_axes
from unmix.assign.relabel.relabelling import Relabelling
from unmix.assign.relabel.source import model_layout
from unmix.assign.relabel.verb import in_a_model, read_source, relabel, relabel_source
from unmix.assign.summary_result import Summary
from unmix.derive import Derivation, derive
from unmix.derive.correlations import with_correlations
from unmix.derive.theta import stack_theta, theta_dataset
from unmix.errors import UnmixError


def summary(
    model: pm.Model | None = None,
    fit: Any = None,
    *,
    relabelling: Relabelling | None = None,
    method: str | None = None,
    **how: Any,
) -> Summary:
    """Summarise the draws of a mixture on aligned components, or say why not.

    Parameters
    ----------
    model
        The declared mixture; found in the ``with`` block when left out. For the trace of another
        program give ``axes`` instead; a flag then says what cannot be known without a model.
    fit
        The draws. They stay as they are.
    relabelling
        From `relabel`, of these draws. By default they are aligned by ``method``.
    method
        As `relabel`; by default ``"reference"``, to the likeliest draw, with the names of the
        alignment that the fit holds; for a trace without a model that has ``z``
        ``"ecr-iterative-1"``, and with ``responsibility`` ``"stephens"``.
    **how
        The options of `relabel`.

    Returns
    -------
    Summary
        Print it; ``.table`` is the DataFrame.

    Raises
    ------
    UnmixError
        If the draws do not belong to the model, or there are none.
    """
    if fit is None and not isinstance(model, pm.Model | type(None)):
        model, fit = None, model
    if fit is None:
        raise UnmixError(
            "there is nothing to summarise: pass the draws, as in summary(model, post)"
        )
    if isinstance(fit, xr.DataTree) and GROUP in fit.children:
        raise UnmixError(
            f"the draws are aligned already (group {GROUP!r}): summarise those that they were made "
            "from, with relabelling=, or drop the group"
        )
    known = set(inspect.signature(relabel).parameters) - {"model", "fit", "trace"}
    for name in how:
        if name not in known:
            takes = "relabelling, method, and the options of relabel"
            raise no_option("summary", name, known | {"relabelling"}, takes)
    derivation = None
    if "axes" not in how and (model is not None or in_a_model()):
        derivation = derive(model)
    fit = with_dims(fit, {} if derivation is None else derivation.dims)
    dataset = theta_dataset(fit)
    if derivation is None:
        layout = _foreign_layout(dataset, how)
    else:
        stack_theta(derivation, fit)  # refuses what is not of this model, or not finite
        layout = model_layout(derivation, dataset)
    if relabelling is None and layout.components.symmetric:
        source = read_source(model, fit, **{k: v for k, v in how.items() if k in _READ})
        relabelling = relabel_source(
            source, method or _default_method(derivation, how),
            **{k: v for k, v in how.items() if k not in _READ},
        )  # fmt: skip
    return _summarise(derivation, fit, dataset, layout, relabelling, how)


_READ = ("z", "responsibility", "data", "axes", "symmetry", "rng")


def _default_method(derivation: Derivation | None, how: dict[str, Any]) -> str:
    if derivation is None and how.get("z") is not None:
        return "ecr-iterative-1"
    if derivation is None and how.get("responsibility") is not None:
        return "stephens"
    return "reference"


def _foreign_layout(dataset: xr.Dataset, how: dict[str, Any]) -> Layout:
    z = how.get("z")
    own = (z,) if isinstance(z, str) else ()
    components = named_axes(dataset, how.get("axes"), how.get("symmetry"), own)
    return Layout(components, own[0] if own else "")


def _summarise(
    derivation: Derivation | None,
    fit: Any,
    dataset: xr.Dataset,
    layout: Layout,
    relabelling: Relabelling | None,
    how: dict[str, Any],
) -> Summary:
    raw = _chains(dataset.drop_vars(layout.z, errors="ignore"))
    if relabelling is None:
        aligned, identified = raw, True
        flags = [
            "one component: there are no labels to speak of"
            if layout.components.n_components == 1
            else "labels come from the declaration: no two components are exchangeable"
        ]
    else:
        bare = theta_dataset(relabelling.apply(fit))
        aligned = _chains(bare.drop_vars(layout.z, errors="ignore"))
        identified = relabelling.identified
        flags = [relabelling.sentence, *relabelling.notes]
    labelled = [n for n in (*layout.moved, *layout.computed) if n in raw]
    all_that_moves = [n for n in layout.moved if n in raw] or list(map(str, raw.data_vars))
    flags[:0] = never_move(
        [raw[n].transpose("chain", "draw", ...).values for n in all_that_moves],
        raw["chain"].values.tolist(),
    )
    shown = aligned if identified else aligned.drop_vars(labelled)
    free, missing = _label_free(derivation, fit, dataset, layout, how)
    table, label_free = _table(shown), _table(free)
    diagnostics = _diagnostics(raw[labelled], aligned[labelled], label_free)
    flags += missing
    if derivation is not None and identified:
        matched = None if relabelling is None else relabelling.flat_permutation()
        smallest = float(free["share_(1)"].mean())
        flags += few_rows(derivation, stack_theta(derivation, fit), matched, smallest)
    if derivation is None:
        flags += not_moved(raw, labelled, layout.components.n_components)
    flags += doubts(fit, table, label_free, raw.sizes.get("chain", 1), relabelling)
    flags = list(dict.fromkeys(flags))  # a relabelling says of its draws what is said here
    return Summary(table, label_free, diagnostics, tuple(flags), identified, relabelling, fit)


def _label_free(
    derivation: Derivation | None,
    fit: Any,
    dataset: xr.Dataset,
    layout: Layout,
    how: dict[str, Any],
) -> tuple[xr.Dataset, list[str]]:
    """Label-free numbers of every draw, dims (chain, draw); and what is left out of them."""
    from unmix.assign.relabel.foreign import lead_of
    from unmix.assign.relabel.reading import read_z

    lead = lead_of(dataset, layout)
    found: dict[str, NDArray] = {}
    z, missing = None, WITHOUT_MODEL
    if derivation is not None:
        stack = stack_theta(derivation, fit)
        moments, missing = mixture_moments(derivation, stack)
        found |= of_responsibilities(derivation, stack) | moments
        z = stored_z(derivation, fit)
    if z is None and how.get("z") is not None:
        z = read_z(fit, how["z"], lead, layout.components.n_components)
    if z is not None:
        found["occupied"] = occupied(z, layout.components.n_components)
    found |= order_statistics(layout, layout.read(layout.in_order(dataset), lead))
    variables = {}
    for name, value in found.items():
        columns = {name: value} if value.ndim == 1 else {
            f"{name}_({k + 1})": value[:, k] for k in range(value.shape[1])
        }  # fmt: skip
        for column, numbers in columns.items():
            variables[column] = (tuple(lead), numbers.reshape(tuple(lead.values())))
    return _chains(xr.Dataset(variables)), [missing] if missing else []


def _chains(dataset: xr.Dataset) -> xr.Dataset:
    """The draws with the dims (chain, draw) that ArviZ asks for, and nothing that has no draws."""
    if "draw" not in dataset.dims and "sample" in dataset.dims:
        dataset = dataset.drop_indexes("sample", errors="ignore").rename(sample="draw")
    if "chain" not in dataset.dims:
        dataset = dataset.drop_vars("chain", errors="ignore").expand_dims(chain=[0])
    return dataset[[n for n, v in dataset.data_vars.items() if "draw" in v.dims]]


def _table(dataset: xr.Dataset) -> pd.DataFrame:
    """`arviz.summary`, a variable at a time: it mixes rows up where two have a dim in common."""
    dataset = with_correlations(dataset)
    parts = [of_arviz(dataset[[name]]) for name in dataset.data_vars]
    return pd.concat(parts) if parts else pd.DataFrame()


_DIAGNOSTICS = ["r_hat", "ess_bulk", "ess_tail"]


def _diagnostics(raw: xr.Dataset, aligned: xr.Dataset, free: pd.DataFrame) -> pd.DataFrame:
    """R-hat and effective sample sizes before and after; the same twice where labels are none."""
    both = []
    for labelled in (_table(raw), _table(aligned)):
        parts = [part for part in (labelled, free) if len(part)]
        rows = pd.concat(parts)
        both.append(rows[[c for c in _DIAGNOSTICS if c in rows]])
    return pd.concat(dict(zip(("before", "after"), both, strict=True)), axis=1)
