"""How an EM run ended, with advice."""

from dataclasses import dataclass

ADVICE = {
    "converged": "the parameters no longer change",
    "iteration limit": (
        "the iterations ran out while the parameters still moved: raise max_iterations, or expect "
        "components that the data barely tell apart"
    ),
    "collapsed": (
        "a component shrank onto a few identical values, where the likelihood has no maximum: use "
        "fewer components, a common sigma, or kind='posterior' with a prior that keeps sigma from "
        "zero"
    ),
    "emptied": ("a component lost all its observations: use fewer components, or more starts"),
    "not monotone": (
        "the objective went down, so the M-step did not reach its maximum: rescale the data or the "
        "priors, and report the model if it still happens"
    ),
    "failed": "the objective could not be evaluated from this start",
}
# Against probabilities on the edge of what is possible.
OFF_THE_EDGE = "kind='posterior' with a prior that is zero there keeps them off it"


@dataclass(frozen=True)
class Status:
    """How EM ended.

    Attributes
    ----------
    name
        ``"converged"``, ``"iteration limit"``, ``"collapsed"``, ``"emptied"``,
        ``"not monotone"`` or ``"failed"``.
    advice
        What it means and what to do.
    """

    name: str
    advice: str

    def __str__(self) -> str:
        return f"{self.name}: {self.advice}"


def status(name: str, detail: str = "") -> Status:
    """A status with its standing advice, and what this run has to add."""
    return Status(name, ADVICE[name] + (f" ({detail})" if detail else ""))
