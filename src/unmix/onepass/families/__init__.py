"""The families that the pass knows. One more is one file, one line here, one in each dispatch."""

from unmix.onepass.families.bernoulli import Bernoulli
from unmix.onepass.families.categorical import Categorical
from unmix.onepass.families.exponential import Exponential
from unmix.onepass.families.family import Family
from unmix.onepass.families.labels import Labels
from unmix.onepass.families.mvnormal import MvNormal
from unmix.onepass.families.normal import Normal
from unmix.onepass.families.poisson import Poisson

FAMILIES: tuple[Family, ...] = (
    Normal(), MvNormal(), Poisson(), Bernoulli(), Categorical(), Exponential(), Labels(),
)  # fmt: skip

__all__ = ["FAMILIES", "Family"]
