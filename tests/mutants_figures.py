"""Wrong figures of assignments; a test in test_figures_assignments.py rejects each.

The pattern is that of `mutants.py`: functions with the interface of what they are wrong about.
"""

import numpy as np

from unmix.show.label_traces_figure import _values
from unmix.show.membership_figure import MOST_BARS, Bars, arrange
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


ORDER_MUTANTS = [smallest_component_first, components_by_number, rows_of_a_component_as_they_come]


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


# --- Rootogram: counts of one component -----------------------------------------------------------


def rows_near_zero_kept(r, k, edges, least):
    return np.histogram(r[:, k], edges)[0]


def most_likely_rows_only(r, k, edges, least):
    return np.histogram(r[r.argmax(axis=1) == k, k], edges)[0]


def roots_counted(r, k, edges, least):
    return np.sqrt(np.histogram(r[r[:, k] >= least, k], edges)[0])


ROOTOGRAM_MUTANTS = [rows_near_zero_kept, most_likely_rows_only, roots_counted]
