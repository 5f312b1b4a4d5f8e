"""Missing cells in the families that are not normal: against SciPy, by the cells that are there."""

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import pytest
from mutants_parts import FAMILY_CELLS
from scipy import stats

import unmix
from unmix import io, models
from unmix.derive import derive
from unmix.infer.closed_form import closed_forms
from unmix.infer.objective import make_objective
from unmix.recipe import recipe_of

N = 24


def holes(rng, x):
    """With cells missing here and there, a row of none, and few patterns."""
    x = x.astype(float)
    x[[2, 7, 7, 11], [0, 0, 1, 1]] = np.nan
    x[5] = np.nan
    return x


def counts(rng):
    return holes(rng, rng.poisson(4, (N, 3)))


def items(rng):
    return holes(rng, rng.integers(0, 3, (N, 3)))


def log_shares(p, x):
    """log p[k, j, x_ij] of the cells that are there, (obs, component, item)."""
    level = np.where(np.isnan(x), 0, x).astype(int)
    found = np.log(np.stack([p[:, j, level[:, j]].T for j in range(x.shape[1])], axis=-1))
    return np.where(np.isnan(x)[:, None], np.nan, found)


# Rows, the model, and log-densities (obs, component, cell), NaN of a cell that is missing.
FAMILIES = {
    "poisson": (counts, models.poisson, lambda t, x: stats.poisson.logpmf(x, t["rate"])),
    "negative_binomial": (
        counts,
        models.negative_binomial,
        lambda t, x: stats.nbinom.logpmf(x, t["alpha"], t["alpha"] / (t["alpha"] + t["mu"])),
    ),
    "exponential": (
        lambda rng: holes(rng, rng.exponential(2.0, (N, 3))),
        models.exponential,
        lambda t, x: stats.expon.logpdf(x, scale=1 / t["rate"]),
    ),
    "student_t": (
        lambda rng: holes(rng, rng.standard_t(3, (N, 3))),
        models.student_t,
        lambda t, x: stats.t.logpdf(x, t["nu"][:, None], t["mu"], t["sigma"]),
    ),
    "latent_class": (items, models.latent_class, lambda t, x: log_shares(t["p"], x[:, 0])),
}


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    make, declare, density = FAMILIES[request.param]
    x = make(np.random.default_rng(1))
    return x, declare(pd.DataFrame(x, columns=["a", "b", "c"]), 2), density


def joint(x, theta, density):
    return np.log(theta["w"]) + np.nansum(density(theta, x[:, None]), axis=-1)


def test_a_row_says_what_its_other_cells_say(family):
    x, model, density = family
    theta = derive(model).space.jittered(np.random.default_rng(2))
    found = unmix.bayes_rule(model, theta)
    right = joint(x, theta, density)
    total = np.logaddexp.reduce(right, axis=1)
    # SciPy's densities are good to some 1e-13, and sums here are below 100.
    np.testing.assert_allclose(found["log_marginal"], total, atol=1e-11)
    np.testing.assert_allclose(found["responsibility"], np.exp(right - total[:, None]), atol=1e-11)
    # Nothing is known of row 5, and it adds nothing to the likelihood.
    np.testing.assert_allclose(found["responsibility"][5], theta["w"], rtol=1e-12)
    assert found["log_marginal"].to_numpy()[5] == pytest.approx(0.0, abs=1e-12)


def test_such_rows_are_shown_with_their_holes(family):
    _, model, _ = family
    theta = derive(model).space.jittered(np.random.default_rng(2))
    assert "x[b] = missing" in str(unmix.explain(model, theta, obs=7))


def test_a_single_new_row_will_do(family):
    """Priors are measured in what the first rows were, and no row has to tell components apart."""
    x, model, _ = family
    theta = derive(model).space.jittered(np.random.default_rng(2))
    new = models.on_rows(model, pd.DataFrame(x[7:8], columns=["a", "b", "c"]))
    np.testing.assert_allclose(
        unmix.bayes_rule(model, theta, new=new)["log_marginal"],
        unmix.bayes_rule(model, theta)["log_marginal"][7:8],
        rtol=1e-12,
    )


@pytest.mark.parametrize("name", ["poisson", "exponential", "latent_class"])
def test_the_m_step_counts_the_cells_that_are_there(name):
    make, declare, density = FAMILIES[name]
    x = make(np.random.default_rng(1))
    model = declare(pd.DataFrame(x), 2)
    derivation = derive(model)
    objective = make_objective(derivation, "likelihood", None)
    blocks = {block.names[0]: block for block in closed_forms(objective)}
    assert set(blocks) == set(derivation.parameters)
    theta = derivation.space.jittered(np.random.default_rng(2))
    r = np.random.default_rng(3).dirichlet([1, 1], size=N)

    def expected(at):
        return float((r * joint(x, at, density)).sum())

    best = dict(theta)
    for block in blocks.values():
        best |= block.step(theta, r)
    # The maximum over all directions, of a function that SciPy computes.
    rng = np.random.default_rng(4)
    for _ in range(20):
        u = derivation.space.unconstrain(best)
        u = {n: v + 0.02 * rng.standard_normal(np.shape(v)) for n, v in u.items()}
        assert expected(derivation.space.constrain(u)) < expected(best)


@pytest.mark.parametrize("known", [np.arange(N)[:, None] % 3 > 0, np.array([True, False, True])])
def test_cells_that_a_parameter_does_not_enter(known):
    """Of a model of one's own: some rows, or a column, have a rate that is known."""
    x = np.random.default_rng(1).poisson(4, (N, 3))
    with pm.Model() as model:
        rate = pm.Gamma("rate", 2, 0.5, shape=(2, 3))
        z = pm.Categorical("z", [0.5, 0.5], shape=N)
        pm.Poisson("x", pt.where(known, rate[z], 2.0), observed=x)
    (block,) = closed_forms(make_objective(derive(model), "likelihood", None))
    r, before = np.random.default_rng(3).dirichlet([1, 1], size=N), np.full((2, 3), 7.0)
    there = np.broadcast_to(known, x.shape)
    n = r.T @ there
    right = np.divide(r.T @ (x * there), n, out=before.copy(), where=n > 0)
    np.testing.assert_allclose(block.step({"rate": before}, r)["rate"], right, rtol=1e-12)


@pytest.mark.parametrize("name", ["poisson", "latent_class"])
@pytest.mark.parametrize("mutant", FAMILY_CELLS.values(), ids=FAMILY_CELLS)
def test_wrong_cells_are_rejected(name, mutant, monkeypatch):
    mutant(monkeypatch)
    make, declare, density = FAMILIES[name]
    x = make(np.random.default_rng(1))
    model = declare(pd.DataFrame(x), 2)
    theta = derive(model).space.jittered(np.random.default_rng(2))
    total = np.logaddexp.reduce(joint(x, theta, density), axis=1)
    assert not np.allclose(unmix.bayes_rule(model, theta)["log_marginal"], total, atol=1e-6)


# --- columns of different kinds -------------------------------------------------------------------


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=N),
            "visits": pd.Series(rng.poisson(4, N)).astype(object),
            "site": rng.choice(["north", "south", "west"], N),
            "smokes": pd.Series(rng.random(N) < 0.5).astype(object),
        }
    )
    for column, rows in {"size": [1, 5], "visits": [2, 5], "site": [5], "smokes": [3, 5]}.items():
        frame.loc[rows, column] = None
    return frame


@pytest.fixture(scope="module")
def mixed(table):
    return models.mixed(table, 2)


def test_families_are_guessed_from_the_cells_that_are_there(table):
    right = {
        "size": "normal", "visits": "poisson", "site": "categorical", "smokes": "bernoulli",
    }  # fmt: skip
    assert models.guessed_families(table) == right
    # pandas reads whole numbers as floats where one is missing.
    assert models.guessed_families(table.astype({"visits": float})) == right


def test_columns_of_different_kinds(table, mixed):
    theta = derive(mixed).space.jittered(np.random.default_rng(2))
    right = np.log(theta["w"]) * np.ones((N, 1))
    column = {name: table[name].dropna() for name in table}
    for name, density in {
        "size": lambda x: stats.norm.logpdf(x, theta["mu_size"], theta["sigma_size"]),
        "visits": lambda x: stats.poisson.logpmf(x, theta["rate_visits"]),
        "smokes": lambda x: stats.bernoulli.logpmf(x, theta["p_smokes"]),
    }.items():
        right[column[name].index] += density(column[name].to_numpy(float)[:, None])
    codes = column["site"].map({"north": 0, "south": 1, "west": 2}).to_numpy()
    right[column["site"].index] += np.log(theta["p_site"][:, codes]).T
    total = np.logaddexp.reduce(right, axis=1)
    found = unmix.bayes_rule(mixed, theta)
    np.testing.assert_allclose(found["log_marginal"], total, atol=1e-11)
    np.testing.assert_allclose(found["responsibility"], np.exp(right - total[:, None]), atol=1e-11)


def test_every_parameter_of_theirs_has_a_closed_form(mixed):
    derivation = derive(mixed)
    blocks = closed_forms(make_objective(derivation, "likelihood", None))
    assert {n for block in blocks for n in block.names} == set(derivation.parameters)


def test_a_saved_fit_keeps_the_holes(table, mixed, tmp_path):
    em = unmix.em(mixed, starts=1, max_iterations=3, rng=1)
    tree = io.load_tree(unmix.save(em, tmp_path / "em.nc", model=mixed))
    again = io.load_model(tree)
    np.testing.assert_array_equal(
        unmix.responsibilities(again, em)["responsibility"],
        unmix.responsibilities(mixed, em)["responsibility"],
    )
    kept = again.rvs_to_values[again["site"]].eval()
    np.testing.assert_array_equal(kept, mixed.rvs_to_values[mixed["site"]].eval())


def test_new_rows_with_holes_are_a_second_model(table, mixed):
    theta = derive(mixed).space.jittered(np.random.default_rng(2))
    with pytest.raises(unmix.UnmixError, match=r"unmix.models.on_rows"):
        unmix.bayes_rule(mixed, theta, new=table.iloc[:4])
    some = models.on_rows(mixed, table.iloc[:8])
    np.testing.assert_allclose(
        unmix.bayes_rule(mixed, theta, new=some)["responsibility"],
        unmix.bayes_rule(mixed, theta)["responsibility"][:8],
        rtol=1e-12,
    )


def test_a_single_new_row_of_columns_of_different_kinds(table, mixed):
    theta = derive(mixed).space.jittered(np.random.default_rng(2))
    new = models.on_rows(mixed, table.iloc[[2]])
    np.testing.assert_allclose(
        unmix.bayes_rule(mixed, theta, new=new)["log_marginal"],
        unmix.bayes_rule(mixed, theta)["log_marginal"][2:3],
        rtol=1e-12,
    )
    assert recipe_of(new).arguments == recipe_of(mixed).arguments


@pytest.mark.parametrize(
    ("scales", "words"),
    [
        ({"size": {"centre": 0, "spread": 1, "scale": 1}}, "of column 'visits', which is poisson"),
        ({"size": {"centre": 0, "spread": 1}}, "give scales 'centre', 'spread' and 'scale'"),
        (
            {"size": {"centre": 0, "spread": 1, "scale": 1}, "visits": {"mean": 2.0}},
            "of column 'site', which is categorical, not: give levels",
        ),
        ({"size": {"centre": 0, "spread": 0, "scale": 1}}, "spread in scales is 0"),
    ],
)
def test_scales_are_of_all_columns(table, scales, words):
    with pytest.raises(unmix.UnmixError, match=words):
        models.mixed(table, 2, scales=scales)


def test_a_multivariate_t_has_no_cells_apart():
    x = np.random.default_rng(1).normal(size=(N, 2))
    x[3, 1] = np.nan
    with pytest.raises(unmix.UnmixError, match=r"column 'x1' has no value in row 3, and"):
        models.student_t(x, 2, covariance="full")
