"""For a person: one observation opened up, tables for a terminal, figures."""

from typing import TYPE_CHECKING, Any

from unmix.show.explain import explain
from unmix.show.explanation import Explanation

if TYPE_CHECKING:
    from unmix.show.figures import (
        calibration,
        em_against_mcmc,
        fitted_components,
        label_traces,
        membership,
        prior_predictive,
        rootogram,
        similarity,
        traces,
        two_roads,
        uncertainty,
    )

__all__ = [
    "Explanation",
    "calibration",
    "em_against_mcmc",
    "explain",
    "fitted_components",
    "label_traces",
    "membership",
    "prior_predictive",
    "rootogram",
    "similarity",
    "traces",
    "two_roads",
    "uncertainty",
]


def __dir__() -> list[str]:
    return sorted(__all__)  # so that a key press lists what is not loaded yet, and no module


def __getattr__(name: str) -> Any:
    # Figures bring matplotlib, which takes longer to load than a table to print.
    if name in __all__:
        from unmix.show import figures

        return getattr(figures, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
