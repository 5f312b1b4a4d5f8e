"""Missing cells: against the marginals of SciPy, row by row; and what rows without them say."""

import numpy as np
import pandas as pd
import pytest
from mutants_parts import CELLS, COMPLETIONS
from scipy.stats import multivariate_normal, norm

import unmix
from unmix import io
from unmix.derive import derive


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(1)
    n = 60
    made_by = rng.random(n) < 0.4
    x = np.where(made_by[:, None], [4.0, 2.0, 0.0], 0.0) + rng.normal(size=(n, 3))
    x[:, 2] += 0.7 * x[:, 0]
    x[rng.random(x.shape) < 0.15] = np.nan
    x[3] = np.nan
    return pd.DataFrame(x, columns=["a", "b", "c"])


@pytest.fixture(scope="module", params=["full", "diagonal"])
def fitted(frame, request):
    model = unmix.models.gaussian(frame, 2, covariance=request.param)
    return model, unmix.em(model, starts=2, rng=1)


def marginals(x, theta):
    """log w_k + log-density of the cells that are there, (obs, component), by SciPy."""
    out = np.empty((len(x), 2))
    for k in range(2):
        sd = theta["sigma"].to_numpy()[k]
        factor = sd[:, None] * theta["corr"].to_numpy()[k] if "corr" in theta else np.diag(sd)
        covariance = factor @ factor.T
        for i, row in enumerate(x):
            there = np.flatnonzero(np.isfinite(row))
            out[i, k] = np.log(theta["w"].to_numpy()[k])
            if len(there):
                out[i, k] += multivariate_normal(
                    theta["mu"].to_numpy()[k][there], covariance[np.ix_(there, there)]
                ).logpdf(row[there])
    return out


def test_responsibilities_are_those_of_the_cells_that_are_there(frame, fitted):
    model, em = fitted
    joint = marginals(frame.to_numpy(), em.theta)
    total = np.logaddexp.reduce(joint, axis=1)
    found = unmix.responsibilities(model, em)["responsibility"].to_numpy()
    # SciPy's densities are good to some 1e-13; sums of 60 terms.
    np.testing.assert_allclose(found, np.exp(joint - total[:, None]), atol=1e-11)
    assert em.log_likelihood == pytest.approx(total.sum(), rel=1e-12)


def test_a_row_without_cells_keeps_its_prior_weights(fitted):
    model, em = fitted
    r = unmix.responsibilities(model, em)["responsibility"].to_numpy()[3]
    np.testing.assert_allclose(r, em.theta["w"], rtol=1e-12)


def test_the_maximum_is_one(frame, fitted):
    """No step in any direction goes up: the gradient is that of SciPy's likelihood."""
    model, em = fitted
    derivation = derive(model)
    x = frame.to_numpy()
    best = np.logaddexp.reduce(marginals(x, em.theta), axis=1).sum()
    rng = np.random.default_rng(2)
    for _ in range(20):
        theta = em.theta.copy(deep=True)
        w = theta["w"].to_numpy() * np.exp(0.03 * rng.normal(size=2))
        theta["w"] = theta["w"].dims, w / w.sum()
        theta["mu"] = theta["mu"] + 0.03 * rng.normal(size=theta["mu"].shape)
        theta["sigma"] = theta["sigma"] * np.exp(0.03 * rng.normal(size=theta["sigma"].shape))
        assert np.logaddexp.reduce(marginals(x, theta), axis=1).sum() < best
    assert derivation.parts is not None


def test_one_feature(frame):
    x = frame["a"]
    model = unmix.models.gaussian(x, 2)
    em = unmix.em(model, starts=2, rng=1)
    there = x.notna().to_numpy()
    alone = unmix.em(unmix.models.gaussian(x[there], 2), starts=2, rng=1)
    # Rows without the only cell tell nothing of θ; both stop within their tolerances.
    assert em.log_likelihood == pytest.approx(alone.log_likelihood, rel=1e-9)
    joint = np.log(em.theta["w"].to_numpy()) + norm(
        em.theta["mu"].to_numpy(), em.theta["sigma"].to_numpy()
    ).logpdf(x.to_numpy()[there, None])
    total = np.logaddexp.reduce(joint, axis=1)
    assert em.log_likelihood == pytest.approx(total.sum(), rel=1e-12)


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_units_change_nothing(frame, covariance):
    em = [
        unmix.em(unmix.models.gaussian(frame * unit, 2, covariance=covariance), starts=2, rng=1)
        for unit in (1.0, 1e-30)
    ]
    cells = int(frame.notna().to_numpy().sum())
    moved = em[1].log_likelihood + cells * np.log(1e-30)
    assert em[0].log_likelihood == pytest.approx(moved, rel=1e-8)


def test_a_complete_table_is_the_plain_model(frame):
    complete = frame.dropna()
    assert derive(unmix.models.gaussian(complete, 2)).onepass is not None


def test_missing_is_said_where_a_row_is_shown(fitted):
    model, em = fitted
    assert "x[a] = missing, x[b] = missing, x[c] = missing" in str(unmix.explain(model, em, obs=3))


def test_a_figure_of_places_is_of_complete_rows(frame, fitted):
    model, em = fitted
    with pytest.raises(unmix.UnmixError, match="draw the complete rows"):
        unmix.show.fitted_components(model, em, unmix.responsibilities(model, em))
    whole = unmix.models.on_rows(model, frame.dropna())
    figure = unmix.show.fitted_components(whole, em, unmix.responsibilities(whole, em))
    assert figure.axes


def test_a_saved_fit_builds_its_model_again(frame, fitted, tmp_path):
    model, em = fitted
    tree = io.load_tree(unmix.save(em, tmp_path / "em.nc", model=model))
    np.testing.assert_array_equal(tree["observed_data"]["x"], frame)
    again = io.load_model(tree)
    np.testing.assert_allclose(
        unmix.responsibilities(again, em)["responsibility"],
        unmix.responsibilities(model, em)["responsibility"],
        atol=1e-12,
    )


def test_new_rows_come_as_a_second_model(frame, fitted):
    model, em = fitted
    with pytest.raises(unmix.UnmixError, match="second model on the new rows"):
        unmix.responsibilities(model, em, new={"x": np.zeros((2, 3))})
    covariance = "full" if "corr" in em.theta else "diagonal"
    some = unmix.models.gaussian(frame.iloc[:20], 2, covariance=covariance)
    np.testing.assert_allclose(
        unmix.responsibilities(model, em, new=some)["responsibility"],
        unmix.responsibilities(model, em)["responsibility"][:20],
        atol=1e-12,
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda f: f.assign(b=np.nan), "column 'b' has no cell that is there"),
        (lambda f: f.assign(b=f["b"].where(f["b"].isna(), 2.0)), "column 'b' is constant"),
        (lambda f: f.assign(b=f["b"].where(f["b"].notna(), np.inf)), "column 'b' is inf in row"),
        (lambda f: f.iloc[:0], "no rows"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(frame, change, sentence):
    with pytest.raises(unmix.UnmixError, match=sentence):
        unmix.models.gaussian(change(frame), 2)


def test_missing_comes_in_many_forms(frame):
    x = frame["a"].to_numpy()
    forms = [
        x,
        pd.Series(x).astype("Float64"),
        [None if np.isnan(v) else v for v in x],
        np.ma.masked_invalid(x),
    ]
    shown = [derive(unmix.models.gaussian(form, 2)).data for form in forms]
    first = [np.asarray(v.data) for v in shown[0].values()]
    for other in shown[1:]:
        for right, value in zip(first, other.values(), strict=True):
            np.testing.assert_array_equal(np.asarray(value.data), right)


@pytest.mark.parametrize("mutant", CELLS.values(), ids=CELLS)
def test_wrong_cells_are_rejected(frame, mutant, monkeypatch):
    mutant(monkeypatch)
    model = unmix.models.gaussian(frame, 2, covariance="diagonal")
    theta = unmix.em(model, starts=1, rng=1).theta
    total = np.logaddexp.reduce(marginals(frame.to_numpy(), theta), axis=1)
    found = unmix.bayes_rule(model, theta)["log_marginal"].to_numpy()
    assert not np.allclose(found, total, atol=1e-6)


# Independent features need no completion.
@pytest.mark.parametrize("fitted", ["full"], indirect=True)
@pytest.mark.parametrize("mutant", COMPLETIONS.values(), ids=COMPLETIONS)
def test_wrong_completions_end_elsewhere(frame, fitted, mutant, monkeypatch):
    model, em = fitted
    mutant(monkeypatch)
    wrong = unmix.em(model, start=em, max_iterations=50)
    # The right maximum is a fixed point of the right step, and of no other.
    assert np.abs(wrong.theta["sigma"] - em.theta["sigma"]).max() > 0.01
