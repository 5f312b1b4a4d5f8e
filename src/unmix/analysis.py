"""From rows to checked responsibilities, stage by stage, as `unmix fit` and `unmix demo` tell it.

Nothing is computed here: each stage calls one verb of the library, says how long it took and
prints what came of it. What has been computed is on disk before the next long stage begins.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from unmix.errors import UnmixError
from unmix.output import OutputFolder
from unmix.printable import printable
from unmix.stages import Stages

if TYPE_CHECKING:
    import pandas as pd
    import pymc as pm
    import xarray as xr
    from matplotlib.figure import Figure

    from unmix.infer import EMResult

Method = Literal["nuts", "pymc", "em"]


@dataclass(frozen=True)
class Plan:
    """What was asked for on the command line.

    Attributes
    ----------
    components
        K.
    covariance
        ``"full"`` or ``"diagonal"``.
    method
        ``"nuts"``, ``"pymc"``, or ``"em"`` for no draws at all.
    draws, tune, chains, cores
        As in `unmix.sample`.
    seed
        For everything random.
    suffix
        ``".nc"`` or ``".zarr"``.
    id
        What the column that names the rows is called in ``assignments.csv``.
    broken
        The wrong Bayes' rule to use from the drawing of z on, one of `unmix.check.broken.BREAKS`.
    """

    components: int
    covariance: Literal["full", "diagonal"] = "full"
    method: Method = "nuts"
    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    cores: int | None = None
    seed: int = 1
    suffix: str = ".nc"
    id: str = "obs"
    broken: str | None = None


def analyse(x: "pd.DataFrame", plan: Plan, out: OutputFolder, console: Console) -> str | None:
    """Fit, check, compare and explain; all of it printed, and written to the folder.

    Parameters
    ----------
    x
        Rows of numbers, (obs, feature).
    plan
        What to do with them.
    out
        A folder that has been made.
    console
        Where to print.

    Returns
    -------
    str or None
        The verdict of the cross-check, where there are draws.
    """
    stages = Stages(console)
    with stages("loading PyMC and all that it needs"):
        import unmix
        from unmix import io, models
        from unmix.derive import derive
        from unmix.show import tables
    with stages("declaring the mixture, deriving Bayes' rule, verifying it"):
        model = models.gaussian(x, plan.components, covariance=plan.covariance)
        derivation = derive(model)
    _show(console, "The declaration", Text(str(derivation)))

    with stages("EM, maximum likelihood", has_bar=True):
        em = unmix.em(model, rng=plan.seed, progress=console.is_terminal)
        out.fit(f"em{plan.suffix}", em, model)
    _show(console, "Parameters by EM", tables.em_table(em))
    if plan.method == "em":
        verdict = None
        _rows(x, model, em, plan, out, console, stages)
    else:
        post = _draw(model, em, plan, out, console, stages)
        if plan.broken is None:
            verdict = _check(x, model, em, post, plan, out, console, stages)
        else:
            verdict = _check_broken(x, model, em, post, plan, out, console, stages)
    stages.total()
    console.print(Text(f"Written to {out.path}: {', '.join(sorted(out.written))}"))
    return verdict


def _draw(
    model: "pm.Model", em: "EMResult", plan: Plan, out: OutputFolder, console: Console, say: Stages
) -> "xr.DataTree":
    """Draws of θ and z, on disk before anything else is done with them."""
    import unmix

    with say(f"sampling ({plan.method})", has_bar=True):
        post = unmix.sample(
            model,
            method=plan.method,
            draws=plan.draws,
            tune=plan.tune,
            chains=plan.chains,
            cores=plan.cores,
            rng=plan.seed,
            em=em,
            progress=console.is_terminal,
        )
    if post.attrs.get("interrupted"):
        n = post["posterior"].sizes["draw"]
        console.print(
            Text(
                f"Interrupted while sampling: going on with the {n:,} draws of each chain so far.",
                style="bold yellow",
            )
        )
    if plan.broken is None:
        out.fit(f"fit{plan.suffix}", post, model)
    return post


def _check(
    x: "pd.DataFrame",
    model: "pm.Model",
    em: "EMResult",
    post: "xr.DataTree",
    plan: Plan,
    out: OutputFolder,
    console: Console,
    say: Stages,
) -> str:
    """All that a right sampler's draws are good for."""
    import unmix
    from unmix.show import tables

    with say("summarising the draws"):
        summary = unmix.summary(post)
    _show(console, "Parameters by MCMC", tables.posterior_table(summary))
    responsibilities = _rows(x, model, post, plan, out, console, say)
    with say("cross-check: counting z against Bayes' rule and the full log-density"):
        check = unmix.crosscheck(model, post, rng=plan.seed)
    _show(console, "Do the two roads agree?", tables.crosscheck_table(check))
    with say("comparing EM with MCMC"):
        comparison = unmix.compare(model, em, post)
    _show(console, "EM against MCMC", tables.comparison_table(comparison))

    from unmix import show

    fresh = post.attrs.get("z_kind") == "fresh"
    with say("figures"):
        _figures(
            {
                "components": lambda: show.fitted_components(
                    model, post, responsibilities, names=list(map(str, x.columns))
                ),
                "two_roads": lambda: show.two_roads(responsibilities, fresh=fresh),
                "calibration": lambda: show.calibration(responsibilities, fresh=fresh),
                "em_against_mcmc": lambda: show.em_against_mcmc(comparison),
                "traces": lambda: show.traces(post),
            },
            out,
            console,
        )
    return check.verdict
