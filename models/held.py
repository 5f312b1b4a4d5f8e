"""Parameters that are known, and parameters that components share.

A parameter that is known stands in the model as a constant: nothing is estimated, and every verb
takes it as it is. Where its prior has hyperparameters that are free, as in `hierarchical`, these
still learn from it: what is known of one component says what the others are like. A parameter that
all components share has no component axis: all that is left of ``sigma[z]`` is ``sigma``.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.graph.basic import Constant, Variable

from unmix.arguments import numbers, said
from unmix.errors import UnmixError
from unmix.printable import listed, printable

from .by_name import by_name  # noqa: TID251  ruff takes siblings for the banned root name

# What a parameter may be is what its prior may draw.
ABOVE_ZERO = (pm.Gamma, pm.InverseGamma, pm.Exponential)
PROBABILITIES = (pm.Dirichlet, pm.Beta)


class Held:
    """Values at which some parameters are held, and the priors of the others.

    Parameters
    ----------
    fixed
        By name; NaN where a component is left free.

    Raises
    ------
    UnmixError
        For something else than a dict.
    """

    def __init__(self, fixed: Mapping[str, Any] | None) -> None:
        if fixed is not None and not isinstance(fixed, Mapping):
            raise UnmixError(f"fixed is {said(fixed)}: give a dict of values by parameter name")
        self._given = dict(fixed or {})
        self._values: dict[str, NDArray] = {}
        self._names: list[str] = []  # of the parameters that the model has

    def __call__(
        self, name: str, dims: tuple[str, ...], prior: Any, *parameters: Any, **options: Any
    ) -> Any:
        """A parameter: the constant that it is held at, or a variable with its prior.

        Where some components are free, the variable has those only, and what is returned has all.
        To be called in the model's `with` block.

        Parameters
        ----------
        name, dims
            Of the parameter; dims begin with that of the components where there is one.
        prior, *parameters, **options
            A distribution of PyMC and what it takes.

        Raises
        ------
        UnmixError
            For values of another shape or that the prior does not have, or NaN in a part of a
            component.
        """
        self._names.append(name)
        if name not in self._given:
            return prior(name, *parameters, dims=dims, **options)
        coords = pm.modelcontext(None).coords
        value = self._read(name, *(coords[dim] for dim in dims))
        shape = tuple(len(coords[dim]) for dim in dims)
        if value.shape != shape:
            raise UnmixError(
                f"fixed[{name!r}] has shape {value.shape} and the parameter {shape}, one entry for "
                f"each {' and '.join(dims) or 'model'}: give that, with NaN for what is free"
            )
        _require_values(name, value, prior, dims)
        free = np.isnan(value)
        if free.all():
            return prior(name, *parameters, dims=dims, **options)
        by_component = free.reshape(len(value), -1) if dims else free[None, None]
        whole = by_component.all(axis=1)
        if free.any() and (name == "w" or (by_component.any(axis=1) != whole).any()):
            raise UnmixError(
                "fixed['w'] is NaN in a part: give all weights or none"
                if name == "w"
                else f"fixed[{name!r}] is NaN in a part of a component: hold all of its numbers or "
                "none"
            )
        if any(isinstance(p, Variable) and not isinstance(p, Constant) for p in parameters):
            known = value if not free.any() else value[~whole]
            drawn = prior.dist(*parameters, shape=known.shape, **options)
            pm.Potential(f"{name}_known", pm.logp(drawn, known))
        if not free.any():
            return pt.constant(value)
        which = np.flatnonzero(whole)
        part = f"free_{name}"
        pm.modelcontext(None).add_coord(part, [coords[dims[0]][k] for k in which])
        variable = prior(name, *parameters, dims=(part, *dims[1:]), **options)
        return pt.constant(np.where(free, 0.0, value))[which].set(variable)

    def correlations(self, name: str, stack: tuple[int, ...], features: int, eta: float) -> Any:
        """The same for correlations: given as matrices, in the model as their Cholesky factors.

        Parameters
        ----------
        name
            Of the parameter.
        stack
            (K,), or () where components share one matrix.
        features
            Rows and columns of a matrix.
        eta
            Of the LKJ prior.

        Raises
        ------
        UnmixError
            For what is no stack of correlation matrices.
        """

        def declare(stack: tuple[int, ...]) -> Any:
            return pm.LKJCorr(name, n=features, eta=eta, shape=(*stack, features, features))

        self._names.append(name)
        if name not in self._given:
            return declare(stack)
        columns = pm.modelcontext(None).coords["feature"]
        value, shape = self._read(name, columns, columns), (*stack, features, features)
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
        """The values as JSON holds them, None where there are none; when all is declared.

        Raises
        ------
        UnmixError
            For a name that is not among those that were declared.
        """
        for name in self._given:
            if name not in self._names:
                raise UnmixError(
                    f"fixed names {printable(name)}: what this model can hold is "
                    f"{listed(self._names)}"
                )
        return {name: value.tolist() for name, value in self._values.items()} or None

    def _read(self, name: str, index: Any = None, columns: Any = None, *_: Any) -> NDArray:
        """What was given, by the names along its axes, as numbers."""
        called = f"fixed[{name!r}]"
        value = by_name(called, self._given[name], index=index, columns=columns)
        self._values[name] = numbers(called, value, "numbers").astype(float)
        return self._values[name]


def _require_values(name: str, value: NDArray, prior: Any, dims: tuple[str, ...]) -> None:
    """Refuse what the parameter cannot be; NaN stands for what is free."""
    known = value[~np.isnan(value)]
    if np.isinf(known).any():
        raise UnmixError(f"fixed[{name!r}] is infinite: give finite numbers")
    if prior in ABOVE_ZERO and (known <= 0).any():
        raise UnmixError(f"fixed[{name!r}] is {known.min():g}: give numbers above 0")
    if prior in PROBABILITIES and (known < 0).any():
        raise UnmixError(f"fixed[{name!r}] is {known.min():g}: give numbers 0 or more")
    if prior is pm.Beta and (known > 1).any():
        raise UnmixError(f"fixed[{name!r}] is {known.max():g}: give numbers between 0 and 1")
    if prior is pm.Dirichlet:
        off = np.nan_to_num(value.sum(axis=-1) - 1.0)
        worst = off.flat[np.abs(off).argmax()]
        if abs(worst) > 1e-9:
            raise UnmixError(
                f"fixed[{name!r}] must sum to one over each {dims[-1]} and its numbers sum to "
                f"{1 + worst:g}: divide them by it"
            )


def shared(equal: Any, names: tuple[str, ...]) -> tuple[str, ...]:
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
