"""What was asked for on the command line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from unmix.catalogue import require_options
from unmix.errors import UnmixError

Method = Literal["auto", "gibbs", "nuts", "pymc", "em"]

# What an analysis by EM alone may come to, in place of a verdict.
NO_MAXIMUM = "no maximum"


@dataclass(frozen=True)
class Plan:
    """The options of one fit.

    Attributes
    ----------
    components
        K.
    model
        Name of an entry of the catalogue.
    families
        Of the columns of a mixed table, by name.
    covariance
        ``"full"`` or ``"diagonal"``; None for what the model has by default.
    method
        As in `unmix.sample`, or ``"em"`` for no draws at all.
    draws, tune, chains, cores
        As in `unmix.sample`.
    target_accept
        Share of NUTS' proposals to be taken; None for its own.
    seed
        For everything random.
    suffix
        ``".nc"`` or ``".zarr"``.
    id
        What the column that names the rows is called in ``assignments.csv``.
    known
        Further arguments of the model: names of the components, labels, known parameters, noise.
    columns
        Of the file, that some of these were read from; by argument.
    compare, figures
        Whether EM is compared with the draws, and whether figures are drawn.
    broken
        The wrong Bayes' rule to use from the drawing of z on, one of `unmix.check.broken.BREAKS`.
    """

    components: int
    model: str = "gaussian"
    families: Mapping[str, str] = field(default_factory=dict)
    covariance: Literal["full", "diagonal"] | None = None
    method: Method = "auto"
    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    cores: int | None = None
    target_accept: float | None = None
    seed: int = 1
    suffix: str = ".nc"
    id: str = "obs"
    broken: str | None = None
    known: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    compare: bool = True
    figures: bool = True


def checked_plan(components: int, *, suffix: str = ".nc", **options: Any) -> Plan:
    """The options, looked at before anything is read or computed."""
    if components < 1:
        raise UnmixError(f"-k is {components}: ask for 1 component or more")
    for name, smallest in {"draws": 1, "tune": 0, "chains": 1, "cores": 1, "seed": 0}.items():
        if (value := options.get(name)) is not None and value < smallest:
            raise UnmixError(f"--{name} is {value}: give {smallest} or more")
    target = options.get("target_accept")
    if target is not None and not 0 < target < 1:
        raise UnmixError(f"--target-accept is {target:g}: give a share between 0 and 1, as 0.95")
    if target is not None and options.get("method", "auto") not in ("auto", "nuts"):
        raise UnmixError(
            f"--target-accept belongs to NUTS, not to --method {options['method']}: leave one out"
        )
    if suffix == ".zarr":
        from importlib.util import find_spec

        if find_spec("zarr") is None:
            raise UnmixError("--format zarr needs the package zarr: install unmix[zarr]")
    plan = Plan(components, suffix=suffix, **options)
    require_options(plan)
    return plan
