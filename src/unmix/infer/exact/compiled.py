"""The sweeps, compiled at their first use and kept on disk; see `unmix.onepass.compiled`."""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba as nb

from unmix.infer.exact import coordinates, slope, sweep
from unmix.onepass.compiled import digest as digest_of_pass


@lru_cache
def digest() -> str:
    """Digest of every file that the kernels are made of."""
    own = b"".join(f.read_bytes() for f in sorted(Path(__file__).parent.glob("*.py")))
    return hashlib.sha256(own + digest_of_pass().encode()).hexdigest()


@lru_cache
def sweeps() -> Callable[..., Any]:
    """`unmix.infer.exact.sweep.sweeps`, or `heights` where ``what`` is 1, compiled.

    One function, because each would compile the pass for itself.
    """
    sources = digest()

    @nb.njit(error_model="numpy", nogil=True, cache=True)
    def sweeps(  # type: ignore[no-untyped-def]
        what, rng, terms, x, centre, weight, blocks, hyper, nu, log_share, centres, factors, groups,
        key, share, theta, log_w, params, n, stats, log_marginal, held, z, kept, kept_marginal,
        repeated, kept_y,
    ):  # fmt: skip
        sources  # noqa: B018
        if what == 1:
            sweep.heights(
                terms, x, centre, weight, blocks, hyper, groups, key, theta, log_w, params, n,
                stats, held[:0], kept_y, kept_marginal,
            )  # fmt: skip
            return
        sweep.sweeps(
            rng, terms, x, centre, weight, blocks, hyper, nu, log_share, centres, factors, groups,
            key, share, theta, log_w, params, n, stats, log_marginal, held, z, kept, kept_marginal,
            repeated, kept_y,
        )  # fmt: skip

    return sweeps


@lru_cache
def surroundings() -> Callable[..., Any]:
    """Several functions of `unmix.infer.exact` that finding a mode takes, compiled as one.

    ``what`` chooses: 0 length of y; 1 y from θ; 2 θ from y; 3 derivatives. One function, because
    each has its own copy in the cache on disk and takes its own while to load.
    """
    sources = digest()

    @nb.njit(error_model="numpy", nogil=True, cache=True)
    def surroundings(  # type: ignore[no-untyped-def]
        what, terms, blocks, hyper, y, theta, log_w, params, n, stats, centre, scale, first, second,
    ):  # fmt: skip
        sources  # noqa: B018
        if what == 0:
            return float(coordinates.dimension(terms, blocks, len(log_w)))
        if what == 1:
            coordinates.fold(terms, blocks, theta, log_w, params, y)
            return 0.0
        if what == 2:
            return coordinates.unfold(terms, blocks, hyper, y, theta, log_w, params)
        slope.slope(
            terms, blocks, hyper, n, stats, centre, scale, y, theta, log_w, params, first, second
        )
        return 0.0

    return surroundings


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
