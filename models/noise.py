r"""A component of noise, uniform over a box: where points that belong nowhere go.

.. math:: p(x_i \mid z_i = \text{noise}) = 1 / V \quad\text{inside the box,}\quad 0 \text{ outside,}

with V the volume of the box that the data span (Banfield and Raftery 1993, Biometrics 49:803). The
other components are normals.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray

from unmix.arguments import said
from unmix.errors import UnmixError

from .by_name import by_name  # noqa: TID251  ruff takes siblings for the banned root name


def normal_or_noise(
    name: str,
    is_noise: Any,
    mu: Any,
    sigma: Any,
    *,
    observed: NDArray,
    box: tuple[NDArray, NDArray],
    there: NDArray | None = None,
    dims: Any,
) -> Any:
    """Observed numbers that are normal or, where ``is_noise``, uniform between least and largest.

    Features are independent either way, so that what is uniform in each is uniform over the box.

    Parameters
    ----------
    name
        Of the variable.
    is_noise
        Of each row, broadcast against ``observed``.
    mu, sigma
        Of each cell, or what broadcasts to that.
    observed
        Shape (obs,) or (obs, feature).
    box
        Its corners, (feature,) each.
    there
        Which cells are there, where some are missing: noise says nothing of those.
    dims
        Of the variable.
    """
    low, high = box

    def logp(value: Any, is_noise: Any, mu: Any, sigma: Any) -> Any:
        uniform = pt.switch((value >= low) & (value <= high), -np.log(high - low), -np.inf)
        uniform = uniform if there is None else pt.switch(there, uniform, 0.0)
        return pt.switch(is_noise, uniform, pm.logp(pm.Normal.dist(mu, sigma), value))

    def random(
        is_noise: Any, mu: Any, sigma: Any, rng: np.random.Generator, size: Any = None
    ) -> NDArray:
        return np.where(is_noise, rng.uniform(low, high, size), rng.normal(mu, sigma, size))

    return pm.CustomDist(
        name, is_noise, mu, sigma, logp=logp, random=random, observed=observed, dims=dims
    )


def vector_or_noise(
    name: str,
    is_noise: Any,
    mu: Any,
    cov: Any,
    *,
    observed: NDArray,
    box: tuple[NDArray, NDArray],
    there: NDArray | None = None,
    dims: Any,
) -> Any:
    """The same for rows that are multivariate normal.

    Parameters
    ----------
    name, observed, box, there, dims
        As in `normal_or_noise`.
    is_noise
        Of each row, shape (obs,).
    mu, cov
        Means (obs, feature) and covariances (obs, feature, feature), or what broadcasts to that.
    """
    low, high = box
    log_volume = np.log(high - low).sum()
    if there is not None:
        log_volume = there @ np.log(high - low)

    def logp(value: Any, is_noise: Any, mu: Any, cov: Any) -> Any:
        inside = (value >= low) & (value <= high)
        inside = (inside if there is None else inside | ~there).all(axis=-1)
        uniform = pt.switch(inside, -log_volume, -np.inf)
        return pt.switch(is_noise, uniform, pm.logp(pm.MvNormal.dist(mu, cov=cov), value))

    def random(
        is_noise: Any, mu: Any, cov: Any, rng: np.random.Generator, size: Any = None
    ) -> NDArray:
        shape = (*np.broadcast_shapes(np.shape(is_noise), np.shape(mu)[:-1]), len(low))
        shape = shape if size is None else (*size, len(low))
        normal = mu + (np.linalg.cholesky(cov) @ rng.standard_normal(shape)[..., None])[..., 0]
        return np.where(np.asarray(is_noise)[..., None], rng.uniform(low, high, shape), normal)

    return pm.CustomDist(
        name, is_noise, mu, cov, logp=logp, random=random, signature="(),(d),(d,d)->(d)",
        observed=observed, dims=dims,
    )  # fmt: skip


def noise_box(
    x: NDArray, noise: Any, features: Sequence[str] = ()
) -> tuple[NDArray, NDArray] | None:
    """Corners of the box of noise, (feature,) each; None where there is no noise.

    Parameters
    ----------
    x
        Rows, NaN where a cell is missing.
    noise
        Whether there is noise over the box that the rows span; or the corners.
    features
        Names of the columns, by which corners that are Series are read.

    Raises
    ------
    UnmixError
        For something else, or corners that do not enclose a box of these features.
    """
    if isinstance(noise, bool | np.bool_):
        return (np.nanmin(x, axis=0), np.nanmax(x, axis=0)) if noise else None
    try:
        low, high = (
            np.asarray(by_name("noise", corner, index=features or None), dtype=np.float64)
            for corner in noise
        )
    except (TypeError, ValueError):
        low = high = np.zeros(())
    if low.shape != x.shape[1:] or high.shape != x.shape[1:] or not np.all(low < high):
        raise UnmixError(
            f"noise is {said(noise)}: give True, or the least and the largest of each feature"
        )
    return low, high
