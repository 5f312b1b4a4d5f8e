r"""`explain`: Bayes' rule for one observation, every term with its number.

.. math::

    p(A \mid B) = \frac{p(A)\, p(B \mid A)}{\sum_C p(C)\, p(B \mid C)},
    \qquad A = \{z_i = k\},\; B = \{x_i\},\; C = \{z_i = j\}

The terms are those of `unmix.bayes_rule`; here they are read, matched across draws, summed up and
put beside the count of z_i. Nothing is averaged before components are matched.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from unmix.assign.alignment import component_matches
from unmix.assign.draws import assign_draws
from unmix.assign.matching import verdict
from unmix.derive import Derivation, bayes_rule, derive
from unmix.derive.theta import stack_theta
from unmix.errors import UnmixError
from unmix.fingerprint import require_same
from unmix.show.explanation import Explanation
from unmix.show.numbers import number, plain, share
from unmix.show.observation import data_of, position
from unmix.show.terms import as_table, log_mean, summed_up, terms_of_row


def explain(
    model: pm.Model | None = None,
    fit: Any = None,
    obs: Any = None,
    *,
    new: Mapping[str, ArrayLike] | pm.Model | None = None,
    interval: float = 0.89,
) -> Explanation:
    r"""Bayes' rule for one observation, term by term, with its numbers.

    Parameters
    ----------
    model
        The declared mixture; found in the ``with`` block when left out.
    fit
        Any θ: an EM result, a DataTree or Dataset of draws, a dict of values.
    obs
        Label of the observation. May be left out where there is only one.
    new
        Other rows, as in `unmix.bayes_rule`; ``obs`` is then among them.
    interval
        Probability of the equal-tailed posterior intervals when the fit has draws.

    Returns
    -------
    Explanation
        Printed, it is the derivation; ``.table`` has the numbers. With draws every term is a
        posterior mean with its interval, components matched across draws first, as in
        `unmix.responsibilities`; beside the averaged responsibility stands how often z_i was
        drawn there.

    Raises
    ------
    UnmixError
        If there is no such observation, no fit, the fit was made with another model, or the model
        cannot be derived.
    """
    if not 0 < interval < 1:
        raise UnmixError(f"interval is {interval}: give a probability between 0 and 1, as 0.89")
    derivation = derive(model)
    if isinstance(fit, xr.DataTree):
        require_same(derivation, str(fit.attrs.get("fingerprint", "")))
    if fit is None:
        raise UnmixError("there is no θ to explain at: pass the result of unmix.em or unmix.sample")
    here = derivation if new is None else derivation.on(new)
    row = position(here, obs, new=new is not None)
    bayes = bayes_rule(derivation.model, fit, obs=[row], new=new)
    sample = tuple(str(d) for d in bayes["log_marginal"].dims if d != "obs")
    draws = int(np.prod([bayes.sizes[d] for d in sample])) if sample else None
    labels = _match(derivation, fit, draws) if draws else None
    permutation = None if labels is None else labels.permutation
    logs = terms_of_row(bayes, permutation)
    width = interval if draws else None
    table = as_table(summed_up(logs, width), here.component_labels, width)
    explanation = Explanation(
        obs=here.obs_labels[row],
        new=new is not None,
        latent=here.latent.name,
        observed=tuple(here.opened.assignment_terms),
        data=data_of(here, row),
        theta=_which_theta(fit, draws, width),
        table=table,
        interval=width,
        draws=draws,
        notes=(),
    )
    z = _assignments(fit, derivation.latent.name, row) if new is None and draws else None
    if z is not None:
        explanation = replace(explanation, table=_counted(table, z, permutation))
    notes = (
        *_undefined_note(logs),
        *_status_note(fit),
        *_average_note(explanation, logs),
        *_count_note(explanation, fit, logs),
        *_label_note(labels),
    )
    return replace(explanation, notes=notes)


# -- what the fit holds beside θ -----------------------------------------------------------------


class Labels(NamedTuple):
    """How components were matched across draws.

    ``permutation`` has shape (sample, component): the raw component of each matched one.
    """

    permutation: NDArray[np.intp]
    identified: bool
    sentence: str


def _match(derivation: Derivation, fit: Any, draws: int) -> Labels | None:
    """As `unmix.responsibilities` does; None where labels have meaning, and stay."""
    if not derivation.components.symmetric:
        return None
    k = derivation.n_components
    if isinstance(fit, xr.DataTree) and "alignment" in fit.children:
        shape = fit["alignment"]["permutation"].shape
        if np.prod(shape) != draws * k:
            raise UnmixError(
                f"the fit's alignment has shape {shape} for {draws} draws of {k} components: thin "
                "both groups alike, or leave the group out"
            )
    permutation, margin = component_matches(derivation, fit, draws)
    if permutation is None or margin is None:
        found = assign_draws(derivation, stack_theta(derivation, fit), None)
        permutation, margin = found.permutation, found.margin
    return Labels(permutation, *verdict(margin, symmetric=True))


def _assignments(fit: Any, latent: str, row: int) -> NDArray | None:
    """Draws of z_i in raw labels, shape (sample,); None where the fit holds none."""
    groups: list[Any] = [fit]
    if isinstance(fit, xr.DataTree):
        groups = [fit[name] for name in ("assignments", "posterior") if name in fit.children]
    for group in groups:
        if isinstance(group, xr.Dataset | xr.DataTree) and latent in group:
            z = group[latent]
            sample = [d for d in ("chain", "draw", "sample") if d in z.dims]
            if sample:
                values = z.transpose(*sample, ...).to_numpy()
                return values.reshape(int(np.prod(values.shape[: len(sample)])), -1)[:, row]
    return None


def _counted(table: xr.Dataset, z: NDArray, permutation: NDArray | None) -> xr.Dataset:
    """The table with the number of draws in which each component was drawn, and its share."""
    components = np.arange(table.sizes["component"])[None] if permutation is None else permutation
    counted = (z[:, None] == components).sum(axis=0)
    return table.assign(
        counted=("component", counted), assignment_frequency=("component", counted / len(z))
    )


# -- what is said about it -----------------------------------------------------------------------


def _which_theta(fit: Any, draws: int | None, interval: float | None) -> str:
    if draws and interval:
        return (
            f"Posterior means over {draws:,} draws of θ; below each its equal-tailed "
            f"{share(interval)} interval."
        )
    kinds = {"likelihood": "the maximum likelihood θ", "posterior": "the posterior mode of θ"}
    kind = kinds.get(str(getattr(fit, "kind", "")))
    return f"At {kind} found by EM." if kind else "At the given θ."


def _undefined_note(logs: dict[str, NDArray]) -> tuple[str, ...]:
    undefined = int(np.isnan(logs["responsibility"]).any(axis=1).sum())
    if not undefined:
        return ()
    where = "" if len(logs["marginal"]) == 1 else f" in {undefined:,} draws"
    return (
        f"The marginal p(B) is zero or infinite{where}: Bayes' rule divides zero by zero there, "
        "and no responsibility would be the right one.",
    )


def _status_note(fit: Any) -> tuple[str, ...]:
    if getattr(fit, "converged", True):
        return ()
    status = fit.status
    return (f"EM has not converged ({plain(status.name)}). {plain(status.advice, 400)}",)


def _average_note(explanation: Explanation, logs: dict[str, NDArray]) -> tuple[str, ...]:
    """The mean of a ratio is not the ratio of means; shown where they differ most."""
    if explanation.interval is None:
        return ()
    joint, marginal = log_mean(logs["joint"]), log_mean(logs["marginal"])
    with np.errstate(invalid="ignore"):
        ratio = np.exp(joint - marginal)
    averaged = explanation.table["responsibility"].sel(summary="mean").to_numpy()
    sentence = "p(A|B) is the mean over draws of the ratio, not the ratio of the means to its left"
    if not np.isfinite(ratio - averaged).all():
        return (sentence + ".",)
    k = int(np.argmax(np.abs(ratio - averaged)))
    label = plain(explanation.table["component"].values[k])
    shown, other = number(averaged[k]), number(ratio[k])
    example = f" (component {label}: {shown}, not {other})" if shown != other else ""
    return (f"{sentence}{example}.",)


def _count_note(explanation: Explanation, fit: Any, logs: dict[str, NDArray]) -> tuple[str, ...]:
    """What counting should give, where z was drawn afresh at every θ.

    Given θ_t, 1{z_i = k} has mean r_t and variance r_t (1 − r_t), independently over t, so the
    count has mean Σ r_t and variance Σ r_t (1 − r_t), whatever the chain's mixing.
    """
    if "counted" not in explanation.table or explanation.draws is None:
        return ()
    kind = str(getattr(fit, "attrs", {}).get("z_kind", ""))
    if kind == "dependent":
        return (
            "Counting estimates p(A|B) too; here z_i also depends on the draw before it, so the "
            "two may differ by more than independent draws would.",
        )
    if kind != "fresh":
        return ()
    r = np.exp(logs["responsibility"])
    sd = np.sqrt((r * (1 - r)).sum(axis=0))
    k = int(np.argmax(r.mean(axis=0)))
    label = plain(explanation.table["component"].values[k])
    return (
        f"Counting estimates p(A|B) too: with z_i drawn afresh at every θ, component {label} was "
        f"to be drawn {r[:, k].sum():,.0f} times, give or take {number(sd[k], 2)} (one standard "
        "deviation).",
    )


def _label_note(labels: Labels | None) -> tuple[str, ...]:
    if labels is None:
        return ()
    if not labels.identified:
        return (f"Components are {labels.sentence}.",)
    permutation = labels.permutation
    moved = int((permutation != np.arange(permutation.shape[1])).any(axis=1).sum())
    if not moved:
        return ()
    return (
        f"Components were matched across draws before anything was averaged: {moved:,} of "
        f"{len(permutation):,} draws were relabelled.",
    )
