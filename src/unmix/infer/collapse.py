"""What a run on the fast road is measured against, and how a collapsed component is told."""

import numpy as np
from numpy.typing import NDArray

from unmix.derive import bayes
from unmix.infer.expected import PEAK
from unmix.infer.starts import Start
from unmix.onepass import compiled
from unmix.onepass.onepass import OnePass


def pooled_fit(onepass: OnePass, start: Start) -> NDArray:
    """Parameters of one component fitted to all rows, (parameter,)."""
    rows = np.arange(onepass.n_obs) if start.rows is None else start.rows
    params = onepass.neutral()[None]
    ones = np.ones((len(rows), 1))
    for _ in range(2):
        sums = onepass.given(ones, rows, params)
        with np.errstate(divide="ignore", invalid="ignore"):
            compiled.maximise_all(onepass.families)(
                onepass.terms, np.zeros(1), params, sums.n, sums.statistics,
                np.zeros(onepass.terms[-1, 1] + onepass.terms[-1, 2]), False, float(sums.n.sum()),
            )  # fmt: skip
    # Where a discrete family has a log-probability of −inf, its component is a proper one.
    return np.where(np.isneginf(params[0]), -1e300, params[0])


def component_means(onepass: OnePass, log_w: NDArray, params: NDArray) -> NDArray[np.float64]:
    """Mean of the first column over each component's rows, to put components in order by."""
    total, mass = np.zeros(len(log_w)), np.zeros(len(log_w))
    size = 65536
    pieces = (
        (c.x[0, begin : begin + size].astype(float) + c.centre[0], c.weight[begin : begin + size])
        for c in onepass.chunks
        for begin in range(0, len(c), size)
    )
    for (column, weight), joint in zip(pieces, onepass.joint(log_w, params, size), strict=True):
        _, r = bayes.normalise(joint)
        r = np.nan_to_num(r) * (weight[:, None] if len(weight) else 1.0)
        total += column @ r
        mass += r.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return total / mass


def has_collapsed(onepass: OnePass, log_w: NDArray, params: NDArray, peak: float) -> bool:
    """Whether a component sits on a few distinct rows with a density beyond all proportion."""
    suspects = np.flatnonzero(onepass.peaks(params) - peak >= PEAK)
    if not len(suspects):
        return False
    columns = np.concatenate([c.x for c in onepass.chunks], axis=1)
    _, group = np.unique(columns, axis=1, return_inverse=True)
    groups = int(group.max()) + 1
    share, highest = np.zeros((groups, len(log_w))), np.full(len(log_w), -np.inf)
    at = 0
    with np.errstate(invalid="ignore"):
        for joint in onepass.joint(log_w, params):
            _, r = bayes.normalise(joint)
            np.maximum.at(share, group.ravel()[at : at + len(r)], np.nan_to_num(r))
            highest = np.maximum(highest, (joint - log_w).max(axis=0))
            at += len(r)
    few = share.sum(axis=0) < max(3.0, 0.02 * groups)
    return bool(np.any(few[suspects] & (highest[suspects] - peak >= PEAK)))
