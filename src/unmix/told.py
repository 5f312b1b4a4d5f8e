"""An analysis from the command line: what is said before it begins and after it was cut short."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from unmix.output import OutputFolder
    from unmix.plan import Plan


def analyse_aloud(
    x: "pd.DataFrame", plan: "Plan", out: "OutputFolder | None", console: "Console"
) -> str | None:
    """Say what is about to be done, do it, and say what is on disk if it is cut short.

    Parameters
    ----------
    x, plan, out, console
        As in `unmix.analysis.analyse`; the folder is not made yet.

    Returns
    -------
    str or None
        As `unmix.analysis.analyse`.
    """
    from unmix.analysis import analyse
    from unmix.catalogue import words
    from unmix.printable import printable
    from unmix.terminal import say, warnings_to

    say(console, words(x, plan))
    os.environ.setdefault("MPLBACKEND", "Agg")  # figures go to files; no window is opened
    if out:
        out.make()
    try:
        with warnings_to(console):
            return analyse(x, plan, out, console)
    except BaseException:
        if out and out.written:
            say(
                console,
                f"Written to {printable(out.path, 200)} before it ended: {', '.join(out.written)}",
            )
        raise
    finally:
        if out:
            out.leave()
