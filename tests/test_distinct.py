"""Equal rows counted once: the same sums, optimum and gradient as row by row."""

import numpy as np
import pytest

import unmix
from unmix.infer.marginal import build_marginal
from unmix.onepass import distinct as module
from unmix.onepass.distinct import distinct, groups

N = 3000
EPS = np.finfo(float).eps


def items(weights=False, labels=False):
    """Latent classes of four binary items: sixteen distinct rows."""
    rng = np.random.default_rng(4)
    z = rng.integers(2, size=N)
    x = (rng.random((N, 4)) < np.array([[0.9, 0.8, 0.2, 0.4], [0.3, 0.2, 0.7, 0.6]])[z]).astype(int)
    model = unmix.models.latent_class(x, 2)
    if labels:
        with model:
            known = np.where(rng.random(N) < 0.2, z, -1)
            unmix.models.labels.declare(model["z"], known)
    if weights:
        unmix.weigh(model, rng.gamma(2.0, size=N))
    return unmix.derive(model)


def theta():
    p = np.random.default_rng(5).dirichlet(np.ones(2), size=(2, 4))
    return {"w": np.array([0.35, 0.65]), "p": p}


@pytest.mark.parametrize("options", [{}, {"weights": True}, {"labels": True}], ids=str)
def test_sums_are_those_of_the_rows(options):
    derivation = items(**options)
    onepass = derivation.onepass
    counted = distinct(onepass)
    assert counted.n_obs <= 16 * 3  # unlabelled, or labelled with either of two components
    assert counted.weight == pytest.approx(onepass.weight, rel=N * EPS)
    at = onepass.recognised.pack(theta())
    rows, once = onepass.run(*at), counted.run(*at)
    # Either side sums N terms, of one sign each but for the statistics' own.
    assert once.log_marginal == pytest.approx(rows.log_marginal, rel=2 * N * EPS)
    np.testing.assert_allclose(once.n, rows.n, rtol=2 * N * EPS)
    np.testing.assert_allclose(once.statistics, rows.statistics, rtol=2 * N * EPS)


def test_groups_are_those_of_unique():
    rng = np.random.default_rng(6)
    x = rng.integers(3, size=(4, 500)).astype(float)
    group = groups(x, 500)
    _, right = np.unique(x, axis=1, return_inverse=True)
    # The same partition of rows: each group lies in one of the others, and they are as many.
    assert len({*zip(group, right.ravel(), strict=True)}) == len({*group}) == right.max() + 1
    assert groups(x, len({*group}) - 1) is None


def test_what_gains_nothing_is_left_as_it_is():
    rng = np.random.default_rng(7)
    few = unmix.derive(unmix.models.poisson(rng.poisson(3.0, size=500), 2)).onepass
    assert distinct(few) is few
    different = unmix.derive(unmix.models.poisson(rng.poisson(1e6, size=N), 2)).onepass
    assert distinct(different) is different
    continuous = unmix.derive(unmix.models.gaussian(np.repeat([1.0, 2.0, 5.0], N), 2)).onepass
    assert distinct(continuous) is continuous


def test_em_ends_where_it_does_row_by_row(monkeypatch):
    model = items().model
    once = unmix.em(model, starts=3, rng=0, progress=False)
    monkeypatch.setattr(module, "FEW", np.inf)
    rows = unmix.em(model, starts=3, rng=0, progress=False)
    assert once.log_likelihood == pytest.approx(rows.log_likelihood, rel=2 * N * EPS)
    for name in rows.theta.data_vars:
        # Either stops with at most its tolerance of 1e-9 to go, of a weight or a probability.
        np.testing.assert_allclose(once.theta[name], rows.theta[name], atol=2e-9)


def test_gradient_for_samplers_is_that_of_the_rows(monkeypatch):
    derivation = items(weights=True)
    with_once = build_marginal(derivation)
    monkeypatch.setattr(module, "FEW", np.inf)
    with_rows = build_marginal(derivation)
    point = with_once.model.initial_point()
    values = [m.model.compile_logp()(point) for m in (with_once, with_rows)]
    assert values[0] == pytest.approx(values[1], rel=2 * N * EPS)
    slopes = [m.model.compile_dlogp()(point) for m in (with_once, with_rows)]
    # A gradient is a difference of sums of N terms of at most their weight.
    np.testing.assert_allclose(slopes[0], slopes[1], atol=2 * N * EPS * derivation.weight.sum())
