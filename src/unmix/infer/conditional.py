r"""θ given the sums of a pass: a log-density whose cost does not grow with the rows.

Given the assignments, the rows enter through each component's number n_k and statistics only:

.. math:: \log p(u \mid z, x) = \sum_k n_k \log w_k + \sum_i \log p(x_i \mid z_i, θ(u))
          + \log p(θ(u)) + \log |∂θ/∂u|

in the model's own unconstrained coordinates u, so that hierarchies, hyperparameters and ordered
transforms are parameters like others. The gradient is PyTensor's.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.graph.replace import clone_replace, vectorize_graph

from unmix.derive import Derivation
from unmix.derive.compiling import compile_table, without_c
from unmix.infer.em_run import IMPROPER
from unmix.infer.hmc import Evaluated
from unmix.infer.marginal import _over_position as over_position
from unmix.infer.marginal import log_jacobian
from unmix.onepass.kind_sums import KindSums
from unmix.onepass.sums import Sums

Linker = Literal["numba", "python"]


@dataclass(frozen=True, eq=False)
class Conditional:
    """The density of θ given the sums of a sampled pass, over the unconstrained vector u.

    Attributes
    ----------
    derivation
        The derived model; it must have a pass.
    linker
        ``"numba"``: microseconds an evaluation, seconds to compile; ``"python"``: a millisecond,
        and a fraction of a second.
    """

    derivation: Derivation
    linker: Linker = "numba"

    def graphs(self) -> tuple[list[Any], list[Any]]:
        """Inputs u, n, statistics, about; outputs log-density, gradient, log_w, packed."""
        derivation = self.derivation
        space, theta = derivation.space, derivation.opened.theta
        data = derivation.onepass or derivation.parts
        assert data is not None
        recognised, u, sums = data.recognised, pt.vector("u"), data.symbols()
        q = data.expected(recognised.log_w, recognised.packed, *sums) + self.without_z()
        constrained = {
            theta[name]: pt.specify_shape(graph, theta[name].type.shape)
            for name, graph in space.constrained_graphs.items()
        }
        q, log_w, packed = clone_replace(
            [q, recognised.log_w, recognised.packed], constrained, rebuild_strict=False
        )
        q = q + self.jacobian()
        q, log_w, packed = over_position(derivation, u, [q, log_w, packed])
        return [u, *sums], [q, pytensor.grad(q, u), log_w, packed]

    def without_z(self) -> Any:
        """Sum of the terms that no assignment enters, a graph of constrained θ."""
        opened, data = self.derivation.opened, self.derivation.data
        mixed = {*opened.assignment_terms, opened.latent.name}
        terms = [term for name, term in opened.terms.items() if name not in mixed]
        if terms and data:
            terms = list(vectorize_graph(terms, data))
        return sum((term.sum() for term in terms), start=pt.zeros(()))

    def jacobian(self) -> Any:
        """Log |∂θ/∂u|, a graph of the model's unconstrained values."""
        return log_jacobian(self.derivation)

    @cached_property
    def call(self) -> Callable[..., Any]:
        """The outputs as arrays; may be called from several threads."""
        inputs, outputs = self.graphs()
        if self.linker == "python":
            slow, lock = compile_table(inputs, outputs), threading.Lock()

            def call(*arrays: NDArray) -> Any:
                with lock, np.errstate(all="ignore"):  # a Function keeps its arrays in itself
                    return slow(*arrays)

            return call
        with without_c():
            fast = pytensor.function(inputs, outputs, mode="NUMBA", on_unused_input="ignore")
        return fast.vm.jit_fn

    def given(self, sums: Sums | KindSums) -> Callable[[NDArray], Evaluated]:
        """The density given these sums."""
        call, n, statistics, about = self.call, sums.n, sums.statistics, sums.about

        def evaluate(u: NDArray) -> Evaluated:
            try:
                value, gradient, log_w, packed = call(u, n, statistics, about)
            except IMPROPER:  # too far out for a scale to be told from zero
                return -np.inf, np.zeros(len(u)), None, None
            return float(value), gradient, log_w, packed

        return evaluate
