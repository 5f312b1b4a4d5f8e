"""`relabel`: one order of the components for all draws, by the method that its user wants."""

import warnings
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import NDArray

from unmix.arguments import one_of, random_generator, said
from unmix.assign.assignment import Symmetry
from unmix.assign.convergence import by_chain, never_move
from unmix.assign.identity import draws_astray
from unmix.assign.relabel.arrays import with_dims
from unmix.assign.relabel.foreign import from_trace
from unmix.assign.relabel.methods import METHODS, Found
from unmix.assign.relabel.relabelling import Relabelling
from unmix.assign.relabel.source import Source, from_model
from unmix.derive import derive
from unmix.derive.latent import z_dtype
from unmix.errors import UnmixError, UnmixWarning

# Methods that tell components by the rows they share; and which option belongs to which.
_NEEDS_ROWS = ("ecr", "ecr-iterative-1", "ecr-iterative-2", "stephens", "data")
_TAKES = {
    "by": ("order",),
    "pivot": ("ecr", "pra"),
    "reference": ("reference",),
    "data": ("data",),
    "start": ("ecr-iterative-1", "ecr-iterative-2", "stephens"),
}


def relabel(
    model: pm.Model | None = None,
    fit: Any = None,
    *,
    method: str = "ecr",
    by: str | tuple[str, Any] | None = None,
    pivot: Any = None,
    reference: Any = None,
    start: str | None = None,
    z: Any = None,
    responsibility: Any = None,
    data: Any = None,
    axes: str | dict[str, str] | None = None,
    symmetry: Symmetry | None = None,
    rng: int | np.random.Generator | None = 0,
) -> Relabelling:
    r"""One order of the components for all draws: a permutation for each.

    A posterior that is the same whatever components are called has draws in any order, and means
    of μ_k over them mean nothing. A method picks a permutation for each draw,

    .. math:: \min_{π} \sum_k c_{k, π(k)},

    with the costs c its own (the modules of `unmix.assign.relabel` give each). Only components that
    the model cannot tell apart may change places.

    Parameters
    ----------
    model
        The declared mixture; found in the ``with`` block when left out. None, with ``axes``, for
        the trace of another program.
    fit
        The draws: a DataTree, a Dataset, or a dict of arrays with dims (chain, draw, …), whose
        further dims are called ``mu_dim_0``, ``mu_dim_1``, … as ArviZ does.
    method
        ``"ecr"``: to the assignment of a pivot; ``"ecr-iterative-1"``: to the most frequent
        assignment; ``"ecr-iterative-2"``: to the largest mean responsibility; ``"stephens"``:
        responsibilities most alike; ``"order"``: ``by`` a parameter; ``"pra"``: to the parameters
        of a pivot; ``"data"``: to centres in the data; ``"reference"``: to a θ.
    by
        For order: a parameter, or a parameter and the index of one number in it, such as
        ``("mu", 0)`` for the first feature.
    pivot
        For ecr: an assignment (obs,), or a draw such as ``(chain, draw)``; for pra: a draw or a θ.
        The likeliest draw by default.
    reference
        A θ: EM's result, a dict of values. The likeliest draw by default.
    start
        For the iterative methods, which end in a local minimum: ``"raw"`` begins at the labels as
        they are, as R's label.switching does; by default at one draw as well, where a chain that
        switches often does better, and the better end is kept. With a model, at the likeliest draw.
    z
        Assignments, where the fit does not hold them under the model's name: a name, or an array
        (…, obs) of 0, …, K−1. With a model and without any, z is drawn exactly given each θ.
    responsibility
        For a trace without a model: a name, an array (…, obs, component), or a function from a
        slice of draws to (draw, obs, component).
    data
        For data: numbers (obs,) or (obs, feature); the model's own by default.
    axes
        For a trace without a model: its component dim, or the component dim of each variable.
    symmetry
        For a trace without a model: blocks of components that are exchangeable, all by default.
        Where priors differ between components, or an order was imposed, labels have a meaning and
        moving them would bend every average: say so here.
    rng
        Seed or generator for drawing z.

    Returns
    -------
    Relabelling
        ``.apply(fit)`` gives aligned draws, ``.undo`` takes it back; ``print`` it first.

    Raises
    ------
    UnmixError
        If no two components are exchangeable, the draws do not belong to the model, or the method
        lacks what it needs.
    """
    if fit is None and not isinstance(model, pm.Model | type(None)):
        model, fit = None, model
    _require_known(method, by=by, pivot=pivot, reference=reference, data=data, start=start)
    if fit is None:
        raise UnmixError("there is nothing to relabel: pass the draws, as in relabel(model, post)")
    if axes is not None and model is not None:
        raise UnmixError("the model says where its components lie: leave out axes, or the model")
    random_generator(rng)  # refused whether or not it is needed
    source = read_source(
        model, fit, z=z, responsibility=responsibility, data=data, axes=axes, symmetry=symmetry,
        rng=rng,
    )  # fmt: skip
    found = relabel_source(source, method, by=by, pivot=pivot, reference=reference, start=start)
    for note in found.notes:
        warnings.warn(note, UnmixWarning, stacklevel=2)
    return found


_ONE = "the mixture has one component: there is nothing to relabel, use the draws as they are"
_DECLARED = (
    "no two components are exchangeable (priors of their own, an order, fixed parameters): their "
    "labels come from the declaration and permuting them would bend every average, so use the "
    "draws as they are"
)


def in_a_model() -> bool:
    """Whether we are inside a model's ``with`` block."""
    try:
        pm.modelcontext(None)
    except TypeError:
        return False
    return True


def read_source(
    model: pm.Model | None,
    fit: Any,
    *,
    z: Any = None,
    responsibility: Any = None,
    data: Any = None,
    axes: str | dict[str, str] | None = None,
    symmetry: Symmetry | None = None,
    rng: int | np.random.Generator | None = 0,
) -> Source:
    """A fit of a model, given or in whose ``with`` block we are; else a trace of its own."""
    if axes is not None or (model is None and not in_a_model()):
        return from_trace(with_dims(fit, {}), axes, symmetry, z, responsibility, data)
    for name, value in (("symmetry", symmetry), ("responsibility", responsibility)):
        if value is not None:
            raise UnmixError(f"{name} is derived from the model: leave it out, or the model")
    derivation = derive(model)
    if derivation.n_components == 1:
        raise UnmixError(_ONE)
    if not derivation.components.symmetric:
        raise UnmixError(_DECLARED)
    return from_model(derivation, with_dims(fit, derivation.dims), z, data, rng)


def relabel_source(source: Source, method: str, **options: Any) -> Relabelling:
    """`relabel` on what was read from a fit, without warnings."""
    options = dict.fromkeys(_TAKES) | options
    _require_known(method, **options)
    if source.k == 1:
        raise UnmixError(_ONE)
    symmetry = source.layout.components.symmetry
    if not source.layout.components.symmetric:
        raise UnmixError(_DECLARED)
    if source.n_obs == 1 and method in _NEEDS_ROWS:
        raise UnmixError(
            f"there is one observation, and method {method!r} tells components by which rows they "
            "share: take 'order' or 'pra'"
        )
    if not source.theta:
        raise UnmixError("no parameter of the fit has a component axis: there is nothing to move")
    found = METHODS[method](source, symmetry, options)
    notes = _notes(source)
    return _result(source, method, found, symmetry, notes)


def _result(
    source: Source, method: str, found: Found, symmetry: Symmetry, notes: tuple[str, ...]
) -> Relabelling:
    dims, shape = tuple(source.lead), tuple(source.lead.values())

    def over_draws(value: NDArray) -> xr.DataArray:
        return xr.DataArray(value.reshape(shape), coords=source.coords, dims=dims)

    solved = found.solved
    permutation = xr.DataArray(
        solved.permutation.reshape(*shape, -1).astype(z_dtype(source.k)),
        coords={**source.coords, "component": source.labels},
        dims=(*dims, "component"),
    )
    astray = draws_astray(
        source.told_by or source.layout.components, source.theta, solved.permutation
    )
    return Relabelling(
        permutation=permutation,
        cost_before=over_draws(solved.before),
        cost_after=over_draws(solved.after),
        gap=over_draws(solved.gap),
        tied=over_draws(solved.tied),
        margin=None if found.margin is None else over_draws(found.margin),
        not_permutation=None if astray is None else over_draws(astray),
        method=method,
        unit=found.unit,
        aligned_to=found.aligned_to,
        symmetry=symmetry,
        layout=source.layout,
        notes=notes,
        fingerprint=source.fingerprint,
        attrs=dict(found.numbers),
    )


def _notes(source: Source) -> tuple[str, ...]:
    chains = source.lead.get("chain", 1)
    names = source.coords.get("chain", np.arange(chains))
    moving = [by_chain(v, source.lead.items()) for v in source.theta.values()]
    notes = [*never_move(moving, names.tolist()), *source.notes]
    if chains < 2:
        notes.append(
            "one chain only: whether chains agree, R-hat, cannot be known; sample two or more"
        )
    for block in source.layout.components.symmetry:
        if len(block) < 2:
            continue
        values = source.layout.side_by_side(source.theta, block)
        if not values.shape[-1]:
            continue
        same = np.zeros(len(values), dtype=bool)
        for a in range(len(block)):
            for b in range(a + 1, len(block)):
                same |= np.all(values[:, a] == values[:, b], axis=-1)
        if same.any():
            notes.append(
                f"two components are identical in {int(same.sum())} draws (the first at "
                f"{source.where(int(np.argmax(same)))}): which is which there is arbitrary"
            )
    return tuple(notes)


def _require_known(method: str, **options: Any) -> None:
    one_of("method", method, METHODS)
    for name, value in options.items():
        if value is not None and method not in _TAKES[name]:
            raise UnmixError(
                f"{name} belongs to method {' or '.join(map(repr, _TAKES[name]))} and the method "
                f"is {method!r}: leave it out"
            )
    start, by = options["start"], options["by"]
    if start is not None and not (isinstance(start, str) and start == "raw"):
        raise UnmixError(f"start is {said(start)}: give 'raw', or leave it out")
    if by is not None and not isinstance(by, str) and not _names_a_number(by):
        raise UnmixError(
            f"by is {said(by)}: give the name of a parameter, or it and the index of one number in "
            "it, such as ('mu', 0)"
        )
    if method == "order" and options["by"] is None:
        raise UnmixError("method 'order' needs by=, the parameter that orders components")


def _names_a_number(by: Any) -> bool:
    """Whether it is a tuple of a name and whole numbers."""
    return (
        isinstance(by, tuple)
        and len(by) > 0
        and isinstance(by[0], str)
        and all(isinstance(i, int | np.integer) and not isinstance(i, bool) for i in by[1:])
    )
