"""What a compiled function is made of, found by following what it calls.

Numba's cache on disk notices a change of the file that defines a function, not of the files whose
functions it calls. A digest of all of them, and of the numbers that they take from elsewhere, is
therefore a part of the key of everything that unmix keeps there.
"""

import hashlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
from numba.core.dispatcher import Dispatcher

from unmix.onepass import variant


def python(value: Any) -> FunctionType | None:
    """The Python function behind one for compiled code; None for anything else.

    Behind a function made by `unmix.onepass.variant.by_family` that is the one which makes it.
    """
    value = value.py_func if isinstance(value, Dispatcher) else getattr(value, "__wrapped__", None)
    return value if isinstance(value, FunctionType) else None


def names_in(code: CodeType) -> set[str]:
    """Names of globals and attributes that the code asks for, functions inside it included."""
    inner = [c for c in code.co_consts if isinstance(c, CodeType)]
    return set(code.co_names).union(*map(names_in, inner))


def asked_for(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Globals that a function asks for, and members of those that are modules of this package."""
    package = __name__.partition(".")[0]
    names = names_in(function.__code__)
    for name in names & function.__globals__.keys():
        value = function.__globals__[name]
        if not isinstance(value, ModuleType):
            yield name, value
        elif value.__name__.startswith(package):
            yield from ((n, vars(value)[n]) for n in names & vars(value).keys())


def made_of(function: Callable[..., Any]) -> tuple[frozenset[Path], frozenset[str]]:
    """Files of a compiled function and all that it calls, and the numbers that they ask for."""
    files = {Path(variant.__file__)}
    numbers: set[str] = set()
    ahead, seen = [function], set()
    while ahead:
        here = python(ahead.pop())
        if here is None or here in seen:
            continue
        seen.add(here)
        files.add(Path(here.__code__.co_filename))
        for name, value in asked_for(here):
            if isinstance(value, int | float | tuple | np.generic):
                numbers.add(f"{name}={value!r}")
            ahead.append(value)
    return frozenset(files), frozenset(numbers)


@lru_cache
def digest(function: Callable[..., Any]) -> str:
    """Digest of what a compiled function is made of."""
    files, numbers = made_of(function)
    what = hashlib.sha256("\n".join(sorted(numbers)).encode())
    for content in sorted(path.read_bytes() for path in files):
        what.update(hashlib.sha256(content).digest())
    return what.hexdigest()
