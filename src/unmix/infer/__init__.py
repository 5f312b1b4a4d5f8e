"""Parameters from data. Whatever the method, the same θ comes out."""

from unmix.infer.em import EMResult, em
from unmix.infer.sample import sample

__all__ = ["EMResult", "em", "sample"]
