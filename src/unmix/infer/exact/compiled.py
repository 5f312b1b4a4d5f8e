"""The sweeps, compiled at their first use and kept on disk; see `unmix.onepass.compiled`."""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba as nb

from unmix.infer.exact import sweep
from unmix.onepass.compiled import digest as digest_of_pass


@lru_cache
def digest() -> str:
    """Digest of every file that the kernels are made of."""
    own = b"".join(f.read_bytes() for f in sorted(Path(__file__).parent.glob("*.py")))
    return hashlib.sha256(own + digest_of_pass().encode()).hexdigest()


@lru_cache
def sweeps() -> Callable[..., Any]:
    """`unmix.infer.exact.sweep.sweeps`, compiled."""
    sources = digest()

    @nb.njit(error_model="numpy", nogil=True, cache=True)
    def sweeps(  # type: ignore[no-untyped-def]
        rng, terms, x, centre, weight, blocks, hyper, theta, log_w, params, z, kept
    ):
        sources  # noqa: B018
        sweep.sweeps(rng, terms, x, centre, weight, blocks, hyper, theta, log_w, params, z, kept)

    return sweeps


@lru_cache
def update() -> Callable[..., Any]:
    """`unmix.infer.exact.sweep.update`, compiled."""
    sources = digest()

    @nb.njit(error_model="numpy", nogil=True, cache=True)
    def update(  # type: ignore[no-untyped-def]
        rng, terms, blocks, hyper, n, stats, before, theta, log_w, params
    ):
        sources  # noqa: B018
        sweep.update(rng, terms, blocks, hyper, n, stats, before, theta, log_w, params)

    return update
