"""θ from anything that holds it: an EM result, a trace of any origin, a Dataset, a plain dict."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pymc.distributions.transforms import CholeskyCorrTransform, LogTransform

from unmix.arguments import rectangular
from unmix.derive.derivation import Derivation
from unmix.errors import UnmixError
from unmix.printable import listed

SAMPLE_DIMS = ("chain", "draw", "sample")  # what draws are counted along, outermost first


@dataclass(frozen=True)
class Stack:
    """θ as a stack of samples.

    Attributes
    ----------
    values
        Arrays of shape (sample, …) by parameter name.
    dims
        Sample dims, outermost first: ``()`` for one point, ``("chain", "draw")`` for draws.
    shape
        Their lengths; their product is the number of samples.
    coords
        Their coordinates.
    """

    values: dict[str, NDArray]
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    coords: dict[str, NDArray]

    def __len__(self) -> int:
        return int(np.prod(self.shape))

    def __getitem__(self, samples: slice | NDArray) -> dict[str, NDArray]:
        return {name: value[samples] for name, value in self.values.items()}

    def point(self, sample: int) -> dict[str, NDArray]:
        """θ of one sample."""
        return {name: value[sample] for name, value in self.values.items()}


def theta_dataset(fit: Any) -> xr.Dataset:
    """The Dataset that holds θ in whatever a user has.

    Raises
    ------
    UnmixError
        If there is none, or a parameter of a dict has masked cells or labels of pandas.
    """
    # A posterior may have a parameter of that name, too.
    if hasattr(fit, "theta") and not isinstance(fit, xr.DataTree | xr.Dataset | Mapping):
        fit = fit.theta
    if isinstance(fit, xr.DataTree):
        if "posterior" not in fit.children:
            raise UnmixError(
                "the DataTree has no group 'posterior': pass the result of unmix.sample or "
                "pm.sample"
            )
        return fit["posterior"].to_dataset()
    if isinstance(fit, xr.Dataset):
        return fit
    if hasattr(fit, "posterior") and isinstance(fit.posterior, xr.Dataset):
        return fit.posterior
    if isinstance(fit, Mapping):
        return xr.Dataset({str(name): _array(str(name), value) for name, value in fit.items()})
    raise UnmixError(
        f"cannot read parameters from {type(fit).__name__}: pass an EM result, a DataTree or "
        "Dataset with draws, or a dict of parameter values"
    )


def _array(name: str, value: Any) -> Any:
    """One parameter of a dict as xarray takes it, without labels: those stand for an order."""
    if isinstance(value, xr.DataArray):
        return value
    if hasattr(value, "index") and hasattr(value, "to_numpy"):  # a Series or a frame
        raise UnmixError(
            f"parameter {name!r} is a pandas object, whose labels may stand in another order than "
            "the model's: give an xarray.DataArray with the model's dims, or an array in its order"
        )
    value = rectangular(f"parameter {name!r}", value, "all its numbers")
    return [f"{name}_dim_{i}" for i in range(value.ndim)], value


def stack_theta(derivation: Derivation, fit: Any, names: tuple[str, ...] | None = None) -> Stack:
    """Parameters of a fit as arrays (sample, …), checked against the model.

    Parameters
    ----------
    derivation
        The derived model.
    fit
        Whatever `theta_dataset` accepts.
    names
        Parameters wanted; by default those the table depends on.

    Raises
    ------
    UnmixError
        If a parameter is missing, has another shape than the model's, or is not finite.
    """
    dataset = theta_dataset(fit)
    names = derivation.touched if names is None else names
    dims: tuple[str, ...] | None = None
    shape: tuple[int, ...] = ()
    arrays: dict[str, NDArray] = {}
    for name in names:
        if name not in dataset and name in (left_out := getattr(fit, "left_out", ())):
            raise UnmixError(
                f"EM left out {listed(left_out)}: its rows do not depend on that, and these do, "
                "as those of a group never seen: take a fit with draws, or leave such rows out"
            )
        if name not in dataset:
            raise UnmixError(
                f"the fit holds no parameter {name!r}, which {derivation.latent.name!r} or its "
                f"likelihood depends on; it holds {', '.join(map(str, dataset.data_vars))}"
            )
        array = dataset[name]
        own = len(derivation.shapes[name])
        sample_dims = _sample_dims(array, own, name)
        array = _by_name(derivation, array.transpose(*sample_dims, ...), name, sample_dims)
        if array.shape[len(sample_dims) :] != derivation.shapes[name]:
            raise UnmixError(
                f"parameter {name!r} has shape {array.shape[len(sample_dims) :]} in the fit and "
                f"{derivation.shapes[name]} in the model: is this a fit of another model?"
            )
        if dims is None:
            dims, shape = sample_dims, array.shape[: len(sample_dims)]
        elif array.shape[: len(sample_dims)] != shape:
            here = dict(zip(sample_dims, array.shape, strict=False))
            raise UnmixError(
                f"parameter {name!r} has sample dims {here} and another has "
                f"{dict(zip(dims, shape, strict=True))}: they must come from one fit"
            )
        values = np.asarray(array.values, dtype=float)
        if not np.isfinite(values).all():
            where = np.argwhere(~np.isfinite(values))[0][: len(sample_dims)]
            at = ", ".join(f"{d} {i}" for d, i in zip(sample_dims, where, strict=True))
            raise UnmixError(
                f"parameter {name!r} is not finite{' at ' + at if at else ''}: remove these draws"
            )
        _require_possible(derivation, name, values)
        arrays[name] = values.reshape((-1, *derivation.shapes[name]))
    dims = dims or ()
    coords = {d: np.asarray(dataset[d].values) for d in dims if d in dataset.coords}
    if not names:
        sample = [d for d in ("chain", "draw") if d in dataset.dims]
        dims, shape = tuple(sample), tuple(dataset.sizes[d] for d in sample)
    return Stack(arrays, dims, tuple(shape), coords)


def _require_possible(derivation: Derivation, name: str, values: NDArray) -> None:
    """Refuse what a positive parameter, or a Cholesky factor of correlations, cannot be."""
    transform = derivation.model.rvs_to_transforms.get(derivation.model[name])
    if isinstance(transform, LogTransform) and (values < 0).any():
        raise UnmixError(
            f"parameter {name!r} is {values.min():g} in the fit and positive in the model: is this "
            "a fit of another model?"
        )
    if isinstance(transform, CholeskyCorrTransform):
        from unmix.derive.correlations import is_factor  # here, because it needs this module

        if values.size and not is_factor(values):
            raise UnmixError(
                f"parameter {name!r} holds Cholesky factors of correlation matrices in the model, "
                "and what the fit has under that name is none: of correlation matrices give "
                "np.linalg.cholesky(…)"
            )


def _by_name(
    derivation: Derivation, array: xr.DataArray, name: str, sample_dims: tuple[str, ...]
) -> xr.DataArray:
    """A parameter's dims, and the labels along them, in the order in which the model has them."""
    dims = derivation.dims[name]
    if set(array.dims[len(sample_dims) :]) != set(dims) or len(set(dims)) < len(dims):
        return array  # a trace without the model's names is read by position
    array = array.transpose(*sample_dims, *dims)
    for dim in dims:
        labels = derivation.model.coords.get(dim)
        if labels is None or dim not in array.coords:
            continue
        order = in_order_of(np.asarray(labels), array[dim].values)
        if order is not None:
            array = array.isel({dim: order})
    return array


def in_order_of(wanted: NDArray, there: NDArray) -> NDArray[np.int64] | None:
    """Positions that put labels into a wanted order; None where they are other labels."""
    if len(wanted) != len(there) or np.array_equal(wanted, there):
        return None
    position = {label: i for i, label in enumerate(there.tolist())}
    found = [position.get(label) for label in wanted.tolist()]
    if len(position) < len(there) or None in found:
        return None
    return np.array(found, dtype=np.int64)


def _sample_dims(array: xr.DataArray, own: int, name: str) -> tuple[str, ...]:
    """The leading dims of a parameter's array that count samples."""
    known = tuple(d for d in SAMPLE_DIMS if d in array.dims)
    if array.ndim - len(known) == own:
        return known
    extra = array.ndim - own
    if extra < 0:
        raise UnmixError(
            f"parameter {name!r} has {array.ndim} dims in the fit and {own} in the model: "
            "is this a fit of another model?"
        )
    return tuple(str(d) for d in array.dims[:extra])


def as_dataset(
    derivation: Derivation, theta: Mapping[str, NDArray], sample_dims: tuple[str, ...] = ()
) -> xr.Dataset:
    """Arrays of θ as a Dataset with the model's names, dims and coordinates."""
    variables = {
        name: ((*sample_dims, *derivation.dims[name]), np.asarray(value))
        for name, value in theta.items()
    }
    used = {dim for dims, _ in variables.values() for dim in dims}
    coords = {
        dim: np.asarray(values)
        for dim, values in derivation.model.coords.items()
        if dim in used and values is not None
    }
    return xr.Dataset(variables, coords=coords)
