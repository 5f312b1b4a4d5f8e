"""What a family of densities has to say to take part in the pass.

A family is one small file: plain loops for Numba (`log_density` and `statistics` over a block of
rows, `maximise` and `change` on one component's sums and parameters), and one class that tells
PyTensor how the model's parameters become the numbers those loops read. It is entered in
`unmix.onepass.families`, `unmix.onepass.variant` and `unmix.onepass.dispatch`.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray

from unmix.onepass.chunks import Single

Graph = Any  # a PyTensor variable; PyTensor ships no types that arithmetic passes


class Family(ABC):
    """How one family of likelihoods is read from a model's graph.

    Attributes
    ----------
    code
        Its number in the dispatch of the kernel.
    name
        What it is called.
    op
        The class of random variables that it covers.
    event
        Number of trailing dims of the observed variable that form one event (1 for MvNormal).
    own
        Number of trailing dims of each parameter that are its own, beside those of the rows.
    has_base
        Whether log p(x_i | k) has a part that no parameter enters.
    about_z
        Whether its columns are no data, but what is known of the assignments.
    continuous
        Whether it has densities, so that a component can collapse onto a point. The last packed
        parameter is then the largest value that the log-density can take.
    single
        What single precision may do to its columns: round their distance from the column's mean
        (``"centred"``), round them (``"relative"``), or nothing (``"exact"``).
    """

    code: ClassVar[int]
    name: ClassVar[str]
    op: ClassVar[type]
    event: ClassVar[int] = 0
    own: ClassVar[tuple[int, ...]] = (0,)
    has_base: ClassVar[bool] = False
    continuous: ClassVar[bool] = False
    about_z: ClassVar[bool] = False
    single: ClassVar[Single] = "exact"

    @abstractmethod
    def n_parameters(self, d: int) -> int:
        """Length of one component's row of packed parameters, for d columns."""

    @abstractmethod
    def n_statistics(self, d: int) -> int:
        """Length of one component's row of statistics, for d columns."""

    @abstractmethod
    def pack(self, parameters: list[Graph], k: int, d: int) -> Graph:
        """Packed parameters (component, n_parameters) from the distribution's own.

        Those come as (K or 1, d or 1, …): rows are gone, as no parameter depends on them.
        """

    @abstractmethod
    def expected(self, packed: Graph, n: Graph, s: Graph, centre: Graph, d: int) -> Graph:
        """Σ_i r_ik log p(x_i | k) for each component, from the statistics, without base measure.

        ``centre`` are the packed parameters that the statistics were computed with. At
        ``packed = centre`` the gradient over ``packed`` is that of the log marginal likelihood
        (Fisher's identity).
        """

    @abstractmethod
    def neutral(self, x: NDArray) -> NDArray:
        """Packed parameters of one component fitted to columns x (d, obs), to centre sums at."""

    @abstractmethod
    def replicate(self, p: NDArray, d: int, n: int, rng: np.random.Generator) -> NDArray:
        """Draw n rows of one component with packed parameters p, as columns (d, n)."""

    def moments(self, p: NDArray, d: int) -> tuple[NDArray, NDArray] | None:
        """Means and variances (…, d) of packed parameters (…, parameter); None for mere levels."""
        return None

    def log_base(self, x: NDArray) -> NDArray:
        """The part of log p(x_i | k) that no parameter enters, (obs,), where there is one."""
        raise NotImplementedError

    def columns(self, x: NDArray) -> NDArray:
        """Observed values (obs, d) as the numbers that the kernel reads, same shape.

        Raises
        ------
        ValueError
            For values outside the family's support: the table has −inf there and the pass cannot.
        """
        return x


def over_features(graph: Graph, k: int, d: int) -> Graph:
    """A parameter (K or 1, d or 1) as (component, feature)."""
    return pt.broadcast_to(graph, (k, d))
