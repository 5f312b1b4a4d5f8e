"""A few numbers by which a fit recognises the model it was made with.

One is the log marginal likelihood Σ_i log p(x_i | θ) at a fixed θ. It is the same in whatever order
the rows are; the same sum with weights that change from row to row, 1 + (φ i mod 1) with φ the
golden ratio, is not. Priors that are measured in the data move the fixed θ with them, so that data
and θ may both be shifted and the likelihood stays: a sum over θ, weighted likewise, tells those
apart.
"""

import json

import numpy as np
from numpy.typing import NDArray

from unmix.derive import Derivation, bayes
from unmix.errors import UnmixError

GOLDEN = 0.6180339887498949
NUMBERS = ("log_marginal", "in_order", "point")


def fingerprint(derivation: Derivation) -> str:
    """Names, sizes and the log marginal likelihood at a fixed point of θ, as JSON."""
    theta = derivation.space.jittered(np.random.default_rng(0))
    total, in_order = 0.0, 0.0
    for rows, joint in derivation.joint_windows(theta):
        log_marginal, _ = bayes.normalise(joint)
        if derivation.weight is not None:
            log_marginal = derivation.weight[rows] * log_marginal
        finite = np.where(np.isfinite(log_marginal), log_marginal, 0.0)
        total += float(finite.sum())
        in_order += float(finite @ _weights(derivation.n_obs)[rows])
    flat = np.concatenate([np.ravel(theta[name]) for name in derivation.touched] or [np.zeros(0)])
    return json.dumps(
        {
            "latent": derivation.latent.name,
            "parameters": list(derivation.parameters),
            "components": derivation.n_components,
            "observations": derivation.n_obs,
            "log_marginal": total,
            "in_order": in_order,
            "point": float(flat @ _weights(len(flat))),
        }
    )


def _weights(count: int) -> NDArray[np.float64]:
    return np.asarray(1 + GOLDEN * np.arange(count) % 1, dtype=float)


def require_same(derivation: Derivation, stored: str) -> None:
    """Refuse a fit that was made with another model.

    Raises
    ------
    UnmixError
        Naming what differs.
    """
    if not stored:
        return
    try:
        then = json.loads(stored)
    except ValueError:
        raise UnmixError("the fit's fingerprint cannot be read: was the file edited?") from None
    now = json.loads(fingerprint(derivation))
    words = {
        "latent": "the latent's name",
        "parameters": "the parameters",
        "components": "the number of components",
        "observations": "the number of observations",
        "log_marginal": "its data, their weights or its likelihood",
        "in_order": "the order of its rows",
        "point": "its data (shifted, as are the priors that are measured in them)",
    }
    for key, what in words.items():
        if key in ("in_order", "point") and key not in then:
            continue  # an older fit
        same = (
            np.isclose(now[key], then.get(key, np.nan), rtol=1e-8)
            if key in NUMBERS
            else now[key] == then.get(key)
        )
        if not same:
            raise UnmixError(
                f"this fit was made with another model: {what} differ"
                + ("" if key in NUMBERS else f" ({then.get(key)!r} then, {now[key]!r} now)")
            )
