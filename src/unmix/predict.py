"""`unmix predict`: who made new rows, by a saved fit, whose features are found by their names."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from unmix.errors import UnmixError
from unmix.printable import listed, printable
from unmix.stages import Stages
from unmix.terminal import say


def predict(
    fit: Path,
    data: Path,
    output: Path,
    console: Console,
    *,
    id: str | None,
    columns: Mapping[str, str | None],
    seed: int,
) -> None:
    """Write the table of `unmix.assignments` for new rows.

    Parameters
    ----------
    fit
        A fit of a model of the catalogue, as saved by unmix.
    data
        A CSV or Parquet file with the columns that the fit was made of, in any order.
    output
        The ``.csv`` or ``.parquet`` file to make.
    console
        Where to tell.
    id
        A column that names the rows.
    columns
        By option, as ``group``, the column that it names; None for the one that the fit knows.
    seed
        Of the rows simulated for the column ``tail``.

    Raises
    ------
    UnmixError
        If a file cannot be read or made, or a column is missing.
    """
    from unmix.assign.table.write import require_writable

    require_writable(output, overwrite=False)
    stage = Stages(console)
    with stage("reading the fit, building its model again"):
        from unmix import io

        tree = io.load_tree(fit)
        loaded, model = io.fit_in(tree), io.load_model(tree)
    from unmix.catalogue import cells_of
    from unmix.derive.present import has_missing
    from unmix.infer import EMResult
    from unmix.predict_by_row import never_seen, read_by_row, seen_subjects
    from unmix.read_table import read_table
    from unmix.recipe import recipe_of
    from unmix.remedies import WITHOUT_MAXIMUM

    if isinstance(loaded, EMResult) and loaded.status.name in WITHOUT_MAXIMUM:
        raise UnmixError(
            f"{printable(fit, 200)} is no fit: EM ended without a maximum ({loaded.status.name}); "
            "fit again with fewer components (-k), or sample (--method auto)"
        )
    recipe = recipe_of(model)
    taken = cells_of(recipe.name)
    if recipe.table is not None:
        features = [str(name) for name in recipe.table.columns]
    else:
        features = [str(name) for name in model.coords["feature"]]
    rows = read_table(data, features, id, new=True, **taken)
    by_row, used = read_by_row(recipe, data, rows, columns)
    say(console, f"{printable(data, 200)}: {len(rows):,} rows of {listed(features)}")
    strangers = never_seen(recipe, by_row)
    if strangers and isinstance(loaded, EMResult) and loaded.left_out:
        raise UnmixError(
            f"no row of the fit is of {listed(strangers)}, and EM left out "
            f"{listed(loaded.left_out)}, which say what groups never seen are like: predict by a "
            "fit with draws, as fit.nc"
        )
    if strangers:
        say(console, f"groups never seen in the fit: {listed(strangers)}")
    again = seen_subjects(recipe, by_row)
    if again:
        say(console, f"in the fit as well, and here by their new rows alone: {listed(again[:5])}")
    others = [name for name in rows.attrs["left_out"] if name not in used]
    if others:
        say(console, f"not in the fit, so left out: {listed(others)}")
    lack_some = has_missing(model) or bool(rows.isna().to_numpy().any())
    tails = "" if lack_some else ", and rows simulated for their tails"
    with stage(f"responsibilities of the new rows{tails}"):
        import unmix
        from unmix.assign.table.columns import free_name
        from unmix.assign.table.write import write_table
        from unmix.show.tables import unexplained_note

        # Which cells are missing, and what is given by row, is part of a model: a second one.
        # Off the fast road tails are simulated from a model too.
        new = rows
        if by_row or lack_some or unmix.derive(model).onepass is None:
            new = unmix.models.on_rows(model, rows, **by_row)
        table = unmix.assignments(model, loaded, new, id=free_name(id or "obs"), rng=seed)
        if not {"subjects", "together"} & set(by_row):  # a line for each of them
            table.index = rows.index.rename(table.index.name)
    write_table(iter([table]), output)
    counts = ", ".join(
        f"{n:,} of component {printable(k)[1:-1]}"
        for k, n in table["most_likely"].value_counts(sort=False).sort_index().items()
    ) if "most_likely" in table else "components are not identified"  # fmt: skip
    say(console, f"Most likely: {counts}")
    console.print(unexplained_note(table))
    say(console, f"Written to {printable(output, 200)}")
