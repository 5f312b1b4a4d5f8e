r"""The pass as a PyTensor operation: log marginal likelihood with its gradient, for any sampler.

By Fisher's identity the gradient of Σ_i log p(x_i | θ) is that of the expected complete-data
log-density Σ_ik r_ik log p(z_i = k, x_i | θ) with the responsibilities held, and that is a small
graph of the same pass's sums. So one pass gives value and gradient, and whatever the model does to
get from its parameters to the components' is left to PyTensor.
"""

from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch import basic as numba_basic
from pytensor.link.numba.dispatch.basic import register_funcify_and_cache_key

from unmix.onepass.block import EXPECTED
from unmix.onepass.chunks import Chunk
from unmix.onepass.distinct import distinct
from unmix.onepass.kernel import pass_rows
from unmix.onepass.onepass import OnePass
from unmix.onepass.parts import Parts, pass_by_kind
from unmix.onepass.sources import digest
from unmix.onepass.terms import Recognised
from unmix.onepass.variant import Families

Graph = Any


class PassOp(Op):
    """(log_w, packed, terms, x, centre, weight, bounds) → (log marginal, n, statistics), one pass.

    Rows ``bounds[g]`` to ``bounds[g + 1]`` have the weights ``log_w[g]`` and the parameters
    ``packed[g]``, or ``packed[0]`` where there is only that; ``n`` (kind, component) and
    ``statistics`` (kind or 1, component, statistic) are summed for each.

    Parameters
    ----------
    expected
        From (log_w, packed, n, statistics, centre of the statistics) to the expected complete-data
        log-density, a scalar graph.
    families
        Of the terms.
    """

    __props__ = ()

    def __init__(self, expected: Any, families: Families) -> None:
        self.expected = expected
        self.families = families

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PassOp) and self.expected is other.expected

    def __hash__(self) -> int:
        return hash((type(self), self.expected))

    def make_node(self, *inputs: Graph) -> Apply:
        """Typed inputs and outputs."""
        inputs = tuple(pt.as_tensor(v) for v in inputs)
        outputs = [pt.dscalar(), pt.dmatrix(), pt.dtensor3()]
        return Apply(self, list(inputs), outputs)

    def perform(self, node: Apply, inputs: Any, outputs: Any) -> None:
        """One serial pass: chains run side by side."""
        log_w, packed, table, x, centre, weight, bounds = (np.ascontiguousarray(v) for v in inputs)
        total, n, statistics = pass_by_kind(
            self.families, table, x, centre, weight, bounds, log_w, packed
        )
        outputs[0][0] = np.asarray(total)
        outputs[1][0], outputs[2][0] = n, statistics

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Graph]:
        """Fisher's identity."""
        log_w, packed = inputs[:2]
        _, n, statistics = outputs
        q = self.expected(log_w, packed, n, statistics, packed)
        held = [n, statistics]
        gradients = pytensor.grad(q, [log_w, packed], consider_constant=held)
        undefined = [pytensor.gradient.DisconnectedType()() for _ in inputs[2:]]
        return [cotangents[0] * g for g in gradients] + undefined

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only the log marginal is differentiated, and only over the parameters."""
        return [[True, False, False]] * 2 + [[False] * 3] * (len(node.inputs) - 2)


def _one_pass(families: Families) -> Any:
    """The pass inside code that PyTensor compiles with Numba; serial: chains run side by side."""

    def one_pass(log_w, packed, table, x, centre, weight, bounds):  # type: ignore[no-untyped-def]
        log_w, packed = np.ascontiguousarray(log_w), np.ascontiguousarray(packed)
        n = np.zeros(log_w.shape)
        kinds, k, _ = packed.shape
        statistics = np.zeros((kinds, k, table[-1, 5] + table[-1, 6]))
        log_marginal = 0.0
        for g in range(len(log_w)):
            p = g if kinds > 1 else 0
            log_marginal += pass_rows(
                families, EXPECTED, np.uint64(0), table, x, centre, weight, log_w[g], packed[p],
                n[g], statistics[p], np.zeros(0, np.uint8), bounds[g], bounds[g + 1],
            )  # fmt: skip
        return np.asarray(log_marginal), n, statistics

    return one_pass


@register_funcify_and_cache_key(PassOp)
def _numba_pass(op: PassOp, **_: Any) -> Any:
    """Compiled once: the key tells PyTensor's cache on disk which sources it was made from."""
    key = f"unmix-pass-{op.families.name}-{digest(pass_rows)}"
    return numba_basic.numba_njit(_one_pass(op.families)), key


def log_marginal(onepass: OnePass) -> Graph:
    """Σ_i log p(x_i | θ) as a graph of constrained θ that takes one pass a gradient."""
    recognised = onepass.recognised

    def expected(log_w: Graph, packed: Graph, n: Graph, statistics: Graph, centre: Graph) -> Graph:
        return onepass.expected(log_w[0], packed[0], n[0], statistics[0], centre[0])

    onepass = distinct(onepass)
    op = PassOp(_held(expected), onepass.families)
    total = pt.constant(onepass.log_base)
    for chunk in onepass.chunks:
        data = _shared(recognised, chunk, [0, len(chunk)])
        total = total + op(recognised.log_w[None], recognised.packed[None], *data)[0]
    return total


def log_marginal_of_parts(parts: Parts) -> Graph:
    """The same for a pass in parts."""
    recognised, chunk = parts.recognised, parts.chunk
    op = PassOp(_held(parts.expected), parts.families)
    total = op(recognised.log_w, recognised.packed, *_shared(recognised, chunk, parts.bounds))[0]
    return total + parts.total_base if parts.total_base else total


def _held(expected: Any) -> Any:
    """What the statistics are about is held; only the parameters themselves are moved."""

    def held(log_w: Graph, packed: Graph, n: Graph, statistics: Graph, centre: Graph) -> Graph:
        centre = pytensor.gradient.disconnected_grad(centre)
        return expected(log_w, packed, n, statistics, centre)

    return held


def _shared(recognised: Recognised, chunk: Chunk, bounds: Any) -> list[Graph]:
    """Shared, not constant, so that neither data nor terms are part of what is compiled."""
    arrays = (
        recognised.table,
        chunk.x,
        chunk.centre,
        chunk.weight,
        np.asarray(bounds, dtype=np.int64),
    )
    return [pytensor.shared(v, borrow=True) for v in arrays]
