"""What a declaration implies: the latent, its prior, the likelihood, Bayes' rule."""

from unmix.derive.derivation import Derivation
from unmix.derive.deriving import derive
from unmix.derive.verb import bayes_rule

__all__ = ["Derivation", "bayes_rule", "derive"]
