"""Who made this point: responsibilities, draws of z, components matched over draws."""

from unmix.assign.alignment import align, draw_assignments
from unmix.assign.responsibilities import responsibilities

__all__ = ["align", "draw_assignments", "responsibilities"]
