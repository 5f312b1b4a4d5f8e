"""Drawing z, matching components over draws, averaging responsibilities: on draws made by hand."""

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from mutants import ALIGNMENT_MUTANTS
from registry import built, derived

import unmix
from unmix.assign import quantiles
from unmix.assign.drawing import draw_z
from unmix.assign.draws import assign_draws
from unmix.assign.identity import verdict
from unmix.assign.matching import match
from unmix.derive import bayes
from unmix.derive.latent import z_dtype
from unmix.derive.theta import stack_theta


def draws_of(name, chains=2, draws=30, seed=0, spread=0.05, switch=True):
    """Draws around one θ, each with its components permuted at random within the symmetry."""
    derivation = derived(name)
    rng = np.random.default_rng(seed)
    centre = derivation.space.unconstrain(derivation.space.jittered(np.random.default_rng(seed)))
    components = derivation.components
    values = {n: [] for n in derivation.parameters}
    truth = []
    for _ in range(chains * draws):
        u = {n: v + spread * rng.standard_normal(np.shape(v)) for n, v in centre.items()}
        theta = derivation.space.constrain(u)
        order = np.arange(derivation.n_components)
        if switch:
            for block in components.symmetry:
                order[list(block)] = rng.permutation(block)
        moved = components.permute(theta, order)
        truth.append(order)
        for n in values:
            values[n].append(moved[n])
    posterior = xr.Dataset(
        {
            n: (
                ("chain", "draw", *(f"{n}_dim_{i}" for i in range(np.ndim(v[0])))),
                np.array(v).reshape(chains, draws, *np.shape(v[0])),
            )
            for n, v in values.items()
        }
    )
    return built(name), posterior, np.array(truth)


# -- drawing ---------------------------------------------------------------------------------------


def test_drawn_frequencies_are_the_responsibilities():
    r = np.array([[0.2, 0.5, 0.3], [0.0, 1.0, 0.0], [0.999, 0.0, 0.001]])
    t = 40_000
    z = draw_z(np.broadcast_to(r, (t, 3, 3)), np.random.default_rng(0))
    share = np.stack([(z == k).mean(axis=0) for k in range(3)], axis=1)
    # 4.5 binomial standard errors over five free cells: false alarms 3e-5, and the seed is fixed.
    np.testing.assert_array_less(np.abs(share - r), 4.5 * np.sqrt(r * (1 - r) / t) + 1e-12)


def test_rounding_never_draws_an_impossible_component():
    r = np.array([[1.0 - 1e-16, 0.0], [0.3, 0.7 - 1e-9]])

    class Top:
        def random(self, shape):
            return np.full(shape, np.nextafter(1.0, 0.0))

    assert draw_z(r, Top()).tolist() == [0, 1]


def test_one_byte_for_256_components():
    assert z_dtype(2) == z_dtype(256) == np.uint8
    assert z_dtype(257) == np.uint16


def test_draw_assignments_is_seeded_and_labelled():
    model, posterior, _ = draws_of("normal", switch=False)
    one = unmix.draw_assignments(model, posterior, rng=3)
    assert one["z"].dims == ("chain", "draw", "obs")
    assert one.equals(unmix.draw_assignments(model, posterior, rng=3))
    assert not one.equals(unmix.draw_assignments(model, posterior, rng=4))


# -- matching --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["normal", "poisson", "multivariate_normal_by_lkj_stack"])
def test_a_known_permutation_is_undone(name):
    model, posterior, truth = draws_of(name)
    aligned = unmix.align(model, posterior)
    derivation = derived(name)
    stacked = {n: posterior[n].values.reshape(-1, *derivation.shapes[n]) for n in posterior}
    undone = derivation.components.permute(stacked, np.argsort(truth, axis=1))
    globally = None
    for n in aligned.data_vars:
        values = aligned[n].values.reshape(stacked[str(n)].shape)
        if globally is None:
            # One permutation for all draws is left free: find it on the first draw.
            import itertools

            for order in itertools.permutations(range(derivation.n_components)):
                moved = derivation.components.permute(undone, np.array([order] * len(truth)))
                if np.array_equal(moved[str(n)][0], values[0]):
                    globally = moved
                    break
        assert globally is not None
        np.testing.assert_array_equal(values, globally[str(n)])


@pytest.mark.parametrize("mutant", ALIGNMENT_MUTANTS)
def test_alignment_mutants_change_responsibilities(mutant):
    """Moving some component axes and not others, or inverting the permutation, is seen."""
    _, posterior, _ = draws_of("poisson")
    derivation = derived("poisson")
    stack = {n: posterior[n].values.reshape(-1, *derivation.shapes[n]) for n in posterior}
    r = derivation.bayes(stack).responsibility
    permutation = match(r, r[0], derivation.components.symmetry).permutation
    assert not np.array_equal(permutation, np.argsort(permutation, axis=1))
    right = np.take_along_axis(r, permutation[:, None, :], axis=2)
    moved = derivation.components.permute(stack, permutation)
    np.testing.assert_allclose(derivation.bayes(moved).responsibility, right, atol=1e-12)
    wrong = ALIGNMENT_MUTANTS[mutant](derivation.components, stack, permutation)
    assert np.abs(derivation.bayes(wrong).responsibility - right).max() > 0.01


def test_labels_that_come_from_the_declaration_stay():
    """Sorting draws under N(0,1) and N(1,1) priors would bias both means."""
    model, posterior, _ = draws_of("informative_prior_per_component")
    aligned = unmix.align(model, posterior)
    np.testing.assert_array_equal(aligned["mu"].values, posterior["mu"].values)
    assert "labels come from the declaration" in aligned.attrs["alignment"]


def test_components_that_cannot_be_told_apart_are_said_to_be():
    model, posterior, _ = draws_of("normal", spread=0.01)
    same = posterior.copy()
    same["mu"] = posterior["mu"] * 0 + 0.01 * np.random.default_rng(0).standard_normal((2, 30, 2))
    same["sigma"] = posterior["sigma"] * 0 + 1.0
    same["w"] = posterior["w"] * 0 + 0.5
    result = unmix.responsibilities(model, same)
    assert result.attrs["identified"] == 0
    assert result.attrs["alignment"].startswith("not identified")
    assert unmix.responsibilities(model, posterior).attrs["identified"] == 1


def test_verdict_sentences():
    assert verdict({"open": 0.1, "tied": 0.0, "moved": 1.0}, "a pivot") == (
        True,
        "aligned to a pivot; in 10.0 % of the draws a swap would cost less than 10 % of the two "
        "components' agreement, in 0.0 % of the draws another permutation is as good",
    )
    for against in ("open", "tied", "not a permutation"):
        identified, sentence = verdict({against: 0.11}, "a pivot")
        assert not identified
        assert sentence.startswith("not identified: aligned to a pivot, in 11.0 % of the draws ")


def test_the_sentence_says_what_the_draws_were_aligned_to():
    model, posterior, _ = draws_of("normal", spread=0.01)
    found = unmix.responsibilities(model, posterior)
    assert found.attrs["alignment"].startswith("aligned to the likeliest of some draws; ")
    sizes = posterior["w"].shape
    stored = xr.Dataset(
        {
            "permutation": (
                ("chain", "draw", "component"),
                found_permutation(model, posterior).reshape(sizes),
            ),
            "margin": (("chain", "draw"), np.ones(sizes[:2])),
        },
        coords={"chain": posterior["chain"], "draw": posterior["draw"]},
        attrs={"identified": 1, "aligned_to": "where EM ended"},
    )
    fit = xr.DataTree.from_dict({"posterior": posterior, "alignment": stored})
    for told in (unmix.responsibilities(model, fit), unmix.align(model, fit)):
        assert told.attrs["alignment"].startswith("aligned to where EM ended; ")


def found_permutation(model, posterior):
    """Raw component of each matched one, as the library finds it."""
    derivation = unmix.derive(model)
    stack = stack_theta(derivation, posterior)
    return assign_draws(derivation, stack, None).permutation


# -- averages --------------------------------------------------------------------------------------


def direct(name, posterior, truth):
    """All draws at once, with the true permutation undone: what the stream must equal."""
    derivation = derived(name)
    stack = {n: posterior[n].values.reshape(-1, *derivation.shapes[n]) for n in posterior}
    r = derivation.bayes(stack).responsibility
    return np.take_along_axis(r, np.argsort(truth, axis=1)[:, None, :], axis=2)


def test_streamed_averages_are_the_averages(monkeypatch):
    import sys

    room = sys.modules["unmix.derive.derivation"]
    monkeypatch.setattr(room, "BLOCK", 7 * 15 * 3)  # blocks of 7 draws, which 30 is no multiple of
    model, posterior, truth = draws_of("poisson")
    z = unmix.draw_assignments(model, posterior, rng=0)
    result = unmix.responsibilities(model, posterior.merge(z))
    r = direct("poisson", posterior, truth)
    order = np.argsort([np.abs(result["responsibility"].values[:, [k]] - r.mean(axis=0)).sum(axis=0)
                        for k in range(3)], axis=1)[:, 0]  # fmt: skip
    r = r[:, :, order]
    np.testing.assert_allclose(result["responsibility"], r.mean(axis=0), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(result["sd"], r.std(axis=0, ddof=1), rtol=1e-6, atol=1e-9)
    # Draws are kept in single precision for quantiles.
    np.testing.assert_allclose(result["lower"], np.quantile(r, 0.055, axis=0), atol=1e-6)
    np.testing.assert_allclose(result["upper"], np.quantile(r, 0.945, axis=0), atol=1e-6)
    overlap = bayes.entropy(r).mean(axis=0)
    np.testing.assert_allclose(result["overlap"], overlap, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(
        result["overlap"] + result["parameter_uncertainty"], result["entropy"], atol=1e-14
    )
    aligned_z = np.take_along_axis(np.argsort(np.argsort(truth, 1)[:, order], 1),
                                   z["z"].values.reshape(60, -1).astype(int), axis=1)  # fmt: skip
    share = np.stack([(aligned_z == k).mean(axis=0) for k in range(3)], axis=1)
    np.testing.assert_allclose(result["assignment_frequency"], share, atol=1e-15)


def test_the_plug_in_at_the_mean_is_not_the_average():
    """The mutant: Bayes' rule at E[θ | x] for the mean of Bayes' rule over draws."""
    model, posterior, _ = draws_of("normal", switch=False, spread=0.6)
    average = unmix.responsibilities(model, posterior)["responsibility"]
    plug_in = unmix.bayes_rule(model, posterior.mean(("chain", "draw")))["responsibility"]
    assert np.abs(average.values - plug_in.values).max() > 0.01


def test_permuting_components_of_every_draw_changes_no_label_free_number():
    model, posterior, _ = draws_of("poisson")
    derivation = derived("poisson")
    stack = {n: posterior[n].values.reshape(-1, *derivation.shapes[n]) for n in posterior}
    moved = derivation.components.permute(stack, np.tile([2, 0, 1], (60, 1)))
    other = posterior.copy()
    for n in other.data_vars:
        other[n] = (other[n].dims, moved[str(n)].reshape(other[n].shape))
    a, b = unmix.responsibilities(model, posterior), unmix.responsibilities(model, other)
    for quantity in ("entropy", "overlap", "parameter_uncertainty"):
        np.testing.assert_allclose(a[quantity], b[quantity], atol=1e-13)


def test_a_single_point_and_a_single_component():
    model = built("normal")
    point = {"w": [0.5, 0.5], "mu": [-2.0, 2.0], "sigma": [1.0, 1.0]}
    r = unmix.responsibilities(model, point)
    rule = unmix.bayes_rule(model, point)
    np.testing.assert_allclose(r["responsibility"], rule["responsibility"], rtol=1e-14)
    one = unmix.models.gaussian([1.0, 2.0, 4.0], 1)
    result = unmix.responsibilities(one, {"w": [1.0], "mu": [0.0], "sigma": [1.0]})
    np.testing.assert_array_equal(result["responsibility"], np.ones((3, 1)))


def test_new_rows_under_draws_keep_the_labels_of_the_fit():
    model, posterior, _ = draws_of("normal")
    old = unmix.responsibilities(model, posterior)
    x = derived("normal").data[derived("normal").opened.observed["x"]].data
    new = unmix.responsibilities(model, posterior, new={"x": x[:4]})
    np.testing.assert_allclose(new["responsibility"], old["responsibility"][:4], rtol=1e-12)


def test_an_impossible_row_is_named():
    model = built("uniform_with_impossible_components")
    with pytest.raises(unmix.UnmixError, match="row 1 is impossible under every component"):
        unmix.responsibilities(
            model, {"w": [0.5, 0.5], "top": 1.5}, new={"x": np.array([0.1, 99.0])}
        )


def test_a_fit_of_another_model_is_refused():
    model, posterior, _ = draws_of("normal")
    z = np.zeros((2, 30, 5), dtype=int)
    tree = xr.DataTree.from_dict(
        {"posterior": posterior, "assignments": xr.Dataset({"z": (("chain", "draw", "obs"), z)})}
    )
    with pytest.raises(unmix.UnmixError, match="5 elements"):
        unmix.responsibilities(model, tree)
    z = np.full((2, 30, 12), 2)
    tree = xr.DataTree.from_dict(
        {"posterior": posterior, "assignments": xr.Dataset({"z": (("chain", "draw", "obs"), z)})}
    )
    with pytest.raises(unmix.UnmixError, match="numbered 0 to 1"):
        unmix.responsibilities(model, tree)


@pytest.mark.parametrize("interval", [0, 1, 1.5])
def test_an_interval_is_a_share(interval):
    model, posterior, _ = draws_of("normal")
    with pytest.raises(unmix.UnmixError, match="interval is"):
        unmix.responsibilities(model, posterior, interval=interval)


def test_histogram_quantiles_are_within_a_bin(monkeypatch):
    rng = np.random.default_rng(0)
    values = rng.beta([0.3, 2, 5], [0.3, 5, 1], size=(500, 4, 3))
    exact = quantiles.Quantiles(500, 4, 3)
    monkeypatch.setattr(quantiles, "EXACT", 0)
    rough = quantiles.Quantiles(500, 4, 3)
    for part in np.array_split(values, 7):
        exact.update(part)
        rough.update(part)
    assert exact.exact
    assert not rough.exact
    for p in (0.055, 0.5, 0.945):
        low, high = np.quantile(values, [p - 2 / 500, p + 2 / 500], axis=0)
        estimate = rough.quantile(p)
        # One bin's width, and the two order statistics about p between which quantiles differ.
        assert np.all(estimate >= low - 1 / 128)
        assert np.all(estimate <= high + 1 / 128)
        np.testing.assert_allclose(exact.quantile(p), np.quantile(values, p, axis=0), atol=1e-6)


def test_a_model_of_one_observation():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        z = pm.Categorical("z", w, shape=1)
        pm.Normal("x", pm.math.stack([-1.0, 1.0])[z], 1.0, observed=[0.0])
    r = unmix.responsibilities(model, {"w": [0.25, 0.75]})["responsibility"]
    np.testing.assert_allclose(r, [[0.25, 0.75]], rtol=1e-12)
