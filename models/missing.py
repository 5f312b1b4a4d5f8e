r"""Cells that are missing: a row says what its other cells say.

Of a component's density only the cells that are there are to be counted,

    p(x_i | z_i = k) = ∫ p(x_i, y | z_i = k) dy,    y the cells that are missing,

the marginal of those cells (missing at random: Rubin 1976, Biometrika 63:581). To declare that for
all rows at once, whichever cells they lack, a missing cell is one that is observed with certainty:
as 0, from a normal distribution with mean 0 and standard deviation 1/√(2π), whose density at 0 is
exactly 1, independent of all other cells and the same for every component. Such a cell adds
log 1 = 0, and what is left is the marginal. A row without any cell keeps its prior weights.

Every family has a distribution whose density or probability at 0 is 1:

    Normal(0, 1/√(2π))      Poisson(0)           Bernoulli(0)
    StudentT(1, 0, 1/π)     Exponential(1)       Categorical(1, 0, …)
    NegativeBinomial(0, 1)

Rates and probabilities of 0 are declared as `NEVER`, whose logarithm is finite and which 1 is the
same with as without.
"""

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray

from unmix.derive.present import NEVER, note_present

CERTAIN = 1 / np.sqrt(2 * np.pi)


class Cells:
    """Rows of which some cells may be missing.

    Parameters
    ----------
    values
        Shape (obs,) or (obs, feature), NaN where a cell is missing.

    Attributes
    ----------
    there
        Whether a cell is there, in the shape of the values.
    filled
        The values with 0 in place of what is missing.
    """

    def __init__(self, values: NDArray) -> None:
        self.there = np.isfinite(values)
        self.filled = np.where(self.there, values, 0.0)
        self._patterns, pattern = np.unique(
            self.there.reshape(len(values), -1), axis=0, return_inverse=True
        )
        self._pattern = pattern.reshape(-1)

    @property
    def complete(self) -> bool:
        """Whether no cell is missing."""
        return bool(self.there.all())

    @property
    def whole(self) -> NDArray[np.int64]:
        """The values as whole numbers, 0 in place of what is missing."""
        return self.filled.astype(np.int64)

    def known(self, parameter: Any, certain: Any) -> Any:
        """A parameter of the cells, ``parameter[z]``, with ``certain`` for one that is missing."""
        return parameter if self.complete else pt.where(self.there, parameter, certain)

    def shares(self, p: Any, levels: int) -> Any:
        """Probabilities of the cells' levels, (…, level), from each row's ``p[z]``."""
        certain = np.where(np.arange(levels) == 0, 1.0, NEVER)
        return p if self.complete else pt.where(self.there[..., None], p, certain)

    def mean(self, mu: Any) -> Any:
        """Means of the cells, from each row's ``mu[z]``."""
        return mu * self.there.astype(float)

    def scale(self, sigma: Any) -> Any:
        """Standard deviations of the cells, from each row's ``sigma[z]``."""
        return pt.where(self.there, sigma, CERTAIN)

    def covariance(self, covariance: Any, z: Any) -> Any:
        """Covariances of the rows, from the components' (component, feature, feature).

        Rows that lack the same cells share one for each component.
        """
        both, certain = self._of_patterns
        return (covariance[:, None] * both + certain)[z, self._pattern]

    def covariance_of_rows(self, covariance: Any) -> Any:
        """The same from a covariance for each row, (obs, feature, feature)."""
        both, certain = self._of_patterns
        return covariance * both[self._pattern] + certain[self._pattern]

    @property
    def _of_patterns(self) -> tuple[NDArray, NDArray]:
        """Which pairs of cells are there, and the variances of those that are not."""
        there = self._patterns.astype(float)
        certain = CERTAIN**2 * np.stack([np.diag(1 - row) for row in there])
        return there[:, :, None] * there[:, None, :], certain


def cells_of(values: NDArray, name: str = "x") -> Cells:
    """The cells of an observed variable, to be called in a model's `with` block.

    Where some are missing that is noted beside the model.
    """
    cells = Cells(values)
    if not cells.complete:
        note_present(pm.modelcontext(None), name, cells.there)
    return cells
