"""Where rows stored in single precision are too coarse for the components that were found.

A column x, less its mean, is stored to within 2⁻²⁴ max|x|. Sums are taken in double precision, so
that is a measurement error like any other: it does no harm while a component's standard deviation
in that direction, given the features before it, is much larger.
"""

import warnings

import numpy as np
from numpy.typing import NDArray

from unmix.errors import UnmixWarning
from unmix.infer.pass_objective import PassObjective
from unmix.onepass.families.mvnormal import MvNormal
from unmix.onepass.families.normal import Normal

# Standard deviations of at least so many roundings. An error that is uniform within ± one rounding
# adds a third of its square to a variance: 1 / (3 · 100²), less than 1e-4 of it.
ROUNDINGS = 100


def say_rounding(objective: object, theta: dict[str, NDArray]) -> None:
    """Warn where a component of θ is hardly wider than the rounding of the rows."""
    if not isinstance(objective, PassObjective):
        return
    onepass = objective.onepass
    if onepass.chunks[0].x.dtype != np.float32:
        return
    (chunk,) = onepass.chunks
    rows = np.concatenate([onepass.recognised.values(t).T for t in onepass.recognised.terms])
    rounded = (rows != chunk.x + chunk.centre[:, None]).any(axis=1)
    step = np.abs(chunk.x).max(axis=1, initial=0.0) * rounded
    step *= np.finfo(np.float32).eps / 2
    _, packed = onepass.recognised.pack(theta)
    for t in onepass.recognised.terms:
        j = np.arange(t.d)
        if isinstance(t.family, MvNormal):
            inverse = packed[:, t.parameters][:, t.d + j * (j + 3) // 2]
        elif isinstance(t.family, Normal):
            inverse = packed[:, t.parameters][:, t.d + j]
        else:
            continue
        coarse = np.argwhere(inverse * step[t.columns] * ROUNDINGS > 1.0)
        if len(coarse):
            k, column = coarse[0]
            warnings.warn(
                f"storage='float32' rounds column {column} of {t.name!r} to within "
                f"{step[t.column + column]:.2g}, and component {k} is only "
                f"{1 / inverse[k, column]:.2g} wide there: use storage='float64'",
                UnmixWarning,
                stacklevel=3,
            )
            return
