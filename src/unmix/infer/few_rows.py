r"""Components that hold a handful of rows: outliers that took one, and spikes of the likelihood.

Two things leave a component few rows, and neither shows in how EM ended.

- *Outliers*: the rows lie where no other component reaches. Component k's rows are far when all of
  them are less probable under the rest of the mixture, :math:`p(x_i) (1 - r_{ik})`, than any row
  of the others is under all of it.
- *A spike*: the rows are nearly alike, and their component's own density there is high above what
  rows have under theirs elsewhere. Among many components some such maximum is nearly always found
  (Day 1969, Biometrika 56:463; McLachlan and Peel 2000, *Finite Mixture Models*, section 3.10, call
  it spurious).

Both are read off p(x_i) and r_ik: :math:`\log p(x_i \mid k) = \log p(x_i) r_{ik} / w_k`, with
:math:`w_k` the share of the rows.
"""

from collections.abc import Iterable
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

from unmix.derive import Derivation, bayes
from unmix.infer.objective import Objective, Theta
from unmix.infer.pass_objective import PassObjective
from unmix.printable import printable

# A handful: a share of the rows, up to a number; of few rows 3, or a tenth of them.
OUTLYING, MOST_OUTLYING, SPIKED, MOST_SPIKED = 0.01, 10, 0.05, 20
FEW, FEW_OF_FEW = 3, 0.1
# How high a spike stands above the median of all rows: a tenth of their spread along one feature.
# Components of like shape differ in log-density by about the root of the number of features.
SPIKE = log(10)
NAMED = 5


def most_rows(n_obs: int) -> int:
    """A component with more rows than this is not looked at."""
    return _handful(n_obs, SPIKED, MOST_SPIKED)


def _handful(n_obs: int, share: float, most: int) -> int:
    return int(max(min(most, share * n_obs), min(FEW, FEW_OF_FEW * n_obs)))


def of_point(objective: Objective, theta: Theta) -> tuple[str, ...]:
    """What is to be said of components with few rows at one θ."""
    derivation = objective.derivation
    if derivation.n_components < 2:
        return ()
    if isinstance(objective, PassObjective):
        onepass = objective.onepass
        packed = onepass.recognised.pack(theta)
        n = onepass.run(*packed).n
    else:
        packed = None
        n = np.zeros(derivation.n_components)
        for _, joint in derivation.joint_windows(theta):
            n += bayes.normalise(joint)[1].sum(axis=0)
    if not n.min() <= most_rows(derivation.n_obs) + 1:
        return ()
    joints = (
        (joint for _, joint in derivation.joint_windows(theta))
        if packed is None
        else onepass.joint(*packed)
    )
    blocks = (bayes.normalise(joint) for joint in joints)
    return said_of(derivation, n, blocks)


def said_of(
    derivation: Derivation, n: NDArray, blocks: Iterable[tuple[NDArray, NDArray]]
) -> tuple[str, ...]:
    """Sentences on the components that hold few rows.

    Parameters
    ----------
    n
        Rows that each component holds, Σ_i r_ik, shape (component,).
    blocks
        ``log p(x_i)``, (row,), and responsibilities, (row, component), of consecutive rows; means
        over draws where there are draws.
    """
    n_obs = derivation.n_obs
    # A component that the declaration tells apart, noise above all, may be meant for few rows.
    alike = [k for block in derivation.components.symmetry if len(block) > 1 for k in block]
    few = np.flatnonzero((n > 0) & (n <= most_rows(n_obs) + 1))
    few = few[np.isin(few, alike)]
    if not len(few):
        return ()
    parts = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for log_marginal, r in blocks:
            owner = r.argmax(axis=1)
            own = log_marginal + np.log(np.take_along_axis(r, owner[:, None], 1)[:, 0] / n[owner])
            rest = log_marginal[:, None] + np.log(np.maximum(1.0 - r[:, few], 1e-16))
            parts.append((owner, own, log_marginal, rest))
    owner, own, log_marginal, rest = (np.concatenate(p) for p in zip(*parts, strict=True))
    typical, continuous = np.median(own), _continuous_features(derivation)
    spikes, outlying = {}, {}
    for at, k in enumerate(few):
        held = np.flatnonzero(owner == k)
        others = log_marginal[owner != k]
        if not len(held) or not len(others) or len(held) > most_rows(n_obs):
            continue
        if continuous and np.median(own[held]) - typical > SPIKE * sqrt(continuous):
            spikes[int(k)] = held
        elif (
            len(held) <= _handful(n_obs, OUTLYING, MOST_OUTLYING)
            and rest[held, at].max() < others.min()
        ):
            outlying[int(k)] = held
    sentences = []
    if spikes:
        such = "such a spike is" if len(spikes) == 1 else "such spikes are"
        sentences.append(
            f"{_holding(derivation, spikes)} that lie far closer together than others do: {such} "
            "often spurious, so try fewer components"
        )
    if outlying:
        them = "it" if len(outlying) == 1 else "them"
        sentences.append(
            f"{_holding(derivation, outlying)}, far from all others: outliers may have taken {them}"
        )
    return tuple(sentences)


def _holding(derivation: Derivation, held: dict[int, NDArray]) -> str:
    """Components and their rows: by name where it is one component."""
    labels = [_name(derivation.component_labels[k]) for k in held]
    of = f"of {derivation.n_obs:,} rows"
    if len(held) == 1:
        (rows,) = held.values()
        names = ", ".join(_name(label) for label in derivation.obs_labels[rows[:NAMED]])
        more = f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
        return f"component {labels[0]} holds {len(rows)} {of} ({names}{more})"
    return f"components {_and(labels)} hold {_and([str(len(r)) for r in held.values()])} {of}"


def _and(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _continuous_features(derivation: Derivation) -> int:
    """How many numbers with a density each row has."""
    values = [derivation.data[v] for v in derivation.opened.observed.values()]
    size = sum(v.data.size for v in values if np.dtype(v.type.dtype).kind == "f")
    return int(size // derivation.n_obs)


def _name(label: object) -> str:
    return printable(label)[1:-1]
