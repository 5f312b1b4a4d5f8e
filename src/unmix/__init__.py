"""Mixtures declared once, as PyMC models with an explicit assignment z_i for every observation.

Everything else is derived from the declaration, by Bayes' rule::

    p(z_i=k | x_i, θ) = p(z_i=k | θ) p(x_i | z_i=k, θ) / Σ_j p(z_i=j | θ) p(x_i | z_i=j, θ)

and checked against counting sampled z_i. The public names stand in ``__init__.pyi`` and are loaded
when first used (SPEC 1, scientific-python.org/specs/spec-0001), so that ``import unmix`` is quick.
"""

import lazy_loader

from .errors import UnmixError as UnmixError
from .errors import UnmixWarning as UnmixWarning

__version__ = "0.1.0"  # the only place: pyproject.toml reads it from here

# `derive` is a verb and the room it lives in. Importing anything from the room makes Python set
# `unmix.derive` to the module, which would hide the function. lazy-loader (from 0.6, hence our
# lower bound) refuses exactly that assignment, so `unmix.derive` is the function whatever was
# imported first. The price: reach into the room with `from unmix.derive import latent`, because
# `import unmix.derive.latent as latent` goes through the attribute and finds the function.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
