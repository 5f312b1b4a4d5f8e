"""Wrong figures of assignments; a test in test_figures_assignments.py rejects each.

The pattern is that of `mutants.py`: functions with the interface of what they are wrong about.
"""

from dataclasses import replace

import numpy as np

from unmix.show.density import try_densities
from unmix.show.label_traces_figure import _values
from unmix.show.membership_figure import MOST_BARS, Bars, arrange
from unmix.show.normals import Normals
from unmix.show.similarity_figure import MOST_CELLS, Ordered

# --- Membership: arrange(r, most) -> Bars; _stacked(r, lead) -> lower, upper ----------------------


def sorted_by_responsibility_alone(r, most=MOST_BARS):
    order = np.argsort(-r.max(axis=1), kind="stable")
    return Bars(order, r.argmax(axis=1)[order], np.arange(len(r) + 1))


def least_sure_first(r, most=MOST_BARS):
    lead = r.argmax(axis=1)
    order = np.lexsort((r.max(axis=1), lead))
    return Bars(order, lead[order], np.arange(len(r) + 1))


def rows_in_order_of_the_data(r, most=MOST_BARS):
    lead = r.argmax(axis=1)
    order = np.argsort(lead, kind="stable")
    return Bars(order, lead[order], np.arange(len(r) + 1))


def sorted_by_the_least_likely_component(r, most=MOST_BARS):
    lead = r.argmax(axis=1)
    order = np.lexsort((-r.max(axis=1), r.argmin(axis=1)))
    return Bars(order, lead[order], np.arange(len(r) + 1))


def leads_not_sorted(r, most=MOST_BARS):
    return arrange(r, most)._replace(lead=np.nan_to_num(r).argmax(axis=1))


def bars_across_components(r, most=MOST_BARS):
    found = arrange(r, len(r))
    starts = np.arange(0, len(r), -(-len(r) // most))
    return Bars(found.order, found.lead[starts], np.r_[starts, len(r)])


ARRANGE_MUTANTS = [
    sorted_by_responsibility_alone,
    least_sure_first,
    rows_in_order_of_the_data,
    sorted_by_the_least_likely_component,
    leads_not_sorted,
]


def stacked_in_order_of_components(r, lead):
    upper = np.cumsum(r, axis=1)
    return upper - r, upper


def none_on_top_of_the_other(r, lead):
    return np.zeros_like(r), r


STACK_MUTANTS = [stacked_in_order_of_components, none_on_top_of_the_other]

# --- Heat map: ordered(p, c, most) -> Ordered; blocks(p, found) -> means --------------------------


def smallest_component_first(p, c, most=MOST_CELLS):
    return _by(np.argsort(np.bincount(c)), c)


def components_by_number(p, c, most=MOST_CELLS):
    return _by(np.arange(c.max() + 1), c)


def _by(components, c):
    rank = np.argsort(components)
    ends = np.cumsum(np.bincount(c)[components])
    return Ordered(np.argsort(rank[c], kind="stable"), components, ends, np.arange(len(c) + 1))


def rows_of_a_component_as_they_come(p, c, most=MOST_CELLS):
    return _by(np.argsort(-np.bincount(c), kind="stable"), c)


def rows_not_in_the_order_of_the_partition(p, c, most=MOST_CELLS):
    return _by(np.argsort(-np.bincount(c)), c)._replace(order=np.arange(len(c)))


ORDER_MUTANTS = [
    smallest_component_first,
    components_by_number,
    rows_of_a_component_as_they_come,
    rows_not_in_the_order_of_the_partition,
]


def sums_for_means(p, found):
    p = p[np.ix_(found.order, found.order)]
    first = found.edges[:-1]
    return np.add.reduceat(np.add.reduceat(p, first, axis=0), first, axis=1)


def first_pair_of_a_cell(p, found):
    rows = found.order[found.edges[:-1]]
    return p[np.ix_(rows, rows)]


def columns_not_in_order(p, found):
    first, count = found.edges[:-1], np.diff(found.edges)
    bands = np.add.reduceat(p[found.order], first, axis=0)
    return np.add.reduceat(bands, first, axis=1) / count[:, None] / count


BLOCK_MUTANTS = [sums_for_means, first_pair_of_a_cell, columns_not_in_order]

# --- Label traces: _values(layout, dataset, lead, name, at) -> values, members --------------------


def features_for_components(layout, dataset, lead, name, at):
    """A (component, feature) parameter read along the wrong axis."""
    _, members = _values(layout, dataset, lead, name, at)
    flat = layout.read(dataset, lead)[name]
    return flat.reshape(len(flat), -1)[:, : len(members)], members


# --- Uncertainty: (derivation, fit, name, grid, draws, r) -> Densities ----------------------------


def ratio_of_averages(*arguments):
    """The averaged joint divided by its sum, not the average of the ratios."""
    found = try_densities(*arguments)
    return replace(found, responsibility=found.joint / found.joint.sum(axis=1, keepdims=True))


def at_the_average_of_theta(derivation, fit, *arguments):
    return try_densities(derivation, fit.mean(("chain", "draw")), *arguments)


def at_the_first_draw(derivation, fit, *arguments):
    return try_densities(derivation, fit.isel(chain=[0], draw=[0]), *arguments)


def overlap_for_the_whole(*arguments):
    """Given θ alone: what is not known of θ raises no doubt."""
    found = try_densities(*arguments)
    return replace(found, overlap=np.zeros_like(found.overlap))


UNCERTAINTY_MUTANTS = [
    ratio_of_averages,
    at_the_average_of_theta,
    at_the_first_draw,
    overlap_for_the_whole,
]

# --- Pairs of features: Normals.plane, Normals.line -----------------------------------------------


def conditional_plane(self, i, j, k, across, up):
    """The precision's own block: the other features held at their means, not integrated out."""
    precision = np.linalg.inv(self.covariance)[0, k][np.ix_([i, j], [i, j])]
    x, y = np.meshgrid(across - self.mean[0, k, i], up - self.mean[0, k, j])
    square = precision[0, 0] * x**2 + 2 * precision[0, 1] * x * y + precision[1, 1] * y**2
    return np.exp(-0.5 * square)


def uncorrelated_plane(self, i, j, k, across, up):
    sd = np.sqrt(np.diagonal(self.covariance[0, k]))
    x, y = np.meshgrid(across - self.mean[0, k, i], up - self.mean[0, k, j])
    return np.exp(-0.5 * ((x / sd[i]) ** 2 + (y / sd[j]) ** 2))


def features_exchanged(self, i, j, k, across, up):
    return NORMALS_PLANE(self, i, j, k, up, across).T


NORMALS_PLANE = Normals.plane
PLANE_MUTANTS = [conditional_plane, uncorrelated_plane, features_exchanged]

# --- Rootogram: the scale (axes, top) -------------------------------------------------------------


def without_the_root(ax, top):
    ax.set_ylim(0, 1.1 * top)


def root_of_the_ticks_only(ax, top):
    ax.set_ylim(0, 1.1 * top)
    ax.set_yticks(np.sqrt(ax.get_yticks()))


SCALE_MUTANTS = [without_the_root, root_of_the_ticks_only]

# --- Rootogram: counts of one component -----------------------------------------------------------


def rows_near_zero_kept(r, k, edges, least):
    return np.histogram(r[:, k], edges)[0]


def most_likely_rows_only(r, k, edges, least):
    return np.histogram(r[r.argmax(axis=1) == k, k], edges)[0]


def roots_counted(r, k, edges, least):
    return np.sqrt(np.histogram(r[r[:, k] >= least, k], edges)[0])


ROOTOGRAM_MUTANTS = [rows_near_zero_kept, most_likely_rows_only, roots_counted]
