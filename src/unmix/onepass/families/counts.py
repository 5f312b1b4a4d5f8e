"""Inner products that several discrete families share."""

from unmix.onepass.elementary import jit


@jit
def add_columns(x, d, m, p, c, row):  # type: ignore[no-untyped-def]
    """Add c + Σ_j x_j p_j to ``row``, with 0 · (−∞) = 0: what cannot happen did not happen."""
    for j in range(d):
        xj, pj = x[j], p[j]
        for i in range(m):
            row[i] += c + (xj[i] * pj if xj[i] != 0.0 else 0.0)
        c = 0.0


@jit
def sum_columns(x, d, m, r, s):  # type: ignore[no-untyped-def]
    """Add Σ_i r_i x_ij to ``s``."""
    j = 0
    while j + 4 <= d:
        x0, x1, x2, x3 = x[j], x[j + 1], x[j + 2], x[j + 3]
        a0, a1, a2, a3 = 0.0, 0.0, 0.0, 0.0
        for i in range(m):
            v = r[i]
            a0 += v * x0[i]
            a1 += v * x1[i]
            a2 += v * x2[i]
            a3 += v * x3[i]
        s[j] += a0
        s[j + 1] += a1
        s[j + 2] += a2
        s[j + 3] += a3
        j += 4
    while j < d:
        xj = x[j]
        a = 0.0
        for i in range(m):
            a += r[i] * xj[i]
        s[j] += a
        j += 1
