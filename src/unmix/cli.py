"""`unmix` on the command line. Each command is one function; what it does is done elsewhere.

Whatever a user gives that cannot be used ends in one sentence on stderr and exit code 2, Ctrl-C in
one line and 130. Nothing heavy is imported before a command has looked at what it was given.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from unmix import __version__
from unmix.cli_options import (
    SEED,
    Chains,
    Columns,
    Components,
    Cores,
    Covariance,
    Draws,
    Format,
    Method,
    Output,
    Seed,
    TargetAccept,
    Tune,
    names_in,
)
from unmix.cli_saved import check, explain, plot, predict
from unmix.errors import UnmixError
from unmix.known_columns import (
    Fixed,
    GroupColumn,
    LabelColumn,
    Names,
    Noise,
    SubjectColumn,
    WeightColumn,
    known,
)
from unmix.one_sentence import OneSentence
from unmix.plan import NO_MAXIMUM, checked_plan

BREAKS = Literal["weights", "variance", "sticky"]

app = typer.Typer(
    cls=OneSentence,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def unmix_(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Mixtures declared once: responsibilities by Bayes' rule and by counting, cross-checked."""
    if version:
        print(f"unmix {__version__}")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


@app.command()
def demo(
    broken: Annotated[
        BREAKS | None, typer.Option("--break", help="Go on with a wrong Bayes' rule.")
    ] = None,
    columns: Annotated[str | None, typer.Option(help="waiting, eruptions, or both.")] = None,
    draws: Draws = 1000,
    tune: Tune = 1000,
    chains: Chains = 4,
    cores: Cores = None,
    seed: Seed = SEED,
    output: Output = None,
) -> None:
    """Old Faithful, from the declaration to the cross-checked answer, in unmix-demo/.

    With --break the draws of θ are put through a wrong Bayes' rule, to see it caught: weights
    (forgotten), variance (where the standard deviation should be), sticky (z not drawn afresh).
    """
    plan = checked_plan(
        2, draws=draws, tune=tune, chains=chains, cores=cores, seed=seed, broken=broken
    )
    from unmix import demo as story
    from unmix.output import OutputFolder
    from unmix.terminal import say, terminal

    out = None
    if broken is None:
        out = OutputFolder(output) if output else OutputFolder.numbered(Path("unmix-demo"))
    elif output:
        raise UnmixError("--break writes nothing, so that nobody uses it: leave --output out")
    x = story.rows(names_in(columns))
    console = terminal()
    say(console, story.STORY)
    from unmix.told import analyse_aloud

    analyse_aloud(x, plan, out, console)


@app.command()
def fit(
    data: Annotated[Path, typer.Argument(help="A CSV or Parquet file.")],
    components: Components,
    columns: Columns = None,
    id: Annotated[str | None, typer.Option(help="A column that names the rows.")] = None,
    model: Annotated[
        str, typer.Option(help="What components are made of; 'unmix models' lists them.")
    ] = "gaussian",
    families: Annotated[
        str | None, typer.Option(help="For --model mixed: column=family, with commas between.")
    ] = None,
    names: Names = None,
    labels: LabelColumn = None,
    weights: WeightColumn = None,
    group: GroupColumn = None,
    subject: SubjectColumn = None,
    fix: Fixed = None,
    noise: Noise = False,
    covariance: Covariance = None,
    method: Method = "auto",
    draws: Draws = 1000,
    tune: Tune = 1000,
    chains: Chains = 4,
    cores: Cores = None,
    target_accept: TargetAccept = None,
    seed: Seed = SEED,
    format: Format = "nc",
    no_compare: Annotated[
        bool, typer.Option("--no-compare", help="Do not compare EM with the draws.")
    ] = False,
    no_figures: Annotated[
        bool, typer.Option("--no-figures", help="Draw none; 'unmix plot' can do so later.")
    ] = False,
    output: Output = None,
) -> None:
    """Fit a mixture to a table, check it, and write tables and figures to a folder.

    Exit code 1 where EM alone was asked for and the likelihood has no maximum: em.nc is then all
    that is written.
    """
    from unmix import catalogue

    plan = checked_plan(
        components,
        model=model,
        families=catalogue.families_said(names_in(families, "--families")),
        covariance=covariance,
        method=method,
        draws=draws,
        tune=tune,
        chains=chains,
        cores=cores,
        target_accept=target_accept,
        seed=seed,
        suffix=f".{format}",
        id=id or "obs",
        compare=not no_compare,
        figures=not no_figures,
    )
    from unmix.output import OutputFolder

    out = OutputFolder(output or Path("unmix-fit"))
    from unmix.printable import listed, printable
    from unmix.read_table import read_table
    from unmix.terminal import say, terminal

    kinds = catalogue.cells_taken(plan)
    by_row = {"labels": labels, "weights": weights, "group": group, "subject": subject}
    apart = [name for name in by_row.values() if name is not None]
    x = read_table(data, names_in(columns), id, **kinds, apart=apart)
    x, plan = known(data, x, plan, names_in(names, "--names"), by_row, fix, noise)
    if components > len(x):
        raise UnmixError(
            f"-k is {components} and there are only {len(x)} rows: ask for at most one component "
            "for each row"
        )
    console = terminal()
    say(
        console,
        f"{printable(data, 200)}: {len(x):,} rows of {listed(list(x.columns))}"
        + (", read as Latin-1 because it is not UTF-8" if x.attrs["encoding"] == "latin-1" else ""),
    )
    for name, reason in x.attrs["left_out"].items():
        say(console, f"left out {printable(name)}: {reason}")
    for told in (
        catalogue.families_of_columns(x, plan),
        catalogue.missing_cells(x),
        catalogue.weights_said(plan),
    ):
        if told:
            say(console, told)
    for sentence in catalogue.doubts_that_apply(x, plan):
        say(console, f"Warning: {sentence}", "yellow")
    from unmix.told import analyse_aloud

    if analyse_aloud(x, plan, out, console) == NO_MAXIMUM:
        raise typer.Exit(1)


@app.command()
def models() -> None:
    """The models that there are, one line each."""
    from unmix.catalogue import described
    from unmix.terminal import say, terminal

    console = terminal()
    for name, sentence in described():
        say(console, f"{name:<20}{sentence}")


for command in (explain, check, plot, predict):
    app.command()(command)
