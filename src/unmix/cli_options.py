"""Options that several commands have, each with one name and one help text."""

import csv
from pathlib import Path
from typing import Annotated, Literal

import typer

from unmix.errors import UnmixError

SEED = 1

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
TargetAccept = Annotated[
    float | None,
    typer.Option(help="Share of proposals that NUTS takes, as 0.95; asks for NUTS."),
]
Seed = Annotated[int, typer.Option(help="For everything random.")]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="A folder to make.")]
Format = Annotated[Literal["nc", "zarr"], typer.Option(help="Of the saved fits.")]


def names_in(text: str | None, option: str = "--columns") -> list[str] | None:
    """Names with commas between; quotation marks hold a name together that has a comma in it."""
    if text is None:
        return None
    names = [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])]
    if not names or "" in names:
        raise UnmixError(f"{option} has an empty name: give names with commas between")
    return names
