"""Gibbs under any prior: θ given the pass's sums by Hamiltonian steps.

Held to the model's own log-density, to a posterior that is enumerated, to NUTS, and to Geweke's
joint-distribution test with mutants.
"""

import json

import arviz as az
import mutants
import numpy as np
import pymc as pm
import pytest
import registry
import truth
from interrupting import interrupt
from scipy import stats
from scipy.special import gammaln, logsumexp

from unmix import UnmixError, derive
from unmix.infer import gibbs_general
from unmix.infer.conditional import Conditional
from unmix.infer.gibbs_general import run_general, serial_pass
from unmix.infer.gibbs_sweep import Chain, sweep
from unmix.infer.nuts import run_nuts
from unmix.onepass.onepass import OnePass

# Of a whole test with all its quantities, by Bonferroni.
FALSE_ALARM = 1e-4


def bound(count):
    return float(stats.norm.isf(FALSE_ALARM / (2 * count)))


def run(derivation, **options):
    options = {
        "draws": 12, "tune": 20, "chains": 2, "cores": 1, "seed": 3, "progress": False,
        "linker": "python", **options,
    }  # fmt: skip
    return run_general(derivation, [derivation.space.initial], **options)


# --- The density given z --------------------------------------------------------------------------

HIERARCHIES = (
    "hierarchical_hyperpriors", "ordered_means", "hyperparameter_with_its_own_component_axis",
    "two_observed_variables_share_z", "bernoulli_switch", "catalogue_grouped_weights",
    "catalogue_varying_means_within_regions",
)  # fmt: skip


@pytest.mark.parametrize("name", HIERARCHIES)
def test_density_given_z_is_the_models_own(name):
    """Differences between points, which no base measure enters; Jacobians by PyMC itself."""
    derivation = registry.derived(name)
    space, data = derivation.space, serial_pass(derivation)
    conditional = Conditional(derivation, "python")
    jacobian = derivation.model.compile_logp(jacobian=True, mode="FAST_COMPILE")
    bare = derivation.model.compile_logp(jacobian=False, mode="FAST_COMPILE")
    rng = np.random.default_rng(5)
    z = np.empty(derivation.n_obs, dtype=np.uint8)
    log_w, packed = data.recognised.pack(space.constrain(space.initial))
    sums = data.run(log_w, packed, "sampled", key=8, z=z)
    evaluate = conditional.given(sums)
    found, own = [], []
    for _ in range(3):
        values = {n: v + rng.uniform(-0.7, 0.7, np.shape(v)) for n, v in space.initial.items()}
        u = np.concatenate([np.ravel(values[n]) for n in space.opened.theta])
        value, gradient, *where = evaluate(u)
        theta = space.constrain(values)
        point = {space.unconstrained[n].name: v for n, v in values.items()}
        at_z = z.reshape(derivation.table.z_shape)
        point[derivation.model.rvs_to_values[derivation.latent.rv].name] = at_z
        found.append(value)
        own.append(derivation.log_density(theta, z) + jacobian(point) - bare(point))
        for given, expected in zip(where, data.recognised.pack(theta), strict=True):
            np.testing.assert_allclose(given, expected, rtol=1e-10, atol=1e-12)
        for j in range(len(u)):
            step = np.zeros(len(u))
            step[j] = 1e-5
            slope = (evaluate(u + step)[0] - evaluate(u - step)[0]) / 2e-5
            # Central differences: h² of the third derivative, and rounding over h.
            assert slope == pytest.approx(gradient[j], rel=1e-5, abs=1e-5)
    np.testing.assert_allclose(np.diff(found), np.diff(own), rtol=1e-9, atol=1e-9)


# --- A posterior that is enumerated ---------------------------------------------------------------


def hierarchy(rows=tuple(truth.NORMAL_ROWS)):
    """Ordered means with a hyperparameter: neither is recognised in closed form."""
    ordered = pm.distributions.transforms.ordered
    with pm.Model(coords={"component": range(2), "obs": range(len(rows))}) as model:
        w = pm.Dirichlet("w", [1, 1], dims="component")
        spread = pm.HalfNormal("spread", 3)
        mu = pm.Normal("mu", 0, spread, dims="component", transform=ordered, initval=[-1.0, 1.0])
        z = pm.Categorical("z", w, dims="obs")
        pm.Normal("x", mu[z], 1, observed=np.array(rows), dims="obs")
    return model


@pytest.fixture(scope="module")
def ordered():
    return derive(hierarchy())


def enumerated(x):
    """E of together (pairs), Σ w², log spread: 2^n assignments by a grid over log spread.

    Means are integrated out: the rows of a component are normal with covariance I + spread² 11ᵀ.
    Sorting two exchangeable means changes nothing that labels cannot change.
    """
    n = len(x)
    z = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    grid = np.linspace(-9, 4, 1301)  # of log spread; what lies outside has a mass below 1e-4
    variance = np.exp(2 * grid)
    log_p = stats.halfnorm.logpdf(np.exp(grid), scale=3) + grid
    log_p = np.broadcast_to(log_p, (len(z), len(grid))).copy()
    for k in range(2):
        mine = (z == k).astype(float)
        count, total, squares = mine.sum(1), mine @ x, mine @ np.square(x)
        shrunk = variance / (1 + count[:, None] * variance)
        log_p += -0.5 * np.log1p(count[:, None] * variance)
        log_p += -0.5 * (squares[:, None] - shrunk * np.square(total)[:, None])
    count = z.sum(1)
    log_p += (gammaln(1 + count) + gammaln(1 + n - count) - gammaln(2 + n))[:, None]
    p = np.exp(log_p - logsumexp(log_p))
    of_z = p.sum(1)
    pairs = np.triu_indices(n, 1)
    together = of_z @ (z[:, pairs[0]] == z[:, pairs[1]])
    ones = 1 + n - count, 1 + count
    squares = sum(a * (a + 1) for a in ones) / ((2 + n) * (3 + n))
    return np.array([*together, of_z @ squares, p.sum(0) @ grid])


def label_free(posterior, z):
    """The same of draws, (chain, draw, quantity)."""
    pairs = np.triu_indices(z.shape[-1], 1)
    together = (z[..., pairs[0]] == z[..., pairs[1]]).astype(float)
    squares = np.square(posterior["w"].transpose("chain", "draw", ...).values).sum(-1)
    log_spread = np.log(posterior["spread"].values)
    return np.concatenate([together, squares[..., None], log_spread[..., None]], axis=-1)


def scores(draws, expected):
    """Differences in standard errors, of what varies enough for an error to be known.

    A pair's share is left out where fewer than 400 draws are expected on the rarer side: the
    skewness of a count is then below 1/20.
    """
    shares = np.clip(expected, 0, 1)
    rare = draws.shape[0] * draws.shape[1] * np.minimum(shares, 1 - shares) < 400
    rare[-2:] = False
    kept = np.flatnonzero(~rare)
    error = az.mcse(draws[..., kept], method="mean")
    return (draws[..., kept].mean(axis=(0, 1)) - expected[kept]) / error


def test_every_assignment_of_ten_under_a_hierarchy(ordered):
    posterior, found, z, interrupted = run(
        ordered, draws=3000, tune=500, chains=2, linker="numba", seed=11
    )
    assert not interrupted
    assert (np.diff(posterior["mu"].values, axis=-1) > 0).all()
    assert np.ptp(found["step_size"].values, axis=1).max() == 0  # nothing adapts after tuning
    expected = enumerated(np.array(truth.NORMAL_ROWS))
    draws = label_free(posterior, z)
    z_scores = scores(draws, expected)
    assert len(z_scores) > 15
    assert np.abs(z_scores).max() < bound(len(z_scores))
    # Narrow enough to mean something: log spread has a posterior sd of 0.5.
    assert float(az.mcse(draws[..., -1], method="mean")) < 0.05


# --- Seeds, interrupts, disk ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def small():
    """Quick in the Python linker: two means, weights known."""
    return registry.derived("known_weights")


@pytest.fixture(scope="module")
def whole(small):
    return run(small)


def same(a, b):
    return all(np.array_equal(a[0][n], b[0][n]) for n in a[0]) and np.array_equal(a[2], b[2])


def test_a_seed_is_a_run_whatever_the_cores(small, whole):
    assert same(run(small, cores=2), whole)
    assert not same(run(small, seed=4), whole)
    mu, z = whole[0]["mu"].values, whole[2]
    assert not np.array_equal(mu[0], mu[1])
    assert mu.shape == (2, 12, 2)
    assert z.shape == (2, 12, 12)
    assert z.dtype == np.uint8
    assert set(whole[1]) == {"acceptance_rate", "n_steps", "diverging", "step_size", "n_empty"}
    assert (whole[1].attrs["seconds_compiling"], whole[1].attrs["seconds_sampling"]) > (0, 0)


def at_sweep(monkeypatch, number, do):
    """Before the run's sweep of that number, counted over chains in turn, do something."""
    counted = iter(range(10**6))
    stops = []
    side_by_side = gibbs_general.side_by_side

    def seen(go, standing, threads, stop):
        stops.append(stop)
        side_by_side(go, standing, threads, stop)

    def watched(*args, **options):
        if next(counted) == number:
            do(stops[-1])
        return sweep(*args, **options)

    monkeypatch.setattr(gibbs_general, "side_by_side", seen)
    monkeypatch.setattr(gibbs_general, "sweep", watched)


def control_c(stop):
    interrupt()
    assert stop.wait(30)


@pytest.mark.parametrize(("draws_of_the_second", "kept"), [(2, (1, 12)), (8, (2, 9))])
def test_an_interrupt_keeps_the_most_draws(small, whole, monkeypatch, draws_of_the_second, kept):
    at_sweep(monkeypatch, 32 + 20 + draws_of_the_second, control_c)
    posterior, found, z, interrupted = run(small)
    assert interrupted
    # The sweep that was under way is finished: 2 x 9 draws are more than 1 x 12, 2 x 3 are not.
    assert (posterior.sizes["chain"], posterior.sizes["draw"]) == kept == z.shape[:2]
    assert found["n_steps"].shape == kept
    chains, draws = kept
    np.testing.assert_array_equal(posterior["mu"], whole[0]["mu"][:chains, :draws])
    np.testing.assert_array_equal(z, whole[2][:chains, :draws])


def test_an_interrupt_before_the_first_draw_says_so(small, monkeypatch):
    at_sweep(monkeypatch, 3, control_c)
    with pytest.raises(UnmixError, match="before any chain had a draw"):
        run(small)


def test_assignments_on_disk(small, whole, tmp_path):
    posterior, _, z, _ = run(small, store=tmp_path / "there")
    assert isinstance(z, np.memmap)
    assert same((posterior, None, z), whole)
    on_disk = np.load(tmp_path / "there" / "z.npy", allow_pickle=False)
    np.testing.assert_array_equal(on_disk, whole[2])
    run(small, store=tmp_path / "there", seed=5)
    np.testing.assert_array_equal(z, whole[2])  # replaced, not written over


def power_cut(stop):
    raise RuntimeError("power cut")


@pytest.mark.parametrize(
    ("number", "stored"), [(7, True), (22, False), (31, True), (32 + 9, False), (32 + 27, True)]
)
def test_a_run_goes_on_where_it_was_cut(small, whole, monkeypatch, tmp_path, number, stored):
    monkeypatch.setattr(gibbs_general, "BATCH", 5)
    monkeypatch.setattr(gibbs_general, "SECONDS", -1.0)
    options = {"checkpoint": tmp_path / "kept"}
    if stored:
        options["store"] = tmp_path / "z"
    with monkeypatch.context() as cut:
        at_sweep(cut, number, power_cut)
        with pytest.raises(RuntimeError, match="power cut"):
            run(small, **options)
    states = sorted(f.name for f in (tmp_path / "kept").glob("chain_*.npz"))
    assert states == ["chain_0.npz", "chain_1.npz"][: 1 + (number > 32)]
    done = []
    with monkeypatch.context() as counting:
        at_sweep(counting, 0, done.append)
        assert same(run(small, **options), whole)
    assert done  # there was something left to do
    with monkeypatch.context() as counting:
        at_sweep(counting, 0, power_cut)
        assert same(run(small, **options), whole)  # and now nothing is


def test_a_checkpoint_is_of_one_run(small, tmp_path):
    run(small, checkpoint=tmp_path)
    for option, other in (("seed", 4), ("draws", 13), ("tune", 21), ("chains", 3)):
        with pytest.raises(UnmixError, match=f"made with {option} = .* give that, or another"):
            run(small, checkpoint=tmp_path, **{option: other})
    with pytest.raises(UnmixError, match=r"of another model.*give another folder"):
        run(registry.derived("deterministic_downstream_of_z"), checkpoint=tmp_path)
    settings = json.loads((tmp_path / "settings.json").read_text())
    settings["log_density"] += 1e-3
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    with pytest.raises(UnmixError, match="other priors or data"):
        run(small, checkpoint=tmp_path)
    (tmp_path / "settings.json").write_text("{")
    with pytest.raises(UnmixError, match="cannot be read"):
        run(small, checkpoint=tmp_path)


def test_a_broken_state_is_refused(small, tmp_path):
    run(small, checkpoint=tmp_path)
    (tmp_path / "chain_1.npz").write_bytes(b"PK")
    with pytest.raises(UnmixError, match=r"chain_1\.npz cannot be read"):
        run(small, checkpoint=tmp_path)
    np.savez(tmp_path / "chain_1.npz", u=np.array([{}], dtype=object))
    with pytest.raises(UnmixError, match=r"chain_1\.npz cannot be read"):
        run(small, checkpoint=tmp_path)


def test_draws_that_went_missing_are_not_made_up(small, tmp_path):
    run(small, checkpoint=tmp_path, store=tmp_path / "z")
    (tmp_path / "z" / "z.npy").rename(tmp_path / "z" / "moved.npy")
    with pytest.raises(UnmixError, match=r"goes on from .*z\.npy, which cannot be read"):
        run(small, checkpoint=tmp_path, store=tmp_path / "z")
    (tmp_path / "u.npy").unlink()
    with pytest.raises(UnmixError, match=r"goes on from .*u\.npy, which cannot be read"):
        run(small, checkpoint=tmp_path, store=tmp_path / "z")


def test_a_model_without_a_pass_is_refused():
    with pytest.raises(UnmixError, match="the weights of 'z' depend on the row: use method='nuts'"):
        run(registry.derived("weights_per_row"))


# --- Against NUTS, slow ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", HIERARCHIES[:3])
def test_hierarchies_agree_with_nuts(name):
    """Both have errors; hyperparameters are compared on the log scale where they are positive."""
    derivation = registry.derived(name)
    options = {"draws": 5000, "tune": 1000, "chains": 4, "cores": 1, "progress": False}
    start = [derivation.space.initial]
    gibbs = run_general(derivation, start, seed=1, **options)[0]
    nuts = run_nuts(derivation, start, seed=2, target_accept=0.95, **options)[0]
    found = []
    for first, second in zip(_free_of_labels(gibbs), _free_of_labels(nuts), strict=True):
        error = np.hypot(float(az.mcse(first)), float(az.mcse(second)))
        found.append((first.mean() - second.mean()) / error)
    assert np.abs(found).max() < bound(len(found)), found


def _free_of_labels(posterior):
    held = {n: posterior[n].transpose("chain", "draw", ...).values for n in posterior}
    w, mu = held.pop("w"), held.pop("mu")
    yield from (np.square(w).sum(-1), (w * mu).sum(-1), (w * mu**2).sum(-1))
    for value in held.values():
        value = np.log(value) if (value > 0).all() else value
        yield value.reshape(*value.shape[:2], -1).sum(-1)


# --- Geweke's joint-distribution test, slow -------------------------------------------------------
# Geweke 2004, JASA 99:799. Alternating "θ and z given x" with "x given θ and z" has the joint
# distribution as its stationary one, whose θ is the prior. So moments of the chain are compared
# with those of the prior, which are known.

ROWS, SWEEPS = 8, 60_000


def _moments():
    """Name, function of (w, mu, spread, z, x), its mean under the joint distribution."""
    e = 9.0  # E spread²
    return {
        "w_0": (lambda w, mu, s, z, x: w[0], 0.5),
        "w_0 squared": (lambda w, mu, s, z, x: w[0] ** 2, 1 / 3),
        "log spread": (lambda w, mu, s, z, x: np.log(s), np.log(3) + stats.norm.expect(
            lambda v: np.log(abs(v)))),
        "spread squared": (lambda w, mu, s, z, x: s**2, e),
        "sum of means": (lambda w, mu, s, z, x: mu.sum(), 0.0),
        "sum of means, squared": (lambda w, mu, s, z, x: mu.sum() ** 2, 2 * e),
        "gap of means": (lambda w, mu, s, z, x: mu[1] - mu[0],
                         2 / np.sqrt(np.pi) * 3 * np.sqrt(2 / np.pi)),
        "gap of means, squared": (lambda w, mu, s, z, x: (mu[1] - mu[0]) ** 2, 2 * e),
        "rows of the first": (lambda w, mu, s, z, x: (z == 0).sum(), ROWS / 2),
        "rows of the first, squared": (lambda w, mu, s, z, x: (z == 0).sum() ** 2,
                                       ROWS * (2 * ROWS + 1) / 6),
        "mean of x": (lambda w, mu, s, z, x: x.mean(), 0.0),
        "mean square of x": (lambda w, mu, s, z, x: np.square(x).mean(), 1 + e),
        "x at its own mean": (lambda w, mu, s, z, x: np.square(x - mu[z]).mean(), 1.0),
    }  # fmt: skip


@np.errstate(all="ignore")  # a mutant's posterior need not be one, and its chain goes anywhere
def geweke(derivation, conditional, onepass_of=lambda onepass: onepass, sweeps=SWEEPS, seed=7):
    """Scores of all moments, in batch-means standard errors."""
    rng = np.random.default_rng(seed)
    chunk = derivation.onepass.chunks[0]
    x = chunk.x[0]
    before = x.copy()
    onepass = onepass_of(OnePass(derivation.onepass.recognised, [chunk], threads=1))
    names, size = list(derivation.opened.theta), derivation.space.sizes
    assert names == ["w", "spread", "mu"]
    assert [size[n] for n in names] == [1, 1, 2]
    moments = _moments()
    try:
        w, spread = rng.dirichlet([1, 1]), 3 * abs(rng.standard_normal())
        theta = {"w": w, "spread": spread, "mu": np.sort(spread * rng.standard_normal(2))}
        values = derivation.space.unconstrain(theta)
        chain = Chain(
            np.concatenate([np.ravel(values[n]) for n in names]),
            *derivation.onepass.recognised.pack(theta), rng,
        )  # fmt: skip
        z = (rng.random(ROWS) > w[0]).astype(np.uint8)
        x[:] = theta["mu"][z] + rng.standard_normal(ROWS)
        found = np.empty((sweeps, len(moments)))
        tune = 2000
        for t in range(-tune, sweeps):
            sweep(conditional, onepass, chain, z, tune=tune)
            w, mu = np.exp(chain.log_w), chain.packed[:, 0]
            x[:] = mu[z] + rng.standard_normal(ROWS)
            if t >= 0:
                s = np.exp(chain.u[1])
                found[t] = [f(w, mu, s, z, x) for f, _ in moments.values()]
    finally:
        x[:] = before
    batches = found.reshape(100, -1, len(moments)).mean(axis=1)
    error = batches.std(axis=0, ddof=1) / 10
    z_scores = (found.mean(axis=0) - [m for _, m in moments.values()]) / error
    return dict(zip(moments, z_scores, strict=True))


def rejected(found):
    """By Student's t with the batches' 99 degrees of freedom, or by not being a number."""
    limit = stats.t.isf(FALSE_ALARM / (2 * len(found)), 99)
    print({name: round(float(z), 1) for name, z in found.items()}, f"bound {limit:.1f}")
    return not max(np.abs(list(found.values()))) < limit


@pytest.fixture(scope="module")
def eight():
    return derive(hierarchy(truth.NORMAL_ROWS[:ROWS]))


@pytest.mark.slow
def test_joint_distribution(eight):
    found = geweke(eight, Conditional(eight))
    assert not rejected(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", mutants.CONDITIONALS)
def test_a_wrong_conditional_is_seen(eight, name):
    conditional = mutants.CONDITIONALS[name](Conditional)(eight)
    found = geweke(eight, conditional, sweeps=20_000)
    assert rejected(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", mutants.SAMPLED_PASSES)
def test_a_wrong_draw_of_z_is_seen(eight, name):
    found = geweke(eight, Conditional(eight), mutants.SAMPLED_PASSES[name])
    assert rejected(found)
