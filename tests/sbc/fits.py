"""θ and z of one data set by each of unmix's samplers, with nothing compiled twice."""

import dataclasses
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pytensor
import xarray as xr
from numpy.typing import NDArray
from pytensor.graph.replace import clone_replace

import unmix
from sbc.problem import Theta
from sbc.problems import PROBLEMS


@dataclass(frozen=True)
class Settings:
    """What decides the ranks.

    Attributes
    ----------
    problem
        A name in `PROBLEMS`.
    method
        ``"gibbs"``: exact Gibbs, with its moves of all of θ at once. ``"general gibbs"``: the
        sampler for any prior, with one compiled density for all simulations. ``"nuts"``: z summed
        out by the derived table, in which the data are inputs.
    chains, tune, draws
        Of each fit.
    ranked
        Draws that the truth is ranked among: every so many-th of all chains.
    """

    problem: str
    method: str = "gibbs"
    chains: int = 4
    tune: int = 200
    draws: int = 500
    ranked: int = 100

    def __post_init__(self) -> None:
        assert self.ranked % self.chains == 0
        assert self.draws % (self.ranked // self.chains) == 0


def settings_for(problem: str, method: str | None = None) -> Settings:
    """A problem's own method, or another; a draw of NUTS is worth several sweeps of Gibbs."""
    method = method or PROBLEMS[problem].method
    return Settings(problem, method, draws=150 if method == "nuts" else 500)


Fit = Callable[[Settings, NDArray, int], tuple[xr.Dataset, NDArray]]


@lru_cache
def _derived(problem: str) -> Any:
    """The model on some rows, derived once: what is derived on others is the same but for them."""
    return unmix.derive(PROBLEMS[problem].declare(PROBLEMS[problem].rows_to_declare()))


# --- Gibbs ----------------------------------------------------------------------------------------


def by_exact(settings: Settings, x: NDArray, seed: int) -> tuple[xr.Dataset, NDArray]:
    """θ and z as `unmix.sample` draws them with ``method="gibbs"``, from where it begins."""
    from unmix.infer.gibbs import run_gibbs, why_not_exact

    derivation = _on(settings.problem, x)
    assert why_not_exact(derivation) is None, "another sampler would be compiled each time"
    posterior, _, z, _ = run_gibbs(derivation, **_arguments(settings, derivation, seed))
    return posterior, z


@lru_cache
def _conditional(problem: str) -> Any:
    """θ given the sums, compiled once: no row enters it."""
    from unmix.infer.conditional import Conditional

    return Conditional(_derived(problem))


def by_general(settings: Settings, x: NDArray, seed: int) -> tuple[xr.Dataset, NDArray]:
    """θ and z from the sampler for any prior."""
    from unmix.infer.gibbs_general import run_general

    derivation = _on(settings.problem, x)
    arguments = _arguments(settings, derivation, seed)
    conditional = _conditional(settings.problem)
    posterior, _, z, _ = run_general(derivation, **arguments, conditional=conditional)
    return posterior, z


def _on(problem: str, x: NDArray) -> Any:
    derivation = _derived(problem)
    assert not derivation.opened.label_terms, "labels are of the declared rows only"
    return derivation.on(PROBLEMS[problem].observed(x))


def _arguments(settings: Settings, derivation: Any, seed: int) -> dict[str, Any]:
    from unmix.infer.nuts import start_points

    points, _ = start_points(derivation, None, np.random.default_rng(seed))
    return {
        "points": points, "draws": settings.draws, "tune": settings.tune,
        "chains": settings.chains, "cores": 1, "seed": seed, "progress": False,
    }  # fmt: skip


# --- NUTS -----------------------------------------------------------------------------------------

# Draws from the prior, among which chains find where to begin.
STARTS = 500


@dataclass(frozen=True, eq=False)
class OfData:
    """A derivation whose table is a function of the data as well, for any of the same size.

    What is by row beside the data (groups, subjects, labels, errors, which cells are missing) is
    part of the declaration and stays.

    Attributes
    ----------
    derivation
        Its table reads shared variables where the declared rows stood. It takes the general road.
    data
        Those variables, by name.
    """

    derivation: Any
    data: dict[str, Any]

    def put(self, data: dict[str, NDArray]) -> None:
        """Change the rows."""
        for name, variable in self.data.items():
            rows = np.asarray(data[name], dtype=variable.type.dtype)
            assert rows.shape == variable.get_value(borrow=True).shape
            variable.set_value(rows)


@lru_cache
def of_data(problem: str) -> OfData:
    """The declared rows of the derived table as shared variables, named as the model names them."""
    derivation = _derived(problem)
    frozen = {name: derivation.data[v] for name, v in derivation.opened.observed.items()}
    data = {
        name: pytensor.shared(np.array(rows.data), name=name, shape=rows.data.shape)
        for name, rows in frozen.items()
    }
    freed = {frozen[name]: variable for name, variable in data.items()}
    log_likelihood = clone_replace(derivation.table.log_likelihood, freed)
    table = dataclasses.replace(derivation.table, log_likelihood=log_likelihood, by_rows=None)
    derivation = dataclasses.replace(derivation, table=table)
    # Fast roads hold rows of their own.
    derivation.__dict__.update(recognised="its rows are not known yet", onepass=None, parts=None)
    return OfData(derivation, data)


@lru_cache
def _nuts(problem: str) -> tuple[Any, Any]:
    """The model without z as `unmix.sample` builds it, and what nutpie compiles of it."""
    from unmix.infer.marginal import build_marginal
    from unmix.infer.nuts import compile_nuts

    derivation = of_data(problem).derivation
    marginal = build_marginal(derivation)
    return marginal, compile_nuts(derivation, marginal, [derivation.space.initial])


def by_nuts(settings: Settings, x: NDArray, seed: int) -> tuple[xr.Dataset, NDArray]:
    """θ with z summed out, and z drawn given each θ: the road of `unmix.sample`, compiled once."""
    import nutpie

    from unmix.assign.drawing import draw_z

    problem, of = PROBLEMS[settings.problem], of_data(settings.problem)
    marginal, compiled = _nuts(settings.problem)
    rng = np.random.default_rng(seed)
    rows = problem.observed(x)
    of.put(rows)
    starts = _starts(of.derivation, problem.prior(rng, STARTS), rng)
    # On one core nutpie asks for one start after the other.
    compiled = dataclasses.replace(
        compiled.with_data(**rows), initial_point_func=lambda seed: next(starts)
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*consolidated.*")
        tree = nutpie.sample(
            compiled, draws=settings.draws, tune=settings.tune, chains=settings.chains, cores=1,
            seed=seed, progress_bar=False, save_warmup=False,
        )  # fmt: skip
    posterior = tree["posterior"].to_dataset()[list(marginal.names)]
    theta, shape = stacked(posterior)
    z = draw_z(of.derivation.bayes(theta).responsibility, rng)
    return posterior, z.reshape(*shape, -1)


def _starts(derivation: Any, prior: Theta, rng: np.random.Generator) -> Iterator[NDArray]:
    """Unconstrained points for chains: prior draws, as often as their likelihood says.

    They do not know the truth, and lie where the posterior has its mass, if not as it is spread.
    A draw that rounding has put on a bound, such as a weight of zero, is no start.
    """
    from unmix.infer.marginal import flatten

    log_likelihood = derivation.bayes(prior).log_marginal.sum(axis=1)
    probable = np.exp(log_likelihood - log_likelihood.max())
    while True:
        i = rng.choice(len(probable), p=probable / probable.sum())
        point = derivation.space.unconstrain({name: value[i] for name, value in prior.items()})
        flat = flatten(derivation, point)
        if np.isfinite(flat).all():
            yield flat


def stacked(posterior: xr.Dataset) -> tuple[Theta, tuple[int, int]]:
    """Draws of all chains one after the other, (sample, …), and (chain, draw)."""
    shape = posterior.sizes["chain"], posterior.sizes["draw"]
    theta: Theta = {}
    for name in posterior.data_vars:
        value = posterior[name].transpose("chain", "draw", ...).values
        theta[str(name)] = value.reshape(-1, *value.shape[2:])
    return theta, shape


FITS: dict[str, Fit] = {"gibbs": by_exact, "general gibbs": by_general, "nuts": by_nuts}
SHORT = {"gibbs": "", "general gibbs": "_general", "nuts": "_nuts"}
