r"""Mean and variance of what the mixture makes, whatever its components are called.

For each feature, with weights w_k and a component's mean μ_k and variance v_k,

.. math::

    E[x \mid θ] = \sum_k w_k μ_k, \qquad
    \operatorname{Var}[x \mid θ] = \sum_k w_k \bigl(v_k + (μ_k - E[x \mid θ])^2\bigr)

(Frühwirth-Schnatter 2006, Finite Mixture and Markov Switching Models, Springer, section 1.2.4).
"""

import numpy as np
from numpy.typing import NDArray

from unmix.derive import Derivation
from unmix.derive.theta import Stack


def mixture_moments(
    derivation: Derivation, stack: Stack
) -> tuple[dict[str, NDArray[np.float64]], str]:
    """Mean and variance of each feature at every draw, and of what they are left out and why.

    Parameters
    ----------
    derivation
        The model.
    stack
        Draws of θ.

    Returns
    -------
    found
        Arrays (sample,) called ``mean(x)`` and ``variance(x)``, or ``mean(x, length)`` for the
        feature ``length``.
    missing
        A sentence; empty where nothing is left out.
    """
    onepass = derivation.onepass
    if onepass is None:
        return {}, (
            "the mixture's mean and variance are left out: the model takes the general road "
            f"({derivation.recognised}), where components have no formula for them"
        )
    try:
        log_w, packed = onepass.recognised.pack_stack(stack.values)
    except (ValueError, AssertionError, ArithmeticError):
        return {}, "the mixture's mean and variance are left out: θ breaks a constraint"
    w = np.exp(log_w)[..., None]
    found: dict[str, NDArray[np.float64]] = {}
    without = []
    for term in onepass.recognised.terms:
        if term.family.about_z:
            continue
        moments = term.family.moments(packed[..., term.parameters], term.d)
        if moments is None:
            without.append(f"{term.name!r} ({term.family.name})")
            continue
        mean_k, variance_k = moments
        mean = (w * mean_k).sum(axis=1)
        variance = (w * (variance_k + np.square(mean_k - mean[:, None]))).sum(axis=1)
        for j, feature in enumerate(_features(derivation, term.name, term.d)):
            found[f"mean({feature})"] = mean[:, j]
            found[f"variance({feature})"] = variance[:, j]
    if not without:
        return found, ""
    return found, (
        f"the mixture's mean and variance are left out for {', '.join(without)}: levels are no "
        "numbers"
    )


def _features(derivation: Derivation, name: str, d: int) -> list[str]:
    """Names of a variable's columns: its own, or with the feature's label."""
    model = derivation.model
    dims: tuple[str | None, ...] = tuple(model.named_vars_to_dims.get(name) or ())
    ndim = np.ndim(derivation.data[derivation.opened.observed[name]].data)
    if d == 1 and ndim < 2:
        return [name]
    last = dims[-1] if len(dims) == ndim else None
    labels = None if last is None else model.coords.get(last)
    return [f"{name}, {label}" for label in (labels if labels is not None else range(d))]
