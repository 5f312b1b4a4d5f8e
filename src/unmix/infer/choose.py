"""`method="auto"`: which sampler, and the sentence that says why."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from unmix.derive import Derivation, bayes

Method = Literal["auto", "nuts", "gibbs", "pymc"]

# Share of the largest possible entropy of assignments beyond which z and θ hold each other fast.
OVERLAP = 0.25
# Below this a gradient step gives more than a proposal does.
WORTH = 0.2


@dataclass(frozen=True)
class Choice:
    """A sampler.

    Attributes
    ----------
    method
        Its name.
    reason
        A phrase for a person.
    proposal
        What Gibbs proposes from (`unmix.infer.exact.proposal`), where the choice took finding it.
    """

    method: str
    reason: str
    proposal: Any = None


def choose(
    derivation: Derivation,
    points: Sequence[dict[str, NDArray]],
    responsibility: Any,
    options: dict[str, Any],
    seed: int,
) -> Choice:
    """A method and the reason for it.

    Parameters
    ----------
    points
        Unconstrained points around which chains begin.
    responsibility
        Responsibilities (obs, component) at EM's optimum, or None.
    options
        Options of the caller beyond the common ones; they are nutpie's.
    seed
        Of the run.
    """
    if options:
        return Choice("nuts", f"the option {next(iter(options))!r} is one of NUTS")
    if derivation.weight is not None:
        return Choice("nuts", "z can be summed out; rows with weights have no single z in a chain")
    if derivation.parts is not None:
        return Choice("nuts", "a pass in parts gives each gradient, and no exact conditionals")
    if derivation.onepass is None:
        return Choice("nuts", f"z can be summed out; no compiled pass, as {derivation.recognised}")
    from unmix.infer.gibbs import why_not_exact  # here, because its kernels take a while to load

    unknown = why_not_exact(derivation)
    if unknown is not None:
        return Choice("nuts", f"one pass gives each gradient; no exact conditionals, as {unknown}")
    k = derivation.n_components
    share = 0.0
    if responsibility is not None and k > 1:
        share = float(np.mean(bayes.entropy(responsibility)) / np.log(k))
    if share <= OVERLAP:
        return Choice(
            "gibbs",
            "exact conditionals for every parameter, and components that hardly overlap "
            f"({100 * share:.0f} % of the largest entropy)",
        )
    from unmix.infer.exact.blocks import find_blocks
    from unmix.infer.exact.laplace import propose_from

    proposal = propose_from(derivation, find_blocks(derivation), points, seed)
    overlap = f"components overlap ({100 * share:.0f} % of the largest entropy)"
    if proposal.efficiency >= WORTH:
        return Choice(
            "gibbs",
            f"{overlap}, but all of θ can be proposed at once: such a proposal is worth "
            f"{proposal.efficiency:.2f} of an independent draw",
            proposal,
        )
    return Choice(
        "nuts",
        f"{overlap}, where z and θ hold each other fast, and no proposal for all of θ is good "
        f"(worth {proposal.efficiency:.2f} of an independent draw); one pass gives each gradient",
    )
