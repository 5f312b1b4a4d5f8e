"""How far in the tail a sum of bounded martingale differences lies.

Let S be a sum of differences with conditional mean 0, none larger than b, and V the sum of their
conditional variances. Of all such sums the one with the heaviest upper tail is a centred Poisson
count scaled by b, whose cumulant function is V (e^{bλ} − 1 − bλ) / b². Two answers follow from it.

The bound of Bennett (1962, JASA 57:33) for independent terms and of Freedman (1975, Ann. Probab.
3:100) for martingales holds always, and is some ten times too careful far out:

    P(S ≥ s) ≤ exp(−(V/b²) h(b s/V)),    h(u) = (1 + u) log(1 + u) − u.

The saddlepoint approximation of that Poisson's tail (Lugannani and Rice 1980, Adv. Appl. Probab.
12:475, in the form of Barndorff-Nielsen 1991, Biometrika 78:557) needs some information, V ≥ 10 b²,
and is then right to a few per cent if the jumps are all of size b, and careful if they are smaller.
The normal tail is neither: with V = 10 it is eighty times too small at five standard deviations.

Both take V as given. It is when z was drawn afterwards from stored θ. In a Gibbs sampler later θ
follow z, so V is random; how little that matters was measured (tests/test_check_calibration_slow).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_ndtr

Array = NDArray[np.float64]

# V below this many squared jumps is too little for anything but the bound.
ENOUGH_JUMPS = 10.0


def bennett_exponent(u: ArrayLike) -> Array:
    """Bennett's h(u) = (1 + u) log(1 + u) − u, for u ≥ 0, to full precision near 0."""
    u = np.asarray(u, dtype=float)
    series = u * u * (0.5 - u * (1 / 6 - u / 12))  # the next term, u⁵/20, is below rounding
    return np.where(u < 1e-4, series, (1 + u) * np.log1p(u) - u)


def log_bennett(s: ArrayLike, variance: ArrayLike, jump: ArrayLike = 1.0) -> Array:
    """Log of the Bennett–Freedman bound on P(S ≥ s), for s ≥ 0.

    Parameters
    ----------
    s, variance, jump
        Broadcast together: the sum, its predictable variance and the largest difference.

    Returns
    -------
    Array
        −(V/b²) h(b s/V); −inf where the variance is 0 and s is not.
    """
    s, v, b = np.broadcast_arrays(*(np.asarray(a, dtype=float) for a in (s, variance, jump)))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        u = b * s / v
        exponent = np.where(np.isfinite(u), v / b**2 * bennett_exponent(u), np.inf)
    return -np.where(s > 0, exponent, 0.0)


def log_poisson_tail(
    s: ArrayLike, variance: ArrayLike, jump: ArrayLike = 1.0, *, counts: bool = False
) -> Array:
    """Log of the saddlepoint approximation to P(S ≥ s), for s ≥ 0 and variance > 0.

    With x = b s/V, λ = log(1 + x)/b, w² = 2 (V/b²) h(x) and v = λ √(V (1 + x)), the tail is
    Φ(−w − log(v/w)/w). For `counts`, sums of ones less their means, v has 1 − e^{−λ} in place of λ:
    Daniels' (1987, Int. Stat. Rev. 55:37) correction, without which P(S ≥ s) would read P(S > s)
    plus half of P(S = s).

    Parameters
    ----------
    s, variance, jump
        Broadcast together: the sum, its predictable variance and the largest difference.
    counts
        Whether S moves on a lattice of spacing one.
    """
    s, v, b = np.broadcast_arrays(*(np.asarray(a, dtype=float) for a in (s, variance, jump)))
    # At s = 0 both w and v below vanish; the tail goes smoothly to a limit there.
    x = b * np.maximum(s, 1e-6 * np.sqrt(v)) / v
    w = np.sqrt(2 * v * bennett_exponent(x)) / b
    slope = np.log1p(x) / b
    v_over_w = (-np.expm1(-slope) if counts else slope) * np.sqrt(v * (1 + x)) / w
    return np.asarray(log_ndtr(-w - np.log(v_over_w) / w))


def two_sided(
    s: ArrayLike,
    variance: ArrayLike,
    jump_up: ArrayLike = 1.0,
    jump_down: ArrayLike = 1.0,
    *,
    counts: bool = False,
) -> Array:
    """Twice the chance that S lies at least so far on the side on which it lies; at most 1.

    The saddlepoint where variance ≥ 10 jump², the bound elsewhere.

    Parameters
    ----------
    s, variance, jump_up, jump_down
        Broadcast together: the sum, its predictable variance and the largest difference each way.
    counts
        Whether S moves on a lattice of spacing one.
    """
    s, v, up, down = np.broadcast_arrays(
        *(np.asarray(a, dtype=float) for a in (s, variance, jump_up, jump_down))
    )
    jump = np.where(s >= 0, up, down)
    size = np.abs(s)
    bound = log_bennett(size, v, jump)
    enough = v >= ENOUGH_JUMPS * jump**2
    sharp = log_poisson_tail(size, np.where(enough, v, 1.0), jump, counts=counts)
    log_tail = np.where(enough, np.minimum(sharp, bound), bound)
    return np.exp(np.minimum(log_tail + np.log(2), 0.0))
