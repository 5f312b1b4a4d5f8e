"""The fast road over every model of the registry: recognised or not, and held to the table."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from onepass_problems import EPS
from registry import CASES, derived

import unmix
from unmix.derive import bayes
from unmix.onepass.chunks import make_chunk
from unmix.onepass.onepass import OnePass
from unmix.onepass.verify import require_table

FAST = [name for name, case in CASES.items() if case.road == "fast"]
# A factor of the covariance with condition c multiplies rounding by c, and so does its inverse;
# at the points looked at c is below 1e3, for the LKJ priors, and near 1 elsewhere.
CONDITION = dict.fromkeys(
    ["multivariate_normal_by_cholesky", "multivariate_normal_by_lkj_stack"], 1e3
)


@pytest.fixture(params=FAST, scope="module")
def name(request):
    return request.param


def table_and_pass(derivation, seed):
    theta = derivation.space.jittered(np.random.default_rng(seed))
    terms = derivation.log_terms({n: v[None] for n, v in theta.items()})
    joint = np.ascontiguousarray(bayes.joint(*terms)[0])
    return theta, joint, derivation.onepass.recognised.pack(theta)


def rounding(name, joint):
    """Relative error of a density: terms of the joint's size, some ten operations each."""
    size = 1.0 + np.abs(joint[np.isfinite(joint)]).max()
    return 20 * EPS * size * CONDITION.get(name, 1.0)


@pytest.mark.parametrize("name", CASES)
def test_recognised_or_why_not(name):
    derivation = derived(name)
    if CASES[name].road == "fast":
        assert derivation.onepass is not None
        assert derivation.road.startswith("fast, one compiled pass")
    else:
        assert derivation.recognised == CASES[name].road
        assert derivation.onepass is None
        kinds = CASES[name].kinds
        assert kinds == (0 if derivation.parts is None else derivation.parts.n_kinds)
        if kinds:
            assert derivation.road.endswith(f"for {kinds} kinds of rows")
        else:
            assert f"the derived table: {CASES[name].road}" in derivation.road


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_joint_is_the_derived_table(name, seed):
    derivation = derived(name)
    _, joint, (log_w, packed) = table_and_pass(derivation, seed)
    found = np.concatenate(list(derivation.onepass.joint(log_w, packed, rows=5)))
    np.testing.assert_allclose(found, joint, rtol=0, atol=rounding(name, joint))


def numpy_statistics(term, x, packed, r):
    """Plain NumPy sums, and the sums of the sizes of what is summed."""
    p = packed[term.parameters]
    if term.family.name == "Normal":
        u = x - p[: term.d]
        features = np.hstack([u, u**2])
    elif term.family.name == "MvNormal":
        u = x - p[: term.d]
        i, j = np.tril_indices(term.d)
        features = np.hstack([u, u[:, i] * u[:, j]])
    elif term.family.name == "Categorical":
        features = np.hstack([x[:, [j]] == np.arange(term.family.levels) for j in range(term.d)])
    elif term.family.name == "Labels":
        own = x[:, [int(p[0])]] if term.family.soft else np.zeros((len(x), 1))
        features = np.where(r[:, None] > 0, own, 0.0)
    else:
        features = x
    return r @ features, r @ np.abs(features)


@pytest.mark.parametrize("mode", ["expected", "hard"])
def test_sums_are_those_of_the_derived_responsibilities(name, mode):
    derivation = derived(name)
    for seed in (21, 22):
        _, joint, (log_w, packed) = table_and_pass(derivation, seed)
        log_marginal, r = bayes.normalise(joint)
        if mode == "hard":
            r = (r.argmax(axis=1)[:, None] == np.arange(derivation.n_components)).astype(float)
        sums = derivation.onepass.run(log_w, packed, mode)
        close = rounding(name, joint) + derivation.n_obs * EPS
        assert abs(sums.log_marginal - log_marginal.sum()) <= close * np.abs(log_marginal).sum()
        np.testing.assert_allclose(sums.n, r.sum(axis=0), rtol=0, atol=close * derivation.n_obs)
        for term in derivation.onepass.recognised.terms:
            x = derivation.onepass.recognised.values(term)
            for k in range(derivation.n_components):
                right, size = numpy_statistics(term, x, packed[k], r[:, k])
                found = sums.statistics[k, term.statistics]
                np.testing.assert_array_less(np.abs(found - right), close * size + 1e-300)


def test_draws_are_packed_as_one_at_a_time(name):
    recognised = derived(name).recognised
    draws = [derived(name).space.jittered(np.random.default_rng(s)) for s in (1, 2, 3)]
    log_w, packed = recognised.pack_stack({n: np.stack([d[n] for d in draws]) for n in draws[0]})
    for s, draw in enumerate(draws):
        # The same operations, but linear algebra may take them in another order.
        for together, alone in zip((log_w[s], packed[s]), recognised.pack(draw), strict=True):
            np.testing.assert_allclose(together, alone, rtol=1e-13, atol=1e-13)


def test_a_defect_of_the_pass_is_found_before_it_is_used():
    """A check seen to fail: one component's constant is off by a part in ten thousand."""
    recognised = derived("normal").recognised
    onepass = OnePass(recognised)
    right = recognised.pack
    recognised.__dict__["pack"] = lambda theta: (right(theta)[0], right(theta)[1] * 1.0001)
    try:
        with pytest.raises(unmix.UnmixError, match="please report the model"):
            require_table(derived("normal"), onepass)
    finally:
        del recognised.__dict__["pack"]


# -- models that are easily read wrongly -----------------------------------------------------------


def two_normals(x, n, **normal):
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 2, shape=2)
        z = pm.Categorical("z", w, shape=n)
        pm.Normal("x", mu[z], **normal, observed=x)
    return model


X = np.random.default_rng(0).normal(size=12)
POINT = {"w": np.array([0.3, 0.7]), "mu": np.array([-1.0, 1.0])}


def log_marginal(derivation, theta=POINT):
    return derivation.onepass.run(*derivation.recognised.pack(theta)).log_marginal


def by_the_table(derivation, theta=POINT):
    return derivation.bayes({n: v[None] for n, v in theta.items()}).log_marginal.sum()


def by_hand(x, theta=POINT, sigma=1.0):
    u = (x[:, None] - theta["mu"]) / sigma
    joint = np.log(theta["w"]) - u**2 / 2 - np.log(sigma) - 0.5 * np.log(2 * np.pi)
    return np.logaddexp(joint[:, 0], joint[:, 1]).sum()


def test_constants_of_low_precision_are_numbers_like_any_other():
    """PyTensor takes log(3) of a small integer to 24 bits; the pass to 53."""
    for sigma in (3, np.float32(0.1)):
        derivation = unmix.derive(two_normals(X, 12, sigma=sigma))
        right = by_hand(X, sigma=float(sigma))
        assert abs(log_marginal(derivation) - right) <= 50 * EPS * abs(right)
        # log σ once a row, rounded to single precision.
        assert abs(by_the_table(derivation) - right) <= 12 * 2.0**-23 * 2


def test_on_new_rows_and_new_data():
    with pm.Model() as model:
        data = pm.Data("data", X)
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 2, shape=2)
        z = pm.Categorical("z", w, shape=data.shape[0])
        pm.Normal("x", mu[z], 1.0, observed=data)
    first = unmix.derive(model)
    before = log_marginal(first)
    more = np.random.default_rng(5).normal(size=700)
    other = first.on({"data": more})
    assert abs(log_marginal(other) - by_hand(more)) <= 1e-12 * abs(by_hand(more))
    with model:
        pm.set_data({"data": X + 1})
    assert abs(log_marginal(unmix.derive(model)) - by_hand(X + 1)) <= 1e-12 * abs(before)
    assert log_marginal(first) == before  # what was derived stays what it was


def test_new_rows_outside_the_support_take_the_general_road():
    for name, bad, why in (
        ("exponential", -1.0, "negative values"),
        ("poisson", -1, "values that are not counts"),
        ("latent_class_items", 2, "values that are neither 0 nor 1"),
        ("categorical_items_with_as_many_levels_as_components", 3, "values that are no level"),
    ):
        derivation = derived(name)
        x = np.array(derivation.data[derivation.opened.observed["x"]].data)
        x.flat[-1] = bad
        assert derivation.on({"x": x}).recognised == f"'x' holds {why}"


@pytest.mark.parametrize("dtype", ["int8", "uint16", "float32"])
def test_observed_in_any_type_and_layout(dtype):
    counts = np.random.default_rng(1).poisson(5, size=(40, 6)).astype(dtype)
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        rate = pm.Gamma("rate", 2, 1, shape=(2, 3))
        z = pm.Categorical("z", w, shape=20)
        pm.Poisson("x", rate[z], observed=np.asfortranarray(counts)[::2, ::-2])
    derivation = unmix.derive(model)
    np.testing.assert_array_equal(derivation.onepass.chunks[0].x, counts[::2, ::-2].T)


def test_one_z_for_everything():
    """A scalar z has one observation, of as many columns as there are data."""
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 2, shape=2)
        z = pm.Categorical("z", w)
        pm.Normal("x", mu[z] + np.arange(12.0), 1.0, observed=X)
    derivation = unmix.derive(model)
    assert derivation.n_obs == 1
    right = by_the_table(derivation)
    assert abs(log_marginal(derivation) - right) <= 50 * EPS * abs(right)


def test_a_factor_with_negative_entries_on_its_diagonal():
    """L and L with a column's sign turned are factors of one covariance."""
    x = np.random.default_rng(2).normal(size=(12, 2))
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        entries = pm.Normal("entries", 0, 1, shape=(2, 3))
        z = pm.Categorical("z", w, shape=12)
        chol = pt.stack([pm.math.expand_packed_triangular(2, entries[k]) for k in range(2)])
        pm.MvNormal("x", np.zeros(2), chol=chol[z], observed=x)
    derivation = unmix.derive(model)
    theta = {"w": np.array([0.4, 0.6]), "entries": np.array([[1.5, 0.4, -0.8], [-0.7, 0.2, 1.2]])}
    assert np.isfinite(by_the_table(derivation, theta))
    # Factors of condition 2.
    right = by_the_table(derivation, theta)
    assert abs(log_marginal(derivation, theta) - right) <= 100 * EPS * abs(right)


def test_where_the_kernel_would_run_past_the_end():
    onepass = derived("normal").onepass
    log_w, packed = onepass.recognised.pack({**POINT, "sigma": np.ones(2)})
    with pytest.raises(ValueError, match="z has shape"):
        onepass.run(log_w, packed, "hard", z=np.zeros(11, np.uint8))
    with pytest.raises(ValueError, match="do not fit"):
        onepass.run(log_w, packed, "hard", z=np.zeros(13, np.uint8))
    with pytest.raises(ValueError, match="are not those of components"):
        onepass.run(log_w, packed[:, :2])
    with pytest.raises(ValueError, match="are not those of components"):
        next(onepass.joint(log_w, packed[:1]))


@pytest.mark.parametrize("weight", [np.ones(3), [1, -1.0], [1, np.nan], [1, np.inf]])
def test_row_weights_that_make_no_sense(weight):
    with pytest.raises(unmix.UnmixError, match=r"weights for 2 rows|weights are 0 or more"):
        make_chunk(np.zeros((1, 2)), np.asarray(weight))
