"""Parameters from data. Whatever the method, the same θ comes out."""

from unmix.infer.em import em
from unmix.infer.em_result import EMResult
from unmix.infer.prior_predictive import prior_predictive
from unmix.infer.sample import sample

__all__ = ["EMResult", "em", "prior_predictive", "sample"]
