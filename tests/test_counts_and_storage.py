"""Large counts, small rates beside large ones, and rows in single precision."""

import numpy as np
import pytest
from scipy import stats

import unmix


def em(x, model=unmix.models.poisson, **options):
    return unmix.em(model(x, 2), starts=3, rng=0, progress=False, **options)


@pytest.mark.parametrize("kind", [np.int64, np.float64])
def test_counts_that_pymc_would_wrap_are_refused(kind):
    x = np.arange(5_000_000_000, 5_000_000_040, dtype=kind)
    for model in (unmix.models.poisson, unmix.models.negative_binomial):
        with pytest.raises(unmix.UnmixError, match=r"kept up to 2,147,483,647: count in larger"):
            model(x, 2)


def test_counts_that_single_precision_rounds_are_refused():
    x = np.concatenate([np.tile([0, 0, 0, 1], 10), np.tile([20_000_001, 20_000_003], 20)])
    with pytest.raises(unmix.UnmixError, match="holds 20000001, which single precision rounds"):
        em(x, storage="float32")


def test_waiting_times_of_two_scales_keep_their_digits_in_single_precision():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.exponential(1e-4, 500), rng.exponential(1e3, 500)])
    single, double = (em(x, unmix.models.exponential, storage=s) for s in ("float32", "float64"))
    # Each number is rounded by at most 2⁻²⁴ of itself, and so is a mean of them.
    np.testing.assert_allclose(single.theta["rate"], double.theta["rate"], rtol=2**-23)


def test_rounding_is_said_where_the_mean_of_a_column_is_zero():
    u = 1e-7 * np.random.default_rng(0).normal(size=300)
    u = np.round(u * 2**40) / 2**40  # so that sums are exact
    x = np.concatenate([1 + u, -(1 + u)])
    assert x.mean() == 0
    with pytest.warns(unmix.UnmixWarning, match="storage='float32' rounds column 0"):
        em(x, unmix.models.gaussian, storage="float32")


def test_a_small_rate_beside_a_large_one_is_iterated_to_its_end():
    """With the weights held nothing else that moves says that EM is not done yet."""
    rng = np.random.default_rng(1)
    n, big = 1500, 100_000
    small = np.where(rng.random(n) < 0.5, rng.poisson(1.0, n), rng.poisson(1.6, n))
    x = np.column_stack([np.full(n, big) + rng.integers(2, size=n), small])
    model = unmix.models.poisson(x, 2, fixed={"w": [0.5, 0.5]})
    start = {"rate": np.array([[big + 0.5, 0.9], [big + 0.5, 1.7]])}
    options = {
        "start": start,
        "starts": 1,
        "accelerate": False,
        "progress": False,
        "max_iterations": 100_000,
    }
    found = np.sort(unmix.em(model, **options).theta["rate"].values[:, 1])
    rate = np.array([[big + 0.5, 0.9], [big + 0.5, 1.7]])
    for _ in range(20_000):
        log_p = stats.poisson.logpmf(x[:, 1, None], rate[:, 1])
        # Of the first column, without what both components share.
        log_p += x[:, :1] * np.log(rate[:, 0] / rate[0, 0]) - (rate[:, 0] - rate[0, 0])
        r = np.exp(log_p - np.logaddexp.reduce(log_p, axis=1, keepdims=True))
        before, rate = rate, (r.T @ x) / r.sum(axis=0)[:, None]
        if np.abs(rate / before - 1).max() < 1e-14:
            break
    # EM stops with its tolerance of 1e-9 left to go; 10^5 log 10^5 rounds the log-odds of a row,
    # and with them a rate, by some 1e-10 on either side.
    np.testing.assert_allclose(found, np.sort(rate[:, 1]), rtol=2e-9)


def test_em_of_large_counts_does_not_take_rounding_for_a_step_down():
    rng = np.random.default_rng(2)
    n = 1500
    small = np.where(rng.random(n) < 0.5, rng.poisson(1.0, n), rng.poisson(3.0, n))
    found = em(np.column_stack([rng.poisson(1e6, n), small]))
    assert str(found.status).startswith("converged")
