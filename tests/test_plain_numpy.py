"""`unmix.assignments` and `unmix.explain` over draws against loops written out, label by label."""

import math

import numpy as np
import pymc as pm
import pytest
import xarray as xr

import unmix

CHAINS, DRAWS, N, K = 2, 50, 30, 3
RNG = np.random.default_rng(11)
X = np.round(np.repeat([-4.0, 0.0, 4.0], 10) + RNG.normal(0, 1.5, N), 2)
INTERVAL = 0.8
# Rounding of sums of a hundred terms; quantiles are kept in single precision, 2**-24.
SUMS, SINGLE = 1e-12, 2**-23


@pytest.fixture(scope="module")
def model():
    with pm.Model(coords={"obs": [f"r{i}" for i in range(N)]}) as built:
        w = pm.Dirichlet("w", np.ones(K))
        mu = pm.Normal("mu", 0, 5, shape=K)
        sigma = pm.Gamma("sigma", 4, 2, shape=K)
        z = pm.Categorical("z", w, dims="obs")
        pm.Normal("x", mu[z], sigma[z], observed=X, dims="obs")
    return built


@pytest.fixture(scope="module")
def draws():
    """θ and z with the components of each draw in an order of its own, and that order."""
    rng = np.random.default_rng(12)
    w = rng.dirichlet([20, 30, 25], (CHAINS, DRAWS))
    mu = np.array([-4.0, 0.0, 4.0]) + rng.normal(0, 0.4, (CHAINS, DRAWS, K))
    sigma = 1.5 * np.exp(rng.normal(0, 0.15, (CHAINS, DRAWS, K)))
    order = np.argsort(rng.random((CHAINS, DRAWS, K)), axis=-1)  # raw label -> its component
    z = rng.integers(K, size=(CHAINS, DRAWS, N))  # of the components; any will do to be counted
    raw = {
        n: np.take_along_axis(v, order, -1) for n, v in {"w": w, "mu": mu, "sigma": sigma}.items()
    }
    label = np.argsort(order, axis=-1)
    raw_z = np.take_along_axis(label, z, axis=-1)
    dims = ("chain", "draw")
    posterior = xr.Dataset({n: ((*dims, "component"), v) for n, v in raw.items()})
    posterior["z"] = ((*dims, "obs"), raw_z)
    return xr.DataTree.from_dict({"posterior": posterior}), (w, mu, sigma, z)


def written_out(w, mu, sigma, z):
    """For every row its responsibilities (draw, component) and counts, without a shortcut."""
    r = np.zeros((N, CHAINS * DRAWS, K))
    counts = np.zeros((N, K))
    for i in range(N):
        t = 0
        for chain in range(CHAINS):
            for draw in range(DRAWS):
                joint = []
                for k in range(K):
                    away = (X[i] - mu[chain, draw, k]) / sigma[chain, draw, k]
                    height = 1 / (sigma[chain, draw, k] * math.sqrt(2 * math.pi))
                    joint.append(w[chain, draw, k] * height * math.exp(-0.5 * away**2))
                for k in range(K):
                    r[i, t, k] = joint[k] / sum(joint)
                counts[i, z[chain, draw, i]] += 1
                t += 1
    return r, counts / (CHAINS * DRAWS)


def entropy(p):
    return -sum(q * math.log(q) for q in p if q > 0)


@pytest.fixture(scope="module")
def expected(draws):
    return written_out(*draws[1])


def labels(table):
    """Columns' components in the order of their means: names are arbitrary."""
    high = [table[f"responsibility[{k}]"].iloc[-10:].mean() for k in range(K)]
    low = [table[f"responsibility[{k}]"].iloc[:10].mean() for k in range(K)]
    first, last = int(np.argmax(low)), int(np.argmax(high))
    return [first, 3 - first - last, last]


def test_assignments_are_those_of_loops(model, draws, expected):
    r, frequency = expected
    table = unmix.assignments(model, draws[0], interval=INTERVAL, tail=False)
    tail = (1 - INTERVAL) / 2
    for component, k in enumerate(labels(table)):
        mine = r[:, :, component]
        said = {name: table[f"{name}[{k}]"] for name in ("responsibility", "lower", "upper")}
        np.testing.assert_allclose(said["responsibility"], mine.mean(axis=1), atol=SUMS)
        np.testing.assert_allclose(said["lower"], np.quantile(mine, tail, axis=1), atol=SINGLE)
        np.testing.assert_allclose(said["upper"], np.quantile(mine, 1 - tail, axis=1), atol=SINGLE)
        counted = table[f"assignment_frequency[{k}]"]
        np.testing.assert_allclose(counted, frequency[:, component], atol=SUMS)
    whole = [entropy(r[i].mean(axis=0)) for i in range(N)]
    overlap = [np.mean([entropy(p) for p in r[i]]) for i in range(N)]
    np.testing.assert_allclose(table["entropy"], whole, atol=SUMS)
    np.testing.assert_allclose(table["overlap"], overlap, atol=SUMS)
    doubt = np.subtract(whole, overlap)
    np.testing.assert_allclose(table["parameter_uncertainty"], doubt, atol=SUMS)
    assert doubt.max() > 0.01  # so that a part left out is seen
    most = np.array(labels(table))[np.argmax(r.mean(axis=1), axis=1)]
    np.testing.assert_array_equal(table["most_likely"], most)


def test_explain_says_what_loops_say(model, draws, expected):
    r, frequency = expected
    order = labels(unmix.assignments(model, draws[0], tail=False))
    for i in (0, 14, 22):
        table = unmix.explain(model, draws[0], obs=f"r{i}", interval=INTERVAL).table
        tail = (1 - INTERVAL) / 2
        for summary, values in {
            "mean": r[i].mean(axis=0),
            "lower": np.quantile(r[i], tail, axis=0),
            "upper": np.quantile(r[i], 1 - tail, axis=0),
        }.items():
            said = table["responsibility"].sel(summary=summary).values
            # explain may name components in its own way; its rows say which is which.
            np.testing.assert_allclose(said[order], values, atol=1e-10)
        np.testing.assert_allclose(table["assignment_frequency"].values[order], frequency[i])
