"""Point partitions against brute force over all partitions, and against R's mcclust.

Where no tolerance is explained, 1e-9 stands for the rounding of a few thousand sums of numbers of
size N log₂ N at most.
"""

from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from mutants_partition import (
    BALL_MUTANTS,
    MATRIX_LOSS_MUTANTS,
    NUMBERING_MUTANTS,
    SEARCH_MUTANTS,
    ball,
)
from truth import SHARED

import unmix
from unmix import UnmixError
from unmix.assign.partition.ball import credible_ball
from unmix.assign.partition.expected import expected_loss, together, together_in_draws
from unmix.assign.partition.given import as_draws, canonical, canonical_draws

LOSSES = ("vi", "vi_lower_bound", "binder", "omari", "omari_approximate")
ON_MATRIX = ("vi_lower_bound", "binder", "omari_approximate")
ON_DRAWS = ("vi", "binder", "omari", "omari_approximate")
ROUNDING = 1e-9

# partition/small9_psm.csv: 400 draws, so four decimals are all there are. Values of the losses
# below are mcclust 1.0.1's, checked there by brute force over all 21,147 partitions; VI over draws
# is that brute force's best too (small9_estimates.json).
SMALL9 = np.array(
    [
        [1, 0.3800, 0.3425, 0.6875, 0.7225, 0.0100, 0.0050, 0.0175, 0.0350],
        [0.3800, 1, 0.9125, 0.2875, 0.2825, 0.0075, 0.0125, 0.0175, 0.0225],
        [0.3425, 0.9125, 1, 0.2400, 0.2500, 0.0100, 0.0125, 0.0225, 0.0275],
        [0.6875, 0.2875, 0.2400, 1, 0.7550, 0.0050, 0.0100, 0.0125, 0.0225],
        [0.7225, 0.2825, 0.2500, 0.7550, 1, 0.0075, 0.0125, 0.0200, 0.0275],
        [0.0100, 0.0075, 0.0100, 0.0050, 0.0075, 1, 0.9750, 0.9775, 0.9525],
        [0.0050, 0.0125, 0.0125, 0.0100, 0.0125, 0.9750, 1, 0.9575, 0.9425],
        [0.0175, 0.0175, 0.0225, 0.0125, 0.0200, 0.9775, 0.9575, 1, 0.9400],
        [0.0350, 0.0225, 0.0275, 0.0225, 0.0275, 0.9525, 0.9425, 0.9400, 1],
    ]
)
BEST9 = [0, 1, 1, 0, 0, 2, 2, 2, 2]
REFERENCE9 = {
    "binder": 3.2775,
    "vi_lower_bound": 0.391189542296156,
    "omari_approximate": 1 - 0.779358964769242,
}
VI9 = 0.425116154168491


def small9_draws():
    path = SHARED / "partition" / "small9_draws.csv"
    if not path.exists():
        pytest.skip("the draws of small9 lie outside the repository and are not here")
    return np.loadtxt(path, delimiter=",", skiprows=1, dtype=int)


# -- every partition, and losses written once more -------------------------------------------------


@lru_cache
def partitions(n):
    """All partitions of n rows, numbered by first appearance, shape (Bell(n), n)."""
    rows = [[0]]
    for _ in range(n - 1):
        rows = [[*r, k] for r in rows for k in range(max(r) + 2)]
    return np.array(rows)


def rand_index(a, s, m, pairs):
    """(a − sm/C) / ((s + m)/2 − sm/C), one where both are extreme in the same way."""
    chance = s * m / max(pairs, 1)
    room = (s + m) / 2 - chance
    return np.where(room < 1e-12, 1.0, (a - chance) / np.where(room < 1e-12, 1.0, room))


def entropy(p):
    return -np.sum(p * np.log2(np.where(p > 0, p, 1)), axis=tuple(range(1, p.ndim)))


def by_definition(loss, c, *, z=None, p=None, costs=(1.0, 1.0)):
    """Expected losses of many partitions c (partition, obs), from entropies and pairs."""
    n = c.shape[1]
    above = np.triu_indices(n, 1)
    same = (c[:, :, None] == c[:, None])[:, *above].astype(float)
    if loss == "vi_lower_bound":
        both = (c[:, :, None] == c[:, None]).astype(float)
        terms = np.log2(both.sum(2)) + np.log2(p.sum(1)) - 2 * np.log2((both * p).sum(2))
        return terms.mean(axis=1)
    if loss in ("binder", "omari_approximate"):
        if p is None:
            p = (z[:, :, None] == z[:, None]).mean(axis=0)
        q = p[above]
        if loss == "binder":
            return costs[0] * (1 - same) @ q + costs[1] * same @ (1 - q)
        return 1 - rand_index(same @ q, same.sum(1), q.sum(), len(q))
    total = np.zeros(len(c))
    own = (c[:, :, None] == np.arange(n)).astype(float)
    for draw in z:
        theirs = (draw[:, None] == np.arange(n)).astype(float)
        if loss == "vi":
            joint = entropy(np.einsum("bik,il->bkl", own, theirs) / n)
            total += 2 * joint - entropy(own.mean(1)) - entropy(theirs.mean(0)[None])
        else:
            together = (draw[:, None] == draw)[above].astype(float)
            total += 1 - rand_index(same @ together, same.sum(1), together.sum(), len(together))
    return total / len(z)


def random_matrix(n, rng):
    p = rng.random((n, n)) ** rng.choice([0.5, 1, 2])
    p = np.triu(p, 1) + np.triu(p, 1).T
    np.fill_diagonal(p, 1)
    return p


def random_draws(n, rng, samples=7):
    return rng.integers(0, rng.integers(1, n + 1), (samples, n))


# -- against brute force ---------------------------------------------------------------------------


@pytest.mark.parametrize("n", range(1, 9))
@pytest.mark.parametrize("loss", ON_MATRIX)
def test_the_best_of_all_partitions_on_random_matrices(loss, n):
    rng = np.random.default_rng(n)
    for _ in range(3):
        p = random_matrix(n, rng)
        costs = tuple(rng.uniform(0.3, 3, 2)) if loss == "binder" else (1.0, 1.0)
        found = unmix.partition(similarity=p, loss=loss, costs=costs, rng=1)
        least = by_definition(loss, partitions(n), p=p, costs=costs).min()
        assert found.expected_loss == pytest.approx(least, abs=ROUNDING)
        own = by_definition(loss, found.z.values[None], p=p, costs=costs)[0]
        assert found.expected_loss == pytest.approx(own, abs=ROUNDING)


@pytest.mark.parametrize("n", range(2, 9))
@pytest.mark.parametrize("loss", LOSSES)
def test_the_best_of_all_partitions_over_random_draws(loss, n):
    rng = np.random.default_rng(100 + n)
    for _ in range(3):
        z = random_draws(n, rng)
        p = (z[:, :, None] == z[:, None]).mean(axis=0)
        found = unmix.partition(z=z, loss=loss, rng=1)
        least = by_definition(loss, partitions(n), z=z, p=p).min()
        assert found.expected_loss == pytest.approx(least, abs=ROUNDING)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_no_more_components_than_allowed(most):
    rng = np.random.default_rng(7)
    z = rng.integers(0, 5, (9, 7))
    c = partitions(7)
    for loss in ("vi", "binder"):
        found = unmix.partition(z=z, loss=loss, components=most, rng=1)
        least = by_definition(loss, c[c.max(1) < most], z=z).min()
        assert found.components <= most
        assert found.expected_loss == pytest.approx(least, abs=ROUNDING)


@pytest.mark.parametrize("mutant", SEARCH_MUTANTS)
def test_simpler_searches_do_not_find_the_best(mutant):
    rng = np.random.default_rng(5)
    missed = 0
    for _ in range(5):
        z = canonical_draws(rng.integers(0, 3, (7, 8)))
        least = by_definition("vi", partitions(8), z=z).min()
        picked = mutant(lambda c, z=z: by_definition("vi", c[None], z=z)[0], z)
        missed += by_definition("vi", picked[None], z=z)[0] > least + 1e-3
        assert unmix.partition(z=z, rng=0).expected_loss == pytest.approx(least, abs=ROUNDING)
    assert missed


def test_room_is_made_for_more_components_than_any_draw_has():
    # Draws that pair rows at random: where separating costs little, Binder leaves all rows apart.
    z = np.random.default_rng(0).integers(0, 2, (30, 40))
    found = unmix.partition(z=z, loss="binder", costs=(0.01, 1.0), rng=0, restarts=2)
    assert found.components == 40
    assert found.expected_loss == pytest.approx(0.01 * np.mean(
        [np.sum(np.triu(d[:, None] == d, 1)) for d in z]))  # fmt: skip


# -- R's mcclust -----------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ON_MATRIX)
def test_small9_as_mcclust_has_it(loss):
    found = unmix.partition(similarity=SMALL9, loss=loss, rng=0)
    assert found.z.values.tolist() == BEST9
    # Printed to fifteen digits; sums over 36 pairs.
    assert found.expected_loss == pytest.approx(REFERENCE9[loss], abs=1e-13)
    assert found.restarts_at_best == found.restarts == 16
    assert found.ball is None


@pytest.mark.parametrize(
    ("loss", "mutant"), [(k, m) for k, v in MATRIX_LOSS_MUTANTS.items() for m in v]
)
def test_wrong_losses_miss_the_reference(loss, mutant):
    assert abs(mutant(np.array(BEST9), SMALL9) - REFERENCE9[loss]) > 1e-3


def test_small9_from_its_draws():
    z = small9_draws()
    for loss, value in {**REFERENCE9, "vi": VI9}.items():
        found = unmix.partition(z=z, loss=loss, rng=0)
        assert found.z.values.tolist() == BEST9
        assert found.expected_loss == pytest.approx(value, abs=1e-12)
    np.testing.assert_array_equal(unmix.co_assignment(z=z), SMALL9)


# -- labels ----------------------------------------------------------------------------------------


def blurred(n=40, samples=60, k=4, seed=0):
    """Draws around k groups of rows, a fifth of all entries at random."""
    rng = np.random.default_rng(seed)
    z = np.tile(rng.integers(0, k, n), (samples, 1))
    return np.where(rng.random(z.shape) < 0.2, rng.integers(0, k, z.shape), z)


@pytest.mark.parametrize("loss", LOSSES)
def test_names_of_components_change_nothing_at_all(loss):
    z = blurred()
    rng = np.random.default_rng(1)
    renamed = np.array([rng.permutation(1000)[:4][row] for row in z])
    one, two = (unmix.partition(z=v, loss=loss, rng=3, restarts=4) for v in (z, renamed))
    assert one.expected_loss == two.expected_loss
    for name in ("z", "own", "other"):
        xr.testing.assert_identical(getattr(one, name), getattr(two, name))
    assert one.ball.radius == two.ball.radius
    for bound in ("horizontal", "vertical_upper", "vertical_lower"):
        np.testing.assert_array_equal(getattr(one.ball, bound), getattr(two.ball, bound))
    xr.testing.assert_identical(unmix.occupied(z=z), unmix.occupied(z=renamed))


def test_numbering_by_first_appearance():
    rng = np.random.default_rng(2)
    for names in (3, 40, 10**9):
        z = rng.integers(0, names, (50, 9))
        expected = np.array([canonical(row) for row in z])
        np.testing.assert_array_equal(canonical_draws(z), expected)
    assert canonical(np.array(["b", "a", "b", "c"])).tolist() == [0, 1, 0, 2]
    assert canonical_draws(z).dtype == np.uint8


@pytest.mark.parametrize("mutant", NUMBERING_MUTANTS)
def test_wrong_numberings_are_not_by_first_appearance(mutant):
    z = np.random.default_rng(2).integers(0, 3, (50, 9))
    assert not np.array_equal(mutant(z), canonical_draws(z))
    np.testing.assert_array_equal(canonical_draws(z), canonical_draws((z + 1) % 3))


def test_the_same_seed_gives_the_same_partition():
    z = blurred(seed=4)
    one, two = (unmix.partition(z=z, loss="binder", rng=9) for _ in range(2))
    xr.testing.assert_identical(one.z, two.z)
    assert one.restarts_at_best == two.restarts_at_best


# -- losses and doubts -----------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ON_DRAWS)
def test_draws_and_their_matrix_say_the_same(loss):
    z = as_draws(blurred(seed=6))
    p = (z[:, :, None] == z[:, None]).mean(axis=0)
    for c in z[:5].astype(int):
        direct = by_definition(loss, c[None], z=z)[0]
        assert expected_loss(loss, c, z=z) == pytest.approx(direct, abs=ROUNDING)
        np.testing.assert_allclose(together_in_draws(c, z), together(c, p), atol=1e-12)
        if loss in ON_MATRIX:
            assert expected_loss(loss, c, p=p) == pytest.approx(direct, abs=ROUNDING)


def test_the_bound_lies_below_vi():
    z = as_draws(blurred(seed=8))
    p = (z[:, :, None] == z[:, None]).mean(axis=0)
    for c in z.astype(int):
        assert expected_loss("vi_lower_bound", c, p=p) <= expected_loss("vi", c, z=z) + ROUNDING


def test_doubts_of_rows():
    found = unmix.partition(similarity=SMALL9, loss="binder", rng=0)
    assert found.own.values[0] == pytest.approx((0.6875 + 0.7225) / 2)
    assert found.other.values[0] == pytest.approx((0.38 + 0.3425) / 2)
    assert found.own.values[5] == pytest.approx((0.975 + 0.9775 + 0.9525) / 3)
    assert found.sizes.tolist() == [3, 2, 4]
    alone = unmix.partition(similarity=np.eye(3), loss="binder", rng=0)
    assert alone.components == 3
    assert np.isnan(alone.own).all()
    assert alone.other.values.tolist() == [0, 0, 0]
    all_in_one = unmix.partition(similarity=np.ones((3, 3)), loss="binder", rng=0)
    assert all_in_one.own.values.tolist() == [1, 1, 1]
    assert np.isnan(all_in_one.other).all()


# -- the credible ball -----------------------------------------------------------------------------


def ball_problem(distance, seed):
    z = as_draws(blurred(n=12, samples=53, seed=seed))
    c = unmix.partition(z=z, rng=0, restarts=2).z.values
    agreed = [unmix.agreement(c, draw) for draw in z]
    d = np.array([getattr(a, distance) for a in agreed], dtype=float)
    return c, z, np.round(d, 12), z.max(1).astype(int) + 1  # rounded: equal ones are equal


def as_rows(z, positions):
    return np.unique(z[sorted(positions)].astype(int), axis=0)


@pytest.mark.parametrize("distance", ["vi", "binder"])
@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_the_ball_by_its_definition(distance, level):
    c, z, d, k = ball_problem(distance, 3)
    found = credible_ball(c, z, level, distance)
    np.testing.assert_allclose(found.distances, d, atol=1e-11)
    radius, *bounds = ball(d, k, level)
    assert found.radius == pytest.approx(radius, abs=1e-11)
    assert found.share == np.mean(d <= radius) >= level
    assert np.mean(d < radius) < level
    for mine, positions in zip(
        (found.horizontal, found.vertical_upper, found.vertical_lower), bounds, strict=True
    ):
        np.testing.assert_array_equal(mine, as_rows(z, positions))


@pytest.mark.parametrize("mutant", BALL_MUTANTS)
def test_wrong_balls_differ(mutant):
    c, z, d, k = ball_problem("vi", 3)
    found = credible_ball(c, z, 0.8, "vi")
    radius, *bounds = mutant(d, k, 0.8)
    mine = (found.horizontal, found.vertical_upper, found.vertical_lower)
    same = [np.array_equal(m, as_rows(z, b)) for m, b in zip(mine, bounds, strict=True)]
    assert not all(same) or abs(radius - found.radius) > 1e-6


# -- agreement of two partitions -------------------------------------------------------------------


def test_agreement_by_hand():
    # One bit tells the halves of a whole apart; sizes 2, 2 against 1, 3 by hand.
    assert unmix.agreement([0, 0, 1, 1], [5, 5, 5, 5]).vi == 1
    crossed = unmix.agreement([0, 0, 1, 1], [0, 1, 0, 1])
    assert (crossed.vi, crossed.binder, crossed.components) == (2, 4, (2, 2))
    assert crossed.ari == pytest.approx(-0.5)
    named = unmix.agreement(["a", "a", "b"], np.array([3, 3, 1]))
    assert (named.vi, named.ari, named.binder) == (0, 1, 0)
    assert unmix.agreement([0, 1, 2], [2, 1, 0]).ari == 1  # all apart in both
    assert unmix.agreement([0], [4]).ari == 1
    assert "VI 2.0000 bits" in str(crossed)


def test_ari_as_scikit_learn_has_it():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    for _ in range(20):
        one, two = rng.integers(0, 5, (2, 30))
        ours = unmix.agreement(one, two).ari
        assert ours == pytest.approx(metrics.adjusted_rand_score(one, two), abs=1e-12)


three = st.integers(1, 12).flatmap(
    lambda n: st.lists(st.lists(st.integers(0, 4), min_size=n, max_size=n), min_size=3, max_size=3)
)


@settings(max_examples=60, deadline=None)
@given(three)
def test_vi_and_binder_are_distances(rows):
    a, b, c = rows
    ab, ba, bc, ac = (unmix.agreement(x, y) for x, y in ((a, b), (b, a), (b, c), (a, c)))
    for name in ("vi", "binder"):
        assert getattr(ab, name) == pytest.approx(getattr(ba, name), abs=1e-12)
        assert getattr(ac, name) <= getattr(ab, name) + getattr(bc, name) + 1e-12
        same = canonical(np.array(a)).tolist() == canonical(np.array(b)).tolist()
        assert (getattr(ab, name) < 1e-12) == same
    assert ab.vi <= np.log2(len(a)) + 1e-12


def test_rows_are_matched_by_their_labels():
    one = xr.DataArray([0, 0, 1], dims="obs", coords={"obs": ["a", "b", "c"]})
    assert unmix.agreement(one, one.isel(obs=[2, 0, 1])).vi == 0
    assert unmix.agreement(one, one.isel(obs=[2, 0, 1]).values).vi > 0


def test_rows_that_only_one_partition_has_are_refused():
    one = xr.DataArray([0, 0, 1], dims="obs", coords={"obs": ["a", "b", "c"]})
    other = one.assign_coords(obs=["a", "b", "d"])
    with pytest.raises(UnmixError, match="only the first partition has a row 'c'"):
        unmix.agreement(one, other)
    assert unmix.agreement(one, other.values).vi == 0
    # Other names altogether, as the 0, 1, 2 of a frame: by position.
    assert unmix.agreement(one, one.assign_coords(obs=[0, 1, 2])).vi == 0


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_no_name_is_no_component(missing):
    for given_ in (["a", missing, "a"], pd.Series(["a", missing, "a"])):
        with pytest.raises(UnmixError, match="second partition has no component at row 1"):
            unmix.agreement([0, 1, 0], given_)


def test_text_and_numbers_are_not_the_same_names():
    for given_ in ([1, "1", 2], np.array([1, "1", 2], dtype=object), pd.Series([1, "1", 2])):
        with pytest.raises(UnmixError, match="by numbers and by text"):
            unmix.agreement(given_, [0, 1, 2])
    assert unmix.agreement(pd.Series([True, 2, 2.0], dtype=object), [0, 1, 1]).vi == 0


# -- occupied components ---------------------------------------------------------------------------


def test_occupied_components_and_entropy():
    z = np.array([[[0, 0, 3, 3], [1, 1, 1, 1]], [[2, 0, 1, 3], [0, 0, 0, 1]]])
    found = unmix.occupied(z=z)
    assert found["components"].dims == ("chain", "draw")
    assert found["components"].values.tolist() == [[2, 1], [4, 2]]
    assert found["probability"].values.tolist() == [0.25, 0.5, 0, 0.25]
    three_to_one = -(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25))
    np.testing.assert_allclose(found["entropy"], [[1, 0], [2, three_to_one]], atol=1e-15)


# -- edges, and input that cannot be used ----------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
def test_one_row_and_one_component(loss):
    row = unmix.partition(z=np.zeros((3, 1), int), loss=loss, rng=0)
    one = unmix.partition(z=np.full((3, 5), 4), loss=loss, rng=0)
    for found in (row, one):
        assert (found.components, found.expected_loss, found.ball.radius) == (1, 0, 0)
    assert unmix.co_assignment(z=np.full((3, 2), 4)).values.tolist() == [[1, 1], [1, 1]]


GOOD = np.array([[0, 1, 1], [0, 0, 1]])


def matrix(**cells):
    p = np.array([[1, 0.5, 0.2], [0.5, 1, 0.3], [0.2, 0.3, 1]])
    for cell, value in cells.items():
        p[int(cell[1]), int(cell[2])] = value
    return p


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"z": GOOD[0]}, r"z has shape \(3,\): give draws"),
        ({"z": GOOD[:1]}, "one draw of z"),
        ({"z": GOOD - 1}, r"z is negative at draw 0, row 0 \(-1\)"),
        ({"z": GOOD + 0.5}, "not a whole number at draw 0, row 0"),
        ({"z": np.where(GOOD == 0, np.nan, 1.0)}, "not finite at draw 0, row 0"),
        ({"z": np.array([["a", "b"], ["a", "a"]])}, "give whole numbers"),
        ({"similarity": matrix(c01=0.4)}, "not symmetric at row 0, column 1"),
        ({"similarity": matrix(c02=1.2, c20=1.2)}, "not within 0 and 1 at row 0, column 2"),
        ({"similarity": matrix(c11=0.9)}, "diagonal that is not one at row 1, column 1"),
        ({"similarity": matrix(c11=np.nan)}, "not finite at row 1, column 1"),
        ({"similarity": matrix()[:2]}, r"shape \(2, 3\)"),
        ({"similarity": matrix(), "loss": "vi"}, "take 'vi_lower_bound'"),
        ({"similarity": matrix(), "loss": "omari"}, "take 'omari_approximate'"),
        ({"similarity": matrix(), "z": GOOD[:, :2]}, "is of 3 rows and z of 2"),
        ({"z": GOOD, "loss": "mode"}, "loss is 'mode'"),
        ({"z": GOOD, "loss": "binder", "costs": (1, 0)}, "give two positive numbers"),
        ({"z": GOOD, "costs": (1, 2)}, "costs are Binder's"),
        ({"z": GOOD, "components": 0}, "components is 0"),
        ({"z": GOOD, "restarts": 0}, "restarts is 0"),
        ({"z": GOOD, "level": 1}, "level is 1"),
        ({"z": GOOD, "fit": {}}, "not both"),
    ],
)
def test_input_that_cannot_be_used(options, said):
    loss = {} if "z" in options else {"loss": "binder"}
    with pytest.raises(UnmixError, match=said):
        unmix.partition(**{**loss, **options})


def test_partitions_of_different_lengths():
    with pytest.raises(UnmixError, match="has 3 rows and the second 2"):
        unmix.agreement([0, 1, 1], [0, 1])
    with pytest.raises(UnmixError, match="second partition is not finite at row 1"):
        unmix.agreement([0, 1], [0, np.nan])
    with pytest.raises(UnmixError, match="one component for each row"):
        unmix.agreement(GOOD, GOOD)


def test_it_reads_well():
    text = str(unmix.partition(z=blurred(), rng=0))
    assert text.startswith("partition of 40 rows into")
    assert "95% credible ball: radius" in text


def test_what_other_verbs_return_is_a_partition():
    import pandas as pd
    import xarray as xr

    rows = np.array([0, 0, 1, 1, 2])
    table = pd.DataFrame({"most_likely": ["a", "a", "b", "b", "c"], "entropy": np.zeros(5)})
    found = xr.Dataset({"most_likely": ("obs", rows + 3)})
    assert unmix.agreement(rows, table).ari == 1.0
    assert unmix.agreement(found, rows).vi == 0.0
    with pytest.raises(unmix.UnmixError, match="one column of it"):
        unmix.agreement(rows, table[["entropy"]])


def test_a_fit_in_the_models_place_is_named():
    with pytest.raises(unmix.UnmixError, match="model first"):
        unmix.partition({"w": [0.5, 0.5]})


def test_rows_of_tables_and_draws_are_matched_by_their_labels():
    import pandas as pd
    import xarray as xr

    table = pd.Series([0, 0, 1, 1], index=list("abcd"))
    assert unmix.agreement(table, table.iloc[[0, 2, 1, 3]]).ari == 1.0
    p = xr.DataArray(
        np.kron(np.eye(2), np.ones((2, 2))), dims=("obs", "o2"), coords={"obs": list("abcd")}
    )
    z = xr.DataArray(
        np.array([[0, 1, 0, 1]] * 3), dims=("draw", "obs"), coords={"obs": list("acbd")}
    )
    found = unmix.partition(similarity=p, z=z, loss="binder", rng=0)
    assert found.ball.radius == 0
