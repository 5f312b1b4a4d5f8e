"""A command line whose errors are one sentence each, on stderr, with an exit code.

What a user gave that cannot be used is exit code 2, Ctrl-C is one line and 130; a fault of our own
keeps its traceback.
"""

import sys
from typing import Any, NoReturn

from typer.core import TyperGroup

from unmix.errors import UnmixError


class OneSentence(TyperGroup):
    """A group of commands whose errors are one sentence each."""

    def main(self, *args: Any, **options: Any) -> NoReturn:
        """Run, and turn what the user got wrong into a sentence and an exit code."""
        for stream in (sys.stdout, sys.stderr):  # where there is no θ, print a question mark
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")
        options["standalone_mode"] = False
        try:
            code = super().main(*args, **options)
        except UnmixError as error:
            _fail(error, 2)
        except OSError as error:
            _fail(f"the disk or the system refused: {error.strerror or error}", 2)
        except Exception as error:
            if not hasattr(error, "format_message"):  # what typer says of options and arguments
                raise
            said = error.format_message().replace("Value error, ", "").rstrip(".")
            command = getattr(getattr(error, "ctx", None), "command_path", "unmix")
            _fail(f"{said}: '{command} --help' has more", 2)
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; Ctrl-C ends it in one line."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _fail("interrupted", 130)


def _fail(message: object, code: int) -> NoReturn:
    print(f"unmix: {' '.join(str(message).split())}", file=sys.stderr)
    sys.exit(code)
