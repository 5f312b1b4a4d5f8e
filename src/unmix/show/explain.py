r"""`explain`: Bayes' rule for one observation, every term with its number.

.. math::

    p(A \mid B) = \frac{p(A)\, p(B \mid A)}{\sum_C p(C)\, p(B \mid C)},
    \qquad A = \{z_i = k\},\; B = \{x_i\},\; C = \{z_i = j\}

The terms are those of `unmix.bayes_rule`; here they are read, matched across draws, summed up and
put beside the count of z_i. Nothing is averaged before components are matched.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from unmix.arguments import share, whole
from unmix.assign.labels import Labels, match_draws
from unmix.derive import Derivation, bayes, derive
from unmix.derive.theta import SAMPLE_DIMS, stack_theta
from unmix.errors import UnmixError
from unmix.fingerprint import require_same
from unmix.recipe import title_of
from unmix.show.explanation import Explanation
from unmix.show.notes import (
    average_note,
    count_note,
    label_note,
    skew_note,
    status_note,
    undefined_note,
    which_theta,
)
from unmix.show.observation import data_of, find_row
from unmix.show.one_row import OneRow
from unmix.show.terms import as_table, summed_up, terms_of_row
from unmix.show.why import deeper, near


def explain(
    model: pm.Model | None = None,
    fit: Any = None,
    obs: Any = None,
    *,
    new: Mapping[str, ArrayLike] | pm.Model | None = None,
    interval: float = 0.89,
    features: bool = False,
    neighbours: int = 0,
) -> Explanation:
    r"""Bayes' rule for one observation, term by term, with its numbers.

    Parameters
    ----------
    model
        The declared mixture; found in the ``with`` block when left out.
    fit
        Any θ: an EM result, a DataTree or Dataset of draws, a dict of values.
    obs
        Label of the observation; a whole number that no row is labelled is its position from 0, and
        a note says so. May be left out where there is only one row.
    new
        Other rows, as in `unmix.bayes_rule`; ``obs`` is then among them.
    interval
        Probability of the equal-tailed posterior intervals when the fit has draws.
    features
        Also which features pull the row to which component (`unmix.show.contributions`), and at
        which value of one feature the two leading components tie (`unmix.show.ties`).
    neighbours
        Also so many rows of the model that are shared among the components most as this one is,
        draw by draw, and the probability that they come from one component with it
        (`unmix.assign.neighbours`).

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
    interval = share("interval", interval, "0.89", what="a probability between 0 and 1")
    neighbours = whole("neighbours", neighbours, 0)
    derivation = derive(model)
    if isinstance(fit, xr.DataTree):
        require_same(derivation, str(fit.attrs.get("fingerprint", "")))
    if fit is None:
        raise UnmixError("there is no θ to explain at: pass the result of unmix.em or unmix.sample")
    here = derivation if new is None else derivation.on(new)
    row, by_position = find_row(here, obs, new=new is not None)
    stack = stack_theta(here, fit)
    one = OneRow(derivation, here, row, stack)
    draws = len(stack) if stack.dims else None
    labels = _match(derivation, fit, draws) if draws else None
    permutation = None if labels is None else labels.permutation
    log_prior, log_likelihood = one.log_terms()
    rule = bayes.rule(log_prior[:, None], log_likelihood[:, None])
    logs = terms_of_row(rule, permutation)
    width = interval if draws else None
    table = as_table(summed_up(logs, width), here.component_labels, width)
    explanation = Explanation(
        obs=here.obs_labels[row],
        new=new is not None,
        latent=here.latent.name,
        observed=tuple(title_of(here.model, n) for n in here.opened.assignment_terms),
        data=data_of(here, row),
        theta=which_theta(fit, draws, width, labels),
        table=table,
        interval=width,
        draws=draws,
        notes=(),
    )
    z = _assignments(fit, derivation.latent.name, row) if new is None and draws else None
    if z is not None:
        explanation = replace(explanation, table=_counted(table, z, permutation))
    pulls, said = deeper(one, explanation, labels, features)
    alike, thinned = near(one, fit, rule.responsibility[:, 0], neighbours)
    notes = (
        *by_position,
        *undefined_note(logs),
        *status_note(fit),
        *average_note(explanation, logs),
        *skew_note(explanation),
        *count_note(explanation, fit, logs),
        *label_note(labels),
        *said,
        *thinned,
    )
    return replace(explanation, notes=notes, neighbours=alike, **pulls)


# -- what the fit holds beside θ -----------------------------------------------------------------


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
    return match_draws(derivation, fit, draws)


def _assignments(fit: Any, latent: str, row: int) -> NDArray | None:
    """Draws of z_i in raw labels, shape (sample,); None where the fit holds none."""
    groups: list[Any] = [fit]
    if isinstance(fit, xr.DataTree):
        groups = [fit[name] for name in ("assignments", "posterior") if name in fit.children]
    for group in groups:
        if isinstance(group, xr.Dataset | xr.DataTree) and latent in group:
            z = group[latent]
            sample = [d for d in SAMPLE_DIMS if d in z.dims]
            if sample:
                z = z.transpose(*sample, ...)
                if z.ndim == len(sample) + 1:  # only what is asked for is read from a disk
                    z = z[..., row : row + 1]
                    row = 0
                values = z.to_numpy()
                return values.reshape(int(np.prod(values.shape[: len(sample)])), -1)[:, row]
    return None


def _counted(table: xr.Dataset, z: NDArray, permutation: NDArray | None) -> xr.Dataset:
    """The table with the number of draws in which each component was drawn, and its share."""
    components = np.arange(table.sizes["component"])[None] if permutation is None else permutation
    counted = (z[:, None] == components).sum(axis=0)
    return table.assign(
        counted=("component", counted), assignment_frequency=("component", counted / len(z))
    )
