"""`method="gibbs"`: z and θ in turn, whichever way θ's conditional can be drawn from."""

from collections.abc import Sequence
from typing import Any

import xarray as xr
from numpy.typing import NDArray

from unmix.derive import Derivation
from unmix.infer.exact.blocks import NotExact, find_blocks
from unmix.infer.exact.run import run_exact
from unmix.infer.gibbs_general import run_general


def why_not_exact(derivation: Derivation) -> str | None:
    """Why some parameter has no conditional in closed form; None where all have."""
    try:
        find_blocks(derivation)
    except NotExact as reason:
        return str(reason)
    deterministics = [d.name for d in derivation.model.deterministics]
    return f"{deterministics[0]!r} is computed by PyTensor" if deterministics else None


def run_gibbs(
    derivation: Derivation, points: Sequence[dict[str, NDArray]], **settings: Any
) -> tuple[xr.Dataset, xr.Dataset, NDArray, bool]:
    """Sample θ and z by turns; see `run_exact` and `run_general`.

    Raises
    ------
    UnmixError
        If the model takes the general road.
    """
    if derivation.onepass is None or why_not_exact(derivation) is not None:
        return run_general(derivation, points, **settings)
    return run_exact(derivation, find_blocks(derivation), points, **settings)
