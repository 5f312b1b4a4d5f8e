"""Whatever cannot be used is refused in one sentence, with exit code 2 and nothing left behind.

What the sentences say of each cell, line and column is held by `test_read_table`; of each file, by
`test_io`. Here: that on the command line they are one line, and that nothing is written or lost.
"""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from unmix import analysis
from unmix.cli import app
from unmix.errors import UnmixError

GOOD = "a,b,kind\n1,2,x\n2,3,y\n4,5,x\n"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A command, run in a folder that holds data.csv."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text(GOOD)

    def nothing_may_be_computed(*_):
        raise AssertionError("the input was bad, and yet something was computed")

    monkeypatch.setattr(analysis, "analyse", nothing_may_be_computed)
    return lambda *arguments: CliRunner().invoke(app, [str(a) for a in arguments])


def what_is_there(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
    }


def refused(run, folder: Path, *arguments) -> str:
    """The one sentence; the folder is as it was."""
    before = what_is_there(folder)
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    *stages, line = done.stderr.splitlines()
    assert all(re.fullmatch(r" +\d+\.\d s  .*", stage) for stage in stages)
    assert line.startswith("unmix: ")
    assert line.isprintable()
    assert "Traceback" not in line
    assert what_is_there(folder) == before
    return line


# --- the data -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "empty"),
        (b"a,b\n", "no rows"),
        (b"a,b\n1,2\n3,inf\n", "column 'b' is infinite ('inf') on line 3"),
        (b"a,b\n1,2\ntwo,3\n4,5\n", "column 'a' holds 'two' on line 3"),
        (b'a,b\n1,2\n"2,5",3\n4,5\n', "column 'a' holds '2,5' on line 3"),
        (b"a,b\n1,2\n3\n", "line 3 of 'bad.csv' has 1 cells and the header has 2"),
        (b"a,b\n1,2,3\n", "line 2 of 'bad.csv' has 3 cells"),
        (b"a,b\n1,2\n1,3\n", "column 'a' is constant"),
        (b"a,a\n1,2\n3,4\n", "column 'a' is there twice"),
        (b"a;b\n1;2\n", "semicolons"),
        (b"x,y\nu,v\n", "no column of 'bad.csv' holds numbers"),
        (b"PK\x03\x04\0\0", "not text"),
        (b"PAR1 and no more", "damaged or cut short"),
        (b'a,b\n1,"2\n', "cannot be read as CSV"),
        (b"a,b\n1,2\n\x1b[2J,3\n4,5\n", "holds '\\x1b[2J'"),
    ],
)
def test_bad_data(run, tmp_path, content, part):
    (tmp_path / "bad.csv").write_bytes(content)
    assert part in refused(run, tmp_path, "fit", "bad.csv", "-k", 2)


@pytest.mark.parametrize("cells", [b"1,2\n,3\n4,5\n", b"1,2\nnan,3\n4,5\n"])
def test_a_missing_cell_that_the_model_does_not_take(run, tmp_path, cells):
    for mark in (b"", b"\xef\xbb\xbf"):
        (tmp_path / "bad.csv").write_bytes(mark + b"a,b\n" + cells)
        arguments = ("fit", "bad.csv", "-k", 2, "--model", "student_t", "--covariance", "full")
        assert "column 'a' has no value on line 3" in refused(run, tmp_path, *arguments)


def test_a_missing_file(run, tmp_path):
    assert "there is no file 'none.csv'" in refused(run, tmp_path, "fit", "none.csv", "-k", 2)


def test_a_folder_for_a_file(run, tmp_path):
    assert "is a folder" in refused(run, tmp_path, "fit", tmp_path, "-k", 2)


def test_a_file_that_may_not_be_read(run, tmp_path, monkeypatch):
    def no(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", no)
    assert "Permission denied" in refused_without_looking(run, "fit", "data.csv", "-k", 2)


def refused_without_looking(run, *arguments) -> str:
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    (line,) = done.stderr.splitlines()
    return line


# --- the options ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["-k", 0], "-k is 0: ask for 1 component or more"),
        (["-k", -3], "-k is -3"),
        (["-k", 4], "-k is 4 and there are only 3 rows"),
        (["-k", "two"], "valid integer"),
        ([], "'-k'"),
        (["-k", 2, "--columns", "c"], "no column 'c' in 'data.csv': it has 'a', 'b' and 'kind'"),
        (["-k", 2, "--columns", "a,a"], "column 'a' is asked for twice"),
        (["-k", 2, "--columns", "a,"], "empty name"),
        (["-k", 2, "--columns", ""], "empty name"),
        (["-k", 2, "--columns", "kind"], "column 'kind' holds 'x' on line 2"),
        (["-k", 2, "--id", "c"], "no column 'c'"),
        (["-k", 2, "--id", "kind"], "id column 'kind' holds 'x' on lines 2 and 4"),
        (["-k", 2, "--id", "a", "--columns", "a"], "both the id and data"),
        (["-k", 2, "--draws", 0], "--draws is 0"),
        (["-k", 2, "--tune", -1], "--tune is -1"),
        (["-k", 2, "--chains", 0], "--chains is 0"),
        (["-k", 2, "--cores", 0], "--cores is 0"),
        (["-k", 2, "--seed", -1], "--seed is -1"),
        (["-k", 2, "--method", "gibs"], "'gibs'"),
        (["-k", 2, "--covariance", "tied"], "'tied'"),
        (["-k", 2, "--format", "pickle"], "'pickle'"),
        (["-k", 2, "--nonsense"], "--nonsense"),
    ],
)
def test_bad_options(run, tmp_path, options, part):
    assert part in refused(run, tmp_path, "fit", "data.csv", *options)


def test_zarr_that_is_not_installed(run, tmp_path, monkeypatch):
    from importlib import util

    monkeypatch.setattr(util, "find_spec", lambda name: None)
    line = refused(run, tmp_path, "fit", "data.csv", "-k", 2, "--format", "zarr")
    assert "install unmix[zarr]" in line


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--break", "rule"], "'rule'"),
        (["--columns", "sleeping"], "no column 'sleeping': choose 'eruptions' and 'waiting'"),
        (["--columns", "waiting,waiting"], "asked for twice"),
        (["--break", "weights", "-o", "there"], "--break writes nothing"),
        (["--draws", 0], "--draws is 0"),
    ],
)
def test_bad_options_of_the_demo(run, tmp_path, options, part):
    assert part in refused(run, tmp_path, "demo", *options)


def test_an_unknown_command(run, tmp_path):
    assert "'fitt'" in refused(run, tmp_path, "fitt")


# --- the output folder ----------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["demo"], ["fit", "data.csv", "-k", 2]])
def test_an_existing_folder_is_left_alone(run, tmp_path, command):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "assignments.csv").write_text("precious")
    assert "'out' exists already" in refused(run, tmp_path, *command, "-o", "out")


@pytest.mark.parametrize("there", ["file", "dangling link"])
def test_whatever_else_is_there_is_left_alone(run, tmp_path, there):
    if there == "file":
        (tmp_path / "out").write_text("precious")
    else:
        (tmp_path / "out").symlink_to(tmp_path / "nowhere")
    assert "'out' exists already" in refused(run, tmp_path, "fit", "data.csv", "-k2", "-o", "out")


# Nobody waits for a table to be read, let alone fitted, only to be told this.
def test_the_folder_is_looked_at_before_the_data(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "bad.csv").write_text("a\nx\n")
    assert "exists already" in refused(run, tmp_path, "fit", "bad.csv", "-k", 2, "-o", "out")


@pytest.mark.parametrize("parent", ["nowhere", "data.csv"])
def test_a_folder_that_has_no_place(run, tmp_path, parent):
    line = refused(run, tmp_path, "fit", "data.csv", "-k", 2, "-o", f"{parent}/out")
    assert "there is no folder to make" in line


def test_a_place_where_nothing_can_be_made(run):
    if not Path("/proc/self").exists():
        pytest.skip("needs a file system that even root cannot write to: /proc")
    done = run("fit", "data.csv", "-k", 2, "-o", "/proc/unmix")
    assert done.exit_code == 2
    *stages, line = done.stderr.splitlines()
    assert all(re.fullmatch(r" +\d+\.\d s  .*", stage) for stage in stages)
    assert line.startswith("unmix: cannot make the folder '/proc/unmix': ")


# A limit on the size of files is what a full disk looks like to a process.
def test_a_disk_that_is_full_in_the_middle(tmp_path):
    (tmp_path / "data.csv").write_text(GOOD)
    code = """
import resource
import unmix
from unmix import analysis, cli
def analyse(x, plan, out, console):
    out.write("first.txt", lambda path: path.write_text("small"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    out.write("second.txt", lambda path: path.write_text(10_000 * "x"))
analysis.analyse = analyse
cli.app(["fit", "data.csv", "-k", "2", "-o", "out"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "unmix: cannot write 'out/second.txt': File too large\n"
    assert "Written to 'out' before it ended: first.txt" in done.stdout
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["first.txt"]


def test_an_error_of_the_system_that_nobody_foresaw(run, tmp_path, monkeypatch):
    def analyse(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(analysis, "analyse", analyse)
    done = run("fit", "data.csv", "-k", 2, "-o", "out")
    assert done.exit_code == 2
    assert done.stderr == "unmix: the disk or the system refused: Input/output error\n"
    assert not (tmp_path / "out").exists()


def test_a_sentence_that_was_broken_is_put_on_one_line(run, tmp_path, monkeypatch):
    def analyse(*_):
        raise UnmixError("the first half\n  and the second")

    monkeypatch.setattr(analysis, "analyse", analyse)
    done = run("fit", "data.csv", "-k", 2)
    assert done.stderr == "unmix: the first half and the second\n"


# What is our own mistake is not passed off as the user's.
def test_a_mistake_of_ours_keeps_its_traceback(run, tmp_path, monkeypatch):
    def analyse(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(analysis, "analyse", analyse)
    done = run("fit", "data.csv", "-k", 2, "-o", "out")
    assert isinstance(done.exception, ZeroDivisionError)
    assert not (tmp_path / "out").exists()


# --- saved fits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["explain", "--obs", "1"], ["check"]])
@pytest.mark.parametrize(
    ("content", "part"),
    [
        (None, "there is no fit 'fit.nc'"),
        (b"", "not netCDF"),
        (b"a,b\n1,2\n", "not netCDF"),
        (b"\x89HDF\r\n\x1a\n and then nothing of the kind", "damaged or was cut short"),
    ],
)
def test_a_fit_that_is_none(run, tmp_path, command, content, part):
    if content is not None:
        (tmp_path / "fit.nc").write_bytes(content)
    assert part in refused(run, tmp_path, *command, "fit.nc")


@pytest.mark.parametrize("command", [["explain", "--obs", "1"], ["check"]])
def test_a_fit_that_is_not_ours(run, tmp_path, command):
    other = xr.Dataset({"mu": (("chain", "draw"), np.zeros((1, 2)))})
    other.to_netcdf(tmp_path / "fit.nc", engine="h5netcdf")
    assert "not saved by unmix" in refused(run, tmp_path, *command, "fit.nc")


@pytest.mark.parametrize("command", [["explain", "--obs", "1"], ["check"]])
def test_a_fit_of_a_model_that_is_not_in_the_catalogue(run, tmp_path, command):
    other = xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": (("chain", "draw"), [[1.0]])})})
    other.attrs = {"unmix_version": "0.1.0", "model": "os.system", "model_arguments": "{}"}
    other.to_netcdf(tmp_path / "fit.nc", engine="h5netcdf")
    assert "'os.system', and the catalogue has" in refused(run, tmp_path, *command, "fit.nc")


def test_a_row_that_is_not_there(run, tmp_path):
    import unmix

    model = unmix.models.gaussian(np.array([0.0, 1.0, 5.0, 6.0]))
    em = unmix.em(model, rng=1, starts=2, progress=False)
    unmix.save(em, tmp_path / "em.nc", model=model)
    line = refused(run, tmp_path, "explain", "em.nc", "--obs", "4")
    assert "there is no observation '4'" in line
    assert "0 to 3" in line
