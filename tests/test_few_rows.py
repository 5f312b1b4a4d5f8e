"""Components that hold a handful of rows are pointed at: outliers, and spikes of the likelihood."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import unmix
from unmix import models
from unmix.derive import derive
from unmix.infer import few_rows

ADVICE = "outliers may have taken it"


def told(rows, k, start):
    """A mixture of normals, and where EM ends from there."""
    names = [f"r{i}" for i in range(len(rows))]
    model = models.gaussian(pd.DataFrame({"x": rows}, index=names), k)
    found = unmix.em(model, start=start, rng=0, threads=1, progress=False)
    assert found.converged
    return model, found


@pytest.fixture(scope="module")
def outliers():
    """Three rows of 300 at 40, of which a component has made itself."""
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(-3, 1, 150), rng.normal(3, 1, 147), [39.0, 41.0, 43.5]])
    start = {"w": [0.5, 0.49, 0.01], "mu": [-3.0, 3.0, 41.0], "sigma": [1.0, 1.0, 1.5]}
    return told(x, 3, start)


def test_outliers_that_have_a_component_are_named(outliers):
    _, found = outliers
    assert found.status.advice.endswith(
        "component 2 holds 3 of 300 rows (r297, r298, r299), far from all others: "
        "outliers may have taken it)"
    )


def test_so_they_are_where_draws_are_summarised(outliers):
    model, found = outliers
    rng = np.random.default_rng(0)
    draws, order = 40, np.tile([0, 1, 2], (40, 1))
    order[::3] = [2, 0, 1]  # labels of a third of the draws are others
    near = {}
    for name, value in found.theta.items():
        v = value.values * np.exp(0.01 * rng.standard_normal((draws, 3)))
        v = v / v.sum(axis=1, keepdims=True) if name == "w" else v
        v = np.take_along_axis(v, order, axis=1)
        near[name] = (("chain", "draw", "component"), v.reshape(2, draws // 2, 3))
    summary = unmix.summary(model, xr.Dataset(near, coords={"component": range(3)}))
    said = [flag for flag in summary.flags if ADVICE in flag]
    assert len(said) == 1
    # Which component it is depends on the draw that the others were aligned to.
    table = summary.table["mean"]
    far = max(range(3), key=lambda k: table[f"mu[{k}]"])
    assert said[0].startswith(f"component {far} holds 3 of 300 rows (r297, r298, r299)")


def test_a_spike_at_a_proper_maximum_is_named():
    rng = np.random.default_rng(2)
    # 4 rows within 0.01 among 296 that spread over 1.
    x = np.concatenate([rng.normal(0, 1, 296), 0.7 + np.array([-0.01, -0.003, 0.004, 0.01])])
    _, found = told(x, 2, {"w": [0.98, 0.02], "mu": [0.0, 0.7], "sigma": [1.0, 0.01]})
    assert found.theta["sigma"].min() < 0.1
    assert "that lie far closer together than others do: such a spike is often spurious" in (
        found.status.advice
    )
    assert "outliers" not in found.status.advice


def test_a_small_component_beside_the_others_is_not_pointed_at():
    rng = np.random.default_rng(3)
    # One row in fifty is of a third component: too many for outliers, and as wide as the others.
    x = np.concatenate([rng.normal(-3, 1, 150), rng.normal(3, 1, 144), rng.normal(9, 1, 6)])
    _, found = told(
        x, 3, {"w": [0.5, 0.48, 0.02], "mu": [-3.0, 3.0, 9.0], "sigma": [1.0, 1.0, 1.0]}
    )
    assert "holds" not in found.status.advice
    assert " hold " not in found.status.advice


def test_several_are_one_sentence(outliers):
    derivation = derive(outliers[0])
    r = np.full((300, 3), 1e-12)
    r[:, 0] = 1
    for k, row in ((1, 4), (2, 298)):
        r[row] = 1e-12
        r[row, k] = 1
    r /= r.sum(axis=1, keepdims=True)
    log_marginal = np.full(300, -2.0)
    # Rows of a component of their own: 300 times denser there, if as probable as the others.
    (said,) = few_rows.said_of(derivation, r.sum(axis=0), [(log_marginal, r)])
    assert said.startswith("components 1 and 2 hold 1 and 1 of 300 rows that lie far closer")


def test_few_rows_among_the_others_are_no_outliers(outliers):
    derivation = derive(outliers[0])
    r = np.tile([1.0, 0.0, 0.0], (300, 1))
    r[[10, 11]] = [0.3, 0.7, 0.0]
    log_marginal = np.full(300, -2.0)
    log_marginal[[10, 11]] = -6.5  # as improbable as few rows are, and no spike
    log_marginal[20] = -9.0  # a row of component 0 that is less probable still
    said = few_rows.said_of(derivation, r.sum(axis=0), [(log_marginal, r)])
    assert said == ()
    log_marginal[20] = -2.0
    (said,) = few_rows.said_of(derivation, r.sum(axis=0), [(log_marginal, r)])
    assert said.startswith("component 1 holds 2 of 300 rows (r10, r11), far from all others")
