r"""Expected losses of a partition, and how they change when one row joins a component.

A partition c of N rows is judged by its loss against the unknown z, averaged over the posterior.
With n_k, m_l and n_kl the sizes of c's components, of z's and of their intersections, and P_ij the
posterior probability that z_i = z_j:

.. math::

    VI &= \frac1N E\Big[\sum_k f(n_k) + \sum_l f(m_l) - 2 \sum_{kl} f(n_{kl})\Big],
        \quad f(n) = n \log_2 n \\
    VI_{lb} &= \frac1N \sum_i \Big[\log_2 n_{c_i} + \log_2 \sum_j P_{ij}
        - 2 \log_2 \sum_{j: c_j = c_i} P_{ij}\Big] \\
    Binder &= \sum_{i<j} a P_{ij} [c_i ≠ c_j] + b (1 - P_{ij}) [c_i = c_j] \\
    omARI &= 1 - E\,\frac{A - S M / C}{(S + M) / 2 - S M / C}

where S = Σ_k C(n_k, 2), M = Σ_l C(m_l, 2), A = Σ_kl C(n_kl, 2) and C = C(N, 2) count pairs. Its
approximation puts E M and E A in place of M and A: one minus the PEAR of Fritsch and Ickstadt.

VI needs the draws and not the matrix P: it is kept in tables n_tkl, one for each draw t, so that
the change for one row and all k is one look into each table. Binder and the approximate omARI take
either road; the lower bound of VI needs P.

References: Binder 1978, Biometrika 65:31; Meilă 2007, J. Multivariate Anal. 98:873; Fritsch and
Ickstadt 2009, Bayesian Anal. 4:367; Wade and Ghahramani 2018, Bayesian Anal. 13:559 (lower bound by
Jensen's inequality); Dahl, Johnson and Müller 2022, JCGS 31:1189 (changes row by row).
"""

import numpy as np

from unmix.assign.partition.partial import (
    BINDER,
    OMARI,
    PLACED,
    TOP,
    VI,
    VI_LOWER_BOUND,
    A,
    M,
    S,
    add_rows,
    jit,
    together,
)

# A product of ratios between 1 and 2 is put into its logarithm before it can overflow.
LARGE = 1e290


@jit
def rand(a, s, m, c):  # type: ignore[no-untyped-def]
    """Adjusted Rand index from pairs together in both, in one, in the other, and all pairs."""
    if c <= 0.0:
        return 1.0
    expected = s * m / c
    room = 0.5 * (s + m) - expected
    # No room: all rows apart in both, or all together in both.
    return 1.0 if room <= 1e-12 * c else (a - expected) / room


@jit
def changes(x, i):  # type: ignore[no-untyped-def]
    """Set ``change`` to the loss, up to a constant, with row i in each component and in a new one.

    What is written for ``number[TOP]`` is that of a component of its own. Row i may have a
    component or none; nothing is moved. VI and its bound are not yet divided by N.
    """
    top, samples, own = x.number[TOP], x.zt.shape[1], x.c[i]
    here = 1 if own >= 0 else 0
    change = x.change
    if x.loss == VI:
        add_rows(x.steps, x.zt[i], top, change)
        if here:
            change[own] = 0.0
            for t in range(samples):
                change[own] += x.step[x.counts[t, x.zt[i, t], own] - 1]
        for k in range(top):
            size = x.size[k] - (here if k == own else 0)
            change[k] = x.step[size] - 2.0 * change[k] / samples
        change[top] = 0.0
        return
    others = x.number[PLACED] - here
    pairs = 0.5 * (others + 1.0) * others
    s = x.sums[S] - here * (x.size[own] - 1.0)
    if x.loss == OMARI:
        for k in range(top + 1):
            change[k] = 1.0
        for t in range(samples):
            row = x.counts[t, x.zt[i, t]]
            a = x.a[t] - here * (row[own] - 1.0)
            m = x.m[t] + (0.0 if here else x.margin[t, x.zt[i, t]])
            for k in range(top):
                mine = here if k == own else 0
                change[k] -= rand(a + row[k] - mine, s + x.size[k] - mine, m, pairs) / samples
            change[top] -= rand(a, s, m, pairs) / samples
        return
    together(x, i)
    if x.loss == BINDER:
        for k in range(top):
            size = x.size[k] - (here if k == own else 0)
            change[k] = x.costs[1] * size - (x.costs[0] + x.costs[1]) * x.q[k]
        change[top] = 0.0
    elif x.loss == VI_LOWER_BOUND:
        for k in range(top):
            size = x.size[k] - (here if k == own else 0)
            change[k] = x.step[size] - 2.0 * np.log2(1.0 + x.q[k])
            x.q[k] = 1.0  # from here on a product of ratios
        change[top] = 0.0
        for j in range(len(x.c)):
            k = x.c[j]
            if k >= 0 and j != i:
                without = x.within[j] - (x.p[i, j] if k == own else 0.0)
                x.q[k] *= 1.0 + x.p[i, j] / without
                if x.q[k] > LARGE:
                    change[k] -= 2.0 * np.log2(x.q[k])
                    x.q[k] = 1.0
        for k in range(top):
            change[k] -= 2.0 * np.log2(x.q[k])
    else:
        a, m = x.sums[A] - here * x.q[own], x.sums[M]
        if here == 0:
            for k in range(top):
                m += x.q[k]
        for k in range(top):
            size = x.size[k] - (here if k == own else 0)
            change[k] = 1.0 - rand(a + x.q[k], s + size, m, pairs)
        change[top] = 1.0 - rand(a, s, m, pairs)


@jit
def total(x):  # type: ignore[no-untyped-def]
    """The expected loss of a partition of all rows, constants included, from counts and P."""
    n, samples = len(x.c), x.zt.shape[1]
    pairs = 0.5 * n * (n - 1.0)
    s = 0.0
    own = 0.0
    for k in range(x.number[TOP]):
        s += 0.5 * x.size[k] * (x.size[k] - 1.0)
        own += x.f[x.size[k]]
    if x.loss == VI_LOWER_BOUND:
        value = own
        for i in range(n):
            all_of, inside = 0.0, 0.0
            for j in range(n):
                all_of += x.p[i, j]
                if x.c[j] == x.c[i]:
                    inside += x.p[i, j]
            value += np.log2(all_of) - 2.0 * np.log2(inside)
        return max(0.0, value / n)
    joint, other, index, shared = 0.0, 0.0, 0.0, 0.0
    for t in range(samples):
        a, m = 0.0, 0.0
        for l in range(x.margin.shape[1]):  # noqa: E741
            m += 0.5 * x.margin[t, l] * (x.margin[t, l] - 1.0)
            shared += x.f[x.margin[t, l]]
            for k in range(x.number[TOP]):
                a += 0.5 * x.counts[t, l, k] * (x.counts[t, l, k] - 1.0)
                shared -= 2.0 * x.f[x.counts[t, l, k]]
        joint += a / samples
        other += m / samples
        index += rand(a, s, m, pairs) / samples
    if x.loss == VI:
        return max(0.0, (own + shared / samples) / n)
    if x.loss == OMARI:
        return 1.0 - index
    if samples == 0:
        for i in range(n):
            for j in range(i):
                other += x.p[i, j]
                if x.c[j] == x.c[i]:
                    joint += x.p[i, j]
    if x.loss == BINDER:
        return x.costs[0] * (other - joint) + x.costs[1] * (s - joint)
    return 1.0 - rand(joint, s, other, pairs)
