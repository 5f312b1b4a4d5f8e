"""The kernels, compiled at their first use and kept on disk; never at import.

Each is compiled for the families of a model (`unmix.onepass.variant`) and has a file of its own in
the cache for each set of them. What it is made of (`unmix.onepass.sources`) and the families are
cells of the function, and with them part of the key.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numba as nb

from unmix.onepass import draws_kernel, em_kernel, kernel
from unmix.onepass.elementary import FAST
from unmix.onepass.sources import digest
from unmix.onepass.variant import Families

Function = Callable[..., Any]


def kept(function: Any, families: Families | None = None) -> Function:
    """Compile a function and keep it on disk.

    Two processes that both add to one file of Numba's can each take the other's place in it: so
    each set of families has another.
    """
    if families is not None:
        function.__qualname__ = f"{function.__name__}_{families.name}"
    compiled: Function = nb.njit(fastmath=FAST, error_model="numpy", nogil=True, cache=True)(
        function
    )
    return compiled


@lru_cache
def pass_rows(families: Families) -> Function:
    """`unmix.onepass.kernel.pass_rows`, compiled."""
    sources = digest(kernel.pass_rows)

    def pass_rows(mode, key, terms, x, centre, weight, log_w, params, n, stats, z, begin, end):  # type: ignore[no-untyped-def]
        sources  # noqa: B018
        return kernel.pass_rows(
            families, mode, key, terms, x, centre, weight, log_w, params, n, stats, z, begin, end
        )

    return kept(pass_rows, families)


@lru_cache
def given_rows(families: Families) -> Function:
    """`unmix.onepass.kernel.given_rows`, compiled."""
    sources = digest(kernel.given_rows)

    def given_rows(terms, x, centre, r, rows, params, n, stats):  # type: ignore[no-untyped-def]
        sources  # noqa: B018
        kernel.given_rows(families, terms, x, centre, r, rows, params, n, stats)

    return kept(given_rows, families)


@lru_cache
def joint_rows(families: Families) -> Function:
    """`unmix.onepass.kernel.joint_rows`, compiled."""
    sources = digest(kernel.joint_rows)

    def joint_rows(terms, x, centre, log_w, params, begin, end, out):  # type: ignore[no-untyped-def]
        sources  # noqa: B018
        kernel.joint_rows(families, terms, x, centre, log_w, params, begin, end, out)

    return kept(joint_rows, families)


@lru_cache
def responsibility_rows(families: Families) -> Function:
    """`unmix.onepass.kernel.responsibility_rows`, compiled."""
    sources = digest(kernel.responsibility_rows)

    def responsibility_rows(terms, x, centre, log_w, params, r, log_marginal):  # type: ignore[no-untyped-def]
        sources  # noqa: B018
        kernel.responsibility_rows(families, terms, x, centre, log_w, params, r, log_marginal)

    return kept(responsibility_rows, families)


@lru_cache
def draws_of_rows(families: Families) -> Function:
    """`unmix.onepass.draws_kernel.draws_of_rows`, compiled."""
    sources = digest(draws_kernel.draws_of_rows)

    def draws_of_rows(  # type: ignore[no-untyped-def]
        terms, x, centre, log_w, params, order, slot, begin, end, mean, overlap, kept, log_marginal
    ):
        sources  # noqa: B018
        draws_kernel.draws_of_rows(
            families, terms, x, centre, log_w, params, order, slot, begin, end, mean, overlap,
            kept, log_marginal,
        )  # fmt: skip

    return kept(draws_of_rows, families)


@lru_cache
def em_rows(families: Families) -> Function:
    """`unmix.onepass.em_kernel.em_rows`, compiled."""
    sources = digest(em_kernel.em_rows)

    def em_rows(  # type: ignore[no-untyped-def]
        terms, x, centre, weight, log_w, params, floor, move_w, total, tolerance, trace, moves
    ):
        sources  # noqa: B018
        return em_kernel.em_rows(
            families, terms, x, centre, weight, log_w, params, floor, move_w, total, tolerance,
            trace, moves,
        )  # fmt: skip

    return kept(em_rows, families)


@lru_cache
def maximise_all(families: Families) -> Function:
    """`unmix.onepass.em_kernel.maximise_all`, compiled."""
    sources = digest(em_kernel.maximise_all)

    def maximise_all(terms, log_w, params, n, stats, floor, move_w, total):  # type: ignore[no-untyped-def]
        sources  # noqa: B018
        return em_kernel.maximise_all(
            families, terms, log_w, params, n, stats, floor, move_w, total
        )

    return kept(maximise_all, families)


@lru_cache
def settled() -> Function:
    """`unmix.onepass.em_kernel.settled`, compiled."""
    sources = digest(em_kernel.settled)

    def settled(trace, moves, at, total, tolerance):  # type: ignore[no-untyped-def]
        sources  # noqa: B018
        return em_kernel.settled(trace, moves, at, total, tolerance)

    return kept(settled)
