"""Who made this point: responsibilities, draws of z, components matched over draws, partitions."""

from unmix.assign.alignment import align, draw_assignments
from unmix.assign.partition.agreement import Agreement, agreement
from unmix.assign.partition.occupied import occupied
from unmix.assign.partition.similarity import co_assignment
from unmix.assign.partition.verb import Partition, partition
from unmix.assign.relabel import Relabelling, compare_relabellings, relabel
from unmix.assign.responsibilities import responsibilities
from unmix.assign.summary import summary
from unmix.assign.summary_result import Summary
from unmix.assign.table import assignments

__all__ = [
    "Agreement",
    "Partition",
    "Relabelling",
    "Summary",
    "agreement",
    "align",
    "assignments",
    "co_assignment",
    "compare_relabellings",
    "draw_assignments",
    "occupied",
    "partition",
    "relabel",
    "responsibilities",
    "summary",
]
