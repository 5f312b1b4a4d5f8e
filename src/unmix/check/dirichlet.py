"""What the weights alone must satisfy.

With a fixed Dirichlet(α) prior on w, and w used for nothing but the N assignments,
w | z, x ~ Dirichlet(α + counts), so that by the law of total expectation

    E[w_k | x] = (α_k + Σ_i E[r_ik | x]) / (Σ_j α_j + N).

Both sides are posterior means of the same draws, one of the sampled weights, one of Bayes' rule; a
wrong prior on w, a wrong update of w, or weights forgotten on both roads move them apart. It holds
draw for draw in no sense, only in expectation, and so its error is one of batch means (`batches`):
chains must have settled and must mix, or its null distribution is not the one used.

Labels are raw. The identity holds given the component parameters too, so that it survives an
ordering constraint on those and chains that sit in one labelling each; not an ordering of w.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmix.check.batches import batch_means
from unmix.check.verdict import TestOutcome
from unmix.errors import UnmixError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class DirichletIdentity:
    """Both sides of the identity, arrays (component,).

    Attributes
    ----------
    sampled, expected
        E[w_k | x] and (α_k + Σ_i E[r_ik | x]) / (Σα + N).
    error
        Standard error of sampled − expected; NaN where the chains are too short for one.
    outcome
        The test that all differences are 0.
    """

    sampled: Array
    expected: Array
    error: Array
    outcome: TestOutcome


def dirichlet_identity(
    w: ArrayLike, responsibility_total: ArrayLike, alpha: ArrayLike
) -> DirichletIdentity:
    """Compare the posterior mean of the weights with what the responsibilities say it is.

    Parameters
    ----------
    w
        (chain, draw, component), raw labels.
    responsibility_total
        (chain, draw, component): Σ_i r_tik; sums to N over components.
    alpha
        (component,), the prior's concentrations.

    Raises
    ------
    UnmixError
        If shapes differ or a concentration is not positive.
    """
    w, total = np.asarray(w, dtype=float), np.asarray(responsibility_total, dtype=float)
    alpha = np.asarray(alpha, dtype=float)
    if w.ndim != 3 or total.shape != w.shape or alpha.shape != w.shape[2:]:
        raise UnmixError(
            f"w has shape {w.shape}, the summed responsibilities {total.shape} and alpha "
            f"{alpha.shape}; give (chain, draw, component) twice and (component,)."
        )
    if not (alpha > 0).all():
        raise UnmixError(f"alpha is {alpha}; a Dirichlet's concentrations are positive.")
    bayes = (alpha + total) / (alpha.sum() + total.sum(axis=2, keepdims=True))
    means = batch_means(w - bayes)
    k = len(alpha)
    n_tests = 1 if k == 2 else k  # the two differences of two components are one
    made = means.batches > 0 and k > 1
    worst = int(np.abs(means.t).argmax()) if made else 0
    if made:
        reference = f"Student's t over {means.batches} batches, Bonferroni over {n_tests}"
    elif k == 1:
        reference = "one component has nothing to compare"
    else:
        reference = f"chains too short: autocorrelation over {means.time:.0f} draws"
    outcome = TestOutcome(
        "weights' mean",
        float(means.t[worst]) if made else np.nan,
        float(min(1.0, n_tests * means.p_value[worst])) if made else np.nan,
        reference,
        means.batches,
        "a wrong prior or update of w, or weights forgotten on both roads; chains that do not mix",
    )
    return DirichletIdentity(w.mean(axis=(0, 1)), bayes.mean(axis=(0, 1)), means.error, outcome)
