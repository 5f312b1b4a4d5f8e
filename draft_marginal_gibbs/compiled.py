"""The kernels, compiled at their first use and kept on disk; see `unmix.onepass.compiled`."""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba as nb
import numpy as np

from unmix.infer.gibbs import conditionals, space, sweep
from unmix.onepass.compiled import digest as pass_digest


@lru_cache
def digest() -> str:
    """Digest of every file that these kernels are made of."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    own = b"".join(f.read_bytes() for f in files)
    return hashlib.sha256(own + pass_digest().encode()).hexdigest()


@lru_cache
def sweeps() -> Callable[..., Any]:
    """`unmix.infer.gibbs.sweep.sweeps`, compiled."""
    sources = digest()

    @nb.njit(error_model="numpy", nogil=True, cache=True)
    def sweeps(  # type: ignore[no-untyped-def]
        plan, x, centre, values, moves, laplace, factor, inverse, rng, theta, out, z
    ):
        sources  # noqa: B018
        return sweep.sweeps(
            plan, x, centre, values, moves, laplace, factor, inverse, rng, theta, out, z
        )

    return sweeps


@lru_cache
def unconstrain() -> Callable[..., Any]:
    """`unmix.infer.gibbs.space.unconstrain`, compiled."""
    sources = digest()

    @nb.njit(error_model="numpy", nogil=True, cache=True)
    def unconstrain(plan, values, v):  # type: ignore[no-untyped-def]
        sources  # noqa: B018
        space.unconstrain(plan, values, v)

    return unconstrain


@lru_cache
def prior_and_pack() -> Callable[..., Any]:
    """From the vector to θ, its log-prior, and what the pass reads; compiled."""
    sources = digest()

    @nb.njit(error_model="numpy", nogil=True, cache=True)
    def prior_and_pack(plan, v, values, log_w, packed):  # type: ignore[no-untyped-def]
        sources  # noqa: B018
        if len(v):
            prior = space.constrain(plan, v, values)
        else:  # θ as it is
            prior = 0.0
        conditionals.pack(plan, values, log_w, packed)
        return prior

    return prior_and_pack


@lru_cache
def gradient() -> Callable[..., Any]:
    """Gradient of the log-posterior of the vector, given an E-step's sums there; compiled."""
    sources = digest()

    @nb.njit(error_model="numpy", nogil=True, cache=True)
    def gradient(plan, v, values, n, stats, about, slope):  # type: ignore[no-untyped-def]
        sources  # noqa: B018
        log_w, packed = np.empty(len(n)), np.empty(about.shape)
        for j in range(len(v)):
            # Central differences of a smooth function: about eps^(2/3) of its size is lost.
            step, kept = 6e-6 * max(1.0, abs(v[j])), v[j]
            slope[j] = 0.0
            for side in (1.0, -1.0):
                v[j] = kept + side * step
                value = space.constrain(plan, v, values)
                conditionals.pack(plan, values, log_w, packed)
                value += space.log_expected(plan.terms, log_w, packed, n, stats, about)
                slope[j] += side * value / (2.0 * step)
            v[j] = kept

    return gradient
