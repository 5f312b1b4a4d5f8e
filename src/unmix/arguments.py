"""What verbs are given beside model and fit, looked at once and in one way.

Each function hands back the value that the verb goes on with, or refuses it in a sentence that
names the option. Truth values are no numbers here: ``restarts=True`` is a slip, not one restart.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from math import isfinite
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.errors import UnmixError
from unmix.printable import printable


def said(value: object) -> str:
    """A value as a sentence may quote it: on one line, and short whatever was given."""
    if isinstance(value, str):
        return printable(value)
    try:
        text = repr(value)
    except Exception:  # a foreign class may fail in any way, and the sentence must still be said
        text = f"<{type(value).__name__}>"
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:59] + "…"


def random_generator(rng: Any, name: str = "rng") -> np.random.Generator:
    """A generator from a seed or a generator.

    Raises
    ------
    UnmixError
        If NumPy makes none of it, or it is a truth value.
    """
    if not isinstance(rng, bool | np.bool_):
        try:
            return np.random.default_rng(rng)
        except (TypeError, ValueError):
            pass
    raise UnmixError(f"{name} is {said(rng)}: give a seed, a whole number from 0, or a generator")


def whole(name: str, value: Any, least: int = 1) -> int:
    """A whole number that is not below ``least``; 3.0 is one, True is none.

    Raises
    ------
    UnmixError
        If it is something else.
    """
    number = _real(value)
    if number is None or not isfinite(number) or number != int(number) or number < least:
        raise UnmixError(f"{name} is {said(value)}: give a whole number, {least} or more")
    return int(value)


def share(
    name: str,
    value: Any,
    example: str = "0.95",
    *,
    what: str = "a share between 0 and 1",
    zero: bool = False,
) -> float:
    """A number between 0 and 1, both excluded; 0 as well where ``zero``.

    Raises
    ------
    UnmixError
        If it is something else; the sentence says ``what`` to give.
    """
    number = _real(value)
    if number is None or not (0 < number < 1 or (zero and number == 0)):
        raise UnmixError(f"{name} is {said(value)}: give {what}, such as {example}")
    return number


def not_negative(name: str, value: Any) -> float:
    """A finite number, 0 or above.

    Raises
    ------
    UnmixError
        If it is something else.
    """
    number = _real(value)
    if number is None or not 0 <= number < np.inf:
        raise UnmixError(f"{name} is {said(value)}: give 0 or a positive number")
    return number


def one_of(name: str, value: Any, choices: Iterable[str]) -> None:
    """One of several words.

    Raises
    ------
    UnmixError
        If it is none of them.
    """
    choices = tuple(choices)
    if not isinstance(value, str) or value not in choices:
        *most, last = map(repr, choices)
        raise UnmixError(f"{name} is {said(value)}: give {', '.join(most)} or {last}")


def text(name: str, value: Any, example: str) -> str:
    """Text that is not empty.

    Raises
    ------
    UnmixError
        If it is something else.
    """
    if not isinstance(value, str) or not value:
        raise UnmixError(f"{name} is {said(value)}: give text, such as {example!r}")
    return value


def file_path(name: str, value: Any) -> Path:
    """A path from text or a path.

    Raises
    ------
    UnmixError
        If it is neither.
    """
    if isinstance(value, str | PathLike):
        plain = str(value)
        if "\0" not in plain:
            return Path(plain)
    raise UnmixError(f"{name} is {said(value)}: give the path of a file or folder, as text")


def no_option(verb: str, name: str, known: Iterable[str], takes: str) -> UnmixError:
    """That a verb has no option of that name, with the nearest that it has."""
    near = get_close_matches(name, sorted(known), 1)
    meant = f", did you mean {near[0]!r}?" if near else ":"
    return UnmixError(f"{verb} has no option {name!r}{meant} it takes {takes}")


def rectangular(name: str, value: Any, wanted: str) -> NDArray:
    """An array of whatever was given, unless its rows differ in length.

    Parameters
    ----------
    name
        What to call it.
    value
        Anything that NumPy reads.
    wanted
        What to give instead, in words.

    Raises
    ------
    UnmixError
        For ragged lists, masked cells, and for what NumPy cannot read as an array of numbers or
        names.
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.getmaskarray(value).any():
        raise UnmixError(f"{name} has masked cells, which hold no value: give {wanted}")
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        ragged = "inhomogeneous" in str(error)
        why = "has rows of different lengths" if ragged else "cannot be read as an array"
        raise UnmixError(f"{name} {why}: give {wanted}") from None
    return array


def numbers(name: str, value: Any, wanted: str) -> NDArray:
    """`rectangular`, and truth values, whole or real numbers in it.

    Raises
    ------
    UnmixError
        If it holds something else.
    """
    array = rectangular(name, value, wanted)
    if array.dtype.kind not in "biuf":
        raise UnmixError(f"{name} is {said(value)}, which holds no numbers: give {wanted}")
    return array


def _real(value: Any) -> float | None:
    """A real number that is no truth value; None where it is something else."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
        return None
    if isinstance(value, complex | np.complexfloating):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
