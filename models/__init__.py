"""A catalogue of declared mixtures: to use as they are, and to copy from.

Each file tells one generative story, weights → z_i → x_i, and returns a plain ``pymc.Model``.
"""

# ruff takes siblings for the banned root name.
from .exponential import exponential  # noqa: TID251
from .gaussian import gaussian  # noqa: TID251
from .latent_class import latent_class  # noqa: TID251
from .mixed import guessed_families, mixed  # noqa: TID251
from .negative_binomial import negative_binomial  # noqa: TID251
from .poisson import poisson  # noqa: TID251
from .student_t import student_t  # noqa: TID251

# The one list of catalogue entries: what a saved fit may name, and what `unmix models` prints.
CATALOGUE = {
    "gaussian": gaussian,
    "student_t": student_t,
    "poisson": poisson,
    "negative_binomial": negative_binomial,
    "exponential": exponential,
    "latent_class": latent_class,
    "mixed": mixed,
}

__all__ = [
    "CATALOGUE",
    "exponential",
    "gaussian",
    "guessed_families",
    "latent_class",
    "mixed",
    "negative_binomial",
    "poisson",
    "student_t",
]
