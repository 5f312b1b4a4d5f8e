"""The catalogue as the command line offers it: names, what each takes, and its first sentence."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from unmix.errors import UnmixError
from unmix.printable import listed, printable

if TYPE_CHECKING:
    import pandas as pd
    import pymc as pm

    from unmix.plan import Plan

# What of the command line's options an entry takes. PyMC is not loaded to look at a command, so the
# names stand here as well as in `unmix.models`; a test holds the two together.
_EVERY = ("names", "labels", "weights", "fix", "missing")
TAKES: dict[str, frozenset[str]] = {
    "gaussian": frozenset((*_EVERY, "covariance", "noise", "subject")),
    "grouped_weights": frozenset((*_EVERY, "covariance", "group")),
    "varying_means": frozenset((*_EVERY, "group", "subject")),
    "hierarchical": frozenset((*_EVERY, "covariance", "subject")),
    "repeated_measures": frozenset((*_EVERY, "covariance", "subject")),
    "student_t": frozenset((*_EVERY, "covariance", "subject")),
    "poisson": frozenset((*_EVERY, "subject")),
    "negative_binomial": frozenset((*_EVERY, "subject")),
    "exponential": frozenset((*_EVERY, "subject")),
    "latent_class": frozenset((*_EVERY, "subject", "text")),
    "mixed": frozenset((*_EVERY, "subject", "text", "families")),
}
# Options that name a column without which there is no such model.
NEEDS = {
    "grouped_weights": ("group",),
    "varying_means": ("group",),
    "repeated_measures": ("subject",),
}
# Arguments of models that an option names a column for, where new rows need one as well.
OPTION_OF = {"groups": "group", "subjects": "subject", "together": "subject"}
# Those that a column of two values is hardly meant for.
OF_MEASUREMENTS = ("gaussian", "student_t", *NEEDS, "hierarchical")


def require_options(plan: "Plan") -> None:
    """Refuse a model that is unknown, and options that it does not take."""
    if plan.model not in TAKES:
        raise UnmixError(
            f"there is no model {printable(plan.model)} for unmix fit: --model takes "
            f"{listed(list(TAKES))}"
        )
    given = {"covariance": plan.covariance is not None, "families": bool(plan.families)}
    for option, is_given in given.items():
        if is_given and option not in TAKES[plan.model]:
            others = listed([name for name, takes in TAKES.items() if option in takes])
            raise UnmixError(
                f"--{option} is for --model {others} and the model is {printable(plan.model)}: "
                "leave it out"
            )


def require_taken(plan: "Plan", options: Sequence[str]) -> None:
    """Refuse options that the model does not take, and a model that lacks the column it needs."""
    takes = TAKES[plan.model]
    for option in options:
        if option not in takes:
            others = listed([name for name, taken in TAKES.items() if option in taken])
            raise UnmixError(
                f"--{option} is for --model {others} and the model is {printable(plan.model)}: "
                "leave it out"
            )
    for option in NEEDS.get(plan.model, ()):
        if option not in options:
            raise UnmixError(
                f"--model {plan.model} needs --{option}: name the column that says the {option} "
                "of each row"
            )


def argument_of(plan: "Plan", option: str) -> str:
    """What the model calls what an option gives."""
    if option == "subject":
        return "subjects" if plan.model == "repeated_measures" else "together"
    return {"group": "groups"}.get(option, option)


def families_said(pairs: Sequence[str] | None) -> dict[str, str]:
    """Families of columns from ``age=normal``, ``visits=poisson``, ….

    Raises
    ------
    UnmixError
        For one that has no sign of equality in it, or a column that is there twice.
    """
    found: dict[str, str] = {}
    for pair in pairs or ():
        column, sign, family = (part.strip() for part in pair.rpartition("="))
        if not (column and sign and family):
            raise UnmixError(
                f"--families has {printable(pair)}: give column=family, with commas between"
            )
        if column in found:
            raise UnmixError(f"--families has column {printable(column)} twice: name it once")
        found[column] = family
    return found


def cells_taken(plan: "Plan") -> dict[str, Any]:
    """What cells of columns may hold beside numbers, as `unmix.read_table.read_table` is told."""
    taken = cells_of(plan.model)
    if plan.model == "student_t" and plan.covariance == "full":
        taken["missing"] = False  # the features of a multivariate t have no cells apart
    return taken


def cells_of(model: str) -> dict[str, Any]:
    """The same, by the name of a model."""
    return {kind: kind in TAKES.get(model, ()) for kind in ("text", "missing")}


def missing_cells(x: "pd.DataFrame") -> str:
    """How many cells are missing, and what becomes of their rows; empty where none is."""
    missing = x.isna().to_numpy()
    if not missing.any():
        return ""
    rows = int(missing.any(axis=1).sum())
    return (
        f"{int(missing.sum()):,} cells are missing, in {rows:,} rows: every row is kept, and "
        "counts by the cells that are there"
    )


def described() -> list[tuple[str, str]]:
    """Every entry with what it is for, from its docstring."""
    from unmix.models import CATALOGUE

    lines = []
    for name, entry in CATALOGUE.items():
        first = (entry.__doc__ or "").strip().split("\n")[0]
        lines.append((name, first.removeprefix("Declare ").rstrip(".")))
    return lines


def declare(x: "pd.DataFrame", plan: "Plan") -> "pm.Model":
    """The model on rows of a file."""
    from unmix.models import CATALOGUE
    from unmix.recipe import remember_columns

    options: dict[str, Any] = {}
    if plan.covariance is not None:
        options["covariance"] = plan.covariance
    if plan.families:
        options["families"] = plan.families
    options = {"components": plan.components, **options, **plan.known}
    try:
        return remember_columns(CATALOGUE[plan.model](x, **options), plan.columns)
    except UnmixError as error:
        raise UnmixError(_by_options(str(error))) from None


def _by_options(said: str) -> str:
    """What a model says of its arguments, by the options that gave them."""
    from unmix.models.labels import UNLABELLED

    here = "--names says what they are called; an empty cell is no label"
    said = said.replace(f"and {UNLABELLED}", here)
    if said.startswith("fixed") and "each component and item and level" in said:
        return (
            "--fix p is no table of numbers, as items have the same levels and p one for each "
            "component, item and level: hold it by unmix.models.latent_class(fixed=) in Python"
        )
    return re.sub(r"^fixed(\['(\w+)'\])?", lambda m: f"--fix {m[2]}" if m[2] else "--fix", said)


def weights_said(plan: "Plan") -> str:
    """What the rows count for, where they have weights; empty where not."""
    weights = plan.known.get("weights")
    if weights is None:
        return ""
    return (
        f"weights: {len(weights):,} rows count for {float(weights.sum()):,.6g}; a weight of 2 is "
        "the row twice, to intervals too: scale survey weights to sum to the number of rows"
    )


def words(x: "pd.DataFrame", plan: "Plan") -> str:
    """What a person should know of the model before it is fitted."""
    several = x.shape[1] > 1 and "covariance" in TAKES[plan.model]
    default = "full" if plan.model == "gaussian" else "diagonal"
    covariance = f"{plan.covariance or default} covariances, " if several else ""
    model = "" if plan.model == "gaussian" else f"model {plan.model}, "
    k = f"{plan.components} and one of noise" if plan.known.get("noise") else plan.components
    return f"{model}components {k}, {covariance}method {plan.method}, seed {plan.seed}"


def families_of_columns(x: "pd.DataFrame", plan: "Plan") -> str:
    """The family of every column of a mixed table, said or guessed; empty for other models."""
    if "families" not in TAKES[plan.model]:
        return ""
    from unmix.models import guessed_families

    found = {**guessed_families(x), **plan.families}
    told = ", ".join(f"{printable(name)} {family}" for name, family in found.items())
    return f"families: {told} (--families column=family takes another)"


def doubts_that_apply(x: "pd.DataFrame", plan: "Plan") -> list[str]:
    """What is odd about columns, without what is odd for measurements only."""
    found: list[str] = x.attrs["doubts"]
    if plan.model in OF_MEASUREMENTS:
        return found
    return [sentence for sentence in found if "two values only" not in sentence]
