"""What a fit already knows about its assignments and labels, and θ with labels matched."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import NDArray

from unmix.arguments import random_generator
from unmix.assign.drawing import draw_z
from unmix.assign.draws import assign_draws
from unmix.assign.identity import identity, reference_of
from unmix.assign.matching import OPEN_MARGIN, match
from unmix.assign.stream import stream
from unmix.derive import Derivation, bayes, derive
from unmix.derive.latent import z_dtype
from unmix.derive.theta import Stack, as_dataset, in_order_of, stack_theta, theta_dataset
from unmix.errors import UnmixError
from unmix.fingerprint import require_same


def stored_z(derivation: Derivation, fit: Any) -> NDArray | None:
    """Assignments that a fit holds, shape (sample, obs), raw labels; None where it has none.

    Raises
    ------
    UnmixError
        If the fit was made with another model, or holds components that the model has not.
    """
    name = derivation.latent.name
    if isinstance(fit, xr.DataTree):
        require_same(derivation, str(fit.attrs.get("fingerprint", "")))
        if "assignments" in fit.children and name in fit["assignments"]:
            array = fit["assignments"].to_dataset()[name]
        elif "posterior" in fit.children and name in fit["posterior"]:
            array = fit["posterior"].to_dataset()[name]
        else:
            return None
    else:
        dataset = theta_dataset(fit)
        if name not in dataset or "draw" not in dataset[name].dims:
            return None
        array = dataset[name]
    lead = tuple(d for d in ("chain", "draw") if d in array.dims)
    array = array.transpose(*lead, ...)
    if array.ndim == len(lead) + 1 and array.dims[-1] in array.coords:
        order = in_order_of(derivation.obs_labels, array[array.dims[-1]].values)
        if order is not None:
            array = array.isel({array.dims[-1]: order})
    _require_same_draws(fit, array, name)
    z = array.values.reshape(int(np.prod(array.shape[: len(lead)])), -1)
    if z.shape[1] != derivation.n_obs:
        raise UnmixError(
            f"the fit's {name!r} has {z.shape[1]} elements and the model's has "
            f"{derivation.n_obs}: is this a fit of another model?"
        )
    # Whole already where the type says so: comparing would copy what may be gigabytes.
    whole = z.dtype.kind in "biu" or bool(np.all(z == np.floor(z)))
    if z.min() < 0 or z.max() >= derivation.n_components or not whole:
        raise UnmixError(
            f"the fit's {name!r} holds {z.min()} to {z.max()}, and components are numbered 0 to "
            f"{derivation.n_components - 1}: is this a fit of another model?"
        )
    return z.astype(z_dtype(derivation.n_components), copy=False)


def _require_same_draws(fit: Any, z: xr.DataArray, name: str) -> None:
    """Refuse z whose draws are not those of θ: cut or thinned by itself, or of another run.

    Raises
    ------
    UnmixError
        Naming the dim that differs.
    """
    theta = theta_dataset(fit)
    for dim in ("chain", "draw"):
        if dim not in z.dims or dim not in theta.dims:
            continue
        same = z.sizes[dim] == theta.sizes[dim] and (
            dim not in z.coords
            or dim not in theta.coords
            or np.array_equal(z[dim].values, theta[dim].values)
        )
        if not same:
            raise UnmixError(
                f"the fit's draws of {name!r} are not its draws of the parameters: {dim!r} differs "
                f"({z.sizes[dim]} and {theta.sizes[dim]}); cut or thin all groups alike"
            )


def component_matches(
    derivation: Derivation, fit: Any, samples: int
) -> tuple[NDArray[np.int64] | None, NDArray | None]:
    """The permutations and margins that a fit holds, shapes (sample, component) and (sample,).

    None where the fit holds none, or holds some that are not of these draws: groups that were cut,
    reordered or permuted by hand. Then components are matched anew.
    """
    if not isinstance(fit, xr.DataTree) or "alignment" not in fit.children:
        return None, None
    group = fit["alignment"].to_dataset().transpose("chain", "draw", "component")
    posterior = fit["posterior"].to_dataset()
    k = derivation.n_components
    for dim in ("chain", "draw"):
        if not np.array_equal(group[dim].values, posterior[dim].values):
            return None, None
    permutation = group["permutation"].values.reshape(-1, k).astype(np.int64)
    margin = group["margin"].values.reshape(-1)
    if len(permutation) != samples or np.any(np.sort(permutation, axis=1) != np.arange(k)):
        return None, None
    if not fit["alignment"].attrs.get("identified", 1):
        return permutation, margin  # no labels to contradict
    stack = stack_theta(derivation, fit)
    looks = np.unique(np.linspace(0, samples - 1, 32).astype(int))
    reference = None
    for some, r in _looked_at(derivation, stack, looks):
        aligned = np.take_along_axis(r, permutation[some][:, None, :], axis=-1)
        reference = aligned[0].copy() if reference is None else reference
        again = match(aligned, reference, derivation.components.symmetry)
        clear = again.margin > OPEN_MARGIN
        if np.any(again.permutation[clear] != np.arange(k)):
            return None, None
    return permutation, margin


def _looked_at(
    derivation: Derivation, stack: Stack, looks: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray]]:
    """Some draws, and responsibilities (draw, row, component) at them.

    Of a sample of the rows where rows are proved never to meet: labels moved by hand show in any.
    """
    by_rows = derivation.by_rows
    if by_rows is None:
        for part in derivation.blocks(len(looks)):
            yield looks[part], derivation.bayes(stack[looks[part]]).responsibility
        return
    rows = by_rows.sample(np.random.default_rng(0))
    for s in looks:
        yield np.array([s]), bayes.normalise(by_rows.joint(stack.point(int(s)), rows))[1][None]


def align(model: pm.Model | None = None, fit: Any = None) -> xr.Dataset:
    """θ with the components of every draw in one order, within the model's symmetry.

    Parameters
    ----------
    model
        The declared mixture; found in the ``with`` block when left out.
    fit
        Draws of any origin.

    Returns
    -------
    xarray.Dataset
        All of θ that the fit holds, permuted draw by draw. Attributes ``identified`` and
        ``alignment`` say whether labels mean something; the fit itself is left as it was.

    Raises
    ------
    UnmixError
        If the fit does not belong to the model.
    """
    derivation = derive(model)
    if isinstance(fit, xr.DataTree):
        require_same(derivation, str(fit.attrs.get("fingerprint", "")))
    dataset = theta_dataset(fit)
    held = tuple(name for name in derivation.parameters if name in dataset)
    stack = stack_theta(derivation, fit, held)
    if not stack.dims:
        return dataset
    permutation, margin = component_matches(derivation, fit, len(stack))
    words = reference_of(fit, permutation is not None)
    if permutation is None:
        assigned = assign_draws(derivation, stack_theta(derivation, fit), None)
        permutation, margin = assigned.permutation, assigned.margin
    moved = derivation.components.permute(stack.values, permutation)
    shaped = {n: v.reshape(*stack.shape, *v.shape[1:]) for n, v in moved.items()}
    result = as_dataset(derivation, shaped, stack.dims).assign_coords(stack.coords)
    identified, sentence = identity(derivation, fit, permutation, np.asarray(margin), words)
    result.attrs = {"identified": int(identified), "alignment": sentence}
    return result


def draw_assignments(
    model: pm.Model | None = None,
    fit: Any = None,
    *,
    rng: int | np.random.Generator | None = None,
) -> xr.Dataset:
    """Draw every z_i exactly from its responsibilities at each draw of θ.

    Parameters
    ----------
    model
        The declared mixture; found in the ``with`` block when left out.
    fit
        EM result, draws of any origin, or a point.
    rng
        Seed or generator.

    Returns
    -------
    xarray.Dataset
        One variable with the latent's name, dims (…, obs), raw labels.
    """
    derivation = derive(model)
    stack = stack_theta(derivation, fit)
    generator = random_generator(rng)
    z = np.empty((len(stack), derivation.n_obs), dtype=z_dtype(derivation.n_components))
    for block in stream(derivation, stack):
        z[block.samples] = draw_z(block.responsibility, generator)
    return xr.Dataset(
        {derivation.latent.name: ((*stack.dims, "obs"), z.reshape(*stack.shape, -1))},
        coords={**stack.coords, "obs": derivation.obs_labels},
    )
