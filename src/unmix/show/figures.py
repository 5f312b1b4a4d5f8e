"""All figures, each a function of computed results that returns a matplotlib Figure."""

from unmix.show.agreement_figures import calibration, two_roads
from unmix.show.comparison_figure import em_against_mcmc
from unmix.show.components_figure import fitted_components
from unmix.show.label_traces_figure import label_traces
from unmix.show.membership_figure import membership
from unmix.show.prior_figure import prior_predictive
from unmix.show.rootogram_figure import rootogram
from unmix.show.similarity_figure import similarity
from unmix.show.traces_figure import traces
from unmix.show.uncertainty_figure import uncertainty

__all__ = [
    "calibration",
    "em_against_mcmc",
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
