"""EM: known optima, its invariants over the registry, its statuses, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pymc as pm
import pytest
from registry import CASES, built, derived

import unmix
from unmix.infer.closed_form import closed_forms
from unmix.infer.em_run import m_step, run
from unmix.infer.objective import make_objective

EM_CASES = [name for name, case in CASES.items() if case.em]
TRUTH = Path(__file__).parents[2] / "shared" / "truth"


@pytest.fixture(scope="module")
def faithful():
    return unmix.datasets.old_faithful()


@pytest.fixture(scope="module")
def waiting(faithful):
    model = unmix.models.gaussian(faithful["waiting"], 2)
    return model, unmix.em(model, rng=1, progress=False)


# -- figures from elsewhere ------------------------------------------------------------------------


def test_old_faithful_waiting_time(waiting):
    """Figures converged to 1e-9 in the parameters, from an independent implementation."""
    model, result = waiting
    assert result.converged
    # Printed to eight decimals.
    assert abs(result.log_likelihood - -1034.00174983) < 1e-8
    rule = unmix.bayes_rule(model, result, new={"x": np.array([64.0, 66.0, 67.0, 70.0])})
    short = rule["responsibility"].sel(component=0)
    # Printed to five or six decimals; the parameters behind them were some 1e-5 from the fixed
    # point, which the next test goes to.
    np.testing.assert_allclose(short, [0.871065, 0.60617, 0.42354, 0.07401], atol=1.1e-5)


def test_at_the_fixed_point_of_five_thousand_plain_iterations(waiting):
    """Textbook EM, written out for two normals: parameters and responsibilities to 1e-7."""
    x = unmix.datasets.old_faithful()["waiting"].to_numpy()[:, None]
    w, mu, sd = np.array([0.4, 0.6]), np.array([55.0, 80.0]), np.array([6.0, 6.0])
    for _ in range(5000):
        joint = w * np.exp(-0.5 * ((x - mu) / sd) ** 2) / sd
        r = joint / joint.sum(axis=1, keepdims=True)
        n_k = r.sum(axis=0)
        w, mu = n_k / len(x), (r * x).sum(axis=0) / n_k
        sd = np.sqrt((r * (x - mu) ** 2).sum(axis=0) / n_k)
    theta = waiting[1].theta
    # Converged to 1e-9 relative, over a curvature that tells 1e-8 apart.
    for name, expected in (("w", w), ("mu", mu), ("sigma", sd)):
        np.testing.assert_allclose(theta[name], expected, rtol=2e-8)
    np.testing.assert_allclose(unmix.responsibilities(*waiting)["responsibility"], r, atol=1e-7)


def test_old_faithful_both_columns(faithful):
    """R's mclust 6.0.0, model VVV with two components, at a converged optimum."""
    result = unmix.em(unmix.models.gaussian(faithful, 2), rng=1, progress=False)
    assert abs(result.log_likelihood - -1130.26396018) < 1e-7
    assert result.df == 11
    # mclust's BIC has the other sign, and its own optimum was stopped early.
    assert result.bic <= 2322.19195930 + 1e-4
    assert int(result.starts["reached_best"].sum()) >= 5


def test_diagonal_covariances(faithful):
    """mclust's VVI at its tight optimum; a better optimum would do, a worse one not."""
    model = unmix.models.gaussian(faithful, 2, covariance="diagonal")
    result = unmix.em(model, rng=1, progress=False)
    assert result.log_likelihood > -1147.80635253781 - 1e-6
    assert result.df == 9


def test_galaxies_have_two_optima():
    """Best known log-likelihood of three components −203.17923; a common start finds −212.08."""
    velocity = unmix.datasets.galaxies()["velocity"]
    result = unmix.em(unmix.models.gaussian(velocity, 3), rng=1, starts=20, progress=False)
    assert abs(result.log_likelihood - -203.17923) < 5e-6
    others = result.starts["objective"].values[~result.starts["reached_best"].values]
    assert np.any(np.abs(others - -212.08) < 0.005)


@pytest.mark.parametrize("fit", ["faithful/tight_G2_VVV", "faithful/tight_G2_VVI"])
def test_bayes_rule_at_the_parameters_of_mclust(fit):
    """R mclust 6.0.0's E-step at its own saved parameters (15 digits), to 1e-9."""
    if not TRUTH.exists():
        pytest.skip("the reference tables of mclust are not beside this checkout")
    data = unmix.datasets.old_faithful()
    known = json.loads((TRUTH / "mclust" / f"{fit}_fit.json").read_text())
    expected = np.genfromtxt(
        TRUTH / "mclust" / f"{fit}_responsibilities.csv", delimiter=",", skip_header=1
    )[:, -2:]
    cov = np.array(known["cov"])
    sigma = np.sqrt(np.diagonal(cov, axis1=1, axis2=2))
    corr = np.linalg.cholesky(cov / (sigma[:, :, None] * sigma[:, None, :]))
    theta = {"w": known["pro"], "mu": known["mean"], "sigma": sigma, "corr": corr}
    rule = unmix.bayes_rule(unmix.models.gaussian(data, 2), theta)
    np.testing.assert_allclose(rule["responsibility"], expected, atol=1e-9)
    assert abs(float(rule["log_marginal"].sum()) - known["loglik"]) < 1e-9 * abs(known["loglik"])


# -- invariants, over every model ------------------------------------------------------------------


@pytest.mark.parametrize("name", EM_CASES)
def test_never_goes_down_and_ends_flat(name):
    result = unmix.em(built(name), rng=1, starts=2, progress=False)
    assert result.status.name == "converged"
    steps = np.diff(result.trace)
    # Rounding of a sum of N terms of the objective's size.
    assert steps.min(initial=0.0) >= -1e-11 * (np.abs(result.trace[-1]) + result.n_obs)
    assert np.isfinite(result.log_likelihood)
    assert result.left_out == CASES[name].em_left_out


@pytest.mark.parametrize(
    "name", ["normal", "poisson", "latent_class_items", "multivariate_normal_by_cholesky"]
)
def test_closed_form_m_step_is_where_the_gradient_of_q_vanishes(name):
    """The general road as oracle of the fast one: PyTensor's gradient of Q at the closed form."""
    derivation = derived(name)
    objective = make_objective(derivation, "likelihood", None)
    blocks = closed_forms(objective)
    assert {n for b in blocks for n in b.names} == set(objective.free)
    rng = np.random.default_rng(2)
    r = rng.dirichlet(np.ones(derivation.n_components), size=derivation.n_obs)
    theta = m_step(objective, blocks, objective.initial, objective.given(r))
    _, gradient = objective.expected(objective.flatten(theta), r)
    # Sums of about 15 rows of numbers of order ten: rounding, not curvature.
    np.testing.assert_allclose(gradient, 0, atol=1e-10)


@pytest.mark.parametrize("name", ["ordered_means", "censored", "bernoulli_switch"])
def test_no_closed_form_where_the_structure_is_not_proved(name):
    objective = make_objective(derived(name), "likelihood", None)
    assert not any("mu" in block.names for block in closed_forms(objective))


@pytest.mark.parametrize("name", ["normal", "regression_inside_the_components", "poisson"])
def test_gradient_of_the_objective_by_differences(name):
    objective = make_objective(derived(name), "posterior", None)
    u = objective.flatten(derived(name).space.jittered(np.random.default_rng(4)))
    value, gradient = objective.gradient(u)
    h = 1e-5
    for j in range(len(u)):
        e = np.zeros(len(u))
        e[j] = h
        difference = (objective.gradient(u + e)[0] - objective.gradient(u - e)[0]) / (2 * h)
        # Central differences: third derivatives of order 100 times h², and rounding over h.
        allowed = 1e-6 * (1 + abs(gradient[j])) + 1e-13 * abs(value) / h
        assert abs(difference - gradient[j]) < allowed


def test_general_road_reaches_the_closed_form_optimum(waiting):
    """A model whose graph proves nothing (sd through a log) against the one that does."""
    x = unmix.datasets.old_faithful()["waiting"].to_numpy()
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 70, 20, shape=2)
        log_sigma = pm.Normal("log_sigma", 2, 1, shape=2)
        z = pm.Categorical("z", w, shape=len(x))
        pm.Normal("x", mu[z], pm.math.exp(log_sigma)[z], observed=x)
    result = unmix.em(model, rng=1, starts=2, progress=False)
    assert abs(result.log_likelihood - waiting[1].log_likelihood) < 1e-8
    np.testing.assert_allclose(result.theta["mu"], waiting[1].theta["mu"], rtol=1e-6)


def test_repeated_rows_double_everything(waiting):
    x = unmix.datasets.old_faithful()["waiting"].to_numpy()
    doubled = unmix.em(unmix.models.gaussian(np.repeat(x, 2), 2), rng=1, starts=2, progress=False)
    assert abs(doubled.log_likelihood - 2 * waiting[1].log_likelihood) < 1e-7
    np.testing.assert_allclose(doubled.theta["mu"], waiting[1].theta["mu"], rtol=1e-7)


@pytest.mark.parametrize(("shift", "scale"), [(1e4, 1.0), (0.0, 1e-6), (-50.0, 1e5)])
def test_shift_and_scale_of_the_data(waiting, shift, scale):
    x = unmix.datasets.old_faithful()["waiting"].to_numpy()
    moved = unmix.models.gaussian(shift + scale * x, 2)
    result = unmix.em(moved, rng=1, starts=2, progress=False)
    expected = waiting[1].log_likelihood - len(x) * np.log(scale)
    assert abs(result.log_likelihood - expected) < 1e-6
    r = unmix.responsibilities(moved, result)["responsibility"]
    np.testing.assert_allclose(
        r, unmix.responsibilities(*waiting)["responsibility"], atol=1e-6
    )  # the parameters are converged to 1e-9, seen through log-odds of slope below 1000


def test_components_come_in_increasing_mean_where_they_are_exchangeable():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(m, 0.1, 20) for m in (5, -5, 0)])
    result = unmix.em(unmix.models.gaussian(x, 3), rng=3, progress=False)
    assert np.all(np.diff(result.theta["mu"]) > 0)


def test_labels_with_a_meaning_stay():
    """Component 1 is declared near −2 and component 0 near 2: no reordering."""
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", [2.0, -2.0], 0.1, shape=2)
        z = pm.Categorical("z", w, shape=40)
        x = np.concatenate([np.full(20, -2.0), np.full(20, 2.0)])
        pm.Normal("x", mu[z], 1.0, observed=x + np.linspace(-0.1, 0.1, 40))
    result = unmix.em(model, kind="posterior", rng=0, progress=False)
    assert float(result.theta["mu"][0]) > 1 > -1 > float(result.theta["mu"][1])


def test_one_component():
    x = np.array([1.0, 2.0, 4.0])
    result = unmix.em(unmix.models.gaussian(x, 1), rng=0, progress=False)
    np.testing.assert_allclose(result.theta["mu"], [x.mean()], rtol=1e-12)
    np.testing.assert_allclose(result.theta["sigma"], [x.std()], rtol=1e-12)


# -- posterior mode --------------------------------------------------------------------------------


def test_posterior_mode_with_a_conjugate_prior():
    """One component, known sd, normal prior: the mode is the precision-weighted mean."""
    x = np.array([1.0, 2.0, 4.5])
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1, shape=1)
        z = pm.Categorical("z", [1.0], shape=3)
        pm.Normal("x", mu[z], 2.0, observed=x)
    mode = unmix.em(model, kind="posterior", rng=0, progress=False).theta["mu"]
    expected = (x.sum() / 4) / (3 / 4 + 1)
    # Gradient below 1e-8 on a curvature of 1.75.
    np.testing.assert_allclose(mode, [expected], rtol=1e-7)
    without_prior = unmix.em(model, rng=0, progress=False).theta["mu"]
    assert abs(float(without_prior[0]) - expected) > 0.1  # the mutant: an M-step without the prior


def test_posterior_mode_refuses_a_free_hyper_scale_until_it_is_fixed():
    model = built("hierarchical_hyperpriors")
    with pytest.raises(unmix.UnmixError, match=r"'spread'.*fixed"):
        unmix.em(model, kind="posterior")
    fixed = {"spread": 2.0, "scale": 1.0}
    result = unmix.em(model, kind="posterior", fixed=fixed, rng=0, starts=2, progress=False)
    assert result.converged
    assert result.fixed == ("spread", "scale")
    assert np.isnan(result.bic)


# -- statuses --------------------------------------------------------------------------------------


def test_collapsed_starts_are_set_aside():
    """One far point and no prior: some starts put a component on it, where ℓ has no maximum."""
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(0, 1, 30), [1e4]])
    result = unmix.em(unmix.models.gaussian(x, 2), rng=0, starts=8, progress=False)
    assert "collapsed" in set(result.starts["status"].values)
    assert result.status.name != "converged" or np.all(result.theta["sigma"] > 1e-3)


def test_only_collapses_are_said_to_be():
    x = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    result = unmix.em(unmix.models.gaussian(x, 2), rng=0, starts=4, progress=False)
    assert not result.converged
    assert result.status.name in ("collapsed", "emptied")
    assert "fewer components" in result.status.advice


def test_iteration_limit(waiting):
    result = unmix.em(waiting[0], rng=1, starts=1, max_iterations=3, progress=False)
    assert result.status.name == "iteration limit"
    assert not result.converged


def test_a_falling_objective_is_reported():
    """The mutant stops on |change| and would not notice: an M-step that moves away."""
    derivation = derived("normal")
    objective = make_objective(derivation, "likelihood", None)
    blocks = closed_forms(objective)

    def away(theta, r):
        good = blocks[-1].step(theta, r)
        return {**good, "mu": good["mu"] + 0.5 * np.sign(len(calls) - 2), "x": calls.append(1)}

    calls: list[int] = []
    from dataclasses import replace

    broken = [*blocks[:-1], replace(blocks[-1], step=lambda t, r: _without(away(t, r), "x"))]
    r = np.random.default_rng(0).dirichlet([1, 1], size=derivation.n_obs)
    result = run(
        objective, broken, objective.given(r), peak=0.0, group=np.arange(12), feature=np.zeros(12),
            continuous=True,
        max_iterations=50, tolerance=1e-9,
    )  # fmt: skip
    assert result.outcome == "not monotone"


def _without(theta, name):
    return {n: v for n, v in theta.items() if n != name}


def test_redundant_parameters_are_counted_aloud():
    """Two free logits for one weight: their sum changes nothing."""
    # Before the block: a model of the registry that is built within it would become part of it.
    x = derived("normal").data[derived("normal").opened.observed["x"]].data
    with pm.Model() as model:
        logit = pm.Normal("logit", 0, 1, shape=2)
        mu = pm.Normal("mu", 0, 2, shape=2)
        z = pm.Categorical("z", pm.math.softmax(logit), shape=12)
        pm.Normal("x", mu[z], 1.0, observed=x)
    assert (
        "1 combination of parameters"
        in unmix.em(model, rng=0, starts=2, progress=False).status.advice
    )
    proper = unmix.em(built("bernoulli_switch"), rng=0, starts=2, progress=False)
    assert "combination" not in proper.status.advice


def test_same_seed_same_numbers(waiting):
    again = unmix.em(waiting[0], rng=1, progress=False)
    np.testing.assert_array_equal(again.trace, waiting[1].trace)
    assert again.theta.equals(waiting[1].theta)


def test_begins_where_it_is_told(waiting):
    result = unmix.em(waiting[0], start=waiting[1], progress=False)
    assert len(result.trace) < 10  # from random responsibilities it takes more than 30
    assert abs(result.log_likelihood - waiting[1].log_likelihood) < 1e-9


def test_prints_what_it_found(waiting):
    text = str(waiting[1])
    for part in ("maximum likelihood", "converged", "-1034.00175", "df 5", "AIC", "10 starts"):
        assert part in text


# -- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "bayes"}, "kind is 'bayes'"),
        ({"starts": 0}, "starts is 0"),
        ({"max_iterations": 0}, "max_iterations is 0"),
        ({"fixed": {"nu": 1.0}}, "'nu' is not in the model"),
        ({"fixed": {"mu": [1.0]}}, "'mu' has shape"),
    ],
)
def test_options_that_make_no_sense(options, words):
    with pytest.raises(unmix.UnmixError, match=words):
        unmix.em(built("normal"), progress=False, **options)


def test_a_second_latent_is_refused_by_name():
    with pytest.raises(unmix.UnmixError, match=r"'effect'.*unmix\.sample"):
        unmix.em(built("local_effects"), progress=False)


def test_a_number_of_starts_is_no_start():
    with pytest.raises(unmix.UnmixError, match="the number of starts is starts=5"):
        unmix.em(built("normal"), start=5, progress=False)
