"""The sweeps, compiled at their first use and kept on disk; see `unmix.onepass.compiled`."""

from functools import lru_cache

from unmix.infer.exact import coordinates, slope, sweep
from unmix.onepass.compiled import Function, kept
from unmix.onepass.sources import digest
from unmix.onepass.variant import Families


@lru_cache
def sweeps(families: Families) -> Function:
    """`unmix.infer.exact.sweep.sweeps`, or `heights` where ``what`` is 1, compiled.

    One function, because each would compile the pass for itself.
    """
    sources = digest(sweep.sweeps), digest(sweep.heights)

    def sweeps(  # type: ignore[no-untyped-def]
        what, rng, terms, x, centre, weight, blocks, hyper, nu, log_share, centres, factors, groups,
        key, share, theta, log_w, params, n, stats, log_marginal, held, z, kept, kept_marginal,
        repeated, kept_y,
    ):  # fmt: skip
        sources  # noqa: B018
        if what == 1:
            sweep.heights(
                families, terms, x, centre, weight, blocks, hyper, groups, key, theta, log_w,
                params, n, stats, held[:0], kept_y, kept_marginal,
            )  # fmt: skip
            return
        sweep.sweeps(
            families, rng, terms, x, centre, weight, blocks, hyper, nu, log_share, centres,
            factors, groups, key, share, theta, log_w, params, n, stats, log_marginal, held, z,
            kept, kept_marginal, repeated, kept_y,
        )  # fmt: skip

    return kept(sweeps, families)


@lru_cache
def surroundings(families: Families) -> Function:
    """Several functions of `unmix.infer.exact` that finding a mode takes, compiled as one.

    ``what`` chooses: 0 length of y; 1 y from θ; 2 θ from y; 3 derivatives. One function, because
    each has its own copy in the cache on disk and takes its own while to load.
    """
    functions = (coordinates.dimension, coordinates.fold, coordinates.unfold, slope.slope)
    sources = tuple(map(digest, functions))

    def surroundings(  # type: ignore[no-untyped-def]
        what, terms, blocks, hyper, y, theta, log_w, params, n, stats, centre, scale, first, second,
    ):  # fmt: skip
        sources  # noqa: B018
        if what == 0:
            return float(coordinates.dimension(terms, blocks, len(log_w)))
        if what == 1:
            coordinates.fold(families, terms, blocks, theta, log_w, params, y)
            return 0.0
        if what == 2:
            return coordinates.unfold(families, terms, blocks, hyper, y, theta, log_w, params)
        slope.slope(
            families, terms, blocks, hyper, n, stats, centre, scale, y, theta, log_w, params,
            first, second,
        )  # fmt: skip
        return 0.0

    return kept(surroundings, families)


@lru_cache
def update(families: Families) -> Function:
    """`unmix.infer.exact.sweep.update`, compiled."""
    sources = digest(sweep.update)

    def update(  # type: ignore[no-untyped-def]
        rng, terms, blocks, hyper, n, stats, before, theta, log_w, params
    ):
        sources  # noqa: B018
        sweep.update(families, rng, terms, blocks, hyper, n, stats, before, theta, log_w, params)

    return kept(update, families)
