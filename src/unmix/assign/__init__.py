"""Who made this point: responsibilities, draws of z, components matched over draws, partitions."""

from unmix.assign.alignment import align, draw_assignments
from unmix.assign.partition.agreement import Agreement, agreement
from unmix.assign.partition.occupied import occupied
from unmix.assign.partition.similarity import co_assignment
from unmix.assign.partition.verb import Partition, partition
from unmix.assign.responsibilities import responsibilities

__all__ = [
    "Agreement",
    "Partition",
    "agreement",
    "align",
    "co_assignment",
    "draw_assignments",
    "occupied",
    "partition",
    "responsibilities",
]
