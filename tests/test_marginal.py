"""The model with z summed out: against PyMC's own mixture, and against summing over every z."""

import itertools

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from registry import built, derived
from scipy.special import logsumexp

import unmix
from unmix.infer.marginal import FLAT, build_marginal, compile_log_density, flatten
from unmix.infer.nuts import _complete
from unmix.infer.whiten import find_whitening


def log_density(derivation, values):
    marginal = build_marginal(derivation)
    compiled = marginal.model.compile_logp(mode="FAST_COMPILE")
    return float(compiled({FLAT: flatten(derivation, values)}))


def some_values(derivation, seed):
    theta = derivation.space.jittered(np.random.default_rng(seed))
    return derivation.space.unconstrain(theta)


def test_the_normal_mixture_that_pymc_marginalises_itself():
    x = derived("normal").data[derived("normal").opened.observed["x"]].data
    with pm.Model() as theirs:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 2, shape=2)
        sigma = pm.HalfNormal("sigma", 1, shape=2)
        pm.NormalMixture("x", w, mu, sigma, observed=x)
    compiled = theirs.compile_logp(mode="FAST_COMPILE")
    for seed in range(3):
        u = some_values(derived("normal"), seed)
        point = {"w_simplex__": u["w"], "mu": u["mu"], "sigma_log__": u["sigma"]}
        # Sums of some fifteen terms of order ten.
        np.testing.assert_allclose(log_density(derived("normal"), u), compiled(point), rtol=1e-12)


@pytest.mark.parametrize(
    "name", ["latent_class_items", "subject_level_assignment", "multinomial_counts", "masked_cells"]
)
def test_summed_over_every_z(name):
    derivation = derived(name)
    k, n = derivation.n_components, derivation.n_obs
    model = built(name)
    u = some_values(derivation, 1)
    by_value = {v.name: u[p] for p, v in derivation.space.unconstrained.items()}
    compiled = model.compile_logp(mode="FAST_COMPILE")
    total = logsumexp(
        [
            compiled({**by_value, derivation.latent.name: np.array(z)})
            for z in itertools.product(range(k), repeat=n)
        ]
    )
    # Adding 4096 densities at most: n eps.
    assert abs(log_density(derivation, u) - total) < 1e-11 * (1 + abs(total))


@pytest.mark.parametrize("name", ["normal", "latent_class_items", "subject_level_assignment"])
def test_whitened_positions_are_the_same_density_in_other_coordinates(name):
    derivation = derived(name)
    start = flatten(derivation, some_values(derivation, 5))  # the initial point is a saddle
    found = find_whitening(compile_log_density(derivation), start)
    assert found is not None
    u = flatten(derivation, some_values(derivation, 2))
    np.testing.assert_allclose(found.centre + found.factor @ found.whiten(u), u, rtol=1e-9)
    marginal = build_marginal(derivation, found)
    compiled = marginal.model.compile_logp(mode="FAST_COMPILE")
    plain, _ = compile_log_density(derivation)(u)
    # A linear map: the density at the same point differs by a constant that is left out. Solving
    # and multiplying by the factor costs its condition number, some hundreds, in digits.
    assert abs(float(compiled({FLAT: marginal.position(u)})) - plain) < 1e-9 * (1 + abs(plain))


def test_deterministics_of_theta_are_kept_and_those_of_z_are_named():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 2, shape=2)
        pm.Deterministic("gap", mu[1] - mu[0])
        z = pm.Categorical("z", w, shape=3)
        pm.Deterministic("mean", mu[z])
        pm.Normal("x", mu[z], 1.0, observed=[0.0, 1.0, 2.0])
    marginal = build_marginal(unmix.derive(model))
    assert marginal.names == ("w", "mu", "gap")
    assert marginal.left_out == ("mean",)


def ragged(lengths, draws=6):
    values = np.arange(len(lengths) * draws, dtype=float).reshape(len(lengths), draws)
    for chain, length in enumerate(lengths):
        values[chain, length:] = np.nan
    return xr.Dataset({"mu": (("chain", "draw"), values)})


@pytest.mark.parametrize(
    ("lengths", "chains", "draws", "complete"),
    [
        ([6, 6], 2, 6, True),
        ([6, 4], 2, 4, False),
        ([5, 0], 1, 5, False),  # the second chain had not begun
        ([6, 1, 5], 2, 5, False),  # the first and the last
    ],
)
def test_an_interrupted_run_keeps_the_most_draws(lengths, chains, draws, complete):
    stats = xr.Dataset({"lp": (("chain", "draw"), np.zeros((len(lengths), 6)))})
    posterior, stats, whole = _complete(ragged(lengths), stats, 6)
    assert (posterior.sizes["chain"], posterior.sizes["draw"]) == (chains, draws)
    assert (stats.sizes["chain"], stats.sizes["draw"]) == (chains, draws)
    assert np.isfinite(posterior["mu"]).all()
    assert whole is complete


def test_nothing_to_keep():
    stats = xr.Dataset({"lp": (("chain", "draw"), np.zeros((2, 6)))})
    with pytest.raises(unmix.UnmixError, match="before any chain had a draw"):
        _complete(ragged([0, 0]), stats, 6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "hmc"}, "method is 'hmc'"),
        ({"draws": 0}, "draws is 0"),
        ({"tune": -1}, "tune is -1"),
        ({"chains": 1.5}, "chains is 1.5"),
    ],
)
def test_options_that_make_no_sense(options, words):
    with pytest.raises(unmix.UnmixError, match=words):
        unmix.sample(built("normal"), progress=False, **options)
