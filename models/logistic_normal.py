r"""Weights that are normal on the scale of log-ratios: the logistic-normal distribution.

A draw is softmax(log w0 + tau ε) with independent standard normal ε_k. Of K weights only the K − 1
log-ratios count, and in orthonormal coordinates of them (Egozcue et al. 2003, Mathematical Geology
35:279) the draw is Normal around those of w0 with standard deviation tau. With
clr(w)_k = log w_k − mean_j log w_j the density on the simplex is

.. math::

    p(w \mid w_0, τ) = (2πτ^2)^{-(K-1)/2}
        \exp\Bigl(-\frac{\lVert clr(w) - clr(w_0) \rVert^2}{2 τ^2}\Bigr)
        \frac{1}{\sqrt{K} \prod_k w_k}

(Aitchison and Shen 1980, Biometrika 67:261). It is the same whatever components are called, which
log-odds against one of them are not.
"""

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from scipy.special import softmax
from scipy.stats import norm, qmc

# Points at which an expectation over the distribution is taken; 2^9 of a scrambled Sobol sequence
# and their mirror images, an error of some 1e-4 for tau of order one.
POINTS = 9


def logistic_normal(name: str, w0: Any, tau: Any, k: int, **options: Any) -> Any:
    """Declare logistic-normal weights in a ``with`` block.

    Parameters
    ----------
    name
        Of the variable.
    w0
        Graph (component,): where the weights lie, on the scale of log-ratios.
    tau
        Graph (): standard deviation of log-ratios.
    k
        Number of components.
    **options
        Of the variable, as ``dims``.
    """

    def log_density(value: Any, w0: Any, tau: Any) -> Any:
        inside = pt.all(value > 0, axis=-1)
        ratio = pt.log(pt.switch(value > 0, value, 1.0))
        common = pt.log(w0)
        apart = ratio - ratio.mean(-1, keepdims=True) - common + common.mean(-1, keepdims=True)
        free = k - 1
        density = (
            -0.5 * pt.square(apart).sum(-1) / tau**2
            - free * (pt.log(tau) + 0.5 * np.log(2 * np.pi))
            - 0.5 * np.log(k)
            - ratio.sum(-1)
        )
        return pt.switch(inside, density, -np.inf)

    def draw(w0: Any, tau: Any, rng: Any = None, size: Any = None) -> Any:
        shape = (*(size or ()), k)
        common = np.log(np.maximum(w0, np.finfo(float).tiny))
        return softmax(common + np.asarray(tau)[..., None] * rng.normal(size=shape), axis=-1)

    def middle(rv: Any, size: Any, w0: Any, tau: Any) -> Any:
        return pt.full(rv.shape, 1.0 / k)  # PyMC would begin at zero, which is no weight

    return pm.CustomDist(
        name,
        w0,
        tau,
        logp=log_density,
        random=draw,
        support_point=middle,
        signature="(k),()->(k)",
        transform=pm.distributions.transforms.simplex,
        **options,
    )


def expected_weights(w0: Any, tau: Any, k: int) -> Any:
    """Mean of the logistic-normal distribution, as a graph (component,)."""
    uniform = qmc.Sobol(k, seed=np.random.default_rng(1)).random_base2(POINTS)
    points = norm.ppf(np.clip(uniform, 1e-12, 1 - 1e-12))
    points = np.concatenate([points, -points])
    return pm.math.softmax(pt.log(w0) + tau * points, axis=-1).mean(axis=0)
