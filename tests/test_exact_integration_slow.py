"""Gibbs and NUTS against the posterior itself, by a sum over all z and integrals in closed form.

With a handful of rows, p(x, z) is a product of one integral for each component, in closed form or
on a line, and all K^N assignments can be listed. Then

    p(z_i = k | x) = Σ_{z: z_i = k} p(x, z) / Σ_z p(x, z)

and posterior means are the means given z, averaged in proportion to p(x, z). Priors differ between
components, so labels have a meaning and nothing is matched.
"""

import itertools
import warnings

import arviz as az
import numpy as np
import pymc as pm
import pytest
from scipy.special import gammaln, logsumexp
from scipy.stats import norm, truncnorm

import unmix

DRAWS = {"draws": 4000, "tune": 1500, "chains": 4, "progress": False}
METHODS = ["gibbs", "nuts"]
# Numbers compared in all: 3 models, 2 methods, about 16 each. Four and a half standard errors are
# exceeded by a normal once in 150,000 such numbers; errors are ArviZ's, themselves known to some
# five per cent, which is 4.3 at worst: once in 60,000.
LIMIT = 4.5


def assignments(k, n):
    """All of them, shape (k ** n, n), and which rows each component has, (k ** n, n, k)."""
    z = np.array(list(itertools.product(range(k), repeat=n)))
    return z, z[..., None] == np.arange(k)


def weights_term(held, alpha):
    """log p(z) with w ~ Dirichlet(alpha) integrated out, and E[w | z]."""
    after = held.sum(axis=1) + alpha
    log_p = gammaln(after).sum(axis=1) - gammaln(alpha).sum()
    return log_p, after / after.sum(axis=1, keepdims=True)


def poisson_term(x, held, a, b):
    """log p(x | z) with rate_k ~ Gamma(a_k, b_k) integrated out, and E[rate | z]."""
    n, total = held.sum(axis=1), (held * x[:, None]).sum(axis=1)
    log_p = a * np.log(b) - gammaln(a) + gammaln(a + total) - (a + total) * np.log(b + n)
    return log_p.sum(axis=1) - gammaln(x + 1).sum(), (a + total) / (b + n)


def normal_term(x, held, centre, spread, sd):
    """log p(x | z) with mu_k ~ N(centre_k, spread_k) integrated out, and mean and sd of mu | z."""
    n, total = held.sum(axis=1), (held * x[:, None]).sum(axis=1)
    squares = (held * np.square(x)[:, None]).sum(axis=1)
    precision = 1 / spread**2 + n / sd**2
    mean = (centre / spread**2 + total / sd**2) / precision
    log_p = -n * np.log(sd * np.sqrt(2 * np.pi)) - np.log(spread * np.sqrt(precision))
    log_p += -0.5 * (squares / sd**2 + centre**2 / spread**2 - precision * mean**2)
    return log_p, mean, 1 / np.sqrt(precision)


def averaged(log_p, held, **means):
    """Posterior means of responsibilities and of what has means given z, by name and number."""
    p = np.exp(log_p - logsumexp(log_p))
    means = {"z": held.reshape(len(p), -1), **means}
    return {name: (p @ np.reshape(m, (len(p), -1))).ravel() for name, m in means.items()}


# --- The models -----------------------------------------------------------------------------------


def uneven_weights():
    """w ~ Dirichlet(.3, 2, 5), Poisson rates."""
    x, alpha = np.array([0, 1, 3, 4, 9, 2, 6, 14]), np.array([0.3, 2.0, 5.0])
    a, b = np.array([2.0, 6.0, 12.0]), np.array([2.0, 2.0, 1.5])
    with pm.Model() as model:
        w = pm.Dirichlet("w", alpha)
        rate = pm.Gamma("rate", a, b, shape=3)
        z = pm.Categorical("z", w, shape=8)
        pm.Poisson("x", rate[z], observed=x)
    _, held = assignments(3, 8)
    log_w, mean_w = weights_term(held, alpha)
    log_x, mean_rate = poisson_term(x, held, a, b)
    return model, averaged(log_w + log_x, held, w=mean_w, rate=mean_rate)


def two_families():
    """A normal and a count of every row, which share z."""
    x = np.array([-1.4, 0.3, 1.9, -0.2, 1.1, 0.8, -0.9, 2.2])
    y = np.array([1, 3, 4, 0, 2, 6, 5, 1])
    alpha, a, b = np.array([2.0, 3.0]), np.array([3.0, 8.0]), np.array([2.0, 2.0])
    centre, spread, sd = np.array([-1.0, 1.0]), np.array([1.5, 1.0]), 0.9
    with pm.Model() as model:
        w = pm.Dirichlet("w", alpha)
        mu = pm.Normal("mu", centre, spread, shape=2)
        rate = pm.Gamma("rate", a, b, shape=2)
        z = pm.Categorical("z", w, shape=8)
        pm.Normal("x", mu[z], sd, observed=x)
        pm.Poisson("y", rate[z], observed=y)
    _, held = assignments(2, 8)
    log_w, mean_w = weights_term(held, alpha)
    log_x, mean_mu, _ = normal_term(x, held, centre, spread, sd)
    log_y, mean_rate = poisson_term(y, held, a, b)
    log_p = log_w + log_x.sum(axis=1) + log_y
    return model, averaged(log_p, held, w=mean_w, mu=mean_mu, rate=mean_rate)


def bounded_priors():
    """A truncated normal, a uniform and a half-normal prior, all with mass at their bounds."""
    x = np.array([-1.1, -0.4, 0.2, 0.9, 1.6, 0.1, 2.4])
    alpha, spread = np.array([2.0, 2.0]), 1.5
    with pm.Model() as model:
        w = pm.Dirichlet("w", alpha)
        high = pm.Truncated("high", pm.Normal.dist(0.5, spread), lower=0.0)
        low = pm.Uniform("low", -2.0, 0.5)
        sd = pm.HalfNormal("sd", 0.8)
        z = pm.Categorical("z", w, shape=7)
        pm.Normal("x", pm.math.stack([low, high])[z], sd, observed=x)
    _, held = assignments(2, 7)
    log_w, mean_w = weights_term(held, alpha)
    # On a line over sd, midpoints: its density is smooth, and none is left beyond 6.
    step = 0.01
    lines, lows, highs = [], [], []
    grid = np.arange(0.05 + step / 2, 6, step)
    for s in grid:
        wide = 1e4  # a uniform prior is a normal without end, over its height, within its bounds
        log_x, mean, own = normal_term(x, held, np.array([0, 0.5]), np.array([wide, spread]), s)
        a, b = (-2.0 - mean[:, 0]) / own[:, 0], (0.5 - mean[:, 0]) / own[:, 0]
        log_low = np.log(wide * np.sqrt(2 * np.pi) / 2.5) + log_mass(a, b)
        c = -mean[:, 1] / own[:, 1]
        log_high = norm.logsf(c) - norm.logsf(-0.5 / spread)
        lines.append(log_x.sum(axis=1) + log_low + log_high + norm.logpdf(s, 0, 0.8) + np.log(2))
        lows.append(truncnorm.mean(a, b, mean[:, 0], own[:, 0]))
        highs.append(truncnorm.mean(c, np.inf, mean[:, 1], own[:, 1]))
    log_p = np.add(lines, log_w).ravel()  # (sd, z), the step the same throughout
    many = len(grid)
    return model, averaged(
        log_p, np.tile(held, (many, 1, 1)), w=np.tile(mean_w, (many, 1)),
        low=np.ravel(lows), high=np.ravel(highs), sd=np.repeat(grid, len(held)),
    )  # fmt: skip


def log_mass(a, b):
    """log(Φ(b) − Φ(a)), from whichever tail is smaller."""
    flip = a > 0
    a, b = np.where(flip, -b, a), np.where(flip, -a, b)
    return norm.logcdf(b) + np.log1p(-np.exp(norm.logcdf(a) - norm.logcdf(b)))


PROBLEMS = {f.__name__: f for f in (uneven_weights, two_families, bounded_priors)}


@pytest.fixture(scope="module", params=list(PROBLEMS))
def problem(request):
    return PROBLEMS[request.param]()


# --- They agree -----------------------------------------------------------------------------------


def scores(expected, post):
    """Distance of each mean from the exact one in Monte Carlo standard errors, by name."""
    found = {}
    k = post["posterior"]["w"].sizes[post["posterior"]["w"].dims[-1]]
    z = post["assignments"]["z"].transpose("chain", "draw", "obs").values
    held = (z[..., None] == np.arange(k)).astype(float)
    for name, exact in expected.items():
        draws = held if name == "z" else post["posterior"][name].values
        draws = draws.reshape(*draws.shape[:2], -1)
        for j, value in enumerate(exact):
            series = draws[..., j]
            if np.ptp(series) == 0:  # a row that is never of a component
                assert abs(series.mean() - value) < 5 / series.size, (name, j)
                continue
            error = float(az.mcse(series))
            found[f"{name}[{j}]"] = (series.mean() - value) / error
    return found


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_means_are_the_exact_ones(problem, method):
    model, expected = problem
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", unmix.UnmixWarning)  # of labels, which the priors hold here
        post = unmix.sample(model, method=method, rng=20261126, **DRAWS)
    found = scores(expected, post)
    assert len(found) > 8
    worst = max(found, key=lambda n: abs(found[n]))
    print(method, len(found), worst, round(found[worst], 2))
    assert abs(found[worst]) < LIMIT, {n: round(v, 1) for n, v in found.items()}
    assert unmix.crosscheck(model, post, rng=1).verdict != "inconsistent"


def test_the_sum_over_assignments_is_the_declared_density():
    """The exact side, held to p(x, μ | z) summed over a grid of μ."""
    _, held = assignments(2, 2)
    x = np.array([0.4, -0.7])
    log_x, mean, _ = normal_term(x, held, np.array([-1.0, 1.0]), np.array([1.5, 1.0]), 0.9)
    grid = np.linspace(-12, 12, 4801)
    for z, got, centre in zip(held, log_x, mean, strict=True):
        for k, (m, s) in enumerate([(-1.0, 1.5), (1.0, 1.0)]):
            density = norm.pdf(grid, m, s) * norm.pdf(x[z[:, k], None], grid, 0.9).prod(axis=0)
            # Simpson's rule is not needed: all derivatives vanish at the ends.
            total = density.sum() * (grid[1] - grid[0])
            np.testing.assert_allclose(got[k], np.log(total), atol=1e-10)
            np.testing.assert_allclose(
                centre[k], (density * grid).sum() / density.sum(), atol=1e-10
            )
    mass = log_mass(np.array([-1.0, 3, -9]), np.array([2.0, 4, -8]))
    plain = norm.cdf([2, -3, -8]) - norm.cdf([-1, -4, -9])
    np.testing.assert_allclose(mass, np.log(plain), rtol=1e-9)
