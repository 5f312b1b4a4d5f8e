"""The kernels, compiled at their first use and kept on disk; see `unmix.onepass.compiled`."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numba as nb

from unmix.assign.partition import distances, search
from unmix.onepass.sources import digest


@lru_cache
def run() -> Callable[..., Any]:
    """`unmix.assign.partition.search.run`, compiled."""
    sources = digest(search.run)

    @nb.njit(error_model="numpy", nogil=True, cache=True)
    def run(x, rng, start, limit, attempts, found):  # type: ignore[no-untyped-def]
        sources  # noqa: B018
        return search.run(x, rng, start, limit, attempts, found)

    return run


@lru_cache
def in_common() -> Callable[..., Any]:
    """`unmix.assign.partition.distances.in_common`, compiled."""
    sources = digest(distances.in_common)

    @nb.njit(error_model="numpy", nogil=True, cache=True)
    def in_common(order, end, z, f, joint, pairs, margin, apart):  # type: ignore[no-untyped-def]
        sources  # noqa: B018
        distances.in_common(order, end, z, f, joint, pairs, margin, apart)

    return in_common
