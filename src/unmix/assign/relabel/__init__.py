"""One order of the components for all draws: methods, costs, and what a relabelling is worth."""

from unmix.assign.relabel.relabelling import Relabelling, compare_relabellings
from unmix.assign.relabel.verb import relabel

__all__ = ["Relabelling", "compare_relabellings", "relabel"]
