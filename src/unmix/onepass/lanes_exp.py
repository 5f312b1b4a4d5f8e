"""The exponential of a vector of doubles, for what Bayes' rule takes of it: arguments up to 0.

    exp(x) = 2^n exp(x − n log 2),     n the whole number nearest to x / log 2

log 2 is subtracted in two parts, so that no digit is lost; what is left lies within ½ log 2 of 0,
where a polynomial of degree 11, the Chebyshev expansion, is off by 2e-17 (Muller 2016, Elementary
Functions, chapters 4 and 11). Within two units in the last place (tested).
"""

import numba as nb

from unmix.onepass.elementary import EXACT
from unmix.onepass.lanes import from_on, fused, larger, scaled, wide

LOWEST = -708.0  # below it doubles lose their digits, and the exponential is 0
LOG2_E = 1.4426950408889634
LOG_2_HIGH, LOG_2_LOW = 0.693147180369123816490, 1.90821492927058770002e-10
# Adding 1.5 · 2^52 leaves the nearest integer in the low bits.
ROUNDING = 6755399441055744.0
# Of x^2, …, x^11; the first two are 1.
C2, C3, C4, C5 = 0.5000000000000019, 0.16666666666666702, 0.04166666666648808, 0.008333333333309526
C6, C7, C8 = 0.0013888888952318045, 0.00019841269909219843, 2.480148547921643e-05
C9, C10, C11 = 2.755722495611072e-06, 2.7632640675430235e-07, 2.5114870219497476e-08


@nb.njit(fastmath=EXACT, error_model="numpy")
def exp(x):  # type: ignore[no-untyped-def]
    """exp(x) by lane for x ≤ 0 (and up to 700)."""
    inside = larger(wide(LOWEST), x)
    t = fused(inside, wide(LOG2_E), wide(ROUNDING))
    n = t - wide(ROUNDING)
    r = fused(n, wide(-LOG_2_LOW), fused(n, wide(-LOG_2_HIGH), inside))
    p = fused(wide(C11), r, wide(C10))
    p = fused(p, r, wide(C9))
    p = fused(p, r, wide(C8))
    p = fused(p, r, wide(C7))
    p = fused(p, r, wide(C6))
    p = fused(p, r, wide(C5))
    p = fused(p, r, wide(C4))
    p = fused(p, r, wide(C3))
    p = fused(p, r, wide(C2))
    p = fused(p, r, wide(1.0))
    p = fused(p, r, wide(1.0))
    return from_on(scaled(p, t), x, wide(LOWEST))
