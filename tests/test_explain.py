"""`unmix.explain`: Bayes' rule for one observation, number by number, as printed and as a table."""

import re
import sys
from decimal import Decimal, getcontext
from html.parser import HTMLParser
from math import inf, nan

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from registry import CASES, _line, _plane
from scipy.stats import norm

import unmix
from unmix.derive import bayes
from unmix.derive.theta import as_dataset
from unmix.show import Explanation, explain
from unmix.show.numbers import from_log, log_number, number, plain
from unmix.show.terms import log_mean, log_quantile

THETA = {
    "w": np.array([0.36, 0.64]),
    "mu": np.array([54.6, 80.1]),
    "sigma": np.array([5.9, 5.8]),
}
ROW, VALUE = 16, 62.0  # the waiting time of Old Faithful's row 16, minutes
room = sys.modules[explain.__module__]  # `unmix.show.explain` names the function
# A handful of operations on doubles of order 10, so 1e-12 is far above rounding and far below any
# mistake in a term.
ROUNDING = 1e-12


@pytest.fixture(scope="module")
def waiting():
    return unmix.models.gaussian(unmix.datasets.old_faithful()["waiting"], 2)


@pytest.fixture(scope="module")
def draws():
    """A fit of 3 chains x 200 draws whose labels are swapped in a third of them, with fresh z."""
    rng = np.random.default_rng(20)
    chains, n = 3, 200
    dims = ("chain", "draw", "component")
    aligned = {
        "w": rng.dirichlet([98, 174], (chains, n)),
        "mu": THETA["mu"] + 2.5 * rng.normal(size=(chains, n, 2)),
        "sigma": THETA["sigma"] + 0.4 * rng.normal(size=(chains, n, 2)),
    }
    swapped = rng.random((chains, n)) < 1 / 3
    permutation = np.where(swapped[..., None], [1, 0], [0, 1])
    raw = {name: np.take_along_axis(v, permutation, -1) for name, v in aligned.items()}
    x = unmix.datasets.old_faithful()["waiting"].to_numpy(float)
    joint = raw["w"][:, :, None] * norm.pdf(
        x[:, None], raw["mu"][:, :, None], raw["sigma"][:, :, None]
    )
    r = joint / joint.sum(-1, keepdims=True)
    z = (rng.random(r.shape[:-1]) < r[..., 1]).astype(np.uint8)
    tree = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset({name: (dims, v) for name, v in raw.items()}),
            "assignments": xr.Dataset({"z": (("chain", "draw", "obs"), z)}),
            "alignment": xr.Dataset(
                {"permutation": (dims, permutation), "margin": (dims[:2], np.ones((chains, n)))}
            ),
        }
    )
    tree.attrs["z_kind"] = "fresh"
    return tree, aligned


def terms_by_scipy(theta, x):
    """The five terms on the natural scale, shape (…, component); written out once more, by hand."""
    likelihood = norm.pdf(x, theta["mu"], theta["sigma"])
    joint = theta["w"] * likelihood
    marginal = joint.sum(-1)
    return {
        "prior": theta["w"],
        "likelihood": likelihood,
        "joint": joint,
        "marginal": marginal,
        "responsibility": joint / marginal[..., None],
    }


def require_terms(table, theta, x):
    for name, value in terms_by_scipy(theta, x).items():
        np.testing.assert_allclose(table[name], value, rtol=ROUNDING, err_msg=name)
        np.testing.assert_allclose(table[f"log_{name}"], np.log(value), rtol=0, atol=ROUNDING)


def printed_row(text, component):
    """Cells of the line of one component in the printed derivation."""
    line = next(line for line in text.splitlines() if line.startswith(f"  {component} "))
    return line.split()[1:]


# -- one θ -----------------------------------------------------------------------------------------


def test_terms_are_those_of_scipy(waiting):
    require_terms(explain(waiting, THETA, obs=ROW).table, THETA, VALUE)


def test_forgetting_the_prior_is_seen(waiting, monkeypatch):
    monkeypatch.setattr(bayes, "joint", lambda log_prior, log_likelihood: log_likelihood * 1.0)
    with pytest.raises(AssertionError, match="joint"):
        require_terms(explain(waiting, THETA, obs=ROW).table, THETA, VALUE)


def test_taking_variance_for_sd_is_seen(waiting):
    wrong = {**THETA, "sigma": THETA["sigma"] ** 2}
    with pytest.raises(AssertionError, match="likelihood"):
        require_terms(explain(waiting, wrong, obs=ROW).table, THETA, VALUE)


def test_printed_numbers_are_the_terms(waiting):
    text = str(explain(waiting, THETA, obs=ROW))
    terms = terms_by_scipy(THETA, VALUE)
    names = ["prior", "likelihood", "joint", "responsibility"]
    for k in (0, 1):
        shown = [float(cell) for cell in printed_row(text, k)]
        # Four figures, or three in scientific notation: half a unit of the last is 5e-3 relative.
        np.testing.assert_allclose(shown, [terms[n][k] for n in names], rtol=5e-3)
    below = next(line for line in text.splitlines() if "p(B) marginal" in line)
    assert float(below.split()[-1]) == pytest.approx(terms["marginal"], rel=5e-3)


def test_the_derivation_is_laid_out_with_its_events_and_data(waiting):
    text = str(explain(waiting, THETA, obs=ROW))
    order = ["observation 16", "p(A) p(B|A)", "A = {z_i = k}", "B = {x_i}", "x = 62", "C = {z_i ="]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert max(map(len, text.splitlines())) <= 80


def test_logarithms_on_request(waiting):
    text = explain(waiting, THETA, obs=ROW).text(logs=True)
    terms = terms_by_scipy(THETA, VALUE)
    shown = [float(cell.replace("−", "-")) for cell in printed_row(text, 1)]
    names = ["prior", "likelihood", "joint", "responsibility"]
    np.testing.assert_allclose(shown, [np.log(terms[n][1]) for n in names], atol=5e-4)


def test_at_maximum_likelihood(waiting):
    em = unmix.em(waiting, rng=1, progress=False)
    theta = {name: em.theta[name].to_numpy() for name in THETA}
    # Responsibilities of the short eruptions as published for this fit. EM's fixed point differs
    # from them by at most 1.1e-5 (0.4235296 at 67 minutes), and where EM stops by another 2e-6.
    for minutes, published in ((64, 0.871065), (66, 0.60617), (67, 0.42354), (70, 0.07401)):
        explanation = explain(waiting, em, new={"x": np.array([float(minutes)])})
        require_terms(explanation.table, theta, minutes)
        assert float(explanation.table["responsibility"][0]) == pytest.approx(published, abs=2e-5)
        assert "At the maximum likelihood θ found by EM." in str(explanation)


def test_a_new_row(waiting):
    explanation = explain(waiting, THETA, new={"x": np.array([70.0])})
    require_terms(explanation.table, THETA, 70.0)
    assert "new observation 0" in str(explanation)
    assert "x = 70" in str(explanation)
    several = {"x": np.array([70.0, 50.0, 60.0])}
    require_terms(explain(waiting, THETA, obs=1, new=several).table, THETA, 50.0)
    with pytest.raises(unmix.UnmixError, match=r"new holds 3 rows.*0 to 2"):
        explain(waiting, THETA, new=several)


def test_a_status_that_is_not_converged_is_said(waiting):
    class Stopped:
        theta = xr.Dataset({n: ("component", v) for n, v in THETA.items()})
        kind, converged = "likelihood", False
        status = type("Status", (), {"name": "iteration limit", "advice": "Raise it."})

    assert "EM has not converged (iteration limit). Raise it." in str(
        explain(waiting, Stopped(), obs=ROW)
    )


# -- extremes --------------------------------------------------------------------------------------


def test_numbers_below_the_smallest_float_are_printed(waiting):
    explanation = explain(waiting, THETA, new={"x": np.array([500.0])})
    log_likelihood = norm.logpdf(500.0, THETA["mu"], THETA["sigma"])
    assert log_likelihood.max() < np.log(5e-324)  # as floats both are 0
    text = str(explanation)
    for k in (0, 1):
        getcontext().prec = 40
        exact = Decimal(float(log_likelihood[k])).exp()
        shown = Decimal(printed_row(text, k)[1])
        assert abs(shown / exact - 1) < Decimal("0.005")
    # 0.64 N(500; 80.1, 5.8) dwarfs 0.36 N(500; 54.6, 5.9) by exp(228)
    ratio = log_likelihood[0] - log_likelihood[1] + np.log(0.36 / 0.64)
    assert float(printed_row(text, 0)[3]) == pytest.approx(np.exp(ratio), rel=5e-3)


@pytest.mark.parametrize(
    ("log_value", "shown"),
    [
        (-inf, "0"),
        (inf, "∞"),
        (nan, "undefined"),
        (0.0, "1.000"),
        (np.log(0.0123456), "0.01235"),
        (np.log(9.9996e-5), "1.00e-04"),
        (np.log(1e-300), "1.00e-300"),
        (-1000 * np.log(10), "1.00e-1000"),
        (np.log(23456.0), "2.35e+04"),
        (np.log(1234.0), "1234"),
    ],
)
def test_number_from_its_logarithm(log_value, shown):
    assert from_log(log_value) == shown


def test_number_with_a_sign():
    assert [number(v) for v in (-0.5, 0.0, -inf)] == ["−0.5000", "0", "−∞"]
    assert log_number(-1.5) == "−1.500"


def test_where_no_component_is_possible_nothing_is_invented():
    model = CASES["uniform_with_impossible_components"].build()
    fit = {"w": np.array([0.5, 0.5]), "top": np.array(1.5)}
    explanation = explain(model, fit, new={"x": np.array([9.0])})
    assert np.isnan(explanation.table["responsibility"]).all()
    assert float(explanation.table["log_marginal"]) == -inf
    assert printed_row(str(explanation), 0) == ["0.5000", "0", "0", "undefined"]
    assert "zero by zero" in str(explanation)
    possible = explain(model, fit, obs=0)
    assert printed_row(str(possible), 1)[1:] == ["0", "0", "0"]
    assert "zero by zero" not in str(possible)


# -- draws -----------------------------------------------------------------------------------------


def require_draws(table, aligned, x, interval):
    by_draw = terms_by_scipy({n: v.reshape(-1, 2) for n, v in aligned.items()}, x)
    tail = (1 - interval) / 2
    for name, value in by_draw.items():
        for summary, expected in (
            ("mean", value.mean(0)),
            ("lower", np.quantile(value, tail, axis=0)),
            ("upper", np.quantile(value, 1 - tail, axis=0)),
        ):
            np.testing.assert_allclose(
                table[name].sel(summary=summary), expected, rtol=ROUNDING, err_msg=name
            )


@pytest.mark.parametrize("interval", [0.89, 0.5])
def test_draws_are_matched_then_averaged(waiting, draws, interval):
    tree, aligned = draws
    explanation = explain(waiting, tree, obs=ROW, interval=interval)
    require_draws(explanation.table, aligned, VALUE, interval)
    assert f"{100 * interval:g} % interval" in str(explanation)


def test_draws_of_any_origin_are_matched_first(waiting, draws):
    tree, aligned = draws
    raw = xr.DataTree.from_dict({"posterior": tree["posterior"].to_dataset()})
    explanation = explain(waiting, raw, obs=ROW)
    order = [0, 1] if explanation.table["prior"][0, 0] < 0.5 else [1, 0]  # names are arbitrary
    same_order = {n: v[..., order] for n, v in aligned.items()}
    require_draws(explanation.table, same_order, VALUE, 0.89)


def test_averaging_before_matching_is_seen(waiting, draws, monkeypatch):
    tree, aligned = draws
    monkeypatch.setattr(room, "_match", lambda *_: None)
    with pytest.raises(AssertionError, match="prior"):
        require_draws(explain(waiting, tree, obs=ROW).table, aligned, VALUE, 0.89)


def test_components_that_cannot_be_told_apart_are_said(waiting):
    rng = np.random.default_rng(0)
    dims = ("chain", "draw", "component")
    same = xr.Dataset(
        {
            "w": (dims, rng.dirichlet([50, 50], (2, 50))),
            "mu": (dims, 70 + rng.normal(size=(2, 50, 2))),
            "sigma": (dims, np.full((2, 50, 2), 13.0)),
        }
    )
    above, below = " ".join(str(explain(waiting, same, obs=ROW)).split()).split("p(B) marginal")
    assert "Components are not identified: a line below mixes draws" in above
    assert "not identified" in below


def test_averages_are_those_of_responsibilities(waiting, draws):
    tree, _ = draws
    result = unmix.responsibilities(waiting, tree)
    table = explain(waiting, tree, obs=ROW).table
    row = result.isel(obs=ROW)
    ours = table["responsibility"]
    np.testing.assert_allclose(ours.sel(summary="mean"), row["responsibility"], rtol=ROUNDING)
    for bound in ("lower", "upper"):  # kept there in single precision, 2**-24 = 6e-8
        np.testing.assert_allclose(ours.sel(summary=bound), row[bound], rtol=2**-24)
    np.testing.assert_array_equal(table["assignment_frequency"], row["assignment_frequency"])


def test_the_count_is_the_count(waiting, draws):
    tree, _ = draws
    z = tree["assignments"]["z"].to_numpy()
    permutation = tree["alignment"]["permutation"].to_numpy()
    counted = [0, 0]
    for chain in range(3):
        for draw in range(200):
            aligned_label = list(permutation[chain, draw]).index(z[chain, draw, ROW])
            counted[aligned_label] += 1
    explanation = explain(waiting, tree, obs=ROW)
    assert explanation.table["counted"].values.tolist() == counted
    text, html = str(explanation), explanation._repr_html_()
    for count in counted:
        assert f" {count} of 600" in text
        assert f"{count} of 600<" in html
    assert float(printed_row(text, 0)[-1]) == pytest.approx(counted[0] / 600, rel=5e-4)


def test_counting_raw_labels_would_be_seen(draws):
    tree, _ = draws
    raw = int((tree["assignments"]["z"][..., ROW] == 0).sum())
    swapped = int((tree["alignment"]["permutation"][..., 0] == 1).sum())
    assert raw < 600 - swapped / 2  # what the test above would have found, were it blind to labels


def test_what_counting_should_give(waiting, draws):
    tree, aligned = draws
    # The row most in doubt, 67 minutes: there r_t differs so much between draws that the binomial
    # r (1 − r) T of its mean would be seen.
    r = terms_by_scipy({n: v.reshape(-1, 2) for n, v in aligned.items()}, 67.0)["responsibility"]
    text = " ".join(str(explain(waiting, tree, obs=248)).split())
    k = int(np.argmax(r.mean(0)))
    said = re.search(rf"component {k} was to be drawn (\d+) times, give or take ([\d.]+)", text)
    assert said is not None
    assert float(said[1]) == pytest.approx(r[:, k].sum(), abs=0.5)
    expected_sd = np.sqrt((r[:, k] * (1 - r[:, k])).sum())
    assert float(said[2]) == pytest.approx(expected_sd, abs=0.5)  # two figures are printed
    binomial = np.sqrt(r[:, k].mean() * (1 - r[:, k].mean()) * len(r))
    assert abs(binomial - expected_sd) > 1

    # A row that is sure of its component is counted in every draw, give or take nothing.
    sure = " ".join(str(explain(waiting, tree, obs=18)).split())
    assert "was to be drawn" in sure
    assert "give or take" not in sure

    dependent = tree.copy()
    dependent.attrs["z_kind"] = "dependent"
    text = str(explain(waiting, dependent, obs=ROW))
    assert "also depends on the draw before" in text
    assert "give or take" not in text


def test_the_average_of_the_ratio_is_told_from_the_ratio_of_averages(waiting, draws):
    tree, aligned = draws
    terms = terms_by_scipy({n: v.reshape(-1, 2) for n, v in aligned.items()}, VALUE)
    averaged = terms["responsibility"].mean(0)
    ratio = terms["joint"].mean(0) / terms["marginal"].mean()
    text = " ".join(str(explain(waiting, tree, obs=ROW)).split())
    said = re.search(r"component (\d): ([\d.]+), not ([\d.]+)\)", text)
    assert said is not None
    k = int(said[1])
    assert float(said[2]) == pytest.approx(averaged[k], rel=5e-4)
    assert float(said[3]) == pytest.approx(ratio[k], rel=5e-4)
    assert said[2] != said[3]


def test_relabelled_draws_are_counted_in_a_note(waiting, draws):
    tree, _ = draws
    swapped = int((tree["alignment"]["permutation"][..., 0] == 1).sum())
    assert f"{swapped} of 600 draws were relabelled" in " ".join(
        str(explain(waiting, tree, obs=ROW)).split()
    )


def test_new_rows_are_not_counted(waiting, draws):
    tree, _ = draws
    assert "counted" not in explain(waiting, tree, new={"x": np.array([62.0])}).table


def test_a_trace_that_holds_z_among_its_parameters(waiting, draws):
    tree, _ = draws
    plain_trace = xr.DataTree.from_dict(
        {"posterior": tree["posterior"].to_dataset().assign(z=tree["assignments"]["z"])}
    )
    counted = explain(waiting, plain_trace, obs=ROW).table["counted"].values.tolist()
    matched = explain(waiting, tree, obs=ROW).table["counted"].values.tolist()
    assert sorted(counted) == sorted(matched)


def test_an_alignment_of_other_draws_is_refused(waiting, draws):
    tree, _ = draws
    half = xr.DataTree.from_dict(
        {
            "posterior": tree["posterior"].to_dataset(),
            "alignment": tree["alignment"].to_dataset().isel(draw=slice(100)),
        }
    )
    with pytest.raises(unmix.UnmixError, match="thin both groups alike"):
        explain(waiting, half, obs=ROW)


def test_draws_are_printed_within_a_hundred_columns(waiting, draws):
    for row in ({"obs": ROW}, {"new": {"x": np.array([10.0])}}):
        text = str(explain(waiting, draws[0], **row))
        assert max(map(len, text.splitlines())) <= 100


def test_means_and_quantiles_in_log_space():
    values = np.random.default_rng(3).gamma(0.3, size=(101, 4))
    # logsumexp and back: a few units in the last place
    np.testing.assert_allclose(np.exp(log_mean(np.log(values))), values.mean(0), rtol=1e-13)
    for q in (0.0, 0.055, 0.5, 1.0):
        np.testing.assert_allclose(
            np.exp(log_quantile(np.log(values), q)), np.quantile(values, q, axis=0), rtol=1e-13
        )
    tiny = np.log(values) - 5000
    np.testing.assert_allclose(log_mean(tiny), np.log(values.mean(0)) - 5000, rtol=1e-12)
    half_impossible = np.array([[-inf], [-inf], [0.0], [0.0]])
    assert log_quantile(half_impossible, 0.25)[0] == -inf
    assert np.exp(log_quantile(half_impossible, 0.5)[0]) == pytest.approx(0.5)


# -- which observation, and its data ---------------------------------------------------------------


def test_a_label_may_come_as_text(waiting):
    assert explain(waiting, THETA, obs="16").table.equals(explain(waiting, THETA, obs=16).table)


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        ({"obs": 272}, r"no observation 272: labels are 0 to 271$"),
        ({"obs": "old"}, r"no observation 'old': labels are 0 to 271$"),
        ({}, r"272 observations: say which one"),
        ({"obs": 1, "interval": 1.0}, r"interval is 1.0"),
    ],
)
def test_what_cannot_be_explained(waiting, ask, sentence):
    with pytest.raises(unmix.UnmixError, match=sentence):
        explain(waiting, THETA, **ask)


def test_a_number_is_an_id_first_and_then_a_position():
    x = np.array([1.0, 2.0, 8.0, 9.0])
    model = unmix.models.gaussian(pd.Series(x, index=["a", "2", "c", "d"]), 2)
    theta = {"w": [0.5, 0.5], "mu": [1.5, 8.5], "sigma": [1.0, 1.0]}
    for ask, row, said in (("2", 1, ""), (2, 1, ""), ("3", 3, "position 3"), (0, 0, "position 0")):
        found = explain(model, theta, obs=ask)
        assert dict(found.data) == {"x": f"{x[row]:g}"}
        notes = " ".join(found.notes)
        assert ("counted from 0" in notes) == bool(said)
        assert said in notes
    for ask in ("4", -1, "-1", True, 1.0, "1.0", "²"):
        with pytest.raises(unmix.UnmixError, match="there is no observation"):
            explain(model, theta, obs=ask)


def test_without_a_fit(waiting):
    with pytest.raises(unmix.UnmixError, match=r"unmix\.em or unmix\.sample"):
        explain(waiting, obs=1)


def test_labels_of_the_users_own():
    x = np.array([1.0, 2.0, 8.0, 9.0, 9.5])
    coords = {"obs": ["ann", "bob", "cy", "dee", "cy"], "component": ["low", "high"]}
    with pm.Model(coords=coords):
        w = pm.Dirichlet("w", [1, 1], dims="component")
        mu = pm.Normal("mu", 5, 5, dims="component")
        z = pm.Categorical("z", w, dims="obs")
        pm.Normal("x", mu[z], 1, observed=x, dims="obs")
        fit = {"w": np.array([0.5, 0.5]), "mu": np.array([1.5, 9.0])}
        explanation = explain(fit=fit, obs="dee")  # the model from the `with` block
        with pytest.raises(unmix.UnmixError, match="2 observations are labelled 'cy'"):
            explain(fit=fit, obs="cy")
        with pytest.raises(unmix.UnmixError, match=r"'ann', 'bob', …, 'cy' \(5 in all\)"):
            explain(fit=fit, obs="eve")
    assert isinstance(explanation, Explanation)
    assert explanation.obs == "dee"
    assert explanation.data == (("x", "9"),)
    assert [printed_row(str(explanation), name)[0] for name in ("low", "high")] == ["0.5000"] * 2


# What the registry's models observe.
LINE, PLANE = _line(), _plane()
COUNTS = np.random.default_rng(6).poisson(2, size=12)


@pytest.mark.parametrize(
    ("case", "row", "data"),
    [
        ("multivariate_normal_by_cholesky", 3, {"x[0]": PLANE[3, 0], "x[1]": PLANE[3, 1]}),
        ("two_observed_variables_share_z", 2, {"x": LINE[2], "y": COUNTS[2]}),
        ("subject_level_assignment", 1, {"x[3]": LINE[3], "x[4]": LINE[4]}),
        ("multinomial_counts", 3, {"x[0]": 1, "x[1]": 0, "x[2]": 5}),
        ("rectangular_assignment", 6, {"x": LINE[6]}),  # z is (3, 4) and row 6 its element (1, 2)
        ("regression_inside_the_components", 5, {"x": LINE[5], "t": np.linspace(-1, 1, 12)[5]}),
        ("shared_data_and_initial_values", 5, {"x": LINE[5]}),
        ("local_effects", 4, {}),  # x follows a further latent, not z
    ],
)
def test_the_rows_own_data(case, row, data):
    model = CASES[case].build()
    derivation = unmix.derive(model)
    theta = as_dataset(derivation, derivation.space.jittered(np.random.default_rng(5)))
    shown = dict(explain(model, theta, obs=row).data)
    assert list(shown) == list(data)
    for name, value in data.items():
        # Six figures are shown.
        assert float(shown[name].replace("−", "-")) == pytest.approx(value, rel=1e-5)


def test_many_values_are_counted():
    x = np.random.default_rng(1).integers(2, size=(6, 20))
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        p = pm.Beta("p", 1, 1, shape=(2, 20))
        z = pm.Categorical("z", w, shape=6)
        pm.Bernoulli("x", p[z], observed=x)
    explanation = explain(model, {"w": np.array([0.5, 0.5]), "p": np.full((2, 20), 0.5)}, obs=5)
    assert [value for _, value in explanation.data[:8]] == [str(v) for v in x[5, :8]]
    assert "12 more values" in str(explanation)
    assert max(map(len, str(explanation).splitlines())) <= 100


# -- nothing from outside is obeyed ----------------------------------------------------------------

SCRIPT = "<script>alert('k')</script>"
IMAGE = '<img src=x onerror="alert(1)">'


class Tags(HTMLParser):
    """Every tag, and every attribute, that a browser would see."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.words = set(), set(), []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.words.append(data)


def hostile_model():
    x = np.random.default_rng(0).normal(size=(4, 2))
    coords = {"component": [SCRIPT, "b&c"], "obs": ["\x1b[31mred", IMAGE, "2", "3"]}
    with pm.Model(coords={**coords, "feature": [IMAGE, "\x1b]0;title\x07"]}) as model:
        w = pm.Dirichlet("w", [1, 1], dims="component")
        mu = pm.Normal("mu", 0, 5, dims=("component", "feature"))
        z = pm.Categorical("z", w, dims="obs")
        pm.Normal("x", mu[z], 1, observed=x, dims=("obs", "feature"))
    return model, {"w": np.array([0.5, 0.5]), "mu": np.zeros((2, 2))}


def test_names_are_escaped_in_a_notebook():
    model, fit = hostile_model()
    explanation = explain(model, fit, obs=IMAGE)
    html = explanation._repr_html_()
    page = Tags(html)
    allowed = {"div", "p", "b", "br", "pre", "small"}
    assert page.tags <= allowed | {"table", "thead", "tbody", "tr", "th", "td"}
    assert page.attributes <= {"style"}
    words = "".join(page.words)
    for name in (SCRIPT[:20], IMAGE, "b&c"):  # shown as what they are, not left out
        assert name in words


def test_an_unescaped_page_would_be_seen():
    assert "script" in Tags(f"<table><td>{SCRIPT}</td></table>").tags


def test_a_terminal_is_sent_no_escape_sequence():
    model, fit = hostile_model()
    text = str(explain(model, fit, obs="\x1b[31mred"))
    assert "\\x1b[31mred" in text
    assert all(line.isprintable() for line in text.splitlines())
    with pytest.raises(unmix.UnmixError) as caught:
        explain(model, fit, obs="\x1b[2J")
    assert str(caught.value).isprintable()


def test_a_long_name_is_cut():
    assert len(plain("n" * 500)) == 40


def test_a_mean_outside_its_interval_has_a_footnote(waiting):
    # Nineteen draws of twenty give component 0 next to nothing of a row at 62 minutes, one half.
    mu = np.tile([40.0, 80.0], (2, 20, 1))
    mu[:, 7] = [60.0, 80.0]
    dims = ("chain", "draw", "component")
    skewed = xr.Dataset(
        {
            "w": (dims, np.full((2, 20, 2), 0.5)),
            "mu": (dims, mu),
            "sigma": (dims, np.full((2, 20, 2), 3.0)),
        }
    )
    text = " ".join(str(explain(waiting, skewed, obs=ROW)).split())
    assert "Means outside their own intervals (likelihood, joint and responsibility of" in text
    mu[:, 7] = [40.0, 80.0]
    assert "outside" not in str(explain(waiting, skewed.assign(mu=(dims, mu)), obs=ROW))
