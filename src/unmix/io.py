"""Fits on disk: netCDF or Zarr, readable by xarray and ArviZ as they are, never a pickle.

A file is written under a name beside the one asked for and renamed when it is whole, so that a
disk that fills up or a key pressed in the middle leaves neither half a fit nor half an old one.
What was saved of a catalogue model is enough to build it again; nothing that a file names is run
but an entry of that catalogue.
"""

import json
import os
import shutil
from collections.abc import Hashable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pymc as pm
import xarray as xr

from unmix import __version__
from unmix.derive import derive
from unmix.errors import UnmixError
from unmix.infer import EMResult
from unmix.infer.tree import observed_data
from unmix.printable import printable
from unmix.recipe import recipe_of
from unmix.saved_em import em_result, em_tree
from unmix.saved_model import load_model as load_model

HDF5 = b"\x89HDF\r\n\x1a\n"
SUFFIXES = (".nc", ".zarr")


# --- saving -------------------------------------------------------------------------------------


def save(
    fit: xr.DataTree | EMResult,
    path: str | Path,
    *,
    model: pm.Model | None = None,
    overwrite: bool = False,
) -> Path:
    """Save a fit.

    Parameters
    ----------
    fit
        The DataTree of `unmix.sample` or of ``pm.sample``, or the result of `unmix.em`.
    path
        Where to; ``.nc`` makes a netCDF file, ``.zarr`` a Zarr store.
    model
        The model that was fitted. One from `unmix.models` is noted together with its rows, so that
        `load_model` can build it again; `unmix.sample` has noted it already.
    overwrite
        Whether a fit that is there already is replaced.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    UnmixError
        If the path exists, has another suffix, or cannot be written; nothing is left half-written.
    """
    path = writable(path, overwrite=overwrite)
    tree = em_tree(fit) if isinstance(fit, EMResult) else fit
    if not isinstance(tree, xr.DataTree):
        raise UnmixError(
            f"a {type(fit).__name__} cannot be saved: pass an EM result, or the DataTree of "
            "unmix.sample or pm.sample"
        )
    tree = _with_recipe(tree, model)
    temporary = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    try:
        _write(tree, temporary, path.suffix)
        _put_in_place(temporary, path, overwrite)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "the disk refused"
        raise UnmixError(f"cannot write {printable(path, 200)}: {reason}") from error
    finally:
        _remove(temporary)
    return path


def writable(path: str | Path, *, overwrite: bool = False) -> Path:
    """The path, if a fit may be saved there.

    Raises
    ------
    UnmixError
        If its suffix is another, its folder is missing, or something is there already.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise UnmixError(
            f"{printable(path, 200)} should end in .nc (netCDF) or .zarr (Zarr), which says how "
            "to save"
        )
    if not path.parent.is_dir():
        raise UnmixError(f"there is no folder {printable(path.parent, 200)} to save in: make it")
    if path.exists() and not overwrite:
        raise UnmixError(
            f"{printable(path, 200)} exists already: choose another name, or remove it"
        )
    return path


def _with_recipe(tree: xr.DataTree, model: pm.Model | None) -> xr.DataTree:
    """The tree with our attributes, all of them plain, and with the model's recipe and rows."""
    attrs = {"unmix_version": __version__, **tree.attrs}
    groups = dict(tree.to_dict())
    if model is not None and not attrs.get("model"):
        recipe = recipe_of(model)
        attrs["model"], attrs["model_arguments"] = recipe.name, recipe.arguments
        groups |= {f"/{group}": rows for group, rows in recipe.groups().items()}
    if model is not None and "/observed_data" not in groups and attrs.get("model"):
        groups["/observed_data"] = observed_data(derive(model))
    plain = xr.DataTree.from_dict(groups)
    plain.attrs = {name: _plain(name, value) for name, value in attrs.items()}
    return plain


def _plain(name: Hashable, value: Any) -> str | int | float:
    if isinstance(value, bool | np.bool_):
        return int(value)
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, np.integer | np.floating):
        return value.item()
    try:
        return json.dumps(value)
    except TypeError:
        raise UnmixError(
            f"the fit's attribute {printable(name)} is a {type(value).__name__} and cannot be "
            "saved: make it a number or a text"
        ) from None


def _write(tree: xr.DataTree, path: Path, suffix: str) -> None:
    if suffix == ".zarr":
        try:
            import zarr  # noqa: F401
        except ImportError:
            raise UnmixError(
                "saving as .zarr needs the package zarr: install unmix[zarr], or save as .nc"
            ) from None
        tree.to_zarr(path, mode="w-", consolidated=False, zarr_format=3)
        return
    # Assignments are small integers with long runs; draws of θ hardly get smaller.
    packed = {"zlib": True, "complevel": 1}
    encoding = {
        name: {v: packed for v, array in group.data_vars.items() if array.dtype.kind in "iu"}
        for name, group in tree.to_dict().items()
    }
    # HDF5 that meets a full disk takes the process down with it (seen: a segmentation fault on the
    # way out), so the file is made in memory and Python writes it.
    image = tree.to_netcdf(None, engine="h5netcdf", encoding=encoding)
    with path.open("xb") as file:
        file.write(image)
        file.flush()
        os.fsync(file.fileno())


def _put_in_place(temporary: Path, path: Path, overwrite: bool) -> None:
    if not path.exists() or not overwrite:
        writable(path)  # someone may have put something there in the meantime
        temporary.rename(path)
    elif path.is_dir() or temporary.is_dir():  # a folder that is not empty cannot be replaced
        aside = path.with_name(f".{path.name}.{uuid4().hex[:8]}.old")
        path.rename(aside)
        temporary.rename(path)
        _remove(aside)
    else:
        temporary.replace(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


# --- loading ------------------------------------------------------------------------------------


def load(path: str | Path) -> xr.DataTree | EMResult:
    """Load a saved fit.

    Parameters
    ----------
    path
        What `save` wrote.

    Returns
    -------
    xarray.DataTree or EMResult
        Whatever was saved, all of it in memory.

    Raises
    ------
    UnmixError
        If there is none, it was cut short, or it was not saved by unmix.
    """
    return fit_in(load_tree(path))


def load_tree(path: str | Path) -> xr.DataTree:
    """Everything that a file holds: the fit, and what builds its model again.

    Raises
    ------
    UnmixError
        As `load`.
    """
    path = Path(path)
    shown = printable(path, 200)
    if not path.exists():
        raise UnmixError(f"there is no fit {shown}: check its path")
    options: dict[str, Any] = {"decode_times": False, "decode_timedelta": False}
    try:
        if path.is_dir():
            # Format 3 only: arrays of format 2 may ask for a codec that unpickles, and zarr before
            # 3.4 obeys.
            if not (path / "zarr.json").is_file() or any(path.rglob(".z*")):
                raise UnmixError(f"{shown} is a folder and no saved fit: name the fit in it")
            options |= {"engine": "zarr", "zarr_format": 3, "consolidated": False}
        else:
            with path.open("rb") as file:
                head = file.read(len(HDF5))
            if head != HDF5:
                raise UnmixError(f"{shown} is no fit saved by unmix: it is not netCDF")
            options["engine"] = "h5netcdf"
        with xr.open_datatree(path, **options) as opened:
            tree = opened.load()
    except UnmixError:
        raise
    except Exception as error:  # the libraries below raise whatever they stumble over
        if isinstance(error, PermissionError):
            raise UnmixError(f"cannot read {shown}: {os.strerror(error.errno or 13)}") from error
        raise UnmixError(
            f"{shown} cannot be read: it is damaged or was cut short; save the fit again"
        ) from error
    if "unmix_version" not in tree.attrs:
        raise UnmixError(f"{shown} was not saved by unmix: save it with unmix.save")
    return _with_plain_types(tree)


def _with_plain_types(tree: xr.DataTree) -> xr.DataTree:
    """Python numbers in the attributes, and text coordinates as they were before saving."""
    groups = {}
    for name, dataset in tree.to_dict().items():
        text = {
            coord: (values.dims, np.asarray(values.to_numpy(), dtype=object))
            for coord, values in dataset.coords.items()
            if values.dtype.kind == "T"
        }
        groups[name] = dataset.assign_coords(text)
    plain = xr.DataTree.from_dict(groups)
    plain.attrs = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in tree.attrs.items()
    }
    return plain


def fit_in(tree: xr.DataTree) -> xr.DataTree | EMResult:
    """The fit in what `load_tree` gave: an EM result where one was saved, else the tree."""
    return em_result(tree) if tree.attrs.get("method") == "em" else tree
