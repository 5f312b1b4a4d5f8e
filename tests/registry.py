"""Every model that the generic tests run over: a new model is tested by being listed here.

Each entry builds a small model a user might write, and states what is known about it.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt

import unmix


@dataclass(frozen=True)
class Case:
    """A model and what must be found out about it.

    Attributes
    ----------
    build
        Makes the model.
    k, n
        Components and elements of ``z``.
    axes
        Component axis of every parameter that has one.
    symmetry
        Blocks of exchangeable components.
    em
        Whether maximum likelihood by EM has a meaning for it.
    road
        ``"fast"`` where one pass over the data applies, else why it does not.
    kinds
        Of rows, where the data are then passed over in parts; 0 where not.
    """

    build: Callable[[], pm.Model]
    k: int
    n: int
    axes: dict[str, int]
    symmetry: tuple[tuple[int, ...], ...]
    families: tuple[tuple[str, ...], ...] = ()
    em: bool = True
    em_left_out: tuple[str, ...] = field(default=())
    road: str = "fast"
    kinds: int = 0


CASES: dict[str, Case] = {}


def case(k, n, axes, symmetry=None, **more):
    """List a model builder in the registry under its own name."""

    def add(build):
        blocks = (tuple(range(k)),) if symmetry is None else symmetry
        CASES[build.__name__] = Case(build, k, n, axes, blocks, **more)
        return build

    return add


def _line(n=12, seed=1):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(n) < 0.4, rng.normal(-2, 0.7, n), rng.normal(2, 1.0, n))


def _plane(n=14, d=2, seed=2):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) + np.where(rng.random(n) < 0.5, 2.0, -2.0)[:, None]


APART = ((0,), (1,))


@case(2, 12, {"w": 0, "mu": 0, "sigma": 0})
def normal():
    with pm.Model(coords={"component": range(2)}) as model:
        w = pm.Dirichlet("w", [1, 1], dims="component")
        mu = pm.Normal("mu", 0, 2, dims="component")
        sigma = pm.HalfNormal("sigma", 1, dims="component")
        z = pm.Categorical("z", w, shape=12)
        pm.Normal("x", mu[z], sigma[z], observed=_line())
    return model


@case(3, 12, {"w": 0, "mu": 0}, em=False, road="'x' is StudentT, which is no family of the pass")
def student_t_with_free_degrees_of_freedom():
    with pm.Model() as model:
        w = pm.Dirichlet("w", np.ones(3))
        mu = pm.Normal("mu", 0, 2, shape=3)
        nu = pm.Gamma("nu", 2, 0.1)
        z = pm.Categorical("z", w, shape=12)
        pm.StudentT("x", nu=nu, mu=mu[z], sigma=1.0, observed=_line())
    return model


@case(3, 15, {"w": 0, "rate": 0})
def poisson():
    with pm.Model() as model:
        w = pm.Dirichlet("w", np.ones(3))
        rate = pm.Gamma("rate", 2, 0.5, shape=3)
        z = pm.Categorical("z", w, shape=15)
        pm.Poisson("x", rate[z], observed=np.random.default_rng(0).poisson([1, 5, 12] * 5))
    return model


@case(
    2, 10, {"w": 0}, symmetry=APART, em=False, road="'x' is Uniform, which is no family of the pass"
)
def uniform_with_impossible_components():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        top = pm.Uniform("top", 1, 2)
        z = pm.Categorical("z", w, shape=10)
        pm.Uniform(
            "x",
            lower=pt.as_tensor([0.0, 0.5])[z],
            upper=pt.stack([top * 0 + 0.7, 1.0 + top])[z],
            observed=np.linspace(0.05, 0.95, 10) ** 0.9,
        )
    return model


@case(2, 14, {"w": 0, "mu": 0, "sigma": 0, "corr": 0})
def multivariate_normal_by_cholesky():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 3, shape=(2, 2))
        sigma = pm.HalfNormal("sigma", 1, shape=(2, 2))
        corr = pm.LKJCorr("corr", n=2, eta=2, shape=(2, 2, 2))
        chol = sigma[..., None] * corr
        z = pm.Categorical("z", w, shape=14)
        pm.MvNormal("x", mu[z], chol=chol[z], observed=_plane())
    return model


@case(2, 14, {"w": 0, "mu": 0, "sigma": 0})
def multivariate_normal_by_covariance():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 3, shape=(2, 3))
        sigma = pm.HalfNormal("sigma", 1, shape=2)
        cov = sigma[:, None, None] ** 2 * pt.eye(3)
        z = pm.Categorical("z", w, shape=14)
        pm.MvNormal("x", mu[z], cov=cov[z], observed=_plane(d=3))
    return model


@case(
    2, 14, {"w": 0, "mu": 0}, families=(("chol_0", "chol_1"),),
)  # fmt: skip
def multivariate_normal_by_lkj_stack():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 3, shape=(2, 2))
        chols = [
            pm.LKJCholeskyCov(
                f"chol_{k}", n=2, eta=2, sd_dist=pm.HalfNormal.dist(1, shape=2), compute_corr=False
            )
            for k in range(2)
        ]
        chol = pt.stack([pm.math.expand_packed_triangular(2, c) for c in chols])
        z = pm.Categorical("z", w, shape=14)
        pm.MvNormal("x", mu[z], chol=chol[z], observed=_plane())
    return model


@case(2, 9, {"w": 0, "p": 0})
def latent_class_items():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        p = pm.Beta("p", 1, 1, shape=(2, 4))
        z = pm.Categorical("z", w, shape=9)
        pm.Bernoulli("x", p[z], observed=np.random.default_rng(3).integers(2, size=(9, 4)))
    return model


@case(3, 9, {"w": 0, "p": 0})
def categorical_items_with_as_many_levels_as_components():
    with pm.Model() as model:
        w = pm.Dirichlet("w", np.ones(3))
        p = pm.Dirichlet("p", np.ones(3), shape=(3, 3))
        z = pm.Categorical("z", w, shape=9)
        pm.Categorical("x", p[z], observed=np.random.default_rng(4).integers(3, size=9))
    return model


@case(2, 8, {"w": 0, "p": 0}, road="'x' is Multinomial, which is no family of the pass")
def multinomial_counts():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        p = pm.Dirichlet("p", np.ones(3), shape=(2, 3))
        z = pm.Categorical("z", w, shape=8)
        counts = np.random.default_rng(5).multinomial(6, [0.2, 0.3, 0.5], size=8)
        pm.Multinomial("x", n=6, p=p[z], observed=counts)
    return model


@case(2, 12, {"w": 0, "mu": 0, "rate": 0})
def two_observed_variables_share_z():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 2, shape=2)
        rate = pm.Gamma("rate", 2, 1, shape=2)
        z = pm.Categorical("z", w, shape=12)
        pm.Normal("x", mu[z], 1.0, observed=_line())
        pm.Poisson("y", rate[z], observed=np.random.default_rng(6).poisson(2, size=12))
    return model


@case(2, 12, {"eta": 1, "mu": 0}, road="the weights of 'z' depend on the row")
def weights_per_row():
    with pm.Model() as model:
        eta = pm.Normal("eta", 0, 1, shape=(12, 2))
        w = pm.math.softmax(eta, axis=-1)
        mu = pm.Normal("mu", 0, 2, shape=2)
        z = pm.Categorical("z", w, shape=12)
        pm.Normal("x", mu[z], 1.0, observed=_line())
    return model


@case(2, 12, {"w": 1, "mu": 0}, road="the weights of 'z' depend on the row", kinds=3)
def weights_per_group():
    group = np.repeat([0, 1, 2], 4)
    with pm.Model() as model:
        w = pm.Dirichlet("w", np.ones(2), shape=(3, 2))
        mu = pm.Normal("mu", 0, 2, shape=2)
        z = pm.Categorical("z", w[group], shape=12)
        pm.Normal("x", mu[z], 1.0, observed=_line())
    return model


@case(
    2,
    12,
    {"w": 0, "intercept": 0, "slope": 0, "sigma": 0},
    road="the parameters of 'x' depend on the row",
)
def regression_inside_the_components():
    t = np.linspace(-1, 1, 12)
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        intercept = pm.Normal("intercept", 0, 2, shape=2)
        slope = pm.Normal("slope", 0, 2, shape=2)
        sigma = pm.HalfNormal("sigma", 1, shape=2)
        covariate = pm.Data("t", t)
        z = pm.Categorical("z", w, shape=12)
        pm.Normal("x", intercept[z] + slope[z] * covariate, sigma[z], observed=_line())
    return model


@case(2, 12, {"w": 0, "mu": 0, "sigma": 0}, em_left_out=("centre", "spread", "scale"))
def hierarchical_hyperpriors():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        centre = pm.Normal("centre", 0, 2)
        spread = pm.HalfNormal("spread", 2)
        mu = pm.Normal("mu", centre, spread, shape=2)
        scale = pm.Gamma("scale", 2, 1)
        sigma = pm.InverseGamma("sigma", 2, scale, shape=2)
        z = pm.Categorical("z", w, shape=12)
        pm.Normal("x", mu[z], sigma[z], observed=_line())
    return model


@case(2, 12, {"w": 0, "mu": 0, "tau": 0}, em_left_out=("tau",))
def hyperparameter_with_its_own_component_axis():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        tau = pm.HalfNormal("tau", 1, shape=2)
        mu = pm.Normal("mu", 0, tau, shape=2)
        z = pm.Categorical("z", w, shape=12)
        pm.Normal("x", mu[z], 1.0, observed=_line())
    return model


@case(2, 4, {"w": 0, "mu": 0}, road="rows of 'x' do not follow 'z' one by one")
def subject_level_assignment():
    subject = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3])
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 2, shape=2)
        z = pm.Categorical("z", w, shape=4)
        pm.Normal("x", mu[z][subject], 1.0, observed=_line())
    return model


@case(2, 12, {"w": 0, "mu": 0})
def rectangular_assignment():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 2, shape=2)
        z = pm.Categorical("z", w, shape=(3, 4))
        pm.Normal("x", mu[z], 1.0, observed=_line().reshape(3, 4))
    return model


@case(2, 12, {"w": 0, "mu": 0})
def deterministic_downstream_of_z():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 2, shape=2)
        z = pm.Categorical("z", w, shape=12)
        mean = pm.Deterministic("mean", mu[z])
        pm.Normal("x", mean, 1.0, observed=_line())
    return model


@case(2, 12, {"mu": 0}, symmetry=APART)
def bernoulli_switch():
    with pm.Model() as model:
        p = pm.Beta("p", 2, 5)
        mu = pm.Normal("mu", 0, 2, shape=2)
        z = pm.Bernoulli("z", p, shape=12)
        pm.Normal("x", pm.math.switch(z, mu[1], mu[0]), 1.0, observed=_line())
    return model


@case(2, 12, {"w": 0, "mu": 0}, symmetry=APART)
def informative_prior_per_component():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", [0.0, 1.0], 1, shape=2)
        z = pm.Categorical("z", w, shape=12)
        pm.Normal("x", mu[z], 1.0, observed=_line())
    return model


@case(3, 12, {"w": 0, "mu": 0}, symmetry=((0,), (1,), (2,)))
def ordered_means():
    with pm.Model() as model:
        w = pm.Dirichlet("w", np.ones(3))
        mu = pm.Normal(
            "mu", 0, 2, shape=3, transform=pm.distributions.transforms.ordered,
            initval=[-1.0, 0.0, 1.0],
        )  # fmt: skip
        z = pm.Categorical("z", w, shape=12)
        pm.Normal("x", mu[z], 1.0, observed=_line())
    return model


@case(
    3,
    12,
    {"w": 0, "mu": 0},
    symmetry=((0, 1), (2,)),
    em=False,
    road="'x' is a potential that depends on 'z'",
)
def noise_component_stays_where_it_is():
    with pm.Model() as model:
        w = pm.Dirichlet("w", np.ones(3))
        mu = pm.Normal("mu", 0, 2, shape=2)
        z = pm.Categorical("z", w, shape=12)
        x = _line()
        density = pt.stack(
            [
                pm.logp(pm.Normal.dist(mu[0], 1.0), x),
                pm.logp(pm.Normal.dist(mu[1], 1.0), x),
                pt.full(12, -np.log(10.0)),
            ]
        )
        pm.Potential("x", density[z, np.arange(12)])
    return model


@case(2, 14, {"w": 0, "mu": 1})
def features_before_components():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 3, shape=(2, 2))
        z = pm.Categorical("z", w, shape=14)
        pm.Normal("x", mu[:, z].T, 1.0, observed=_plane())
    return model


@case(2, 12, {"mu": 0}, symmetry=APART, road="the weights of 'z' depend on the row")
def weights_by_logistic_regression():
    t = np.stack([np.ones(12), np.linspace(-1, 1, 12)], axis=1)
    with pm.Model() as model:
        beta = pm.Normal("beta", 0, 1, shape=2)
        mu = pm.Normal("mu", 0, 2, shape=2)
        z = pm.Bernoulli("z", pm.math.invlogit(t @ beta), shape=12)
        pm.Normal("x", mu[z], 1.0, observed=_line())
    return model


@case(2, 12, {"w": 0, "mu": 0})
def shared_data_and_initial_values():
    with pm.Model(coords={"component": ["low", "high"]}) as model:
        x = pm.Data("x_data", _line(), dims="obs")
        w = pm.Dirichlet("w", [1, 1], dims="component", initval=[0.3, 0.7])
        mu = pm.Normal("mu", 0, 2, dims="component", initval=[-1.0, 1.0])
        z = pm.Categorical("z", w, dims="obs")
        pm.Normal("x", mu[z], 1.0, observed=x, dims="obs")
    return model


@case(2, 12, {"w": 0, "mu": 0}, em=False, road="'effect' is a further latent that depends on 'z'")
def local_effects():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 2, shape=2)
        z = pm.Categorical("z", w, shape=12)
        effect = pm.Normal("effect", mu[z], 0.5, shape=12)
        pm.Normal("x", effect, 1.0, observed=_line())
    return model


@case(2, 12, {"w": 0, "mu": 0}, road="'x' is Censored, which is no family of the pass")
def censored():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 2, shape=2)
        z = pm.Categorical("z", w, shape=12)
        pm.Censored(
            "x", pm.Normal.dist(mu[z], 1.0), lower=None, upper=2.0,
            observed=np.minimum(_line(), 2.0),
        )  # fmt: skip
    return model


@case(
    2,
    12,
    {"w": 0, "mu": 0},
    em=False,
    road="'x_unobserved' is a further latent that depends on 'z'",
)
def masked_cells():
    x = np.ma.masked_array(_line(), mask=np.arange(12) % 5 == 4)
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 2, shape=2)
        z = pm.Categorical("z", w, shape=12)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pm.exceptions.ImputationWarning)  # meant here
            pm.Normal("x", mu[z], 1.0, observed=x)
    return model


@case(2, 12, {"mu": 0})
def known_weights():
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 2, shape=2)
        z = pm.Categorical("z", [0.5, 0.5], shape=12)
        pm.Normal("x", mu[z], 1.0, observed=_line())
    return model


@case(2, 1, {"w": 0, "mu": 0})
def one_observation():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 2, shape=2)
        z = pm.Categorical("z", w, shape=1)
        pm.Normal("x", mu[z], 1.0, observed=[0.3])
    return model


@case(
    2,
    12,
    {"w0": 0, "w": 1, "mu": 0},
    em_left_out=("w0", "c"),
    road="the weights of 'z' depend on the row",
    kinds=3,
)
def partially_pooled_weights():
    group = np.repeat([0, 1, 2], 4)
    with pm.Model() as model:
        w0 = pm.Dirichlet("w0", np.ones(2))
        c = pm.Gamma("c", 2, 0.1)
        w = pm.Dirichlet("w", c * w0, shape=(3, 2))
        mu = pm.Normal("mu", 0, 2, shape=2)
        z = pm.Categorical("z", w[group], shape=12)
        pm.Normal("x", mu[z], 1.0, observed=_line())
    return model


@case(2, 14, {"w": 0, "mu": 0, "sigma": 0})
def normal_features():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 3, shape=(2, 7))
        sigma = pm.HalfNormal("sigma", 1, shape=(2, 7))
        z = pm.Categorical("z", w, shape=14)
        pm.Normal("x", mu[z], sigma[z], observed=_plane(d=7))
    return model


@case(2, 14, {"w": 0, "mu": 0, "sigma": 0})
def normal_features_with_one_sigma_a_component():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 3, shape=(2, 3))
        sigma = pm.HalfNormal("sigma", 1, shape=(2, 1))
        z = pm.Categorical("z", w, shape=14)
        pm.Normal("x", mu[z], sigma[z], observed=_plane(d=3))
    return model


@case(2, 14, {"w": 0, "mu": 0})
def normal_features_with_one_sigma_a_feature():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 3, shape=(2, 3))
        sigma = pm.HalfNormal("sigma", 1, shape=3)
        z = pm.Categorical("z", w, shape=14)
        pm.Normal("x", mu[z], sigma, observed=_plane(d=3))
    return model


@case(2, 14, {"w": 0, "mu": 0})
def normal_features_with_one_sigma():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 3, shape=(2, 5))
        sigma = pm.HalfNormal("sigma", 1)
        z = pm.Categorical("z", w, shape=14)
        pm.Normal("x", mu[z], sigma, observed=_plane(d=5))
    return model


@case(2, 12, {"w": 0, "mu": 0, "tau": 0})
def normal_by_precision():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 2, shape=2)
        tau = pm.Gamma("tau", 2, 1, shape=2)
        z = pm.Categorical("z", w, shape=12)
        pm.Normal("x", mu[z], tau=tau[z], observed=_line())
    return model


@case(1, 12, {})
def one_component():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1])
        mu = pm.Normal("mu", 0, 2, shape=1)
        sigma = pm.HalfNormal("sigma", 1)
        z = pm.Categorical("z", w, shape=12)
        pm.Normal("x", mu[z], sigma, observed=_line())
    return model


@case(2, 14, {"w": 0, "mu": 0, "spread": 0, "tilt": 0})
def multivariate_normal_by_full_covariance():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 3, shape=(2, 5))
        spread = pm.Gamma("spread", 3, 1, shape=2)
        tilt = pm.Normal("tilt", 0, 1, shape=(2, 5))
        cov = spread[:, None, None] * pt.eye(5) + tilt[:, :, None] * tilt[:, None, :]
        z = pm.Categorical("z", w, shape=14)
        pm.MvNormal("x", mu[z], cov=cov[z], observed=_plane(d=5))
    return model


@case(2, 14, {"w": 0, "mu": 0})
def multivariate_normal_by_precision():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 3, shape=(2, 3))
        z = pm.Categorical("z", w, shape=14)
        pm.MvNormal("x", mu[z], tau=np.eye(3) + 0.3, observed=_plane(d=3))
    return model


@case(
    2, 8, {"w": 0, "mu": 0}, road="'x' has several vectors a row",
)  # fmt: skip
def multivariate_normal_several_times_a_row():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 3, shape=(2, 2))
        z = pm.Categorical("z", w, shape=8)
        x = _plane(n=24).reshape(8, 3, 2)
        pm.MvNormal("x", mu[z][:, None, :], cov=np.eye(2), observed=x)
    return model


@case(2, 12, {"w": 0, "rate": 0})
def poisson_columns():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        rate = pm.Gamma("rate", 2, 0.5, shape=(2, 5))
        z = pm.Categorical("z", w, shape=12)
        counts = np.random.default_rng(7).poisson(4, size=(12, 5)).astype("int8")
        pm.Poisson("x", rate[z], observed=counts)
    return model


@case(2, 12, {"w": 0, "rate": 0})
def exponential():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        rate = pm.Gamma("rate", 2, 1, shape=2)
        z = pm.Categorical("z", w, shape=12)
        pm.Exponential("x", rate[z], observed=np.random.default_rng(8).exponential(size=12))
    return model


@case(2, 12, {"w": 0, "scale": 0})
def exponential_by_scale():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        scale = pm.Gamma("scale", 2, 1, shape=(2, 3))
        z = pm.Categorical("z", w, shape=12)
        waited = np.random.default_rng(8).exponential(size=(12, 3))
        pm.Exponential("x", scale=scale[z], observed=waited)
    return model


@case(2, 12, {"w": 0, "a": 0})
def bernoulli_by_logit():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        a = pm.Normal("a", 0, 2, shape=(2, 3))
        z = pm.Categorical("z", w, shape=12)
        yes = np.random.default_rng(9).random((12, 3)) < 0.5
        pm.Bernoulli("x", logit_p=a[z], observed=yes)
    return model


@case(2, 9, {"w": 0, "p": 0, "a": 0})
def categorical_items_by_probability_and_by_logit():
    rng = np.random.default_rng(10)
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        p = pm.Dirichlet("p", np.ones(4), shape=(2, 3, 4))
        a = pm.Normal("a", 0, 1, shape=(2, 3))
        z = pm.Categorical("z", w, shape=9)
        pm.Categorical("x", p[z], observed=rng.integers(4, size=(9, 3)))
        pm.Categorical("y", logit_p=a[z], observed=rng.integers(3, size=9))
    return model


@case(2, 12, {"w": 0, "mu": 0, "rate": 0, "p": 0, "slow": 0})
def four_observed_variables_of_four_families():
    rng = np.random.default_rng(11)
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 2, shape=(2, 2))
        rate = pm.Gamma("rate", 2, 1, shape=2)
        p = pm.Beta("p", 1, 1, shape=(2, 3))
        slow = pm.Gamma("slow", 2, 1, shape=2)
        z = pm.Categorical("z", w, shape=12)
        pm.Bernoulli("answers", p[z], observed=rng.integers(2, size=(12, 3)))
        pm.MvNormal("x", mu[z], cov=np.eye(2), observed=_plane(n=12))
        pm.Poisson("count", rate[z], observed=rng.poisson(2, size=12))
        pm.Exponential("waited", slow[z], observed=rng.exponential(size=12))
    return model


@case(2, 12, {"w": 0, "mu": 0}, road="rows of 'x' do not follow 'z' one by one")
def rows_in_another_order():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 2, shape=2)
        z = pm.Categorical("z", w, shape=12)
        pm.Normal("x", mu[z][::-1], 1.0, observed=_line())
    return model


@case(2, 12, {"w": 0, "mu": 0})
def centred_on_the_mean_of_the_data():
    with pm.Model() as model:
        x = pm.Data("x_data", _line())
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 2, shape=2)
        z = pm.Categorical("z", w, shape=12)
        pm.Normal("x", x.mean() + mu[z], 1.0, observed=x)
    return model


@case(2, 12, {"w": 0, "mu": 0})
def rectangular_assignment_with_features():
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 2, shape=(2, 3))
        z = pm.Categorical("z", w, shape=(3, 4))
        pm.Normal("x", mu[z], 1.0, observed=_plane(n=12, d=3).reshape(3, 4, 3))
    return model


@case(2, 14, {"w": 0, "mu": 1, "sigma": 0}, road="the parameters of 'x' depend on the row", kinds=2)
def means_per_group():
    group = np.tile([0, 1], 7)
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 2, shape=(2, 2))
        sigma = pm.Gamma("sigma", 2, 1, shape=2)
        z = pm.Categorical("z", w, shape=14)
        pm.Normal("x", mu[group, z], sigma[z], observed=_line(n=14))
    return model


@case(
    2,
    15,
    {"w0": 0, "w": 1, "rate": 0},
    em_left_out=("c", "w0"),
    road="the weights of 'z' depend on the row",
    kinds=4,
)
def counts_in_groups_of_unequal_size():
    group = np.array([2] + [0] * 4 + [3] * 4 + [1] * 3 + [0] * 3)
    with pm.Model() as model:
        c, w0 = pm.Gamma("c", 2, 1), pm.Dirichlet("w0", [1, 1])
        w = pm.Dirichlet("w", c * w0, shape=(4, 2))
        rate = pm.Gamma("rate", 2, 0.5, shape=2)
        z = pm.Categorical("z", w[group], shape=15)
        pm.Poisson("x", rate[z], observed=np.random.default_rng(21).poisson(3, 15))
    return model


def _holes(n=16):
    x = _plane(n=n, d=3, seed=22)
    x[[1, 4, 4, 9], [0, 0, 2, 1]] = np.nan
    x[6] = np.nan  # a row of which nothing is known
    return x


@case(2, 16, {"w": 0, "mu": 0, "sigma": 0}, road="the parameters of 'x' depend on the row", kinds=5)
def missing_cells_of_independent_features():
    return unmix.models.gaussian(_holes(), 2, covariance="diagonal")


@case(
    2,
    16,
    {"w": 0, "mu": 0, "sigma": 0, "corr": 0},
    road="the parameters of 'x' depend on the row",
    kinds=5,
)
def missing_cells():
    return unmix.models.gaussian(_holes(), 2)


@case(
    2,
    16,
    {"w": 0, "mu": 0, "sigma": 0},
    symmetry=APART,
    road="the parameters of 'x' depend on the row",
    kinds=5,
)
def missing_cells_of_rows_with_soft_labels():
    factors = np.random.default_rng(23).dirichlet([1.0, 1.0], size=16)
    return unmix.models.gaussian(_holes(), 2, covariance="diagonal", labels=factors)


@case(2, 12, {"w": 0, "mu": 0, "sigma": 0}, symmetry=APART)
def labels_of_some_rows():
    known = np.where(np.arange(12) % 4 == 0, (_line() > 0).astype(int), -1)
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 2, shape=2)
        sigma = pm.HalfNormal("sigma", 1, shape=2)
        z = pm.Categorical("z", w, shape=12, initval=np.maximum(known, 0))
        pm.Potential("labels", pt.switch(pt.eq(z, known) | (known < 0), 0.0, -np.inf))
        pm.Normal("x", mu[z], sigma[z], observed=_line())
    return model


@case(3, 12, {"w": 0, "mu": 0}, symmetry=((0,), (1, 2)))
def labels_of_one_component():
    a = np.ones((12, 3))
    a[3], a[4], a[7] = [1, 0, 0], [0.5, 2, 2], [0, 1, 1]
    with np.errstate(divide="ignore"):
        log_a = pt.as_tensor(np.log(a))
    with pm.Model() as model:
        w = pm.Dirichlet("w", np.ones(3))
        mu = pm.Normal("mu", 0, 2, shape=3)
        z = pm.Categorical("z", w, shape=12, initval=a.argmax(axis=1))
        pm.Normal("x", mu[z], 1.0, observed=_line())
        pm.Potential("labels", log_a[np.arange(12), z])
    return model


@case(
    2,
    4,
    {"w": 0, "mu": 0, "sigma": 0},
    symmetry=APART,
    road="rows of 'x' do not follow 'z' one by one",
)
def subjects_of_which_one_is_known():
    together = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3])
    labels = np.where(np.arange(12) == 4, "b", "")
    return unmix.models.gaussian(_line(), ["a", "b"], together=together, labels=labels)


@case(
    3,
    12,
    {"w": 0, "mu": 0, "sigma": 0},
    symmetry=((0, 1), (2,)),
    road="'x' is CustomDist_x, which is no family of the pass",
)
def normals_and_noise():
    return unmix.models.gaussian(_line(), 2, noise=True)


@case(
    2,
    14,
    {"w": 0, "mu": 0, "sigma": 0, "corr": 0},
    road="the parameters of 'x' depend on the row",
)
def measured_with_known_errors():
    return unmix.models.gaussian(_plane(), 2, error=np.linspace(0.0, 0.8, 14))


@case(2, 14, {"w": 0, "mu": 0})
def one_covariance_for_all_components():
    return unmix.models.gaussian(_plane(), 2, equal=("sigma", "corr"))


@case(3, 12, {"w": 0, "mu": 0}, symmetry=((0,), (1, 2)))
def one_mean_is_known():
    fixed = {"mu": [0.0, np.nan, np.nan], "sigma": np.ones(3)}
    return unmix.models.gaussian(_line(), 3, fixed=fixed)


# --- The catalogue, beside gaussian ---------------------------------------------------------------


def _scattered(n=16, seed=12):
    """Counts of two components, both more scattered than Poisson's."""
    rng = np.random.default_rng(seed)
    mean = np.where(np.arange(n) % 2, 3.0, 60.0)
    return rng.poisson(rng.gamma(1.5, mean / 1.5))


@case(2, 15, {"w": 0, "rate": 0})
def catalogue_poisson():
    counts = np.random.default_rng(13).poisson([[1, 9], [6, 2], [7, 3]] * 5)
    return unmix.models.poisson(counts, ["few", "many"])


@case(2, 12, {"w": 0, "rate": 0})
def catalogue_exponential():
    return unmix.models.exponential(np.random.default_rng(14).exponential([1, 20] * 6))


@case(
    2,
    16,
    {"w": 0, "mu": 0, "alpha": 0},
    road="'x' is NegBinomial, which is no family of the pass",
)
def catalogue_negative_binomial():
    return unmix.models.negative_binomial(_scattered())


# A dozen rows have no finite degrees of freedom: EM of these is in test_catalogue_em.py.
@case(
    2,
    14,
    {"w": 0, "mu": 0, "sigma": 0, "nu": 0},
    em=False,
    road="'x' is StudentT, which is no family of the pass",
)
def catalogue_student_t():
    return unmix.models.student_t(_plane())


@case(
    2,
    14,
    {"w": 0, "mu": 0, "sigma": 0, "nu": 0, "corr": 0},
    em=False,
    road="'x' is MvStudentT, which is no family of the pass",
)
def catalogue_student_t_with_full_covariance():
    return unmix.models.student_t(_plane(), covariance="full")


@case(2, 18, {"w": 0, "p": 0})
def catalogue_latent_class():
    items = np.random.default_rng(15).integers(1, 4, size=(18, 3))
    levels = {f"x{j}": [1, 2, 3] for j in range(3)}
    return unmix.models.latent_class(items, 2, levels=levels)


@case(2, 18, {"w": 0, "p_a": 0, "p_b": 0})
def catalogue_latent_class_with_levels_that_differ():
    rng = np.random.default_rng(16)
    frame = pd.DataFrame({"a": rng.choice(["no", "yes"], 18), "b": rng.integers(3, size=18)})
    return unmix.models.latent_class(frame, 2)


@case(
    2,
    18,
    {"w": 0, "mu_age_y": 0, "sigma_age_y": 0, "rate_w_2": 0, "p_kind": 0, "p_ill": 0},
)
def catalogue_mixed():
    rng = np.random.default_rng(17)
    frame = pd.DataFrame(
        {
            "age (y)": rng.normal(40, 10, 18),
            "w": rng.poisson(8, 18),
            "kind": rng.choice(list("abc"), 18),
            "ill": rng.random(18) < 0.5,
        }
    )
    return unmix.models.mixed(frame)


# Parameters that one component has alone have no component axis.
@case(2, 18, {"w": 0}, symmetry=APART)
def catalogue_latent_class_of_which_some_is_known():
    items = np.random.default_rng(15).integers(1, 4, size=(18, 3))
    levels = {f"x{j}": [1, 2, 3] for j in range(3)}
    labels = np.where(np.arange(18) < 4, np.arange(18) % 2, -1)
    one = [[0.2, 0.3, 0.5], [0.1, 0.1, 0.8], [0.4, 0.2, 0.4]]
    fixed = {"p": [np.full((3, 3), np.nan), one]}
    return unmix.models.latent_class(items, 2, levels=levels, labels=labels, fixed=fixed)


# --- Hierarchical stories of the catalogue -------------------------------------------------------

_IN_GROUPS = np.repeat(["a", "b", "c"], [6, 5, 1])  # the last group has a single row
_BY_GROUP = "the weights of 'z' depend on the row"


@case(
    2, 12, {"w": 0, "mu": 0, "variance": 0}, em_left_out=("centre", "spread", "beta"),
)  # fmt: skip
def catalogue_hierarchical():
    return unmix.models.hierarchical(_line())


# What is known of one component informs the hyperparameters: a term of the density without z.
@case(
    2,
    12,
    {"w": 0},
    symmetry=APART,
    em_left_out=("centre", "spread", "beta"),
)
def catalogue_hierarchical_of_which_some_is_known():
    fixed = {"mu": [np.nan, 2.0], "variance": [np.nan, 1.0]}
    return unmix.models.hierarchical(_line(), fixed=fixed)


@case(
    2,
    12,
    {"w0": 0, "w": 1, "mu": 0, "sigma": 0},
    symmetry=APART,
    em_left_out=("w0", "c"),
    road=_BY_GROUP,
    kinds=3,
)
def catalogue_grouped_weights_with_labels():
    labels = np.where(np.arange(12) % 5 == 0, (_line() > 0).astype(int), -1)
    return unmix.models.grouped_weights(_line(), _IN_GROUPS, labels=labels)


@case(
    2, 12, {"w0": 0, "w": 1, "mu": 0, "sigma": 0}, em_left_out=("w0", "c"), road=_BY_GROUP, kinds=3
)
def catalogue_grouped_weights():
    return unmix.models.grouped_weights(_line(), _IN_GROUPS)


@case(
    2,
    12,
    {"w0": 0, "w": 1, "mu": 0, "sigma": 0},
    em_left_out=("w0", "tau"),
    road=_BY_GROUP,
    kinds=3,
)
def catalogue_grouped_weights_by_logistic_normal():
    return unmix.models.grouped_weights(_line(), _IN_GROUPS, pooling="logistic-normal")


# A component that takes one row of each group, with its mean on each, has sigma 0 and an infinite
# likelihood: with so few groups and rows no maximum is worth the name.
@case(
    2,
    12,
    {"w": 0, "mu": 0, "mu_group": 1, "sigma": 0},
    em=False,
    em_left_out=("mu", "between"),
    road="the parameters of 'x' depend on the row",
    kinds=3,
)
def catalogue_varying_means():
    return unmix.models.varying_means(_line(), _IN_GROUPS)


@case(
    2,
    12,
    {"w": 0, "mu": 0, "mu_region": 1, "mu_group": 1, "sigma": 0},
    em=False,
    em_left_out=("mu", "between", "between_regions", "mu_region"),
    road="the parameters of 'x' depend on the row",
    kinds=3,
)
def catalogue_varying_means_within_regions():
    regions = np.where(_IN_GROUPS == "c", "south", "north")
    return unmix.models.varying_means(_line(), _IN_GROUPS, regions=regions)


@case(2, 5, {"w": 0, "mu": 0, "sigma": 0}, road="rows of 'x' do not follow 'z' one by one")
def catalogue_repeated_measures():
    return unmix.models.repeated_measures(_line(), [0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 4])


@lru_cache
def built(name: str) -> pm.Model:
    """The model, built once a session: PyTensor compiles slowly."""
    return CASES[name].build()


def derived(name: str) -> unmix.Derivation:
    """Its derivation, which unmix remembers for as long as the model lives."""
    return unmix.derive(built(name))
