"""Parameters that are known, and parameters that components share.

A parameter that is known stands in the model as a constant: nothing is estimated, and every verb
takes it as it is. One that all components share has no component axis: all that is left of
``sigma[z]`` is ``sigma``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray

from unmix.arguments import numbers, said
from unmix.errors import UnmixError
from unmix.printable import listed, printable

from .by_name import by_name  # noqa: TID251  ruff takes siblings for the banned root name

# From the dims of a parameter to the parameter with its prior.
Declare = Callable[[tuple[str, ...]], Any]


class Held:
    """Values at which some parameters are held.

    Parameters
    ----------
    fixed
        By name; NaN where a component is left free.
    names
        The parameters that the model has.
    features, components
        Names of the columns and of the components, by which Series and frames are read.
    alike
        Parameters that all components share.

    Raises
    ------
    UnmixError
        For something else than a dict, or a name that the model does not have.
    """

    def __init__(
        self,
        fixed: Mapping[str, Any] | None,
        names: Sequence[str],
        features: Sequence[str],
        components: Sequence[Any],
        alike: Sequence[str] = (),
    ) -> None:
        if fixed is not None and not isinstance(fixed, Mapping):
            raise UnmixError(f"fixed is {said(fixed)}: give a dict of values by parameter name")
        self.values: dict[str, NDArray] = {}
        for name, value in (fixed or {}).items():
            if name not in names:
                raise UnmixError(
                    f"fixed names {printable(name)}, and the model has {listed(list(names))}"
                )
            called = f"fixed[{name!r}]"
            index = features if name in alike else components
            value = by_name(called, value, index=index, columns=features)
            self.values[name] = numbers(called, value, "numbers").astype(float)

    def __call__(self, name: str, dims: tuple[str, ...], declare: Declare) -> Any:
        """A parameter: the constant that it is held at, or what ``declare`` makes of it.

        Where some components are free, the parameter has those only, and what is returned has all.
        To be called in the model's `with` block.

        Raises
        ------
        UnmixError
            For values of another shape, or NaN in some features of a component and not in others.
        """
        if name not in self.values:
            return declare(dims)
        model = pm.modelcontext(None)
        shape = tuple(len(model.coords[dim]) for dim in dims)
        value = self.values[name]
        if value.shape != shape:
            raise UnmixError(
                f"fixed[{name!r}] has shape {value.shape} and the parameter {shape}, one entry for "
                f"each {' and '.join(dims) or 'model'}: give that, with NaN for what is free"
            )
        _require_values(name, value)
        free = np.isnan(value)
        if not free.any():
            return pt.constant(value)
        if free.all():
            return declare(dims)
        by_component = free.reshape(len(value), -1)
        if name == "w" or (by_component.any(axis=1) != by_component.all(axis=1)).any():
            raise UnmixError(
                "fixed['w'] is NaN in a part: give all weights or none"
                if name == "w"
                else f"fixed[{name!r}] is NaN in some features of a component: hold all of them or "
                "none"
            )
        which = np.flatnonzero(by_component.all(axis=1))
        labels = model.coords[dims[0]]
        model.add_coord(f"free_{name}", [labels[k] for k in which])
        part = declare((f"free_{name}", *dims[1:]))
        return pt.constant(np.where(free, 0.0, value))[which].set(part)

    def factor(
        self, name: str, stack: tuple[int, ...], features: int, declare: Callable[..., Any]
    ) -> Any:
        """The same for correlations: given as matrices, in the model as their Cholesky factors.

        Parameters
        ----------
        name
            Of the parameter.
        stack
            (K,), or () where components share one matrix.
        features
            Rows and columns of a matrix.
        declare
            From such a ``stack`` to the parameter with its prior.

        Raises
        ------
        UnmixError
            For what is no stack of correlation matrices.
        """
        if name not in self.values:
            return declare(stack)
        value, shape = self.values[name], (*stack, features, features)
        if value.shape != shape:
            raise UnmixError(
                f"fixed[{name!r}] has shape {value.shape} and the correlation matrices {shape}: "
                "give that, with NaN for components that are free"
            )
        free = np.isnan(value).all(axis=(-1, -2))
        some = np.where(free[..., None, None], np.eye(features), value)
        unit = np.allclose(np.diagonal(some, axis1=-2, axis2=-1), 1.0, atol=1e-9)
        try:
            if not unit or not np.allclose(some, some.swapaxes(-1, -2), atol=1e-9):
                raise np.linalg.LinAlgError
            fixed = np.linalg.cholesky(some)
        except np.linalg.LinAlgError:
            raise UnmixError(
                f"fixed[{name!r}] is no correlation matrix of each component: give symmetric, "
                "positive definite matrices with ones along the diagonal"
            ) from None
        if not free.any():
            return pt.constant(fixed)
        if free.all():
            return declare(stack)
        which = np.flatnonzero(free)
        return pt.constant(fixed)[which].set(declare((len(which),)))

    def plain(self) -> dict[str, Any] | None:
        """The values as JSON holds them; None where there are none."""
        return {name: value.tolist() for name, value in self.values.items()} or None


def _require_values(name: str, value: NDArray) -> None:
    """Refuse what the parameter cannot be; NaN stands for what is free."""
    known = value[~np.isnan(value)]
    if np.isinf(known).any():
        raise UnmixError(f"fixed[{name!r}] is infinite: give finite numbers")
    if (name in ("sigma", "w") and (known < 0).any()) or (name == "sigma" and (known == 0).any()):
        least = "0 or more" if name == "w" else "above 0"
        raise UnmixError(f"fixed[{name!r}] is {known.min():g}: give numbers {least}")
    if name == "w" and len(known) == len(value) and abs(known.sum() - 1.0) > 1e-9:
        raise UnmixError(
            f"fixed['w'] must sum to one and its numbers sum to {known.sum():g}: divide them by it"
        )


def shared(equal: Any, names: Sequence[str]) -> tuple[str, ...]:
    """Names of the parameters that are equal for all components.

    Raises
    ------
    UnmixError
        For a name that is not one of ``names``.
    """
    given = (equal,) if isinstance(equal, str) else tuple(str(name) for name in equal)
    for name in given:
        if name not in names:
            raise UnmixError(
                f"equal names {printable(name)}: what components of this model can share is "
                f"{listed(list(names))}"
            )
    return given
