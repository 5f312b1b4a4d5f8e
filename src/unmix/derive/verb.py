"""`bayes_rule`: the five terms of Bayes' rule for any θ, with names."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from unmix.arguments import said
from unmix.derive import bayes
from unmix.derive.derivation import Derivation
from unmix.derive.deriving import derive
from unmix.derive.theta import Stack, stack_theta
from unmix.errors import UnmixError


def bayes_rule(
    model: pm.Model | None = None,
    theta: Any = None,
    *,
    obs: ArrayLike | None = None,
    new: Mapping[str, Any] | pm.Model | None = None,
) -> xr.Dataset:
    r"""Every term of Bayes' rule for the assignment of each observation.

    .. math::

        p(z_i = k \mid x_i, θ) = \frac{p(z_i = k \mid θ)\, p(x_i \mid z_i = k, θ)}
                                      {\sum_j p(z_i = j \mid θ)\, p(x_i \mid z_i = j, θ)}

    Parameters
    ----------
    model
        The declared mixture; found in the ``with`` block when left out.
    theta
        Any θ: an EM result, a DataTree or Dataset of draws, a dict of values.
    obs
        Positions of the observations wanted, as `numpy` indexes; all by default. With many draws,
        ask for few observations: the result has draws × obs × component numbers.
    new
        Other rows: a dict of arrays in place of observed variables or ``pm.Data``, or a second
        model with the same parameters built on the new rows.

    Returns
    -------
    xarray.Dataset
        ``log_prior``, ``log_likelihood``, ``log_joint``, ``responsibility`` with dims
        (…, obs, component) and ``log_marginal`` with dims (…, obs), where … are the sample dims
        of θ: none for one point, (chain, draw) for draws. Natural logarithms.

    Raises
    ------
    UnmixError
        If θ lacks a parameter, or the model cannot be derived.
    """
    derivation = derive(model)
    if new is not None:
        derivation = derivation.on(new)
    stack = stack_theta(derivation, theta)
    rows = _positions(obs, derivation.n_obs)
    parts = []
    for block in derivation.blocks(len(stack)):
        log_prior, log_likelihood = derivation.log_terms(stack[block])
        log_prior = np.broadcast_to(log_prior, log_likelihood.shape)
        parts.append((log_prior[:, rows], log_likelihood[:, rows]))
    terms = bayes.rule(np.concatenate([p for p, _ in parts]), np.concatenate([q for _, q in parts]))
    return _label(derivation, terms, stack, rows)


def _label(derivation: Derivation, terms: bayes.Terms, stack: Stack, rows: NDArray) -> xr.Dataset:
    variables = {}
    for name, value in terms._asdict().items():
        dims = ("obs",) if name == "log_marginal" else ("obs", "component")
        variables[name] = (
            (*stack.dims, *dims),
            value.reshape((*stack.shape, *value.shape[1:])),
        )
    return xr.Dataset(
        variables,
        coords={
            **stack.coords,
            "obs": derivation.obs_labels[rows],
            "component": derivation.component_labels,
        },
    )


def _positions(obs: ArrayLike | None, n: int) -> NDArray:
    """Rows that are asked for, or all."""
    if obs is None:
        return np.arange(n)
    rows = np.atleast_1d(np.asarray(obs))
    if rows.dtype.kind not in "iu" or rows.ndim != 1 or not ((rows >= 0) & (rows < n)).all():
        raise UnmixError(f"obs is {said(obs)}: give positions of rows, whole numbers 0 to {n - 1}")
    return rows
