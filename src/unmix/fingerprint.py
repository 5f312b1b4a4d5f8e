"""A few numbers by which a fit recognises the model it was made with."""

import json

import numpy as np

from unmix.derive import Derivation
from unmix.errors import UnmixError


def fingerprint(derivation: Derivation) -> str:
    """Names, sizes and the log marginal likelihood at a fixed point of θ, as JSON."""
    theta = derivation.space.jittered(np.random.default_rng(0))
    terms = derivation.bayes({n: np.asarray(v)[None] for n, v in theta.items()})
    return json.dumps(
        {
            "latent": derivation.latent.name,
            "parameters": list(derivation.parameters),
            "components": derivation.n_components,
            "observations": derivation.n_obs,
            "log_marginal": float(np.nansum(np.where(
                np.isfinite(terms.log_marginal), terms.log_marginal, 0.0))),
        }
    )  # fmt: skip


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
        "log_marginal": "its data or its likelihood",
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
