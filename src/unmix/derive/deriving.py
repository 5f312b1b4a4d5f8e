"""`derive`: find all that a declared mixture implies, and check it before it is used.

It is exact or it refuses: at random points and random ``z`` the change of the model's full
log-density must equal the change in the derived table (`unmix.derive.verify`). What was derived is
remembered for each model until its data change.
"""

import hashlib
import weakref
from dataclasses import replace
from typing import Any

import numpy as np
import pymc as pm
from numpy.typing import NDArray
from pytensor.graph.traversal import ancestors
from pytensor.tensor.sharedvar import TensorSharedVariable

from unmix.derive.axes import Tables, complete_axes, find_axes, spread_axes
from unmix.derive.by_rows import SAMPLE, Rows
from unmix.derive.compiling import compile_table, initial_point
from unmix.derive.components import Components, pair_families
from unmix.derive.components import Theta as Values
from unmix.derive.derivation import Derivation, Theta
from unmix.derive.opened import freeze_data, open_model
from unmix.derive.row_weights import weights_of
from unmix.derive.space import Space
from unmix.derive.support import require_possible, require_whole
from unmix.derive.symmetry import Elements, entries_unchanged, find_symmetry, generators
from unmix.derive.table import build_table
from unmix.derive.verify import Verification, verify
from unmix.errors import UnmixError

_known: "weakref.WeakKeyDictionary[pm.Model, tuple[bytes, Derivation]]" = (
    weakref.WeakKeyDictionary()
)


def derive(model: pm.Model | None = None) -> Derivation:
    """Derive Bayes' rule from a declared mixture.

    Parameters
    ----------
    model
        A PyMC model with one finite discrete latent (``Categorical`` or ``Bernoulli``). Found in
        the ``with`` block when left out. The result is remembered until its data change.

    Returns
    -------
    Derivation

    Raises
    ------
    UnmixError
        If there is no usable latent, or the likelihood does not split into one term for each of
        its elements; the message names the variable and says what to write instead.
    """
    if model is not None and not isinstance(model, pm.Model):
        raise UnmixError(
            f"unmix needs a PyMC model first and was given {type(model).__name__}: declare one "
            "with pm.Model() or take one from unmix.models"
        )
    try:
        model = pm.modelcontext(model)
    except TypeError:
        raise UnmixError("no model: pass one, or call inside its `with` block") from None
    state = _data_state(model)
    known = _known.get(model)
    if known is not None and known[0] == state:
        return known[1]
    derivation = _derive(model)
    _known[model] = (state, derivation)
    return derivation


def _data_state(model: pm.Model) -> bytes:
    """What a derivation depends on beside the graph: names, and the values of shared data."""
    terms = [*model.basic_RVs, *model.potentials]
    digest = hashlib.sha256(repr([v.name for v in terms]).encode())
    data = [model.rvs_to_values[rv] for rv in model.observed_RVs]
    for variable in ancestors([*terms, *data]):
        if isinstance(variable, TensorSharedVariable):
            value = np.ascontiguousarray(variable.get_value(borrow=True))
            digest.update(repr(value.shape).encode() + value.tobytes())
    weight = weights_of(model)
    digest.update(b"" if weight is None else weight.tobytes())
    return digest.digest()


def _derive(model: pm.Model) -> Derivation:
    opened = open_model(model)
    if not opened.assignment_terms:
        raise UnmixError(
            f"nothing in the model depends on {opened.latent.name!r}: use it to index the "
            f"likelihood's parameters, as in mu[{opened.latent.name}]"
        )
    if not model.observed_RVs and not model.potentials:
        raise UnmixError(
            f"the model has no observed variable, so there are no rows to assign: give "
            f"{', '.join(repr(n) for n in opened.assignment_terms)} its data with observed=..."
        )
    require_whole(model)
    data = freeze_data(opened)
    observed: dict[str, Any] = {name: data[value] for name, value in opened.observed.items()}
    require_possible(model, {name: np.asarray(value.data) for name, value in observed.items()})
    space = Space(opened, data)
    rng = np.random.default_rng(20261122)
    first, second = space.jittered(rng), space.jittered(rng)
    z_shape = tuple(int(n) for n in np.shape(initial_point(model)[opened.latent.name]))
    table = build_table(opened, data, first, z_shape)
    bare = Components({}, {}, (), (), table.n_components)
    derivation = Derivation(
        model, opened, data, space, table, bare, Verification(0, 0.0), weight=weights_of(model)
    )
    _require_normalised(derivation, first)
    derivation = replace(derivation, verification=verify(derivation, [first, second], rng))
    return replace(derivation, components=_find_components(derivation, first, second))


def _require_normalised(derivation: Derivation, theta: Theta) -> None:
    if derivation.by_rows is not None:
        derivation.by_rows.joint(theta, slice(1))
    else:
        derivation.log_terms({n: v[None] for n, v in theta.items()})


def _find_components(derivation: Derivation, first: Values, second: Values) -> Components:
    k = derivation.n_components
    tables, elements = _measured_on(derivation)

    def likeliest(theta: Values) -> NDArray:
        return np.argmax(np.add(*tables(theta)), axis=0)

    z = likeliest(first)

    def prior_terms(theta: Values) -> dict[str, NDArray]:
        terms = elements(theta, z) if derivation.local else derivation.elements_without_z(theta)
        return {name: terms[name] for name in derivation.opened.theta}

    axes, members, owners = find_axes(tables, first, second, k)
    axes, members = spread_axes(axes, members, prior_terms, first, second)
    families = pair_families(owners, first, k)
    found = Components(axes, members, families, (), k)
    contains = derivation.space.contains
    if k > 1 and len(axes) < len(first):
        axes, members = complete_axes(found, prior_terms, contains, first)
        found = replace(found, axes=axes, members=members)
    points = [(t, likeliest(t)) for t in (first, second)]
    found = _with_symmetry(derivation, found, elements, points)
    return _confirmed(derivation, found, first, second)


def _with_symmetry(
    derivation: Derivation,
    found: Components,
    elements: Elements,
    points: list[tuple[Values, NDArray]],
) -> Components:
    space = derivation.space
    # PyMC's distributions differ between components everywhere; a potential may in places only.
    potentials = bool(derivation.model.potentials)
    scattered = space.scattered(np.random.default_rng(20261129)) if potentials else ()
    symmetry = find_symmetry(
        elements, space.contains, found, points, space.corners(), derivation.elements_without_z,
        scattered,
    )  # fmt: skip
    return replace(found, symmetry=symmetry)


def _measured_on(derivation: Derivation) -> tuple[Tables, Elements]:
    """The tables, and every term, on the rows that measurements look at.

    All of them; but where rows stay apart, and each is the same function of its own data, a sample
    tells as much.
    """
    by_rows = derivation.by_rows
    if by_rows is not None:
        some = by_rows.on(by_rows.sample(np.random.default_rng(20261125)))

        def elements(theta: Values, z: NDArray) -> dict[str, NDArray]:
            return {
                **derivation.elements_without_z(theta),
                **some.elements(theta, z, slice(None)),
            }

        return lambda theta: some.tables(theta, slice(None)), elements
    compiled = compile_table(
        list(derivation.opened.theta.values()),
        [derivation.table.log_prior, derivation.table.log_likelihood],
    )

    def tables(theta: Values) -> tuple[NDArray, NDArray]:
        log_prior, log_likelihood = compiled(*(theta[n] for n in derivation.opened.theta))
        return log_prior, log_likelihood

    return tables, derivation.elements


def _confirmed(
    derivation: Derivation, found: Components, first: Values, second: Values
) -> Components:
    """The symmetry that a sample of rows has, asked of all rows that the table is verified at.

    A swap and a turn of each block make all of its permutations. Where a row that was not looked at
    breaks one, all swaps are tried on all rows.
    """
    by_rows = derivation.by_rows
    if by_rows is None or by_rows.n_obs <= SAMPLE:
        return found
    turns = generators(found.symmetry, found.n_components)
    rng = np.random.default_rng(20261126)
    for rows in by_rows.verified(rng):
        best = by_rows.joint(second, rows).argmax(axis=1)
        points = [
            (first, rng.integers(found.n_components, size=len(best))),
            (second, best),
        ]

        def elements(theta: Values, z: NDArray, rows: Rows = rows) -> dict[str, NDArray]:
            return by_rows.elements(theta, z, rows)

        if not all(entries_unchanged(elements, found, turns, *point) for point in points):
            break
    else:
        return found
    z = [np.concatenate([j.argmax(axis=1) for _, j in derivation.joint_windows(t)])
         for t in (first, second)]  # fmt: skip
    points = list(zip((first, second), z, strict=True))
    return _with_symmetry(derivation, found, derivation.elements, points)
