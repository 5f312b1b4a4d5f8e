"""Rows that are proved to stay apart, and what is then looked at in pieces; and impossible data."""

import tracemalloc

import mutants_large
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from registry import derived

import unmix
from unmix.derive import bayes
from unmix.derive.by_rows import SAMPLE
from unmix.derive.compiling import compile_table
from unmix.derive.rowwise import proved
from unmix.onepass.chunks import Chunk
from unmix.onepass.onepass import OnePass
from unmix.onepass.verify import require_table

N = 6000
COVARIATE = pt.constant(np.linspace(0, 1, 7))

# -- the proof -------------------------------------------------------------------------------------
# Terms of mu (K,), z (obs,), x (obs,), y (obs, 3).

APART = {
    "the difference": lambda mu, z, x, y: x - mu[z],
    "a sum over features": lambda mu, z, x, y: ((y - mu[z][:, None]) ** 2).sum(axis=1),
    "a table of the data": lambda mu, z, x, y: pt.switch(x > 0, mu[z], 2.0),
    "an index with a slice": lambda mu, z, x, y: y - pt.stack([mu, mu, mu], axis=1)[z, :],
    "levels": lambda mu, z, x, y: mu[pt.clip(z, 0, 1)] * y.shape[1],
    "one level of each row": lambda mu, z, x, y: pt.take_along_axis(y, z[:, None], axis=1)[:, 0],
}
TOGETHER = {
    "a total of z": lambda mu, z, x, y: x - mu[z] + mu[z].sum(),
    "totals of columns": lambda mu, z, x, y: (y - mu[z][:, None]).sum(axis=0),
    "a total of the data": lambda mu, z, x, y: x - mu[z] - x.max(),
    "a covariate": lambda mu, z, x, y: x - mu[z] * COVARIATE,
    "the other way round": lambda mu, z, x, y: x - mu[z[::-1]],
    "another order": lambda mu, z, x, y: x - mu[z][pt.constant([1, 0, 2, 3, 4, 5, 6])],
    "rows by z": lambda mu, z, x, y: x[z] - mu[z],
    "the row's number": lambda mu, z, x, y: x - mu[z] + pt.arange(x.shape[0]),
    "parameters by the row's number": lambda mu, z, x, y: x - mu[pt.arange(z.shape[0])],
    "a running sum": lambda mu, z, x, y: x - mu[z].cumsum(),
    "the one before": lambda mu, z, x, y: x - pt.concatenate([mu[z][:1], mu[z][:-1]]),
    "one row set apart": lambda mu, z, x, y: pt.set_subtensor((x - mu[z])[3], 0.0),
    "the number of rows": lambda mu, z, x, y: (x - mu[z]) / x.shape[0],
    "rows in order": lambda mu, z, x, y: pt.sort(x - mu[z]),
    "rows and columns": lambda mu, z, x, y: (y - mu[z][:, None]).T,
    "a table of all rows": lambda mu, z, x, y: x[:, None] - mu[z][None, :],
    "no row": lambda mu, z, x, y: mu * 2,
}


def proof(term):
    mu, z = pt.TensorType("float64", (7,))("mu"), pt.lvector("z")
    x, y = pt.dvector("x"), pt.dmatrix("y")
    return proved(compile_table([mu, z, x, y], [term(mu, z, x, y)]), 3)


@pytest.mark.parametrize("name", APART)
def test_rows_that_stay_apart(name):
    assert proof(APART[name])


@pytest.mark.parametrize("name", TOGETHER)
def test_rows_that_meet(name):
    assert not proof(TOGETHER[name])


@pytest.mark.parametrize("name", mutants_large.PROOFS)
def test_a_careless_proof_is_found_out(name, monkeypatch):
    mutants_large.PROOFS[name](monkeypatch)
    assert any(proof(term) for term in TOGETHER.values())


@pytest.mark.parametrize(
    "name",
    [
        "normal",
        "multivariate_normal_by_cholesky",
        "poisson_columns",
        "regression_inside_the_components",
        "labels_of_some_rows",
        "labels_of_one_component",
        "measured_with_known_errors",
        "one_covariance_for_all_components",
        "normals_and_noise",
    ],
)
def test_any_rows_are_those_of_the_table(name):
    derivation = derived(name)
    theta = derivation.space.jittered(np.random.default_rng(5))
    whole = bayes.joint(*derivation.log_terms({n: v[None] for n, v in theta.items()}))[0]
    rows = np.array([3, 0, 7])
    found = derivation.by_rows.joint(theta, rows)
    np.testing.assert_allclose(found, whole[rows], rtol=1e-12)
    z = np.arange(derivation.n_obs) % derivation.n_components
    parts = derivation.by_rows.elements(theta, z[rows], rows)
    for term, entries in derivation.elements(theta, z).items():
        if term in parts:
            np.testing.assert_allclose(parts[term], entries[rows], rtol=1e-12)


@pytest.mark.parametrize("name", ["subject_level_assignment", "rows_in_another_order"])
def test_without_a_proof_everything_is_measured(name):
    assert derived(name).by_rows is None


# -- one row among many ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def x():
    rng = np.random.default_rng(0)
    return np.where(rng.random(N) < 0.4, rng.normal(-2, 1, N), rng.normal(2, 1, N))


def mixture(x, mean=lambda mu, z: mu[z]):
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 3, shape=2)
        z = pm.Categorical("z", w, shape=len(x))
        pm.Normal("x", mean(mu, z), 1.0, observed=x)
    return model


def test_a_parameter_that_one_row_changes(x):
    offset = np.zeros(N)
    offset[4321] = 1.0
    derivation = unmix.derive(mixture(x, lambda mu, z: mu[z] + offset))
    assert derivation.recognised == "the parameters of 'x' depend on the row"


def test_a_row_that_follows_another(x):
    derivation = unmix.derive(mixture(x, lambda mu, z: pt.set_subtensor(mu[z][4321], mu[z[17]])))
    assert derivation.table.index["x"][4321] == 17
    assert isinstance(derivation.recognised, str)


def test_a_row_that_mixes_all(x):
    with pytest.raises(unmix.UnmixError, match="mixes several elements"):
        unmix.derive(mixture(x, lambda mu, z: pt.set_subtensor(mu[z][4321], mu[z].mean())))


def lopsided(x, row):
    def logp(value, mean, component):
        leans = pt.eq(value, x[row]) & pt.eq(component, 0)
        return pm.logp(pm.Normal.dist(mean, 1.0), value) + pt.switch(leans, 1.0, 0.0)

    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 3, shape=2)
        z = pm.Categorical("z", w, shape=len(x))
        pm.CustomDist("x", mu[z], z, logp=logp, observed=x)
    return model


def test_the_one_row_that_tells_components_apart(x):
    """It is none of those that measurements look at."""
    by_rows = unmix.derive(mixture(x)).by_rows
    seen = by_rows.sample(np.random.default_rng(20261125))
    assert len(seen) < N
    (row, *_) = np.setdiff1d(np.arange(N), seen)
    derivation = unmix.derive(lopsided(x, row))
    assert derivation.by_rows is not None
    assert derivation.components.symmetry == ((0,), (1,))
    with pytest.MonkeyPatch.context() as monkeypatch:
        mutants_large.symmetry_of_a_sample(monkeypatch)
        assert unmix.derive(lopsided(x, row)).components.symmetry == ((0, 1),)


def test_the_symmetry_of_many_rows(x):
    assert N > SAMPLE
    assert unmix.derive(mixture(x)).components.symmetry == ((0, 1),)


def test_a_row_that_the_pass_read_wrongly(x):
    """Not among those looked at one by one: the total says so."""
    derivation = unmix.derive(mixture(x))
    (chunk,) = derivation.onepass.chunks
    wrong = chunk.x.copy()
    wrong[0, 4321] += 1.0
    onepass = OnePass(derivation.recognised, [Chunk(wrong, chunk.centre, chunk.weight)])
    with pytest.raises(unmix.UnmixError, match="sums the rows to"):
        require_table(derivation, onepass)


@pytest.mark.slow
def test_memory_of_a_million_rows():
    """A table of obs x component alone would be three times the data, and more while it is made."""
    x = np.random.default_rng(0).normal(size=10**6)
    unmix.derive(unmix.models.gaussian(x[:100], 3)).onepass  # noqa: B018
    model = unmix.models.gaussian(x, 3)
    tracemalloc.start()
    try:
        unmix.derive(model).onepass  # noqa: B018
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * x.nbytes


# -- impossible data -------------------------------------------------------------------------------


def observed(family, values, **parameters):
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        rate = pm.Gamma("rate", 2, 1, shape=2)
        chance = pm.Beta("chance", 1, 1, shape=2)
        levels = pm.Dirichlet("levels", np.ones((2, 3)))
        z = pm.Categorical("z", w, shape=len(values))
        known = {"rate": rate, "chance": chance, "levels": levels}
        arguments = {k: known[v][z] if v in known else v for k, v in parameters.items()}
        family("y", **arguments, observed=np.asarray(values))
    return model


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: observed(pm.Poisson, [1, 0, -1, 2], mu="rate"), "'y' is -1 in row 2.* 0 or more"),
        (lambda: observed(pm.Bernoulli, [1, 0, 2, 3], p="chance"), "is 2 in row 2.*so are rows 3"),
        (lambda: observed(pm.Categorical, [1, 0, 3, 2], p="levels"), "is 3 in row 2.* 0 to 2"),
        (lambda: observed(pm.Exponential, [1.0, -0.5, 2.0], lam="rate"), "is -0.5 in row 1"),
        (lambda: observed(pm.Gamma, [1.0, -0.5], alpha="rate", beta=1.0), "is -0.5 in row 1"),
        (lambda: observed(pm.Normal, [1.0, np.inf], mu="rate", sigma=1.0), "is inf in row 1"),
        (lambda: observed(pm.Poisson, [-1] * 9, mu="rate"), "rows 1, 2, 3, 4, 5 and 3 more"),
    ],
)  # fmt: skip
def test_impossible_data_are_named(model, words):
    with pytest.raises(unmix.UnmixError, match=words) as error:
        unmix.derive(model())
    assert "report" not in str(error.value)


def test_possible_data_are_not_refused():
    """At the edges of the support, where some families have their edge in and some out."""
    unmix.derive(observed(pm.Exponential, [0.0, 1.0, 2.0], lam="rate"))
    unmix.derive(observed(pm.Bernoulli, [0, 1, 1], p="chance"))


# -- rows that are slow one by one ----------------------------------------------------------------


def test_where_each_row_is_a_system_of_its_own_some_are_verified(monkeypatch):
    from unmix.derive import by_rows, verify

    x = np.random.default_rng(5).normal(size=(3000, 2))
    model = unmix.models.gaussian(x, 2)
    derivation = unmix.derive(model)
    assert derivation.by_rows.one_by_one
    assert derivation.verification.rows is None
    assert not unmix.derive(unmix.models.gaussian(x[:, 0], 2)).by_rows.one_by_one

    monkeypatch.setattr(by_rows, "VERIFIED", 1000)
    rng, theta = np.random.default_rng(1), derivation.space.initial
    points = [derivation.space.constrain(theta)]
    some = verify.verify(derivation, points, rng)
    # A thousand at random, some of them twice, both ends, and the extremes of either column.
    assert 800 < some.rows < 1007
    assert f"of {some.rows:,} rows" in str(some)
    assert unmix.derive(unmix.models.gaussian(x, 2)).components.symmetric  # asked of some rows too

    right = by_rows.ByRows.joint
    monkeypatch.setattr(by_rows.ByRows, "joint", lambda self, t, rows: right(self, t, rows) + 1e-6)
    with pytest.raises(unmix.UnmixError, match="differs from the model's own log-density"):
        verify.verify(derivation, points, rng)
