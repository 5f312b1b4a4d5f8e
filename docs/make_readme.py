"""Run the README: every number and figure in it comes from here.

    .venv/bin/python docs/make_readme.py            put what the README prints back into it
    .venv/bin/python docs/make_readme.py --check    write nothing; exit code 1 if it differs

The README's ``python`` blocks are run in order, in one namespace, from the repository's root. A
``text`` block right after a ``python`` block is what that block prints. Figures are saved by the
blocks themselves. It takes a few minutes, nearly all of it compiling and sampling. Draws are the
same on the same machine with the same versions; elsewhere their last digits may differ.
"""

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
FENCED = re.compile(
    r"^```python\n(?P<code>.*?)^```\n(?:\n^```text\n(?P<printed>.*?)^```\n)?",
    re.DOTALL | re.MULTILINE,
)


class Block(NamedTuple):
    """One ``python`` block of the README.

    Attributes
    ----------
    code
        What it runs.
    printed
        The ``text`` block after it, or None.
    start, end
        Where that text stands in the README; both -1 where there is none.
    """

    code: str
    printed: str | None
    start: int
    end: int


def blocks(text: str) -> list[Block]:
    """The ``python`` blocks of a page, in order."""
    return [
        Block(found["code"], found["printed"], found.start("printed"), found.end("printed"))
        for found in FENCED.finditer(text)
    ]


def outputs(text: str, namespace: dict[str, Any]) -> Iterator[tuple[Block, str]]:
    """Run the blocks one after the other, each with what it printed."""
    for block in blocks(text):
        page = io.StringIO()
        with redirect_stdout(page):
            exec(compile(block.code, "README.md", "exec"), namespace)  # noqa: S102 - our own README
        yield block, page.getvalue()


def rewritten(text: str, namespace: dict[str, Any]) -> str:
    """The page with every printed block as it is printed now."""
    parts, last = [], 0
    for block, printed in outputs(text, namespace):
        if block.printed is not None:
            parts += [text[last : block.start], printed.rstrip("\n") + "\n"]
            last = block.end
    return "".join([*parts, text[last:]])


def main() -> int:
    """Rewrite README.md, or compare with it."""
    os.environ.setdefault("MPLBACKEND", "Agg")
    os.chdir(ROOT)
    old = README.read_text(encoding="utf-8")
    new = rewritten(old, {"__name__": "README"})
    if "--check" in sys.argv[1:]:
        return int(new != old)
    README.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
