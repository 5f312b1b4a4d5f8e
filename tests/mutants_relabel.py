"""Named wrong ways of relabelling, each of which a test in `test_relabel` must reject."""

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import ndtri

# --- the assignment problem: cost (sample, component, component) -> permutations ------------------


def greedy(cost):
    """Each name takes the cheapest component that is left."""
    out = np.empty(cost.shape[:2], dtype=int)
    for s, c in enumerate(cost):
        left = list(range(len(c)))
        for k in range(len(c)):
            out[s, k] = left.pop(int(np.argmin(c[k, left])))
    return out


def each_name_by_itself(cost):
    return np.argmin(cost, axis=2)


def transposed(cost):
    return np.array([linear_sum_assignment(c.T)[1] for c in cost])


def largest_cost(cost):
    return np.array([linear_sum_assignment(c, maximize=True)[1] for c in cost])


SOLVERS = {f.__name__: f for f in (greedy, each_name_by_itself, transposed, largest_cost)}


# --- the second best: (cost, best permutations) -> gap (sample,) ----------------------------------


def best_swap_only(cost, permutation):
    """Cycles of three and more are forgotten."""
    rows, k = np.arange(len(cost)), cost.shape[1]
    gap = np.full(len(cost), np.inf)
    for a in range(k):
        for b in range(a + 1, k):
            pa, pb = permutation[:, a], permutation[:, b]
            now = cost[rows, a, pa] + cost[rows, b, pb]
            gap = np.minimum(gap, cost[rows, a, pb] + cost[rows, b, pa] - now)
    return gap


# --- R's own example: (z, p, mcmc, x, pivot) -> permutations, supposed to be the method's ---------
# All are of K = 2, where a draw is turned or not.


def _turned(keep, turn):
    return np.where((turn < keep)[:, None], [1, 0], [0, 1])


def ecr_within_the_first_component_only(toy):
    pivot, z = toy.z[toy.pivot], toy.z
    return _turned(((z == 0) & (pivot != 0)).sum(axis=1), ((z == 1) & (pivot != 0)).sum(axis=1))


def stephens_with_the_divergence_the_other_way(toy):
    q = toy.p.mean(axis=0)
    for _ in range(50):
        keep = (q * np.log(q / toy.p)).sum(axis=(1, 2))
        turn = (q * np.log(q / toy.p[:, :, ::-1])).sum(axis=(1, 2))
        order = _turned(keep, turn)
        q = np.take_along_axis(toy.p, order[:, None, :], 2).mean(axis=0)
    return order


def stephens_stopped_at_once(toy):
    q = toy.p.mean(axis=0)
    log_q = np.log(q)
    return _turned(-(toy.p * log_q).sum(axis=(1, 2)), -(toy.p[:, :, ::-1] * log_q).sum(axis=(1, 2)))


def pra_on_standardised_numbers(toy):
    scaled = toy.mcmc / toy.mcmc.std(axis=(0, 1))
    pivot = scaled[toy.pivot]
    return _turned(-(scaled * pivot).sum(axis=(1, 2)), -(scaled[:, ::-1] * pivot).sum(axis=(1, 2)))


def pra_on_the_means_alone(toy):
    mu = toy.mcmc[:, :, 0]
    pivot = mu[toy.pivot]
    return _turned(-(mu * pivot).sum(axis=1), -(mu[:, ::-1] * pivot).sum(axis=1))


def order_downwards(toy):
    # Against R up to one renaming of all draws this is the same; so one draw in two is left alone.
    mu = toy.mcmc[:, :, 0]
    return np.where(np.arange(len(mu))[:, None] % 2 == 0, np.argsort(mu, axis=1), [0, 1])


def order_by_the_variance(toy):
    return np.argsort(toy.mcmc[:, :, 1], axis=1)


def data_without_spreads(toy):
    return _by_data(toy, spread=False)


def data_by_means_of_components(toy):
    return _by_data(toy, spread=True, per_row=False)


def _by_data(toy, spread, per_row=True):
    x, z = toy.x[:, 0], toy.z
    mean = np.array([[x[row == k].mean() if (row == k).any() else x.mean() for k in (0, 1)]
                     for row in z])  # fmt: skip
    count = np.array([[(row == k).sum() for k in (0, 1)] for row in z])
    order = np.argsort(mean, axis=1)
    centre = np.take_along_axis(mean, order, 1).mean(axis=0)
    s = np.array([1.0, 2.0]) if spread else np.ones(2)
    weight = count if per_row else np.ones_like(count)
    keep = (weight * ((mean - centre) / s) ** 2).sum(axis=1)
    turn = (weight[:, ::-1] * ((mean[:, ::-1] - centre) / s) ** 2).sum(axis=1)
    return _turned(keep, turn)


TOY_MUTANTS = {
    "ECR-1": (ecr_within_the_first_component_only,),
    "STEPHENS": (stephens_with_the_divergence_the_other_way, stephens_stopped_at_once),
    "PRA": (pra_on_standardised_numbers, pra_on_the_means_alone),
    "AIC": (order_downwards, order_by_the_variance),
    "DATA-BASED": (data_without_spreads, data_by_means_of_components),
}


# --- applying: (relabelling, trace) -> trace, supposed to be aligned ------------------------------


def z_by_the_permutation_itself(found, trace):
    """θ moves by π and so must z by its inverse."""
    out = found.apply(trace)
    z = trace["assignments"]["z"]
    flat = z.values.reshape(len(found.flat_permutation()), -1).astype(int)
    wrong = np.take_along_axis(found.flat_permutation(), flat, axis=1)
    return _with_z(out, z.copy(data=wrong.reshape(z.shape).astype(z.dtype)))


def z_left_as_it_was(found, trace):
    return _with_z(found.apply(trace), trace["assignments"]["z"])


def weights_left_as_they_were(found, trace):
    return _with_posterior(found.apply(trace), w=trace["posterior"]["w"])


def each_parameter_sorted_by_itself(found, trace):
    out = found.apply(trace)
    posterior = out["posterior"].to_dataset()
    return _with_posterior(
        out, **{n: (v.dims, np.sort(v.values, axis=-1)) for n, v in posterior.data_vars.items()}
    )


def _with_z(tree, z):
    tree = tree.copy()
    tree["assignments"] = tree["assignments"].to_dataset().assign(z=z)
    return tree


def _with_posterior(tree, **variables):
    tree = tree.copy()
    tree["posterior"] = tree["posterior"].to_dataset().assign(variables)
    return tree


APPLYING = {
    f.__name__: f
    for f in (
        z_by_the_permutation_itself,
        z_left_as_it_was,
        weights_left_as_they_were,
        each_parameter_sorted_by_itself,
    )
}


# --- the point process: aligned values (sample, component, number) -> draws that are no permutation


def never_astray(values):
    return np.zeros(len(values), dtype=bool)


def astray_by_ranks(values):
    """Ranks close the gaps between heaps, and K-means cuts them elsewhere."""
    flat = values.reshape(-1, values.shape[-1])
    ranks = flat.argsort(axis=0).argsort(axis=0) / len(flat)
    return astray_in_raw_units(ndtri((ranks + 0.5 / len(flat)).reshape(values.shape)))


def astray_in_raw_units(values):
    """K-means in the parameters' own units: a far variance decides for all."""
    k = values.shape[1]
    centre = values.mean(axis=0)
    for _ in range(50):
        which = np.square(values[:, :, None, :] - centre).sum(axis=-1).argmin(axis=-1)
        centre = np.array(
            [values[which == j].mean(axis=0) if (which == j).any() else centre[j] for j in range(k)]
        )
    return np.any(np.sort(which, axis=1) != np.arange(k), axis=1)


# --- draws whose labels mean something: draws of μ (sample, 2) under N(0, 1) and N(1, 1) ----------


def sorted_against_the_declaration(mu):
    return np.sort(mu, axis=1)
