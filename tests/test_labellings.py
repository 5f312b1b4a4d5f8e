"""Labellings that a weak prior leaves plausible, and chains that never visit them."""

import numpy as np
import pymc as pm
import pytest
import xarray as xr

import unmix
from unmix.derive.theta import stack_theta
from unmix.infer.labellings import unvisited_labelling


def told_apart_by(distance, spread=5.0):
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.normal(-3, 1, 15), rng.normal(3, 1, 45)])
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", [-distance / 2, distance / 2], spread, shape=2)
        z = pm.Categorical("z", w, shape=60)
        pm.Normal("x", mu[z], 1.0, observed=x)
    return unmix.derive(model)


def draws(switching):
    rng = np.random.default_rng(0)
    mu = np.array([-3.0, 3.0]) + 0.1 * rng.standard_normal((2, 40, 2))
    w = np.broadcast_to([0.25, 0.75], (2, 40, 2)).copy()
    if switching:
        mu[:, ::2], w[:, ::2] = mu[:, ::2, ::-1].copy(), w[:, ::2, ::-1].copy()
    dims = ("chain", "draw", "component")
    return xr.Dataset({"mu": (dims, mu), "w": (dims, w)})


def found(derivation, fit):
    everything = stack_theta(derivation, fit, derivation.parameters)
    return unvisited_labelling(derivation, stack_theta(derivation, fit), everything)


def test_a_weak_prior_and_chains_that_stay():
    i, j, cost = found(told_apart_by(2.0), draws(switching=False))
    assert (i, j) == (0, 1)
    # Swapping -3 and 3 under N(∓1, 5²): (2·6·2 / 2) / 25 = 0.48, give or take the jitter of 0.1
    # in each mean, at the draw where it is cheapest.
    assert cost == pytest.approx(0.48, abs=0.05)


def test_chains_that_move_between_them_need_no_warning():
    assert found(told_apart_by(2.0), draws(switching=True)) is None


def test_a_prior_that_does_tell_them_apart_needs_no_warning():
    assert found(told_apart_by(4.0, spread=0.5), draws(switching=False)) is None


def test_exchangeable_components_are_matched_instead():
    assert found(told_apart_by(0.0), draws(switching=False)) is None
