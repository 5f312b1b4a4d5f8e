"""What the terms mean that a check's tests are read against, in words that need no statistics."""

from collections.abc import Iterable

P_VALUE = (
    "p-value: how often a right program would, by chance alone, be at least as far from Bayes' rule"
)
# By a part of `TestOutcome.reference`; how each limit is had stands in `unmix.check.tails`.
TERMS = {
    "chi-square": "chi-square: the average of squared differences, each over its variance, about 1 "
    "in a right program; its degrees of freedom are how many were averaged",
    "Poisson tail": "Poisson tail: a limit for counts, which jump where a normal curve is smooth; "
    "a right program exceeds it about as often as the p-value says, or more seldom",
    "Bennett–Freedman": "Bennett–Freedman bound: a limit for counts that are rare; a right program "
    "exceeds it at most as often as the p-value says, mostly far more seldom",
    "batches": "t over batches: draws resemble the draws before, so runs of them are averaged, and "
    "how much these averages differ says how far chance takes their mean",
    "Bonferroni": "Bonferroni: the p-value of the worst of many, times how many there are, so that "
    "looking at many raises no more false alarms than looking at one",
}


def in_words(references: Iterable[str]) -> tuple[str, ...]:
    """A sentence for each term that stands in the references; none where there are no references.

    Parameters
    ----------
    references
        `TestOutcome.reference` of the tests that were made.
    """
    said = tuple(references)
    if not said:
        return ()
    found = (words for term, words in TERMS.items() if any(term in text for text in said))
    return (P_VALUE, *found)
