"""Do counted assignments agree with Bayes' rule: the tests' outcomes and the verdict over them.

Each test hands over a p-value. The verdict is *inconsistent* when any of them is below level / m, m
being the number of tests that could be made (Bonferroni), so a correct sampler is called
inconsistent at most once in 1/level checks; 0.01 unless told otherwise, because a person who meets
the word should be right to look for a fault. It is *too little information* when nothing was below
and a fault as large as `largest_tolerated` would have passed unseen; *consistent* otherwise.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf, isnan
from typing import Literal, NamedTuple

from unmix.arguments import share
from unmix.check.in_words import in_words
from unmix.check.too_little import percent, too_little

Kind = Literal["fresh", "dependent"]
Verdict = Literal["consistent", "inconsistent", "too little information"]

LEVEL = 0.01
LARGEST_TOLERATED = 0.2

CANNOT_SEE = (
    "a wrong prior, or a wrong update of the parameters: given θ, Bayes' rule still holds",
    "chains that have not converged or have missed a mode",
    "an error that both roads share, such as data or a declaration that are not what was meant",
)
LONG_MEMORY = "a memory of z longer than the chains"
DRAWING_ONLY = (
    "a wrong table of responsibilities: z was drawn from the table it is compared with, and nothing"
    " was recomputed from the full model"
)


@dataclass(frozen=True)
class TestOutcome:
    """One test of the agreement between z and the responsibilities.

    Attributes
    ----------
    name
        What is tested, in two or three words.
    statistic
        Its value; for a sum, in standard deviations, so that 0 is the expectation.
    p_value
        Chance of a value at least as extreme under a correct sampler; NaN where it was not made.
    reference
        The distribution that the p-value is read from, in words.
    n_used
        How many terms entered: rows, cells, draws or products, as `reference` says.
    catches
        The faults it is there for.
    """

    __test__ = False  # the name is the subject's; pytest must not collect it

    name: str
    statistic: float
    p_value: float
    reference: str
    n_used: int
    catches: str

    @property
    def made(self) -> bool:
        """Whether there was enough to make the test."""
        return not isnan(self.p_value)


class WorstCell(NamedTuple):
    """One (obs, component) cell, and how far counting is from Bayes' rule there.

    `z_score` is (observed − expected) over the standard deviation; `expected` = Σ_t r_tik;
    `p_value` is that of this cell alone, not corrected for its having been picked as the worst.
    """

    obs: int
    component: int
    z_score: float
    expected: float
    observed: int
    p_value: float


@dataclass(frozen=True)
class CrossCheck:
    """The verdict on whether counted assignments agree with Bayes' rule, and its evidence.

    Attributes
    ----------
    verdict
        "consistent", "inconsistent" or "too little information".
    reason
        One sentence: which test decided, or what was missing.
    level
        Chance of calling a correct sampler inconsistent, over all tests together.
    outcomes
        The tests.
    kind
        "fresh": every z_t that is counted was drawn given θ_t alone; "dependent": given z_{t−1}
        too.
    smallest_effect
        The relative tempering δ of the odds (r ∝ r^{1+δ}) that the log-score test sees nine times
        in ten at this level. Infinite when no draw was in doubt.
    n_recomputed
        (draw, obs) pairs whose responsibilities were recomputed from the full model.
    checks_drawing_only
        Whether z came from the table itself and nothing was recomputed.
    worst_cells
        The cells furthest from agreement, one a row.
    cannot_see
        Sentences: what agreement does not prove.
    repeated
        Share of the draws in which θ and z are the draw before's once more, as a proposal was
        refused; such a z is not fresh, and is left out.
    """

    verdict: Verdict
    reason: str
    level: float
    outcomes: tuple[TestOutcome, ...]
    kind: Kind
    smallest_effect: float
    n_recomputed: int
    checks_drawing_only: bool
    worst_cells: tuple[WorstCell, ...]
    cannot_see: tuple[str, ...]
    repeated: float = 0.0

    @property
    def consistent(self) -> bool:
        """Whether the verdict is "consistent"."""
        return self.verdict == "consistent"

    @property
    def decides(self) -> str:
        """The p-value that a test has to be below, in a sentence."""
        made = sum(o.made for o in self.outcomes)
        return (
            f"{made} tests, {100 * self.level:g} % false alarms together: "
            f"a p-value below {self.level / max(made, 1):.2g} decides."
        )

    @property
    def in_words(self) -> tuple[str, ...]:
        """What the terms in the references of the tests mean, a sentence each."""
        return in_words(o.reference for o in self.outcomes if o.made)

    def __str__(self) -> str:
        drawn = {
            "fresh": "fresh, drawn given θ alone",
            "dependent": "dependent, drawn given θ and the z before",
        }[self.kind]
        if self.repeated:
            drawn = (
                f"fresh, drawn given θ alone, but for {percent(self.repeated)} of the draws, "
                "which are the ones before once more and left out"
            )
        pairs = f"{self.n_recomputed:,} (draw, obs) pairs" if self.n_recomputed else "nothing"
        only = ": this checks the drawing only" if self.checks_drawing_only else ""
        lines = [
            f"Counting z against Bayes' rule: {self.verdict}.",
            f"  {self.reason}",
            f"  z was {drawn}; {pairs} recomputed from the full model{only}.",
            f"  {self.decides}",
        ]
        width = max((len(o.name) for o in self.outcomes), default=0)
        for o in self.outcomes:
            p = f"p = {o.p_value:.2g}" if o.made else "not made"
            statistic = "–" if isnan(o.statistic) else f"{o.statistic:.3f}"
            lines.append(f"    {o.name:<{width}}  {statistic:>10}  {p:<12}  {o.reference}")
        if self.smallest_effect < inf:
            lines.append(
                f"  Odds tempered by {percent(self.smallest_effect)} (log-odds off by that share) "
                "are seen 9 times in 10."
            )
        if self.worst_cells:
            lines.append("  Worst cells (obs, component: counted, expected):")
            lines += [
                f"    {c.obs}, {c.component}: {c.observed}, {c.expected:.1f} "
                f"({c.z_score:+.1f} sd, p = {c.p_value:.2g} by itself)"
                for c in self.worst_cells
            ]
        if self.in_words:
            lines.append("  What the words mean:")
            lines += [f"    - {sentence}" for sentence in self.in_words]
        lines.append("  Agreement does not rule out:")
        lines += [f"    - {sentence}" for sentence in self.cannot_see]
        return "\n".join(lines)


def judge(
    outcomes: Iterable[TestOutcome],
    *,
    kind: Kind,
    smallest_effect: float,
    from_table: bool,
    n_recomputed: int = 0,
    worst_cells: Sequence[WorstCell] = (),
    level: float = LEVEL,
    largest_tolerated: float = LARGEST_TOLERATED,
    cannot_see: Sequence[str] = (),
    repeated: float = 0.0,
) -> CrossCheck:
    """The verdict over all outcomes.

    Parameters
    ----------
    outcomes
        From `FreshDraws.tests`, `DependentDraws.tests`, `dirichlet_identity` and any comparison of
        the table with the full model that the caller has made.
    kind
        How z was drawn.
    smallest_effect
        From `FreshDraws.smallest_effect` or `DependentDraws.smallest_effect`, at this level and for
        this number of tests.
    from_table
        Whether z was drawn from the very table of responsibilities it is compared with.
    n_recomputed
        (draw, obs) pairs at which the table was compared with the full model.
    level
        Chance of a false alarm over all tests.
    largest_tolerated
        "consistent" needs `smallest_effect` to be at most this. The default, odds tempered by 20 %,
        asks of the fresh log-score just enough variance (some 500, ten of its largest jumps
        squared) for its tail to be known; mistakes worth the name (weights forgotten, variance
        for sd) move the log-odds by far more than a fifth.
    cannot_see
        Further sentences, added to the ones that always hold.
    repeated
        Share of the draws that were left out, as they are the ones before.

    Raises
    ------
    UnmixError
        If level is not between 0 and 1.
    """
    level = share("level", level, "0.01", what="a chance of a false alarm between 0 and 1")
    outcomes = tuple(outcomes)
    made = [o for o in outcomes if o.made]
    limit = level / max(len(made), 1)
    failed = [o for o in made if o.p_value <= limit]
    drawing_only = from_table and n_recomputed == 0
    verdict: Verdict
    if failed:
        worst = min(failed, key=lambda o: (o.p_value, -abs(o.statistic)))
        verdict = "inconsistent"
        names = ", ".join(o.name for o in failed)
        reason = f"Failed: {names}. The clearest, {worst.name}, points to {worst.catches}."
    elif not made or not smallest_effect <= largest_tolerated:
        verdict = "too little information"
        reason = too_little(outcomes, smallest_effect, largest_tolerated)
    else:
        verdict = "consistent"
        reason = f"None of {len(made)} tests found a difference."
    sentences = (DRAWING_ONLY,) * drawing_only + CANNOT_SEE + (LONG_MEMORY,) * (kind == "dependent")
    if smallest_effect < inf:
        sentences += (f"odds wrong by less than about {percent(smallest_effect)}",)
    return CrossCheck(
        verdict=verdict,
        reason=reason,
        level=level,
        outcomes=outcomes,
        kind=kind,
        smallest_effect=smallest_effect,
        n_recomputed=n_recomputed,
        checks_drawing_only=drawing_only,
        worst_cells=tuple(worst_cells),
        cannot_see=(*sentences, *cannot_see),
        repeated=repeated,
    )
