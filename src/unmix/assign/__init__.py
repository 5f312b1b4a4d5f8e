"""Who made this point: responsibilities, draws of z, components matched over draws."""

from unmix.assign.alignment import align, draw_assignments
from unmix.assign.responsibilities import responsibilities
from unmix.assign.table import assignments

__all__ = ["align", "assignments", "draw_assignments", "responsibilities"]
