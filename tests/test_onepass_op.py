"""The pass as a PyTensor operation: value and gradient against the derived graph, every model."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from mutants import centre_not_held
from onepass_problems import EPS
from registry import CASES, derived

import unmix
from unmix.derive.compiling import compile_table
from unmix.onepass.chunks import make_chunk
from unmix.onepass.onepass import OnePass
from unmix.onepass.op import log_marginal

FAST = [name for name, case in CASES.items() if case.road == "fast"]
# Conditions of covariances at the points looked at; see `test_onepass`.
CONDITION = dict.fromkeys(
    ["multivariate_normal_by_cholesky", "multivariate_normal_by_lkj_stack"], 1e3
)


def derived_graph(derivation):
    """Σ_i log Σ_k of the derived table, as `unmix.infer.marginal` has it, without other terms."""
    table = derivation.table
    return pt.logsumexp(table.log_prior + table.log_likelihood, axis=0).sum()


def with_gradients(derivation, graphs, mode=None):
    """A function of θ: each graph's value, and its gradient over all that the table touches."""
    inputs = [derivation.opened.theta[name] for name in derivation.touched]
    outputs = [v for g in graphs for v in (g, *pytensor.grad(g, inputs))]
    if mode is None:
        return compile_table(inputs, outputs)
    return pytensor.function(inputs, outputs, mode=mode)


def require_same(derivation, found, right, condition=1.0):
    """To rounding: sums over N rows of terms of the gradient's size.

    Entries of θ that nothing moves, the zeros above a factor's diagonal, have no gradient that
    anyone asks for: the pass does not read them, the table's covariance does.
    """
    one, other = (derivation.space.jittered(np.random.default_rng(s)) for s in (1, 2))
    moves = [one[name] != other[name] for name in derivation.touched]
    rows = 30 * EPS * condition * derivation.n_obs
    assert abs(found[0] - right[0]) <= rows * (1 + abs(right[0]))
    for one, other, free in zip(found[1:], right[1:], moves, strict=True):
        # Terms of a gradient cancel; their sizes are of the order of the largest of them all.
        size = 1 + max(np.abs(v).max() for v in right[1:]) + abs(right[0])
        np.testing.assert_allclose(one[free], other[free], rtol=0, atol=rows * size)


@pytest.mark.parametrize("name", FAST)
def test_value_and_gradient_are_those_of_the_derived_graph(name):
    derivation = derived(name)
    f = with_gradients(derivation, [log_marginal(derivation.onepass), derived_graph(derivation)])
    for seed in range(31, 35):
        theta = derivation.space.jittered(np.random.default_rng(seed))
        out = f(*(theta[n] for n in derivation.touched))
        half = len(out) // 2
        require_same(derivation, out[:half], out[half:], CONDITION.get(name, 1.0))


@pytest.mark.parametrize("name", ["normal", "multivariate_normal_by_full_covariance"])
def test_a_gradient_through_the_centre_is_found_out(name, monkeypatch):
    """A check seen to fail: with nothing held, means have no gradient at all."""
    monkeypatch.setattr(pytensor.gradient, "disconnected_grad", centre_not_held)
    with pytest.raises(AssertionError):
        test_value_and_gradient_are_those_of_the_derived_graph(name)


def test_chunks_weights_and_single_precision():
    """Row weights multiply, chunks add; a float32 store is another type of the same operation."""
    derivation = derived("two_observed_variables_share_z")
    x = derivation.onepass.chunks[0].x
    weight = np.arange(12.0)
    exact = np.round(x * 1024) / 1024  # so that single precision holds it
    passes = [
        OnePass(derivation.recognised, [make_chunk(exact, weight)]),
        OnePass(
            derivation.recognised,
            [
                make_chunk(exact[:, :5], weight[:5], np.float32),
                make_chunk(exact[:, 5:], weight[5:], np.float32),
            ],
        ),
    ]
    f = with_gradients(derivation, [log_marginal(p) for p in passes])
    theta = derivation.space.jittered(np.random.default_rng(41))
    out = f(*(theta[n] for n in derivation.touched))
    require_same(derivation, out[: len(out) // 2], out[len(out) // 2 :])
    one = passes[0].run(*derivation.recognised.pack(theta)).log_marginal
    assert abs(out[0] - one) <= 100 * EPS * abs(one)


def finite(f, theta, names, step=1e-6):
    """Central differences of the value over each entry of each named parameter."""
    gradient = []
    for name in names:
        g = np.empty(np.shape(theta[name]))
        for at in np.ndindex(g.shape):
            ends = []
            for sign in (1, -1):
                moved = {**theta, name: theta[name].copy()}
                moved[name][at] += sign * step
                ends.append(f(*(moved[n] for n in names))[0])
            g[at] = (ends[0] - ends[1]) / (2 * step)
        gradient.append(g)
    return gradient


def test_gradient_is_the_slope_of_the_value():
    """Without the derived graph, where components are all but certain too."""
    derivation = derived("four_observed_variables_of_four_families")
    f = with_gradients(derivation, [log_marginal(derivation.onepass)])
    theta = derivation.space.jittered(np.random.default_rng(51))
    theta["mu"] = theta["mu"] + np.array([[3.0], [-3.0]])
    theta["w"] = np.array([0.999, 0.001])
    out = f(*(theta[n] for n in derivation.touched))
    for slope, gradient in zip(finite(f, theta, derivation.touched), out[1:], strict=True):
        # Step 1e-6: curvature adds 1e-12 of the third derivative, rounding 1e-16 · |ℓ| / 1e-6;
        # at w = 0.001 the third derivative is some N / w³.
        np.testing.assert_allclose(slope, gradient, rtol=1e-3, atol=1e-4)


def test_gradient_of_impossible_components():
    """A weight of zero, and a level that no row shows: no NaN where the derived graph has none."""
    derivation = derived("latent_class_items")
    f = with_gradients(derivation, [log_marginal(derivation.onepass)])
    p = np.array([[0.2, 0.4, 0.6, 0.8], [0.9, 0.5, 0.3, 0.1]])
    out = f(*({"w": np.array([1.0, 0.0]), "p": p}[n] for n in derivation.touched))
    gradient = dict(zip(derivation.touched, out[1:], strict=True))
    assert np.isfinite(gradient["p"]).all()
    assert not gradient["p"][1].any()


# One by one these take half a minute; what nutpie samples is compiled so in other tests too.
NUMBA = [
    pytest.param("normal", marks=pytest.mark.slow),
    pytest.param("multivariate_normal_by_covariance", marks=pytest.mark.slow),
    pytest.param("poisson", marks=pytest.mark.slow),
    pytest.param("latent_class_items", marks=pytest.mark.slow),
    pytest.param("categorical_items_with_as_many_levels_as_components", marks=pytest.mark.slow),
    pytest.param("exponential", marks=pytest.mark.slow),
    pytest.param("four_observed_variables_of_four_families", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("name", NUMBA)
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::numba.NumbaWarning")
def test_compiled_by_numba(name):
    """As nutpie compiles it; the same pass, so the same numbers."""
    derivation = derived(name)
    graph = [log_marginal(derivation.onepass)]
    by_numba = with_gradients(derivation, graph, "NUMBA")
    by_python = with_gradients(derivation, graph)
    for seed in (61, 62):
        theta = derivation.space.jittered(np.random.default_rng(seed))
        values = [theta[n] for n in derivation.touched]
        require_same(derivation, by_numba(*values), by_python(*values))


def test_two_models_in_one_graph():
    """Operations of one layout are equal to PyTensor, and must then be interchangeable."""
    x = np.random.default_rng(7).normal(size=(2, 20))
    derivations = []
    for row in x:
        with pm.Model() as model:
            mu = pm.Normal("mu", 0, 2, shape=2)
            z = pm.Categorical("z", [0.5, 0.5], shape=20)
            pm.Normal("x", mu[z], 1.0, observed=row)
        derivations.append(unmix.derive(model))
    graphs = [log_marginal(d.onepass) for d in derivations]
    inputs = [d.opened.theta["mu"] for d in derivations]
    gradients = pytensor.grad(graphs[0] - 2 * graphs[1], inputs)
    f = compile_table(inputs, [*graphs, *gradients])
    mu = np.array([-1.0, 1.0]), np.array([0.5, 2.0])
    out = f(*mu)
    for i, factor in enumerate((1, -2)):
        alone = with_gradients(derivations[i], [derived_graph(derivations[i])])(mu[i])
        require_same(derivations[i], [out[i], out[2 + i] / factor], alone)
