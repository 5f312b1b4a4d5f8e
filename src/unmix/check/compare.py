"""`compare`: EM against MCMC, so that prior and method are not taken for one another.

A maximum-likelihood estimate and a posterior mean differ for two reasons: the prior, and the
difference between a mode and a mean. With the posterior mode between them, each has its column.
Row by row, a plug-in responsibility takes θ for known; the averaged one does not.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr
from numpy.typing import NDArray

from unmix.arguments import share
from unmix.assign.alignment import align
from unmix.assign.matching import match
from unmix.assign.responsibilities import responsibilities
from unmix.check.compare_words import in_sentences
from unmix.derive import Derivation, bayes, derive
from unmix.derive.correlations import called, is_factor, of_factor, pairs_of
from unmix.derive.theta import SAMPLE_DIMS, stack_theta
from unmix.errors import UnmixError
from unmix.infer.em import em
from unmix.infer.em_result import EMResult
from unmix.infer.objective import make_objective


@dataclass(frozen=True)
class Comparison:
    """EM against MCMC.

    Attributes
    ----------
    parameters
        One row a scalar parameter: ``ml``, ``mode`` (NaN where the posterior has none), ``mean``,
        ``sd``, ``lower``, ``upper``, ``em_inside`` (whether ml lies in the interval).
    rows
        Dims obs, component: ``plug_in``, ``averaged``; dim obs: ``difference`` (largest over
        components), ``most_likely_em``, ``most_likely_mcmc``, ``changed``, ``over_confident``
        (entropy of the averaged minus that of the plug-in, nats: how much surer EM is),
        ``overlap``, ``parameter_uncertainty``.
    seconds
        Time taken by each.
    text
        What it comes to, in sentences.
    identified
        Whether components keep their identity over draws.
    """

    parameters: pd.DataFrame
    rows: xr.Dataset
    seconds: dict[str, float]
    text: tuple[str, ...]
    identified: bool

    def __str__(self) -> str:
        table = self.parameters.to_string(float_format=lambda v: f"{v:.4g}", na_rep="–")
        return "\n".join([table, *self.text])


def compare(
    model: pm.Model | None = None,
    em_result: EMResult | None = None,
    fit: Any = None,
    *,
    interval: float = 0.89,
    mode: bool = True,
) -> Comparison:
    """Compare an EM fit with draws of the same model.

    Parameters
    ----------
    model
        The declared mixture; found in the ``with`` block when left out.
    em_result
        From `unmix.em`, maximum likelihood.
    fit
        Draws of any origin.
    interval
        Mass of the equal-tailed posterior intervals.
    mode
        Whether to look for the posterior mode as well; it takes another run of EM.

    Returns
    -------
    Comparison

    Raises
    ------
    UnmixError
        If the fits do not belong to the model.
    """
    interval = share("interval", interval, "0.89")
    derivation = derive(model)
    if em_result is None or fit is None:
        raise UnmixError("compare takes the model, an EM result and draws, in this order")
    averaged = responsibilities(derivation.model, fit, interval=interval)
    point = stack_theta(derivation, em_result)
    if point.dims:
        raise UnmixError("the second argument holds draws: give the EM result there, draws third")
    terms = derivation.bayes(point.values)
    plug_in = terms.responsibility[0]
    objective = make_objective(derivation, "likelihood", None)
    total = objective.log_likelihood({**objective.initial, **point.point(0)})
    if not np.isclose(total, em_result.log_likelihood, rtol=1e-8, atol=1e-6):
        raise UnmixError(
            f"the EM result has log-likelihood {em_result.log_likelihood:.6f} and its parameters "
            f"give {total:.6f} on this model's rows: is it a fit of other data?"
        )
    # EM's labels are laid over the draws', within the symmetry.
    order = match(
        plug_in[None], averaged["responsibility"].values, derivation.components.symmetry
    ).permutation[0]
    plug_in = plug_in[:, order]
    rows = _rows(derivation, plug_in, averaged)
    identified = bool(averaged.attrs["identified"])
    found: dict[str, float] = {}
    mode_theta, without = None, ""
    if mode:
        mode_theta, took, without = _mode(derivation, em_result)
        found = {} if without else {"posterior mode": took}
    parameters = _parameters(
        derivation, em_result, order, mode_theta, averaged, fit, interval, identified
    )
    seconds = {"EM": em_result.seconds, **found}
    attrs = fit.attrs if isinstance(fit, xr.DataTree) else {}
    if "seconds" in attrs:
        seconds[f"MCMC ({attrs['method']})"] = float(attrs["seconds"])
    return Comparison(
        parameters,
        rows,
        seconds,
        in_sentences(rows, parameters, averaged, seconds, without),
        identified,
    )


def _mode(
    derivation: Derivation, em_result: EMResult
) -> tuple[dict[str, NDArray] | None, float, str]:
    """θ at the posterior mode next to an EM result, seconds taken; or why there is none."""
    begun = time.perf_counter()
    try:
        found = em(
            derivation.model, kind="posterior", start=em_result,
            progress=False,
        )  # fmt: skip
    except UnmixError as error:
        return None, time.perf_counter() - begun, str(error)
    if not found.converged:
        return None, found.seconds, f"EM towards it is {found.status.name}"
    names = tuple(map(str, found.theta.data_vars))
    return stack_theta(derivation, found, names).values, found.seconds, ""


def _rows(derivation: Derivation, plug_in: NDArray, averaged: xr.Dataset) -> xr.Dataset:
    """Plug-in responsibilities (obs, component), in the draws' labels, beside averaged ones."""
    mean = averaged["responsibility"].values
    labels = derivation.component_labels
    first, second = plug_in.argmax(axis=1), mean.argmax(axis=1)
    surer = bayes.entropy(mean) - bayes.entropy(plug_in)
    cells = ("obs", "component")
    return xr.Dataset(
        {
            "plug_in": (cells, plug_in),
            "averaged": (cells, mean),
            "lower": (cells, averaged["lower"].values),
            "upper": (cells, averaged["upper"].values),
            "difference": ("obs", np.abs(plug_in - mean).max(axis=1)),
            "most_likely_em": ("obs", labels[first]),
            "most_likely_mcmc": ("obs", labels[second]),
            "changed": ("obs", first != second),
            # In nats: how much more certain the plug-in is than the posterior.
            "over_confident": ("obs", surer),
            "overlap": averaged["overlap"],
            "parameter_uncertainty": averaged["parameter_uncertainty"],
        },
        coords={"obs": derivation.obs_labels, "component": labels},
    )


def _parameters(
    derivation: Derivation,
    em_result: EMResult,
    order: NDArray,
    mode_theta: dict[str, NDArray] | None,
    averaged: xr.Dataset,
    fit: Any,
    interval: float,
    identified: bool,
) -> pd.DataFrame:
    """One row a scalar parameter; ``order`` lays EM's components over the draws'."""
    draws = align(derivation.model, fit)
    names = [str(n) for n in draws.data_vars]
    ml = stack_theta(derivation, em_result, tuple(map(str, em_result.theta.data_vars))).values
    ml = derivation.components.permute(ml, np.tile(order, (1, 1)))
    if mode_theta is not None:
        at_mode = derivation.bayes({n: mode_theta[n] for n in derivation.touched}).responsibility
        moved = match(at_mode, averaged["responsibility"].values, derivation.components.symmetry)
        mode_theta = derivation.components.permute(mode_theta, moved.permutation)
    table = []
    for name in names:
        sample_dims = [d for d in SAMPLE_DIMS if d in draws[name].dims]
        values = draws[name].transpose(*sample_dims, ...).values
        values = values.reshape(-1, *derivation.shapes[name])
        all_labels, shown = _labels(derivation, name), name
        if is_factor(values):
            features = _features(derivation, values.shape[-1])
            all_labels = [
                *all_labels[:-2],
                [f"{features[i]}, {features[j]}" for i, j in pairs_of(values.shape[-1])],
            ]
            values, shown = of_factor(values), called(name)
            ml = {**ml, name: of_factor(ml[name])} if name in ml else ml
            if mode_theta is not None and name in mode_theta:
                mode_theta = {**mode_theta, name: of_factor(mode_theta[name])}
        for index in np.ndindex(*values.shape[1:]):
            v = values[(slice(None), *index)]
            if np.ptp(v) == 0 and len(v) > 1:
                continue  # what a declaration holds constant
            lower, upper = np.quantile(v, [(1 - interval) / 2, (1 + interval) / 2])
            estimate = float(ml[name][(0, *index)]) if name in ml else np.nan
            label = [
                str(labels[i]) for i, labels in zip(index, all_labels, strict=True)
            ]  # fmt: skip
            table.append(
                {
                    "parameter": f"{shown}[{', '.join(label)}]" if index else shown,
                    "ml": estimate,
                    "mode": float(mode_theta[name][(0, *index)])
                    if mode_theta is not None and name in mode_theta
                    else np.nan,
                    "mean": v.mean() if identified else np.nan,
                    "sd": v.std(ddof=1) if identified and len(v) > 1 else np.nan,
                    "lower": lower if identified else np.nan,
                    "upper": upper if identified else np.nan,
                    "em_inside": bool(lower <= estimate <= upper)
                    if identified and np.isfinite(estimate)
                    else None,
                }
            )
    return pd.DataFrame(table).set_index("parameter")


def _labels(derivation: Derivation, name: str) -> list[list[Any]]:
    """Labels along each dim of a parameter: the model's coordinates, else positions."""
    labels = []
    for dim, length in zip(derivation.dims[name], derivation.shapes[name], strict=True):
        coords = derivation.model.coords.get(dim)
        labels.append(list(coords) if coords is not None else list(range(length)))
    axis = derivation.components.axes.get(name)
    if axis is not None and len(labels[axis]) == derivation.n_components:
        labels[axis] = list(derivation.component_labels)
    return labels


def _features(derivation: Derivation, d: int) -> list[Any]:
    """The model's names of so many features, else positions."""
    known = derivation.model.coords.get("feature")
    return list(known) if known is not None and len(known) == d else list(range(d))
