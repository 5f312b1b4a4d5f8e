"""Wrong implementations of what is said of one row, each rejected by a test that runs over them.

Tails, simulated rows, the table's columns, pulls of features, ties and neighbours.
"""

import numpy as np
from scipy.special import logsumexp

# --- the tail: (replicated log marginals, own log marginals) -> tail of each row -----------------


def _share(replicated, own, compare):
    return np.array([(1 + compare(replicated, v).sum()) / (1 + len(replicated)) for v in own])


def strictly_below(replicated, own):
    """Rows just as improbable are left out: wrong wherever values repeat."""
    return _share(replicated, own, lambda r, v: r < v - 1e-9 * (1 + abs(v)))


def the_other_tail(replicated, own):
    return _share(replicated, own, lambda r, v: r >= v - 1e-9 * (1 + abs(v)))


def both_tails(replicated, own):
    low = _share(replicated, own, lambda r, v: r <= v + 1e-9 * (1 + abs(v)))
    return np.minimum(1.0, 2 * np.minimum(low, 1 - low))


TAILS = {f.__name__: f for f in (strictly_below, the_other_tail, both_tails)}

# --- the threshold: (rows, rate) -> largest tail that is flagged ---------------------------------


def rows_forgotten(rows, rate):
    return rate / 2


def rows_squared(rows, rate):
    return rate / (2 * rows**2)


THRESHOLDS = {f.__name__: f for f in (rows_forgotten, rows_squared)}

# --- simulated rows of one component: (family, packed, d, n, rng) -> (d, n) ----------------------


def normal_by_precision_root(p, d, n, rng):
    return p[:d, None] + rng.standard_normal((d, n)) * p[d : 2 * d, None]


def mvnormal_by_the_inverse_itself(p, d, n, rng):
    inverse = np.zeros((d, d))
    inverse[np.tril_indices(d)] = p[d:-1]
    return p[:d, None] + inverse @ rng.standard_normal((d, n))


def mvnormal_transposed(p, d, n, rng):
    inverse = np.zeros((d, d))
    inverse[np.tril_indices(d)] = p[d:-1]
    return p[:d, None] + np.linalg.inv(inverse).T @ rng.standard_normal((d, n))


def poisson_by_the_log_rate(p, d, n, rng):
    return rng.poisson(np.abs(p[:d, None]), (d, n)).astype(float)


def bernoulli_of_the_other_value(p, d, n, rng):
    return (rng.random((d, n)) >= np.exp(p[:d, None])).astype(float)


def categorical_by_columns(p, d, n, rng):
    levels = len(p) // d
    below = np.exp(p.reshape(levels, d).T)
    below = (below / below.sum(axis=1, keepdims=True)).cumsum(axis=1)
    u = rng.random((d, n))
    return np.minimum((u[:, :, None] >= below[:, None]).sum(axis=2), levels - 1).astype(float)


def exponential_by_the_rate(p, d, n, rng):
    return rng.standard_exponential((d, n)) * -p[:d, None]


REPLICATES = {
    "Normal": (normal_by_precision_root,),
    "MvNormal": (mvnormal_by_the_inverse_itself, mvnormal_transposed),
    "Poisson": (poisson_by_the_log_rate,),
    "Bernoulli": (bernoulli_of_the_other_value,),
    "Categorical": (categorical_by_columns,),
    "Exponential": (exponential_by_the_rate,),
}

# --- pulls of features of a multivariate normal: (x, mu, cov) -> (feature,) ----------------------


def marginals(x, mu, cov):
    """As if features were independent: the parts do not add up to the whole."""
    var = np.diag(cov)
    return -0.5 * (x - mu) ** 2 / var - 0.5 * np.log(2 * np.pi * var)


def given_all_others(x, mu, cov):
    precision = np.linalg.inv(cov)
    var = 1 / np.diag(precision)
    mean = x - var * (precision @ (x - mu))
    return -0.5 * (x - mean) ** 2 / var - 0.5 * np.log(2 * np.pi * var)


def given_those_after_it(x, mu, cov):
    reverse = np.linalg.cholesky(cov[::-1, ::-1])
    u = np.linalg.solve(reverse, (x - mu)[::-1])
    return (-0.5 * u**2 - np.log(np.diag(reverse)) - 0.5 * np.log(2 * np.pi))[::-1]


PULLS = {f.__name__: f for f in (marginals, given_all_others, given_those_after_it)}

# --- co-assignment: responsibilities (sample, obs, component), row -> (obs,) ---------------------


def product_of_averages(r, row):
    """At averaged responsibilities: what rows share through θ is lost."""
    mean = r.mean(axis=0)
    return mean @ mean[row]


def same_most_likely(r, row):
    most = r.argmax(axis=2)
    return (most == most[:, [row]]).mean(axis=0)


def geometric(r, row):
    with np.errstate(divide="ignore"):
        logs = np.log(r) + np.log(r[:, [row]])
    return np.exp(logsumexp(logs, axis=2).mean(axis=0))


NEIGHBOURS = {f.__name__: f for f in (product_of_averages, same_most_likely, geometric)}
