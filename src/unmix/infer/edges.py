r"""Parameters that EM left on the edge of what is possible, and what to say of them.

The likelihood of a mixture may be highest at a probability of exactly 0 or 1 (a class that never
gives an answer), or rise for ever as a parameter grows (the degrees of freedom of a t whose rows
have no tails, where its limit is a normal). Such a maximum is a maximum, but it has no finite
value or no curvature: standard errors mean nothing there, and AIC and BIC count the parameter in
full.
"""

import numpy as np
from numpy.typing import NDArray
from pymc.logprob.transforms import LogOddsTransform, LogTransform, SimplexTransform

from unmix.infer.objective import Objective, Theta
from unmix.infer.status import OFF_THE_EDGE

# A probability nearer to 0 or 1 than this is shown as 0 or 1 in any table.
NEAR = 1e-6
# What a parameter is multiplied by to see whether the objective still falls.
FURTHER = 10.0
# Smallest fall that counts, for each row; and of a parameter a of which log-gamma functions are
# taken, whose rounding is eps a log a, no more than MOST_ROUNDING (so it is for a = 1e10).
SMALLEST, MOST_ROUNDING = 1e-7, 1e-4
# Elements tried one by one, each at the cost of an E-step.
MOST = 200
NAMED = 3


def edges(objective: Objective, theta: Theta, settled: frozenset[str]) -> tuple[list[str], int]:
    """Sentences about parameters at an edge, and how many of them have no finite maximum.

    Parameters
    ----------
    objective
        What was climbed.
    theta
        Where it ended.
    settled
        Parameters whose M-step has a closed form: their maximum is known to be there.
    """
    sentences, endless = _endless(objective, theta, settled)
    return [*_probabilities(objective, theta), *sentences], endless


def _transforms(objective: Objective) -> dict[str, object]:
    model = objective.derivation.model
    return {rv.name: model.rvs_to_transforms.get(rv) for rv in model.free_RVs}


def _probabilities(objective: Objective, theta: Theta) -> list[str]:
    transforms, found = _transforms(objective), []
    for name in objective.free:
        kind, values = transforms[name], np.asarray(theta[name])
        if isinstance(kind, SimplexTransform):
            at = (values <= NEAR).any(axis=-1) | (values >= 1 - NEAR).any(axis=-1)
        elif isinstance(kind, LogOddsTransform):
            at = (values <= NEAR) | (values >= 1 - NEAR)
        else:
            continue
        n = int(np.sum(at))
        if n and values.shape[-1:] != (1,):
            found.append(
                f"{n} of the {at.size} probabilities in {name!r} "
                f"{'has' if n == 1 else 'have'} an entry that is 0 or 1, the edge of what is "
                f"possible, where a standard error means nothing: {OFF_THE_EDGE}"
            )
    return found


def _endless(objective: Objective, theta: Theta, settled: frozenset[str]) -> tuple[list[str], int]:
    transforms = _transforms(objective)
    positive = [
        n for n in objective.free if n not in settled and isinstance(transforms[n], LogTransform)
    ]
    elements = [(n, at) for n in positive for at in np.ndindex(np.shape(theta[n]))]
    if not elements or len(elements) > MOST:
        return [], 0
    value = objective.value(theta)
    n = objective.derivation.n_obs
    ends: dict[float, list[str]] = {FURTHER: [], 1 / FURTHER: []}
    for name, at in elements:
        for factor, labels in ends.items():
            moved = np.array(theta[name], dtype=float)
            moved[at] *= factor
            a = abs(float(moved[at])) + 2.0
            rounding = min(MOST_ROUNDING, np.finfo(float).eps * a * np.log(a))
            allowed = SMALLEST * (abs(value) + n) + rounding * n
            if _value(objective, {**theta, name: moved}) >= value - allowed:
                labels.append(_label(name, at, theta[name]))
                break
    words = {FURTHER: "grows", 1 / FURTHER: "shrinks"}
    said = [
        f"{_listed(labels)}: the objective does not fall as {'it' if len(labels) == 1 else 'each'} "
        f"{words[factor]} tenfold, so it has no finite maximum and the component is at the "
        "limit of its family"
        for factor, labels in ends.items()
        if labels
    ]
    return said, sum(map(len, ends.values()))


def _value(objective: Objective, theta: Theta) -> float:
    with np.errstate(all="ignore"):
        try:
            value = float(objective.value(theta))
        except (ValueError, AssertionError, ArithmeticError):
            return -np.inf
    return value if np.isfinite(value) else -np.inf


def _label(name: str, at: tuple[int, ...], values: NDArray) -> str:
    where = f"[{', '.join(map(str, at))}]" if at else ""
    return f"{name}{where} = {float(np.asarray(values)[at]):.3g}"


def _listed(labels: list[str]) -> str:
    more = f" and {len(labels) - NAMED} more" if len(labels) > NAMED else ""
    return ", ".join(labels[:NAMED]) + more
