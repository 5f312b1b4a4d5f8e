"""EM on the compiled pass: the same optimum as the general road, and what only the pass offers."""

import numpy as np
import pymc as pm
import pytest
from registry import CASES, derived

import unmix
from unmix.infer.closed_form import closed_forms
from unmix.infer.em_starts import on_the_road, run_starts
from unmix.infer.objective import make_objective
from unmix.infer.packed_em import Rules
from unmix.infer.pass_em import run_on_pass
from unmix.infer.pass_objective import PassObjective
from unmix.infer.starts import Start, find_starts

FAST = [name for name, case in CASES.items() if case.em and case.road == "fast"]
RULES = Rules(2000, 1e-9, 0.0, True)


def both_objectives(name):
    general = make_objective(derived(name), "likelihood", None)
    return general, on_the_road(general)


# The general road's gradient takes seconds to compile: one case of each family here, all of them
# among the slow tests.
OF_EACH_FAMILY = (
    "normal",
    "multivariate_normal_by_cholesky",
    "four_observed_variables_of_four_families",
    "latent_class_items",
    "labels_of_some_rows",
)


@pytest.mark.parametrize(
    "name",
    [n if n in OF_EACH_FAMILY else pytest.param(n, marks=pytest.mark.slow) for n in FAST],
)
def test_gradient_of_both_roads(name):
    general, fast = both_objectives(name)
    assert isinstance(fast, PassObjective)
    for seed in range(3):
        theta = derived(name).space.jittered(np.random.default_rng(seed))
        u = general.flatten(theta)
        value, gradient = general.gradient(u)
        on_pass, gradient_on_pass = fast.gradient(u)
        # Sums of fifteen rows, each good to a few units in the last place, on terms of size below
        # a thousand; gradients pass through one more layer of the same.
        assert abs(value - on_pass) < 1e-11 * (1 + abs(value))
        np.testing.assert_allclose(
            gradient_on_pass, gradient, rtol=1e-9, atol=1e-10 * (1 + np.abs(gradient).max())
        )


@pytest.mark.parametrize("name", FAST)
def test_the_same_optimum_from_the_same_start(name):
    """EM's map is the same on both roads, so one start must end at one hill."""
    general, fast = both_objectives(name)
    starts = list(find_starts(derived(name), 2, np.random.default_rng(3)))
    own = {name for block in closed_forms(general) for name in block.names}
    closed = fast.readings is not None and set(general.free) <= own
    slow = run_starts(general, starts, 2, RULES, False)
    quick = run_starts(fast, starts, 2, Rules(2000, 1e-9, 0.0, False), False)
    for a, b in zip(slow, quick, strict=True):
        assert (a.outcome == "collapsed") == (b.outcome == "collapsed")
        if a.outcome == b.outcome == "converged":
            # Both stop with parameters within 1e-9 of an optimum, near which the objective is
            # quadratic. With gradient M-steps on either they stop at 1e-2 (`ROUGH`), for `polish`
            # to go on from the best of them only: then they need but be on one hill.
            assert abs(a.objective - b.objective) < (1e-7 if closed else 0.1) * (
                1 + abs(a.objective)
            )


def overlapping(n=2000, gap=1.0):
    rng = np.random.default_rng(8)
    return rng.normal(size=n) + gap * rng.integers(0, 2, n)


def test_the_accelerator_never_goes_down_and_saves_passes():
    model = unmix.models.gaussian(overlapping(), components=2)
    settings = {"rng": 1, "starts": 2, "max_iterations": 20_000, "progress": False}
    plain = unmix.em(model, accelerate=False, **settings)
    quick = unmix.em(model, accelerate=True, **settings)
    slack = 1e-11 * (abs(plain.objective) + 2000)
    assert np.all(np.diff(quick.trace) >= -slack)
    assert plain.converged
    assert quick.converged
    # Where EM's rate is ρ, a tolerance of 1e-9 on the extrapolated remainder leaves parameters
    # within 1e-9 of standard deviations, and the log-likelihood within N times its square.
    assert abs(plain.log_likelihood - quick.log_likelihood) < 1e-9
    assert len(quick.trace) < len(plain.trace) / 2


def test_an_extrapolation_that_goes_down_is_not_taken(monkeypatch):
    """The mutant jumps ten times too far; without the comparison the trace would fall."""
    from unmix.infer import packed_em

    model = unmix.models.gaussian(overlapping(), components=2)
    objective = on_the_road(make_objective(unmix.derive(model), "likelihood", None))
    monkeypatch.setattr(packed_em, "SLOW", -1.0)
    taken = []
    pack = objective.onepass.recognised.pack  # bound, before it is replaced

    def too_far(theta):
        taken.append(1)
        return pack({**theta, "mu": theta["mu"] + 3.0 * len(taken)})

    start = next(find_starts(unmix.derive(model), 1, np.random.default_rng(0)))
    begin = run_on_pass(objective, start, Rules(40, 1e-9, 0.0, False))
    monkeypatch.setattr(type(objective.onepass.recognised), "pack", lambda self, t: too_far(t))
    run = run_on_pass(objective, Start(theta=begin.theta), Rules(40, 1e-9, 0.0, True))
    assert taken
    assert np.all(np.diff(run.trace) >= -1e-11 * (abs(run.objective) + 2000))


def test_a_floor_holds_and_is_said():
    x = np.concatenate([np.zeros(5), np.random.default_rng(1).normal(3, 1, 40)])
    model = unmix.models.gaussian(x, components=2)
    free = unmix.em(model, rng=1, starts=4, progress=False)
    held = unmix.em(model, rng=1, starts=4, floor=0.1, progress=False)
    assert free.theta["sigma"].min() ** 2 < 0.5 * 0.1 * x.var()
    assert held.converged
    assert "floor" in held.status.advice
    assert np.isclose(held.theta["sigma"].min() ** 2, 0.1 * x.var(), rtol=1e-9)


def test_a_floor_in_several_directions():
    rng = np.random.default_rng(2)
    line = rng.normal(size=60)
    flat = np.stack([line, 2 * line + 1e-9 * rng.normal(size=60)], axis=1)
    x = np.concatenate([flat, rng.normal(6, 1, size=(60, 2))])
    model = unmix.models.gaussian(x, components=2)
    held = unmix.em(model, rng=1, starts=4, floor=1e-6, progress=False)
    corr, sigma = held.theta["corr"].values, held.theta["sigma"].values
    factor = sigma[:, :, None] * corr
    unit = factor / x.std(axis=0)[:, None]
    smallest = np.linalg.eigvalsh(unit @ np.swapaxes(unit, 1, 2)).min()
    # In units of the data's own spread; eigenvalues of one half to four digits of rounding.
    assert smallest == pytest.approx(1e-6, rel=1e-4)
    assert "floor" in held.status.advice


@pytest.mark.parametrize(
    ("option", "value"), [("floor", 0.1), ("storage", "float32"), ("threads", 2)]
)
def test_options_of_the_pass_are_refused_on_the_general_road(option, value):
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 2, shape=2)
        z = pm.Categorical("z", w, shape=12)
        pm.StudentT("x", nu=4, mu=mu[z], sigma=1.0, observed=np.linspace(-3, 3, 12))
    with pytest.raises(unmix.UnmixError, match=option):
        unmix.em(model, progress=False, **{option: value})


def test_single_precision_storage():
    x = 1e6 + overlapping(5000, gap=4.0)
    model = unmix.models.gaussian(x, components=2)
    double = unmix.em(model, rng=1, starts=2, progress=False)
    single = unmix.em(model, rng=1, starts=2, storage="float32", progress=False)
    # Columns are stored less their mean, about 8 wide, to 2^-24 of that: 5e-7, and averaged over.
    np.testing.assert_allclose(single.theta["mu"], double.theta["mu"], atol=1e-6)
    np.testing.assert_allclose(single.theta["sigma"], double.theta["sigma"], rtol=1e-6)


def test_many_rows_start_from_a_sample_of_them():
    x = np.random.default_rng(0).normal(size=30_000) + 5.0 * (np.arange(30_000) % 2)
    derivation = unmix.derive(unmix.models.gaussian(x, components=2))
    starts = list(find_starts(derivation, 3, np.random.default_rng(1)))
    assert all(len(s.rows) == 10_000 and s.r.shape == (10_000, 2) for s in starts)
    em = unmix.em(unmix.models.gaussian(x, components=2), rng=1, starts=2, progress=False)
    # Standard errors of a mean of 15,000 rows: 1/122; five of them, false alarm 1e-6.
    np.testing.assert_allclose(em.theta["mu"], [0, 5], atol=5 / 122)


def test_threads_change_nothing_but_the_last_digits():
    x = overlapping(60_000, gap=4.0)
    model = unmix.models.gaussian(x, components=2)
    one = unmix.em(model, rng=1, starts=1, threads=1, progress=False)
    two = unmix.em(model, rng=1, starts=1, threads=2, progress=False)
    again = unmix.em(model, rng=1, starts=1, threads=2, progress=False)
    assert np.array_equal(two.theta["mu"], again.theta["mu"])
    # Sums of 60,000 terms in another order: 1e-16 × √60,000 each, over some tens of iterations.
    np.testing.assert_allclose(one.theta["mu"], two.theta["mu"], rtol=1e-8)


def test_the_road_and_its_reason_are_said():
    assert "fast" in derived("normal").road
    assert "weights of 'z' depend on the row" in derived("weights_per_row").road
    assert "StudentT" in derived("student_t_with_free_degrees_of_freedom").road
