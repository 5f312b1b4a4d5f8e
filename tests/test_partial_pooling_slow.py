"""Rows never seen: weights of groups held together beat one for all, and each for itself."""

import numpy as np
import pytest
from test_truth_posteriors import sample

import unmix
from unmix import models

# 150 groups of 1 to 12 rows, and 20 rows each that no fit sees. With so many the differences are
# some four standard errors; with 30 larger groups they would hang on the seed.
SIZES = np.repeat([1, 2, 3, 6, 12], 30)
HELD_OUT = 20


def simulated(sizes, w, rng):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    high = rng.random(len(groups)) < w[groups]
    return np.where(high, rng.normal(3.0, 1.0, len(groups)), rng.normal(0.0, 1.0, len(groups))), (
        groups
    )


def log_predictive(model, new):
    """log p(x_new | x) of each new row: the mean over draws of its marginal density."""
    post, _ = sample(model, draws=500, tune=500, chains=2, cores=1, rng=20265)
    log_marginal = unmix.bayes_rule(model, post, new=new)["log_marginal"]
    log_marginal = log_marginal.transpose("chain", "draw", "obs").to_numpy().reshape(1000, -1)
    return np.logaddexp.reduce(log_marginal, axis=0) - np.log(1000)


@pytest.mark.slow
def test_partial_pooling_predicts_best():
    """Twice the standard error of the summed difference, over groups, whose rows share a weight."""
    rng = np.random.default_rng(20261)
    w = rng.beta(3 * 0.2, 3 * 0.8, size=len(SIZES))
    x, groups = simulated(SIZES, w, rng)
    new_x, new_groups = simulated(np.full(len(SIZES), HELD_OUT), w, rng)
    fits = {
        "partial": models.grouped_weights(x, groups),
        "none": models.grouped_weights(x, groups, pooling="none"),
        "complete": models.gaussian(x),
    }
    score = {}
    for name, model in fits.items():
        by_row = {} if name == "complete" else {"groups": new_groups}
        score[name] = log_predictive(model, models.on_rows(model, new_x, **by_row))
    for other in ("none", "complete"):
        by_group = (score["partial"] - score[other]).reshape(len(SIZES), HELD_OUT).sum(axis=1)
        error = by_group.std(ddof=1) * np.sqrt(len(SIZES))
        print(f"partial − {other}: {by_group.sum():.1f} ± {error:.1f}")
        assert by_group.sum() > 2 * error
