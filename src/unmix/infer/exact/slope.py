r"""The gradient of log p(y | x), z summed out, from the sums of one pass.

By Fisher's identity it is that of

    Q(y) = Σ_k n_k log w_k + Σ_i r_ik log p(x_i | z_i = k, θ(y)) + log p(y)

with sums taken at the same y. Q costs as much as K components do, whatever N, so its derivatives
are central differences. Their steps are small shares of each coordinate's own scale, where the
error of the difference (h²) and of rounding (1 / h) are both far below what a mode needs.
"""

from unmix.infer.exact.coordinates import unfold
from unmix.infer.exact.covariances import scatter_about
from unmix.onepass.elementary import jit, jit_inline
from unmix.onepass.variant import by_family

STEP = 1e-4


@by_family
def expected_term(normal, mvnormal, poisson, bernoulli, categorical, exponential, labels):  # type: ignore[no-untyped-def]
    """Σ_i r_i log p(x_i | k) of one term and component, from sums about ``centre``."""

    def expected_term(families, code, d, n, s, centre, p):  # type: ignore[no-untyped-def]
        total = 0.0
        if normal and code == 0:
            total = n * p[2 * d]
            for j in range(d):
                shift = p[j] - centre[j]
                square = s[d + j] - 2.0 * shift * s[j] + n * shift * shift
                total -= 0.5 * p[d + j] * p[d + j] * square
        elif mvnormal and code == 1:
            total = n * p[d + d * (d + 1) // 2]
            moved = scatter_about(d, n, s, centre, p)
            for i in range(d):
                row = p[d + i * (i + 1) // 2 : d + i * (i + 1) // 2 + i + 1]
                for j in range(i + 1):
                    for m in range(i + 1):
                        total -= 0.5 * row[j] * moved[j, m] * row[m]
        elif bernoulli and code == 3:
            for j in range(d):
                no = n - s[j]
                total += s[j] * p[j] if s[j] != 0.0 else 0.0
                total += no * p[d + j] if no != 0.0 else 0.0
        elif categorical and code == 4:
            for j in range(len(p)):
                total += s[j] * p[j] if s[j] != 0.0 else 0.0
        elif labels and code == 6:
            total = s[0]
        elif poisson or exponential:
            total = n * p[d]
            for j in range(d):
                total += s[j] * p[j] if s[j] != 0.0 else 0.0
        return total

    return expected_term


@jit
def expected_density(families, terms, n, stats, centre, log_w, params):  # type: ignore[no-untyped-def]
    """Σ_ik r_ik log p(x_i, z_i = k | θ) from the sums, without base measures."""
    total = 0.0
    for k in range(len(n)):
        total += n[k] * log_w[k] if n[k] != 0.0 else 0.0
        for t in range(len(terms)):
            own = slice(terms[t, 3], terms[t, 3] + terms[t, 4])
            total += expected_term(
                families, terms[t, 0], terms[t, 2], n[k],
                stats[k, terms[t, 5] : terms[t, 5] + terms[t, 6]], centre[k, own], params[k, own],
            )  # fmt: skip
    return total


@jit_inline
def slope(  # type: ignore[no-untyped-def]
    families, terms, blocks, hyper, n, stats, centre, scale, y, theta, log_w, params, first, second
):
    """First and second derivatives of Q along each coordinate, into ``first`` and ``second``.

    Parameters
    ----------
    n, stats, centre
        Sums at y, about ``centre``.
    scale
        Size of a small change of each coordinate, (dimension,).
    theta, log_w, params
        Scratch; ``params`` holds what no block moves.
    """
    point = y.copy()
    middle = unfold(families, terms, blocks, hyper, point, theta, log_w, params)
    middle += expected_density(families, terms, n, stats, centre, log_w, params)
    for j in range(len(y)):
        h = STEP * scale[j]
        point[j] = y[j] + h
        above = unfold(families, terms, blocks, hyper, point, theta, log_w, params)
        above += expected_density(families, terms, n, stats, centre, log_w, params)
        point[j] = y[j] - h
        below = unfold(families, terms, blocks, hyper, point, theta, log_w, params)
        below += expected_density(families, terms, n, stats, centre, log_w, params)
        point[j] = y[j]
        first[j] = (above - below) / (2.0 * h)
        second[j] = (above - 2.0 * middle + below) / (h * h)
