"""The README's hierarchical model: weights of groups, partially pooled, over shared components."""

import re

import arviz as az
import numpy as np
import pytest
from readme_run import Page, page

import unmix


@pytest.fixture(scope="module")
def readme(tmp_path_factory) -> Page:
    return page(tmp_path_factory.getbasetemp() / "readme")


def test_it_is_thirty_lines_at_most(readme):
    (code,) = [block.code for block in readme.blocks if "c * w0" in block.code]
    assert len(code.splitlines()) <= 30


def test_component_axes_are_found_from_what_z_indexes(readme):
    derivation = unmix.derive(readme.names["grouped"])
    assert dict(derivation.components.axes) == {"w": 1, "mu": 0, "sigma": 0}
    assert derivation.component_labels.tolist() == ["short", "long"]
    assert not derivation.components.symmetric  # the means are ordered


def test_em_is_maximum_likelihood_and_names_what_it_leaves_out(readme):
    em = readme.names["em_grouped"]
    assert em.converged
    assert em.left_out == ("w0", "c")
    assert set(em.theta.data_vars) == {"w", "mu", "sigma"}
    assert em.df == 8 + 2 + 2  # one free weight a group; two means; two standard deviations


def test_em_does_not_pool(readme):
    # At the maximum each group's weights are the mean responsibilities of its own rows: the
    # M-step's fixed point. The M-step is gradient-based here, hence the tolerance.
    model, em = readme.names["grouped"], readme.names["em_grouped"]
    r = unmix.responsibilities(model, em)["responsibility"].values
    own = r.reshape(8, 34, 2).mean(axis=1)
    np.testing.assert_allclose(em.theta["w"].values, own, atol=1e-5)


def test_the_posterior_mode_is_refused_unless_c_is_fixed(readme):
    model, em = readme.names["grouped"], readme.names["em_grouped"]
    with pytest.raises(unmix.UnmixError, match=r"'c'.*fixed=\{'c'"):
        unmix.em(model, kind="posterior", progress=False)
    mode = unmix.em(model, kind="posterior", fixed={"c": 20}, start=em, progress=False)
    assert mode.converged
    assert mode.fixed == ("c",)
    assert mode.left_out == ()


def test_draws_are_consistent_and_pooled(readme):
    model, post = readme.names["grouped"], readme.names["post_grouped"]
    check = unmix.crosscheck(model, post)
    assert check.verdict == "consistent"
    assert check.n_recomputed > 0
    assert {"w0", "c", "w", "mu", "sigma"} <= set(post["posterior"].data_vars)
    pooled = post["posterior"]["w"].sel(component="short")
    by_em = readme.names["em_grouped"].theta["w"].sel(component="short")
    # Partial pooling draws the groups together. Chance could hide it only if errors of the means,
    # here below 0.005 each, were as large as the spread of 0.04 that EM leaves.
    assert float(pooled.mean(["chain", "draw"]).std()) < float(by_em.std())


def test_the_numbers_in_the_readme(readme):
    ((shown, printed),) = [
        (block.printed, printed)
        for block, printed in zip(readme.blocks, readme.printed, strict=True)
        if block.printed and "left out by EM" in block.printed
    ]
    old, new = shown.splitlines(), printed.splitlines()
    assert old[:3] == new[:3]  # what EM leaves out, the verdict, EM's shares: no chance in them
    quoted = np.array(re.findall(r"0\.\d+", old[3]), dtype=float)
    draws = readme.names["post_grouped"]["posterior"]["w"].sel(component="short")
    error = (draws.std(["chain", "draw"]) / np.sqrt(az.ess(draws))).values
    # These draws' error and at most as much for the README's, five standard errors; two decimals.
    allowed = 5 * np.sqrt(2) * error + 0.005
    assert np.all(np.abs(quoted - draws.mean(["chain", "draw"]).values) < allowed)
