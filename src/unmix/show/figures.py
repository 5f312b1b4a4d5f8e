"""All figures, each a function of computed results that returns a matplotlib Figure."""

from unmix.show.agreement_figures import calibration, two_roads
from unmix.show.comparison_figure import em_against_mcmc
from unmix.show.components_figure import fitted_components
from unmix.show.traces_figure import traces

__all__ = ["calibration", "em_against_mcmc", "fitted_components", "traces", "two_roads"]
