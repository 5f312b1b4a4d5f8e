"""The derived table, over every model of the registry, against PyMC's own log-density."""

import itertools
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
import xarray as xr
from registry import CASES, derived

import unmix
from unmix.derive import bayes, by_rows, table
from unmix.derive.verify import RELATIVE, verify
from unmix.onepass import recognise, terms


@pytest.fixture(params=CASES, scope="module")
def name(request):
    return request.param


def test_what_is_found(name):
    case, derivation = CASES[name], derived(name)
    assert derivation.n_components == case.k
    assert derivation.n_obs == case.n
    assert derivation.components.axes == case.axes
    assert derivation.components.families == case.families
    assert derivation.components.symmetry == case.symmetry


def test_verified_at_build_time(name):
    verification = derived(name).verification
    assert verification.n_points >= 4
    assert verification.worst <= RELATIVE


def test_table_is_the_change_of_the_full_log_density(name):
    """Independent of `verify`: every single change of one z_i, at a point not used before."""
    derivation = derived(name)
    theta = derivation.space.jittered(np.random.default_rng(77))
    log_joint = bayes.joint(*derivation.log_terms({n: v[None] for n, v in theta.items()}))[0]
    log_joint = np.broadcast_to(log_joint, (derivation.n_obs, derivation.n_components))
    best = log_joint.argmax(axis=1)
    base = derivation.log_density(theta, best)
    if not np.isfinite(base):
        pytest.skip("no assignment has positive density at this point")
    size = 1 + sum(np.abs(v[np.isfinite(v)]).sum() for v in map(
        np.atleast_1d, derivation.elements(theta, best).values()))  # fmt: skip
    for i, k in itertools.product(range(min(3, derivation.n_obs)), range(derivation.n_components)):
        z = best.copy()
        z[i] = k
        change = derivation.log_density(theta, z) - base
        expected = log_joint[i, k] - log_joint[i, best[i]]
        assert change == expected or abs(change - expected) <= 1e-11 * size


def test_batched_over_draws_is_one_draw_at_a_time(name):
    derivation = derived(name)
    draws = [derivation.space.jittered(np.random.default_rng(s)) for s in (1, 2, 3)]
    stacked = {n: np.stack([d[n] for d in draws]) for n in draws[0]}
    _, together = derivation.log_terms(stacked)
    for s, draw in enumerate(draws):
        _, alone = derivation.log_terms({n: v[None] for n, v in draw.items()})
        # The same operations on the same numbers; linear algebra may block them differently.
        np.testing.assert_allclose(together[s], alone[0], rtol=1e-10, atol=1e-12)


def test_permuting_components_permutes_responsibilities(name):
    derivation = derived(name)
    components = derivation.components
    theta = derivation.space.jittered(np.random.default_rng(5))
    for block in components.symmetry:
        if len(block) < 2:
            continue
        order = np.arange(derivation.n_components)
        order[list(block)] = np.roll(block, 1)
        moved = components.permute(theta, order)
        r = derivation.bayes({n: v[None] for n, v in theta.items()}).responsibility[0]
        r_moved = derivation.bayes({n: v[None] for n, v in moved.items()}).responsibility[0]
        # Densities of order 10 at worst here, so log densities round at 1e-14.
        np.testing.assert_allclose(r_moved, r[:, order], rtol=1e-10, atol=1e-13)


def test_by_enumeration():
    """All 2^6 assignments of six rows: conditional frequencies of z_i are the responsibilities."""
    x = np.array([-2.0, -1.0, 0.0, 0.5, 1.5, 3.0])
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 2, shape=2)
        z = pm.Categorical("z", w, shape=6)
        pm.Normal("x", mu[z], 1.0, observed=x)
    derivation = unmix.derive(model)
    theta = {"w": np.array([0.3, 0.7]), "mu": np.array([-1.0, 1.0])}
    every = np.array(list(itertools.product(range(2), repeat=6)))
    log_p = np.array([derivation.log_density(theta, z) for z in every])
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    by_enumeration = np.array([p[every[:, i] == 1].sum() for i in range(6)])
    rule = unmix.bayes_rule(model, theta)["responsibility"].sel(component=1)
    # 64 terms of log density near −15: rounding 64 · 15 · 2.2e-16.
    np.testing.assert_allclose(rule, by_enumeration, rtol=1e-12)


def test_verify_rejects_a_table_with_a_mistake():
    """A check seen to fail: the table of a model whose weights were forgotten."""
    derivation = derived("normal")
    table = replace(derivation.table, log_prior=derivation.table.log_prior * 0 - np.log(2))
    wrong = replace(derivation, table=table)
    theta = derivation.space.jittered(np.random.default_rng(3))
    with pytest.raises(unmix.UnmixError, match="differs from the model's own log-density"):
        verify(wrong, [theta], np.random.default_rng(0))


# -- what is refused, and in which words ----------------------------------------------------------


def refused(build, *words):
    with pytest.raises(unmix.UnmixError) as error:
        unmix.derive(build())
    for word in words:
        assert word in str(error.value)


def test_no_latent():
    def build():
        with pm.Model() as model:
            mu = pm.Normal("mu")
            pm.Normal("x", mu, 1, observed=[0.0, 1.0])
        return model

    refused(build, "no discrete latent", "pm.Categorical")


def test_normal_mixture_is_shown_its_rewrite():
    def build():
        with pm.Model() as model:
            weights = pm.Dirichlet("weights", [1, 1])
            mu = pm.Normal("mu", shape=2)
            sigma = pm.HalfNormal("sigma", shape=2)
            pm.NormalMixture("y", weights, mu, sigma, observed=[0.0, 1.0, 2.0])
        return model

    refused(build, 'pm.Categorical("z", weights, shape=3)', 'pm.Normal("y", mu[z], sigma[z]')


def test_two_latents_are_named():
    def build():
        with pm.Model() as model:
            a = pm.Bernoulli("a", 0.5, shape=2)
            b = pm.Bernoulli("b", 0.5, shape=2)
            pm.Normal("x", a + b, 1, observed=[0.0, 1.0])
        return model

    refused(build, "'a'", "'b'")


def test_mixed_assignments_are_named():
    def build():
        with pm.Model() as model:
            mu = pm.Normal("mu", shape=3)
            z = pm.Bernoulli("z", 0.5, shape=2)
            pm.Normal("x", mu[z.sum()], 1, observed=[0.0, 1.0])
        return model

    refused(build, "'x'", "'z'", "mixes")


def test_a_summed_potential_is_refused():
    def build():
        with pm.Model() as model:
            mu = pm.Normal("mu", shape=2)
            z = pm.Bernoulli("z", 0.5, shape=3)
            pm.Potential("fit", -pm.math.sqr(mu[z] - np.arange(3.0)).sum())
        return model

    refused(build, "'fit'")


def test_a_latent_that_nothing_depends_on():
    def build():
        with pm.Model() as model:
            z = pm.Bernoulli("z", 0.5, shape=3)
            mu = pm.Normal("mu")
            pm.Normal("x", mu + 0 * z.shape[0], 1, observed=np.zeros(3))
        return model

    refused(build, "'z'")


def test_a_count_is_not_an_assignment():
    def build():
        with pm.Model() as model:
            n = pm.Poisson("n", 3)
            pm.Normal("x", n, 1, observed=[0.0, 1.0])
        return model

    refused(build, "'n'", "Poisson")


def test_not_a_model():
    with pytest.raises(unmix.UnmixError, match="ndarray"):
        unmix.derive(np.zeros(3))
    with pytest.raises(unmix.UnmixError, match="no model"):
        unmix.derive()


# -- θ from anything, and new rows ----------------------------------------------------------------

POINT = {"w": [0.3, 0.7], "mu": [-2.0, 2.0], "sigma": [1.0, 0.5]}


def test_theta_from_a_dict_a_dataset_and_draws_agree():
    model = derived("normal").model
    alone = unmix.bayes_rule(model, POINT)
    dataset = xr.Dataset({n: ("component", np.array(v)) for n, v in POINT.items()})
    draws = dataset.expand_dims(chain=2, draw=3)
    xr.testing.assert_equal(unmix.bayes_rule(model, dataset), alone)
    many = unmix.bayes_rule(model, draws)
    assert many["responsibility"].dims == ("chain", "draw", "obs", "component")
    np.testing.assert_array_equal(
        many["responsibility"].values, np.broadcast_to(alone["responsibility"], (2, 3, 12, 2))
    )
    back = unmix.bayes_rule(model, draws.transpose("component", "draw", "chain"))
    xr.testing.assert_equal(back, many)


def test_found_in_the_with_block():
    model = derived("normal").model
    with model:
        inside = unmix.bayes_rule(theta=POINT)
    xr.testing.assert_equal(inside, unmix.bayes_rule(model, POINT))


@pytest.mark.parametrize(
    ("theta", "words"),
    [
        ({"w": [0.3, 0.7], "mu": [0.0, 1.0]}, "'sigma'"),
        ({**POINT, "mu": [0.0, 1.0, 2.0]}, "'mu'"),
        ({**POINT, "mu": [0.0, np.nan]}, "'mu' is not finite"),
        (3.0, "float"),
    ],
)
def test_theta_that_does_not_fit(theta, words):
    with pytest.raises(unmix.UnmixError, match=words):
        unmix.bayes_rule(derived("normal").model, theta)


def test_new_rows_by_a_dict_and_by_a_second_model():
    x = np.array([-3.0, 0.0, 0.2, 5.0, 1.0])
    model = derived("normal").model
    by_dict = unmix.bayes_rule(model, POINT, new={"x": x})
    with pm.Model(coords={"component": range(2)}) as second:
        w = pm.Dirichlet("w", [1, 1], dims="component")
        mu = pm.Normal("mu", 0, 2, dims="component")
        sigma = pm.HalfNormal("sigma", 1, dims="component")
        z = pm.Categorical("z", w, shape=5)
        pm.Normal("x", mu[z], sigma[z], observed=x)
    xr.testing.assert_equal(unmix.bayes_rule(model, POINT, new=second), by_dict)


def test_new_rows_need_their_covariate():
    model = derived("regression_inside_the_components").model
    theta = {"w": [0.5, 0.5], "intercept": [0.0, 1.0], "slope": [1.0, -1.0], "sigma": [1.0, 1.0]}
    with pytest.raises(unmix.UnmixError, match="'t'"):
        unmix.bayes_rule(model, theta, new={"x": np.zeros(4)})
    new = unmix.bayes_rule(model, theta, new={"x": np.zeros(4), "t": np.linspace(0, 1, 4)})
    expected = -0.5 * np.square(0 - np.linspace(0, 1, 4)) - 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(new["log_likelihood"].sel(component=0), expected, rtol=1e-12)


def test_new_rows_of_a_name_that_is_not_there():
    with pytest.raises(unmix.UnmixError, match="'y' is not in the model"):
        unmix.bayes_rule(derived("normal").model, POINT, new={"y": np.zeros(3)})


def test_changed_data_are_noticed():
    model = CASES["shared_data_and_initial_values"].build()
    theta = {"w": [0.5, 0.5], "mu": [-1.0, 1.0]}
    before = unmix.bayes_rule(model, theta)["log_likelihood"].values
    with model:
        pm.set_data({"x_data": np.zeros(12)})
    after = unmix.bayes_rule(model, theta)["log_likelihood"].values
    assert not np.allclose(before, after)
    assert np.ptp(after[:, 0]) == 0


@pytest.mark.parametrize(
    "name",
    ["normal", "four_observed_variables_of_four_families", "centred_on_the_mean_of_the_data"],
)
def test_other_rows_have_the_entries_that_they_have_in_the_model(name):
    derivation = derived(name)
    rows = np.array([7, 2, 2, 11, 0])
    other = derivation.on({n: x[rows] for n, x in derivation.by_rows.data.items()})
    theta = derivation.space.jittered(np.random.default_rng(5))
    stacked = {n: v[None] for n, v in theta.items()}
    for ours, theirs in zip(other.log_terms(stacked), derivation.log_terms(stacked), strict=True):
        theirs = theirs if theirs.shape[1] == 1 else theirs[:, rows]
        # The same arithmetic, a triangular solve for more or fewer right-hand sides included.
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)
    assert other.n_obs == 5
    if derivation.onepass is not None:
        found = np.concatenate(list(other.onepass.joint(*other.recognised.pack(theta))))
        there = np.concatenate(list(derivation.onepass.joint(*derivation.recognised.pack(theta))))
        # A row may stand in a block's last lanes here and in full ones there: some roundings.
        np.testing.assert_allclose(found, there[rows], rtol=1e-14)


def test_other_rows_of_a_model_whose_rows_never_meet_compile_nothing(monkeypatch):
    derivation = derived("four_observed_variables_of_four_families")
    _ = derivation.onepass, derivation.recognised._pack

    def refuse(*_):
        raise AssertionError("compiled")

    for room in (by_rows, table, recognise, terms):
        monkeypatch.setattr(room, "compile_table", refuse)
    new = {n: x[:4] for n, x in derivation.by_rows.data.items()}
    assert derivation.on(new).onepass.n_obs == 4


def test_other_rows_that_a_family_does_not_hold_are_not_summed_by_the_pass():
    derivation = derived("four_observed_variables_of_four_families")
    assert derivation.onepass is not None
    new = {n: x[:4].copy() for n, x in derivation.by_rows.data.items()}
    new["count"][1] = -1
    assert "'count'" in derivation.on(new).recognised


def test_rows_after_the_shared_data_have_changed():
    """The mean of `pm.Data` in the likelihood is what it is now, not what was derived."""
    model = CASES["centred_on_the_mean_of_the_data"].build()
    derivation = unmix.derive(model)
    theta = {"w": np.full((1, 2), 0.5), "mu": np.array([[-1.0, 1.0]])}
    x = derivation.by_rows.data["x"][:3]
    before = derivation.on({"x": x}).log_terms(theta)[1]
    with model:
        pm.set_data({"x_data": np.full(12, 50.0)})
    after = derivation.on({"x": x}).log_terms(theta)[1]
    assert np.all(after < before - 100)


# --- What it costs the first time -----------------------------------------------------------------


# Counts what is asked of C while a model with a loop in it (correlations have one) is derived and
# PyTensor takes it that there is a compiler; then again with unmix's guard taken away.
ASKED_OF_C = """
import sys, warnings
from contextlib import nullcontext
import numpy as np
from pytensor.link.c.op import COp
import unmix

warnings.simplefilter("ignore")
asked = []

def refuse(self, *rest):
    asked.append(self)
    raise NotImplementedError("no C here")

COp.make_c_thunk = refuse
for guarded in (True, False):
    if not guarded:
        sys.modules["unmix.derive.compiling"].without_c = nullcontext
    x = np.linspace(0.0, 1.0 + guarded, 14).reshape(7, 2)
    unmix.weigh(unmix.models.gaussian(x, 2), np.arange(7.0))
    unmix.derive(unmix.models.gaussian(x, 2))
    print(len(asked))
"""


def test_nothing_is_compiled_by_c():
    done = subprocess.run(
        [sys.executable, "-c", ASKED_OF_C],
        env={**os.environ, "PYTENSOR_FLAGS": "cxx=g++"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    guarded, unguarded = map(int, done.stdout.split())
    assert guarded == 0
    assert unguarded > 0


# --- Potentials that bite in a part of the space only ---------------------------------------------

# What is added for component 0 alone, of three that are alike but for it, and the blocks then.
BITES = {
    "the first below the second": (lambda mu, w: pt.switch(mu[0] < mu[1], 0.0, -np.inf), 3),
    "a far bound": (lambda mu, w: pt.switch(mu[0] > 9, -np.inf, 0.0), 1),
    "a soft wall": (lambda mu, w: -50 * pt.maximum(0, mu[0] - 2) ** 2, 1),
    "a small weight": (lambda mu, w: pt.switch(w[0] < 0.05, -np.inf, 0.0), 1),
    "of all alike": (lambda mu, w: pt.switch(pt.any(w < 0.05), -np.inf, 0.0), 0),
    "of all smoothly": (lambda mu, w: -pt.sum(mu**2) / 100, 0),
}


@pytest.mark.parametrize("name", BITES)
def test_components_that_a_potential_tells_apart(name):
    bite, alone = BITES[name]
    with pm.Model() as model:
        w = pm.Dirichlet("w", np.ones(3))
        mu = pm.Normal("mu", 0, 5, shape=3)
        pm.Potential("bite", bite(mu, w))
        z = pm.Categorical("z", w, shape=6)
        pm.Normal("x", mu[z], 1.0, observed=[-3.0, -3.1, 0.0, 0.1, 3.0, 3.2])
    blocks = {0: ((0, 1, 2),), 1: ((0,), (1, 2)), 3: ((0,), (1,), (2,))}
    assert unmix.derive(model).components.symmetry == blocks[alone]
