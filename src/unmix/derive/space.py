"""The two coordinates of θ: constrained, as the model declares it, and unconstrained, as moved in.

Posterior draws, tables and results are constrained. Optimisers and gradient samplers move in the
unconstrained coordinates that the model's own transforms define (log σ, centred log-ratios of w).
No Jacobian enters here: a density is always the constrained one, unless a sampler says otherwise.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymc.logprob.utils import replace_rvs_by_values
from pytensor.graph.basic import Variable
from pytensor.graph.replace import vectorize_graph
from pytensor.tensor.variable import TensorVariable

from unmix.derive.compiling import compile_table, initial_point
from unmix.derive.opened import Opened

# Unconstrained units from the initial point at which a parameter is within a hundred-thousandth of
# its bounds (a logistic function of 12 lacks 6e-6).
FAR = 12.0
# How far parameters are scattered, in units of what the initial point has, and how many points.
REACHES = (0.1, 1.0, 3.0, 10.0, 30.0)
SCATTERED = 100


@dataclass(frozen=True)
class Space:
    """Maps between constrained θ and the unconstrained values of a model.

    Attributes
    ----------
    opened
        The opened model.
    data
        Replacements from `freeze_data`.
    """

    opened: Opened
    data: dict[Variable, Variable]

    @cached_property
    def unconstrained(self) -> dict[str, TensorVariable]:
        """Unconstrained value variables by the name of their parameter."""
        model = self.opened.model
        by_name = {rv.name: rv for rv in model.free_RVs}
        return {name: model.rvs_to_values[by_name[name]] for name in self.opened.theta}

    @cached_property
    def constrained_graphs(self) -> dict[str, TensorVariable]:
        """θ as graphs of the unconstrained value variables."""
        model = self.opened.model
        by_name = {rv.name: rv for rv in model.free_RVs}
        graphs = model.replace_rvs_by_values([by_name[name] for name in self.opened.theta])
        if self.data:
            graphs = vectorize_graph(graphs, self.data)
        return dict(zip(self.opened.theta, graphs, strict=True))

    @cached_property
    def _constrain(self) -> Callable[..., Any]:
        return compile_table(self.unconstrained.values(), list(self.constrained_graphs.values()))

    @cached_property
    def _unconstrain(self) -> Callable[..., Any]:
        model, theta = self.opened.model, self.opened.theta
        rvs_to_values = {rv: theta[rv.name] for rv in model.free_RVs if rv.name in theta}
        graphs = []
        for rv in rvs_to_values:
            transform = model.rvs_to_transforms.get(rv)
            value = theta[rv.name]
            graphs.append(
                value if transform is None else transform.forward(value, *rv.owner.inputs)
            )
        graphs = replace_rvs_by_values(graphs, rvs_to_values=rvs_to_values)
        if self.data:
            graphs = vectorize_graph(graphs, self.data)
        return compile_table(theta.values(), graphs)

    def constrain(self, values: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """Constrained θ from unconstrained values, both by parameter name."""
        return dict(
            zip(
                self.opened.theta,
                self._constrain(*(values[n] for n in self.opened.theta)),
                strict=True,
            )
        )

    def unconstrain(self, theta: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """Unconstrained values from constrained θ; not finite where θ breaks a constraint."""
        with np.errstate(invalid="ignore", divide="ignore"):
            values = self._unconstrain(
                *(np.asarray(theta[n], v.type.dtype) for n, v in self.opened.theta.items())
            )
        return dict(zip(self.opened.theta, values, strict=True))

    def contains(self, theta: Mapping[str, NDArray]) -> bool:
        """Whether θ lies in the model's parameter space, its constraints and orderings included."""
        values = self.unconstrain(theta)
        if not all(np.isfinite(v).all() for v in values.values()):
            return False
        back = self.constrain(values)
        return all(np.allclose(back[n], theta[n], rtol=1e-6, atol=1e-9) for n in back)

    @cached_property
    def initial(self) -> dict[str, NDArray]:
        """The model's initial point, unconstrained, by parameter name."""
        point = initial_point(self.opened.model)
        return {name: np.asarray(point[value.name]) for name, value in self.unconstrained.items()}

    def jittered(self, rng: np.random.Generator, scale: float = 1.0) -> dict[str, NDArray]:
        """A feasible point near the initial one: uniform jitter of ±``scale``, constrained.

        Prior draws would do as well, were they always feasible; the jitter always is, and it
        tells components apart that the initial point makes equal.
        """
        values = {
            name: value + rng.uniform(-scale, scale, size=np.shape(value))
            for name, value in self.initial.items()
        }
        return self.constrain(values)

    def scattered(self, rng: np.random.Generator) -> list[dict[str, NDArray]]:
        """Points near and far from the initial one, in units of the values there, constrained."""
        points = []
        for _ in range(SCATTERED):
            values = {  # each parameter as far as it likes: the far ones outweigh what others say
                name: value
                + rng.choice(REACHES) * rng.uniform(-1, 1, np.shape(value)) * (1 + np.abs(value))
                for name, value in self.initial.items()
            }
            points.append(self.constrain(values))
        return [point for point in points if self.contains(point)]

    def corners(self) -> list[dict[str, NDArray]]:
        """Points close to every lower and every upper bound of the parameters, constrained.

        Those only that survive rounding: what is out of the space already says nothing of a swap.
        """
        points = [
            self.constrain({name: value + far for name, value in self.initial.items()})
            for far in (-FAR, FAR)
        ]
        return [point for point in points if self.contains(point)]

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Number of unconstrained dimensions of each parameter."""
        return {name: int(np.size(value)) for name, value in self.initial.items()}
