"""Fits on disk come back as they went, and what is no fit is refused in one sentence."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pymc as pm
import pytest
import xarray as xr

import unmix
from unmix.errors import UnmixError
from unmix.infer import EMResult
from unmix.infer.status import status
from unmix.io import load, load_model, load_tree, save

SUFFIXES = [".nc", ".zarr"]


def draws(obs, model: str = "") -> xr.DataTree:
    """A tree of the shape that `unmix.sample` gives, with numbers from nowhere."""
    rng = np.random.default_rng(3)
    n, coords = len(obs), {"chain": [0, 1], "draw": np.arange(5)}
    tree = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(
                {
                    "w": (("chain", "draw", "component"), rng.dirichlet([1, 1], size=(2, 5))),
                    "mu": (("chain", "draw", "component"), rng.normal(size=(2, 5, 2))),
                },
                coords={**coords, "component": [0, 1]},
            ),
            "sample_stats": xr.Dataset(
                {"diverging": (("chain", "draw"), rng.random((2, 5)) < 0.5)}, coords=coords
            ),
            "assignments": xr.Dataset(
                {"z": (("chain", "draw", "obs"), rng.integers(2, size=(2, 5, n), dtype=np.uint8))},
                coords={**coords, "obs": obs},
            ),
            "observed_data": xr.Dataset({"x": ("obs", rng.normal(size=n))}, coords={"obs": obs}),
        }
    )
    tree.attrs = {
        "unmix_version": unmix.__version__,
        "method": "nuts",
        "model": model,
        "model_arguments": '{"components": 2}',
        "seed": 7,
        "seconds": 1.5,
        "interrupted": np.bool_(False),
    }
    return tree


def names(*texts: str):
    return np.array(texts, dtype=object)


def an_em_result(seed: int | None = 5) -> EMResult:
    return EMResult(
        theta=xr.Dataset({"w": ("component", [0.25, 0.75])}, coords={"component": [0, 1]}),
        log_likelihood=-10.5,
        objective=-10.5,
        kind="likelihood",
        df=5,
        n_obs=12,
        status=status("converged", "2 of 3 starts reached the best"),
        trace=np.array([-20.0, -11.0, -10.5]),
        starts=xr.Dataset(
            {
                "objective": ("start", [-10.5, -12.0]),
                "iterations": ("start", [3, 4]),
                "status": ("start", np.array(["converged", "collapsed"])),
                "reached_best": ("start", [True, False]),
            }
        ),
        left_out=("tau",),
        fixed=(),
        seconds=0.25,
        seed=seed,
    )


# --- there and back -----------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("obs", [[0, 1, 2], names("a", "é", "a longer one")])
def test_draws_come_back_as_they_went(tmp_path, suffix, obs):
    tree = draws(obs)
    back = load(save(tree, tmp_path / f"fit{suffix}"))
    assert isinstance(back, xr.DataTree)
    assert set(back.children) == set(tree.children)
    for name, group in tree.children.items():
        xr.testing.assert_identical(back[name].to_dataset(), group.to_dataset())
    assert back["assignments"]["z"].dtype == np.uint8
    assert back["sample_stats"]["diverging"].dtype == bool
    assert back.attrs == {**tree.attrs, "interrupted": 0}
    assert {type(v) for v in back.attrs.values()} <= {str, int, float}


# as_rows takes text labels of these kinds for names of rows, and others for none.
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_text_labels_are_of_a_kind_that_names_rows(tmp_path, suffix):
    back = load(save(draws(names("a", "b", "c")), tmp_path / f"fit{suffix}"))
    assert back["assignments"]["obs"].dtype.kind in "UO"


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("seed", [5, None])
def test_an_em_result_comes_back_as_it_went(tmp_path, suffix, seed):
    em = an_em_result(seed)
    back = load(save(em, tmp_path / f"em{suffix}"))
    assert isinstance(back, EMResult)
    assert str(back) == str(em)
    for name in ("log_likelihood", "objective", "kind", "df", "n_obs", "status", "seed", "bic"):
        assert getattr(back, name) == getattr(em, name)
    assert (back.left_out, back.fixed) == (("tau",), ())
    assert back.trace.tolist() == em.trace.tolist()
    xr.testing.assert_equal(back.theta, em.theta)
    assert back.starts["status"].to_numpy().tolist() == ["converged", "collapsed"]
    assert back.starts["reached_best"].to_numpy().tolist() == [True, False]


def test_any_trace_can_be_saved(tmp_path):
    trace = xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": (("chain", "draw"), [[1.0]])})})
    trace.attrs["sizes"] = {"a": [1, 2]}
    back = load(save(trace, tmp_path / "fit.nc"))
    assert json.loads(back.attrs["sizes"]) == {"a": [1, 2]}
    assert "unmix_version" not in trace.attrs  # what was handed in is left alone


# --- the model again ----------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("columns", [["a"], ["a", "b\nc"]])
def test_a_catalogue_model_can_be_built_again(tmp_path, suffix, columns):
    import pandas as pd

    x = np.random.default_rng(1).normal(size=(6, len(columns)))
    frame = pd.DataFrame(x, columns=columns, index=pd.Index([f"row {i}" for i in range(6)]))
    model = unmix.models.gaussian(frame, components=3, concentration=0.5, correlation=3.0)
    save(an_em_result(), tmp_path / f"em{suffix}", model=model)
    again = load_model(load_tree(tmp_path / f"em{suffix}"))
    assert again.coords == model.coords
    point = model.initial_point(0)
    at = again.initial_point(0)
    assert at.keys() == point.keys()
    assert again.compile_logp(mode="FAST_COMPILE")(point) == model.compile_logp(
        mode="FAST_COMPILE"
    )(point)


def test_a_model_of_ones_own_is_asked_for(tmp_path):
    with pm.Model() as model:
        pm.Normal("mu")
    tree = load_tree(save(an_em_result(), tmp_path / "em.nc", model=model))
    with pytest.raises(UnmixError, match="not in the catalogue"):
        load_model(tree)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("os", "{}"),
        ("__class__", "{}"),
        ("gaussian.__globals__", "{}"),
        ("gaussian", "not json"),
        ("gaussian", "[1]"),
        ("gaussian", '{"no_such_option": 1}'),
        ("gaussian", '{"components": 1000000}'),
        ("gaussian", '{"components": "many"}'),
    ],
)
def test_what_a_file_says_of_its_model_is_not_believed(name, arguments):
    tree = draws([0, 1, 2])
    tree.attrs |= {"model": name, "model_arguments": arguments}
    with pytest.raises(UnmixError) as caught:
        load_model(tree)
    assert str(caught.value).isprintable()


def test_a_fit_without_its_rows_builds_no_model():
    tree = draws([0, 1, 2], model="gaussian")
    del tree["observed_data"]
    with pytest.raises(UnmixError, match="cannot be used"):
        load_model(tree)


# --- writing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_is_overwritten_unless_told(tmp_path, suffix):
    path = save(draws([0, 1, 2]), tmp_path / f"fit{suffix}")
    with pytest.raises(UnmixError, match="exists already"):
        save(draws([0, 1, 2, 3]), path)
    assert load(path)["assignments"].sizes["obs"] == 3
    save(draws([0, 1, 2, 3]), path, overwrite=True)
    assert load(path)["assignments"].sizes["obs"] == 4
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_folder_in_the_place_of_a_file_is_replaced_only_when_told(tmp_path):
    path = tmp_path / "fit.nc"
    path.mkdir()
    (path / "precious").touch()
    with pytest.raises(UnmixError, match="exists already"):
        save(draws([0, 1, 2]), path)
    assert (path / "precious").exists()


@pytest.mark.parametrize(
    ("fit", "path", "what"),
    [
        (draws([0]), "fit.pkl", "should end in .nc"),
        (draws([0]), "fit", "should end in .nc"),
        (draws([0]), "nowhere/fit.nc", "no folder"),
        ({"mu": 1.0}, "fit.nc", "a dict cannot be saved"),
    ],
)
def test_what_cannot_be_saved(tmp_path, fit, path, what):
    with pytest.raises(UnmixError, match=what):
        save(fit, tmp_path / path)
    assert not list(tmp_path.iterdir())


def test_an_attribute_that_is_no_data(tmp_path):
    tree = draws([0])
    tree.attrs["odd"] = object()
    with pytest.raises(UnmixError, match="'odd'"):
        save(tree, tmp_path / "fit.nc")
    assert not list(tmp_path.iterdir())


# A limit on the size of files is what a full disk looks like to a process. In its own process,
# because HDF5 has been seen to take the process with it.
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_disk_that_is_full(tmp_path, suffix):
    code = """
import resource, sys
import numpy as np, xarray as xr
from unmix.errors import UnmixError
from unmix.io import save
mu = np.random.default_rng(0).random((4, 5000))
tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": (("chain", "draw"), mu)})})
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    save(tree, sys.argv[1])
except UnmixError as error:
    print(error)
"""
    path = tmp_path / f"fit{suffix}"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("cannot write")
    assert "File too large" in done.stdout
    assert done.stderr == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_key_pressed_while_writing_leaves_nothing(tmp_path, suffix, monkeypatch):
    def rename(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(KeyboardInterrupt):
        save(draws([0, 1, 2]), tmp_path / f"fit{suffix}")
    assert not list(tmp_path.iterdir())


# --- reading what is no fit ---------------------------------------------------------------------


def refused(path) -> str:
    with pytest.raises(UnmixError) as caught:
        load(path)
    sentence = str(caught.value)
    assert sentence.isprintable()
    return sentence


def test_a_missing_fit(tmp_path):
    assert "no fit" in refused(tmp_path / "fit.nc")


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"CDF\x01\0\0\0\0"])
def test_a_file_that_is_no_netcdf(tmp_path, content):
    path = tmp_path / "fit.nc"
    path.write_bytes(content)
    assert "not netCDF" in refused(path)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9, 0.999])
def test_a_file_that_was_cut_short(tmp_path, share):
    path = save(draws(np.arange(2000)), tmp_path / "fit.nc")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert "damaged or was cut short" in refused(path)


def test_a_store_with_a_damaged_array(tmp_path):
    path = save(draws([0, 1, 2]), tmp_path / "fit.zarr")
    (path / "posterior" / "mu" / "zarr.json").write_text("{")
    assert "damaged or was cut short" in refused(path)


def test_a_folder_that_is_no_store(tmp_path):
    assert "folder" in refused(tmp_path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_of_someone_else(tmp_path, suffix):
    path = tmp_path / f"other{suffix}"
    other = xr.Dataset({"mu": ("x", [1.0])})
    if suffix == ".nc":
        other.to_netcdf(path, engine="h5netcdf")
    else:
        other.to_zarr(path, consolidated=False)
    assert "not saved by unmix" in refused(path)


def test_an_em_result_with_parts_missing(tmp_path):
    tree = load_tree(save(an_em_result(), tmp_path / "em.nc"))
    del tree["trace"]
    path = save(tree, tmp_path / "part.nc")
    assert "parts of it are missing" in refused(path)


# Arrays of Zarr's format 2 may name a codec that unpickles, which zarr obeyed before version 3.4.
@pytest.mark.parametrize("also_3", [False, True])
def test_no_store_of_the_format_that_can_hold_pickles_is_read(tmp_path, also_3):
    pytest.importorskip("zarr")
    path = tmp_path / "fit.zarr"
    if also_3:
        save(draws([0, 1, 2]), path)
    other = xr.Dataset({"mu": ("x", [1.0])}, attrs={"unmix_version": "0"})
    other.to_zarr(path / "other" if also_3 else path, zarr_format=2, consolidated=False)
    assert "no saved fit" in refused(path)
