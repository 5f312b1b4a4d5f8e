"""From a derived model to the tables of a sweep; or why it has none.

Which element of θ each component's parameters are is found by looking at the model's graph from
outside: at a few widely spread points, a canonical number that equals an element, or a simple
function of it, at every point, is that element. The graph itself may hold nothing that could make
it another one elsewhere (a clip, a switch). What was found is then compared with the model's own
parameters and log-densities at further points.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymc.distributions.multivariate import LKJCorrRV
from pymc.logprob.utils import replace_rvs_by_values
from pytensor.graph.replace import vectorize_graph
from pytensor.graph.traversal import ancestors
from pytensor.tensor.random.basic import DirichletRV

from unmix.derive import Derivation
from unmix.derive.compiling import compile_table
from unmix.infer.gibbs import plan as p
from unmix.infer.gibbs import priors
from unmix.infer.gibbs.probe import FUNCTIONS, SAME, Probes, canonical_numbers, smooth
from unmix.onepass.recognise import Recognised

# Transforms beyond which a parameter could still be anywhere that its family allows.
WHOLE = {
    "NoneType", "LogTransform", "LogOddsTransform", "Interval", "IntervalTransform",
    "SimplexTransform", "CholeskyCorrTransform",
}  # fmt: skip
# Roles of a term's canonical columns, by family: (kind, how many for d columns).
ROLES = {
    "Normal": ((p.MEAN, 1), (p.SCALE, 1)),
    "MvNormal": ((p.JOINT_MEAN, 1), (p.SCALE, 1)),
    "Poisson": ((p.RATE, 1),),
    "Exponential": ((p.HAZARD, 1),),
    "Bernoulli": ((p.PROBABILITY, 1),),
}
# (kind, prior, function) that have an exact draw.
EXACT = {
    (p.MEAN, priors.NORMAL, p.AS_IT_IS), (p.MEAN, priors.FLAT, p.AS_IT_IS),
    (p.SCALE, priors.GAMMA, p.ROOT_OF_INVERSE), (p.SCALE, priors.INVERSE_GAMMA, p.ROOT),
    (p.RATE, priors.GAMMA, p.AS_IT_IS), (p.HAZARD, priors.GAMMA, p.AS_IT_IS),
    (p.HAZARD, priors.INVERSE_GAMMA, p.INVERSE), (p.PROBABILITY, priors.BETA, p.AS_IT_IS),
}  # fmt: skip


class NotExact(Exception):
    """Why θ given z is not drawn in closed form; a phrase for a person."""


@dataclass(frozen=True, eq=False)
class Layout:
    """A model as the sweep reads it.

    Attributes
    ----------
    plan
        The tables.
    constants
        What follows θ in ``values``.
    names, shapes
        Parameters of θ in their order.
    """

    plan: p.Plan
    constants: NDArray[np.float64]
    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]

    def values(self, theta: dict[str, NDArray]) -> NDArray[np.float64]:
        """Θ, flat, and the constants."""
        parts = [np.ravel(np.asarray(theta[n], dtype=float)) for n in self.names]
        return np.concatenate([*parts, self.constants])

    def by_name(self, flat: NDArray) -> dict[str, NDArray]:
        """Parameters from flat draws (…, place)."""
        found, start = {}, 0
        for name, shape in zip(self.names, self.shapes, strict=True):
            size = int(np.prod(shape))
            found[name] = flat[..., start : start + size].reshape(*flat.shape[:-1], *shape)
            start += size
        return found


@dataclass
class _Tables:
    """Rows as they are found."""

    prior: dict[int, tuple[int, float, float]] = field(default_factory=dict)
    vectors: dict[int, tuple[int, NDArray]] = field(default_factory=dict)  # Dirichlet: place
    factors: dict[int, tuple[int, float]] = field(default_factory=dict)  # LKJ: place → d, eta
    uses: dict[int, list[tuple[int, int, int, int, int]]] = field(default_factory=dict)
    simplex_uses: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)
    corr_uses: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    constants: list[float] = field(default_factory=list)


def find_layout(derivation: Derivation) -> Layout:
    """Lay a model out.

    Raises
    ------
    NotExact
        With the reason.
    """
    recognised = derivation.recognised
    if not isinstance(recognised, Recognised):
        raise NotExact(recognised)
    tables = _Tables()
    opened = derivation.opened
    other = set(opened.terms) - set(opened.theta) - set(opened.assignment_terms)
    other -= {opened.latent.name}
    if other:
        raise NotExact(f"{min(other)!r} adds to the density")
    reason = smooth(derivation, recognised)
    if reason:
        raise NotExact(reason)
    start = 0
    for name in derivation.parameters:
        _read_prior(derivation, tables, name, start)
        start += int(np.prod(derivation.shapes[name]))
    probes = Probes.make(derivation, recognised, tables.prior, tables.vectors, tables.factors)
    source, how, columns = _sources(recognised, tables, probes, start)
    weights = _weights(tables, probes, start)
    plan = _plan(derivation, recognised, tables, source, how, columns, weights, start)
    layout = Layout(
        plan, np.array(tables.constants, dtype=float), derivation.parameters,
        tuple(tuple(derivation.shapes[n]) for n in derivation.parameters),
    )  # fmt: skip
    reason = probes.refute(layout)
    if reason:
        raise NotExact(reason)
    return layout


def _arguments(derivation: Derivation, name: str) -> list[NDArray]:
    """Values of a prior's arguments; they must be constants."""
    rv, opened = derivation.model[name], derivation.opened
    free = {r: opened.theta[r.name] for r in derivation.model.free_RVs if r.name in opened.theta}
    graphs = replace_rvs_by_values(rv.owner.op.dist_params(rv.owner), rvs_to_values=free)
    inputs = {*opened.theta.values(), *derivation.model.free_RVs}
    if graphs and inputs & set(ancestors(graphs)):
        raise NotExact(f"the prior of {name!r} has parameters of its own")
    if graphs and derivation.data:
        graphs = list(vectorize_graph(graphs, derivation.data))
    return [np.asarray(v, dtype=float) for v in compile_table([], graphs)()] if graphs else []


def _read_prior(derivation: Derivation, tables: _Tables, name: str, start: int) -> None:
    """Enter one parameter's prior, element by element."""
    rv, shape = derivation.model[name], derivation.shapes[name]
    op = rv.owner.op
    transform = type(derivation.model.rvs_to_transforms.get(rv)).__name__
    if transform not in WHOLE:
        raise NotExact(f"{name!r} is held by the transform {transform}")
    if isinstance(op, DirichletRV):
        (alpha,) = _arguments(derivation, name)
        alpha = np.broadcast_to(alpha, shape).reshape(-1, shape[-1])
        for row, concentration in enumerate(alpha):
            tables.vectors[start + row * shape[-1]] = (shape[-1], concentration)
        return
    if isinstance(op, LKJCorrRV):
        eta = float(np.ravel(_arguments(derivation, name)[-1])[0])
        d = shape[-1]
        for row in range(int(np.prod(shape[:-2]))):
            tables.factors[start + row * d * d] = (d, eta)
        return
    reader = next((r for kind, r in priors.READERS.items() if isinstance(op, kind)), None)
    if reader is None:
        what = type(op).__name__.removesuffix("RV")
        raise NotExact(f"the prior of {name!r} is {what}, which has no closed form here")
    found = reader(*_arguments(derivation, name))
    if found is None:
        raise NotExact(f"the prior of {name!r} does not begin at zero, or has no end")
    code, *both = found
    first, second = (np.broadcast_to(v, shape).ravel() for v in both)
    for i in range(len(first)):
        tables.prior[start + i] = (code, float(first[i]), float(second[i]))


def _sources(
    recognised: Recognised, tables: _Tables, probes: "Probes", size: int
) -> tuple[NDArray, NDArray, NDArray]:
    """Where each canonical number stands; and the uses of each element."""
    k_all = recognised.derivation.n_components
    source: list[list[int]] = [[] for _ in range(k_all)]
    how: list[list[int]] = [[] for _ in range(k_all)]
    columns = []
    for t, term in enumerate(recognised.terms):
        columns.append(len(source[0]))
        numbers, factors = canonical_numbers(term, probes.packed[:, :, term.parameters])
        for k in range(k_all):
            if term.family.name == "Categorical":
                levels = numbers.shape[-1] // term.d
                for j in range(term.d):
                    block = numbers[:, k, j * levels : (j + 1) * levels]
                    place = _vector(tables, probes, block, size)
                    if place < size:
                        use = (t, k, term.statistic + j * levels)
                        tables.simplex_uses.setdefault(place, []).append(use)
                    source[k] += range(place, place + levels)
                    how[k] += [p.AS_IT_IS] * levels
                continue
            for column in range(numbers.shape[-1]):
                kind = ROLES[term.family.name][column // term.d][0]
                place, function = _element(tables, probes, numbers[:, k, column], size)
                if place < 0:
                    raise NotExact(
                        f"a parameter of {term.name!r} is no element of a parameter of the model"
                    )
                source[k].append(place)
                how[k].append(function)
                if place < size:
                    use = (t, k, column % term.d, kind, function)
                    tables.uses.setdefault(place, []).append(use)
            if factors is not None:
                place = _factor(tables, probes, factors[:, k], size)
                if place < size:
                    tables.corr_uses.setdefault(place, []).append((t, k))
                source[k].append(place)
                how[k].append(p.AS_IT_IS)
    return np.array(source, dtype=np.int64), np.array(how, dtype=np.int64), np.array(columns)


def _constant(tables: _Tables, size: int, values: NDArray) -> int:
    """Place of constants, put behind θ."""
    tables.constants += [float(v) for v in values]
    return size + len(tables.constants) - len(values)


def _element(tables: _Tables, probes: "Probes", numbers: NDArray, size: int) -> tuple[int, int]:
    """Place and function of a canonical number; −1 where it is none."""
    if np.ptp(numbers) == 0:
        return _constant(tables, size, numbers[:1]), p.AS_IT_IS
    for function, apply in FUNCTIONS.items():
        with np.errstate(all="ignore"):
            there = apply(probes.theta)
            same = np.abs(there - numbers[:, None]) <= SAME * np.abs(numbers[:, None])
        for place in np.flatnonzero(same.all(axis=0)):
            if int(place) in tables.prior:
                return int(place), function
    return -1, 0


def _vector(tables: _Tables, probes: "Probes", numbers: NDArray, size: int) -> int:
    """Place of a vector of probabilities."""
    if (np.ptp(numbers, axis=0) == 0).all():
        return _constant(tables, size, numbers[0])
    for place, (length, _) in tables.vectors.items():
        there = probes.theta[:, place : place + length]
        if there.shape == numbers.shape and np.allclose(there, numbers, rtol=SAME, atol=0):
            return place
    raise NotExact("probabilities are no Dirichlet vector of the model")


def _factor(tables: _Tables, probes: "Probes", numbers: NDArray, size: int) -> int:
    """Place of a correlations' factor (probe, d, d)."""
    flat = numbers.reshape(len(numbers), -1)
    if (np.ptp(flat, axis=0) <= 1e-12).all():
        return _constant(tables, size, flat[0])
    for place, (d, _) in tables.factors.items():
        there = probes.theta[:, place : place + d * d]
        if there.shape == flat.shape and np.allclose(there, flat, rtol=1e-7, atol=1e-10):
            return place
    raise NotExact("the correlations are not those of an LKJCorr of the model")


def _weights(tables: _Tables, probes: "Probes", size: int) -> tuple[int, int]:
    """Kind and place of the weights."""
    w = np.exp(probes.log_w)
    if w.shape[1] == 1 and 1 in [length for length, _ in tables.vectors.values()]:
        place = next(i for i, (length, _) in tables.vectors.items() if length == 1)
        tables.simplex_uses[place] = [(-1, 0, 0)]
        return p.SIMPLEX, place
    if (np.ptp(w, axis=0) <= 1e-15).all():
        return p.KNOWN, _constant(tables, size, w[0])
    if w.shape[1] == 2:
        place, function = _element(tables, probes, w[:, 1], size)
        if 0 <= place < size and function == p.AS_IT_IS and place not in tables.uses:
            tables.uses[place] = [(-1, 1, 0, p.PROBABILITY, function)]
            return p.SWITCH, place
    place = _vector(tables, probes, w, size)
    tables.simplex_uses.setdefault(place, []).append((-1, 0, 0))
    return p.SIMPLEX, place


def _plan(
    derivation: Derivation, recognised: Recognised, tables: _Tables, source: NDArray, how: NDArray,
    columns: NDArray, weights: tuple[int, int], size: int,
) -> p.Plan:  # fmt: skip
    """All tables as arrays."""
    used = {*tables.uses, *tables.simplex_uses, *tables.corr_uses}
    for place in (*tables.prior, *tables.vectors, *tables.factors):
        if place not in used:
            raise NotExact(f"{_name(derivation, place)!r} does not enter the likelihood")
    element: list[list[int]] = []
    argument, cells = [], []
    joint: list[tuple[int, int]] = []
    mean, precision = np.zeros(size), np.zeros(size)
    families = [t.family.name for t in recognised.terms]
    # Means first, as what follows is drawn given them.
    for place in sorted(tables.uses, key=lambda i: (tables.uses[i][0][3] != p.MEAN, i)):
        uses = tables.uses[place]
        kinds, functions = {u[3] for u in uses}, {u[4] for u in uses}
        if len(kinds) > 1 or len(functions) > 1:
            raise NotExact(f"{_name(derivation, place)!r} stands in places of different kinds")
        kind, function = kinds.pop(), functions.pop()
        code, a, b = tables.prior[place]
        if kind == p.PROBABILITY and (code, a, b) == (priors.UNIFORM, 0.0, 1.0):
            code, a, b = priors.BETA, 1.0, 1.0
        if kind == p.JOINT_MEAN:
            if len(uses) > 1 or function != p.AS_IT_IS or code > priors.NORMAL:
                raise NotExact(
                    f"{_name(derivation, place)!r} is no mean of one component with a normal prior"
                )
            mean[place], precision[place] = a, 0.0 if code == priors.FLAT else 1.0 / b**2
            if uses[0][:2] not in joint:
                joint.append(uses[0][:2])
        correlated = any(families[u[0]] == "MvNormal" for u in uses if u[0] >= 0)
        exact = (kind, code, function) in EXACT and not (kind == p.SCALE and correlated)
        element.append([place, code, kind, function, int(exact), len(cells), len(uses)])
        argument.append((a, b))
        cells += [u[:3] for u in uses]
    for t, k in joint:
        d = recognised.terms[t].d
        if not all(int(s) < size for s in source[k, columns[t] : columns[t] + d]):
            raise NotExact("some means of a multivariate normal are free and some are not")
    simplex, alpha, simplex_cells = [], np.ones(size), []
    for place, simplex_uses in tables.simplex_uses.items():
        length, concentration = tables.vectors[place]
        simplex.append((place, length, len(simplex_cells), len(simplex_uses)))
        alpha[place : place + length] = concentration
        simplex_cells += simplex_uses
    corr, corr_cells, eta = [], [], []
    for place, corr_uses in tables.corr_uses.items():
        corr.append((place, len(corr_cells), len(corr_uses), tables.factors[place][0]))
        eta.append(tables.factors[place][1])
        corr_cells += corr_uses
    return p.Plan(
        terms=recognised.table,
        columns=np.asarray(columns, dtype=np.int64),
        source=source, how=how,
        weights=np.array(weights, dtype=np.int64),
        element=_rows(element, 7),
        argument=np.array(argument, dtype=float).reshape(-1, 2),
        cell=_rows(cells, 3),
        simplex=_rows(simplex, 4), alpha=alpha, simplex_cell=_rows(simplex_cells, 3),
        joint=_rows(joint, 2), mean=mean, precision=precision,
        corr=_rows(corr, 4), eta=np.array(eta, dtype=float), corr_cell=_rows(corr_cells, 2),
        covariance=_rows(_covariances(element, corr, corr_cells, source, columns), 2),
    )  # fmt: skip


def _covariances(
    element: list[list[int]], corr: list, corr_cells: list, source: NDArray, columns: NDArray
) -> list[tuple[int, int]]:
    """Covariances whose standard deviations are all free, unshared and as they are."""
    row_of = {row[0]: i for i, row in enumerate(element)}
    found = []
    for r, (_, first, cells, d) in enumerate(corr):
        t, k = corr_cells[first]
        places = source[k, columns[t] + d : columns[t] + 2 * d]
        rows = [row_of.get(int(s), -1) for s in places]
        free = cells == 1 and rows[0] >= 0 and rows == list(range(rows[0], rows[0] + d))
        if free and all(element[i][3] == p.AS_IT_IS and element[i][6] == 1 for i in rows):
            found.append((r, rows[0]))
    return found


def _rows(rows: Any, width: int) -> NDArray[np.int64]:
    return np.array(rows, dtype=np.int64).reshape(-1, width)


def _name(derivation: Derivation, place: int) -> str:
    """Name of the parameter that a place belongs to."""
    for name in derivation.parameters:
        place -= int(np.prod(derivation.shapes[name]))
        if place < 0:
            return name
    return "a constant"
