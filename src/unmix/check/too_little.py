"""What there was too little of for a verdict: doubt in the rows, draws, or length of the chains."""

from collections.abc import Sequence
from math import ceil, inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unmix.check.verdict import TestOutcome

# Beyond so many times the draws nobody will take them: it is the rows that say too little.
TOO_MANY = 10
TOO_SHORT = "chains too short"


def too_little(
    outcomes: "Sequence[TestOutcome]", smallest_effect: float, largest_tolerated: float
) -> str:
    """What was missing, in a sentence.

    The smallest effect falls as one over the root of the number of draws.

    Parameters
    ----------
    outcomes
        The tests.
    smallest_effect, largest_tolerated
        As in `unmix.check.verdict.judge`.
    """
    if not smallest_effect < inf:
        if any(not o.made and o.reference.startswith(TOO_SHORT) for o in outcomes):
            return (
                "The chains are too short for their own memory, so how far counts may be off by "
                "chance is not known; take longer chains."
            )
        return (
            "Every row was certain of its component, so there was nothing to disagree about and "
            "more draws would not change that."
        )
    seen = (
        f"Only odds tempered (raised to a power) by {percent(smallest_effect)} or more would have "
        "been seen"
    )
    times = ceil((smallest_effect / largest_tolerated) ** 2)
    if times > TOO_MANY:
        return (
            f"{seen}: rows are all but certain of their components, so there is hardly anything to "
            "disagree about and more draws would not help."
        )
    return f"{seen}; take some {times} times the draws to see {100 * largest_tolerated:g} %."


def percent(share: float) -> str:
    """A share in per cent, to two digits."""
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"
