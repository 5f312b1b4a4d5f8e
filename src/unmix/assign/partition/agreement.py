r"""How far two partitions of the same rows agree, whatever their components are called.

.. math::

    VI = H(c) + H(c') - 2 I(c, c') = \frac1N \Big[\sum_k f(n_k) + \sum_l f(m_l)
        - 2 \sum_{kl} f(n_{kl})\Big], \quad f(n) = n \log_2 n

Variation of information (Meilă 2007, J. Multivariate Anal. 98:873) is a distance, between 0 and
log₂ N bits; the adjusted Rand index (Hubert and Arabie 1985, J. Classif. 2:193) is 1 for the same
partition and 0 on average for unrelated ones of the same sizes; Binder's distance counts the pairs
of rows that one joins and the other separates.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.assign.labels import labels_of_rows
from unmix.assign.partition.expected import adjusted_rand
from unmix.assign.partition.given import as_partition
from unmix.derive.theta import in_order_of
from unmix.errors import UnmixError
from unmix.printable import printable


@dataclass(frozen=True)
class Agreement:
    """How far two partitions agree.

    Attributes
    ----------
    vi
        Variation of information, bits.
    ari
        Adjusted Rand index.
    binder
        Pairs of rows that one joins and the other separates.
    components
        Numbers of components of the two.
    n_obs
        Number of rows.
    """

    vi: float
    ari: float
    binder: int
    components: tuple[int, int]
    n_obs: int

    def __str__(self) -> str:
        one, two = self.components
        pairs = self.n_obs * (self.n_obs - 1) // 2
        return (
            f"partitions of {self.n_obs} rows into {one} and {two} components: VI {self.vi:.4f} "
            f"bits, ARI {self.ari:.4f}, {self.binder} of {pairs} pairs differ"
        )


def agreement(one: Any, two: Any) -> Agreement:
    """How far two partitions of the same rows agree.

    A partition is of the rows of the table: each counts once, whatever weights a model has
    (`unmix.weigh`), one of weight 0 as well.

    Parameters
    ----------
    one, two
        A `Partition`, what `unmix.responsibilities` or `unmix.assignments` returned (its most
        likely components), or one component for each row, shape (obs,): whole numbers or names.
        Where both have labels of rows, rows are matched by them.

    Returns
    -------
    Agreement
        Variation of information in bits, adjusted Rand index, Binder's distance.

    Raises
    ------
    UnmixError
        If they have different numbers of rows, or labels of rows of which they share some and not
        all; or hold numbers that are not finite or not whole, no name, or text beside numbers.
    """
    one, two = _rows_of(one), _rows_of(two)
    names, others = labels_of_rows(one), labels_of_rows(two)
    order = None if names is None or others is None else in_order_of(names, others)
    c, d = as_partition(one, "the first partition"), as_partition(two, "the second partition")
    if len(c) != len(d):
        raise UnmixError(
            f"the first partition has {len(c)} rows and the second {len(d)}: give two partitions "
            "of the same rows"
        )
    if order is None:
        _require_same_rows(names, others)
    d = d if order is None else d[order]
    n = len(c)
    cells = np.unique(c * (d.max() + 1) + d, return_counts=True)[1]
    sizes = [np.bincount(c), np.bincount(d), cells]
    own, margin, joint = (float(np.sum(m * np.log2(np.maximum(m, 1)))) for m in sizes)
    s, m, a = (int(np.sum(m * (m - 1) // 2)) for m in sizes)
    ari = adjusted_rand(np.array(float(a)), float(s), np.array(float(m)), 0.5 * n * (n - 1))
    return Agreement(
        max(0.0, (own + margin - 2 * joint) / n),
        float(ari),
        s + m - 2 * a,
        (int(c.max()) + 1, int(d.max()) + 1),
        n,
    )


def _require_same_rows(names: NDArray | None, others: NDArray | None) -> None:
    """Refuse labels of rows that are the same in part: by position, rows would be mixed up.

    Raises
    ------
    UnmixError
        Naming a row that only one of them has.
    """
    if names is None or others is None:
        return
    first, second = set(names.tolist()), set(others.tolist())
    if first & second and first != second:
        only = next(label for label in names.tolist() + others.tolist()
                    if (label in first) != (label in second))  # fmt: skip
        which = "first" if only in first else "second"
        raise UnmixError(
            f"only the {which} partition has a row {printable(only)}: give two partitions of the "
            "same rows, or plain arrays where rows are in the same order"
        )


def _rows_of(given: Any) -> Any:
    """The components in what other verbs return: a `Partition`, or a table with ``most_likely``."""
    if hasattr(given, "z"):
        return given.z
    columns = getattr(given, "data_vars", getattr(given, "columns", None))
    if columns is None:
        return given
    if "most_likely" not in columns:
        raise UnmixError("a table is no partition: give one column of it")
    return given["most_likely"]
