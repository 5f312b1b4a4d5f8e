"""Who made this point: responsibilities, draws of z, components matched over draws."""

from unmix.assign.alignment import align, draw_assignments
from unmix.assign.relabel import Relabelling, compare_relabellings, relabel
from unmix.assign.responsibilities import responsibilities
from unmix.assign.summary import Summary, summary

__all__ = [
    "Relabelling",
    "Summary",
    "align",
    "compare_relabellings",
    "draw_assignments",
    "relabel",
    "responsibilities",
    "summary",
]
