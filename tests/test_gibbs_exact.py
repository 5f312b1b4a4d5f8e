"""Exact Gibbs: every conditional by Geweke's joint-distribution test, and the chains around them.

Draws of (θ, data, z) alternate between the model (z and data given θ) and the conditional under
test (θ given z and data). If the conditional is right θ keeps its prior, whose moments are known
from independent draws (Geweke 2004, J. American Statistical Association 99:799). A hundred chains
begin in the prior; means of θ's coordinates and of their squares along each are compared with it.
The largest |t| must stay below the two-sided Bonferroni bound at 1e-4 a test, so that the dozen of
them raise a false alarm in about one choice of seeds in eight hundred. Each conditional has
mutants, and they must pass that bound.
"""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from gibbs_problems import (
    CHAINS,
    DECLARED,
    FALSE_ALARM,
    KINDS,
    ROWS,
    K,
    coordinates,
    independent,
    largest_score,
    simulate,
)
from registry import derived
from scipy import stats

import unmix
from unmix.infer.exact import compiled
from unmix.infer.exact.blocks import NotExact, find_blocks
from unmix.infer.gibbs import run_gibbs, why_not_exact
from unmix.onepass.compiled import given_rows

BATCHES = 50


def joint_distribution_scores(kind, blocks, sweeps, seed=1):
    """|t| of every coordinate's mean and mean square, and their bound."""
    recognised, rng = unmix.derive(DECLARED[kind]).recognised, np.random.default_rng(seed)
    theta, free = np.split(independent(kind, blocks.names), [CHAINS])
    theta = theta.copy()
    log_w, packed = map(np.array, recognised.pack_stack(blocks.unflatten(theta)))
    kept = np.empty((sweeps, *theta.shape))
    update, sums = compiled.update(), given_rows()
    rows, centre = np.arange(ROWS), np.zeros(recognised.table[:, 2].sum())
    for t in range(sweeps):
        z, x = simulate(kind, blocks.unflatten(theta), rng)
        a = np.eye(K)[z]
        n, s = np.zeros((CHAINS, K)), np.zeros((CHAINS, K, recognised.n_statistics))
        before = packed.copy()
        for c in range(CHAINS):
            sums(recognised.table, x[c], centre, a[c], rows, packed[c], n[c], s[c])
            update(
                rng, recognised.table, blocks.table, blocks.hyper, n[c], s[c], before[c], theta[c],
                log_w[c], packed[c],
            )  # fmt: skip
        kept[t] = theta
    kept = kept.reshape(-1, theta.shape[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        chain, free = coordinates(blocks, kept), coordinates(blocks, free)
    return largest_score(chain, free, sweeps)


# Of each chain. The mutants below reach more than twice the bound in half as many.
SWEEPS = 200


@pytest.mark.parametrize("kind", KINDS)
def test_joint_distribution(kind):
    blocks = find_blocks(unmix.derive(DECLARED[kind]))
    worst, bound = joint_distribution_scores(kind, blocks, SWEEPS)
    assert worst < bound


def with_hyper(blocks, block, change):
    hyper = blocks.hyper.copy()
    begin = blocks.table[block, 3]
    end = blocks.table[block + 1, 3] if block + 1 < len(blocks.table) else len(hyper)
    hyper[begin:end] = change(hyper[begin:end])
    return replace(blocks, hyper=hyper)


def with_family(blocks, block, family):
    table = blocks.table.copy()
    table[block, 4] = family
    return replace(blocks, table=table)


# Named wrong conditionals: (model, which block is spoilt, how).
WRONG = {
    "weights with alpha off by one": ("gamma", lambda b: with_hyper(b, 0, lambda h: h + 1)),
    "means with half the prior sd": (
        "gamma", lambda b: with_hyper(b, 1, lambda h: np.append(h[:2], h[2:] / 2))
    ),
    "scales with the prior forgotten": ("gamma", lambda b: with_family(b, 2, 6)),
    "scales with Gamma for inverse Gamma": ("inverse gamma", lambda b: with_family(b, 2, 0)),
    "shared scale with another shape": (
        "shared", lambda b: with_hyper(b, 2, lambda h: h + np.array([1.0, 0.0]))
    ),
    "correlations with eta off by one": (
        "plane", lambda b: with_hyper(b, 2, lambda h: np.append(h[:-1], h[-1] + 1))
    ),
    "rates with a off by one": (
        "poisson", lambda b: with_hyper(b, 1, lambda h: np.append(h[:2] + 1, h[2:]))
    ),
    "hazards with b off by one": (
        "exponential", lambda b: with_hyper(b, 1, lambda h: np.append(h[:2], h[2:] + 1))
    ),
    "chances with a and b exchanged": (
        "bernoulli", lambda b: with_hyper(b, 1, lambda h: np.append(h[4:], h[:4]))
    ),
    "levels in another order": (
        "categorical", lambda b: with_hyper(b, 1, lambda h: h.reshape(2, 3)[:, ::-1].ravel())
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_conditionals_are_rejected(name):
    kind, spoil = WRONG[name]
    blocks = spoil(find_blocks(unmix.derive(DECLARED[kind])))
    if name == "scales with the prior forgotten":  # uniform on (0, 10)
        blocks = with_hyper(blocks, 2, lambda h: np.array([0.0, 0.0, 10.0, 10.0]))
    worst, bound = joint_distribution_scores(kind, blocks, SWEEPS // 2)
    assert worst > bound


def test_covariances_keep_their_conditional_whatever_is_proposed():
    """Given one scatter: sweeps with Wishart proposals against slices alone.

    Slices after refusals only, which was once the rule here, are off by .085 in E log det R; forty
    thousand steps tell that from .006 or so of Monte Carlo error.
    """
    import numba as nb

    from unmix.infer.exact import covariances, sweep

    d, n, eta, family = 3, 10.0, 2.0, 0
    root = np.array([[1.0, 0, 0], [0.9, 0.5, 0], [0.8, 0.3, 0.5]])
    scatter = n * root @ root.T
    lower = np.concatenate([np.zeros(d), scatter[np.tril_indices(d)]])
    a, b = np.full(d, 2.0), np.full(d, 2.0)

    @nb.njit
    def run(rng, steps, both):
        sigma, corr, p, mu = np.ones(d), np.eye(d).ravel(), np.zeros(10), np.zeros(10)
        y, kept = np.zeros(d * d), np.empty((steps, 3))
        for t in range(steps):
            if both:
                sweep.covariance(rng, d, n, lower, mu, p, family, a, b, eta, sigma, corr)
            else:
                covariances.slice_scales(rng, d, n, scatter, family, a, b, sigma, corr)
                covariances.partials_of(d, corr, y)
                for i in range(1, d):
                    for j in range(i):
                        covariances.slice_partial(rng, d, i, j, y, n, scatter, eta, sigma, corr)
            kept[t, 0] = 2 * np.log(corr[4] * corr[8])
            kept[t, 1] = np.log(sigma[0])
            kept[t, 2] = corr[3]
        return kept

    means, errors = [], []
    for both in (True, False):
        kept = run(np.random.default_rng(5 + both), 40_000, both)
        batches = kept.reshape(BATCHES, -1, 3).mean(axis=1)
        means.append(batches.mean(axis=0))
        errors.append(batches.std(axis=0, ddof=1) / np.sqrt(BATCHES))
    score = np.abs(means[0] - means[1]) / np.hypot(*errors)
    # Three comparisons of means over fifty batches each: about two degrees of freedom fewer than
    # ninety-eight.
    assert score.max() < stats.t.isf(FALSE_ALARM / 2 / 3, 90)


# -- chains ----------------------------------------------------------------------------------------

SETTINGS = {"draws": 200, "tune": 50, "chains": 2, "cores": 1, "seed": 7, "progress": False}


def start(derivation):
    return [derivation.space.unconstrain(derivation.space.jittered(np.random.default_rng(0)))]


def test_draws_do_not_depend_on_the_number_of_cores():
    derivation = derived("normal")
    one = run_gibbs(derivation, start(derivation), **SETTINGS)
    two = run_gibbs(derivation, start(derivation), **{**SETTINGS, "cores": 2})
    assert one[0].equals(two[0])
    assert np.array_equal(one[2], two[2])


def test_a_checkpoint_goes_on_to_the_same_draws(tmp_path, monkeypatch):
    from unmix.infer.exact import run as module

    derivation = derived("multivariate_normal_by_cholesky")
    whole = run_gibbs(derivation, start(derivation), **SETTINGS)
    monkeypatch.setattr(module, "WORK", 40 * derivation.n_obs * 2)
    calls = []
    kernel = module.compiled.sweeps()

    def stopped(*args):
        calls.append(1)
        if len(calls) == 4:
            raise RuntimeError("power cut")
        kernel(*args)

    monkeypatch.setattr(module.compiled, "sweeps", lambda: stopped)
    with pytest.raises(RuntimeError, match="power cut"):
        run_gibbs(derivation, start(derivation), **SETTINGS, checkpoint=tmp_path)
    monkeypatch.setattr(module.compiled, "sweeps", lambda: kernel)
    again = run_gibbs(derivation, start(derivation), **SETTINGS, checkpoint=tmp_path)
    assert again[0].equals(whole[0])
    assert np.array_equal(again[2], whole[2])
    with pytest.raises(unmix.UnmixError, match="seed"):
        run_gibbs(derivation, start(derivation), **{**SETTINGS, "seed": 8}, checkpoint=tmp_path)


def test_z_on_disk(tmp_path):
    model = DECLARED["gamma"]
    settings = {"method": "gibbs", "draws": 60, "tune": 20, "chains": 2, "rng": 3}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", unmix.UnmixWarning)  # eight rows identify nothing
        here = unmix.sample(model, progress=False, **settings)
        there = unmix.sample(model, progress=False, store=tmp_path, **settings)
    on_disk = np.load(tmp_path / "z.npy", mmap_mode="r")
    assert on_disk.dtype == np.uint8
    assert np.array_equal(on_disk.reshape(2, 60, ROWS), here["assignments"]["z"].values)
    assert np.array_equal(there["assignments"]["z"].values, here["assignments"]["z"].values)


def test_why_a_model_is_not_exact():
    assert why_not_exact(derived("normal")) is None
    assert "parameters of its own" in why_not_exact(derived("hierarchical_hyperpriors"))
    assert "Ordered" in why_not_exact(derived("ordered_means"))
    with pytest.raises(NotExact, match="depend on the row"):
        find_blocks(derived("weights_per_row"))


def test_the_general_road_is_refused_with_its_reason():
    derivation = derived("student_t_with_free_degrees_of_freedom")
    with pytest.raises(unmix.UnmixError, match="StudentT"):
        run_gibbs(derivation, start(derivation), **SETTINGS)


def test_auto_says_what_it_chose_and_why():
    x = np.random.default_rng(0).normal(size=60) + 6.0 * (np.arange(60) % 2)
    post = unmix.sample(
        unmix.models.gaussian(x, 2), draws=200, tune=100, chains=2, rng=1, progress=False
    )
    assert post.attrs["method"] == "gibbs"
    assert "hardly overlap" in post.attrs["reason"]
    repeated = post["sample_stats"]["repeated"].values
    assert post.attrs["z_kind"] == ("dependent" if repeated.any() else "fresh")
