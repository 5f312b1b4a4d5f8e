"""How EM ended, with remedies that the command line has: it knows no `starts` and no `kind`."""

from dataclasses import replace
from typing import Any

from unmix.infer.status import ADVICE, OFF_THE_EDGE, Status

# Ends at which there is no maximum, so that the parameters mean nothing.
WITHOUT_MAXIMUM = ("collapsed", "emptied", "not monotone", "failed")

REMEDIES = {
    "iteration limit": (
        "the iterations ran out while the parameters still moved: ask for fewer components (-k), "
        "or expect some that the data barely tell apart"
    ),
    "collapsed": (
        "a component shrank onto a few identical values, where the likelihood has no maximum: ask "
        "for fewer components (-k), leave out a column of few values (--columns), or sample "
        "(--method auto), as priors keep standard deviations from zero"
    ),
    "emptied": (
        "a component lost all its observations: ask for fewer components (-k), or try another "
        "--seed"
    ),
    "not monotone": (
        "the log-likelihood went down, so this is no maximum: rescale the columns, or sample "
        "(--method auto)"
    ),
    "failed": (
        "the log-likelihood could not be evaluated from any start: look for values far from all "
        "others, or ask for fewer components (-k)"
    ),
}


def for_command_line(fit: Any) -> Any:
    """A result of EM whose status advises what a command can do; other fits as they are."""
    found = getattr(fit, "status", None)
    if not isinstance(found, Status):
        return fit
    detail = found.advice.removeprefix(ADVICE.get(found.name, ""))
    advice = REMEDIES.get(found.name, found.advice.removesuffix(detail))
    detail = detail.replace("raise starts", "try another --seed")
    detail = detail.replace(OFF_THE_EDGE, "draws (--method auto) keep off it")
    return replace(fit, status=Status(found.name, advice + detail))
