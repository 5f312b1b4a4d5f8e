"""Exact Gibbs: every conditional by Geweke's joint-distribution test, and the chains around them.

Draws of (θ, data, z) alternate between the model (z and data given θ) and the conditional under
test (θ given z and data). If the conditional is right θ keeps its prior, whose moments are known
from independent draws (Geweke 2004, J. American Statistical Association 99:799). A hundred chains
begin in the prior; means of θ's coordinates and of their squares along each are compared with it.
The largest |t| must stay below the two-sided Bonferroni bound at 1e-4 a test, so that the dozen of
them raise a false alarm in about one choice of seeds in eight hundred. Each conditional has
mutants, and they must pass that bound.
"""

import importlib
import warnings
from dataclasses import replace

import numpy as np
import pymc as pm
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
    families = recognised.families
    update, sums = compiled.update(families), given_rows(families)
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


def centred(covariance, n):
    """(n, d) numbers whose mean is zero and whose covariance is just this."""
    free = np.random.default_rng(8).normal(size=(n, len(covariance)))
    orthogonal = np.linalg.qr(np.column_stack([np.ones(n), free]))[0][:, 1:]
    return np.sqrt(n) * orthogonal @ np.linalg.cholesky(covariance).T


def test_covariances_keep_their_conditional_whatever_is_proposed():
    """Given one scatter: sweeps with Wishart proposals against importance sampling.

    Slices after refusals only, which was once the rule here, are off by .085 in E log det R.
    """
    n, d, a, b, eta = 10, 3, 2.0, 2.0, 2.0
    root = np.array([[1.0, 0, 0], [0.9, 0.5, 0], [0.8, 0.3, 0.5]])
    x = centred(root @ root.T, n)
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1.0, 1.0])
        z = pm.Categorical("z", w, shape=n)
        mu = pm.Normal("mu", 0.0, 1e-4, shape=(K, d))  # known, all but: it moves S by 1e-7
        sigma = pm.Gamma("sigma", a, b, shape=(K, d))
        corr = pm.LKJCorr("corr", n=d, eta=eta, shape=(K, d, d))
        pm.MvNormal("x", mu[z], chol=(sigma[..., None] * corr)[z], observed=x)
    derivation = unmix.derive(model)
    blocks, recognised = find_blocks(derivation), derivation.recognised
    point = derivation.space.constrain(derivation.space.initial)
    theta, (log_w, packed) = blocks.flatten(point), recognised.pack(point)
    all_first, rng = np.eye(K)[np.zeros(n, int)], np.random.default_rng(5)
    kept = np.empty((40_000, blocks.size))
    for t in range(len(kept)):
        count, s = np.zeros(K), np.zeros((K, recognised.n_statistics))
        given_rows(recognised.families)(
            recognised.table, x.T.copy(), np.zeros(d), all_first, np.arange(n), packed, count, s
        )
        compiled.update(recognised.families)(
            rng, recognised.table, blocks.table, blocks.hyper, count, s, packed.copy(), theta,
            log_w, packed,
        )  # fmt: skip
        kept[t] = theta
    held = blocks.unflatten(kept)
    factor, scale = held["corr"][:, 0], held["sigma"][:, 0]
    log_det = 2 * np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    batches = np.stack([log_det, np.log(scale[:, 0]), factor[:, 1, 0]], axis=1)
    batches = batches.reshape(BATCHES, -1, 3).mean(axis=1)
    expected, error = conditional_means(n * root @ root.T, n, a, b, eta)
    error = np.sqrt(batches.var(axis=0, ddof=1) / BATCHES + error**2)
    score = np.abs(batches.mean(axis=0) - expected) / error
    assert error[0] < 0.085 / 5  # so that being off by that much passes the bound of 4.5 or so
    assert score.max() < stats.t.isf(FALSE_ALARM / 2 / 3, BATCHES - 1)


def conditional_means(scatter, n, a, b, eta, size=200_000):
    """E of log det R, log sigma_0 and R_10 given n rows' scatter about their known mean.

    Drawn from the inverse Wishart with n - a degrees of freedom. Its density is the target's but
    for exp(-b sum sigma) |R|^(eta - 1 + (d + 1 - a) / 2), where d sigma dR = d Sigma / (2^d
    prod sigma^d): bounded, so the weights' variance is finite.
    """
    d = len(scatter)
    cov = stats.invwishart(n - a, scatter).rvs(size, random_state=9)
    sigma = np.sqrt(np.diagonal(cov, axis1=1, axis2=2))
    r = cov / sigma[:, :, None] / sigma[:, None, :]
    log_det = np.linalg.slogdet(r)[1]
    weight = np.exp(-b * sigma.sum(axis=1) + (eta - 1 + (d + 1 - a) / 2) * log_det)
    weight /= weight.sum()
    values = np.stack([log_det, np.log(sigma[:, 0]), r[:, 1, 0]], axis=1)
    mean = weight @ values
    return mean, np.sqrt(weight**2 @ np.square(values - mean))


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
    kernel = module.compiled.sweeps(derivation.recognised.families)

    def stopped(*args):
        calls.append(1)
        if len(calls) == 4:
            raise RuntimeError("power cut")
        kernel(*args)

    monkeypatch.setattr(module.compiled, "sweeps", lambda families: stopped)
    with pytest.raises(RuntimeError, match="power cut"):
        run_gibbs(derivation, start(derivation), **SETTINGS, checkpoint=tmp_path)
    monkeypatch.setattr(module.compiled, "sweeps", lambda families: kernel)
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


def test_a_run_that_was_set_aside_is_among_the_times(monkeypatch):
    module = importlib.import_module("unmix.infer.sample")
    drawn = module._draw
    monkeypatch.setattr(module, "disagree", lambda *_: True)
    # In place of NUTS another run of Gibbs, which compiles nothing.
    monkeypatch.setattr(module, "_draw", lambda _, *given: drawn("gibbs", *given[:-1], {}))
    x = np.random.default_rng(0).normal(size=60) + 6.0 * (np.arange(60) % 2)
    post = unmix.sample(
        unmix.models.gaussian(x, 2), draws=200, tune=100, chains=2, rng=1, progress=False
    )
    assert post.attrs["method"] == "nuts"
    parts = ("starting_points_and_choice", "gibbs_set_aside", "compiling", "sampling")
    took = [post.attrs[f"seconds_{part}"] for part in parts]
    assert min(took) > 0
    assert sum(took) <= post.attrs["seconds"]


def test_auto_says_what_it_chose_and_why():
    x = np.random.default_rng(0).normal(size=60) + 6.0 * (np.arange(60) % 2)
    post = unmix.sample(
        unmix.models.gaussian(x, 2), draws=200, tune=100, chains=2, rng=1, progress=False
    )
    assert post.attrs["method"] == "gibbs"
    assert "hardly overlap" in post.attrs["reason"]
    repeated = post["sample_stats"]["repeated"].values
    assert post.attrs["z_kind"] == ("dependent" if repeated.any() else "fresh")
