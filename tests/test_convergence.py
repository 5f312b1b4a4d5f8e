"""Chains that never move, few draws and chains that disagree are told from each other."""

import warnings

import numpy as np
import pytest
import xarray as xr
from registry import built, derived
from test_relabel import trace

import unmix
from unmix.assign.convergence import never_move, still
from unmix.infer.aloud import say_aloud, worst_parameter

DIMS = ("chain", "draw", "component")


def draws(*chains, n=30):
    """Draws of the registry's normal model; a chain is the spread of its means."""
    rng = np.random.default_rng(0)
    shape = (len(chains), n, 2)
    spread = np.array(chains)[:, None, None] * rng.standard_normal(shape)
    mu = np.array([-2.0, 2.0]) + spread + 0.3 * np.arange(len(chains))[:, None, None]
    return xr.Dataset(
        {
            "w": (DIMS, np.broadcast_to([0.4, 0.6], shape).copy()),
            "mu": (DIMS, mu),
            "sigma": (DIMS, np.ones(shape)),
        },
        coords={"chain": range(len(chains)), "draw": range(n)},
    )


@pytest.mark.parametrize("fit", [draws(0, 0), draws(0), draws(0.1, 0), draws(0.1, 0.1, n=1)])
def test_no_warning_of_a_library_leaks(fit):
    model = built("normal")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", unmix.UnmixWarning)
        unmix.summary(model, fit)
        unmix.summary(fit, axes="component", method="order", by="mu")
        for method in ("reference", "stephens", "data", "pra"):
            unmix.relabel(model, fit, method=method)
        unmix.responsibilities(model, fit)
        unmix.crosscheck(model, fit.merge(unmix.draw_assignments(model, fit, rng=0)))


def test_draws_that_never_move_are_said_first():
    found = unmix.summary(built("normal"), draws(0, 0))
    assert found.flags[0].startswith("the draws never move: each chain holds one θ")
    assert sum("never move" in flag for flag in found.flags) == 1
    assert not any("disagree" in flag or "few effective" in flag for flag in found.flags)
    unknown = found.label_free[["r_hat", "ess_bulk", "ess_tail"]]
    assert unknown.isna().all(axis=None)
    assert found.table["mean"].notna().all()
    with pytest.warns(unmix.UnmixWarning, match="the draws never move"):
        relabelling = unmix.relabel(built("normal"), draws(0, 0), method="pra")
    assert "note: the draws never move" in repr(relabelling)


def test_a_chain_that_never_moves_is_named():
    found = unmix.summary(built("normal"), draws(0.1, 0, 0.1))
    assert found.flags[0].startswith("chain 1 never moves and holds one θ at every draw")
    assert not any("never move" in f for f in unmix.summary(built("normal"), draws(0.1, 0.1)).flags)


def test_one_draw_is_not_standing_still():
    assert not still(np.ones((2, 1, 3))).any()
    assert never_move([np.ones((2, 1))], [0, 1]) == ()
    # Sums of 12 terms in two orders differ by some units in the last place.
    assert still(np.array([[1.0, 1.0 + 4e-16]])).all()


def stats(log_likelihood, theta=True):
    values = np.asarray(log_likelihood)
    free = xr.Dataset(
        dict.fromkeys(("log_likelihood", "concentration"), (("chain", "draw"), values)),
        coords={"chain": range(len(values))},
    )
    aligned = xr.Dataset(attrs={"identified": 1})
    groups = {
        "/": xr.Dataset(attrs={"interrupted": 0}),
        "posterior": draws(0, 0) if theta else xr.Dataset(),
        "sample_stats": free,
        "alignment": aligned,
    }
    return xr.DataTree.from_dict(groups)


def test_sampling_names_the_cause():
    rng = np.random.default_rng(0)
    still_, noise = np.repeat([[1.0], [2.0]], 200, axis=1), rng.standard_normal((2, 200))
    cases = {
        "the draws never move": still_,
        "chain 0 never moves": np.stack([np.ones(200), noise[0]]),
        r"chains disagree \(R-hat": noise + np.array([[0], [3]]),
        "too few effective draws to tell": noise + 0.4 * np.array([[0], [1]]),
    }
    for words, values in cases.items():
        with pytest.warns(unmix.UnmixWarning, match=words) as said:
            say_aloud(derived("normal"), stats(values), 200)
        assert len(said) == 1


def test_a_parameter_on_which_chains_disagree_is_named():
    tree = stats(np.random.default_rng(0).standard_normal((2, 200)))
    tree["posterior"] = xr.DataTree(draws(0.1, 0.1, n=200))  # means .3 apart, 3 sd
    order = np.broadcast_to([0, 1], (2, 200, 2))
    tree["alignment"] = xr.DataTree(
        xr.Dataset({"permutation": (DIMS, order)}, attrs={"identified": 1})
    )
    with pytest.warns(
        unmix.UnmixWarning, match=r"chains disagree on mu\[[01]\] \(R-hat [1-9]"
    ) as said:
        say_aloud(derived("normal"), tree, 200)
    assert len(said) == 1
    # Where chains call components by other names, matching comes first.
    swapped = tree.copy()
    held = swapped["posterior"].to_dataset()
    held["mu"] = held["mu"].copy(data=np.repeat([[[-2.0, 2.0]], [[2.0, -2.0]]], 200, axis=1))
    held["mu"] = held["mu"] + 0.1 * np.random.default_rng(1).standard_normal((2, 200, 2))
    swapped["posterior"] = xr.DataTree(held)
    names = np.repeat([[[0, 1]], [[1, 0]]], 200, axis=1)
    swapped["alignment"] = xr.DataTree(
        xr.Dataset({"permutation": (DIMS, names)}, attrs={"identified": 1})
    )
    assert worst_parameter(derived("normal"), swapped)[1] < 1.05
    # And where they cannot be matched nothing is said of what belongs to one of them.
    tree["alignment"].attrs["identified"] = 0
    assert worst_parameter(derived("normal"), tree) is None


def test_nothing_moves_where_there_is_nothing_to_move():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        say_aloud(derived("normal"), stats(np.ones((2, 200)), theta=False), 200)


# -- without a model, and the mixture's moments ----------------------------------------------------


def test_a_summary_without_its_model_says_so():
    fit = draws(0.1, 0.1)
    without = unmix.summary(fit, axes="component", method="order", by="mu")
    assert any("read without the model" in flag for flag in without.flags)
    assert "log_likelihood" not in without.label_free.index
    assert not any("without the model" in f for f in unmix.summary(built("normal"), fit).flags)


@pytest.mark.parametrize(
    ("name", "theta", "moments"),
    [
        ("normal", {"w": [0.3, 0.7], "mu": [-1.0, 2.0], "sigma": [0.5, 2.0]},
         ([-1, 2], [0.25, 4])),
        ("poisson", {"w": [0.2, 0.3, 0.5], "rate": [1.0, 4.0, 9.0]}, ([1, 4, 9], [1, 4, 9])),
    ],
)  # fmt: skip
def test_moments_of_the_mixture(name, theta, moments):
    from unmix.assign.moments import mixture_moments
    from unmix.derive.theta import stack_theta

    w, (mean, variance) = np.array(theta["w"]), map(np.array, moments)
    found, missing = mixture_moments(derived(name), stack_theta(derived(name), theta))
    assert missing == ""
    expected = w @ mean
    np.testing.assert_allclose(found["mean(x)"], [expected], rtol=1e-12)
    # E[x²] − E[x]²: another way to the same.
    np.testing.assert_allclose(
        found["variance(x)"], [w @ (variance + mean**2) - expected**2], rtol=1e-12
    )


def test_moments_of_every_family():
    """Against many rows that the family itself makes."""
    from unmix.onepass.families import FAMILIES

    rng = np.random.default_rng(5)
    lower = np.array([[1.5, 0.0], [-0.7, 0.4]])
    inverse = np.linalg.inv(lower)
    packed = {
        "Normal": [1.0, -2.0, 1 / 0.5, 1 / 3.0, 0.0],
        "MvNormal": [1.0, -2.0, inverse[0, 0], inverse[1, 0], inverse[1, 1], 0.0],
        "Poisson": [np.log(2.0), np.log(7.0), 0.0],
        "Bernoulli": [np.log(0.2), np.log(0.9), np.log(0.8), np.log(0.1)],
        "Exponential": [-0.5, -4.0, 0.0],
    }
    n = 200_000
    for family in FAMILIES:
        if family.name == "Labels":
            continue  # known beforehand, and no datum
        if family.name == "Categorical":
            assert family.moments(np.zeros(4), 2) is None
            continue
        p = np.array(packed[family.name])
        x = family.replicate(p, 2, n, rng)
        mean, variance = family.moments(p[None], 2)
        # Six standard errors; that of a variance from the rows' own fourth moments.
        np.testing.assert_array_less(np.abs(x.mean(axis=1) - mean[0]), 6 * x.std(axis=1) / n**0.5)
        square = np.square(x - x.mean(axis=1, keepdims=True))
        np.testing.assert_array_less(
            np.abs(square.mean(axis=1) - variance[0]), 6 * square.std(axis=1) / n**0.5
        )


def test_what_has_no_moments_is_said():
    found = unmix.summary(trace(), axes={"w": "w_dim_0", "mu": "mu_dim_0"}, z="z")
    assert any("left out" in flag for flag in found.flags)
