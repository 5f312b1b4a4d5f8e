"""The README's blocks, run once for all tests that look at what came of them.

They run as they stand, with two things changed: fewer draws, since what is compared with them here
is held to Monte Carlo errors anyway, and a scratch folder for the figure.
"""

import contextlib
import importlib.util
import os
import warnings
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import unmix

ROOT = Path(__file__).resolve().parents[1]
FEWER = {"draws": 600, "tune": 500, "chains": 2, "progress": False}


class Page(NamedTuple):
    """The README: its text, its blocks, what each printed now, and the variables left behind."""

    text: str
    blocks: list[Any]
    printed: list[str]
    names: dict[str, Any]


def _script() -> Any:
    spec = importlib.util.spec_from_file_location("make_readme", ROOT / "docs" / "make_readme.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def page(scratch: Path) -> Page:
    script = _script()
    text = script.README.read_text(encoding="utf-8")
    (scratch / "docs" / "images").mkdir(parents=True)
    names: dict[str, Any] = {"__name__": "README"}
    with contextlib.ExitStack() as stack:
        here = os.getcwd()
        stack.callback(os.chdir, here)
        os.chdir(scratch)
        stack.enter_context(mock.patch.object(unmix, "sample", partial(unmix.sample, **FEWER)))
        stack.enter_context(mock.patch.object(unmix, "em", partial(unmix.em, progress=False)))
        stack.enter_context(warnings.catch_warnings())
        # R-hat below 1.01 takes more draws than these.
        warnings.filterwarnings(
            "ignore", "chains disagree|too few effective draws to tell", unmix.UnmixWarning
        )
        ran = list(script.outputs(text, names))
    return Page(text, [block for block, _ in ran], [printed for _, printed in ran], names)
