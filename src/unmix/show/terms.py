r"""The terms of Bayes' rule for one observation, summed up over draws.

With one θ there is nothing to sum up. With draws θ_1, …, θ_T every term is shown by its posterior
mean, (1/T) Σ_t term(θ_t), and an equal-tailed interval. The mean of the responsibilities,

.. math:: \bar r_{ik} = \frac{1}{T} \sum_t p(z_i = k \mid x_i, θ_t) \approx p(z_i = k \mid x),

is the Rao–Blackwell estimate of what counting z_i estimates too (Liu, Wong and Kong 1994,
Biometrika 81:27). Means and quantiles are taken in log space, so that nothing underflows.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import logsumexp

from unmix.derive import bayes

Array = NDArray[np.float64]

SUMMARIES = ("mean", "lower", "upper")
TERMS = ("prior", "likelihood", "joint", "marginal", "responsibility")


def log_mean(logs: Array) -> Array:
    """Logarithm of the mean of exp(logs) over axis 0."""
    with np.errstate(divide="ignore"):
        return np.asarray(logsumexp(logs, axis=0)) - np.log(len(logs))


def log_quantile(logs: Array, q: float) -> Array:
    """Logarithm of the q-quantile of exp(logs) over axis 0.

    Order statistics are kept by the logarithm; between two of them the quantile is interpolated
    linearly on the scale of the numbers themselves, as `numpy.quantile` does.
    """
    ordered = np.sort(logs, axis=0)
    at = q * (len(ordered) - 1)
    below = int(at)
    above = min(below + 1, len(ordered) - 1)
    with np.errstate(divide="ignore"):
        here, there = np.log1p(below - at), np.log(at - below)
    return np.logaddexp(here + ordered[below], there + ordered[above])


def terms_of_row(rule: bayes.Terms, permutation: NDArray | None = None) -> dict[str, Array]:
    """Log terms of one row at every draw.

    Parameters
    ----------
    rule
        Bayes' rule for the row, (sample, 1, component) and (sample, 1).
    permutation
        Shape (sample, component): component k of the result is raw component ``permutation[s, k]``
        of draw s.

    Returns
    -------
    dict
        By term, shape (sample, component); for ``marginal``, (sample,).
    """
    logs = {
        "prior": rule.log_prior[:, 0],
        "likelihood": rule.log_likelihood[:, 0],
        "joint": rule.log_joint[:, 0],
    }
    marginal = rule.log_marginal[:, 0]
    # The quotient of the rule, in logs: the responsibility itself is 0 below 1e-308. Where the
    # marginal is 0 or infinite there is no quotient.
    with np.errstate(invalid="ignore"):
        logs["responsibility"] = np.where(
            np.isfinite(marginal)[:, None], logs["joint"] - marginal[:, None], np.nan
        )
    if permutation is not None:
        logs = {n: np.take_along_axis(v, permutation, axis=1) for n, v in logs.items()}
    return {**logs, "marginal": marginal}


def summed_up(logs: dict[str, Array], interval: float | None) -> dict[str, Array]:
    """Mean and interval of every term over draws, as logs of these.

    Returns
    -------
    dict
        By term, shape (summary, component) or (summary,), with the summaries `SUMMARIES`; without
        the first axis when ``interval`` is None, which asks for the one sample as it is.
    """
    if interval is None:
        return {name: value[0] for name, value in logs.items()}
    tail = (1 - interval) / 2
    return {
        name: np.stack([log_mean(value), log_quantile(value, tail), log_quantile(value, 1 - tail)])
        for name, value in logs.items()
    }


def as_table(logs: dict[str, Array], labels: NDArray, interval: float | None) -> xr.Dataset:
    """The terms as numbers and as natural logarithms, with names."""
    lead = () if interval is None else ("summary",)
    variables = {}
    for name in TERMS:
        dims = lead if name == "marginal" else (*lead, "component")
        with np.errstate(over="ignore", under="ignore"):
            variables[name] = (dims, np.exp(logs[name]))
        variables[f"log_{name}"] = (dims, logs[name])
    coords: dict[str, object] = {"component": labels}
    if interval is not None:
        coords["summary"] = list(SUMMARIES)
    return xr.Dataset(variables, coords=coords)
