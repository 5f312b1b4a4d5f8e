"""Bayes' rule on arrays: exact small cases, extremes, and invariants."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mutants import BAYES_MUTANTS

from unmix.derive import bayes

ROUNDING = 1e-12  # a handful of operations on numbers of order one, eps 2.2e-16 each

log_densities = arrays(
    float, st.tuples(st.integers(1, 6), st.integers(1, 5)), elements=st.floats(-50, 50)
)


def exact_case():
    """Prior 1/4, 3/4 and likelihoods 1/2, 1/8; 2/7, 5/7: responsibilities by fractions."""
    prior = [Fraction(1, 4), Fraction(3, 4)]
    likelihood = [[Fraction(1, 2), Fraction(1, 8)], [Fraction(2, 7), Fraction(5, 7)]]
    joint = [[p * q for p, q in zip(prior, row, strict=True)] for row in likelihood]
    r = [[float(j / sum(row)) for j in row] for row in joint]
    marginal = [float(sum(row)) for row in joint]
    return np.log(np.array(prior, float)), np.log(np.array(likelihood, float)), r, marginal


def test_every_term_by_fractions():
    log_prior, log_likelihood, r, marginal = exact_case()
    terms = bayes.rule(log_prior, log_likelihood)
    np.testing.assert_allclose(terms.responsibility, r, rtol=ROUNDING)
    np.testing.assert_allclose(np.exp(terms.log_marginal), marginal, rtol=ROUNDING)
    np.testing.assert_allclose(terms.log_joint, log_prior + log_likelihood, rtol=ROUNDING)


@pytest.mark.parametrize("name", BAYES_MUTANTS)
def test_mutants_differ_from_the_fractions(name):
    log_prior, log_likelihood, r, _ = exact_case()
    wrong = BAYES_MUTANTS[name](log_prior, log_likelihood)
    assert np.max(np.abs(wrong - r)) > 0.01


def test_densities_of_1e_300_and_1e300_keep_their_ratio():
    log_likelihood = np.array([[np.log(1e-300), np.log(3e-300)], [np.log(1e300), np.log(3e300)]])
    terms = bayes.rule(np.log([0.5, 0.5]), log_likelihood)
    # log(1e300) is about 690.8, known to 690.8 eps: so is the ratio.
    np.testing.assert_allclose(terms.responsibility, [[0.25, 0.75]] * 2, rtol=1000 * 2.3e-16)


def test_far_below_the_smallest_float():
    terms = bayes.rule(np.log([0.5, 0.5]), np.array([[-1e6, -1e6 - np.log(3)]]))
    np.testing.assert_allclose(terms.responsibility, [[0.75, 0.25]], rtol=1e6 * 2.3e-16)


def test_impossible_components():
    inf = np.inf
    terms = bayes.rule(np.log([0.5, 0.5]), np.array([[-inf, -3.0], [-inf, -inf]]))
    np.testing.assert_array_equal(terms.responsibility[0], [0.0, 1.0])
    assert np.isnan(terms.responsibility[1]).all()
    assert terms.log_marginal[1] == -inf


def test_a_component_with_prior_zero_is_never_responsible_even_with_an_infinite_density():
    terms = bayes.rule(np.array([-np.inf, 0.0]), np.array([[np.inf, -1.0]]))
    np.testing.assert_array_equal(terms.responsibility, [[0.0, 1.0]])


@given(log_densities, st.randoms(use_true_random=False))
def test_permuting_components_permutes_responsibilities(log_joint, random):
    order = list(range(log_joint.shape[1]))
    random.shuffle(order)
    marginal, r = bayes.normalise(log_joint)
    marginal_p, r_p = bayes.normalise(log_joint[:, order])
    np.testing.assert_allclose(r_p, r[:, order], rtol=ROUNDING, atol=1e-300)
    np.testing.assert_allclose(marginal_p, marginal, rtol=ROUNDING, atol=ROUNDING)


@given(log_densities, st.floats(-100, 100))
def test_a_constant_factor_moves_the_marginal_and_nothing_else(log_joint, c):
    marginal, r = bayes.normalise(log_joint)
    marginal_c, r_c = bayes.normalise(log_joint + c)
    # Adding c rounds log densities of size up to 150: absolute error 150 eps, relative in r.
    np.testing.assert_allclose(r_c, r, rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(marginal_c, marginal + c, rtol=1e-12, atol=1e-12)


def test_entropy_by_hand():
    np.testing.assert_allclose(
        bayes.entropy([[1.0, 0.0], [0.5, 0.5]]), [0.0, np.log(2)], atol=ROUNDING
    )
