"""The pass where double precision is itself in doubt: far away, tiny, huge, impossible, degenerate.

Answers are in extended precision; bounds are derived where they are used.
"""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onepass_problems import EPS, Long, Part, Problem, inverse_lower, mv_terms, random_problem

import unmix
from unmix.derive.latent import z_dtype
from unmix.onepass import compiled
from unmix.onepass.onepass import OnePass

if np.finfo(Long).eps > 1e-18:
    pytest.skip("no extended precision to compare with", allow_module_level=True)

HALVES = np.log([0.5, 0.5])


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("family", ["Normal", "MvNormal"])
def test_far_from_the_origin(family, d):
    """Data at 1e8 ± 1: x − μ is exact in doubles, so nothing is lost to where the data lie."""
    rng = np.random.default_rng(1)
    here = random_problem(family, rng, 1000, d)
    part = here.parts[0]
    x, mu = 1e8 + part.x, 1e8 + part.theta[0]
    there = Problem([Part(family, x, (mu, part.theta[1]))], here.log_w)
    there.require(there.run())


@pytest.mark.parametrize("far", [0.0, 1e3, 1e8])
@pytest.mark.parametrize("sd", [1e-6, 1e-3, 1e3, 1e6])
def test_tiny_and_huge_variances(sd, far):
    """Variances from 1e-12 to 1e12, beside a component of variance one."""
    rng = np.random.default_rng(2)
    x = far + np.concatenate([rng.normal(0, sd, 400), rng.normal(3, 1, 300)])[None]
    mu = far + np.array([[0.0], [3.0]])
    for family, scale in (
        ("Normal", np.array([[sd], [1.0]])),
        ("MvNormal", np.array([[[sd]], [[1.0]]])),
    ):
        problem = Problem([Part(family, x, (mu, scale))], HALVES)
        problem.require(problem.run())


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(-8, 8), st.integers(-6, 6), st.integers(1, 9))
def test_any_place_and_scale(seed, place, scale, d):
    rng = np.random.default_rng(seed)
    far, unit = rng.choice([-1, 1]) * 10.0**place, 10.0**scale
    problem = random_problem("Normal", rng, 70, d)
    part = problem.parts[0]
    moved = Part("Normal", far + unit * part.x, (far + unit * part.theta[0], unit * part.theta[1]))
    problem = Problem([moved], problem.log_w)
    problem.require(problem.run())


def test_exp_underflows_to_nothing_and_to_little():
    """Log-densities a millionth, 40, 700, 760 and 1e12 nats apart."""
    x = np.array([0.0, 1e-6, 40, 700, 708.5, 720, 745, 760, 1e6])[None]
    problem = Problem([Part("Exponential", x, (np.array([[1.0], [2.0]]),))], HALVES)
    problem.require(problem.run())
    x = np.array([0.0, 1e6, -1e6, 1e200, 1e-200])[None]
    problem = Problem(
        [Part("Normal", x[:, :3], (np.array([[0.0], [1e6]]), np.ones((2, 1))))], HALVES
    )
    problem.require(problem.run())
    # (x/σ)² beyond the largest double is impossible, and says so.
    problem = Problem([Part("Normal", x, (np.zeros((2, 1)), np.full((2, 1), 1e-10)))], HALVES)
    with np.errstate(over="ignore"):
        assert problem.run().log_marginal == -np.inf


IMPOSSIBLE = {
    "Poisson": (np.array([[0.0, 2.0], [3.0, 1.0]]), np.array([[0, 2, 0, 7], [1, 0, 3, 2]])),
    "Bernoulli": (np.array([[0.0, 1.0], [0.4, 0.7]]), np.array([[0, 1, 1, 0], [1, 0, 1, 0]])),
    "Categorical": (
        np.array([[[0.0, 1, 0], [0.5, 0.5, 0]], [[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]]]),
        np.array([[1, 0, 2, 1], [0, 1, 2, 1]]),
    ),
}


@pytest.mark.parametrize("family", IMPOSSIBLE)
def test_zero_and_one_probabilities(family):
    """At θ where maximum likelihood often ends: 0 · log 0 is 0, and what cannot be is not."""
    theta, x = IMPOSSIBLE[family]
    problem = Problem([Part(family, x, (theta,))], HALVES)
    problem.require(problem.run())
    only = Problem([Part(family, x[:, [0]], (theta[[0, 0]],))], HALVES)
    only.require(only.run())
    alone = Problem([Part(family, x, (theta[[0, 0]],))], HALVES)  # rows that nothing explains
    sums = alone.run()
    assert sums.log_marginal == -np.inf
    assert np.isfinite(sums.n).all()
    assert np.isfinite(sums.statistics).all()


@pytest.mark.parametrize("family", ["Normal", "MvNormal", "Poisson", "Bernoulli", "Categorical"])
def test_impossible_components_and_weightless_rows(family):
    rng = np.random.default_rng(4)
    problem = random_problem(family, rng, 600, 3, 4, weighted=True)
    problem.log_w = np.array([-np.inf, np.log(0.2), -np.inf, np.log(0.8)])
    sums = problem.run()
    problem.require(sums)
    assert (sums.n[[0, 2]] == 0).all()
    problem.weight = np.zeros(600)
    sums = problem.run()
    assert sums.log_marginal == 0 or family == "Poisson"
    assert not sums.n.any()
    assert not sums.statistics.any()


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("mode", ["expected", "sampled", "hard"])
def test_no_number_in_gives_no_number_out(mode, d):
    for family in ("Normal", "MvNormal", "Poisson", "Bernoulli", "Categorical", "Exponential"):
        problem = random_problem(family, np.random.default_rng(5), 700, d)
        log_w, packed = problem.log_w, problem.packed
        onepass = problem.onepass()
        for at in range(packed.shape[1]):
            wrong = packed.copy()
            wrong[1, at] = np.nan  # every value that data can have is in some of 700 rows
            z = np.full(700, 9, np.uint8)
            assert np.isnan(onepass.run(log_w, wrong, mode, z=z).log_marginal), (family, at)
            assert z.max() < 3 or mode == "expected"
        wrong = np.array([-1.0, np.nan, -1.0])
        assert np.isnan(onepass.run(wrong, packed, mode).log_marginal), family


def test_more_components_than_a_byte_holds():
    rng = np.random.default_rng(6)
    problem = random_problem("Normal", rng, 1200, 2, 300)
    problem.require(problem.run())
    assert z_dtype(300) == np.uint16
    z = np.zeros(1200, z_dtype(300))
    sums = problem.run("hard", z=z)
    np.testing.assert_array_equal(np.bincount(z, minlength=300), sums.n)
    assert z.max() > 255
    with pytest.raises(ValueError, match="do not fit"):
        problem.run("hard", z=np.zeros(1200, np.uint8))


def test_more_components_than_distinct_rows():
    x = np.repeat([[1.0, 4.0]], 300, axis=1)
    theta = np.linspace(0, 5, 7)[:, None], np.full((7, 1), 1e-3)
    problem = Problem([Part("Normal", x, theta)], np.log(np.full(7, 1 / 7)))
    problem.require(problem.run())


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 6, 7, 8, 9, 50])
@pytest.mark.parametrize("family", ["Normal", "MvNormal"])
def test_every_remainder_of_the_loops_over_columns(family, d):
    problem = random_problem(family, np.random.default_rng(7), 530, d)
    problem.require(problem.run())
    z = np.zeros(530, np.uint8)
    sums = problem.run("hard", z=z)
    n, statistics, sizes = problem.sums_of((z[:, None] == np.arange(3)).astype(float))
    np.testing.assert_array_equal(sums.n, n.astype(float))
    assert (np.abs(sums.statistics - statistics) <= 530 * EPS * sizes).all()


def nearly_singular(d, condition):
    """A factor whose covariance has this condition, and data from it."""
    rng = np.random.default_rng(8)
    q, _ = np.linalg.qr(rng.normal(size=(d, d)))
    covariance = (q * np.geomspace(1, 1 / condition, d)) @ q.T
    lower = np.linalg.cholesky((covariance + covariance.T) / 2)
    return lower, 5 + lower @ rng.normal(size=(d, 400))


def test_nearly_singular_covariances():
    """Condition 1e10, given the factor: some ten digits.

    A whitened residual is Σ_j L⁻¹_ij u_j, and rounds by EPS times the sum of the sizes of its
    terms, which exceed it by up to the condition of L, 1e5; its square, by twice as much.
    """
    for d in (2, 3, 6):
        lower, x = nearly_singular(d, 1e10)
        mu = np.full((1, d), 5.0)
        part = Part("MvNormal", x, (mu, lower[None]))
        problem = Problem([part], np.zeros(1))
        found = next(problem.onepass().joint(problem.log_w, problem.packed))[:, 0]
        right = mv_terms(x.astype(Long), mu[0].astype(Long), lower.astype(Long)).sum(axis=0)
        inverse = inverse_lower(lower.astype(Long)).astype(float)
        u = x - 5
        y, sizes = inverse @ u, np.abs(inverse) @ np.abs(u)
        bound = EPS * ((d + 4) * (np.abs(y) * sizes).sum(axis=0) + 20 * (1 + problem.size()))
        assert (np.abs(found - right) <= bound).all()
        assert (bound <= 1e-9 * np.abs(right).mean()).all()
        assert np.abs(found - right).max() <= 1e-10 * np.abs(right).mean()


def test_nearly_singular_covariances_through_a_model():
    """Condition 1e10, given the covariance: six digits at worst, on either road.

    The factor of a covariance that is itself rounded is known to EPS times the condition, 1e-6
    relative, in the smallest direction.
    """
    lower, x = nearly_singular(3, 1e10)
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        spread = pm.HalfNormal("spread", 1, shape=2)
        z = pm.Categorical("z", w, shape=400)
        cov = spread[:, None, None] * pt.as_tensor(lower @ lower.T)
        pm.MvNormal("x", np.full(3, 5.0), cov=cov[z], observed=x.T)
    derivation = unmix.derive(model)
    theta = {"w": np.array([0.4, 0.6]), "spread": np.array([0.8, 1.5])}
    table = derivation.bayes({n: v[None] for n, v in theta.items()}).log_marginal.sum()
    found = derivation.onepass.run(*derivation.recognised.pack(theta)).log_marginal
    factors = np.sqrt(theta["spread"])[:, None, None] * lower
    exact = Problem([Part("MvNormal", x, (np.full((2, 3), 5.0), factors))], np.log(theta["w"]))
    right = float(exact.answer()[0])
    # Three directions of a squared residual of order one, 400 rows.
    assert abs(found - right) <= 400 * 3 * 1e10 * EPS
    assert abs(table - right) <= 400 * 3 * 1e10 * EPS


@pytest.mark.parametrize("sd", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("far", [0.0, 1e8])
@pytest.mark.parametrize("family", ["Normal", "MvNormal"])
def test_the_best_parameters_from_the_sums(family, far, sd):
    """Mean and variance of a weighted sample, from sums about a centre one sd away from it.

    A variance is S2/n − (S1/n)²: of two numbers no larger than twice the answer, so a few
    roundings of sums of n terms. The mean is held to half a unit in its last place, wherever it is.
    """
    rng = np.random.default_rng(9)
    d, n = 3, 700
    x = far + sd * rng.normal(size=(d, n))
    scale = np.full((1, d), sd) if family == "Normal" else sd * np.eye(d)[None]
    centre = np.full((1, d), far + sd)
    problem = Problem([Part(family, x, (centre, scale))], np.zeros(1), rng.uniform(0, 2, n))
    packed, log_w = problem.packed, np.zeros(1)
    sums = problem.run()
    compiled.maximise_all(problem.recognised().families)(
        problem.recognised().table, log_w, packed, sums.n, sums.statistics, np.zeros(d), True,
        problem.weight.sum(),
    )  # fmt: skip
    weight = problem.weight.astype(Long) / problem.weight.astype(Long).sum()
    u = x.astype(Long) - centre.T  # first of all: means of 1e8 round, even in 80 bits
    shift = u @ weight
    mean, u = centre[0] + shift, u - shift[:, None]
    covariance = (u * weight) @ u.T
    digits = 20 * n * EPS
    np.testing.assert_allclose(packed[0, :d], mean.astype(float), rtol=2 * EPS, atol=digits * sd)
    if family == "Normal":
        found = 1 / packed[0, d : 2 * d] ** 2
        np.testing.assert_allclose(found, np.diag(covariance).astype(float), rtol=digits)
    else:
        inverse = np.zeros((d, d))
        inverse[np.tril_indices(d)] = packed[0, d:-1]
        identity = inverse @ covariance.astype(float) @ inverse.T
        np.testing.assert_allclose(identity, np.eye(d), atol=10 * digits)


def test_no_rows_in_a_chunk():
    problem = random_problem("Normal", np.random.default_rng(10), 30)
    onepass = problem.onepass(cuts=(0, 30))
    assert [len(c) for c in onepass.chunks] == [0, 30, 0]
    problem.require(onepass.run(problem.log_w, problem.packed))
    empty = OnePass(problem.recognised(), [onepass.chunks[0]])
    sums = empty.run(problem.log_w, problem.packed)
    assert (sums.log_marginal, sums.n.sum()) == (0.0, 0.0)
