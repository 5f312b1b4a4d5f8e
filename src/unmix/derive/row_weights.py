r"""Row weights: how much each row counts.

A row of weight a adds a log p(x_i | θ) to the log-likelihood, as a rows alike would: frequencies of
rows that were collapsed, or importances (survey weights), for which

.. math:: p(θ) \prod_i p(x_i \mid θ)^{a_i}

is a pseudo-posterior (Savitsky and Toth 2016, Electronic J. of Statistics 10:1677). The weights
stand beside the model, not in its graph, since no single z_i could stand for a rows; z_i is drawn
once for each row, and what is averaged over rows is averaged with their weights.
"""

import weakref
from typing import Any

import numpy as np
import pymc as pm
from numpy.typing import ArrayLike, NDArray

from unmix.errors import UnmixError

_weights: "weakref.WeakKeyDictionary[pm.Model, NDArray[np.float64]]" = weakref.WeakKeyDictionary()


def weigh(model: pm.Model, weights: ArrayLike | None) -> pm.Model:
    """Give every row of a model a weight, for all verbs from then on.

    Sums and averages over rows are weighted. What speaks of the rows themselves is not, as a table
    has each of them once: `unmix.partition`, `unmix.co_assignment`, `unmix.agreement`.

    Parameters
    ----------
    model
        The declared mixture.
    weights
        Shape (obs,), numbers of 0 or more, not all 0, in the order of the rows; None takes weights
        away. A weight of 2 says what the same row twice says.

    Returns
    -------
    pymc.Model
        The same model.

    Raises
    ------
    UnmixError
        For a weight that is negative or no number, for weights that are all 0, or for another
        number of them than there are elements of ``z``.
    """
    if weights is None:
        _weights.pop(model, None)
        return model
    # Here, because these modules open graphs.
    from unmix.derive.compiling import initial_point
    from unmix.derive.latent import find_latent

    latent = find_latent(model)
    dims = model.named_vars_to_dims.get(latent.name) or (None,)
    labels = model.coords.get(dims[0]) if dims[0] is not None else None
    rows = int(np.prod(initial_point(model)[latent.name].shape))
    if labels is not None or (hasattr(weights, "index") and np.shape(weights)[:1] == (rows,)):
        from unmix.by_row import by_row  # here, because pandas takes a while to load

        weights = by_row(
            "weights", weights, np.arange(rows) if labels is None else np.array(labels)
        )
    array = checked_weights(weights)
    if len(array) != rows:
        raise UnmixError(
            f"there are {len(array)} weights and {rows} rows: give one for each element of "
            f"{latent.name!r}"
        )
    _weights[model] = array
    return model


def checked_weights(weights: Any, labels: NDArray | None = None) -> NDArray[np.float64]:
    """Weights as numbers, (obs,).

    Raises
    ------
    UnmixError
        For a weight that is negative or no number, naming its row; or for weights that are all 0.
    """
    if np.ma.is_masked(weights):
        raise UnmixError("weights have masked cells: give every row a number of 0 or more")
    try:
        array = np.array(weights, dtype=np.float64)
    except (TypeError, ValueError):
        raise UnmixError("weights are not numbers: give every row a number of 0 or more") from None
    if array.ndim != 1:
        raise UnmixError(f"weights have shape {array.shape}: give one for each row, (obs,)")
    bad = np.flatnonzero(~(np.isfinite(array) & (array >= 0)))
    if len(bad):
        row = bad[0] if labels is None else labels[bad[0]]
        more = f" ({len(bad)} such weights in all)" if len(bad) > 1 else ""
        raise UnmixError(
            f"the weight of row {row} is {array[bad[0]]}{more}: give every row a number of 0 or "
            "more"
        )
    if not array.any():
        raise UnmixError("weights are all 0, so that no row counts: give some row more")
    return array


def weights_of(model: pm.Model) -> NDArray[np.float64] | None:
    """Weights of the rows (obs,); None where each counts once."""
    return _weights.get(model)


def total(values: NDArray, weight: NDArray | None) -> Any:
    """Σ_i a_i v_i over the last axis; a row of weight 0 adds nothing, whatever its value."""
    if weight is None:
        return values.sum(axis=-1)
    counted = weight > 0
    return values[..., counted] @ weight[counted]


def mean(values: NDArray, weight: NDArray | None, axis: int = -1) -> Any:
    """Σ_i a_i v_i / Σ_i a_i over an axis of rows."""
    if weight is None:
        return values.mean(axis=axis)
    return np.average(values, axis=axis, weights=weight)
