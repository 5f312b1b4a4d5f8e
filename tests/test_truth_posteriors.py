"""Posteriors against ground truth that no code of this project produced.

Ten observations whose partitions were all enumerated, and the galaxy data under another program.
Only quantities that labels cannot change are compared, each in two ways: from drawn assignments,
and given θ (Rao–Blackwell: from responsibilities). A sampler is right if

    z = (estimate − truth) / Monte Carlo standard error

looks N(0, 1) over all of them. Errors are ArviZ's, sd / √ESS. A run fails where the largest |z|
passes the two-sided Bonferroni bound at `FALSE_ALARM` over the run's quantities (about 4.4 for a
hundred); their correlation only makes the bound wider than it need be. With a dozen such runs,
seeds fixed, a correct sampler fails any of them in about one choice of seeds in a hundred.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import arviz as az
import mutants
import numpy as np
import pymc as pm
import pytest
import truth
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

import unmix

FALSE_ALARM = 1e-3
# A share p of T draws is near enough to normal where T·min(p, 1 − p) is at least this: the skewness
# of the count is then below 1/20, which moves a tail at 4.4 sd by a factor of two.
FEWEST = 400

Array = NDArray[np.float64]


def sample(model: pm.Model, **options) -> tuple[xr.DataTree, list[str]]:
    """Sample, and what was said aloud: labels need not be identified for what is compared here."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", unmix.UnmixWarning)
        post = unmix.sample(model, progress=False, **options)
    return post, [str(w.message) for w in said]


# --- Label-free quantities ------------------------------------------------------------------------


@dataclass(frozen=True)
class Quantities:
    """Series of draws, (chain, draw, quantity), beside the truth; `share` marks probabilities."""

    names: list[str]
    draws: Array
    truth: Array
    share: NDArray[np.bool_]

    def scores(self) -> dict[str, float]:
        """z of every quantity that there are draws enough to test."""
        size = self.draws.shape[0] * self.draws.shape[1]
        rare = self.share & (size * np.minimum(self.truth, 1 - self.truth) < FEWEST)
        kept = np.flatnonzero(~rare)
        error = az.mcse(self.draws[..., kept], method="mean")
        z = (self.draws[..., kept].mean(axis=(0, 1)) - self.truth[kept]) / error
        return {self.names[q]: float(v) for q, v in zip(kept, z, strict=True)}


def pairs(n: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(n) for j in range(i + 1, n)]


def in_arrays(post: xr.DataTree, theta: list[str]) -> tuple[Array, Array, Array]:
    """w (chain, draw, component), z (chain, draw, obs), θ_k (chain, draw, component, value)."""
    held = post["posterior"].to_dataset()
    lead = held.sizes["chain"], held.sizes["draw"]
    w = held["w"].transpose("chain", "draw", ...).values
    values = [held[name].transpose("chain", "draw", ...).values for name in theta]
    stacked = [v.reshape(*lead, w.shape[-1], -1) for v in values]
    z = post["assignments"]["z"].transpose("chain", "draw", "obs").values
    return w, z.astype(int), np.concatenate(stacked, axis=-1)


def counted(exact: truth.Exact, w: Array, z: Array, theta: Array) -> Quantities:
    """From drawn assignments."""
    one_hot = (z[..., None] == np.arange(w.shape[-1])).astype(float)
    return quantities(exact, w, one_hot, theta, "counted")


def quantities(exact: truth.Exact, w: Array, r: Array, theta: Array, how: str) -> Quantities:
    """From responsibilities (chain, draw, obs, component); drawn z enter as zeros and ones.

    Given θ the assignments are independent, so P(z_i = z_j | θ, x) = Σ_k r_ik r_jk, and one
    component made everything with probability Σ_k Π_i r_ik.
    """
    n = r.shape[2]
    lead = r.shape[:2]
    together = np.stack([(r[:, :, i] * r[:, :, j]).sum(-1) for i, j in pairs(n)], axis=-1)
    two = 1 - r.prod(axis=2).sum(axis=-1)
    own = np.einsum("cdnk,cdkv->cdnv", r, theta).reshape(*lead, -1)
    draws = np.concatenate([together, two[..., None], own], axis=-1)
    names = [f"{how} P(z_{i} = z_{j})" for i, j in pairs(n)]
    names += [f"{how} P(two occupied)"]
    names += [f"{how} E theta_z, value {v}" for v in range(own.shape[-1])]
    expected = [*exact.together, exact.two_occupied, *exact.theta]
    if how != "counted":  # once: it does not depend on z
        draws = np.concatenate([draws, np.square(w).sum(-1)[..., None]], axis=-1)
        names += ["E sum of w squared"]
        expected += [exact.weights_squared]
    share = np.array([" P(" in name for name in names])
    return Quantities(names, draws, np.array(expected), share)


def responsibility(model: pm.Model, post: xr.DataTree) -> Array:
    n = post["assignments"].sizes["obs"]
    table = unmix.bayes_rule(model, post, obs=list(range(n)))["responsibility"]
    return table.transpose("chain", "draw", "obs", "component").values


def bound(count: int) -> float:
    return float(stats.norm.isf(FALSE_ALARM / (2 * count)))


def require_normal(scores: dict[str, float]) -> None:
    worst = max(scores, key=lambda name: abs(scores[name]))
    largest = abs(scores[worst])
    assert largest < bound(len(scores)), f"{worst}: z = {scores[worst]:.2f} of {len(scores)}"


# --- Ten observations, every partition enumerated -------------------------------------------------


def normal_known(sd: float = np.sqrt(10.0)) -> pm.Model:
    with pm.Model(coords={"component": range(2), "obs": range(10)}) as model:
        w = pm.Dirichlet("w", [1, 1], dims="component")
        mu = pm.Normal("mu", 0, sd, dims="component")
        z = pm.Categorical("z", w, dims="obs")
        pm.Normal("x", mu[z], 1, observed=truth.NORMAL_ROWS, dims="obs")
    return model


def normal_inverse_gamma() -> pm.Model:
    with pm.Model(coords={"component": range(2), "obs": range(10)}) as model:
        w = pm.Dirichlet("w", [1, 1], dims="component")
        variance = pm.InverseGamma("variance", 2, 1, dims="component")
        mu = pm.Normal("mu", 0, pm.math.sqrt(variance / 0.1), dims="component")
        z = pm.Categorical("z", w, dims="obs")
        pm.Normal("x", mu[z], pm.math.sqrt(variance[z]), observed=truth.NORMAL_ROWS, dims="obs")
    return model


def poisson_gamma() -> pm.Model:
    with pm.Model(coords={"component": range(2), "obs": range(10)}) as model:
        w = pm.Dirichlet("w", [1, 1], dims="component")
        rate = pm.Gamma("rate", alpha=2, beta=0.5, dims="component")
        z = pm.Categorical("z", w, dims="obs")
        pm.Poisson("x", rate[z], observed=truth.COUNT_ROWS, dims="obs")
    return model


def bernoulli_beta() -> pm.Model:
    coords = {"component": range(2), "obs": range(10), "item": range(5)}
    with pm.Model(coords=coords) as model:
        w = pm.Dirichlet("w", [1, 1], dims="component")
        p = pm.Beta("p", 1, 1, dims=("component", "item"))
        z = pm.Categorical("z", w, dims="obs")
        pm.Bernoulli("x", p[z], observed=truth.BINARY_ROWS, dims=("obs", "item"))
    return model


# Name in the table of truth, the model, its parameters in the order of E θ_{z_i}.
FAMILIES: list[tuple[str, Callable[[], pm.Model], list[str]]] = [
    ("normal_known_K2", normal_known, ["mu"]),
    ("nig_K2", normal_inverse_gamma, ["mu", "variance"]),
    ("poisson_K2", poisson_gamma, ["rate"]),
    ("bernoulli_K2", bernoulli_beta, ["p"]),
]


def all_scores(model: pm.Model, post: xr.DataTree, family: str, theta: list[str]):
    exact = truth.EXACT[family]
    w, z, values = in_arrays(post, theta)
    r = responsibility(model, post)
    return {
        **quantities(exact, w, r, values, "given theta").scores(),
        **counted(exact, w, z, values).scores(),
    }


@pytest.fixture(scope="module")
def quick() -> tuple[pm.Model, xr.DataTree]:
    """The one model small enough for the default suite."""
    model = normal_known()
    return model, sample(model, method="nuts", draws=1000, chains=4, rng=20261)[0]


@pytest.mark.slow
def test_normal_with_known_variance_by_nuts(quick):
    model, post = quick
    scores = all_scores(model, post, "normal_known_K2", ["mu"])
    assert len(scores) == 55  # the others are too rare for 4,000 draws, see FEWEST
    require_normal(scores)


def normals(post: xr.DataTree) -> mutants.Normals:
    w, _, mu = in_arrays(post, ["mu"])
    k = w.shape[-1]
    flat = mu.reshape(-1, k)
    return mutants.Normals(np.array(truth.NORMAL_ROWS), w.reshape(-1, k), flat, np.ones_like(flat))


@pytest.mark.parametrize("name", ["weights_forgotten", "weights_in_another_order"])
def test_a_wrong_table_is_seen(quick, name):
    _, post = quick
    w, _, mu = in_arrays(post, ["mu"])
    exact = truth.EXACT["normal_known_K2"]
    shape = (*w.shape[:2], 10, 2)
    right = mutants.normal_responsibilities(normals(post)).reshape(shape)
    require_normal(quantities(exact, w, right, mu, "given theta").scores())
    wrong = mutants.TABLES[name](normals(post)).reshape(shape)
    with pytest.raises(AssertionError, match="z = "):
        require_normal(quantities(exact, w, wrong, mu, "given theta").scores())


@pytest.mark.parametrize("name", ["argmax_for_a_draw", "one_uniform_for_all_rows", "at_the_mean"])
def test_wrong_assignments_are_seen(quick, name):
    _, post = quick
    w, _, mu = in_arrays(post, ["mu"])
    theta = normals(post)
    r = mutants.normal_responsibilities(theta)
    z = mutants.DRAWING[name](np.random.default_rng(3), r, theta).reshape(*w.shape[:2], 10)
    with pytest.raises(AssertionError, match="z = "):
        require_normal(counted(truth.EXACT["normal_known_K2"], w, z, mu).scores())


@pytest.mark.slow
def test_a_wrong_prior_is_seen():
    """What crosscheck cannot see: N(0, variance 10) declared with standard deviation 10."""
    model = normal_known(sd=10.0)
    post, _ = sample(model, method="nuts", draws=4000, rng=20262)
    with pytest.raises(AssertionError, match="z = "):
        require_normal(all_scores(model, post, "normal_known_K2", ["mu"]))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["nuts", "gibbs", "pymc"])
@pytest.mark.parametrize(("family", "build", "theta"), FAMILIES, ids=[f[0] for f in FAMILIES])
def test_every_partition_of_ten(family, build, theta, method, record_property):
    model = build()
    # At the samplers' usual 0.8 a near-empty component gives some hundred divergent draws.
    options = {"draws": 5000, "tune": 1000, "chains": 4, "rng": 20263}
    if method != "gibbs":
        options["target_accept"] = 0.95
    else:  # its draws are correlated, and cheap
        options["draws"] = 20_000
    post, said = sample(model, method=method, **options)
    scores = all_scores(model, post, family, theta)
    values = np.array(list(scores.values()))
    record_property("said", " | ".join(said))
    record_property("largest", float(np.abs(values).max()))
    print(
        f"{family} {method}: {len(values)} quantities, max |z| {np.abs(values).max():.2f}, "
        f"bound {bound(len(values)):.2f}, rms {np.sqrt(np.mean(values**2)):.2f}, "
        f"{post.attrs['seconds']:.0f} s, said {said}"
    )
    require_normal(scores)
    # Wide errors would let anything pass: a hundredth is a tenth of what the wrong tables move.
    together = np.array([post["assignments"]["z"].values[..., i] for i in range(10)])
    same = (together[0] == together[9]).astype(float)
    assert float(az.mcse(same, method="mean")) < 0.02


# --- Galaxies, against JAGS -----------------------------------------------------------------------


def galaxies(k: int) -> pm.Model:
    with pm.Model(coords={"component": range(k), "obs": range(len(truth.GALAXIES))}) as model:
        w = pm.Dirichlet("w", np.ones(k), dims="component")
        mu = pm.Normal("mu", 20, 10, dims="component")
        tau = pm.Gamma("tau", alpha=2, beta=2, dims="component")
        z = pm.Categorical("z", w, dims="obs")
        pm.Normal("x", mu[z], tau=tau[z], observed=truth.GALAXIES, dims="obs")
    return model


def score(draws: Array, reference: truth.Estimate) -> float:
    """Difference over the combined error of both programs; draws (chain, draw)."""
    error = np.hypot(float(az.mcse(draws, method="mean")), reference.error)
    return float((draws.mean() - reference.mean) / error)


@pytest.fixture(scope="module")
def three_galaxies() -> tuple[pm.Model, xr.DataTree]:
    model = galaxies(3)
    post, said = sample(model, method="nuts", draws=4000, tune=1000, chains=4, rng=1)
    assert said == []  # no divergence, chains agree, components identified
    return model, post


@pytest.mark.slow
def test_three_components_of_the_galaxies(three_galaxies):
    _, post = three_galaxies
    held = post["posterior"].to_dataset()
    w = held["w"].transpose("chain", "draw", "component").values
    sigma = held["tau"].transpose("chain", "draw", "component").values ** -0.5
    reference = truth.GALAXY_POSTERIORS[3]
    log_likelihood = post["sample_stats"]["log_likelihood"].transpose("chain", "draw").values
    scores = {
        "log-likelihood": score(log_likelihood, reference.log_likelihood),
        "sum of w squared": score(np.square(w).sum(-1), reference.weights_squared),
        "smallest sigma": score(sigma.min(-1), reference.smallest_sigma),
        "largest sigma": score(sigma.max(-1), reference.largest_sigma),
    }
    print(scores)
    require_normal(scores)
    # Narrow enough to mean something: the posterior sd of the log-likelihood is 2.2.
    assert float(az.mcse(log_likelihood, method="mean")) < 0.05


@pytest.mark.slow
def test_pairs_of_galaxies_in_three_components(three_galaxies):
    """The 82 × 82 matrix of P(z_i = z_j), given θ, both with their errors."""
    model, post = three_galaxies
    together = truth.shared_table("jags_galaxy/galaxy_K3_coclustering_RB.csv")
    error = truth.shared_table("jags_galaxy/galaxy_K3_coclustering_RB_se.csv")
    r = responsibility(model, post)
    above = np.triu_indices(len(together), 1)
    draws = np.stack([(r[:, :, i] * r[:, :, j]).sum(-1) for i, j in zip(*above, strict=True)], -1)
    matrix = unmix.co_assignment(model, post).values
    # The same mean of 16,000 sums of three products in another order.
    np.testing.assert_allclose(matrix[above], draws.mean(axis=(0, 1)), atol=1e-12)
    expected = together[above]
    size = r.shape[0] * r.shape[1]
    kept = size * np.minimum(expected, 1 - expected) >= FEWEST
    assert kept.sum() == 138  # the others are all but certain, one way or the other
    combined = np.hypot(az.mcse(draws[..., kept], method="mean"), error[above][kept])
    z = (draws[..., kept].mean(axis=(0, 1)) - expected[kept]) / combined
    print(f"{kept.sum()} pairs, max |z| {np.abs(z).max():.2f}, rms {np.sqrt(np.mean(z**2)):.2f}")
    assert np.abs(z).max() < bound(int(kept.sum()))
    assert combined.max() < 0.01
    # The rest: a share of FEWEST / size at most, so that twice as much either way is far off.
    rest = draws[..., ~kept].mean(axis=(0, 1)) - expected[~kept]
    assert np.abs(rest).max() < FEWEST / size


@pytest.mark.slow
def test_four_components_are_right_or_said_to_be_unsettled():
    """With four, chains of this length stay long where one component is wide and all but empty.

    What is asked here is honesty: either nothing is said and the figures are JAGS's, or chains are
    said to disagree and they do.
    """
    post, said = sample(galaxies(4), method="nuts", draws=4000, tune=1000, chains=4, rng=1)
    w = post["posterior"]["w"].transpose("chain", "draw", "component").values
    sigma = post["posterior"]["tau"].transpose("chain", "draw", "component").values ** -0.5
    reference = truth.GALAXY_POSTERIORS[4]
    log_likelihood = post["sample_stats"]["log_likelihood"].transpose("chain", "draw").values
    squares = np.square(w).sum(-1)
    scores = {
        "log-likelihood": score(log_likelihood, reference.log_likelihood),
        "sum of w squared": score(squares, reference.weights_squared),
        "smallest sigma": score(sigma.min(-1), reference.smallest_sigma),
        "largest sigma": score(sigma.max(-1), reference.largest_sigma),
    }
    print(scores, said)
    if any("chains disagree" in s or "too few effective draws" in s for s in said):
        series = (log_likelihood, squares, sigma.max(-1))
        assert min(float(az.ess(v, method="mean")) for v in series) < 400
    else:
        require_normal(scores)
