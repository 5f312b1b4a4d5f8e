"""Threads that share a pass, and when they are worth it."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

# Multiplications and exponentials of a pass below which a second thread costs more than it gives:
# handing work to a thread takes some 50 µs, in which one does about this many.
WORTH_A_THREAD = 500_000


@lru_cache
def pool(threads: int) -> ThreadPoolExecutor:
    """So many threads, made once."""
    return ThreadPoolExecutor(threads, thread_name_prefix="unmix-pass")


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
