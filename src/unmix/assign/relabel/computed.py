"""What a model computes from its parameters, under a renaming of components.

A trace often holds deterministic variables beside θ: 1/σ², the order of the means, a difference of
two components. Some have a component axis of their own, some are the same whatever the names, and
some mix components and must be computed anew. Which is which is measured, as the axes of parameters
are: the variable is computed at one (θ, z) and at the same with its components renamed.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pymc.logprob.utils import replace_rvs_by_values
from pytensor.graph.replace import vectorize_graph
from pytensor.tensor.type import TensorType

from unmix.assign.assignment import inverse
from unmix.assign.relabel.layout import Computed
from unmix.derive import Derivation
from unmix.derive.compiling import compile_table
from unmix.derive.components import Theta, slice_order, take_components
from unmix.errors import UnmixError


def computed_anew(derivation: Derivation, names: tuple[str, ...]) -> Computed:
    """The function that computes deterministic variables from θ and z, for a stack of draws."""
    opened, model = derivation.opened, derivation.model
    values = {opened.latent.name: opened.z, **opened.theta, **opened.observed}
    graphs = replace_rvs_by_values(
        [model[name] for name in names],
        rvs_to_values={rv: values[rv.name] for rv in model.basic_RVs},
    )
    inputs = [*opened.theta.values(), opened.z]
    batched = [TensorType(v.type.dtype, (None, *v.type.shape))(v.name) for v in inputs]
    graphs = vectorize_graph(graphs, {**derivation.data, **dict(zip(inputs, batched, strict=True))})
    needs_z = any(opened.depends_on(g, batched[-1]) for g in graphs)
    run = compile_table(batched, graphs)

    def compute(theta: Theta, z: NDArray | None) -> Theta:
        missing = [name for name in opened.theta if name not in theta]
        if missing or (needs_z and z is None):
            raise UnmixError(
                f"{', '.join(names)} must be computed anew and the trace does not hold "
                f"{(*missing, opened.latent.name)[0]!r}: drop {', '.join(names)} first"
            )
        samples = len(theta[next(iter(opened.theta))])
        if z is None:
            z = np.zeros((samples, derivation.n_obs), dtype=int)
        point = [np.asarray(theta[n], v.type.dtype) for n, v in opened.theta.items()]
        shape = (samples, *derivation.table.z_shape)
        out = run(*point, np.asarray(z, opened.z.type.dtype).reshape(shape))
        return {n: np.broadcast_to(v, (samples, *v.shape[1:])) for n, v in
                zip(names, out, strict=True)}  # fmt: skip

    return compute


def axes_of_computed(
    derivation: Derivation, names: tuple[str, ...]
) -> tuple[dict[str, int], dict[str, tuple[int, ...]], tuple[str, ...]]:
    """Component axes of deterministic variables, whose slices they hold, and which mix components.

    Parameters
    ----------
    derivation
        The derived model.
    names
        Deterministic variables.
    """
    compute = computed_anew(derivation, names)
    components, k = derivation.components, derivation.n_components
    rng = np.random.default_rng(20261123)
    theta = {n: np.asarray(v)[None] for n, v in derivation.space.jittered(rng).items()}
    z = rng.integers(0, k, (1, derivation.n_obs))
    before = compute(theta, z)
    orders = []
    for block in components.symmetry:
        for a, b in pairwise(block):
            orders.append(_swapped(a, b, k))
    after = []
    for order in orders:
        after.append(compute(components.permute(theta, order[None]), inverse(order)[z]))
    axes: dict[str, int] = {}
    members: dict[str, tuple[int, ...]] = {}
    mixed = []
    full = set(components.members.values()) | {tuple(range(k))}
    for name in names:
        value = before[name]
        if all(_same(moved[name], value) for moved in after):
            continue
        found = [
            (axis, cover)
            for axis in range(value.ndim - 1)
            for cover in full
            if len(cover) == value.shape[1 + axis]
            and all(
                _same(moved[name], _moved(value, order, axis, cover))
                for order, moved in zip(orders, after, strict=True)
            )
        ]
        if found:
            axes[name], members[name] = found[0]
        else:
            mixed.append(name)
    return axes, members, tuple(mixed)


def _moved(
    value: NDArray, order: NDArray[np.int64], axis: int, cover: tuple[int, ...]
) -> NDArray | None:
    try:
        return take_components(value, slice_order(order[None], cover), axis)
    except ValueError:
        return None


def _swapped(a: int, b: int, k: int) -> NDArray[np.int64]:
    order = np.arange(k)
    order[[a, b]] = b, a
    return order


def _same(a: NDArray, b: NDArray | None) -> bool:
    return (
        b is not None
        and np.shape(a) == np.shape(b)
        and bool(np.allclose(a, b, rtol=1e-10, atol=1e-12, equal_nan=True))
    )
