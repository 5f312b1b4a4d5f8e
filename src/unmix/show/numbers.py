"""Numbers and names as a person reads them, on a terminal or a page.

Terms of Bayes' rule arrive as natural logarithms and are printed from them: 1e-412 is below the
smallest float, its logarithm is an ordinary number. Names come from files and column headings, so
what is not printable (an escape sequence would reach the terminal) is spelled out.
"""

import math
from typing import Any

from unmix.printable import printable

SMALLEST_FIXED = 1e-3
LARGEST_FIXED = 1e4


def from_log(log_value: float, digits: int = 4) -> str:
    """exp(log_value) in `digits` significant figures, scientific where tiny or huge.

    Parameters
    ----------
    log_value
        Natural logarithm of the number; −∞ prints as 0, NaN as "undefined".
    digits
        Significant figures; one less in scientific notation, where the exponent takes the room.
    """
    if math.isnan(log_value):
        return "undefined"
    if math.isinf(log_value):
        return "∞" if log_value > 0 else "0"
    if math.log(SMALLEST_FIXED) <= log_value < math.log(LARGEST_FIXED):
        return format(math.exp(log_value), f"#.{digits}g").rstrip(".")
    decimals = max(digits - 2, 0)
    power = log_value / math.log(10)
    exponent = math.floor(power)
    mantissa = f"{10 ** (power - exponent):.{decimals}f}"
    if mantissa.startswith("10"):  # 9.996 has been rounded up
        mantissa, exponent = f"{1:.{decimals}f}", exponent + 1
    return f"{mantissa}e{exponent:+03d}"


def number(value: float, digits: int = 4) -> str:
    """Any number in `digits` significant figures; a dash where it is not known."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    if value == 0:
        return "0"
    return ("−" if value < 0 else "") + from_log(math.log(abs(value)), digits)


def log_number(value: float) -> str:
    """A logarithm, to three decimals."""
    if math.isnan(value):
        return "undefined"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.3f}".replace("-", "−")


def datum(value: Any) -> str:
    """One cell of the data."""
    if isinstance(value, float):
        if math.isnan(value):
            return "missing"
        return f"{value:.6g}".replace("-", "−")
    return plain(value)


def plain(value: Any, longest: int = 40) -> str:
    """A name on one line: control characters spelled out, the end of a long one left off."""
    return printable(value, longest)[1:-1]


def share(interval: float) -> str:
    """An interval's probability as a percentage."""
    return f"{100 * interval:.10g} %"


def counted(n: int, what: str) -> str:
    """A number of things, in the singular where it is one."""
    return f"{n:,} {what}" + ("" if n == 1 else "s")
