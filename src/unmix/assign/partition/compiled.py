"""The kernels, compiled at their first use and kept on disk; see `unmix.onepass.compiled`."""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba as nb

from unmix.assign.partition import distances, search


@lru_cache
def digest() -> str:
    """Digest of every file that the kernels are made of."""
    here = Path(__file__).parent
    files = [here / f"{name}.py" for name in ("distances", "losses", "partial", "search")]
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()


@lru_cache
def run() -> Callable[..., Any]:
    """`unmix.assign.partition.search.run`, compiled."""
    sources = digest()

    @nb.njit(error_model="numpy", nogil=True, cache=True)
    def run(x, rng, start, limit, attempts, found):  # type: ignore[no-untyped-def]
        sources  # noqa: B018
        return search.run(x, rng, start, limit, attempts, found)

    return run


@lru_cache
def in_common() -> Callable[..., Any]:
    """`unmix.assign.partition.distances.in_common`, compiled."""
    sources = digest()

    @nb.njit(error_model="numpy", nogil=True, cache=True)
    def in_common(order, end, z, f, joint, pairs, margin, apart):  # type: ignore[no-untyped-def]
        sources  # noqa: B018
        distances.in_common(order, end, z, f, joint, pairs, margin, apart)

    return in_common
