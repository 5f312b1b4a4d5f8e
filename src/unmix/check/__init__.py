"""Do the roads agree: counting against Bayes' rule, EM against MCMC."""

from unmix.check.compare import Comparison, compare
from unmix.check.crosscheck import crosscheck
from unmix.check.verdict import CrossCheck

__all__ = ["Comparison", "CrossCheck", "compare", "crosscheck"]
