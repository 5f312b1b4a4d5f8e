"""What is said below a derivation: sentences without which its numbers would be misread."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.assign.labels import Labels
from unmix.show.explanation import COLUMNS, Explanation
from unmix.show.numbers import number, plain, share
from unmix.show.terms import log_mean


def which_theta(
    fit: Any, draws: int | None, interval: float | None, labels: Labels | None = None
) -> str:
    """Where the terms were computed, in words; and whether a component is one over draws."""
    if draws and interval:
        means = (
            f"Posterior means over {draws:,} draws of θ; below each its equal-tailed "
            f"{share(interval)} interval."
        )
        if labels is None or labels.identified:
            return means
        return (
            f"{means} Components are not identified: a line below mixes draws in which its "
            "component is another, so read no line as one component; the marginal holds."
        )
    if getattr(fit, "assignments", "expected") == "hard":
        return "At the θ of largest classification likelihood found by classification EM."
    kinds = {"likelihood": "the maximum likelihood θ", "posterior": "the posterior mode of θ"}
    kind = kinds.get(str(getattr(fit, "kind", "")))
    return f"At {kind} found by EM." if kind else "At the given θ."


def undefined_note(logs: dict[str, NDArray]) -> tuple[str, ...]:
    """Where Bayes' rule divides zero by zero."""
    undefined = int(np.isnan(logs["responsibility"]).any(axis=1).sum())
    if not undefined:
        return ()
    where = "" if len(logs["marginal"]) == 1 else f" in {undefined:,} draws"
    return (
        f"The marginal p(B) is zero or infinite{where}: Bayes' rule divides zero by zero there, "
        "and no responsibility would be the right one.",
    )


def status_note(fit: Any) -> tuple[str, ...]:
    """EM that has not converged."""
    if getattr(fit, "converged", True):
        return ()
    status = fit.status
    return (f"EM has not converged ({plain(status.name)}). {plain(status.advice, 400)}",)


def average_note(explanation: Explanation, logs: dict[str, NDArray]) -> tuple[str, ...]:
    """The mean of a ratio is not the ratio of means; shown where they differ most."""
    if explanation.interval is None:
        return ()
    joint, marginal = log_mean(logs["joint"]), log_mean(logs["marginal"])
    with np.errstate(invalid="ignore"):
        ratio = np.exp(joint - marginal)
    averaged = explanation.table["responsibility"].sel(summary="mean").to_numpy()
    sentence = "p(A|B) is the mean over draws of the ratio, not the ratio of the means to its left"
    if not np.isfinite(ratio - averaged).all():
        return (sentence + ".",)
    k = int(np.argmax(np.abs(ratio - averaged)))
    label = plain(explanation.table["component"].values[k])
    shown, other = number(averaged[k]), number(ratio[k])
    # A difference that no digit of a probability shows would only look like a finding.
    told = shown != other and abs(ratio[k] - averaged[k]) >= 5e-5
    example = f" (component {label}: {shown}, not {other})" if told else ""
    return (f"{sentence}{example}.",)


def skew_note(explanation: Explanation) -> tuple[str, ...]:
    """Means that lie outside their own intervals, which looks like a mistake and is none."""
    if explanation.interval is None:
        return ()
    table, found = explanation.table, []
    for k, label in enumerate(table["component"].values):
        names = []
        for name in COLUMNS:
            # In as many digits as are printed: what is seen to lie outside, and nothing else.
            mean, lower, upper = (float(v) for v in table[f"log_{name}"].isel(component=k))
            if mean > upper + 0.01 or mean < lower - 0.01:
                names.append(name)
        if names:
            found.append(f"{' and '.join(filter(None, (', '.join(names[:-1]), names[-1])))} of "
                         f"component {plain(label)}")  # fmt: skip
    if not found:
        return ()
    return (
        f"Means outside their own intervals ({'; '.join(found)}): a few draws far from "
        "the others carry such a mean.",
    )


def count_note(explanation: Explanation, fit: Any, logs: dict[str, NDArray]) -> tuple[str, ...]:
    """What counting should give, where z was drawn afresh at every θ.

    Given θ_t, 1{z_i = k} has mean r_t and variance r_t (1 − r_t), independently over t, so the
    count has mean Σ r_t and variance Σ r_t (1 − r_t), whatever the chain's mixing.
    """
    if "counted" not in explanation.table or explanation.draws is None:
        return ()
    kind = str(getattr(fit, "attrs", {}).get("z_kind", ""))
    repeated = _repeated(fit)
    if repeated:
        return (
            f"Counting estimates p(A|B) too; in {share(repeated)} of the draws a proposal was "
            "refused and θ and z are the draw before's again, so the two may differ by more than "
            "independent draws would.",
        )
    if kind == "dependent":
        return (
            "Counting estimates p(A|B) too; here z_i also depends on the draw before it, so the "
            "two may differ by more than independent draws would.",
        )
    if kind != "fresh":
        return ()
    r = np.exp(logs["responsibility"])
    sd = np.sqrt((r * (1 - r)).sum(axis=0))
    k = int(np.argmax(r.mean(axis=0)))
    label = plain(explanation.table["component"].values[k])
    # Counts are whole, so a standard deviation that rounds to none is not shown.
    spread = f", give or take {number(sd[k], 2)} (one standard deviation)" if sd[k] >= 0.5 else ""
    return (
        f"Counting estimates p(A|B) too: with z_i drawn afresh at every θ, component {label} was "
        f"to be drawn {r[:, k].sum():,.0f} times{spread}.",
    )


def label_note(labels: Labels | None) -> tuple[str, ...]:
    """How components were matched across draws."""
    if labels is None:
        return ()
    if not labels.identified:
        return (f"Components are {labels.sentence}.",)
    permutation = labels.permutation
    moved = int((permutation != np.arange(permutation.shape[1])).any(axis=1).sum())
    if not moved:
        return ()
    return (
        f"Components were matched across draws before anything was averaged: {moved:,} of "
        f"{len(permutation):,} draws were relabelled.",
    )


def _repeated(fit: Any) -> float:
    """Share of draws that are the ones before once more."""
    if "sample_stats" not in getattr(fit, "children", ()):
        return 0.0
    stats = fit["sample_stats"].to_dataset()
    return float(stats["repeated"].mean()) if "repeated" in stats else 0.0
