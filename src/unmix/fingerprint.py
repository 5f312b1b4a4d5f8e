"""A few numbers by which a fit recognises the model it was made with.

One is the log marginal likelihood Σ_i log p(x_i | θ) at a fixed θ. It is the same in whatever order
the rows are; the same sum with weights that change from row to row, 1 + (φ i mod 1) with φ the
golden ratio, is not.
"""

import json

import numpy as np

from unmix.derive import Derivation, bayes
from unmix.errors import UnmixError

GOLDEN = 0.6180339887498949
NUMBERS = ("log_marginal", "in_order")


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
        in_order += float(finite @ (1 + GOLDEN * np.arange(derivation.n_obs)[rows] % 1))
    return json.dumps(
        {
            "latent": derivation.latent.name,
            "parameters": list(derivation.parameters),
            "components": derivation.n_components,
            "observations": derivation.n_obs,
            "log_marginal": total,
            "in_order": in_order,
        }
    )


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
    }
    for key, what in words.items():
        if key == "in_order" and key not in then:
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
