r"""Loops over a block of rows for a multivariate normal: whitened residuals, weighted scatter.

    |L⁻¹ (x − μ)|²                       two rows of L⁻¹ and four registers of rows at a time
    Σ r (x − μ),  Σ r (x − μ)(x − μ)ᵀ    two features by four at a time

so that what is summed stays in registers. Arithmetic is d (d + 3) / 2 multiply-adds a row for
either, which is what their values need.
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
def residuals(x, d, m, p, u):  # type: ignore[no-untyped-def]
    """Residuals x − μ into ``u``, zero beyond row m to the next full vector."""
    for j in range(d):
        xj, uj, mean = x[j], u[j], narrow(p[j])
        for i in range(0, m, NARROW):
            store(uj, i, load_narrow(xj, i) - mean)
        clear(uj, m)


@jit
def fill(x, d, m, p, weight, row, u):  # type: ignore[no-untyped-def]
    """``weight`` plus log p(x_i | k) of a block of rows into ``row``."""
    residuals(x, d, m, p, u)
    minus_half, constant = wide(-0.5), wide(weight + p[d + d * (d + 1) // 2])
    for i in range(0, m, WIDE):
        square = wide(0.0)
        first = 0
        while first + 1 < d:
            la = d + first * (first + 1) // 2
            lb = la + first + 1
            a, b = wide(0.0), wide(0.0)
            for j in range(first + 1):
                v = load_wide(u[j], i)
                a = fused(wide(p[la + j]), v, a)
                b = fused(wide(p[lb + j]), v, b)
            b = fused(wide(p[lb + first + 1]), load_wide(u[first + 1], i), b)
            square = fused(b, b, fused(a, a, square))
            first += 2
        if first < d:
            la = d + first * (first + 1) // 2
            a = wide(0.0)
            for j in range(first + 1):
                a = fused(wide(p[la + j]), load_wide(u[j], i), a)
            square = fused(a, a, square)
        store(row, i, fused(minus_half, square, constant))


@jit
def statistics(x, d, m, p, r, s, u):  # type: ignore[no-untyped-def]
    """Add Σ r (x − μ) and the lower triangle of Σ r (x − μ)(x − μ)ᵀ of a block of rows to ``s``."""
    residuals(x, d, m, p, u)
    full = (m + NARROW - 1) // NARROW * NARROW
    for i in range(m, full):
        r[i] = 0.0
    # Products with features that are not there go nowhere; but what memory happens to hold is often
    # a denormal number, and each of these costs a hundred products.
    for j in range(d, (d + 3) // 4 * 4):
        for i in range(full):
            u[j, i] = 0.0
    for first in range(0, d, 2):
        for left in range(0, min(first + 1, d - 1) + 1, 4):
            tile(u, r, m, d, first, left, s)


@jit
def tile(u, r, m, d, first, left, s):  # type: ignore[no-untyped-def]
    """Products of features ``first`` and the next with the four from ``left``, where they count."""
    ua, ub = u[first], u[min(first + 1, d - 1)]
    u0, u1, u2, u3 = u[left], u[left + 1], u[left + 2], u[left + 3]
    sum_a, a0, a1, a2, a3 = narrow(0.0), narrow(0.0), narrow(0.0), narrow(0.0), narrow(0.0)
    sum_b, b0, b1, b2, b3 = narrow(0.0), narrow(0.0), narrow(0.0), narrow(0.0), narrow(0.0)
    for i in range(0, m, NARROW):
        w = load_narrow(r, i)
        a, b = w * load_narrow(ua, i), w * load_narrow(ub, i)
        sum_a, sum_b = sum_a + a, sum_b + b
        v0, v1 = load_narrow(u0, i), load_narrow(u1, i)
        v2, v3 = load_narrow(u2, i), load_narrow(u3, i)
        a0, b0 = fused(a, v0, a0), fused(b, v0, b0)
        a1, b1 = fused(a, v1, a1), fused(b, v1, b1)
        a2, b2 = fused(a, v2, a2), fused(b, v2, b2)
        a3, b3 = fused(a, v3, a3), fused(b, v3, b3)
    add_lower(s, d, first, left, sum_a, a0, a1, a2, a3)
    if first + 1 < d:
        add_lower(s, d, first + 1, left, sum_b, b0, b1, b2, b3)


@jit
def add_lower(s, d, j, left, t, t0, t1, t2, t3):  # type: ignore[no-untyped-def]
    """Add to the sum of feature j, and to (j, left), … (j, left + 3) what lies in the triangle."""
    if left == 0:
        s[j] += sum_lanes(t)
    at = d + j * (j + 1) // 2 + left
    s[at] += sum_lanes(t0)
    if left + 1 <= j:
        s[at + 1] += sum_lanes(t1)
    if left + 2 <= j:
        s[at + 2] += sum_lanes(t2)
    if left + 3 <= j:
        s[at + 3] += sum_lanes(t3)
