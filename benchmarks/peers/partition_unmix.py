"""`unmix.partition`, told and timed as partition_task.py says; also the memory that it adds."""

import os
import resource
import sys
import time
from pathlib import Path

import numpy as np
import partition_task

import unmix


def held() -> int:
    """Bytes resident now; where the system does not say (no /proc), the peak so far."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return peak()
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak() -> int:
    """Most bytes resident so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


task, z = partition_task.read()
# Compiled on four rows: of the same types, so that nothing is left to compile.
small = np.array([[1, 1, 2, 2], [1, 2, 2, 2]], dtype=np.int32)
unmix.partition(z=small, loss=task.loss, rng=0)
before, begun, used = held(), time.perf_counter(), time.process_time()
best = unmix.partition(z=z, loss=task.loss, restarts=task.restarts, rng=1)
partition_task.tell(
    task,
    best.z.values,
    wall_seconds=time.perf_counter() - begun,
    cpu_seconds=time.process_time() - used,
    added_bytes=peak() - before,
    at_best=best.restarts_at_best,
)
