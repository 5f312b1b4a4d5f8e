"""`crosscheck`: do counted assignments and Bayes' rule agree, and what would not be noticed."""

from typing import Any, Literal

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import NDArray
from pytensor.graph.basic import Constant
from pytensor.graph.traversal import ancestors
from pytensor.tensor.random.basic import DirichletRV

from unmix.arguments import random_generator, share, whole
from unmix.assign.alignment import stored_z
from unmix.assign.stream import stream
from unmix.check.dependent import DependentDraws
from unmix.check.dirichlet import dirichlet_identity
from unmix.check.fresh import FreshDraws
from unmix.check.recompute import full_stack, recompute
from unmix.check.verdict import LEVEL, CrossCheck, Kind, TestOutcome, judge
from unmix.derive import Derivation, derive, row_weights
from unmix.derive.bare import bare
from unmix.derive.theta import Stack, stack_theta
from unmix.errors import UnmixError
from unmix.infer.em_result import EMResult


def crosscheck(
    model: pm.Model | None = None,
    fit: Any = None,
    *,
    kind: Literal["fresh", "dependent"] | None = None,
    level: float = LEVEL,
    cells: int = 50,
    rng: int | np.random.Generator | None = 0,
) -> CrossCheck:
    """Compare counted assignments with Bayes' rule.

    In raw labels, with r_tik the responsibility at draw t, 1{z_ti = k} − r_tik has mean zero; the
    tests in `unmix.check.fresh` or `unmix.check.dependent` look for any departure. The table of
    Bayes' rule itself is compared with the model's full log-density on ``cells`` (draw, row) pairs.
    Where the weights have a fixed Dirichlet prior and no other use, their posterior mean is
    compared with what the responsibilities say it must be.

    Parameters
    ----------
    model
        The declared mixture; found in the ``with`` block when left out.
    fit
        Draws of θ and z: a tree from `unmix.sample`, or any trace that holds both.
    kind
        Whether z was drawn afresh given each θ (``"fresh"``) or also depends on the z before
        (``"dependent"``, as under PyMC's own steps). Read from the fit where it says so; otherwise
        taken as dependent, which is right for both and sees less.
    level
        Chance of a false alarm, over all tests together.
    cells
        Number of (draw, row) pairs recomputed from the full model; each costs K evaluations of it.
    rng
        Seed or generator for choosing them.

    Returns
    -------
    CrossCheck
        ``verdict`` is "consistent", "inconsistent" or "too little information".

    Raises
    ------
    UnmixError
        If the fit holds no z, or is not a fit of this model.
    """
    level = share("level", level, "0.01", what="a chance of a false alarm between 0 and 1")
    generator = random_generator(rng)
    derivation = derive(model)
    if isinstance(fit, EMResult):
        raise UnmixError(
            "a fit by EM is one point of θ and has no draws of z to count: sample, as in "
            'unmix.sample(model, method="gibbs", em=fit), and check that'
        )
    z = stored_z(derivation, fit)
    if z is None:
        raise UnmixError(
            f"the fit holds no draws of {derivation.latent.name!r} to count: use "
            'unmix.sample(model, method="gibbs"), or add unmix.draw_assignments(model, fit) to it'
        )
    attrs = fit.attrs if isinstance(fit, xr.DataTree) else {}
    repeated = _repeated(fit, len(z))
    how: Kind = kind or ("fresh" if repeated is not None else attrs.get("z_kind")) or "dependent"
    if how not in ("fresh", "dependent"):
        raise UnmixError(f"kind is {how!r}: give 'fresh' or 'dependent'")
    cells = whole("cells", cells, 0)
    stack = stack_theta(derivation, fit)
    if len(stack) != len(z):
        raise UnmixError(
            f"the fit has {len(stack)} draws of the parameters and {len(z)} of "
            f"{derivation.latent.name!r}: they must come from one run"
        )
    outcomes: list[TestOutcome] = []
    n_recomputed = 0
    everything = full_stack(derivation, fit)
    if cells and everything is not None:
        both = recompute(derivation, stack, everything, z, cells, generator)
        outcomes.append(both.outcome())
        n_recomputed = cells
    draws, totals = _feed(derivation, stack, z, how, repeated)
    tests = draws.tests()
    alpha = _weights_prior(derivation)
    if alpha is not None and alpha[0] in stack.values:
        tests.append(_identity(stack, totals, *alpha))
    outcomes += tests
    return judge(
        outcomes,
        kind=how,
        smallest_effect=draws.smallest_effect(level, len(outcomes)),
        from_table=bool(attrs.get("z_from_table", how == "fresh")),
        n_recomputed=n_recomputed,
        worst_cells=draws.worst_cells(),
        level=level,
        cannot_see=_cannot_see(stack),
        repeated=0.0 if how != "fresh" or repeated is None else float(repeated.mean()),
    )


def _repeated(fit: Any, samples: int) -> NDArray[np.bool_] | None:
    """Draws that are the ones before once more, because a proposal was refused, (sample,).

    Where a fit says which those are, all its other z are fresh. None where it does not.
    """
    if isinstance(fit, xr.DataTree) and "sample_stats" in fit.children:
        stats = fit["sample_stats"].to_dataset()
        if "repeated" in stats and stats["repeated"].size == samples:
            return stats["repeated"].transpose("chain", "draw").values.ravel().astype(bool)
    return None


def _feed(
    derivation: Derivation, stack: Stack, z: NDArray, how: Kind, repeated: NDArray[np.bool_] | None
) -> tuple[FreshDraws | DependentDraws, NDArray]:
    """Stream the draws through the tests; also Σ_i r_tik for each draw.

    A pair (θ_t, z_t) that is repeated was drawn once, so where z is fresh it counts once: whether
    it is a new one was decided before its z was looked at.
    """
    n, k = derivation.n_obs, derivation.n_components
    chains = stack.shape[0] if len(stack.shape) > 1 else 1
    per_chain = len(stack) // chains
    draws: FreshDraws | DependentDraws = (
        FreshDraws(n, k)
        if how == "fresh"
        else DependentDraws(n, k, n_chains=chains, n_draws=per_chain)
    )
    totals = np.empty((len(stack), k))
    for block in stream(derivation, stack, fast=False):
        if block.samples.start % per_chain == 0:
            draws.new_chain()
        r, drawn = block.responsibility, z[block.samples]
        if how == "fresh" and repeated is not None and repeated[block.samples].any():
            new = ~repeated[block.samples]
            r, drawn = r[new], drawn[new]
        if len(r):
            draws.update(r, drawn)
        totals[block.samples] = row_weights.total(
            np.swapaxes(block.responsibility, 1, 2), derivation.weight
        )
    return draws, totals


def _identity(stack: Stack, totals: NDArray, name: str, alpha: NDArray) -> TestOutcome:
    chains = stack.shape[0] if len(stack.shape) > 1 else 1
    k = len(alpha)
    w = stack.values[name].reshape(chains, -1, k)
    return dirichlet_identity(w, totals.reshape(chains, -1, k), alpha).outcome


def _weights_prior(derivation: Derivation) -> tuple[str, NDArray] | None:
    """Name and concentrations of w where it has a fixed Dirichlet prior and no use but z."""
    source = bare(derivation.latent.probabilities)
    if source.owner is None or not isinstance(source.owner.op, DirichletRV) or source.ndim != 1:
        return None
    name = source.name
    if name not in derivation.opened.theta:
        return None
    (alpha,) = source.owner.op.dist_params(source.owner)
    if any(v.owner is None and not isinstance(v, Constant) for v in ancestors([alpha])):
        return None  # a hyperparameter or shared data: not fixed
    if any(v in set(derivation.model.basic_RVs) for v in ancestors([alpha])):
        return None
    value = derivation.opened.theta[name]
    uses = [
        term
        for term, graph in derivation.opened.terms.items()
        if term not in (name, derivation.latent.name) and value in set(ancestors([graph]))
    ]
    if uses:
        return None
    model = derivation.model
    transform = type(model.rvs_to_transforms.get(model[name])).__name__
    if transform != "SimplexTransform":
        return None  # an ordering of w restricts it
    concentration = np.broadcast_to(alpha.eval(), (derivation.n_components,)).astype(float)
    return name, concentration


def _cannot_see(stack: Stack) -> tuple[str, ...]:
    if len(stack.shape) > 1 and stack.shape[0] > 1:
        return ()
    return ("whether another chain would have gone elsewhere: there is only one",)
