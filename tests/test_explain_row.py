"""`unmix.explain` on why a row went where it did: pulls, ties, neighbours; and that it is quick."""

import itertools
import json
import re

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from mutants_rows import NEIGHBOURS, PULLS
from registry import built, derived
from scipy.optimize import brentq
from scipy.special import betaln
from scipy.stats import bernoulli, multivariate_normal, norm
from truth import EXACT, NORMAL_ROWS

import unmix
from unmix.assign.neighbours import co_assignment, nearest
from unmix.derive.theta import stack_theta
from unmix.show import explain, one_row
from unmix.show.sections import alike

THETA = {"w": np.array([0.3, 0.7]), "mu": np.array([-2.0, 1.5]), "sigma": np.array([0.8, 1.2])}


def draws_of_normal(seed=4, spread=0.4):
    """40 draws about THETA, labels swapped in some; and the same with none swapped."""
    rng = np.random.default_rng(seed)
    w = rng.dirichlet([30, 70], (2, 20))
    mu = THETA["mu"] + spread * rng.normal(size=(2, 20, 2))
    sigma = THETA["sigma"] * np.exp(0.1 * rng.normal(size=(2, 20, 2)))
    matched = {"w": w, "mu": mu, "sigma": sigma}
    order = np.where((rng.random((2, 20)) < 0.4)[..., None], [1, 0], [0, 1])
    dims = ("chain", "draw", "component")
    raw = xr.Dataset({n: (dims, np.take_along_axis(v, order, -1)) for n, v in matched.items()})
    return raw, {n: v.reshape(40, 2) for n, v in matched.items()}


def matched_components(explanation):
    """Which of the result's components is the first of `draws_of_normal`."""
    return 0 if explanation.table["prior"].sel(summary="mean").values[0] < 0.5 else 1


@pytest.fixture(scope="module")
def normal():
    return built("normal"), np.asarray(derived("normal").entries.data["x"])


@pytest.fixture(scope="module")
def plane():
    """Two features of a full normal and one binary one, sharing z."""
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(9, 2)), rng.integers(2, size=9)
    coords = {"feature": ["length", "width"], "obs": range(9)}
    with pm.Model(coords=coords) as model:
        w = pm.Dirichlet("w", [1, 1, 1])
        mu = pm.Normal("mu", 0, 3, shape=(3, 2))
        chol = pm.Normal("chol", 0, 1, shape=(3, 3))
        p = pm.Beta("p", 1, 1, shape=3)
        z = pm.Categorical("z", w, shape=9)
        packed = pm.math.stack(
            [pm.math.stack([pm.math.exp(chol[:, 0]), 0 * chol[:, 0]], axis=-1),
             pm.math.stack([chol[:, 1], pm.math.exp(chol[:, 2])], axis=-1)], axis=-2,
        )  # fmt: skip
        pm.MvNormal("x", mu[z], chol=packed[z], observed=x, dims=("obs", "feature"))
        pm.Bernoulli("y", p[z], observed=y)
    theta = {
        "w": np.array([0.2, 0.5, 0.3]),
        "mu": rng.normal(size=(3, 2)),
        "chol": rng.normal(size=(3, 3)) * 0.5,
        "p": np.array([0.1, 0.5, 0.8]),
    }
    lower = np.zeros((3, 2, 2))
    lower[:, 0, 0], lower[:, 1, 0] = np.exp(theta["chol"][:, 0]), theta["chol"][:, 1]
    lower[:, 1, 1] = np.exp(theta["chol"][:, 2])
    return model, theta, x, y, lower @ np.swapaxes(lower, 1, 2)


# -- pulls -----------------------------------------------------------------------------------------


def conditionals(x, mu, cov):
    """log p(x_0), log p(x_1 | x_0) as differences of marginals, each by SciPy."""
    upto = [multivariate_normal.logpdf(x[: j + 1], mu[: j + 1], cov[: j + 1, : j + 1])
            for j in range(len(x))]  # fmt: skip
    return np.diff([0.0, *upto])


def require_pulls(found, parts_of, theta, y):
    """Contributions against those by hand, for the leading component against each other one."""
    labels = [0, 1, 2]
    parts = {k: [*parts_of(k), bernoulli.logpmf(y, theta["p"][k])] for k in labels}
    a = int(found.attrs["leading"])
    for k in found["against"].values:
        expected = np.subtract(parts[a], parts[int(k)])
        pull = found["feature_pull"].sel(against=k)
        # A handful of operations on doubles of order 10.
        np.testing.assert_allclose(pull, expected, atol=1e-11)
        prior = np.log(theta["w"][a] / theta["w"][int(k)])
        np.testing.assert_allclose(found["prior_pull"].sel(against=k), prior, atol=1e-12)
        np.testing.assert_allclose(
            found["log_odds"].sel(against=k), prior + expected.sum(), atol=1e-11
        )


def test_pulls_are_exact_or_sequential_and_add_up(plane):
    model, theta, x, y, cov = plane
    for row in (0, 5):
        explanation = explain(model, theta, obs=row, features=True)
        found = explanation.contributions
        assert found["feature"].values.tolist() == ["x[length]", "x[width]", "y"]
        assert found["how"].values.tolist() == ["given those before it"] * 2 + [
            "independent given z"
        ]
        require_pulls(found, lambda k, row=row: conditionals(x[row], theta["mu"][k], cov[k]),
                      theta, y[row])  # fmt: skip
        r = explanation.table["log_responsibility"].values
        a = int(found.attrs["leading"])
        odds = [r[a] - r[int(k)] for k in found["against"].values]
        np.testing.assert_allclose(found["log_odds"], odds, atol=1e-11)


@pytest.mark.parametrize("mutant", PULLS)
def test_other_conditionals_are_seen(plane, mutant):
    model, theta, x, y, cov = plane
    found = explain(model, theta, obs=0, features=True).contributions
    with pytest.raises(AssertionError):
        require_pulls(found, lambda k: PULLS[mutant](x[0], theta["mu"][k], cov[k]), theta, y[0])


def test_pulls_over_draws_are_means_of_logarithms_of_matched_components(normal):
    model, x = normal
    raw, matched = draws_of_normal()
    explanation = explain(model, raw, obs=3, features=True)
    first = matched_components(explanation)
    log_p = norm.logpdf(x[3], matched["mu"], matched["sigma"])
    a = int(explanation.contributions.attrs["leading"])
    sign = 1 if a == first else -1
    ratio = sign * (log_p[:, 0] - log_p[:, 1])
    pull = explanation.contributions["feature_pull"].isel(against=0, feature=0)
    expected = [ratio.mean(), *np.quantile(ratio, [0.055, 0.945])]
    np.testing.assert_allclose(pull, expected, rtol=1e-11)
    # Seen to matter: in raw labels the mean is another number.
    raw_ratio = norm.logpdf(x[3], raw["mu"], raw["sigma"])
    assert abs((raw_ratio[..., 0] - raw_ratio[..., 1]).mean()) < 0.7 * abs(ratio.mean())


def test_a_vector_that_does_not_split_is_one_part():
    model = built("multinomial_counts")
    theta = {"w": [0.4, 0.6], "p": np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])}
    explanation = explain(model, theta, obs=2, features=True)
    assert explanation.contributions["feature"].values.tolist() == ["x"]
    assert explanation.contributions["how"].values.tolist() == ["all its values together"]
    assert "all its values together" in str(explanation)
    assert explanation.ties == ()
    assert "not continuous" in str(explanation)


def test_a_row_of_several_entries_has_a_pull_for_each():
    model = built("subject_level_assignment")
    explanation = explain(model, {"w": [0.4, 0.6], "mu": [-2.0, 2.0]}, obs=0, features=True)
    found = explanation.contributions
    assert found["feature"].values.tolist() == ["x[0]", "x[1]", "x[2]"]
    x = np.asarray(derived("subject_level_assignment").entries.data["x"])[:3]
    sign = 1 if found.attrs["leading"] == 1 else -1
    np.testing.assert_allclose(found["feature_pull"][0], sign * 4 * x, atol=1e-11)
    assert explanation.ties == ()
    assert "no feature of one row can be moved alone" in " ".join(str(explanation).split())


# -- ties ------------------------------------------------------------------------------------------


def test_the_tie_of_two_normals_of_one_sd_is_in_closed_form(normal):
    model, x = normal
    theta = {**THETA, "sigma": np.array([0.9, 0.9])}
    expected = np.mean(theta["mu"]) + 0.81 * np.log(0.3 / 0.7) / 3.5
    for row in range(4):
        (tie,) = explain(model, theta, obs=row, features=True).ties
        assert tie.at == pytest.approx(expected, abs=1e-8)
        assert tie.value == x[row]
        assert (tie.low, tie.high) == (x.min(), x.max())
        at = explain(model, theta, new={"x": [tie.at]}).table["responsibility"]
        np.testing.assert_allclose(at, 0.5, atol=1e-7)


def test_the_nearest_of_two_ties_is_given(normal):
    model, x = normal
    theta = {"w": np.array([0.5, 0.5]), "mu": np.array([0.0, 0.0]), "sigma": np.array([0.5, 2.0])}
    edge = brentq(lambda v: norm.logpdf(v, 0, 0.5) - norm.logpdf(v, 0, 2.0), 0, 3)
    for row in range(len(x)):
        (tie,) = explain(model, theta, obs=row, features=True).ties
        assert tie.at == pytest.approx(np.sign(x[row]) * edge, abs=1e-8)


def averaged_gap(matched, v):
    joint = matched["w"] * norm.pdf(v, matched["mu"], matched["sigma"])
    return np.subtract(*(joint / joint.sum(axis=1, keepdims=True)).mean(axis=0))


def test_over_draws_the_averaged_responsibilities_tie(normal):
    model, _ = normal
    raw, matched = draws_of_normal(spread=1.0)
    (tie,) = explain(model, raw, obs=3, features=True).ties
    assert tie.at == pytest.approx(brentq(lambda v: averaged_gap(matched, v), -1.5, 1.5), abs=1e-7)
    mean = {n: v.mean(axis=0, keepdims=True) for n, v in matched.items()}
    plug_in = brentq(lambda v: averaged_gap(mean, v), -1.5, 1.5)
    assert abs(tie.at - plug_in) > 1e-3  # at the mean of θ it would be elsewhere


def test_no_tie_in_the_range_and_a_third_component_above(plane):
    model, theta, *_ = plane
    same = {**theta, "mu": np.zeros((3, 2)), "chol": np.zeros((3, 3)), "w": [0.8, 0.1, 0.1]}
    explanation = explain(model, same, obs=0, features=True)
    assert [t.at for t in explanation.ties] == [None, None]
    assert "no tie within the data's range: x[length]" in " ".join(str(explanation).split())
    assert "y" not in [t.feature for t in explanation.ties]
    with pm.Model() as line:
        mu = pm.Normal("mu", 0, 5, shape=3)
        z = pm.Categorical("z", [0.4, 0.2, 0.4], shape=3)
        pm.Normal("x", mu[z], pm.math.stack([1.0, 0.2, 1.0])[z], observed=[-3.0, -1.4, 3.0])
    (tie,) = explain(line, {"mu": [-3.0, 0.0, 3.0]}, obs=1, features=True).ties
    assert tie.at == pytest.approx(0.0, abs=1e-8)
    assert tie.above == 1
    text = " ".join(str(explain(line, {"mu": [-3.0, 0.0, 3.0]}, obs=1, features=True)).split())
    assert "where component 1 is more probable than both" in text


# -- neighbours ------------------------------------------------------------------------------------


def responsibilities_of(name, stack):
    return derived(name).bayes(stack.values).responsibility


@pytest.mark.parametrize("row", [0, 7])
def test_neighbours_are_those_of_the_whole_matrix(normal, row):
    model, _ = normal
    raw, _ = draws_of_normal()
    stack = stack_theta(derived("normal"), raw)
    r = responsibilities_of("normal", stack)
    matrix = np.einsum("snk,smk->nm", r, r) / len(r)
    found, apart, used = co_assignment(derived("normal"), stack, r[:, row])
    assert used == 40
    np.testing.assert_allclose(found, matrix[row], rtol=1e-12)
    own = np.diag(matrix)
    squared = own[row] + own - 2 * matrix[row]
    np.testing.assert_allclose(apart**2, squared, atol=1e-13)  # of differences of ones
    near = explain(model, raw, obs=row, neighbours=4).neighbours
    order = [j for j in np.argsort(squared, kind="stable") if j != row][:4]
    assert near["obs"].values.tolist() == order
    np.testing.assert_allclose(near, matrix[row][order], rtol=1e-12)
    np.testing.assert_allclose(near["distance"] ** 2, squared[order], atol=1e-13)
    for mutant in NEIGHBOURS.values():
        with pytest.raises(AssertionError):
            np.testing.assert_allclose(mutant(r, row), matrix[row], rtol=1e-12)


def test_neighbours_of_a_doubtful_row_are_doubtful():
    """Components at -2 and 2: rows about 0 are in doubt, and alike; sure rows are not like them."""
    x = np.array([-2.5, -2.0, -0.1, 0.0, 0.15, 2.0, 2.5])
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 3, shape=2)
        z = pm.Categorical("z", [0.5, 0.5], shape=7)
        pm.Normal("x", mu[z], 1, observed=x)
    for theta in ({"mu": [-2.0, 2.0]}, {"mu": np.array([[-2.1, 2.0], [2.0, -1.9]])}):
        assert explain(model, theta, obs=3, neighbours=2).neighbours["obs"].values.tolist() == [
            2,
            4,
        ]
        # Seen to matter: the sure rows have the larger probability of one component with row 4.
        near = explain(model, theta, obs=4, neighbours=6).neighbours
        assert float(near.sel(obs=6)) > float(near.sel(obs=3))
        assert near["obs"].values.tolist()[:2] == [3, 2]
        sure = explain(model, theta, obs=0, neighbours=6).neighbours
        assert sure["obs"].values.tolist() == [1, 2, 3, 4, 5, 6]
        assert np.all(np.diff(sure.values) < 0)
        # Printed are those that are alike, and that there are no more.
        printed = explain(model, theta, obs=0, neighbours=6).text().splitlines()[-1]
        assert re.fullmatch(r"  1 \(.*\), no other row is near", printed), printed
        printed = explain(model, theta, obs=3, neighbours=2).text().splitlines()[-1]
        assert "near" not in printed


def test_a_row_that_is_like_no_other_has_no_neighbours():
    found = xr.DataArray(
        [0.3, 0.2], coords={"obs": [4, 7], "distance": ("obs", [0.9, 1.1])}, dims="obs"
    )
    assert alike(found)[1] == ["  no row is near"]


def test_neighbours_of_a_new_row_are_rows_of_the_fit(normal):
    model, x = normal
    raw, _ = draws_of_normal()
    new = explain(model, raw, new={"x": x[[3]]}, neighbours=12).neighbours
    old = explain(model, raw, obs=3, neighbours=12).neighbours
    assert (new.size, old.size) == (12, 11)  # a row of the fit is no neighbour of its own
    np.testing.assert_allclose(new.sel(obs=old["obs"]), old, rtol=1e-12)


def test_co_assignment_is_the_enumerated_posterior():
    """θ drawn exactly: z from all 2^10 assignments, then w and mu from their conjugates."""
    x, exact = np.array(NORMAL_ROWS), EXACT["normal_known_K2"]
    z = np.array(list(itertools.product([0, 1], repeat=10)))
    log_p = betaln(1 + z.sum(1), 1 + (1 - z).sum(1))
    for k in (0, 1):
        mine = z == k
        n, s = mine.sum(1), (mine * x).sum(1)
        # N(0, 10) means and unit variances: integrated, up to what all z share.
        log_p = log_p - 0.5 * np.log1p(10 * n) + 0.5 * s**2 / (n + 0.1)
    rng = np.random.default_rng(2)
    p = np.exp(log_p - log_p.max())
    drawn = z[rng.choice(1024, 4000, p=p / p.sum())]
    one = drawn.sum(1)
    w1 = rng.beta(1 + one, 1 + 10 - one)
    mu = np.stack(
        [rng.normal(((drawn == k) * x).sum(1) / ((drawn == k).sum(1) + 0.1),
                    1 / np.sqrt((drawn == k).sum(1) + 0.1)) for k in (0, 1)], axis=1,
    )  # fmt: skip
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        means = pm.Normal("mu", 0, np.sqrt(10), shape=2)
        latent = pm.Categorical("z", w, shape=10)
        pm.Normal("x", means[latent], 1, observed=x)
    derivation = unmix.derive(model)
    fit = xr.Dataset({"w": (("draw", "c"), np.stack([1 - w1, w1], 1)), "mu": (("draw", "c"), mu)})
    stack = stack_theta(derivation, fit)
    r = derivation.bayes(stack.values).responsibility
    at = 0
    for i in range(10):
        found, _, _ = co_assignment(derivation, stack, r[:, i])
        for j in range(i + 1, 10):
            own = (r[:, i] * r[:, j]).sum(axis=1)
            # 5 standard errors of 4,000 independent draws, 45 pairs: false alarms 3e-5.
            error = 5 * own.std() / np.sqrt(4000)
            assert abs(found[j] - exact.together[at]) < error + 1e-9
            at += 1


def test_nearest_takes_rows_in_order():
    p = 1 - np.array([0.5, 0.9, 0.5, 0.9, 0.1])
    assert nearest(p, 3).tolist() == [1, 3, 0]
    assert nearest(p, 2, left_out=1).tolist() == [3, 0]
    assert nearest(p, 9, left_out=4).tolist() == [1, 3, 0, 2]
    assert nearest(p[:1], 3, left_out=0).tolist() == []
    for bad in (-1, 1.5, True):
        with pytest.raises(unmix.UnmixError, match="neighbours is"):
            nearest(p, bad)


def test_draws_are_thinned_for_a_large_table(normal, monkeypatch):
    import sys

    room = sys.modules["unmix.assign.neighbours"]
    monkeypatch.setattr(room, "MOST", 10 * 12 * 2)
    monkeypatch.setattr(room, "FEWEST_DRAWS", 5)
    raw, _ = draws_of_normal()
    explanation = explain(normal[0], raw, obs=0, neighbours=2)
    assert explanation.neighbours.attrs["draws"] == 10
    assert "read off 10 draws" in " ".join(str(explanation).split())


# -- one row, not all ------------------------------------------------------------------------------


@pytest.mark.parametrize("new", [None, {"x": np.array([-1.0, 0.4, 2.0, 1.0])}])
def test_the_row_alone_gives_what_the_table_gives(normal, monkeypatch, new):
    model, _ = normal
    raw, _ = draws_of_normal()
    whole = explain(model, raw, obs=2, new=new)
    monkeypatch.setattr(one_row, "WHOLE", 0)
    import sys

    derivation = sys.modules["unmix.derive.derivation"].Derivation
    if new is None:  # the table is not asked, but for matching components over draws
        tree = xr.DataTree.from_dict(
            {
                "posterior": raw,
                "alignment": xr.Dataset(
                    {
                        "permutation": (("chain", "draw", "component"), whole_permutation(raw)),
                        "margin": (("chain", "draw"), np.ones((2, 20))),
                    }
                ),
            }
        )
        tree["alignment"].attrs["identified"] = 0
        monkeypatch.setattr(derivation, "log_terms", None)
        alone = explain(model, tree, obs=2)
    else:
        alone = explain(model, raw, obs=2, new=new)
    order = [0, 1]
    if matched_components(alone) != matched_components(whole):
        order = [1, 0]
    for name in ("prior", "likelihood", "joint", "responsibility"):
        np.testing.assert_allclose(
            alone.table[name].values[:, order], whole.table[name], rtol=1e-12
        )


def whole_permutation(raw):
    return np.argsort(raw["w"].values, axis=-1)


# -- printed ---------------------------------------------------------------------------------------


def test_by_default_nothing_is_added(normal):
    explanation = explain(normal[0], THETA, obs=1)
    assert explanation.contributions is None
    assert explanation.ties is None
    assert explanation.neighbours is None
    assert "What" not in str(explanation).replace("What was", "")


def test_printed_sections_hold_the_numbers(normal):
    model, _ = normal
    explanation = explain(model, THETA, obs=1, features=True, neighbours=3)
    text = str(explanation)
    pull = float(explanation.contributions["feature_pull"][0, 0])
    assert f"{pull:+.3f}".replace("-", "−") in text
    assert f"x at {explanation.ties[0].at:.6g}".replace("-", "−") in text
    assert "Nearest neighbours" in text
    assert max(map(len, text.splitlines())) <= 100
    assert len(text.splitlines()) <= 50
    html = explanation._repr_html_()
    for title in ("What pulls it", "What would change its mind", "Nearest neighbours"):
        assert title in html
    raw, _ = draws_of_normal()
    text = str(explain(model, raw, obs=1, features=True, neighbours=3))
    assert max(map(len, text.splitlines())) <= 100


def test_one_component_has_nobody_to_pull_from():
    explanation = explain(
        built("one_component"), {"w": [1.0], "mu": [0.0], "sigma": 1.0}, obs=0,
        features=True, neighbours=2,
    )  # fmt: skip
    assert explanation.contributions is None
    assert "no feature pulls" in str(explanation)
    np.testing.assert_allclose(explanation.neighbours, [1.0, 1.0])
    lone = explain(
        built("one_observation"), {"w": [0.4, 0.6], "mu": [0.0, 1.0]}, features=True, neighbours=2
    )
    assert lone.neighbours.size == 0
    json.dumps(lone.contributions["feature"].values.tolist())


def test_components_that_are_not_identified_are_not_pulled_apart(normal):
    same = xr.Dataset(
        {n: (("draw", "c"), np.tile(v, (30, 1))) for n, v in {
            "w": [0.5, 0.5], "mu": [0.0, 0.0], "sigma": [1.0, 1.0]}.items()}
    )  # fmt: skip
    same["mu"] = same["mu"] + 0.01 * np.random.default_rng(0).normal(size=(30, 2))
    explanation = explain(normal[0], same, obs=0, features=True)
    assert explanation.contributions is None
    assert "no telling one component from another" in " ".join(str(explanation).split())


def test_one_row_is_evaluated_without_the_others(monkeypatch):
    from unmix.derive import Derivation, derive
    from unmix.derive.by_rows import ByRows
    from unmix.derive.theta import stack_theta
    from unmix.show.one_row import OneRow

    x = np.random.default_rng(0).normal(size=40)
    derivation = derive(unmix.models.gaussian(x, 2))
    rng = np.random.default_rng(1)
    draws = {
        "w": rng.dirichlet([3, 4], (1, 6)),
        "mu": rng.normal(size=(1, 6, 2)),
        "sigma": rng.uniform(0.5, 2, (1, 6, 2)),
    }
    fit = xr.Dataset({n: (("chain", "draw", "component"), v) for n, v in draws.items()})
    stack = stack_theta(derivation, fit)
    prior, likelihood = derivation.log_terms(stack.values)
    looked = []
    tables = ByRows.tables

    def watched(self, theta, rows):
        looked.append(len(np.arange(40)[rows]))
        return tables(self, theta, rows)

    def whole(*_):
        raise AssertionError("the whole table, for one row")

    monkeypatch.setattr(ByRows, "tables", watched)
    monkeypatch.setattr(Derivation, "log_terms", whole)
    found = OneRow(derivation, derivation, 7, stack).log_terms()
    assert looked == [1] * 6
    np.testing.assert_allclose(found[0], prior[:, 0], rtol=1e-12)
    np.testing.assert_allclose(found[1], likelihood[:, 7], rtol=1e-12)
