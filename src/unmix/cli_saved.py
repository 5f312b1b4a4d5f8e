"""What the command line does with a saved fit: explain, check, plot, predict.

As in `unmix.cli`, nothing heavy is imported before a command has looked at what it was given.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from unmix.cli_options import SEED, Output, Seed, names_in
from unmix.errors import UnmixError
from unmix.known_columns import GroupColumn, SubjectColumn


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


def predict(
    fit: Annotated[Path, typer.Argument(help="A fit that unmix has saved.")],
    data: Annotated[Path, typer.Argument(help="New rows: a CSV or Parquet file.")],
    id: Annotated[str | None, typer.Option(help="A column that names the rows.")] = None,
    group: GroupColumn = None,
    subject: SubjectColumn = None,
    seed: Seed = SEED,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The .csv or .parquet file to make.")
    ] = Path("unmix-predicted.csv"),
) -> None:
    """Who made new rows, by a saved fit: responsibilities of each, in a table.

    Columns are found by their names, those of groups and subjects too where the fit was made by
    'unmix fit'. Components are those of the fit, which is not changed. Rows of one subject share a
    line.
    """
    from unmix.predict import predict
    from unmix.terminal import terminal, warnings_to

    console = terminal()
    with warnings_to(console):
        columns = {"group": group, "subject": subject}
        predict(fit, data, output, console, id=id, columns=columns, seed=seed)


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

    wanted = plotting.wanted(names_in(figures, "--figures"))
    out = OutputFolder(output or Path("unmix-plots"))
    from unmix.terminal import terminal, warnings_to

    console = terminal()
    os.environ.setdefault("MPLBACKEND", "Agg")  # figures go to files; no window is opened
    try:
        with warnings_to(console):
            plotting.plot(fit, wanted, out, console, seed)
    finally:
        out.leave()
