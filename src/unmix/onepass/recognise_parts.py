"""When a pass in parts (`unmix.onepass.parts`) applies, read off the derived graph; if not, why.

Which rows are of one kind is measured: at two points of θ their weights and their likelihood's
parameters have the same numbers. The graph of the kinds' numbers is the model's own, with one row
of each kind in place of all rows; what comes of it is held to the table on every row.
"""

from typing import Any

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.graph.basic import Constant
from pytensor.graph.replace import clone_replace, vectorize_graph
from pytensor.graph.traversal import ancestors
from pytensor.tensor.linalg import cholesky
from pytensor.tensor.type import TensorType

from unmix.derive import bayes
from unmix.derive.compiling import compile_table
from unmix.onepass.chunks import make_chunk
from unmix.onepass.families import Family
from unmix.onepass.families.categorical import Categorical
from unmix.onepass.parts import Parts
from unmix.onepass.recognise import (
    NotRecognised,
    arguments_of,
    labels_term,
    observed_rows,
    over_values,
    require_taken,
)
from unmix.onepass.terms import Recognised, Term
from unmix.onepass.verify import require_same

Graph = Any
Theta = dict[str, NDArray]
Derivation = Any  # unmix.derive.Derivation, which holds what is made here

# With fewer rows of a kind than this, on average, the pass has little to sum.
ROWS_A_KIND = 2
# Each kind is a pass of its own, with its own sums.
MOST_KINDS = 2000
# Numbers of rows of one kind may differ by rounding, where vectors of lanes end.
DIGITS = 9


def recognise_parts(derivation: Derivation) -> Parts:
    """Read a pass in parts off a derived model, and hold it to the table.

    Raises
    ------
    NotRecognised
        With the reason.
    UnmixError
        If it differs from the table: a defect of unmix, never of the model.
    """
    if len(derivation.table.z_shape) != 1:
        raise NotRecognised(f"{derivation.latent.name!r} has several dims")
    reader = _Reader(derivation)
    known = derivation.opened.label_terms
    observed = [
        reader.observed(name) for name in derivation.opened.assignment_terms if name not in known
    ]
    if not observed:
        raise NotRecognised(f"nothing but labels depends on {derivation.latent.name!r}")
    keys = [reader.prior_key(), *(reader.key(graphs) for _, _, _, graphs in observed)]
    _, first, kind = np.unique(
        np.concatenate(keys, axis=1), axis=0, return_index=True, return_inverse=True
    )
    kind = kind.reshape(-1)
    if len(first) * ROWS_A_KIND > derivation.n_obs or len(first) > MOST_KINDS:
        raise NotRecognised(f"its {derivation.n_obs} rows are of {len(first)} kinds")
    alike = all(len(np.unique(key, axis=0)) == 1 for key in keys[1:])
    terms: list[Term] = []
    packed: list[Graph] = []
    at = [0, 0, 0]
    for name, family, x, graphs in observed:
        d = x.shape[1]
        parameters = reader.parameters(name, family, x, graphs, first[:1] if alike else first)
        if isinstance(family, Categorical):
            family = family.with_levels(reader.levels(parameters[0]))
        kinds = 1 if alike else len(first)
        flat = family.pack(parameters, kinds * derivation.n_components, d)
        packed.append(flat.reshape((kinds, derivation.n_components, -1)))
        terms.append(Term(name, family, d, *at))
        at = [at[0] + d, at[1] + family.n_parameters(d), at[2] + family.n_statistics(d)]
    columns = [x for _, _, x, _ in observed]
    if known:
        term, own, values = labels_term(derivation, at)
        terms.append(term)
        packed.append(pt.repeat(own[None], kinds, axis=0))
        columns.append(values)
        at[1] += term.family.n_parameters(term.d)
    together = pt.concatenate(packed, axis=2)
    together = pt.specify_shape(together, (kinds, derivation.n_components, at[1]))
    rows = np.argsort(kind, kind="stable")
    weight = None if derivation.weight is None else derivation.weight[rows]
    parts = Parts(
        Recognised(derivation, tuple(terms), reader.log_w(first), together),
        rows,
        kind,
        np.searchsorted(kind[rows], np.arange(len(first) + 1)),
        make_chunk(np.concatenate([x[rows].T for x in columns]), weight),
    )
    _require_table(derivation, parts)
    return parts


class _Reader:
    """Evaluates and rewrites graphs of a derived model."""

    def __init__(self, derivation: Derivation) -> None:
        self.derivation = derivation
        self.opened = derivation.opened
        self.inputs = list(derivation.opened.theta.values())
        # z of any number of rows, so that some can stand for all.
        self.z_any = TensorType(self.opened.z.type.dtype, (None,))("z_any")
        rng = np.random.default_rng(20261127)
        self.points: list[Theta] = [derivation.space.jittered(rng) for _ in range(2)]

    def at(self, graphs: Any, point: int = 0) -> Any:
        """Graphs of θ at one of the points."""
        theta = self.points[point]
        return compile_table(self.inputs, graphs)(*(theta[name] for name in self.opened.theta))

    def observed(self, name: str) -> tuple[str, Family, NDArray, list[Graph]]:
        """Family, rows (obs, d) and parameters, functions of θ and z, of an observed variable."""
        rv, family, x = observed_rows(self.derivation, name)
        rows = x.reshape(self.derivation.n_obs, -1)
        require_taken(name, family, rows)
        graphs = over_values(self.derivation, arguments_of(rv, family))
        return name, family, rows, [self._with_data(g) for g in graphs]

    def _with_data(self, graph: Graph) -> Graph:
        data = self.derivation.data
        return vectorize_graph(graph, data) if data else graph

    # -- kinds ---------------------------------------------------------------------------------

    def prior_key(self) -> NDArray:
        """Numbers (obs, …) that rows with the same weights share."""
        prior = self.derivation.table.log_prior
        if prior.type.shape[-1] == 1:
            return np.zeros((self.derivation.n_obs, 1))
        columns = [np.broadcast_to(v, (v.shape[0], self.derivation.n_obs)) for v in
                   (self.at(prior, 0), self.at(prior, 1))]  # fmt: skip
        return _rounded(np.concatenate(columns).T)

    def key(self, graphs: list[Graph]) -> NDArray:
        """Numbers (obs, …) that rows with the same parameters share, whatever their component."""
        n, z = self.derivation.n_obs, self.opened.z
        given = pt.lvector("component")
        graphs = clone_replace(graphs, {z: pt.cast(given, z.type.dtype)}, rebuild_strict=False)
        evaluate = compile_table([*self.inputs, given], graphs)
        rng = np.random.default_rng(20261128)
        found = []
        for theta in self.points:
            values = [theta[name] for name in self.opened.theta]
            for k in range(self.derivation.n_components):
                for value in evaluate(*values, np.full(n, k)):
                    if np.ndim(value) == 0 or len(value) not in (1, n):
                        continue  # the same for all rows
                    flat = np.broadcast_to(value, (n, *np.shape(value)[1:])).reshape(n, -1)
                    # Two projections tell apart what all the numbers would.
                    found.append(flat.astype(float) @ rng.normal(size=(flat.shape[1], 2)))
        return _rounded(np.concatenate(found, axis=1)) if found else np.zeros((n, 1))

    # -- graphs of the kinds -------------------------------------------------------------------

    def _some_rows(self, graph: Graph, rows: NDArray) -> Graph:
        """A graph with some rows in place of all, wherever a constant has an entry for each."""
        n = self.derivation.n_obs
        fewer = {
            v: pt.constant(np.asarray(v.data)[rows], dtype=v.type.dtype)
            for v in ancestors([graph])
            if isinstance(v, Constant) and np.ndim(v.data) and len(v.data) == n
        }
        return clone_replace(graph, {self.opened.z: self.z_any, **fewer}, rebuild_strict=False)

    def log_w(self, first: NDArray) -> Graph:
        """Log-weights (kind, component)."""
        k, prior = self.derivation.n_components, self.derivation.table.log_prior
        if prior.type.shape[-1] == 1:
            return pt.broadcast_to(prior[:, 0], (len(first), k))
        right = np.broadcast_to(self.at(prior), (k, self.derivation.n_obs))[:, first].T
        full = self._with_data(self.opened.log_prior)
        graph = self._some_rows(full, first)
        if not self._is(graph, right):  # something else in it has the length of the rows
            graph = full.reshape((self.derivation.n_obs, k))[first]
        return pt.specify_shape(graph, (len(first), k))

    def _is(self, graph: Graph, right: NDArray) -> bool:
        try:
            found = self.at(graph)
        except (ValueError, TypeError, IndexError, AssertionError):
            return False
        return np.shape(found) == right.shape and np.allclose(found, right, rtol=1e-9)

    def parameters(
        self, name: str, family: Family, x: NDArray, graphs: list[Graph], first: NDArray
    ) -> list[Graph]:
        """The family's parameters, (kind × component, columns or 1, …)."""
        k, kinds, z = self.derivation.n_components, len(first), self.opened.z
        dims = self.derivation.table.index[name].ndim
        if dims > 2:
            raise NotRecognised(f"{name!r} has several dims of features")
        every = np.broadcast_to(np.arange(k)[:, None], (k, kinds))
        every = pt.constant(np.ascontiguousarray(every, dtype=z.type.dtype))
        found = []
        for graph, own in zip(graphs, family.own, strict=True):
            try:
                some = vectorize_graph(self._some_rows(graph, first), {self.z_any: every})
                value = self.at(some)
            except (ValueError, TypeError, IndexError, AssertionError) as error:
                raise NotRecognised(f"the parameters of {name!r} depend on the row") from error
            follows = z in set(ancestors([graph]))
            # Dims from the left: component, then those of the variable, of which some may be
            # missing and any may have length 1.
            lead = value.ndim - own - int(follows)
            by_row = lead == dims
            if not follows:
                some = some[None]
            if not by_row:
                some = pt.expand_dims(some, 1)
            wide = (x.shape[1],) if lead - int(by_row) else ()
            tail = value.shape[value.ndim - own :]
            full = pt.broadcast_to(some, (k, kinds, *wide, *tail)).swapaxes(0, 1)
            middle = () if family.event else (wide or (1,))
            graph = pt.cast(full, "float64").reshape((kinds * k, *middle, *tail))
            found.append(graph)
        if family.name == "MvNormal":
            found[1] = cholesky(found[1])
        return found

    def levels(self, graph: Graph) -> int:
        """How many levels a categorical variable has."""
        return int(np.shape(self.at(graph))[-1])


def _rounded(values: NDArray) -> NDArray:
    """To `DIGITS` significant digits, so that equal rows are equal."""
    # Of numbers smaller than this no scale would be finite; they are constants of the model.
    as_they_are = ~(np.abs(values) > 1e-200) | ~np.isfinite(values)
    safe = np.where(as_they_are, 1.0, values)
    scale = 10.0 ** (DIGITS - np.ceil(np.log10(np.abs(safe))))
    return np.where(as_they_are, values, np.round(safe * scale) / scale)


def _require_table(derivation: Derivation, parts: Parts) -> None:
    rng = np.random.default_rng(20261124)
    for _ in range(2):
        theta = derivation.space.jittered(rng)
        stacked = {name: np.asarray(value)[None] for name, value in theta.items()}
        right = bayes.joint(*derivation.log_terms(stacked))[0]
        found = parts.joint(*parts.pack(theta))
        require_same("pass in parts", found, right, np.arange(derivation.n_obs))
