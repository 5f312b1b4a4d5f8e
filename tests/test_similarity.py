"""The similarity matrix of fits: from responsibilities, from z, in blocks and in parts."""

import numpy as np
import pytest
import xarray as xr
from mutants_partition import SIMILARITY_MUTANTS
from test_assign import draws_of

import unmix
from unmix import UnmixError
from unmix.assign.partition import similarity

# Means of a few dozen sums of products of shares: rounding is some 1e-15.
ROUNDING = 1e-13


def by_pairs(model, posterior):
    """Mean over draws of Σ_k r_ik r_jk, pair by pair, from the five terms of Bayes' rule."""
    r = unmix.bayes_rule(model, posterior)["responsibility"].values
    r = r.reshape(-1, *r.shape[-2:])
    p = np.array([[np.mean((r[:, i] * r[:, j]).sum(-1)) for j in range(r.shape[1])]
                  for i in range(r.shape[1])])  # fmt: skip
    np.fill_diagonal(p, 1)
    return p, r


@pytest.fixture(scope="module")
def normals():
    model, posterior, _ = draws_of("normal", spread=0.3)
    return model, posterior


def test_from_responsibilities(normals):
    p, _ = by_pairs(*normals)
    found = unmix.co_assignment(*normals)
    np.testing.assert_allclose(found, p, atol=ROUNDING)
    np.testing.assert_array_equal(found, found.T)
    assert found.dims == ("obs", "obs_other")
    assert found.attrs == {"from": "responsibilities", "samples": 60}


@pytest.mark.parametrize("mutant", SIMILARITY_MUTANTS)
def test_wrong_matrices_differ(normals, mutant):
    p, r = by_pairs(*normals)
    assert np.abs(mutant(r) - p).max() > 1e-3


def test_components_permuted_draw_by_draw_change_only_rounding():
    model, still, _ = draws_of("normal", spread=0.3, switch=False)
    derivation = unmix.derive(model)
    rng = np.random.default_rng(0)
    values = {n: v.values.reshape(-1, *v.shape[2:]) for n, v in still.items()}
    k = derivation.n_components
    orders = np.array([rng.permutation(k) for _ in range(60)])
    moved = derivation.components.permute(values, orders)
    switched = xr.Dataset({n: (still[n].dims, moved[n].reshape(still[n].shape)) for n in still})
    np.testing.assert_allclose(
        unmix.co_assignment(model, still), unmix.co_assignment(model, switched), atol=ROUNDING
    )
    one, two = (
        unmix.partition(model, fit, loss="binder", rng=0, restarts=2) for fit in (still, switched)
    )
    assert one.expected_loss == pytest.approx(two.expected_loss, abs=1e-12)


def test_in_blocks_of_any_size(normals, monkeypatch):
    whole = unmix.co_assignment(*normals)
    from_z = unmix.co_assignment(*normals, from_="z", rng=1)
    monkeypatch.setattr(similarity, "BLOCK", 30)
    monkeypatch.setattr(similarity, "WIDTH", 3)
    np.testing.assert_allclose(unmix.co_assignment(*normals), whole, atol=ROUNDING)
    np.testing.assert_array_equal(unmix.co_assignment(*normals, from_="z", rng=1), from_z)


def test_counted_and_averaged_agree():
    model, posterior, _ = draws_of("normal", draws=1000, spread=0.1)
    averaged = unmix.co_assignment(model, posterior).values
    counted = unmix.co_assignment(model, posterior, from_="z", rng=0).values
    # Given θ, z is fresh in each draw: the difference is a mean of 2,000 independent terms, each
    # with variance P(1 − P) at most. 66 pairs at 4.8 standard errors: false alarms 1e-4.
    error = np.sqrt(np.maximum(averaged * (1 - averaged), 1e-6) / 2000)
    assert np.max(np.abs(counted - averaged) / error) < 4.8
    z = unmix.draw_assignments(model, posterior, rng=0)["z"]
    np.testing.assert_array_equal(unmix.co_assignment(z=z), counted)


def test_some_rows_against_others_and_on_disk(normals, tmp_path):
    whole = unmix.co_assignment(*normals).values
    part = unmix.co_assignment(*normals, obs=[4, -1], other=[0, 4, 7])
    np.testing.assert_allclose(part, whole[[4, 11]][:, [0, 4, 7]], atol=ROUNDING)
    assert part.sel(obs=4, obs_other=4) == 1
    out = np.memmap(tmp_path / "p.bin", dtype=np.float32, mode="w+", shape=whole.shape)
    unmix.co_assignment(*normals, out=out)
    np.testing.assert_allclose(out, whole, atol=1e-6)  # single precision


def test_names_of_rows_are_kept():
    z = xr.DataArray([[0, 0, 1]] * 3, dims=("draw", "obs"), coords={"obs": ["a", "b", "c"]})
    assert unmix.co_assignment(z=z).sel(obs="a", obs_other="b") == 1
    found = unmix.partition(z=z.transpose("obs", "draw"), rng=0)
    assert found.z.sel(obs="c") == 1


def test_a_point_has_a_matrix_and_no_draws(normals):
    model, posterior = normals
    point = posterior.isel(chain=0, draw=0)
    p, _ = by_pairs(model, posterior.isel(chain=[0], draw=[0]))
    np.testing.assert_allclose(unmix.co_assignment(model, point), p, atol=ROUNDING)
    assert unmix.partition(model, point, loss="binder", rng=0).ball is None
    for verb in (unmix.partition, unmix.occupied):
        with pytest.raises(UnmixError, match="one point of θ and has no draws"):
            verb(model, point)


def test_a_fit_with_z_of_its_own(normals):
    model, posterior = normals
    z = unmix.draw_assignments(model, posterior, rng=5)
    fit = xr.DataTree.from_dict({"posterior": posterior, "assignments": z})
    given = unmix.partition(z=z["z"], rng=2)
    found = unmix.partition(model, fit, rng=2)
    np.testing.assert_array_equal(found.z, given.z)
    assert found.expected_loss == given.expected_loss
    # On the matrix, what z are averages over is known exactly: responsibilities take their place.
    averaged = unmix.partition(model, fit, loss="vi_lower_bound", rng=2)
    alone = unmix.partition(
        similarity=unmix.co_assignment(model, fit), loss="vi_lower_bound", rng=2
    )
    assert averaged.expected_loss == pytest.approx(alone.expected_loss, abs=1e-12)
    assert averaged.ball is not None
    occupied = unmix.occupied(model, fit)
    assert occupied["components"].sizes == {"chain": 2, "draw": 30}
    assert occupied.sizes["occupied"] == unmix.derive(model).n_components


def test_a_fit_of_another_model(normals):
    model, posterior = normals
    fit = xr.DataTree.from_dict({"posterior": posterior})
    fit.attrs["fingerprint"] = '{"latent": "z", "parameters": ["w"], "components": 2}'
    for verb in (unmix.co_assignment, unmix.partition, unmix.occupied):
        with pytest.raises(UnmixError, match="made with another model"):
            verb(model, fit)
        with pytest.raises(UnmixError, match="there is no fit"):
            verb(model)
    z = unmix.draw_assignments(model, posterior, rng=5)
    odd = xr.DataTree.from_dict({"posterior": posterior, "assignments": z + 7})
    with pytest.raises(UnmixError, match="components are numbered 0 to"):
        unmix.partition(model, odd)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"from_": "counts"}, "from_ is 'counts': give 'responsibilities' or 'z'"),
        ({"obs": [12]}, "obs asks for row 12 and there are 12"),
        ({"other": [0.5]}, "other is"),
        ({"out": np.zeros((2, 2))}, "out is an array"),
        ({"z": np.zeros((3, 2), int)}, "not both"),
    ],
)
def test_input_that_cannot_be_used(normals, options, said):
    with pytest.raises(UnmixError, match=said):
        unmix.co_assignment(*normals, **options)


def test_a_matrix_that_would_not_fit(monkeypatch):
    monkeypatch.setattr(similarity, "LARGEST", 1000)
    with pytest.raises(UnmixError, match="ask for some rows"):
        unmix.co_assignment(z=np.zeros((2, 20), int))
