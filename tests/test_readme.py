"""The README says what the library does: its blocks run, and its numbers are the computed ones."""

import re

import arviz as az
import numpy as np
import pytest
from readme_run import ROOT, Page, page

import unmix


@pytest.fixture(scope="module")
def readme(tmp_path_factory) -> Page:
    return page(tmp_path_factory.getbasetemp() / "readme")


def _said(readme: Page, beginning: str) -> tuple[str, str]:
    """What a block prints according to the README, and what it printed now."""
    for block, printed in zip(readme.blocks, readme.printed, strict=True):
        if block.printed is not None and beginning in block.printed:
            return block.printed, printed
    raise AssertionError(f"no block of the README prints {beginning!r}")


def _error(draws) -> float:
    """Monte Carlo standard error of the mean of draws (chain, draw)."""
    return float(draws.std()) / np.sqrt(float(az.ess(draws)))


def test_every_block_prints_what_the_readme_has_a_place_for(readme):
    for block, printed in zip(readme.blocks, readme.printed, strict=True):
        assert (block.printed is None) == (printed == "")
    assert sum(block.printed is not None for block in readme.blocks) >= 3


def test_the_explained_row_has_the_layout_that_is_printed(readme):
    # Up to the marginal; the sentences below it depend on the draws.
    old, new = (
        re.sub(r"[\d.,–-]+", "#", text.split("p(B) marginal")[0]).split()
        for text in _said(readme, "Bayes' rule for observation")
    )
    assert old == new


def test_the_explained_row_agrees_with_fresh_draws(readme):
    old, _ = _said(readme, "Bayes' rule for observation")
    obs = int(re.search(r"observation (\d+)", old)[1])
    assert f"x = {readme.names['x'][obs]}" in old
    assert old.startswith("consistent\n")
    shown = {
        int(k): [float(v) for v in cells.split()]
        for k, cells in re.findall(r"^  ([01]) ((?: +[\d.]+){5})$", old, re.MULTILINE)
    }
    assert set(shown) == {0, 1}
    model, post = readme.names["model"], readme.names["post"]
    terms = unmix.bayes_rule(model, post, obs=[obs]).isel(obs=0)
    first = post["alignment"]["permutation"].isel(component=0)
    for name, column in (("log_prior", 0), ("log_likelihood", 1), ("log_joint", 2)):
        draws = np.exp(terms[name].isel(component=first))
        # These draws' own error, and at most as much for the README's four times as many; five
        # standard errors, one false alarm in 10^6; half a unit of the last of four digits.
        allowed = 5 * np.sqrt(2) * _error(draws) + 5e-4 * float(draws.mean())
        assert abs(shown[0][column] - float(draws.mean())) < allowed, name
    draws = terms["responsibility"].isel(component=first)
    assert abs(shown[0][3] - float(draws.mean())) < 5 * np.sqrt(2) * _error(draws) + 5e-5
    assert shown[0][3] + shown[1][3] == pytest.approx(1, abs=1.1e-4)  # two roundings to 1e-4
    counts = [int(c.replace(",", "")) for c in re.findall(r"([\d,]+) of 4,000", old)]
    assert [c / 4000 for c in counts] == pytest.approx([shown[0][4], shown[1][4]], abs=5.1e-5)


def test_the_quoted_numbers_of_em(readme):
    em, model = readme.names["em"], readme.names["model"]
    found = re.search(
        r"log-likelihood (-[\d.]+\d); there the same row belongs to component 0 with probability "
        r"(0\.\d+)",
        readme.text.replace("\n", " "),
    )
    responsibility = unmix.responsibilities(model, em)["responsibility"].values[248, 0]
    assert found[1] == f"{em.log_likelihood:.4f}"
    assert found[2] == f"{responsibility:.4f}"


def test_a_point_and_new_rows(readme):
    old, new = _said(readme, "[[0.9")
    assert old.splitlines()[0] == new.splitlines()[0]  # at one θ: no chance in it
    model, post = readme.names["model"], readme.names["post"]
    (shown,) = [float(r) for r in re.findall(r"^ \[(\S+) ", old, re.MULTILINE)]
    terms = unmix.bayes_rule(model, post, new={"x": [60.0, 67.0]})
    first = post["alignment"]["permutation"].isel(component=0)
    draws = terms["responsibility"].isel(obs=1, component=first)
    assert abs(shown - float(draws.mean())) < 5 * np.sqrt(2) * _error(draws) + 5e-4  # as above


def test_links_lead_somewhere(readme):
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", readme.text) if "://" not in link]
    assert len(links) >= 5
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_named_commands_exist(readme):
    verbs = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^ {4}make ([a-z]+)", readme.text, re.MULTILINE)) <= verbs
    from typer.main import get_command

    from unmix.cli import app

    commands = set(get_command(app).commands)
    assert set(re.findall(r"`unmix ([a-z]+)", readme.text)) <= commands


# --- Weights of groups, partially pooled, over shared components ----------------------------------


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
