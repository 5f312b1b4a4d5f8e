"""Tables for a terminal: the numbers stand in them, names are plain text, doubts are marked."""

import io
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from rich.console import Console

import unmix
from unmix.check.verdict import TestOutcome, judge
from unmix.derive.correlations import with_correlations
from unmix.show import tables


def printed(renderable, width=100):
    page = io.StringIO()
    Console(file=page, width=width, color_system="truecolor", force_terminal=True).print(renderable)
    return page.getvalue()


def words(renderable, width=100):
    """What is read: without the colours, which are escape sequences."""
    page = io.StringIO()
    Console(file=page, width=width, color_system=None).print(renderable)
    return page.getvalue()


def cells(text, first):
    """Cells of the line that begins with a word."""
    return next(line for line in text.splitlines() if line.split()[:1] == [first]).split()[1:]


@pytest.fixture(scope="module")
def em():
    x = unmix.datasets.old_faithful()["waiting"]
    return unmix.em(unmix.models.gaussian(x, 2), rng=1, progress=False)


def test_em_by_component(em):
    text = words(tables.em_table(em))
    for name in ("w", "mu", "sigma"):
        shown = [float(cell) for cell in cells(text, name)]
        np.testing.assert_allclose(shown, em.theta[name], rtol=5e-5)  # five figures
    assert f"AIC {em.aic:.2f}" in text
    assert "converged" in text


def test_em_parameters_of_no_component():
    theta = xr.Dataset(
        {
            "mu": (("component", "feature"), [[1.0, 2.0], [3.0, 4.0]]),
            "nu": ((), 7.5),
            "tau": (("tau_dim_0",), [0.25, 0.5]),
        },
        coords={"component": ["[bold]low", "high"], "feature": ["a", "b"]},
    )
    status = SimpleNamespace(name="emptied")
    result = SimpleNamespace(
        theta=theta, maximised="posterior mode", converged=False, status=status, df=4,
        log_likelihood=-1.0, n_obs=9, aic=np.nan, bic=np.nan, left_out=("scale",), seconds=0.1,
    )  # fmt: skip
    text = words(tables.em_table(result))
    assert cells(text, "mu[b]") == ["2.0000", "4.0000"]
    assert cells(text, "nu") == ["7.5000"]
    assert cells(text, "tau[1]") == ["0.50000"]
    assert "[bold]low" in text  # not taken for markup
    assert "posterior mode" in text
    assert "left out: scale" in text
    assert "AIC" not in text


SUMMARY = pd.DataFrame(
    {
        "mean": [0.36, 54.6],
        "sd": [0.03, 0.7],
        "eti89_lb": [0.31, 53.5],
        "eti89_ub": [0.41, 55.7],
        "ess_bulk": [2000.0, 120.0],
        "ess_tail": [1800.0, 900.0],
        "r_hat": [1.001, 1.02],
        "mcse_mean": [0.0007, 0.06],
        "mcse_sd": [0.0005, 0.05],
    },
    index=["w[0]", "mu[0]"],
)


def test_posterior_marks_what_has_not_converged():
    text = words(tables.posterior_table(SUMMARY))
    assert cells(text, "w[0]")[:4] == ["0.3600", "0.0300", "0.3100", "0.4100"]
    assert "!" not in cells(text, "w[0]")
    assert " ".join(cells(text, "mu[0]")).count("!") == 2  # 120 effective draws; r_hat 1.02
    assert "89 % from" in text
    said = " ".join(text.split())
    assert "chains have not come to agree on this number" in said
    assert "effective draws: draw more" in said
    assert "labels" not in said  # components are matched before the table is made
    assert "!" not in words(tables.posterior_table(SUMMARY.iloc[:1]))
    few = SUMMARY.assign(r_hat=1.0)
    assert "agree" not in words(tables.posterior_table(few))


def test_posterior_in_a_narrow_terminal_loses_no_number():
    text = words(tables.posterior_table(SUMMARY), width=80)
    assert max(map(len, text.splitlines())) <= 80
    whole = words(tables.posterior_table(SUMMARY), width=300)
    for name in SUMMARY.index:
        assert cells(text, name) == cells(whole, name)  # on one line, nothing cut


def test_assignments_by_both_roads():
    r = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])
    result = xr.Dataset(
        {
            "responsibility": (("obs", "component"), r),
            "assignment_frequency": (("obs", "component"), r + np.array([0.01, -0.01])),
            "most_likely": ("obs", ["low", "high", "low"]),
        },
        coords={"obs": ["a", "b", "\x1b[31mc"], "component": ["low", "high"]},
    )
    data = pd.DataFrame({"x": [1.5, 2.0, 3.0], "who": ["<b>", "n", "m"]})
    text = words(tables.assignments_table(result, rows=2, data=data))
    assert cells(text, "a") == ["1.5", "<b>", "low", "0.900", "0.100", "0.910"]
    assert cells(text, "b") == ["2", "n", "high", "0.200", "0.800", "0.790"]
    assert "the first 2 of 3 rows" in text
    assert "3.0" not in text
    whole = printed(tables.assignments_table(result))
    assert "\\x1b[31mc" in whole
    assert "\x1b[31mc" not in whole


def test_crosscheck_says_verdict_tests_and_limits():
    outcomes = [
        TestOutcome("log score", 5.5, 4e-8, "normal", 1200, "odds that are tempered"),
        TestOutcome("rare cells", np.nan, np.nan, "Freedman's bound", 0, "draws that cannot be"),
    ]
    check = judge(outcomes, kind="fresh", smallest_effect=0.05, from_table=True)
    text = words(tables.crosscheck_table(check), width=200)
    assert "inconsistent" in text
    assert "5.500" in text
    assert "4e-08" in text
    assert "not made" in text
    assert "1 tests, 1 % false alarms together: a p-value below 0.01 decides." in text
    assert "nan" not in str(check) + text
    for sentence in check.cannot_see:
        assert sentence in text


def test_crosscheck_says_in_plain_words_what_its_limits_are():
    outcomes = [
        TestOutcome("log-score", 1.0, 0.3, "sum of 9, Poisson tail", 9, "odds that are tempered"),
        TestOutcome("rare cells", np.nan, np.nan, "Bennett–Freedman bound", 0, "wrong tails"),
    ]
    check = judge(outcomes, kind="fresh", smallest_effect=0.05, from_table=False)
    for text in (words(tables.crosscheck_table(check), width=400), str(check)):
        assert "how often a right program would, by chance alone, be at least as far" in text
        assert "Poisson tail: a limit for counts" in text
        assert "a right program exceeds it about as often as the p-value says" in text
        assert "bound: a limit" not in text  # what was not made has nothing to explain


def test_comparison_marks_what_em_puts_outside():
    parameters = pd.DataFrame(
        {
            "ml": [0.3, 9.0], "mode": [0.3, 5.2], "mean": [0.31, 5.0], "sd": [0.1, 1.0],
            "lower": [0.2, 4.0], "upper": [0.4, 6.0], "em_inside": [True, False],
        },
        index=["w[0]", "sigma[0]"],
    )  # fmt: skip
    result = SimpleNamespace(parameters=parameters, text=("Three rows change.", "Time: em 0.2 s."))
    text = words(tables.comparison_table(result))
    assert cells(text, "w[0]")[-1] == "yes"
    assert cells(text, "sigma[0]")[-2:] == ["no", "!"]
    assert cells(text, "sigma[0]")[0] == "9.000"
    assert "Three rows change." in text
    assert text.count("Time") == 1
    parameters.loc[:, ["mean", "sd", "lower", "upper"]] = np.nan
    result.parameters = parameters.assign(em_inside=None)
    assert cells(words(tables.comparison_table(result)), "w[0]")[2:] == ["–"] * 5


@pytest.mark.parametrize("width", [80, 100, 200])
def test_a_comparison_has_no_number_in_two_lines(width):
    names = ("ml", "mode", "mean", "sd", "lower", "upper")
    parameters = pd.DataFrame(
        {n: [-0.0001234 - j, 1234.5 + j] for j, n in enumerate(names)}
        | {"em_inside": [True, False]},
        index=["correlation[0, eruptions, waiting]", LONG],
    )
    result = SimpleNamespace(parameters=parameters, text=())
    text = words(tables.comparison_table(result), width)
    for n in ("ml", "mean", "lower", "upper"):
        assert tables.number(parameters[n].iloc[0]) in text.split()
    assert tables.number(parameters["mode"].iloc[1]) in text or width < 100
    assert max(map(len, text.splitlines())) <= width


def test_a_long_table_says_what_it_leaves_out():
    many = pd.concat([SUMMARY] * 30, ignore_index=True)
    assert "and 20 more" in words(tables.posterior_table(many))


LONG = "mu[1, the width of the petal in centimetres]"


@pytest.mark.parametrize("width", [80, 100, 200])
def test_long_names_stay_whole(width):
    text = words(tables.posterior_table(SUMMARY.rename(index={"mu[0]": LONG})), width)
    kept = " ".join(part.strip() for part in text.replace("  ", "\n").splitlines() if part.strip())
    for word in LONG.split():
        assert word in kept.split()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width


def test_correlations_stand_in_tables_and_not_their_factor():
    factor = np.linalg.cholesky(np.array([[1, 0.6, 0.2], [0.6, 1, 0.5], [0.2, 0.5, 1]]))
    theta = xr.Dataset(
        {
            "mu": (("component", "feature"), np.zeros((2, 3))),
            "corr": (("corr_dim_0", "corr_dim_1", "corr_dim_2"), np.stack([factor, np.eye(3)])),
        },
        coords={"component": [0, 1], "feature": ["a", "b", "c"]},
    )
    shown = with_correlations(theta)
    np.testing.assert_allclose(
        shown["correlation"], [[0.6, 0.2, 0.5], [0, 0, 0]], atol=1e-15
    )  # rounding
    assert shown["correlation"].dims[0] == "component"
    assert shown["corr_pair"].values.tolist() == ["a, b", "a, c", "b, c"]
    # What is no such factor stays: rows of another length, numbers above the diagonal.
    for other in (2 * theta["corr"], theta["corr"].transpose(..., "corr_dim_2", "corr_dim_1")):
        assert "corr" in with_correlations(theta.assign(corr=other.variable))


def test_a_printed_em_result_shows_correlation_matrices_and_not_their_factors(em):
    factor = np.linalg.cholesky(np.array([[1, 0.6], [0.6, 1]]))
    dims = ("corr_dim_0", "corr_dim_1", "corr_dim_2")
    theta = em.theta.assign(corr=(dims, np.stack([factor, np.eye(2)])))
    text = str(replace(em, theta=theta))
    assert "correlation = [[[1.  0.6]   [0.6 1. ]]   [[1.  0. ]   [0.  1. ]]]" in text
    assert "corr =" not in text
