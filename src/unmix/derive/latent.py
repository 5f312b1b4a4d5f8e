"""The latent assignment: which variable of the model is ``z``, and what its prior says.

A mixture for unmix is a PyMC model with exactly one finite discrete latent, a ``Categorical`` or a
``Bernoulli``, with one element per observation. Its prior log p(z_i = k | θ) is read from the
parameters of that distribution.
"""

from dataclasses import dataclass

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.mixture import MixtureRV
from pytensor.tensor.random.basic import BernoulliRV, CategoricalRV
from pytensor.tensor.variable import TensorVariable

from unmix.derive.bare import bare
from unmix.errors import UnmixError


@dataclass(frozen=True)
class Latent:
    """The latent assignment of a model.

    Attributes
    ----------
    name
        The variable's name, usually ``"z"``.
    rv
        The random variable in the model's graph.
    probabilities
        Its prior p(z_i = k | θ) as a graph over the model's random variables, component last.
    """

    name: str
    rv: TensorVariable
    probabilities: TensorVariable


def find_latent(model: pm.Model) -> Latent:
    """Find the one discrete latent of a model.

    Raises
    ------
    UnmixError
        If there is none, more than one, or one whose support is not a fixed number of components.
        A marginalised mixture (``pm.NormalMixture``, ``pm.Mixture``) gets its explicit-z rewrite.
    """
    discrete = [rv for rv in model.free_RVs if rv.type.dtype.startswith(("int", "uint", "bool"))]
    if not discrete:
        for rv in model.basic_RVs:
            if rv.owner is not None and isinstance(rv.owner.op, MixtureRV):
                raise UnmixError(explicit_rewrite(model, rv))
        raise UnmixError(
            "the model has no discrete latent variable: declare the assignments, for example "
            'z = pm.Categorical("z", w, shape=len(x)), and use mu[z] in the likelihood'
        )
    if len(discrete) > 1:
        names = ", ".join(f"{rv.name!r}" for rv in discrete)
        raise UnmixError(
            f"the model has {len(discrete)} discrete latent variables ({names}) and unmix sums "
            "over exactly one: observe or marginalise the others"
        )
    (rv,) = discrete
    op = rv.owner.op
    if isinstance(op, CategoricalRV):
        probabilities = op.dist_params(rv.owner)[0]
    elif isinstance(op, BernoulliRV):
        p = op.dist_params(rv.owner)[0]
        probabilities = pt.stack([1 - p, p], axis=-1)
    else:
        raise UnmixError(
            f"the discrete latent {rv.name!r} is {_family(rv)}, whose values are not a fixed set "
            "of components: declare it as pm.Categorical or pm.Bernoulli"
        )
    return Latent(rv.name, rv, probabilities)


def _family(rv: TensorVariable) -> str:
    """Name of a random variable's distribution, as a person would call it."""
    printed = getattr(rv.owner.op, "_print_name", None)
    return printed[0] if printed else type(rv.owner.op).__name__.removesuffix("RV")


def explicit_rewrite(model: pm.Model, rv: TensorVariable) -> str:
    """What to write instead of a marginalised mixture: the same model with ``z`` said out loud."""
    _, weights, *components = rv.owner.inputs
    w = bare(weights).name or "w"
    if len(components) == 1 and components[0].owner is not None:
        component = components[0]
        arguments = ", ".join(
            f"{(bare(parameter).name or f'parameter_{i}')}[z]"
            for i, parameter in enumerate(component.owner.op.dist_params(component.owner))
        )
        likelihood = f'pm.{_family(component)}("{rv.name}", {arguments}, observed=...)'
    else:
        likelihood = (
            f'pm.…("{rv.name}", parameters[z], observed=...)  # parameters stacked over components'
        )
    shape = tuple(int(n) for n in np.shape(model.rvs_to_values[rv].eval())) or (1,)
    return (
        f"{rv.name!r} is a mixture with its assignments already summed out, so there is no z to "
        "inspect: write the assignments out loud, the rest of the model stays as it is:\n"
        f'    z = pm.Categorical("z", {w}, shape={shape[0]})\n'
        f"    {likelihood}"
    )


def z_dtype(k: int) -> np.dtype:
    """Smallest unsigned integer type for K components: one byte up to 256."""
    return np.min_scalar_type(max(0, k - 1))
