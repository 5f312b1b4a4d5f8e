"""`unmix` on the command line: what it prints, writes and returns.

Draws of θ are made up here where sampling them is not the point; everything else is as it is.
"""

import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from interrupting import interrupted_child
from typer.testing import CliRunner

import unmix
from unmix import analysis, io
from unmix.assign import draw_assignments
from unmix.assign.table.columns import free_name
from unmix.cli import app
from unmix.derive import derive
from unmix.fingerprint import fingerprint
from unmix.output import OutputFolder
from unmix.plan import Plan
from unmix.recipe import recipe_of

FILES = {
    "assignments.csv",
    "calibration.png",
    "components.png",
    "em.nc",
    "em_against_mcmc.png",
    "fit.nc",
    "traces.png",
    "two_roads.png",
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A command, run in an empty folder; its result."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)

    def command(*arguments: str):
        return CliRunner().invoke(app, list(arguments))

    return command


def in_new_process(*arguments: str, code: str = "from unmix.cli import app; app()", **options):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


# --- draws from nowhere ---------------------------------------------------------------------------


def made_up(model, *, draws, chains, rng, em, **options) -> xr.DataTree:
    """In place of `unmix.sample`: θ wanders around EM's by 2 %, z is drawn as it should be."""
    generator = np.random.default_rng(rng)
    theta = {}
    for name, value in em.theta.items():
        moved = value.to_numpy() * np.exp(
            0.02 * generator.normal(size=(chains, draws, *value.shape))
        )
        if name == "w":
            moved /= moved.sum(axis=-1, keepdims=True)
        theta[name] = (("chain", "draw", *value.dims), moved)
    coords = {"chain": np.arange(chains), "draw": np.arange(draws), **em.theta.coords}
    posterior = xr.Dataset(theta, coords=coords)
    tree = xr.DataTree.from_dict(
        {
            "posterior": posterior,
            "assignments": draw_assignments(model, posterior, rng=generator),
            "observed_data": io.observed_data(derive(model)),
        }
    )
    recipe = recipe_of(model)
    tree.attrs = {
        "unmix_version": unmix.__version__,
        "method": options["method"],
        "reason": "made up",
        "model": recipe.name,
        "model_arguments": recipe.arguments,
        "fingerprint": fingerprint(derive(model)),
        "z_kind": "fresh",
        "z_from_table": 1,
        "seed": int(rng),
        "seconds": 0.0,
        "seconds_compiling": 12.0,
        "interrupted": 0,
    }
    return tree


@pytest.fixture
def no_sampling(monkeypatch):
    monkeypatch.setattr(unmix, "sample", made_up)


# --- help -----------------------------------------------------------------------------------------


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from unmix.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "print(*sys.modules)"
    )
    done = in_new_process(code=code)
    assert done.returncode == 0, done.stderr
    assert "demo" in done.stdout
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"arviz", "matplotlib", "numba", "pandas", "pymc", "pytensor", "xarray"}


def test_no_command_is_a_question_for_help(run):
    done = run()
    assert done.exit_code == 0
    assert all(name in done.stdout for name in ("demo", "fit", "explain", "check"))


def test_version(run):
    assert run("--version").stdout == f"unmix {unmix.__version__}\n"


# --- one whole fit --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A real fit: the folder, what was printed, the data.

    Draws enough for Gibbs' chains to agree; else NUTS follows, which takes longer to compile.
    """
    folder = tmp_path_factory.mktemp("fitted")
    x = pd.read_csv(Path(unmix.__file__).parent / "data" / "faithful.csv").iloc[:80]
    x.insert(0, "name", [f"eruption {i}" for i in range(len(x))])
    x.to_csv(folder / "data.csv", index=False)
    arguments = "fit data.csv -k 2 --columns waiting --id name --draws 1000 --tune 500 --chains 2"
    done = in_new_process(*arguments.split(), "-o", "out", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout, x


def test_a_fit_writes_everything(fitted):
    folder, printed, _ = fitted
    assert {p.name for p in (folder / "out").iterdir()} == FILES
    for name in FILES:
        assert name in printed
    for figure in (folder / "out").glob("*.png"):
        assert figure.read_bytes().startswith(b"\x89PNG")


def test_a_fit_says_what_it_did_and_where_the_time_went(fitted):
    _, printed, _ = fitted
    assert "seed 1" in printed
    assert "'waiting'" in printed
    stages = re.findall(r"^ *[0-9.]+ s  (.*)$", printed, flags=re.MULTILINE)
    assert len(stages) >= 10
    assert stages[-1] == "in all"
    assert "  of it starting points and choice" in stages
    assert "  of it sampling, tuning included" in stages
    assert "Counting z against Bayes' rule: " in printed
    assert "p(A|B) = " in printed


def test_what_is_piped_has_no_colours_and_its_width(fitted):
    _, printed, _ = fitted
    assert "\x1b" not in printed
    rules = [line for line in printed.splitlines() if line.endswith("────")]
    assert rules
    assert max(map(len, rules)) <= 100


def test_assignments_are_those_of_the_saved_fit(fitted):
    folder, _, x = fitted
    table = pd.read_csv(folder / "out" / "assignments.csv")
    assert table["name"].to_list() == x["name"].to_list()
    tree = io.load_tree(folder / "out" / "fit.nc")
    again = unmix.assignments(io.load_model(tree), tree, id="name", rng=1).reset_index()
    assert table.columns.to_list() == again.columns.to_list()
    # Written with as many digits as tell one float from the next, so nothing may be lost but in
    # the last place by pandas' quick reader, and a few units of it by sums over draws that lie in
    # memory in another order (seen: 1.5e-15). What a difference of entropies, of order one, leaves
    # after cancelling has their rounding: hence an absolute part.
    numbers = table.select_dtypes("number").columns
    np.testing.assert_allclose(table[numbers], again[numbers], rtol=1e-14, atol=1e-14)
    assert {"responsibility[0]", "lower[0]", "upper[1]", "assignment_frequency[1]"} <= set(table)
    assert table["unexplained"].to_list() == again["unexplained"].to_list()


def test_explain_takes_ids(fitted, run):
    folder, _, x = fitted
    done = run("explain", str(folder / "out" / "fit.nc"), "--obs", "eruption 3")
    assert done.exit_code == 0
    assert f"x = {x['waiting'].iloc[3]}" in done.stdout
    assert "Nearest neighbours" not in done.stdout
    done = run(
        "explain", str(folder / "out" / "fit.nc"), "--obs", "eruption 3", "--features",
        "--neighbours", "2",
    )  # fmt: skip
    assert "What pulls it to component" in done.stdout
    assert "Nearest neighbours" in done.stdout
    assert "counted" in done.stdout
    assert " s  deriving Bayes' rule, evaluating it for the row" in done.stderr
    logs = run("explain", str(folder / "out" / "fit.nc"), "--obs", "eruption 3", "--logs")
    assert "log p(A|B)" in logs.stdout
    em = run("explain", str(folder / "out" / "em.nc"), "--obs", "eruption 3")
    assert "maximum likelihood" in em.stdout


def test_check_of_a_saved_fit(fitted, run):
    folder, printed, _ = fitted
    done = run("check", str(folder / "out" / "fit.nc"))
    verdict = re.search(r"Bayes' rule: (.*)", printed)
    assert verdict is not None
    assert f"Bayes' rule: {verdict[1]}" in done.stdout
    assert done.exit_code == 0


def test_check_of_a_fit_whose_draws_were_spoilt(fitted, run, tmp_path):
    folder, _, _ = fitted
    tree = io.load_tree(folder / "out" / "fit.nc")
    spoilt = tree["assignments"].to_dataset().roll(draw=3)
    wrong = xr.DataTree.from_dict({**tree.to_dict(), "/assignments": 1 - spoilt})
    wrong.attrs = tree.attrs
    io.save(wrong, tmp_path / "wrong.nc")
    done = run("check", "wrong.nc")
    assert done.exit_code == 1
    assert "inconsistent" in done.stdout


def test_check_of_a_fit_by_em(fitted, run):
    folder, _, _ = fitted
    done = run("check", str(folder / "out" / "em.nc"))
    assert done.exit_code == 2
    assert "draws no z" in done.stderr


# --- figures of a saved fit -----------------------------------------------------------------------


def test_plot_draws_what_applies(fitted, run, tmp_path):
    folder, _, _ = fitted
    done = run("plot", str(folder / "out" / "em.nc"), "-o", "there")
    assert done.exit_code == 0, done.stderr
    names = {"components.png", "uncertainty.png", "membership.png", "rootogram.png"}
    assert {p.name for p in (tmp_path / "there").iterdir()} == names
    assert "Written to 'there': components.png, membership.png" in done.stdout
    for figure in (tmp_path / "there").iterdir():
        assert figure.read_bytes().startswith(b"\x89PNG")


def test_plot_draws_what_is_asked_for(fitted, run, tmp_path):
    folder, _, _ = fitted
    wanted = "similarity, label_traces,similarity"
    done = run("plot", str(folder / "out" / "fit.nc"), "--figures", wanted)
    assert done.exit_code == 0, done.stderr
    written = {p.name for p in (tmp_path / "unmix-plots").iterdir()}
    assert written == {"similarity.png", "label_traces.png"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["em.nc", "--figures", "traces"], "traces is a figure of draws and"),
        (["em.nc", "--figures", "pie"], "there is no figure 'pie': --figures takes 'components'"),
        (["em.nc", "--figures", "membership,"], "--figures has an empty name"),
        (["em.nc", "-o", "em.nc"], "exists already"),
        (["none.nc"], "there is no fit"),
        (["own.nc"], "not in the catalogue"),
    ],
)
def test_plot_refuses_in_a_sentence(fitted, run, tmp_path, arguments, said):
    folder, _, _ = fitted
    (tmp_path / "em.nc").write_bytes((folder / "out" / "em.nc").read_bytes())
    tree = io.load_tree(tmp_path / "em.nc")
    tree.attrs |= {"model": "", "model_arguments": ""}
    io.save(tree, tmp_path / "own.nc")
    done = run("plot", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert {p.name for p in tmp_path.iterdir()} == {"em.nc", "own.nc"}


# --- other ways to fit ----------------------------------------------------------------------------


def write_rows(path: Path, n: int = 60) -> None:
    rng = np.random.default_rng(4)
    x = np.where(rng.random(n) < 0.4, rng.normal(0, 1, n), rng.normal(5, 1, n))
    pd.DataFrame({"x": x, "y": 2 * x + rng.normal(size=n)}).to_csv(path, index=False)


EM_ALONE = ["fit", "data.csv", "-k2", "--columns=x", "--method=em", "--format=zarr"]


def test_em_alone(run, tmp_path):
    write_rows(tmp_path / "data.csv")
    done = run(
        *["fit", "data.csv", "-k", "2", "--columns", "x", "--method", "em", "--format", "zarr"]
    )
    assert done.exit_code == 0, done.stderr
    assert {p.name for p in (tmp_path / "unmix-fit").iterdir()} == {
        "assignments.csv",
        "components.png",
        "em.zarr",
    }
    em = io.load(tmp_path / "unmix-fit" / "em.zarr")
    assert em.converged
    table = pd.read_csv(tmp_path / "unmix-fit" / "assignments.csv")
    assert table.columns.to_list() == [
        "obs",
        "most_likely",
        "responsibility[0]",
        "responsibility[1]",
        "entropy",
        "tail",
        "unexplained",
    ]


def test_em_that_collapsed_is_no_success(run, tmp_path):
    rows = [f"{5 * (i % 2)},{i % 2}" for i in range(20)]
    (tmp_path / "data.csv").write_text("x,sex\n" + "\n".join(rows))
    line = "fit data.csv -k 2 --covariance diagonal --method em --seed 1"
    done = run(*line.split())
    assert done.exit_code == 1, done.stderr
    said = " ".join(done.stdout.split())
    assert "NO FIT BY EM (collapsed)" in said
    assert "(-k)" in said
    assert "--method auto" in said
    assert "kind='posterior'" not in said  # which no command takes
    assert "raise starts" not in said
    assert {p.name for p in (tmp_path / "unmix-fit").iterdir()} == {"em.nc"}
    assert "Warning: column 'sex' has two values only" in said
    plan = Plan(2, covariance="diagonal", method="nuts")
    assert "nothing below rests on them" in analysis._no_maximum(
        io.load(tmp_path / "unmix-fit" / "em.nc"), plan
    )


def test_no_figures_and_no_comparison_where_none_are_wanted(run, tmp_path, no_sampling):
    write_rows(tmp_path / "data.csv")
    line = "fit data.csv -k 2 --columns x --draws 200 --chains 2 --no-figures --no-compare"
    done = run(*line.split())
    assert done.exit_code == 0, done.stderr
    assert {p.name for p in (tmp_path / "unmix-fit").iterdir()} == {
        "assignments.csv",
        "em.nc",
        "fit.nc",
    }
    assert "EM against MCMC" not in done.stdout
    model = io.load_model(io.load_tree(tmp_path / "unmix-fit" / "em.nc"))
    assert list(model.coords["feature"]) == ["x"]


def test_the_name_of_a_single_column_is_kept(run, tmp_path):
    write_rows(tmp_path / "data.csv")
    x = pd.read_csv(tmp_path / "data.csv")["y"].rename("waiting")
    model = unmix.models.gaussian(x, 2)
    theta = {"w": [0.4, 0.6], "mu": [0.0, 10.0], "sigma": [2.0, 2.0]}
    fit = xr.DataTree.from_dict({"posterior": xr.Dataset(
        {n: (("chain", "draw", "component"), np.tile(v, (1, 2, 1))) for n, v in theta.items()}
    )})  # fmt: skip
    io.save(fit, tmp_path / "fit.nc", model=model)
    tree = io.load_tree(tmp_path / "fit.nc")
    again = io.load_model(tree)
    r = unmix.responsibilities(again, theta)
    assert unmix.show.fitted_components(again, theta, r).axes[-1].get_xlabel() == "waiting"


def test_options_reach_the_verbs(run, tmp_path, monkeypatch):
    write_rows(tmp_path / "data.csv")
    seen = {}

    def analyse(x, plan, out, console):
        seen.update(x=x, plan=plan, out=out)

    monkeypatch.setattr(analysis, "analyse", analyse)
    line = (
        "fit data.csv -k 3 --columns y,x --covariance diagonal --method pymc --draws 5 --tune 6"
        " --chains 7 --cores 8 --seed 9 --format zarr --output there --no-figures --no-compare"
    )
    done = run(*line.split())
    assert done.exit_code == 0, done.stderr
    assert seen["x"].columns.to_list() == ["y", "x"]
    assert seen["out"].path == Path("there")
    assert seen["plan"] == Plan(
        components=3,
        covariance="diagonal",
        method="pymc",
        draws=5,
        tune=6,
        chains=7,
        cores=8,
        seed=9,
        suffix=".zarr",
        id="obs",
        broken=None,
        compare=False,
        figures=False,
    )


def test_target_accept_reaches_nuts_alone(run, tmp_path, monkeypatch):
    write_rows(tmp_path / "data.csv")
    seen = []
    monkeypatch.setattr(analysis, "analyse", lambda x, plan, *_: seen.append(plan.target_accept))
    line = "fit data.csv -k 2 --columns x --target-accept"
    assert run(*line.split(), "0.95").exit_code == 0
    assert seen == [0.95]
    done = run(*line.split(), "0.95", "--method", "gibbs", "-o", "elsewhere")
    assert "--target-accept belongs to NUTS, not to --method gibbs" in done.stderr
    assert "give a share between 0 and 1" in run(*line.split(), "1.5").stderr


def test_advice_is_what_the_command_can_do(capsys):
    from unmix.terminal import IN_PYTHON_AND_HERE, terminal, warnings_to

    source = Path(unmix.__file__).parent / "infer" / "aloud.py"
    assert IN_PYTHON_AND_HERE[0] in source.read_text()
    with warnings_to(terminal()):
        warnings.simplefilter("always")
        warnings.warn(
            f"9 divergent draws; {IN_PYTHON_AND_HERE[0]}", unmix.UnmixWarning, stacklevel=1
        )
    assert "--target-accept 0.95" in capsys.readouterr().out


def test_a_name_with_a_comma_can_be_asked_for(run, tmp_path, monkeypatch):
    (tmp_path / "data.csv").write_text('"a, in mm",b,c\n1,2,3\n2,3,4\n')
    seen = []
    monkeypatch.setattr(analysis, "analyse", lambda x, *_: seen.append(list(x.columns)))
    done = run("fit", "data.csv", "-k", "1", "--columns", 'c, "a, in mm"')
    assert done.exit_code == 0, done.stderr
    assert seen == [["c", "a, in mm"]]


def test_what_is_left_out_is_said(run, tmp_path, monkeypatch):
    (tmp_path / "data.csv").write_bytes("höhe,b,kind,\n1,2,x,5\n2,3,y,6\n".encode("latin-1"))
    monkeypatch.setattr(analysis, "analyse", lambda *_: None)
    done = run("fit", "data.csv", "-k", "1")
    assert "2 rows of 'höhe' and 'b'" in done.stdout
    assert "Latin-1" in done.stdout
    assert "left out 'kind': text" in done.stdout
    assert "left out 'column 4': it has no name" in done.stdout


# --- the demo -------------------------------------------------------------------------------------

FEW = ["--draws", "200", "--tune", "1", "--chains", "2"]


def test_demo(run, tmp_path, no_sampling):
    done = run("demo", *FEW)
    assert done.exit_code == 0, done.stderr
    assert {p.name for p in (tmp_path / "unmix-demo").iterdir()} == FILES
    assert "-1034.0017" in done.stdout
    assert "Bayes' rule: consistent" in done.stdout  # the breaks below have to change this
    assert "12.0 s    of it compiling" in done.stdout
    # Rows 66 and 67 minutes long are those that the two groups share most evenly.
    assert re.search(r"x = 6[67]\b", done.stdout)


def test_a_second_demo_gets_a_folder_of_its_own(run, tmp_path, monkeypatch):
    monkeypatch.setattr(analysis, "analyse", lambda x, plan, out, console: out.written.append("x"))
    for _ in range(3):
        assert run("demo").exit_code == 0
    assert {p.name for p in tmp_path.iterdir()} == {"unmix-demo", "unmix-demo-2", "unmix-demo-3"}


@pytest.mark.parametrize(
    ("name", "test"),
    [
        ("weights", "table against full model"),
        ("variance", "table against full model"),
        ("sticky", "lag-1 products"),
    ],
)
def test_every_break_is_seen(run, tmp_path, no_sampling, name, test):
    done = run("demo", "--break", name, *FEW)
    assert done.exit_code == 0, done.stderr
    assert "Bayes' rule: inconsistent" in done.stdout
    failed = re.search(r"Failed: ([^.]*)\.", done.stdout)
    assert failed is not None
    assert test in failed[1]
    assert not list(tmp_path.iterdir())


def test_a_break_is_over_when_it_is_over():
    from unmix.check.broken import wrong_rule

    model = unmix.models.gaussian(np.array([0.0, 1.0, 5.0, 6.0]))
    theta = {"w": [0.2, 0.8], "mu": [0.5, 5.5], "sigma": [3.0, 2.0]}
    right = unmix.bayes_rule(model, theta)["responsibility"].to_numpy()
    for name in ("weights", "variance"):
        with wrong_rule(model, name):
            wrong = unmix.bayes_rule(model, theta)["responsibility"].to_numpy()
        assert np.abs(wrong - right).max() > 0.01
        assert np.array_equal(unmix.bayes_rule(model, theta)["responsibility"], right)


# --- interrupted ----------------------------------------------------------------------------------


def test_draws_so_far_are_used_and_said(run, tmp_path, monkeypatch):
    def interrupted(model, **options):
        tree = made_up(model, **{**options, "draws": 37})
        tree.attrs["interrupted"] = 1
        return tree

    monkeypatch.setattr(unmix, "sample", interrupted)
    done = run("demo", *FEW)
    assert done.exit_code == 0, done.stderr
    assert "Interrupted: going on with the 37 draws of each chain so far" in done.stdout
    assert io.load(tmp_path / "unmix-demo" / "fit.nc").attrs["interrupted"] == 1


def test_interrupted_before_anything_was_done(run, tmp_path, monkeypatch):
    def analyse(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(analysis, "analyse", analyse)
    done = run("demo")
    assert done.exit_code == 130
    assert done.stderr == "unmix: interrupted\n"
    assert not list(tmp_path.iterdir())


def test_interrupted_when_something_was_done(run, tmp_path, monkeypatch):
    def analyse(x, plan, out, console):
        out.write("assignments.csv", lambda path: path.write_text("done"))
        raise KeyboardInterrupt

    monkeypatch.setattr(analysis, "analyse", analyse)
    done = run("demo")
    assert done.exit_code == 130
    assert "Written to 'unmix-demo' before it ended: assignments.csv" in done.stdout
    assert (tmp_path / "unmix-demo" / "assignments.csv").read_text() == "done"


def test_a_real_ctrl_c(tmp_path):
    code = (
        "import time; from unmix import analysis; from unmix.cli import app\n"
        "def analyse(*_): print('ready', flush=True); time.sleep(100)\n"
        "analysis.analyse = analyse\n"
        "app(['demo'])"
    )
    done = interrupted_child(code, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (130, "unmix: interrupted\n")
    assert not list(tmp_path.iterdir())


# --- for whoever reads the output -----------------------------------------------------------------


def test_our_warnings_are_lines_and_those_of_others_are_not(run, monkeypatch):
    import warnings

    def analyse(*_):
        warnings.warn("[red]mind[/] this", unmix.UnmixWarning, stacklevel=1)
        warnings.warn("inner workings", FutureWarning, stacklevel=1)

    monkeypatch.setattr(analysis, "analyse", analyse)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        done = run("demo")
    assert "Warning: [red]mind[/] this\n" in done.stdout
    assert "inner workings" not in done.output


def test_a_reader_who_has_seen_enough(tmp_path):
    code = (
        "from unmix import analysis; from unmix.cli import app\n"
        "analysis.analyse = lambda x, p, o, console: [console.print(i) for i in range(10**5)]\n"
        "app(['demo'])"
    )
    line = f'{sys.executable} -c "{code}" | head -1'
    done = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.startswith("Old Faithful")


def test_a_terminal_without_greek_letters(tmp_path):
    code = (
        "from unmix import analysis; from unmix.cli import app\n"
        "analysis.analyse = lambda x, plan, out, console: console.print('θ is unknown')\n"
        "app(['demo'])"
    )
    done = in_new_process(code=code, cwd=tmp_path, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert "? is unknown" in done.stdout


def test_an_id_called_like_a_column_of_the_table_gives_way():
    assert [free_name(n) for n in ("name", "entropy", "lower[0]")] == ["name", "obs", "obs"]


def test_a_file_that_could_not_be_written_whole_is_not_there(tmp_path):
    out = OutputFolder(tmp_path / "out")
    out.make()

    def half(path):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(unmix.UnmixError, match="No space left"):
        out.write("assignments.csv", half)
    assert not list((tmp_path / "out").iterdir())
    out.leave()
    assert not (tmp_path / "out").exists()


def test_the_recipe_in_a_saved_fit_is_json(fitted):
    folder, _, _ = fitted
    attrs = io.load_tree(folder / "out" / "em.nc").attrs
    assert json.loads(attrs["model_arguments"])["components"] == 2


def test_a_number_explains_the_row_at_that_position(fitted, run):
    folder, _, x = fitted
    done = run("explain", str(folder / "out" / "em.nc"), "--obs", "3")
    assert done.exit_code == 0
    said = " ".join(done.stdout.split())
    assert f"x = {x['waiting'].iloc[3]}" in said
    assert "No row is labelled 3, so this is the row at position 3, counted from 0" in said
    assert "labelled eruption 3" in said


def test_new_rows_are_predicted_by_the_saved_fit(fitted, run, tmp_path):
    folder, _, x = fitted
    new = pd.DataFrame({"note": list("abc"), "waiting": [80.0, 80.0, 50.0], "id": ["p", "q", "r"]})
    new.to_csv(tmp_path / "new.csv", index=False)
    fit = str(folder / "out" / "em.nc")
    done = run("predict", fit, "new.csv", "--id", "id", "-o", "who.csv")
    assert done.exit_code == 0, done.stderr
    assert "not in the fit, so left out: 'note'" in done.stdout
    table = pd.read_csv(tmp_path / "who.csv", index_col="id")
    assert list(table.index) == ["p", "q", "r"]
    em = io.load(fit)
    model = unmix.models.gaussian(x["waiting"], 2)
    rule = unmix.responsibilities(model, em, new[["waiting"]])["responsibility"]
    columns = [f"responsibility[{k}]" for k in rule["component"].values]
    # Sixteen digits are written.
    np.testing.assert_allclose(table[columns], rule.transpose("obs", "component"), rtol=1e-14)
    again = run("predict", fit, "new.csv", "-o", "who.csv")
    assert again.exit_code == 2
    assert "exists already" in again.stderr
    new.iloc[:1][["waiting"]].to_parquet(tmp_path / "new.parquet")
    done = run("predict", fit, "new.parquet", "-o", "who.parquet")
    assert done.exit_code == 0, done.stderr
    assert len(pd.read_parquet(tmp_path / "who.parquet")) == 1


def test_new_rows_that_lack_a_feature_are_refused_in_a_sentence(fitted, run, tmp_path):
    folder, _, _ = fitted
    (tmp_path / "new.csv").write_text("wait,size\n50,1\n80,2\n")
    done = run("predict", str(folder / "out" / "em.nc"), "new.csv")
    assert done.exit_code == 2
    assert "there is no column 'waiting' in 'new.csv': it has 'wait' and 'size'" in done.stderr
    assert not (tmp_path / "unmix-predicted.csv").exists()
