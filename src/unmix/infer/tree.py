"""The result tree: everything that was drawn, by group."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from unmix.assign.draws import Assigned
from unmix.assign.identity import identity
from unmix.derive import Derivation
from unmix.derive.latent import z_dtype
from unmix.derive.present import rows_shown


def result_tree(
    derivation: Derivation,
    posterior: xr.Dataset,
    stats: xr.Dataset,
    z: NDArray,
    assigned: Assigned,
    aligned_to: str,
) -> xr.DataTree:
    """Everything that was drawn, by group; `aligned_to` says what components were matched to."""
    shape = (posterior.sizes["chain"], posterior.sizes["draw"])
    samples = {"chain": posterior["chain"].values, "draw": posterior["draw"].values}
    identified, sentence = identity(
        derivation, posterior, assigned.permutation, assigned.margin, aligned_to
    )
    stats = stats.assign_coords(samples).assign(
        log_likelihood=(("chain", "draw"), assigned.log_likelihood.reshape(shape)),
        concentration=(("chain", "draw"), assigned.concentration.reshape(shape)),
    )
    assignments = xr.Dataset(
        {derivation.latent.name: (("chain", "draw", "obs"), z.reshape(*shape, -1))},
        coords={**samples, "obs": derivation.obs_labels},
    )
    alignment = xr.Dataset(
        {
            "permutation": (
                ("chain", "draw", "component"),
                assigned.permutation.reshape(*shape, -1).astype(z_dtype(derivation.n_components)),
            ),
            "margin": (("chain", "draw"), assigned.margin.reshape(shape)),
        },
        coords={**samples, "component": derivation.component_labels},
        attrs={
            "identified": int(identified),
            "alignment": sentence,
            "aligned_to": aligned_to,
        },
    )
    groups = {
        "posterior": posterior.assign_coords(samples),
        "sample_stats": stats,
        "assignments": assignments,
        "alignment": alignment,
        "observed_data": observed_data(derivation),
    }
    return xr.DataTree.from_dict(groups)


def observed_data(derivation: Derivation) -> xr.Dataset:
    """The rows that the model was declared on, with the model's dims."""
    variables, coords = {}, {}
    for name in derivation.opened.observed:
        array = rows_shown(derivation, name)
        declared = derivation.model.named_vars_to_dims.get(name) or (None,) * array.ndim
        dims = tuple(d if d is not None else f"{name}_dim_{i}" for i, d in enumerate(declared))
        variables[name] = (dims, array)
        for d in dims:
            labels = derivation.model.coords.get(d)
            if labels is not None:
                coords[d] = np.asarray(labels)
    found = xr.Dataset(variables, coords=coords)
    # A single column has no dim along which its name could stand.
    feature = derivation.model.coords.get("feature")
    for variable in found.data_vars.values():
        if variable.ndim == 1 and feature is not None and len(feature) == 1:
            variable.attrs["feature"] = str(feature[0])
    return found
