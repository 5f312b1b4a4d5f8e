"""The pass in parts: against the general road, for every model of the registry that takes it."""

from dataclasses import replace

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from mutants_parts import PARTS, assignments_in_the_order_of_kinds
from registry import CASES, derived
from scipy.stats import binom

import unmix
from unmix.derive import bayes
from unmix.infer.closed_form import closed_forms
from unmix.infer.em_starts import run_starts
from unmix.infer.objective import make_objective
from unmix.infer.packed_em import Rules
from unmix.infer.parts_objective import PartsObjective
from unmix.infer.starts import find_starts
from unmix.onepass.op import log_marginal_of_parts

PARTED = [name for name, case in CASES.items() if case.kinds]
EPS = np.finfo(float).eps


@pytest.fixture(params=PARTED, scope="module")
def derivation(request):
    return derived(request.param)


def draws_of(derivation, number=3, seed=5):
    rng = np.random.default_rng(seed)
    points = [derivation.space.jittered(rng) for _ in range(number)]
    return {name: np.stack([p[name] for p in points]) for name in points[0]}


def test_joint_is_the_derived_table(derivation):
    theta = draws_of(derivation)
    right = bayes.joint(*derivation.log_terms(theta))
    found = derivation.parts.joint_stack(theta)
    # Some ten operations on terms of this size; a triangular solve of three columns at most.
    size = 1.0 + np.abs(right[np.isfinite(right)]).max()
    np.testing.assert_allclose(found, right, atol=100 * EPS * size, rtol=0)


def test_density_and_gradient_are_those_of_the_table(derivation):
    table, theta = derivation.table, list(derivation.opened.theta.values())
    graphs = [
        log_marginal_of_parts(derivation.parts),
        pt.logsumexp(table.log_prior + table.log_likelihood, axis=0).sum(),
    ]
    touched = [derivation.opened.theta[name] for name in derivation.touched]
    slopes = [g for graph in graphs for g in pytensor.grad(graph, touched)]
    compiled = pytensor.function(
        theta, [*graphs, *slopes], mode="FAST_COMPILE", on_unused_input="ignore"
    )
    point = derivation.space.jittered(np.random.default_rng(6))
    one, other, *slopes = compiled(*(point[name] for name in derivation.opened.theta))
    assert one == pytest.approx(float(other), rel=1e-12)
    half = len(slopes) // 2
    for found, right in zip(slopes[:half], slopes[half:], strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-9, atol=1e-9)


def test_an_m_step_from_sums_is_the_one_from_rows(derivation):
    general = make_objective(derivation, "likelihood", None)
    parted = PartsObjective(derivation, general.kind, general.free, general.held, derivation.parts)
    theta = {**general.initial, **derivation.space.jittered(np.random.default_rng(7))}
    rows, sums = general.expect(theta), parted.expect(theta)
    assert sums.value == pytest.approx(rows.value, rel=1e-12)
    np.testing.assert_allclose(sums.counts, rows.counts, rtol=1e-12)
    # A variance is a difference of squares that are a few times as large.
    for block in closed_forms(general):
        for name, value in sums.step(block, theta).items():
            np.testing.assert_allclose(value, rows.step(block, theta)[name], rtol=1e-11, atol=1e-13)
    u = general.flatten(theta)
    np.testing.assert_allclose(sums.q(u)[1], rows.q(u)[1], rtol=1e-9, atol=1e-10)
    feature = np.arange(float(derivation.n_obs))
    np.testing.assert_allclose(sums.means(feature), rows.means(feature), rtol=1e-12)


def test_em_ends_where_the_general_road_does(derivation):
    """From the same start: the same maximum, whoever takes the sums."""
    general = make_objective(derivation, "likelihood", None)
    parted = PartsObjective(derivation, general.kind, general.free, general.held, derivation.parts)
    starts = list(find_starts(derivation, 1, np.random.default_rng(3)))
    rules = Rules(200, 1e-7, 0.0, True)
    one, other = (run_starts(o, starts, 1, rules, False)[0] for o in (parted, general))
    assert one.outcome == other.outcome
    if one.outcome == "converged":
        # BFGS stops where the gradient is 1e-8: the objective is flat to its square.
        assert one.objective == pytest.approx(other.objective, rel=1e-8)
    assert np.all(np.diff(one.trace) >= -1e-11 * (1 + np.abs(one.trace[1:])))


def sampled_as_bayes_rule_has_it(derivation):
    """Whether shares of draws are the responsibilities, and sums those of the drawn z."""
    parts, k = derivation.parts, derivation.n_components
    log_w, packed = parts.pack(derivation.space.jittered(np.random.default_rng(7)))
    r = bayes.normalise(parts.joint(log_w, packed))[1]
    z, count = np.empty(derivation.n_obs, dtype=np.uint8), np.zeros(r.shape)
    draws = 2000
    for key in np.random.default_rng(8).integers(2**63, size=draws):
        sums = parts.run(log_w, packed, "sampled", key=int(key), z=z)
        count += np.eye(k)[z]
    given = parts.given(np.eye(k)[z], packed)
    same = np.array_equal(sums.n, given.n)
    same &= np.allclose(sums.statistics, given.statistics, rtol=1e-12, atol=1e-12)
    # Exact tails, two-sided; one false alarm in 10^4 runs of all cells together.
    tail = np.minimum(binom.cdf(count, draws, r), binom.sf(count - 1, draws, r))
    return same and tail.min() > 1e-4 / (2 * count.size * len(PARTED))


def test_a_sampled_pass_draws_from_bayes_rule(derivation):
    assert sampled_as_bayes_rule_has_it(derivation)


def test_assignments_in_the_order_of_kinds_are_rejected(monkeypatch):
    derivation = derived("catalogue_grouped_weights")
    assert not np.array_equal(derivation.parts.rows, np.arange(derivation.n_obs))
    assignments_in_the_order_of_kinds(monkeypatch)
    assert not sampled_as_bayes_rule_has_it(derivation)


def test_weights_of_rows_are_counted_in_parts():
    derivation = derived("weights_per_group")
    weight = np.arange(12.0) % 3
    weighted = replace(derivation, weight=weight)
    theta = {n: np.asarray(v) for n, v in weighted.space.jittered(np.random.default_rng(4)).items()}
    right = derivation.bayes({n: v[None] for n, v in theta.items()}).log_marginal[0] @ weight
    graph = log_marginal_of_parts(weighted.parts)
    inputs = list(weighted.opened.theta.values())
    found = pytensor.function(inputs, graph, mode="FAST_COMPILE", on_unused_input="ignore")(
        *(theta[n] for n in weighted.opened.theta)
    )
    assert found == pytest.approx(right, rel=1e-12)


@pytest.mark.parametrize("mutant", PARTS.values(), ids=PARTS)
def test_wrong_parts_are_rejected(mutant, monkeypatch):
    """The table refuses them when the pass is made."""
    derivation = replace(derived("weights_per_group"))  # a copy that has made no pass yet
    assert derivation.parts is not None
    mutant(monkeypatch)
    with pytest.raises(unmix.UnmixError, match="the pass in parts gives"):
        _ = replace(derivation).parts
