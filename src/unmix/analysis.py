"""From rows to checked responsibilities, stage by stage, as `unmix fit` and `unmix demo` tell it.

Nothing is computed here: each stage calls one verb of the library, says how long it took and
prints what came of it. What has been computed is on disk before the next long stage begins.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from unmix.output import OutputFolder
from unmix.placed_rows import placed_rows
from unmix.plan import NO_MAXIMUM, Plan
from unmix.printable import printable
from unmix.stages import Stages
from unmix.terminal import say
from unmix.work import Work

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure

    from unmix.infer import EMResult


# A row that is of one component with more than this probability is not in doubt.
SURE = 0.99


def analyse(
    x: "pd.DataFrame", plan: Plan, out: OutputFolder | None, console: Console
) -> str | None:
    """Fit, check, compare and explain; all of it printed, and written to the folder.

    Parameters
    ----------
    x
        Rows, (obs, feature).
    plan
        What to do with them.
    out
        A folder that has been made; None to write nothing, as with a wrong rule.
    console
        Where to print.

    Returns
    -------
    str or None
        The verdict of the cross-check, where there are draws; ``"no maximum"`` where EM alone was
        asked for and has none to show.
    """
    stage = Stages(console)
    with stage("loading PyMC and all that it needs"):
        import unmix
        from unmix import check, io, models  # noqa: F401 (loaded here, not in a later stage)
        from unmix.catalogue import declare
        from unmix.derive import derive
        from unmix.remedies import WITHOUT_MAXIMUM, for_command_line
        from unmix.show import tables
    with stage("declaring the mixture, deriving Bayes' rule, verifying it"):
        model = declare(x, plan)
        derivation = derive(model)
    work = Work(x, model, plan, out, console, stage)
    work.show("The declaration")
    say(console, str(derivation))
    console.print()

    with stage("EM, maximum likelihood", has_bar=True):
        found = unmix.em(model, rng=plan.seed, progress=console.is_terminal)
    work.save("em", found)
    work.show("Parameters by EM", tables.em_table(for_command_line(found)))
    verdict = None
    em: EMResult | None = found
    if found.status.name in WITHOUT_MAXIMUM:
        console.print(Text(_no_maximum(found, plan), style="bold red"))
        if plan.method == "em":
            work.end()
            return NO_MAXIMUM
        em = None
    if plan.method == "em":
        responsibilities = _rows(work, em)
        work.figures({"components": _components(work, em, responsibilities)})
    else:
        post = _draw(work, em)
        verdict = _check(work, em, post) if plan.broken is None else _check_broken(work, post)
    work.end()
    return verdict


def _no_maximum(em: "EMResult", plan: Plan) -> str:
    """That what EM ended at is no fit, and what follows from that."""
    said = f"NO FIT BY EM ({em.status.name}): the parameters above are where it stopped, no maximum"
    if plan.method == "em":
        return f"{said}; no responsibilities, table or figures are made of them."
    return f"{said}; nothing below rests on them."


def _draw(work: Work, em: "EMResult | None") -> "xr.DataTree":
    """Draws of θ and z, on disk before anything else is done with them."""
    import unmix

    plan, console = work.plan, work.console
    assert plan.method != "em"
    how = {
        "auto": "sampling θ and z",
        "gibbs": "sampling θ and z from their exact conditionals",
        "nuts": "compiling and sampling, z summed out",
        "pymc": "compiling and sampling θ and z",
    }
    options: dict[str, Any] = (
        {} if plan.target_accept is None else {"target_accept": plan.target_accept}
    )
    with work.stage(how[plan.method], has_bar=True):
        post = unmix.sample(
            work.model,
            method=plan.method,
            draws=plan.draws,
            tune=plan.tune,
            chains=plan.chains,
            cores=plan.cores,
            rng=plan.seed,
            em=em,
            # On standard error: bars on a terminal, words anywhere. PyMC's bars are on the other.
            progress=plan.method != "pymc" or console.is_terminal,
            **options,
        )
    for name, seconds in post.attrs.items():
        if str(name).startswith("seconds_"):
            part = str(name).removeprefix("seconds_").replace("_", " ")
            if part == "sampling" and "seconds_tuning" in post.attrs:
                part += ", tuning included"
            work.stage.took(f"  of it {part}", float(seconds))
    say(console, f"method {post.attrs['method']}: {post.attrs['reason']}")
    work.save("fit", post)
    if post.attrs.get("interrupted"):
        kept = f"the {post['posterior'].sizes['draw']:,} draws of each chain so far"
        saved = f", saved as fit{plan.suffix}" if work.out else ""
        console.print(Text(f"Interrupted: going on with {kept}{saved}.", style="bold yellow"))
    return post


def _check(work: Work, em: "EMResult | None", post: "xr.DataTree") -> str:
    """All that draws from a right rule are good for."""
    import unmix
    from unmix.assign.aligned_table import aligned_table
    from unmix.show import tables

    with work.stage("summarising the draws"):
        summary, matched = aligned_table(work.model, post)
    matching = Text(f"components: {matched}", style="dim")
    work.show("Parameters by MCMC", tables.posterior_table(summary), matching)
    responsibilities = _rows(work, post)
    check = _crosscheck(work, post)
    comparison = None
    if em is not None and work.plan.compare:
        with work.stage("comparing EM with MCMC"):
            comparison = unmix.compare(work.model, em, post)
        work.show("EM against MCMC", tables.comparison_table(comparison))
    fresh = post.attrs.get("z_kind") == "fresh"
    draws = post["posterior"].sizes["chain"] * post["posterior"].sizes["draw"]
    makers: dict[str, Callable[[Any], Figure]] = {
        "components": _components(work, post, responsibilities),
        "two_roads": lambda show: show.two_roads(responsibilities, draws, fresh=fresh),
        "calibration": lambda show: show.calibration(responsibilities, draws, fresh=fresh),
        "traces": lambda show: show.traces(_aligned(work, post)),
    }
    if comparison is not None:
        makers["em_against_mcmc"] = lambda show: show.em_against_mcmc(comparison)
    work.figures(makers)
    return check


def _components(work: Work, fit: Any, responsibilities: "xr.Dataset") -> "Callable[[Any], Figure]":
    """How the figure of components is made, of rows that miss no cell."""

    def make(show: Any) -> "Figure":
        *given, sentence = placed_rows(work.model, fit, responsibilities)
        if sentence:
            say(work.console, f"{sentence.capitalize()}.")
        figure: Figure = show.fitted_components(*given, names=list(map(str, work.x.columns)))
        return figure

    return make


def _check_broken(work: Work, post: "xr.DataTree") -> str:
    """The same draws of θ put through a wrong Bayes' rule, beside the right one for a row."""
    import numpy as np

    import unmix
    from unmix.check.broken import BREAKS, broken_draws, wrong_rule

    name = str(work.plan.broken)
    right = unmix.responsibilities(work.model, post)
    doubtful = int(np.argmax(right["entropy"].to_numpy()))
    work.show(f"Now with a mistake: {BREAKS[name]}")
    with wrong_rule(work.model, name):
        with work.stage("responsibilities and z by the wrong rule"):
            fit = broken_draws(work.model, post, name, work.plan.seed)
            wrong = unmix.responsibilities(work.model, fit)
        _open_up(work, fit, wrong, doubtful)
        roads = {
            "by the right rule": right["responsibility"],
            "by the wrong one": wrong["responsibility"],
            "and by counting the wrong one's z": wrong["assignment_frequency"],
        }
        for road, values in roads.items():
            shown = ", ".join(f"{v:.3f}" for v in values.isel(obs=doubtful).to_numpy())
            work.console.print(Text(f"  {road:<34} {shown}"))
        work.console.print()
        verdict = _crosscheck(work, fit)
    caught = "The check saw it" if verdict == "inconsistent" else "The check did not see it"
    work.console.print(Text(f"{caught}: {verdict}.", style="bold"))
    return verdict


def _crosscheck(work: Work, post: "xr.DataTree") -> str:
    import unmix
    from unmix.show import tables

    with work.stage("cross-check: z counted, Bayes' rule, the model's full log-density"):
        check = unmix.crosscheck(work.model, post, rng=work.plan.seed)
    work.show("Do the two roads agree?", tables.crosscheck_table(check))
    return check.verdict


def _rows(work: Work, fit: Any) -> "xr.Dataset":
    """Who made each row; on disk, the first few on screen, and the most doubtful one opened up."""
    import numpy as np

    import unmix
    from unmix.assign.table.columns import free_name
    from unmix.show import tables

    with work.stage("responsibilities of every row"):
        responsibilities = unmix.responsibilities(work.model, fit)
    # Rows that share an assignment stand for one observation: a subject has no one row to show.
    data = work.x if len(work.x) == responsibilities.sizes["obs"] else None
    content = [tables.assignments_table(responsibilities, data=data)]
    if work.out:
        tails = "" if work.x.isna().to_numpy().any() else ", and rows simulated for its tails"
        with work.stage(f"the table of assignments{tails}"):
            table = unmix.assignments(
                work.model, fit, id=free_name(work.plan.id), rng=work.plan.seed
            )
            work.out.assignments(table)
        content.append(tables.unexplained_note(table))
    work.show("Who made each row", *content)
    _open_up(work, fit, responsibilities, int(np.argmax(responsibilities["entropy"].to_numpy())))
    return responsibilities


def _open_up(work: Work, fit: Any, responsibilities: "xr.Dataset", row: int) -> None:
    """Bayes' rule for one row, number by number."""
    import unmix

    label = responsibilities["obs"].to_numpy()[row]
    with work.stage("opening up one row"):
        explanation = unmix.explain(work.model, fit, obs=label)
    title = printable(label) if isinstance(label, str) else str(label)
    r = explanation.table["responsibility"]
    r = r.sel(summary="mean") if "summary" in r.dims else r
    sure = float(r.max()) > SURE
    which = "No row is in doubt; the least sure" if sure else "The row most in doubt"
    work.show(f"{which}, {title}")
    say(work.console, str(explanation))
    work.console.print()


def _aligned(work: Work, post: "xr.DataTree") -> "xr.DataTree":
    """The draws with components in the order of everything else that is shown."""
    import xarray as xr

    import unmix

    groups = {"posterior": unmix.align(work.model, post)}
    if "sample_stats" in post.children:
        groups["sample_stats"] = post["sample_stats"].to_dataset()
    return xr.DataTree.from_dict(groups)
