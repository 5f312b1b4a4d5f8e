"""The pass, held to the derived table before anyone uses it."""

from typing import Any

import numpy as np

from unmix.derive import bayes
from unmix.errors import UnmixError
from unmix.onepass.onepass import OnePass

# Rows that are looked at: the first ones. The kernels treat all rows alike, and a block is 512.
LOOKS = 1100
# Both compute the same sums of squares, the table through a triangular solve and the pass with the
# inverse factor, which lose digits with the condition of the covariance; a wrong formula is off by
# a part in ten or so.
TOLERANCE = 1e-6


def require_table(derivation: Any, onepass: OnePass) -> None:
    """Compare log p(z_i = k, x_i | θ) of both roads at two points.

    Raises
    ------
    UnmixError
        If they differ: a defect of unmix, never of the model.
    """
    rng = np.random.default_rng(20261124)
    few = onepass.chunks[0].x.shape[1] <= LOOKS
    for _ in range(2):
        theta = derivation.space.jittered(rng)
        joint = bayes.joint(*derivation.log_terms({n: v[None] for n, v in theta.items()}))[0]
        found = next(onepass.joint(*onepass.recognised.pack(theta), rows=LOOKS))
        joint = joint if few else joint[: len(found)]
        with np.errstate(invalid="ignore"):
            same = np.abs(found - joint) <= TOLERANCE * (1.0 + np.abs(joint))
        same |= (found == joint) | (np.isnan(found) & np.isnan(joint))
        if not same.all():
            i, k = (int(v) for v in np.argwhere(~same)[0])
            raise UnmixError(
                f"the compiled pass gives {found[i, k]:.12g} for row {i} and component {k} where "
                f"the derived table gives {joint[i, k]:.12g}: please report the model"
            )
