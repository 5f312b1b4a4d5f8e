"""`method="auto"`: which sampler, and the sentence that says why."""

from typing import Any, Literal

import numpy as np

from unmix.derive import Derivation, bayes

Method = Literal["auto", "nuts", "gibbs", "pymc"]

# Share of the largest possible entropy of assignments beyond which z and θ hold each other fast.
OVERLAP = 0.25


def choose(derivation: Derivation, responsibility: Any, options: dict[str, Any]) -> tuple[str, str]:
    """A method and the reason for it.

    Parameters
    ----------
    responsibility
        Responsibilities (obs, component) at EM's optimum, or None.
    options
        Options of the caller beyond the common ones; they are nutpie's.
    """
    if options:
        return "nuts", f"the option {next(iter(options))!r} is one of NUTS"
    if derivation.onepass is None:
        return "nuts", f"z can be summed out; no compiled pass, as {derivation.recognised}"
    from unmix.infer.gibbs import why_not_exact  # here, because its kernels take a while to load

    unknown = why_not_exact(derivation)
    if unknown is not None:
        return "nuts", f"one pass gives each gradient; no exact conditionals, as {unknown}"
    k = derivation.n_components
    share = 0.0
    if responsibility is not None and k > 1:
        share = float(np.mean(bayes.entropy(responsibility)) / np.log(k))
    if share <= OVERLAP:
        return "gibbs", (
            f"exact conditionals for every parameter, and components that hardly overlap "
            f"({100 * share:.0f} % of the largest entropy)"
        )
    return "nuts", (
        f"components overlap ({100 * share:.0f} % of the largest entropy), where z and θ hold "
        "each other fast; one pass gives each gradient"
    )
