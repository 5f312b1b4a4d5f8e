"""A few numbers by which a fit recognises the model it was made with."""

import json

import numpy as np

from unmix.derive import Derivation, bayes
from unmix.errors import UnmixError


def fingerprint(derivation: Derivation) -> str:
    """Names, sizes and the log marginal likelihood at a fixed point of θ, as JSON."""
    theta = derivation.space.jittered(np.random.default_rng(0))
    total = 0.0
    for rows, joint in derivation.joint_windows(theta):
        log_marginal, _ = bayes.normalise(joint)
        if derivation.weight is not None:
            log_marginal = derivation.weight[rows] * log_marginal
        total += float(log_marginal[np.isfinite(log_marginal)].sum())
    return json.dumps(
        {
            "latent": derivation.latent.name,
            "parameters": list(derivation.parameters),
            "components": derivation.n_components,
            "observations": derivation.n_obs,
            "log_marginal": total,
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
    }
    for key, what in words.items():
        same = (
            np.isclose(now[key], then.get(key, np.nan), rtol=1e-8)
            if key == "log_marginal"
            else now[key] == then.get(key)
        )
        if not same:
            raise UnmixError(
                f"this fit was made with another model: {what} differ"
                + ("" if key == "log_marginal" else f" ({then.get(key)!r} then, {now[key]!r} now)")
            )
