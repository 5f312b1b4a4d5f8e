"""`method="auto"`: which sampler, and the sentence that says why."""

from typing import Any, Literal

import numpy as np

from unmix.derive import Derivation, bayes

Method = Literal["auto", "nuts", "gibbs", "pymc"]

# Beyond this many unconstrained dimensions Gibbs makes no marginal moves, and overlap slows it.
MARGINAL_MOVES = 40
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
    dimensions = sum(derivation.space.sizes.values())
    if dimensions <= MARGINAL_MOVES:
        return "gibbs", (
            "exact conditionals for every parameter, interleaved with moves that sum z out; "
            "nothing to compile"
        )
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
        f"components overlap ({100 * share:.0f} % of the largest entropy) and {dimensions} "
        "dimensions are too many for moves that sum z out, so θ goes by gradients"
    )
