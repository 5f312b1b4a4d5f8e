"""Wrong label-free summaries; a test in test_partition.py or test_similarity.py rejects each.

The pattern is that of `mutants.py`: functions with the interface of what they are wrong about.
"""

import numpy as np

# --- Losses of a partition c (obs,) on a matrix p (obs, obs) --------------------------------------


def _same(c):
    return (c[:, None] == c).astype(float)


def binder_over_ordered_pairs(c, p):
    return float(np.abs(_same(c) - p).sum())


def binder_squared(c, p):
    return float(0.5 * np.square(_same(c) - p).sum())


def bound_in_nats(c, p):
    same = _same(c)
    inside = np.log(same.sum(1)) + np.log(p.sum(1)) - 2 * np.log((same * p).sum(1))
    return float(inside.mean())


def bound_without_the_row_itself(c, p):
    same, others = _same(c) - np.eye(len(c)), p - np.eye(len(c))
    terms = [same.sum(1), others.sum(1), (same * others).sum(1)]
    size, mass, both = (np.log2(np.maximum(t, 1e-300)) for t in terms)
    return float((size + mass - 2 * both).mean())


def bound_summed_over_rows(c, p):
    same = _same(c)
    terms = np.log2(same.sum(1)) + np.log2(p.sum(1)) - 2 * np.log2((same * p).sum(1))
    return float(terms.sum())


def index_without_chance(c, p):
    above = np.triu_indices(len(c), 1)
    same, p = _same(c)[above], p[above]
    return float(1 - (same @ p) / (0.5 * (same.sum() + p.sum())))


MATRIX_LOSS_MUTANTS = {
    "binder": [binder_over_ordered_pairs, binder_squared],
    "vi_lower_bound": [bound_in_nats, bound_without_the_row_itself, bound_summed_over_rows],
    "omari_approximate": [index_without_chance],
}

# --- Similarity from responsibilities r (sample, obs, component) ----------------------------------


def product_of_averages(r):
    mean = r.mean(axis=0)
    return mean @ mean.T + np.diag(1 - np.square(mean).sum(1))


def diagonal_as_for_two_rows(r):
    return np.einsum("tik,tjk->ij", r, r) / len(r)


def most_likely_components(r):
    z = r.argmax(axis=-1)
    return (z[:, :, None] == z[:, None]).mean(axis=0)


def last_block_only(r):
    half = r[len(r) // 2 :]
    p = np.einsum("tik,tjk->ij", half, half) / len(half)
    np.fill_diagonal(p, 1)
    return p


SIMILARITY_MUTANTS = [
    product_of_averages,
    diagonal_as_for_two_rows,
    most_likely_components,
    last_block_only,
]

# --- Searches: (expected loss of a partition, draws (sample, obs)) -> partition -------------------


def best_draw(loss, z):
    return min(z, key=loss)


def one_component(loss, z):
    return np.zeros_like(z[0])


def most_frequent_draw(loss, z):
    draws, counts = np.unique(z, axis=0, return_counts=True)
    return draws[counts.argmax()]


SEARCH_MUTANTS = [best_draw, one_component, most_frequent_draw]

# --- Credible balls: (distances (sample,), components (sample,), level) -> (radius, horizontal,
# upper, lower), the last three as sets of positions of draws --------------------------------------


def _bounds(d, k, radius):
    inside = np.flatnonzero(d <= radius)
    few = inside[k[inside] == k[inside].min()]
    many = inside[k[inside] == k[inside].max()]
    return radius, *({int(t) for t in s if d[t] == d[s].max()} for s in (inside, few, many))


def ball(d, k, level):
    """No mutant: as it should be."""
    return _bounds(d, k, np.sort(d)[int(np.ceil(level * len(d) - 1e-9)) - 1])


def one_draw_short(d, k, level):
    return _bounds(d, k, np.sort(d)[int(np.floor(level * len(d) - 1e-9)) - 1])


def interpolated_quantile(d, k, level):
    return _bounds(d, k, np.quantile(d, level))


def bounds_of_all_draws(d, k, level):
    return (ball(d, k, level)[0], *_bounds(d, k, d.max())[1:])


def upper_and_lower_exchanged(d, k, level):
    radius, horizontal, upper, lower = ball(d, k, level)
    return radius, horizontal, lower, upper


def nearest_of_the_fewest(d, k, level):
    radius, horizontal, _, lower = ball(d, k, level)
    inside = np.flatnonzero(d <= radius)
    few = inside[k[inside] == k[inside].min()]
    return radius, horizontal, {int(t) for t in few if d[t] == d[few].min()}, lower


BALL_MUTANTS = [
    one_draw_short,
    interpolated_quantile,
    bounds_of_all_draws,
    upper_and_lower_exchanged,
    nearest_of_the_fewest,
]

# --- Numbering by first appearance: draws (sample, obs) -> draws ----------------------------------


def by_value(z):
    return np.array([np.unique(row, return_inverse=True)[1] for row in z])


def by_last_appearance(z):
    return np.array([by_value(_first(row[::-1])[None])[0][::-1] for row in z])


def over_all_draws(z):
    return _first(z.ravel()).reshape(z.shape)


def _first(row):
    seen = {}
    return np.array([seen.setdefault(int(v), len(seen)) for v in row])


NUMBERING_MUTANTS = [by_value, by_last_appearance, over_all_draws]
