"""What draws are aligned to: a draw, an assignment or a θ that the user gives, or the likeliest."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.arguments import rectangular, said
from unmix.assign.relabel.source import Source
from unmix.derive.components import Theta
from unmix.derive.theta import theta_dataset
from unmix.errors import UnmixError


def _draw(source: Source, pivot: Any) -> int | None:
    """The draw that a pivot names by position; None where it is something else."""
    at = (pivot,) if isinstance(pivot, int | np.integer) else pivot
    if not isinstance(at, tuple) or not at or not all(isinstance(i, int | np.integer) for i in at):
        return None
    shape = tuple(source.lead.values())
    if (
        len(at) != len(shape)
        or bool in map(type, at)
        or not all(0 <= i < n for i, n in zip(at, shape, strict=True))
    ):
        raise UnmixError(
            f"pivot is {pivot!r}: give a position for each of "
            f"{', '.join(f'{d} (0 to {n - 1})' for d, n in source.lead.items())}"
        )
    return int(np.ravel_multi_index(at, shape))


def pivot_assignment(source: Source, z: NDArray, pivot: Any) -> tuple[NDArray, str]:
    """An assignment (obs,) to align to, and in words which."""
    if pivot is None:
        sample = source.likeliest()
        words = f"the likeliest draw ({source.where(sample)})"
        if source.at is not None:
            most = np.argmax(source.of_draw(sample), axis=-1)
            return most, f"the most likely assignment at {words}"
        return z[sample], f"the assignment of {words}"
    named = _draw(source, pivot)
    if named is not None:
        return z[named], f"the assignment of {source.where(named)}"
    wanted = f"an assignment of {z.shape[1]} rows as whole numbers, or a draw such as (0, 17)"
    array = rectangular("pivot", pivot, wanted)
    if array.shape != (z.shape[1],) or array.dtype.kind not in "biu":
        raise UnmixError(f"pivot is {said(pivot)}: give {wanted}")
    if array.min() < 0 or array.max() >= source.k:
        raise UnmixError(
            f"pivot holds {array.min()} to {array.max()}, and components are numbered 0 to "
            f"{source.k - 1}"
        )
    return array, "the given assignment"


def pivot_point(source: Source, given: Any) -> tuple[Theta, str]:
    """The parameters of a draw or of a given θ, each with a leading sample dim of one."""
    sample, words = _draw(source, given), "the given θ"
    if given is None:
        sample = source.likeliest()
        words = f"the likeliest draw ({source.where(sample)})"
    elif sample is not None:
        words = f"the draw ({source.where(sample)})"
    if sample is not None:
        return {n: v[sample : sample + 1] for n, v in source.theta.items()}, words
    dataset, theta = theta_dataset(given), {}
    for name, value in source.theta.items():
        if name not in dataset:
            raise UnmixError(f"the given θ holds no {name!r}: give every parameter of a component")
        own = np.asarray(dataset[name].values)
        if own.dtype.kind not in "biuf":
            raise UnmixError(f"{name!r} of the given θ holds no numbers: give numbers")
        own = own.astype(float)
        if own.shape != value.shape[1:]:
            raise UnmixError(
                f"{name!r} has shape {own.shape} in the given θ and {value.shape[1:]} in a draw"
            )
        theta[name] = own[None]
    return theta, words
