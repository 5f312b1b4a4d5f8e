r"""Moves of all of θ at once, with z summed out, beside Gibbs' own.

A proposal y* is drawn, whatever y is, from a mixture q of multivariate t distributions at the modes
of p(y | x), and z* given it by Bayes' rule. Both are taken together with probability

    min(1, p(y* | x) q(y) / p(y | x) q(y*)),

in which z has cancelled (a Metropolis–Hastings step on the pair with proposal q(y*) p(z* | x, y*);
Tierney 1994, Annals of Statistics 22:1701, section 2.3.3). One sampled pass gives the marginal
likelihood at y* and z*. Where q is close to the posterior, draws are nearly independent however
fast z and θ hold each other.

**Labels.** Exchangeable components make K! copies of every mode, and q has one of each. The density
is the same on all of them, so the step is made on the copy in which exchangeable components stand
in the order of one coordinate, and its components are then given the places back that they had: a
step on the quotient of the space by the relabellings.
"""

import numpy as np

from unmix.onepass.elementary import jit, put


@jit
def log_proposal(nu, log_share, centres, factors, y):  # type: ignore[no-untyped-def]
    """Log q(y), up to a constant that all modes share."""
    modes, p = centres.shape
    each, apart = np.empty(modes), np.empty(p)
    for m in range(modes):
        distance = 0.0
        value = log_share[m]
        for i in range(p):
            total = y[i] - centres[m, i]
            for j in range(i):
                total -= factors[m, i, j] * apart[j]
            apart[i] = total / factors[m, i, i]
            distance += apart[i] * apart[i]
            value -= np.log(factors[m, i, i])
        each[m] = value - 0.5 * (nu + p) * np.log1p(distance / nu)
    largest = each.max()
    total = 0.0
    for m in range(modes):
        total += np.exp(each[m] - largest)
    return largest + np.log(total)


@jit
def propose(rng, nu, log_share, centres, factors, y):  # type: ignore[no-untyped-def]
    """A draw from q, into ``y``."""
    modes, p = centres.shape
    u, m = rng.random(), 0
    below = np.exp(log_share[0])
    while m + 1 < modes and u >= below:
        m += 1
        below += np.exp(log_share[m])
    wide = np.sqrt(0.5 * nu / rng.standard_gamma(0.5 * nu))
    normal = np.empty(p)
    for i in range(p):
        normal[i] = wide * rng.standard_normal()
        y[i] = centres[m, i]
        for j in range(i + 1):
            y[i] += factors[m, i, j] * normal[j]


@jit
def in_order(groups, key, theta, order):  # type: ignore[no-untyped-def]
    """The component that stands at each place once exchangeable ones are sorted, into ``order``.

    Parameters
    ----------
    groups
        Which components are exchangeable: the same number, (component,).
    key
        Where the coordinate that sorts begins in θ, and its stride from component to component.
    """
    for k in range(len(groups)):
        order[k] = k
    for k in range(len(groups)):  # insertion sort that only moves within a group
        place = k
        for before in range(k - 1, -1, -1):
            if groups[before] != groups[k]:
                continue
            if not theta[key[0] + order[before] * key[1]] > theta[key[0] + order[place] * key[1]]:
                break
            order[before], order[place] = order[place], order[before]
            place = before


@jit
def is_in_order(groups, key, theta):  # type: ignore[no-untyped-def]
    """Whether exchangeable components are sorted."""
    for k in range(len(groups)):
        for before in range(k - 1, -1, -1):
            if groups[before] == groups[k]:
                if theta[key[0] + before * key[1]] > theta[key[0] + k * key[1]]:
                    return False
                break
    return True


@jit
def rearranged(order, terms, blocks, theta, log_w, params, new_theta, new_log_w, new_params):  # type: ignore[no-untyped-def]
    """Component ``order[k]`` in place k, into the last three arrays."""
    k_all = len(order)
    put(theta, new_theta)
    for k in range(k_all):
        new_log_w[k] = log_w[order[k]]
        put(params[order[k]], new_params[k])
    for block in range(len(blocks)):
        kind, term, at = blocks[block, 0], blocks[block, 1], blocks[block, 2]
        if kind == 3:
            continue
        size = 1
        if kind == 9:
            size = terms[term, 4]
        elif kind != 0:
            size = terms[term, 2]
        for k in range(k_all):
            source, target = at + order[k] * size, at + k * size
            put(theta[source : source + size], new_theta[target : target + size])
        if kind == 5:
            square = size * size
            at = blocks[block, 5]
            for k in range(k_all):
                source, target = at + order[k] * square, at + k * square
                put(theta[source : source + square], new_theta[target : target + square])
