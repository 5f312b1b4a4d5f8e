"""Scales and concentrations of the priors of other parameters, which have no joint mode."""

from pymc.distributions.transforms import LogTransform
from pytensor.graph.traversal import ancestors

from unmix.derive import Derivation


def is_hyper_scale(derivation: Derivation, name: str, free: tuple[str, ...]) -> bool:
    """Whether a positive parameter is only felt through the prior of other free parameters."""
    model, opened = derivation.model, derivation.opened
    if name in derivation.touched:
        return False
    rv = next(rv for rv in model.free_RVs if rv.name == name)
    if not isinstance(model.rvs_to_transforms.get(rv), LogTransform):
        return False
    below = [
        other
        for other in free
        if other != name and opened.theta[name] in set(ancestors([opened.terms[other]]))
    ]
    return bool(below)
