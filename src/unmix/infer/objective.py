r"""What EM climbs, as functions of one vector of unconstrained parameters.

The log marginal likelihood is ℓ(θ) = Σ_i log Σ_k p(z_i = k, x_i | θ), plus the log-density of
observed variables that do not involve ``z``; the posterior mode adds the constrained log prior
density. At fixed responsibilities r the expected complete-data log-density

.. math:: Q(θ; r) = \sum_{ik} r_{ik} \log p(z_i = k, x_i \mid θ) \;[+ \log p(θ)]

is what the M-step raises (Dempster, Laird and Rubin 1977, JRSS B 39:1). At r = r(θ) its gradient
is that of ℓ (Fisher's identity), so one compiled gradient serves both.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.graph.replace import clone_replace, vectorize_graph
from pytensor.graph.traversal import ancestors
from pytensor.tensor.variable import TensorVariable

from unmix.derive import Derivation, bayes, row_weights
from unmix.derive.compiling import compile_table
from unmix.derive.theta import theta_dataset
from unmix.errors import UnmixError
from unmix.infer.expected import ByRow, Expected
from unmix.infer.hyper_scale import is_hyper_scale

Kind = Literal["likelihood", "posterior"]
Theta = dict[str, NDArray]


@dataclass(frozen=True, eq=False)
class Objective:
    """The objective of one EM run.

    Attributes
    ----------
    derivation
        The derived model.
    kind
        ``"likelihood"`` or ``"posterior"``.
    free
        Names of the parameters that are maximised over.
    held
        Constrained values of all others.
    """

    derivation: Derivation
    kind: Kind
    free: tuple[str, ...]
    held: Theta

    @property
    def df(self) -> int:
        """Unconstrained dimensions of the free parameters."""
        return sum(self.derivation.space.sizes[name] for name in self.free)

    # -- coordinates ---------------------------------------------------------------------------

    @cached_property
    def initial(self) -> Theta:
        """The model's initial point with the held values in place, constrained."""
        space = self.derivation.space
        return {**space.constrain(space.initial), **self.held}

    def flatten(self, theta: Mapping[str, NDArray]) -> NDArray:
        """Unconstrained vector of the free parameters at θ."""
        values = self.derivation.space.unconstrain({**self.initial, **theta})
        if not self.free:
            return np.zeros(0)
        return np.concatenate([np.ravel(values[name]).astype(float) for name in self.free])

    def theta(self, u: NDArray) -> Theta:
        """Constrained θ, free and held, at an unconstrained vector."""
        space = self.derivation.space
        values, start = dict(self._held_unconstrained), 0
        for name in self.free:
            shape = np.shape(space.initial[name])
            size = space.sizes[name]
            values[name] = u[start : start + size].reshape(shape)
            start += size
        return space.constrain(values)

    @cached_property
    def _held_unconstrained(self) -> Theta:
        return self.derivation.space.unconstrain(self.initial)

    # -- values --------------------------------------------------------------------------------

    def expectation(self, theta: Theta) -> tuple[float, NDArray, NDArray]:
        """E-step.

        Returns
        -------
        objective
            ℓ(θ), or ℓ(θ) + log p(θ) for the posterior mode.
        responsibility
            Shape (obs, component).
        log_likelihood
            log p(x_i | z_i = k, θ), shape (obs, component).
        """
        stack = {name: np.asarray(theta[name])[None] for name in self.derivation.touched}
        log_prior, log_likelihood = self.derivation.log_terms(stack)
        log_marginal, responsibility = bayes.normalise(bayes.joint(log_prior, log_likelihood)[0])
        total = float(row_weights.total(log_marginal, self.derivation.weight)) + self.rest(theta)
        return total, responsibility, log_likelihood[0]

    def expect(self, theta: Theta) -> Expected:
        """E-step, as an M-step takes it."""
        return ByRow(self, *self.expectation(theta))

    def given(self, responsibility: NDArray) -> Expected:
        """Responsibilities (obs, component) in place of an E-step."""
        return ByRow(self, np.nan, responsibility)

    def weighed(self, responsibility: NDArray) -> NDArray:
        """Responsibilities (obs, component) times the weights of the rows, as an M-step sums."""
        weight = self.derivation.weight
        return responsibility if weight is None else responsibility * weight[:, None]

    def value(self, theta: Theta) -> float:
        """The objective at θ."""
        return self.expect(theta).value

    def log_likelihood(self, theta: Theta) -> float:
        """ℓ(θ), whatever the objective."""
        stack = {name: np.asarray(theta[name])[None] for name in self.derivation.touched}
        log_marginal, _ = bayes.normalise(bayes.joint(*self.derivation.log_terms(stack)))
        summed = float(row_weights.total(log_marginal[0], self.derivation.weight))
        return summed + self.other_observed(theta)

    def other_observed(self, theta: Theta) -> float:
        """Log-density of the observed variables that do not involve ``z``."""
        if not self._other_terms[0]:
            return 0.0  # and nothing to compile
        return float(self._other_observed(*(theta[n] for n in self.derivation.parameters)))

    @cached_property
    def _other_terms(self) -> tuple[list[TensorVariable], list[TensorVariable]]:
        """Terms without ``z``: of observed variables, and of parameters and potentials."""
        opened = self.derivation.opened
        mixed = {*opened.assignment_terms, opened.latent.name}
        others = {name: term for name, term in opened.terms.items() if name not in mixed}
        observed = [term for name, term in others.items() if name in opened.observed]
        prior = [term for name, term in others.items() if name not in opened.observed]
        return observed, prior

    def _sum(self, terms: list[TensorVariable]) -> TensorVariable:
        if not terms:
            return pt.zeros(())
        data = self.derivation.data
        graphs = vectorize_graph(terms, data) if data else terms
        return pt.add(*[g.sum() for g in graphs]) if len(graphs) > 1 else graphs[0].sum()

    @cached_property
    def _other_observed(self) -> Callable[..., Any]:
        return compile_table(self.derivation.opened.theta.values(), self._sum(self._other_terms[0]))

    @cached_property
    def rest_graph(self) -> TensorVariable:
        """The same as a graph of constrained θ."""
        observed, prior = self._other_terms
        return self._sum([*observed, *(prior if self.kind == "posterior" else [])])

    @cached_property
    def _rest_compiled(self) -> Callable[..., Any]:
        return compile_table(self.derivation.opened.theta.values(), self.rest_graph)

    def rest(self, theta: Theta) -> float:
        """What the objective adds to Σ_i log p(x_i | θ)."""
        if self.kind == "likelihood" and not self._other_terms[0]:
            return 0.0
        return float(self._rest_compiled(*(theta[n] for n in self.derivation.parameters)))

    # -- gradients -----------------------------------------------------------------------------

    @cached_property
    def _gradient(self) -> Callable[..., Any]:
        """Compiled Q and its gradient over the unconstrained vector, at r (component, obs)."""
        table = self.derivation.table
        r = pt.matrix("responsibility")
        joint = table.log_prior + table.log_likelihood
        expected = pt.switch(r > 0, r * pt.switch(r > 0, joint, 0.0), 0.0).sum()
        return self.compile_over_u(expected + self.rest_graph, [r])

    def compile_over_u(self, q: TensorVariable, others: list[TensorVariable]) -> Callable[..., Any]:
        """A scalar graph of constrained θ, and its gradient, as functions of the flat vector u."""
        derivation = self.derivation
        space = derivation.space
        u = pt.vector("u")
        replacements: dict[TensorVariable, TensorVariable] = {}
        start = 0
        for name in self.free:
            value, size = space.unconstrained[name], space.sizes[name]
            shape = np.shape(space.initial[name])
            piece = u[start : start + size].reshape(shape)
            replacements[value] = pt.specify_shape(piece, value.type.shape)
            start += size
        for name, value in space.unconstrained.items():
            if name not in self.free:
                held = np.asarray(self._held_unconstrained[name], dtype=value.type.dtype)
                replacements[value] = pt.constant(held)
        constrained = clone_replace(
            list(space.constrained_graphs.values()), replacements, rebuild_strict=False
        )
        theta_vars = derivation.opened.theta
        swap = {
            theta_vars[name]: pt.specify_shape(graph, theta_vars[name].type.shape)
            for name, graph in zip(theta_vars, constrained, strict=True)
        }
        (q,) = clone_replace([q], swap, rebuild_strict=False)
        return compile_table([u, *others], [q, pytensor.grad(q, u)])

    def expected(self, u: NDArray, responsibility: NDArray) -> tuple[float, NDArray]:
        """Q(θ(u); r) and its gradient over u."""
        value, gradient = self._gradient(u, np.ascontiguousarray(responsibility.T))
        return float(value), np.asarray(gradient)

    def gradient(self, u: NDArray) -> tuple[float, NDArray]:
        """The objective and its gradient over u, by Fisher's identity."""
        found = self.expect(self.theta(u))
        if not np.isfinite(found.value):
            return -np.inf, np.zeros_like(u)
        return found.value, found.q(u)[1]


def make_objective(
    derivation: Derivation, kind: Kind, fixed: Mapping[str, object] | None
) -> Objective:
    """Choose what to maximise over, or say why it cannot be done.

    Raises
    ------
    UnmixError
        For a further latent beside ``z``; an unknown or wrongly shaped fixed parameter; or, for
        the posterior mode, a free hyper-scale.
    """
    if kind not in ("likelihood", "posterior"):
        raise UnmixError(f"kind is {kind!r}: give 'likelihood' or 'posterior'")
    fixed = dict(fixed or {})
    held: Theta = {}
    for name, value in fixed.items():
        if name not in derivation.parameters:
            known = ", ".join(derivation.parameters)
            raise UnmixError(f"fixed parameter {name!r} is not in the model: it has {known}")
        array = np.asarray(theta_dataset({name: value})[name], dtype=float)
        if array.shape != derivation.shapes[name]:
            raise UnmixError(
                f"fixed parameter {name!r} has shape {array.shape} and the model's has "
                f"{derivation.shapes[name]}"
            )
        if not np.isfinite(array).all():
            raise UnmixError(f"fixed parameter {name!r} is not finite: give numbers")
        held[name] = array
    if held:
        inside = derivation.space.unconstrain(
            {**derivation.space.constrain(derivation.space.initial), **held}
        )
        for name in held:
            back = derivation.space.constrain(inside)[name]
            if not np.allclose(back, held[name], rtol=1e-6, atol=1e-12):
                raise UnmixError(
                    f"fixed parameter {name!r} lies outside what the model allows (a scale must be "
                    "positive, weights sum to one, an ordering hold): choose other values"
                )
    local = [name for name in derivation.local if name not in held]
    if local:
        raise UnmixError(
            (
                f"{local[0].removesuffix('_unobserved')!r} has missing values, which are further "
                "latents: "
                if local[0].endswith("_unobserved")
                else ""
            )
            + f"EM sums out {derivation.latent.name!r} only, and {local[0]!r} is a second latent "
            f"whose density depends on {derivation.latent.name!r}: use unmix.sample"
        )
    if kind == "likelihood":
        touched = set(derivation.touched)
        for name, term in derivation.opened.terms.items():
            if name in derivation.opened.observed:
                above = set(ancestors([term]))
                touched |= {n for n, v in derivation.opened.theta.items() if v in above}
        free = tuple(n for n in derivation.parameters if n in touched and n not in held)
    else:
        free = tuple(n for n in derivation.parameters if n not in held)
        for name in free:
            if is_hyper_scale(derivation, name, free):
                raise UnmixError(
                    f"{name!r} is a free scale or concentration of the priors of other parameters: "
                    "as they come together the joint density can rise without bound, so a mode "
                    f"would mean nothing; fix it, as in fixed={{{name!r}: 1.0}}, or use "
                    "kind='likelihood' or unmix.sample"
                )
    return Objective(derivation, kind, free, held)
