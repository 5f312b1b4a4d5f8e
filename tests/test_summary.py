"""Summaries on aligned components, and what stands there where components have no labels."""

import arviz as az
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from registry import derived
from test_assign import draws_of
from test_relabel import AXES, around, trace

import unmix
from unmix.derive.theta import stack_theta


@pytest.fixture(scope="module")
def clear():
    theta = {"w": np.array([0.3, 0.33, 0.37]), "rate": np.array([1.0, 5.0, 12.0])}
    model, posterior, _ = around("poisson", theta, 0.02, draws=160)
    z = unmix.draw_assignments(model, posterior, rng=0)
    tree = xr.DataTree.from_dict({"posterior": posterior, "assignments": z})
    return model, tree, unmix.summary(model, tree)


@pytest.fixture(scope="module")
def alike(clear):
    """Three components that are one thrice."""
    model, tree, _ = clear
    posterior, rng = tree["posterior"].to_dataset().copy(deep=True), np.random.default_rng(0)
    posterior["rate"].values[:] = 4.0 + 0.3 * rng.standard_normal((2, 80, 3))
    posterior["w"].values[:] = rng.dirichlet([50, 50, 50], (2, 80))
    return model, posterior, unmix.summary(model, posterior)


def test_it_is_arviz_summary_of_the_aligned_draws(clear):
    _, tree, found = clear
    aligned = found.relabelling.apply(tree)["posterior"].to_dataset()
    expected = az.summary(xr.DataTree.from_dict({"posterior": aligned[["rate"]]}), round_to="none")
    pd.testing.assert_frame_equal(found.table.loc[expected.index], expected.astype(float))
    assert list(found.table.index) == [f"{n}[{k}]" for n in ("w", "rate") for k in range(3)]
    assert found.identified
    means = np.sort(found.table.loc[["rate[0]", "rate[1]", "rate[2]"], "mean"])
    # Standard error of a mean of 160 draws with sd 0.02: 0.0016; six of them.
    np.testing.assert_allclose(means, [1, 5, 12], atol=0.01)


def test_raw_labels_stay(clear):
    model, tree, _ = clear
    before = tree.copy(deep=True)
    unmix.summary(model, tree)
    assert tree.identical(before)


def test_r_hat_and_ess_before_and_after(clear):
    _, tree, found = clear
    both = found.diagnostics
    raw = az.ess(tree["posterior"].to_dataset()[["rate"]])["rate"].values
    np.testing.assert_allclose(both.loc["rate[0]", ("before", "ess_bulk")], raw[0])
    assert both.loc["rate[0]", ("after", "ess_bulk")] == found.table.loc["rate[0]", "ess_bulk"]
    free = found.label_free.index
    pd.testing.assert_frame_equal(both["before"].loc[free], both["after"].loc[free])
    assert {"log_likelihood", "entropy", "concentration", "occupied", "share_(3)"} <= set(free)


def test_label_free_numbers(clear):
    _, tree, found = clear
    derivation = derived("poisson")
    terms = derivation.bayes(stack_theta(derivation, tree).values)
    free = found.label_free["mean"]
    assert free["log_likelihood"] == pytest.approx(terms.log_marginal.sum(axis=1).mean())
    share = np.sort(terms.responsibility.mean(axis=1), axis=1)
    assert free["share_(1)"] == pytest.approx(share[:, 0].mean())
    assert free["concentration"] == pytest.approx((share**2).sum(axis=1).mean())
    rate = np.sort(tree["posterior"]["rate"].values, axis=-1)
    assert free["rate_(3)"] == pytest.approx(rate[..., 2].mean())
    z = tree["assignments"]["z"].values.reshape(160, -1)
    assert free["occupied"] == pytest.approx(np.mean([len(set(row)) for row in z]))


def test_label_free_numbers_have_a_legend(clear, alike):
    _, _, found = clear
    text = repr(found)
    for name in ("log_likelihood", "entropy", "concentration", "share", "occupied"):
        assert text.count(f"\n{name}: ") == 1
    bare = alike[2]  # its draws hold no z
    assert "occupied: " not in repr(bare)
    assert "<li>concentration: " in bare._repr_html_()


def test_a_misspelt_option_is_named_with_the_nearest(clear):
    model, tree, _ = clear
    with pytest.raises(unmix.UnmixError, match="no option 'pivott', did you mean 'pivot'"):
        unmix.summary(model, tree, pivott=3)


def test_no_component_table_where_components_have_no_labels(alike):
    _, _, found = alike
    assert not found.identified
    assert found.flags[0].startswith("not identified: ")
    assert "% of the draws" in found.flags[0]
    assert len(found.table) == 0
    assert not any("[" in name for name in found.label_free.index)
    assert found.label_free.loc["rate_(1)", "mean"] < found.label_free.loc["rate_(3)", "mean"]
    text = repr(found)
    assert "rate[0]" not in text
    assert "rate_(1)" in text
    assert text.index("not identified") < text.index("rate_(1)")
    assert "the method figure() shows" in text
    assert len(found.figure().axes) == 2


def test_what_has_no_component_stays_in_the_table():
    rng = np.random.default_rng(0)
    dims = ("chain", "draw")
    mixed = trace(shared=(dims, rng.normal(size=(2, 10))))
    found = unmix.summary(mixed, axes=AXES, z="z")
    assert not found.identified
    assert list(found.table.index) == ["shared"]
    assert "occupied" in found.label_free.index
    assert found.relabelling.method == "ecr-iterative-1"


def test_labels_of_the_declaration(clear):
    model, posterior, _ = draws_of("informative_prior_per_component")
    found = unmix.summary(model, posterior)
    assert found.identified
    assert found.relabelling is None
    assert "labels come from the declaration" in found.flags[0]
    expected = az.summary(xr.DataTree.from_dict({"posterior": posterior[["mu"]]}), round_to="none")
    pd.testing.assert_frame_equal(found.table.loc[expected.index], expected.astype(float))


def test_one_component_has_no_labels():
    rng = np.random.default_rng(0)
    one = xr.Dataset({"mu": (("chain", "draw", "component"), rng.normal(size=(2, 50, 1)))})
    found = unmix.summary(one, axes="component")
    assert found.identified
    assert "one component" in found.flags[0]
    assert list(found.table.index) == ["mu[0]"]


def test_one_chain_is_said(clear):
    model, tree, _ = clear
    found = unmix.summary(model, tree.isel(chain=[0]))
    assert sum("one chain only" in flag for flag in found.flags) == 1
    assert not any("chains disagree" in flag for flag in found.flags)


def test_chains_that_disagree_and_divergences_are_flags(clear):
    model, tree, calm = clear
    posterior = tree["posterior"].to_dataset().copy(deep=True)
    posterior["rate"].values[1] *= 1.05
    stats = xr.Dataset({"diverging": (("chain", "draw"), np.ones((2, 80), bool))})
    found = unmix.summary(
        model, xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats})
    )
    for words in ("chains disagree: R-hat is", "chains disagree, whatever", "160 divergent draws"):
        assert any(words in flag for flag in found.flags)
    assert not any("divergent" in flag for flag in calm.flags)


def test_a_relabelling_of_ones_own(clear):
    model, tree, _ = clear
    mine = unmix.relabel(model, tree, method="order", by="rate")
    table = unmix.summary(model, tree, relabelling=mine).table
    np.testing.assert_allclose(table.loc["rate[0]", "mean"], 1.0, atol=0.01)
    by = unmix.summary(model, tree, method="order", by="rate")
    pd.testing.assert_frame_equal(by.table, table)
    with pytest.raises(unmix.UnmixError, match="aligned already"):
        unmix.summary(model, mine.apply(tree))
    with pytest.raises(unmix.UnmixError, match="nothing to summarise"):
        unmix.summary(model)


def test_names_are_escaped_in_html():
    rng = np.random.default_rng(0)
    dims = ("chain", "draw")
    odd = trace(**{"<b>": (dims, rng.normal(size=(2, 10)))})
    found = unmix.summary(odd, axes=AXES, z="z")
    assert "<b>" not in found._repr_html_()
    assert "&lt;b&gt;" in found._repr_html_()


def test_samples_without_chains():
    rng = np.random.default_rng(0)
    theta = np.where(rng.random((100, 1)) < 0.5, [0.0, 5.0], [5.0, 0.0])
    flat = xr.Dataset({"mu": (("sample", "component"), theta + 0.1 * rng.normal(size=(100, 2)))})
    found = unmix.summary(flat, axes="component", method="order", by="mu")
    assert found.identified
    np.testing.assert_allclose(found.table["mean"], [0, 5], atol=0.06)
