"""The kernels, compiled at their first use and kept on disk; never at import.

Numba's cache notices a change of the file that defines a function, not of the files whose functions
it calls. So the digest of all of them is a cell of each function here, and with it part of the key.
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba as nb

from unmix.onepass import em_kernel, kernel


@lru_cache
def digest() -> str:
    """Digest of every file that the kernels are made of."""
    here = Path(__file__).parent
    files = sorted([*here.glob("*.py"), *(here / "families").glob("*.py")])
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()


@lru_cache
def pass_rows() -> Callable[..., Any]:
    """`unmix.onepass.kernel.pass_rows`, compiled."""
    sources = digest()

    @nb.njit(error_model="numpy", nogil=True, cache=True)
    def pass_rows(mode, key, terms, x, centre, weight, log_w, params, n, stats, z, begin, end):  # type: ignore[no-untyped-def]
        sources  # noqa: B018
        return kernel.pass_rows(
            mode, key, terms, x, centre, weight, log_w, params, n, stats, z, begin, end
        )

    return pass_rows


@lru_cache
def given_rows() -> Callable[..., Any]:
    """`unmix.onepass.kernel.given_rows`, compiled."""
    sources = digest()

    @nb.njit(error_model="numpy", nogil=True, cache=True)
    def given_rows(terms, x, centre, r, rows, params, n, stats):  # type: ignore[no-untyped-def]
        sources  # noqa: B018
        kernel.given_rows(terms, x, centre, r, rows, params, n, stats)

    return given_rows


@lru_cache
def joint_rows() -> Callable[..., Any]:
    """`unmix.onepass.kernel.joint_rows`, compiled."""
    sources = digest()

    @nb.njit(error_model="numpy", nogil=True, cache=True)
    def joint_rows(terms, x, centre, log_w, params, begin, end, out):  # type: ignore[no-untyped-def]
        sources  # noqa: B018
        kernel.joint_rows(terms, x, centre, log_w, params, begin, end, out)

    return joint_rows


@lru_cache
def em_rows() -> Callable[..., Any]:
    """`unmix.onepass.em_kernel.em_rows`, compiled."""
    sources = digest()

    @nb.njit(error_model="numpy", nogil=True, cache=True)
    def em_rows(  # type: ignore[no-untyped-def]
        terms, x, centre, weight, log_w, params, floor, move_w, total, tolerance, trace, moves
    ):
        sources  # noqa: B018
        return em_kernel.em_rows(
            terms, x, centre, weight, log_w, params, floor, move_w, total, tolerance, trace, moves
        )

    return em_rows


@lru_cache
def maximise_all() -> Callable[..., Any]:
    """`unmix.onepass.em_kernel.maximise_all`, compiled."""
    sources = digest()

    @nb.njit(error_model="numpy", nogil=True, cache=True)
    def maximise_all(terms, log_w, params, n, stats, floor, move_w, total):  # type: ignore[no-untyped-def]
        sources  # noqa: B018
        return em_kernel.maximise_all(terms, log_w, params, n, stats, floor, move_w, total)

    return maximise_all


@lru_cache
def settled() -> Callable[..., Any]:
    """`unmix.onepass.em_kernel.settled`, compiled."""
    sources = digest()

    @nb.njit(error_model="numpy", nogil=True, cache=True)
    def settled(trace, moves, at, total, tolerance):  # type: ignore[no-untyped-def]
        sources  # noqa: B018
        return em_kernel.settled(trace, moves, at, total, tolerance)

    return settled


@lru_cache
def responsibility_rows() -> Callable[..., Any]:
    """`unmix.onepass.kernel.responsibility_rows`, compiled."""
    sources = digest()

    @nb.njit(error_model="numpy", nogil=True, cache=True)
    def responsibility_rows(  # type: ignore[no-untyped-def]
        terms, x, centre, log_w, params, r, log_marginal
    ):
        sources  # noqa: B018
        kernel.responsibility_rows(terms, x, centre, log_w, params, r, log_marginal)

    return responsibility_rows
