"""What a pass in parts returns: the sums of each kind of rows, and moments read off them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmix.onepass.families.mvnormal import MvNormal, lower_indices

if TYPE_CHECKING:
    from unmix.onepass.parts import Parts
    from unmix.onepass.terms import Term


class Moments(NamedTuple):
    """Weighted moments of the rows of normal components, kind by kind.

    Attributes
    ----------
    n
        Σ r, (kind, component).
    about
        What they are taken about, (kind, component, feature).
    first
        Σ r (x − about), (kind, component, feature).
    second
        Σ r (x − about)², (kind, component, feature); of multivariate normals
        Σ r (x − about)(x − about)ᵀ, (kind, component, feature, feature).
    """

    n: NDArray[np.float64]
    about: NDArray[np.float64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class KindSums:
    """Sums of each kind of rows.

    Attributes
    ----------
    parts
        The pass.
    log_marginal
        Σ_i log p(x_i | θ), nats; NaN where responsibilities were given.
    n
        Σ_i r_ik, (kind, component).
    statistics
        The families' sums, (kind or 1, component, statistic), about the parameters of ``about``.
    about
        Packed parameters, (kind or 1, component, parameter).
    """

    parts: "Parts"
    log_marginal: float
    n: NDArray[np.float64]
    statistics: NDArray[np.float64]
    about: NDArray[np.float64]

    @property
    def counts(self) -> NDArray[np.float64]:
        """Σ_i r_ik over all rows, (component,)."""
        return np.asarray(self.n.sum(axis=0))

    def term(self, name: str) -> "Term":
        """The term of an observed variable."""
        return next(t for t in self.parts.recognised.terms if t.name == name)

    def of(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Counts (kind or 1, component) and statistics (…, statistic) of an observed variable."""
        n = self.n if len(self.statistics) > 1 else self.counts[None]
        return n, self.statistics[..., self.term(name).statistics]

    def moments(self, name: str) -> Moments:
        """Moments of an observed variable that is normal or multivariate normal."""
        term = self.term(name)
        (n, s), d = self.of(name), term.d
        about, first, second = self.about[..., term.parameters][..., :d], s[..., :d], s[..., d:]
        if isinstance(term.family, MvNormal):
            rows, columns = lower_indices(d)
            full = np.zeros((*s.shape[:-1], d, d))
            full[..., rows, columns] = second
            full[..., columns, rows] = second
            second = full
        return Moments(n, about, first, second)

    def examples(self, by_row: NDArray) -> NDArray:
        """What an array by row has for one row of each kind of statistics, (kind or 1, …)."""
        rows = self.parts.examples
        return by_row[rows if len(self.statistics) > 1 else rows[:1]]
