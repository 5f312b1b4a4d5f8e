"""Average linkage on 1 − P, cut where the loss is least: told and timed as partition_task.py says.

The agglomerative start of greedy searches (Fritsch and Ickstadt 2009, Bayesian Anal. 4:367).
"""

import time

import numpy as np
import partition_task
from scipy.cluster.hierarchy import cut_tree, linkage
from scipy.spatial.distance import squareform

import unmix
from unmix.assign.partition.expected import expected_loss
from unmix.assign.partition.given import as_draws, canonical

task, z = partition_task.read()
draws = as_draws(z)
begun, used = time.perf_counter(), time.process_time()
p = unmix.co_assignment(z=z).values
tree = linkage(squareform(1 - p, checks=False), "average")
cuts = cut_tree(tree, np.arange(1, min(4 * task.components, task.rows) + 1)).T
over = {"p": p} if task.loss in ("vi_lower_bound", "omari_approximate") else {"z": draws}
losses = [expected_loss(task.loss, canonical(c), **over) for c in cuts]
partition_task.tell(
    task,
    canonical(cuts[int(np.argmin(losses))]),
    wall_seconds=time.perf_counter() - begun,
    cpu_seconds=time.process_time() - used,
)
