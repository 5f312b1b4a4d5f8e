"""What any pass over the data must do: checks that the pass meets and its mutants fail.

Each takes ``run(problem, mode, key=…, z=…, cuts=…, threads=…)``, as `Problem.run`. Random numbers
are the pass's own under fixed keys, so that a check always says the same; each chi-square below
would reject a right pass one time in a million were the keys drawn anew.
"""

import numpy as np
from onepass_problems import Part, Problem, normalised, random_problem
from scipy import stats

RARE = 1e-6
FAMILIES = ("Normal", "MvNormal", "Poisson", "Bernoulli", "Categorical", "Exponential")
PRODUCT = "Normal+Poisson+Categorical"


def answer(run):
    """Every family, about the block of 512 rows, against extended precision."""
    rng = np.random.default_rng(1)
    for family in (*FAMILIES, PRODUCT):
        for n in (1, 511, 512, 513, 1100):
            for weighted in (False, True):
                problem = random_problem(family, rng, n, weighted=weighted)
                problem.require(run(problem))


def parts(run):
    """However the rows are cut into chunks and between threads: the same sums and the same z."""
    rng = np.random.default_rng(2)
    for family in ("Normal", "MvNormal", PRODUCT):
        problem = random_problem(family, rng, 3000, weighted=True)
        z = np.zeros(3000, np.uint8)
        whole = run(problem, "sampled", key=5, z=z)
        for cuts in ((), (1,), (511, 512), (700, 700, 2999)):
            for threads in (1, 2, 3):
                problem.require(run(problem, cuts=cuts, threads=threads))
                again = np.full(3000, 9, np.uint8)
                sums = run(problem, "sampled", key=5, z=again, cuts=cuts, threads=threads)
                np.testing.assert_array_equal(again, z)
                # Rounding of 3000 additions of numbers of one sign or of squares.
                np.testing.assert_allclose(sums.n, whole.n, rtol=1e-12)
                size = np.abs(whole.statistics).max()
                np.testing.assert_allclose(sums.statistics, whole.statistics, atol=1e-11 * size)


def sums_of_z(run):
    """Sums of a sampled and of a hard pass are those of the z that they write."""
    rng = np.random.default_rng(3)
    for family in (*FAMILIES, PRODUCT):
        problem = random_problem(family, rng, 700, weighted=True)
        for mode in ("sampled", "hard"):
            z = np.full(700, 9, np.uint8)
            sums = run(problem, mode, key=11, z=z)
            a = (z[:, None] == np.arange(3)) * problem.weight[:, None]
            n, statistics, sizes = problem.sums_of(a)
            # Sums of 700 terms.
            np.testing.assert_allclose(sums.n, n, rtol=1e-12)
            np.testing.assert_array_less(
                np.abs(sums.statistics - statistics), 1e-13 * (sizes + 1e-6)
            )


def drawn(run):
    """A sampled z has the probabilities of Bayes' rule, independently over rows and keys."""
    rng = np.random.default_rng(4)
    problem = random_problem("Normal", rng, 2000, d=1, k=4)
    part = problem.parts[0]
    theta = (part.theta[0], np.full((4, 1), 3.0))  # so wide that no component is sure of a row
    problem.parts[0] = Part("Normal", part.x, theta)
    r = normalised(problem.log_joint())[1].astype(float)
    z = np.stack([sampled(run, problem, int(key)) for key in rng.integers(2**63, size=60)])
    onehot = z[:, :, None] == np.arange(4)
    # Rows with their own probabilities: a standardised sum for each component.
    spread = np.sqrt(len(z) * (r * (1 - r)).sum(axis=0))
    assert (np.abs((onehot - r).sum(axis=(0, 1))) / spread < stats.norm.isf(RARE / 2)).all()
    # Along rows and along keys, neighbours are uncorrelated.
    for axis in (0, 1):
        e = (onehot - r)[..., 0] / np.sqrt(r[:, 0] * (1 - r[:, 0]))
        first, second = np.split(e, [1], axis)[1], np.split(e, [-1], axis)[0]
        score = (first * second).sum() / np.sqrt(first.size)
        assert abs(score) < stats.norm.isf(RARE / 2), (axis, score)
    # One row many times over.
    same = Problem([Part("Normal", np.full((1, 20000), 0.3), theta)], problem.log_w)
    r = normalised(same.log_joint()[:1])[1][0].astype(float)
    for key in (0, 1, 2, 2**64 - 1):
        counts = np.bincount(sampled(run, same, key), minlength=4)
        assert stats.chisquare(counts, 20000 * r).pvalue > RARE


def sampled(run, problem, key):
    z = np.zeros(problem.columns.shape[1], np.uint8)
    run(problem, "sampled", key=key, z=z)
    return z


def hard(run):
    """The most likely component; of equal ones the first."""
    rng = np.random.default_rng(5)
    for family in FAMILIES:
        problem = random_problem(family, rng, 600, k=4)
        twice = Problem(
            [Part(p.family, p.x, tuple(v[[1, 0, 1, 2]] for v in p.theta)) for p in problem.parts],
            problem.log_w[[1, 0, 1, 2]],
        )
        z = np.full(600, 9, np.uint8)
        run(twice, "hard", z=z)
        joint = twice.log_joint()
        first = joint.argmax(axis=1)
        clear = np.diff(np.sort(joint, axis=1)[:, -2:])[:, 0]
        assert (z != 2).all()  # it equals component 0
        # Only where the two best differ by no more than rounding may it be the other of them.
        sure = (clear > 1e-12) | (first == 0)
        np.testing.assert_array_equal(z[sure], first[sure])


CHECKS = {f.__name__: f for f in (answer, parts, sums_of_z, drawn, hard)}
