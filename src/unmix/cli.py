"""`unmix` on the command line. Each command is one function; what it does is done elsewhere.

Whatever a user gives that cannot be used ends in one sentence on stderr and exit code 2, Ctrl-C in
one line and 130. Nothing heavy is imported before a command has looked at what it was given.
"""

import csv
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from unmix import __version__
from unmix.errors import UnmixError
from unmix.one_sentence import OneSentence
from unmix.plan import NO_MAXIMUM, checked_plan

if TYPE_CHECKING:
    pass

SEED = 1
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


Components = Annotated[int, typer.Option("-k", "--components", help="How many components.")]
Columns = Annotated[
    str | None,
    typer.Option(help="Columns to use, with commas between; all columns of numbers by default."),
]
Covariance = Annotated[
    Literal["full", "diagonal"] | None, typer.Option(help="Whether features may be correlated.")
]
Method = Annotated[
    Literal["auto", "gibbs", "nuts", "pymc", "em"],
    typer.Option(
        help="auto: gibbs or nuts, and says why; gibbs: exact conditionals; nuts: z summed out; "
        "pymc: z in the chain, slow; em: no draws at all."
    ),
]
Draws = Annotated[int, typer.Option(help="Draws kept of each chain.")]
Tune = Annotated[int, typer.Option(help="Tuning steps of each chain.")]
Chains = Annotated[int, typer.Option(help="Chains.")]
Cores = Annotated[int | None, typer.Option(help="Chains run side by side; all cores by default.")]
Seed = Annotated[int, typer.Option(help="For everything random.")]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="A folder to make.")]
Format = Annotated[Literal["nc", "zarr"], typer.Option(help="Of the saved fits.")]


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
    x = story.rows(_names(columns))
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
    covariance: Covariance = None,
    method: Method = "auto",
    draws: Draws = 1000,
    tune: Tune = 1000,
    chains: Chains = 4,
    cores: Cores = None,
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
        families=catalogue.families_said(_names(families, "--families")),
        covariance=covariance,
        method=method,
        draws=draws,
        tune=tune,
        chains=chains,
        cores=cores,
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

    x = read_table(data, _names(columns), id, text=catalogue.takes_text(plan))
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
    if told := catalogue.families_of_columns(x, plan):
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


@app.command()
def explain(
    fit: Annotated[Path, typer.Argument(help="A fit that unmix has saved.")],
    obs: Annotated[
        str, typer.Option(help="The row: its id; where none is that, its number counted from 0.")
    ],
    logs: Annotated[bool, typer.Option("--logs", help="Show natural logarithms.")] = False,
    features: Annotated[bool, typer.Option("--features", help="Which pull it where.")] = False,
    neighbours: Annotated[int, typer.Option(help="So many rows most like it.")] = 0,
) -> None:
    """Bayes' rule for one row of a saved fit, number by number."""
    from unmix.stages import Stages
    from unmix.terminal import say, terminal

    stage = Stages(terminal(error=True))  # so that the explanation can be sent to a file
    with stage("reading the fit, building its model again"):
        from unmix import io

        tree = io.load_tree(fit)
        model = io.load_model(tree)
    with stage("deriving Bayes' rule, evaluating it for the row"):
        import unmix
        from unmix.remedies import for_command_line

        loaded = for_command_line(io.fit_in(tree))
        found = unmix.explain(model, loaded, obs, features=features, neighbours=neighbours)
    say(terminal(), found.text(logs=logs))


@app.command()
def check(
    fit: Annotated[Path, typer.Argument(help="A fit that unmix has saved.")],
    seed: Seed = SEED,
) -> None:
    """Whether counting z agrees with Bayes' rule in a saved fit; exit code 1 if not."""
    from unmix import io

    tree = io.load_tree(fit)
    loaded = io.fit_in(tree)
    model = io.load_model(tree)
    import unmix
    from unmix.printable import printable
    from unmix.show import tables
    from unmix.terminal import terminal, warnings_to

    if isinstance(loaded, unmix.EMResult):
        raise UnmixError(
            f"{printable(fit, 200)} is a fit by EM, which draws no z to count: check one "
            "that was sampled, as by unmix fit --method gibbs"
        )
    console = terminal()
    with warnings_to(console):
        result = unmix.crosscheck(model, loaded, rng=seed)
    console.print(tables.crosscheck_table(result))
    if result.verdict == "inconsistent":
        raise typer.Exit(1)


@app.command()
def plot(
    fit: Annotated[Path, typer.Argument(help="A fit that unmix has saved.")],
    figures: Annotated[
        str | None, typer.Option(help="Which, with commas between; all that apply by default.")
    ] = None,
    seed: Seed = SEED,
    output: Output = None,
) -> None:
    """Figures of a saved fit, as PNG in unmix-plots/."""
    from unmix import plotting
    from unmix.output import OutputFolder

    wanted = plotting.wanted(_names(figures, "--figures"))
    out = OutputFolder(output or Path("unmix-plots"))
    from unmix.terminal import terminal, warnings_to

    console = terminal()
    os.environ.setdefault("MPLBACKEND", "Agg")  # figures go to files; no window is opened
    try:
        with warnings_to(console):
            plotting.plot(fit, wanted, out, console, seed)
    finally:
        out.leave()


# --- parts ---------------------------------------------------------------------------------------


def _names(text: str | None, option: str = "--columns") -> list[str] | None:
    """Names with commas between; quotation marks hold a name together that has a comma in it."""
    if text is None:
        return None
    names = [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])]
    if not names or "" in names:
        raise UnmixError(f"{option} has an empty name: give names with commas between")
    return names
