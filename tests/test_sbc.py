"""Simulation-based calibration: its ranks and bands, its files, and that it sees what is wrong.

The simulations themselves are `make sbc`; what they gave is kept in sbc/results and looked at here.
"""

import mutants
import numpy as np
import pytest
from sbc import runs
from sbc.fits import Settings, by_exact, of_data
from sbc.problems import PROBLEMS
from sbc.problems.normals import gaussian
from sbc.ranks import band, counts_up_to, p_value, rank, verdict
from sbc.runs import RESULTS, go_on, one, path_of, ranks_of, read
from scipy.stats import binom

import unmix
from unmix.infer.conditional import Conditional
from unmix.infer.gibbs_general import run_general
from unmix.infer.nuts import start_points

# Of one file's or one run's quantities together.
FALSE_ALARM = 1e-3


# --- Ranks and bands ------------------------------------------------------------------------------


def test_ranks_of_ties_are_spread_evenly():
    rng = np.random.default_rng(1)
    draws = np.array([0.0, 1.0, 1.0, 1.0, 2.0])
    found = np.bincount([rank(1.0, draws, rng) for _ in range(4000)], minlength=6)
    assert found[[0, 5]].sum() == 0
    # Four ranks of 1,000 each, sd 27: five of them.
    assert np.abs(found[1:5] - 1000).max() < 5 * 27
    assert rank(2.5, draws, rng) == 5
    assert rank(-1.0, draws, rng) == 0


def test_counts_up_to_each_point():
    found = counts_up_to(np.array([[0, 0, 3, 1], [3, 3, 2, 3]]), 3)
    np.testing.assert_array_equal(found, [[2, 3, 3], [0, 0, 1]])


@pytest.mark.parametrize("false_alarm", [0.05, 0.01])
def test_uniform_ranks_leave_the_band_as_often_as_said(false_alarm):
    """And they leave it just where the p-value is small: the figure and the verdict agree."""
    n, draws, samples = 200, 60, 4000
    rng = np.random.default_rng(2)
    ranks = rng.integers(draws + 1, size=(samples, n))
    low, high = band(n, draws, false_alarm)
    difference = counts_up_to(ranks, draws) / n - np.arange(1, draws + 1) / (draws + 1)
    outside = ((difference < low - 1e-12) | (difference > high + 1e-12)).any(axis=1)
    small = np.array([p_value(r, draws) for r in ranks[:500]]) < false_alarm
    # The level itself is discrete; a tail of exactly γ may fall either way.
    assert (small != outside[:500]).mean() < 0.002
    # Three sd, one choice of seed in 400.
    expected = samples * false_alarm
    assert abs(outside.sum() - expected) < 3 * np.sqrt(expected)


def test_a_pointwise_band_would_not_do():
    """Sixty points at 5 % each: a good third of all right samplers would be called wrong."""
    n, draws = 200, 60
    p = np.arange(1, draws + 1) / (draws + 1)
    ranks = np.random.default_rng(3).integers(draws + 1, size=(500, n))
    counts = counts_up_to(ranks, draws)
    pointwise = (counts < binom.ppf(0.025, n, p)) | (counts > binom.isf(0.025, n, p))
    assert pointwise.any(axis=1).mean() > 0.3


# --- What the simulations gave --------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.csv")), ids=lambda path: path.stem)
def test_stored_ranks_are_uniform(path):
    settings, rows = read(path)
    assert len({r["number"] for r in rows}) == len(rows)
    ranks = ranks_of(rows)
    assert verdict(ranks, settings.ranked, FALSE_ALARM) == {}
    # Dependent draws have ranks too far out: as good as independent, or the run was too short. Of
    # a few simulations the median says little.
    if len(rows) >= 20:
        assert np.median([r["effective"] for r in rows]) > 0.7 * settings.ranked


def test_a_run_goes_on_where_it_was_cut(monkeypatch, tmp_path):
    made = []

    def quick(settings, number, fit=None):
        made.append(number)
        return {"log-likelihood": number % 7, "effective": 99.5, "seconds": 0.25}

    monkeypatch.setattr(runs, "one", quick)
    settings = Settings("poisson")
    assert len(list(go_on(settings, 3, tmp_path))) == 3
    path = path_of(settings, tmp_path)
    path.write_text(path.read_text()[:-6])  # a power cut in the middle of a line
    assert len(list(go_on(settings, 5, tmp_path))) == 3
    assert made == [0, 1, 2, 2, 3, 4]
    kept, rows = read(path)
    assert kept == settings
    assert [r["number"] for r in rows] == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(ranks_of(rows)["log-likelihood"], range(5))
    with pytest.raises(SystemExit, match="was made with"):
        list(go_on(Settings("poisson", draws=100), 5, tmp_path))


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_story_told_twice(name):
    """The density written beside the simulation is the one that unmix derives, for any rows.

    The rows are put into a table that was derived on others, as they are for NUTS.
    """
    problem, of = PROBLEMS[name], of_data(name)
    theta, z, x = problem.simulate(np.random.default_rng(4))
    of.put(problem.observed(x))
    terms = of.derivation.bayes(theta)
    found = problem.quantities(theta, z, x)
    # Sums of fifty logarithms in another order.
    assert terms.log_marginal.sum() == pytest.approx(found["log-likelihood"][0], rel=1e-10)
    at_z = np.take_along_axis(terms.log_joint, z[..., None], axis=2)
    assert at_z.sum() == pytest.approx(found["log-density with z"][0], rel=1e-10)


# --- What is wrong is seen ------------------------------------------------------------------------

SETS = 1000


def ranks_by_numpy(gibbs, seed=5, sets=SETS):
    """Ranks of many simulations of the Poisson problem, by a sampler for all of them at once."""
    problem, rng = PROBLEMS["poisson"], np.random.default_rng(seed)
    simulated = [problem.simulate(rng) for _ in range(sets)]
    w, rate, z = gibbs(rng, np.stack([x for _, _, x in simulated]))
    found = []
    for i, (theta, z_true, x) in enumerate(simulated):
        truth = problem.quantities(theta, z_true, x)
        drawn = problem.quantities({"w": w[:, i], "rate": rate[:, i]}, z[:, i], x)
        found.append([rank(truth[name][0], v, rng) for name, v in drawn.items()])
    return dict(zip(truth, np.transpose(found), strict=True))


@pytest.mark.slow
def test_a_right_sampler_passes():
    ranks = ranks_by_numpy(mutants.poisson_gibbs)
    assert verdict(ranks, 100, FALSE_ALARM) == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", mutants.POISSON_GIBBS_MUTANTS)
def test_a_wrong_sampler_does_not(name):
    ranks = ranks_by_numpy(mutants.POISSON_GIBBS_MUTANTS[name])
    rejected = verdict(ranks, 100, FALSE_ALARM)
    print(name, rejected)
    assert rejected


def fresh(settings, fit=None, simulations=100):
    """Ranks of simulations that no file holds."""
    rows = [one(settings, 10**6 + number, fit) for number in range(simulations)]
    return ranks_of([{"number": i, **row} for i, row in enumerate(rows)])


@pytest.mark.slow
def test_a_hundred_fresh_simulations():
    settings = Settings("normal", "general gibbs")
    assert verdict(fresh(settings), settings.ranked, FALSE_ALARM) == {}


@pytest.mark.slow
def test_a_wrong_prior_is_seen():
    """Means declared with a standard deviation of 1 that were drawn with one of 3."""
    settings = Settings("normal", "general gibbs")
    example = PROBLEMS["normal"].simulate(np.random.default_rng(0))[2]
    narrow = Conditional(unmix.derive(gaussian(example, spread=1.0)))

    def wrong(settings, x, seed):
        derivation = unmix.derive(gaussian(x))
        posterior, _, z, _ = run_general(
            derivation, start_points(derivation, None, np.random.default_rng(seed))[0],
            draws=settings.draws, tune=settings.tune, chains=settings.chains, cores=1, seed=seed,
            progress=False, conditional=narrow,
        )  # fmt: skip
        return posterior, z

    rejected = verdict(fresh(settings, wrong), settings.ranked, FALSE_ALARM)
    print(rejected)
    assert rejected


@pytest.mark.slow
def test_labels_left_out_are_seen():
    """Rows with labels, fitted by the model without them."""

    def wrong(settings, x, seed):
        return by_exact(Settings("normal"), x, seed)

    settings = Settings("labels")
    rejected = verdict(fresh(settings, wrong, 20), settings.ranked, FALSE_ALARM)
    print(rejected)
    assert rejected
