r"""Loops over a block of rows for a multivariate normal of two features, all of it in registers.

Parameters and statistics as in `unmix.onepass.families.mvnormal`: μ, the lower triangle of L⁻¹ and
the constant; sums of r u, r v, r u², r u v and r v², where (u, v) = x − μ.
"""

from unmix.onepass.elementary import jit
from unmix.onepass.lanes import (
    NARROW,
    WIDE,
    clear,
    fused,
    load_narrow,
    load_wide,
    narrow,
    store,
    sum_lanes,
    wide,
)


@jit
def fill(x, y, m, p, weight, row):  # type: ignore[no-untyped-def]
    """``weight`` plus log p(x_i, y_i | k) into ``row``."""
    mean_x, mean_y, a, b, c = wide(p[0]), wide(p[1]), wide(p[2]), wide(p[3]), wide(p[4])
    minus_half, constant = wide(-0.5), wide(weight + p[5])
    for i in range(0, m, WIDE):
        u, v = load_wide(x, i) - mean_x, load_wide(y, i) - mean_y
        first, second = a * u, fused(b, u, c * v)
        square = fused(first, first, second * second)
        store(row, i, fused(minus_half, square, constant))


@jit
def statistics(x, y, m, p, r, s):  # type: ignore[no-untyped-def]
    """Add the weighted sums of a block of rows to ``s``."""
    clear(r, m)
    mean_x, mean_y = narrow(p[0]), narrow(p[1])
    su, sv = narrow(0.0), narrow(0.0)
    suu, suv, svv = narrow(0.0), narrow(0.0), narrow(0.0)
    for i in range(0, m, NARROW):
        w = load_narrow(r, i)
        u, v = load_narrow(x, i) - mean_x, load_narrow(y, i) - mean_y
        ru, rv = w * u, w * v
        su, sv = su + ru, sv + rv
        suu, suv, svv = fused(ru, u, suu), fused(ru, v, suv), fused(rv, v, svv)
    s[0] += sum_lanes(su)
    s[1] += sum_lanes(sv)
    s[2] += sum_lanes(suu)
    s[3] += sum_lanes(suv)
    s[4] += sum_lanes(svv)
