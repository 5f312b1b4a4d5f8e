"""Parameters from data. Whatever the method, the same θ comes out."""

from unmix.infer.em import EMResult, em

__all__ = ["EMResult", "em"]
