"""Code compiled for the families that a model has, and for no others.

A kernel that knows every family compiles every family, most of a minute of it, for a model that has
one. Here the set of families is a type of its own, `Families`, and a function made with `by_family`
is compiled once for each set that it meets: what makes it is told which families are there, and
branches on those that are not are gone before Numba looks at what they call.

The type travels as the first argument of every function on the way, and is nothing at run time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import Any

from numba import types
from numba.core.imputils import lower_constant
from numba.extending import NativeValue, models, overload, register_model, typeof_impl, unbox

from unmix.onepass.elementary import FAST, jit

NAMES = ("normal", "mvnormal", "poisson", "bernoulli", "categorical", "exponential", "labels")


@dataclass(frozen=True)
class Families:
    """Which families a model has: their codes, in order.

    Raises
    ------
    ValueError
        For codes that are out of order, double, or no family's.
    """

    codes: tuple[int, ...]

    def __post_init__(self) -> None:
        if list(self.codes) != sorted(set(self.codes) & set(range(len(NAMES)))) or not self.codes:
            raise ValueError(f"{self.codes} are no families")

    @property
    def there(self) -> tuple[bool, ...]:
        """For each family that there is, whether the model has it."""
        return tuple(code in self.codes for code in range(len(NAMES)))

    @property
    def name(self) -> str:
        """As a part of a name."""
        return "_".join(NAMES[code] for code in self.codes)


class FamiliesType(types.Type):
    """The type of a `Families`, another one for each."""

    def __init__(self, families: Families) -> None:
        self.families = families
        super().__init__(name=f"Families({families.name})")


register_model(FamiliesType)(models.OpaqueModel)


@typeof_impl.register(Families)
def _typeof(value: Families, context: Any) -> FamiliesType:
    return FamiliesType(value)


@unbox(FamiliesType)
def _unbox(kind: Any, value: Any, context: Any) -> NativeValue:
    return NativeValue(context.context.get_dummy_value())


@lower_constant(FamiliesType)
def _constant(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    return context.get_dummy_value()


def by_family(make: Callable[..., Callable[..., Any]]) -> Callable[..., Any]:
    """A function for compiled code, and for Python, with an implementation for each `Families`.

    Parameters
    ----------
    make
        Takes one flag a family, whether it is there, in the order of `NAMES`; returns the
        implementation, whose first argument is the `Families`.
    """

    @lru_cache
    def compiled(families: Families) -> Callable[..., Any]:
        return jit(make(*families.there))

    @wraps(make)
    def chosen(families: Families, *arguments: Any) -> Any:
        return compiled(families)(families, *arguments)

    def implementation(families: FamiliesType, *arguments: Any) -> Callable[..., Any]:
        return make(*families.families.there)

    options: Any = {"fastmath": FAST, "error_model": "numpy", "nogil": True}
    overload(chosen, jit_options=options, strict=False)(implementation)
    return chosen
