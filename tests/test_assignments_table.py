"""`unmix.assignments`: the table, its tails and flags, and the files it is written to."""

import json

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from mutants_rows import REPLICATES, TAILS, THRESHOLDS
from registry import built, derived
from scipy import stats
from test_assign import draws_of

import unmix
from unmix.assign.table import tail as tails
from unmix.assign.table.columns import Columns
from unmix.assign.table.write import write_table
from unmix.derive import bayes
from unmix.fingerprint import fingerprint
from unmix.onepass import draws as row_draws
from unmix.onepass.families import FAMILIES

OFF = {"tail": False}


@pytest.fixture(scope="module")
def counts():
    """Poisson rows, draws with their labels shuffled, and z drawn from them."""
    model, posterior, truth = draws_of("poisson")
    z = unmix.draw_assignments(model, posterior, rng=0)
    return model, posterior.merge(z), truth


def require_columns(table, result):
    """The table says what `unmix.responsibilities` says, which other tests hold to brute force."""
    for k, label in enumerate(result["component"].values):
        r = result["responsibility"].values[:, k]
        # Sums over 60 draws in another order: a few units in the last place.
        np.testing.assert_allclose(table[f"responsibility[{label}]"], r, rtol=1e-12, atol=1e-15)
        for bound in ("lower", "upper"):  # from draws in single precision on both sides
            expected = result[bound].values[:, k]
            np.testing.assert_allclose(table[f"{bound}[{label}]"], expected, atol=2e-7)
        counted = result["assignment_frequency"].values[:, k]
        np.testing.assert_array_equal(table[f"assignment_frequency[{label}]"], counted)
    for name in ("entropy", "overlap", "parameter_uncertainty"):
        np.testing.assert_allclose(table[name], result[name], atol=1e-13)
    np.testing.assert_array_equal(table["most_likely"], result["most_likely"])


# -- columns ---------------------------------------------------------------------------------------


def test_the_pass_over_draws_says_what_responsibilities_says(counts):
    model, fit, _ = counts
    table = unmix.assignments(model, fit, **OFF)
    require_columns(table, unmix.responsibilities(model, fit))
    assert table.index.name == "obs"
    assert table.attrs["identified"] == 1
    assert table.attrs["samples"] == 60


def test_pieces_of_rows_change_nothing(counts, monkeypatch):
    model, fit, _ = counts
    whole = unmix.assignments(model, fit)
    monkeypatch.setattr(row_draws, "KEPT", 4 * 60 * 3)  # four rows at a time; 15 is no multiple
    pieces = unmix.assignments(model, fit)
    # The last rows of a piece are worked on one by one, where products and sums may be rounded
    # together or not: a few units in the last place of log-densities below 100.
    pd.testing.assert_frame_equal(pieces, whole, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("which", ["not matched", "inverse", "one draw off"])
def test_mismatched_draws_are_seen(counts, monkeypatch, which):
    import sys

    room = sys.modules["unmix.assign.table.assignments"]
    right = room.match_draws

    def wrong(*args):
        labels = right(*args)
        order = labels.permutation
        order = {
            "not matched": np.tile(np.arange(3), (60, 1)),
            "inverse": np.argsort(order, axis=1),
            "one draw off": np.roll(order, 1, axis=0),
        }[which]
        return type(labels)(order, labels.identified, labels.sentence)

    model, fit, _ = counts
    result = unmix.responsibilities(model, fit)
    monkeypatch.setattr(room, "match_draws", wrong)
    with pytest.raises(AssertionError):
        require_columns(unmix.assignments(model, fit, **OFF), result)


def test_at_one_theta_there_is_no_interval():
    model = built("normal")
    point = {"w": [0.5, 0.5], "mu": [-2.0, 2.0], "sigma": [1.0, 1.0]}
    table = unmix.assignments(model, point)
    r = unmix.bayes_rule(model, point)["responsibility"].values
    np.testing.assert_allclose(table[["responsibility[0]", "responsibility[1]"]], r, rtol=1e-13)
    np.testing.assert_allclose(table["entropy"], bayes.entropy(r), atol=1e-14)
    assert not [c for c in table if c.startswith(("lower", "overlap", "parameter"))]
    assert {"tail", "unexplained"} <= set(table)


def test_new_rows_have_no_frequency_and_keep_the_labels(counts):
    model, fit, _ = counts
    old = unmix.assignments(model, fit, **OFF)
    x = derived("poisson").data[derived("poisson").opened.observed["x"]].data
    new = unmix.assignments(model, fit, {"x": x[4:9]}, **OFF)
    assert not [c for c in new if c.startswith("assignment_frequency")]
    for column in new.columns:  # sums in another order, at most
        if column != "most_likely":
            np.testing.assert_allclose(new[column], old[column].iloc[4:9], rtol=1e-12, atol=1e-14)


def test_a_partition_stands_beside(counts):
    model, fit, _ = counts
    z = np.arange(15) % 4

    class Partition:
        def __init__(self, z):
            self.z = z

    for given in (z, list(z), Partition(z), z.astype(float)):
        np.testing.assert_array_equal(
            unmix.assignments(model, fit, partition=given, **OFF)["partition"], z
        )


def test_components_that_are_not_identified_have_no_columns():
    model, posterior, _ = draws_of("normal", spread=0.01)
    same = posterior.copy()
    same["mu"] = posterior["mu"] * 0 + 0.01 * np.random.default_rng(0).standard_normal((2, 30, 2))
    same["sigma"] = posterior["sigma"] * 0 + 1.0
    same["w"] = posterior["w"] * 0 + 0.5
    with pytest.warns(unmix.UnmixWarning, match="not identified"):
        table = unmix.assignments(model, same, partition=np.zeros(12, int))
    assert list(table) == ["overlap", "partition", "tail", "unexplained"]
    assert table.attrs["identified"] == 0
    overlap = unmix.responsibilities(model, same)["overlap"]
    np.testing.assert_allclose(table["overlap"], overlap, rtol=1e-10)


def test_one_component_one_row_one_chain():
    table = unmix.assignments(built("one_component"), {"w": [1.0], "mu": [0.0], "sigma": 1.0})
    assert (table["responsibility[0]"] == 1).all()
    assert (table["entropy"] == 0).all()
    model, posterior, _ = draws_of("normal", chains=1, draws=9)
    assert len(unmix.assignments(model, posterior.sel(chain=[0]), **OFF)) == 12
    model, posterior, _ = draws_of("one_observation", chains=1)
    table = unmix.assignments(model, posterior)
    assert len(table) == 1
    assert table["responsibility[0]"].iloc[0] + table["responsibility[1]"].iloc[0] == (
        pytest.approx(1, abs=1e-14)
    )


# -- tails -----------------------------------------------------------------------------------------


def exact_poisson_tail(w, rate, x):
    """Σ of p(y) over all y that are no more probable than x."""
    y = np.arange(200)
    p = (np.asarray(w) * stats.poisson.pmf(y[:, None], rate)).sum(axis=1)
    return np.array([p[p <= p[v] * (1 + 1e-9)].sum() for v in x])


def require_tail(found, exact, total):
    # 5 binomial standard errors over 15 rows (2e-5 of false alarms, and seeds are fixed), 1/M for
    # the one that is added, and as much for a share read off a sample.
    exact = np.minimum(exact, 1.0)
    error = 5 * np.sqrt(exact * (1 - exact) / total) + 2 / total
    np.testing.assert_array_less(np.abs(found - exact), error)


def test_tails_of_counts_are_the_enumerated_ones(counts):
    model, fit, _ = counts
    table = unmix.assignments(model, fit)
    x = derived("poisson").data[derived("poisson").opened.observed["x"]].data
    w, rate = (fit[n].values.reshape(60, -1) for n in ("w", "rate"))
    exact = np.mean([exact_poisson_tail(w[s], rate[s], x) for s in range(60)], axis=0)
    require_tail(table["tail"].to_numpy(), exact, table.attrs["replicates"])


def tails_of_a_mixture(function, n=60_000):
    w, rate, x = np.array([0.5, 0.5]), np.array([2.0, 30.0]), np.array([0, 2, 10, 30, 45])
    rng = np.random.default_rng(5)
    y = rng.poisson(rate[rng.integers(2, size=n)])
    log_p = [np.log((w * stats.poisson.pmf(v[:, None], rate)).sum(axis=1)) for v in (y, x)]
    return function(*log_p), exact_poisson_tail(w, rate, x), n


def ours(replicated, own):
    found = tails.replicate(
        lambda s, n, rng: replicated[:n], np.array([0]), len(replicated), np.random.default_rng(0)
    )
    return found.tail(own[None])


def test_the_tail_of_replicates_is_counted_right():
    require_tail(*tails_of_a_mixture(ours))


@pytest.mark.parametrize("mutant", TAILS)
def test_wrong_tails_are_seen(mutant):
    with pytest.raises(AssertionError):
        require_tail(*tails_of_a_mixture(TAILS[mutant]))


def test_what_is_kept_of_many_replicates_is_enough(monkeypatch):
    monkeypatch.setattr(tails, "SAMPLE", 2 * 2**14)
    monkeypatch.setattr(tails, "LOWEST", 128)
    monkeypatch.setattr(tails, "PIECE", 1000)
    draws, each = np.array([0, 7]), 40_500
    found = tails.replicate(
        lambda s, n, rng: rng.standard_normal(n) + s, draws, each, np.random.default_rng(1)
    )
    rng = np.random.default_rng(1)
    all_of_them = [
        np.concatenate([rng.standard_normal(n) + s for n in [1000] * 40 + [500]]) for s in draws
    ]
    own = np.linspace(-4.5, 8, 50)
    counts = [(v[:, None] <= own).sum(axis=0) for v in all_of_them]
    low = own < min(np.sort(v)[127] for v in all_of_them)
    both_exact = (1 + sum(counts)) / (1 + 2 * each)
    assert low.sum() > 3
    got = found.tail(np.stack([own, own]))
    few = np.array([np.sort(v)[127] for v in all_of_them])
    exact_there = (own < few[0]) & (own < few[1])
    np.testing.assert_allclose(got[exact_there], both_exact[exact_there], rtol=1e-12)
    # Elsewhere a share read off 2^14 of each: 5 standard errors.
    assert np.abs(got - both_exact).max() < 5 * 0.5 / np.sqrt(2 * 2**14)


def share_of_tables_flagged(threshold, rate=0.2, rows=20, tables=2000):
    rng = np.random.default_rng(11)
    found = tails.replicate(
        lambda s, n, rng: -0.5 * rng.standard_normal(n) ** 2, np.array([0]), 200_000, rng
    )
    own = -0.5 * rng.standard_normal((1, rows * tables)) ** 2
    flagged = found.tail(own).reshape(tables, rows) <= threshold(rows, rate)
    return flagged.any(axis=1).mean()


def require_rate(share, rate=0.2, rows=20, tables=2000):
    expected = 1 - (1 - rate / (2 * rows)) ** rows  # where θ is known no draw of θ doubles it
    assert abs(share - expected) < 5 * np.sqrt(expected * (1 - expected) / tables)
    assert share < rate


def test_false_alarms_are_as_rare_as_said():
    require_rate(share_of_tables_flagged(tails.threshold))


@pytest.mark.parametrize("mutant", THRESHOLDS)
def test_wrong_thresholds_are_seen(mutant):
    with pytest.raises(AssertionError):
        require_rate(share_of_tables_flagged(THRESHOLDS[mutant]))


@pytest.mark.parametrize("rows", [1, 12, 272, 50_000])
@pytest.mark.parametrize("rate", [0.001, 0.01, 0.3])
def test_there_are_replicates_enough_to_flag_a_row(rows, rate):
    total = 100 * tails.replicates_each(rows, 100, rate)
    assert 1 / (1 + total) <= tails.threshold(rows, rate)


def test_a_row_that_no_component_explains_is_flagged():
    model = built("normal")
    point = {"w": [0.5, 0.5], "mu": [-2.0, 2.0], "sigma": [1.0, 1.0]}
    x = np.array([-2.0, 0.0, 2.5, 9.0, -9.0, 4.5])
    table = unmix.assignments(model, point, {"x": x})
    assert table["unexplained"].to_list() == [False, False, False, True, True, False]
    assert table["responsibility[1]"].iloc[3] > 0.999999  # and yet so sure of itself
    again = unmix.assignments(model, point, {"x": x})
    pd.testing.assert_frame_equal(table, again, check_exact=True)  # seeded


def require_rows(family, rows):
    """Simulated rows of a component against SciPy's distributions."""
    name, d, n = family.name, *rows.shape
    if name == "MvNormal":
        mu, cov = MVN
        distance = np.einsum("jn,jk,kn->n", rows - mu[:, None], np.linalg.inv(cov),
                             rows - mu[:, None])  # fmt: skip
        assert stats.kstest(distance, stats.chi2(d).cdf).pvalue > 1e-4
        se = np.sqrt((np.outer(np.diag(cov), np.diag(cov)) + cov**2) / n)
        np.testing.assert_array_less(np.abs(np.cov(rows) - cov), 5 * se)
        return
    for j in range(d):
        if name == "Normal":
            here = stats.norm([1.0, -3.0][j], [0.5, 2.0][j])
            assert stats.kstest(rows[j], here.cdf).pvalue > 1e-4
        elif name == "Exponential":
            assert stats.kstest(rows[j], stats.expon(scale=[0.25, 3.0][j]).cdf).pvalue > 1e-4
        else:
            p = {
                "Poisson": stats.poisson([0.7, 2.5][j]).pmf(np.arange(30)),
                "Bernoulli": np.array([[0.9, 0.1], [0.4, 0.6]])[j],
                "Categorical": LEVELS[j],
            }[name]
            share = np.bincount(rows[j].astype(int), minlength=len(p)) / n
            error = 5 * np.sqrt(p * (1 - p) / n) + 1e-9
            np.testing.assert_array_less(np.abs(share[: len(p)] - p), error)


MVN = np.array([1.0, -2.0]), np.array([[2.0, 1.2], [1.2, 1.0]])
LEVELS = np.array([[0.2, 0.0, 0.8], [0.5, 0.4, 0.1]])
LOWER = np.linalg.inv(np.linalg.cholesky(MVN[1]))
with np.errstate(divide="ignore"):
    PACKED = {
        "Normal": np.array([1.0, -3.0, 2.0, 0.5, 0.0]),
        "MvNormal": np.array([*MVN[0], *LOWER[np.tril_indices(2)], 0.0]),
        "Poisson": np.array([*np.log([0.7, 2.5]), -3.2]),
        "Bernoulli": np.log([0.1, 0.6, 0.9, 0.4]),
        "Categorical": np.log(LEVELS).ravel(),
        "Exponential": np.array([-4.0, -1 / 3, 0.0]),
    }


# Labels are given, and never simulated.
@pytest.mark.parametrize(
    "family", [f for f in FAMILIES if f.name != "Labels"], ids=lambda f: f.name
)
def test_simulated_rows_are_those_of_the_family(family):
    family = family.with_levels(3) if family.name == "Categorical" else family
    rng = np.random.default_rng(3)
    require_rows(family, family.replicate(PACKED[family.name], 2, 20_000, rng))
    for mutant in REPLICATES[family.name]:
        with pytest.raises(AssertionError):
            require_rows(family, mutant(PACKED[family.name], 2, 20_000, np.random.default_rng(3)))


@pytest.fixture(scope="module")
def laplace():
    """A model on the general road whose tail is known: two Laplace components of known weights."""
    x = np.array([-3.0, -2.0, 0.1, 2.0, 9.0])
    with pm.Model() as model:
        mu = pm.Normal("mu", [-2, 2], 1, shape=2)
        z = pm.Categorical("z", [0.3, 0.7], shape=5)
        pm.Laplace("x", mu[z], 0.5, observed=x)
    return model, x


def test_tails_on_the_general_road_come_from_the_models_own_draws(laplace):
    model, x = laplace
    table = unmix.assignments(model, {"mu": [-2.0, 2.0]})
    grid = np.linspace(-25, 25, 400_001)

    def density(v):
        return 0.3 * stats.laplace.pdf(v, -2, 0.5) + 0.7 * stats.laplace.pdf(v, 2, 0.5)

    p, step = density(grid), grid[1] - grid[0]
    exact = np.array([p[p <= density(v)].sum() * step for v in x])
    require_tail(table["tail"].to_numpy(), np.minimum(exact, 1), table.attrs["replicates"])
    assert table["unexplained"].to_list() == [False] * 4 + [True]
    with pytest.warns(unmix.UnmixWarning, match=r"tail and unexplained are left out.*second model"):
        new = unmix.assignments(model, {"mu": [-2.0, 2.0]}, {"x": x[:2]})
    assert "tail" not in new
    assert new.attrs["tail"].startswith("left out")


def test_a_potential_has_no_tail_and_says_so():
    model = built("noise_component_stays_where_it_is")
    with pytest.warns(unmix.UnmixWarning, match="'x' is a potential"):
        table = unmix.assignments(model, {"w": [0.4, 0.4, 0.2], "mu": [-2.0, 2.0]})
    assert "unexplained" not in table


# -- files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_files_hold_the_table(counts, tmp_path, monkeypatch, suffix):
    model, fit, _ = counts
    monkeypatch.setattr(row_draws, "KEPT", 4 * 60 * 3)
    table = unmix.assignments(model, fit, id="row")
    path = tmp_path / f"rows.{suffix}"
    assert unmix.assignments(model, fit, id="row", to=path) == path
    read = pd.read_csv(path) if suffix == "csv" else pd.read_parquet(path)
    # pandas' quick reader may lose the last place.
    pd.testing.assert_frame_equal(read.set_index("row"), table, rtol=1e-14, check_dtype=False)
    with pytest.raises(unmix.UnmixError, match="exists already"):
        unmix.assignments(model, fit, to=path)
    assert list(pd.read_csv(path) if suffix == "csv" else pd.read_parquet(path)) == list(read)
    unmix.assignments(model, fit, to=str(path), overwrite=True, **OFF)
    again = pd.read_csv(path) if suffix == "csv" else pd.read_parquet(path)
    assert "tail" not in again
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_table_that_was_not_written_whole_is_not_there(counts, tmp_path):
    def broken():
        yield pd.DataFrame({"a": [1.0]})
        raise OSError(28, "No space left on device")

    for suffix in ("csv", "parquet"):
        with pytest.raises(unmix.UnmixError, match="No space left"):
            write_table(broken(), tmp_path / f"rows.{suffix}")
    assert not list(tmp_path.iterdir())


# -- bad input -------------------------------------------------------------------------------------


def _nan_draw(fit):
    worse = fit.copy(deep=True)
    worse["rate"][1, 3, 0] = np.nan
    return worse


@pytest.mark.parametrize(
    ("change", "options", "sentence"),
    [
        (_nan_draw, {}, r"'rate' is not finite at chain 1, draw 3"),
        (lambda f: f.drop_vars("w"), {}, "no parameter 'w'"),
        (lambda f: f.assign(z=f["z"] + 1), {}, "components are numbered 0 to 2"),
        (lambda f: f.assign(z=f["z"] * 0.5), {}, "numbered 0 to 2"),
        (None, {"interval": 1.0}, "interval is 1.0"),
        (None, {"false_alarms": 0}, "false_alarms is 0"),
        (None, {"partition": np.zeros(4, int)}, r"partition has shape \(4,\).*15 rows"),
        (None, {"partition": np.full(15, 0.5)}, "partition is 0.5 in row 0"),
        (None, {"partition": np.full(15, np.nan)}, "cells that are not numbers"),
        (None, {"id": "entropy"}, "name of a column of the table"),
        (None, {"id": "upper[2]"}, "name of a column of the table"),
        (None, {"to": "rows.xlsx"}, r"ends in \.csv or \.parquet"),
        (None, {"to": "no/such/folder/rows.csv"}, "there is no folder"),
        (lambda f: None, {}, "pass an EM result"),
    ],
)
def test_bad_input_gets_a_sentence(counts, change, options, sentence):
    model, fit, _ = counts
    fit = fit if change is None else change(fit)
    with pytest.raises(unmix.UnmixError, match=sentence) as caught:
        unmix.assignments(model, fit, **{**OFF, **options})
    assert "\n" not in str(caught.value)


def test_a_fit_of_another_model_is_refused_for_new_rows_too(counts):
    model, fit, _ = counts
    tree = xr.DataTree.from_dict({"posterior": fit.drop_vars("z")})
    tree.attrs["fingerprint"] = json.dumps(
        {**json.loads(fingerprint(derived("poisson"))), "components": 4}
    )
    for new in (None, {"x": np.array([1])}):
        with pytest.raises(unmix.UnmixError, match="another model: the number of components"):
            unmix.assignments(model, tree, new, **OFF)


def test_components_that_print_alike_are_refused():
    with pytest.raises(unmix.UnmixError, match="two components are called '1'"):
        Columns("obs", np.arange(3), np.array([1, "1"], object), True, None, None, 0.01)


def test_an_impossible_row_is_named():
    point = {"w": np.full(3, 1 / 3), "rate": np.zeros(3)}
    with pytest.raises(unmix.UnmixError, match="row 1 is impossible under every component"):
        unmix.assignments(built("poisson"), point, {"x": np.array([0, 2, 0])}, **OFF)
