"""A catalogue of declared mixtures: to use as they are, and to copy from.

Each file tells one generative story, weights → z_i → x_i, and returns a plain ``pymc.Model``.
"""

from .gaussian import gaussian  # noqa: TID251  ruff takes the sibling for the banned root name

# The one list of catalogue entries: what a saved fit may name, and what `unmix models` prints.
CATALOGUE = {"gaussian": gaussian}

__all__ = ["CATALOGUE", "gaussian"]
