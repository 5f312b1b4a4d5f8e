"""What is kept of chains that moved in unconstrained coordinates: θ as the model declares it."""

import numpy as np
import pytensor.tensor as pt
import xarray as xr
from numpy.typing import NDArray
from pytensor.graph.replace import vectorize_graph

from unmix.derive import Derivation
from unmix.derive.compiling import compile_table
from unmix.errors import UnmixError
from unmix.infer.marginal import _deterministics as deterministics
from unmix.infer.marginal import _over_position as over_position


def longest(lengths: NDArray) -> tuple[slice | NDArray, int]:
    """Those chains, and as many draws of each, that make the most draws in all.

    Raises
    ------
    UnmixError
        If there are none.
    """
    order = np.argsort(-lengths, kind="stable")
    kept = int(np.argmax(lengths[order] * np.arange(1, len(lengths) + 1))) + 1
    length = int(lengths[order[kept - 1]])
    if length == 0:
        raise UnmixError(
            "sampling was stopped before any chain had a draw: nothing to keep, run it again"
        )
    which = np.sort(order[:kept])
    # A slice where one will do: assignments on disk then stay there.
    neighbours = which[-1] - which[0] == kept - 1
    return (slice(which[0], which[-1] + 1) if neighbours else which), length


def draws_of_theta(derivation: Derivation, u: NDArray) -> xr.Dataset:
    """Constrained θ, and the user's deterministics that need no z, from draws of u.

    Parameters
    ----------
    u
        Unconstrained values, (chain, draw, dimension).
    """
    derived, _ = deterministics(derivation)
    graphs = {**derivation.space.constrained_graphs, **derived}
    one, stack = pt.vector("u"), pt.matrix("draws")
    outputs = over_position(derivation, one, list(graphs.values()))
    constrain = compile_table([stack], list(vectorize_graph(outputs, {one: stack})))
    flat = np.ascontiguousarray(u.reshape(-1, u.shape[-1]))
    variables = {}
    for name, value in zip(graphs, constrain(flat), strict=True):
        value = np.broadcast_to(value, (len(flat), *np.shape(value)[1:]))
        value = value.reshape(*u.shape[:2], *value.shape[1:])
        declared = derivation.model.named_vars_to_dims.get(name) or (None,) * (value.ndim - 2)
        dims = [d if d is not None else f"{name}_dim_{i}" for i, d in enumerate(declared)]
        variables[name] = (("chain", "draw", *dims), np.array(value))
    used = {d for dims, _ in variables.values() for d in dims}
    coords = {
        d: np.asarray(labels)
        for d, labels in derivation.model.coords.items()
        if labels is not None and d in used
    }
    return xr.Dataset(variables, coords=coords)
