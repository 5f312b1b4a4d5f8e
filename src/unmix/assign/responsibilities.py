"""`responsibilities`: who made each point, by Bayes' rule and by counting, for any fit."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import NDArray

from unmix.arguments import share
from unmix.assign.alignment import component_matches, stored_z
from unmix.assign.averages import Averages
from unmix.assign.groups import Groups, read_groups
from unmix.assign.identity import identity, reference_of
from unmix.assign.matching import match
from unmix.assign.stream import reference_responsibility, stream
from unmix.derive import Derivation, bayes, derive
from unmix.derive.theta import Stack, stack_theta


def responsibilities(
    model: pm.Model | None = None,
    fit: Any = None,
    new: Mapping[str, Any] | pm.Model | None = None,
    *,
    by: Any = None,
    interval: float = 0.89,
) -> xr.Dataset:
    r"""Responsibilities of every component for every observation.

    At one θ they are Bayes' rule. Over draws they are averaged,

    .. math:: p(z_i = k \mid x) ≈ \frac{1}{T} \sum_t p(z_i = k \mid x_i, θ_t),

    the Rao–Blackwell estimate of what counting z_i = k over draws estimates as well (Liu, Wong and
    Kong 1994, Biometrika 81:27). Components are matched over draws before averaging, within the
    model's symmetry; averages stream, no array of draws × obs × component is built.

    Parameters
    ----------
    model
        The declared mixture; found in the ``with`` block when left out.
    fit
        EM result, draws of any origin, or a point.
    new
        Other rows: a dict of arrays, or a second model (see `bayes_rule`).
    by
        The group of each row, shape (obs,): array or Series of names; or the name of what a
        catalogue model was given by row, as ``"groups"``. Then answers are about groups.
    interval
        Mass of the equal-tailed interval over draws.

    Returns
    -------
    xarray.Dataset
        One point: ``responsibility`` (obs, component), ``most_likely`` and ``entropy`` (obs; nats).
        Draws: also ``sd``, ``lower``, ``upper`` (obs, component); ``assignment_frequency`` where
        the fit holds z for these rows; ``overlap`` (mean entropy given θ) and
        ``parameter_uncertainty`` (the rest of the entropy). Attributes: ``identified``,
        ``alignment``.

        With ``by``: the average of a group's rows, which estimates the share of them that each
        component made; ``responsibility``, ``sd``, ``lower`` and ``upper`` (group, component), and
        ``rows`` (group). Its interval is what θ leaves open of the expected share;
        ``counted_lower`` and ``counted_upper``, of the shares of z counted draw by draw, also
        allow for who made each row, and are wider.

    Raises
    ------
    UnmixError
        If the fit does not belong to the model, a row is impossible under every component, or
        ``by`` is not one group for each row.
    """
    interval = share("interval", interval, "0.89")
    fitted = derive(model)
    derivation = fitted if new is None else fitted.on(new)
    stack = stack_theta(derivation, fit)
    groups = None if by is None else read_groups(derivation, by)
    if not stack.dims:
        return _at_a_point(derivation, stack, groups)
    z = stored_z(fitted, fit) if new is None else None
    return _over_draws(fitted, derivation, stack, fit, z, groups, interval)


def _at_a_point(derivation: Derivation, stack: Stack, groups: Groups | None) -> xr.Dataset:
    (block,) = list(stream(derivation, stack))
    r = block.responsibility[0]
    if groups is not None:
        return _by_group(derivation, groups, {"responsibility": groups.means(r[None])[0]})
    return _dataset(derivation, {"responsibility": r}, {"entropy": bayes.entropy(r)})


def _over_draws(
    fitted: Derivation,
    derivation: Derivation,
    stack: Stack,
    fit: Any,
    z: NDArray | None,
    groups: Groups | None,
    interval: float,
) -> xr.Dataset:
    samples, n, k = len(stack), derivation.n_obs, derivation.n_components
    permutation, margin = component_matches(fitted, fit, samples)
    words = reference_of(fit, permutation is not None)
    if permutation is None and derivation is not fitted:
        # Labels belong to the fit: matched on the rows it was made with.
        everything = stack_theta(fitted, fit)
        at_home = reference_responsibility(fitted, everything)
        parts = [
            match(b.responsibility, at_home, fitted.components.symmetry)
            for b in stream(fitted, everything)
        ]
        permutation = np.concatenate([p.permutation for p in parts])
        margin = np.concatenate([p.margin for p in parts])
    reference = None if permutation is not None else reference_responsibility(derivation, stack)
    overlap = np.zeros(n)
    counts = np.zeros((n, k), dtype=np.int64)
    m = n if groups is None else len(groups.names)
    averages = Averages(samples, m, k)
    counted = None if groups is None or z is None else Averages(samples, m, k)
    margins, orders = [], []
    for block in stream(derivation, stack):
        r = block.responsibility
        if permutation is None:
            assert reference is not None
            found = match(r, reference, derivation.components.symmetry)
            order = found.permutation
            margins.append(found.margin)
            orders.append(order)
        else:
            order = permutation[block.samples]
        overlap += bayes.entropy(r).sum(axis=0)
        r = np.take_along_axis(r, order[:, None, :], axis=-1)
        averages.update(r if groups is None else groups.means(r))
        if z is not None:
            aligned = np.take_along_axis(
                np.argsort(order, axis=-1), z[block.samples].astype(np.intp), axis=-1
            )
            for component in range(k):
                counts[:, component] += (aligned == component).sum(axis=0)
            if counted is not None and groups is not None:
                made = (aligned == component for component in range(k))
                counted.update(np.concatenate([groups.means(m[..., None]) for m in made], axis=-1))
    mean = averages.mean
    cells = {"responsibility": mean, "sd": averages.sd, **averages.cells(interval)}
    frequency = counts / samples
    if groups is None:
        entropy = bayes.entropy(mean)
        overlap /= samples
        if z is not None:
            cells["assignment_frequency"] = frequency
        rows = {
            "entropy": entropy,
            "overlap": np.minimum(overlap, entropy),
            "parameter_uncertainty": np.maximum(entropy - overlap, 0.0),
        }
        result = _dataset(derivation, cells, rows)
    else:
        if counted is not None:
            cells["assignment_frequency"] = groups.means(frequency[None])[0]
            cells |= counted.cells(interval, "counted_")
        result = _by_group(derivation, groups, cells)
    if permutation is None:
        margin, permutation = np.concatenate(margins), np.concatenate(orders)
    identified, sentence = identity(fitted, fit, permutation, np.asarray(margin), words)
    result.attrs = {
        "identified": int(identified),
        "alignment": sentence,
        "interval": interval,
        "interval_exact": int(averages.quantiles.exact),
        "samples": samples,
    }
    kind = getattr(fit, "attrs", {}).get("z_kind")
    if z is not None and kind:
        result.attrs["z_kind"] = str(kind)
    return result


def _dataset(
    derivation: Derivation, cells: dict[str, NDArray], rows: dict[str, NDArray]
) -> xr.Dataset:
    labels = derivation.component_labels
    most = labels[np.argmax(cells["responsibility"], axis=-1)]
    return xr.Dataset(
        {
            **{name: (("obs", "component"), value) for name, value in cells.items()},
            "most_likely": ("obs", most),
            **{name: ("obs", value) for name, value in rows.items()},
        },
        coords={"obs": derivation.obs_labels, "component": labels},
    )


def _by_group(derivation: Derivation, groups: Groups, cells: dict[str, NDArray]) -> xr.Dataset:
    return xr.Dataset(
        {
            **{name: (("group", "component"), value) for name, value in cells.items()},
            "rows": ("group", groups.sizes),
        },
        coords={"group": groups.names, "component": derivation.component_labels},
    )
