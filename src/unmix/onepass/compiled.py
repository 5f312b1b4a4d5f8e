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

from unmix.onepass import kernel


def _digest() -> str:
    """Digest of every file that the kernels are made of."""
    here = Path(__file__).parent
    files = sorted([*here.glob("*.py"), *(here / "families").glob("*.py")])
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()


@lru_cache
def pass_rows() -> Callable[..., Any]:
    """`unmix.onepass.kernel.pass_rows`, compiled."""
    sources = _digest()

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
    sources = _digest()

    @nb.njit(error_model="numpy", nogil=True, cache=True)
    def given_rows(terms, x, centre, r, rows, params, n, stats):  # type: ignore[no-untyped-def]
        sources  # noqa: B018
        kernel.given_rows(terms, x, centre, r, rows, params, n, stats)

    return given_rows


@lru_cache
def joint_rows() -> Callable[..., Any]:
    """`unmix.onepass.kernel.joint_rows`, compiled."""
    sources = _digest()

    @nb.njit(error_model="numpy", nogil=True, cache=True)
    def joint_rows(terms, x, centre, log_w, params, begin, end, out):  # type: ignore[no-untyped-def]
        sources  # noqa: B018
        kernel.joint_rows(terms, x, centre, log_w, params, begin, end, out)

    return joint_rows
