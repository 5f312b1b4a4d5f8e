"""What was asked for on the command line."""

from dataclasses import dataclass
from typing import Literal

Method = Literal["auto", "gibbs", "nuts", "pymc", "em"]


@dataclass(frozen=True)
class Plan:
    """The options of one fit.

    Attributes
    ----------
    components
        K.
    covariance
        ``"full"`` or ``"diagonal"``.
    method
        As in `unmix.sample`, or ``"em"`` for no draws at all.
    draws, tune, chains, cores
        As in `unmix.sample`.
    seed
        For everything random.
    suffix
        ``".nc"`` or ``".zarr"``.
    id
        What the column that names the rows is called in ``assignments.csv``.
    compare, figures
        Whether EM is compared with the draws, and whether figures are drawn.
    broken
        The wrong Bayes' rule to use from the drawing of z on, one of `unmix.check.broken.BREAKS`.
    """

    components: int
    covariance: Literal["full", "diagonal"] = "full"
    method: Method = "auto"
    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    cores: int | None = None
    seed: int = 1
    suffix: str = ".nc"
    id: str = "obs"
    broken: str | None = None
    compare: bool = True
    figures: bool = True
