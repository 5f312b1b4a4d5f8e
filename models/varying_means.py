"""Components whose means vary by group around a common one.

The story of one observation i in group g, from the top:

    w                ~ Dirichlet(1, …, 1)              how common each component is
    mu_k             ~ Normal(middle, R)               where it lies in general
    between          ~ Gamma(2, 4 / s)                 how much groups move it
    mu_group_gk      ~ Normal(mu_k, between)           where it lies in group g
    z_i              ~ Categorical(w)                  which component made observation i
    x_i | z_i = k    ~ Normal(mu_group_g(i)k, sigma_k) what that component makes there

With regions there are two levels, mu_region_rk ~ Normal(mu_k, between_regions) and mu_group_gk ~
Normal(mu_region_r(g)k, between): sites within regions, classes within schools (Gelman and Hill
2007, Data Analysis Using Regression and Multilevel/Hierarchical Models, chapter 12).

Priors are scaled to the data as in `gaussian`: R is the length of its range, s its standard
deviation. `between` is s / 2 on average, as groups move a component by less than all data spread,
and its shape of 2 keeps it from zero, where the means of all groups are one and chains get stuck
(Chung et al. 2013, Psychometrika 78:685). All components move alike, and features are independent.

A row of a group that was never seen is Normal(mu_k, √(sigma_k² + between²)) given z_i = k: the mean
of its group is integrated out, which is exact for each row by itself. Of a group never seen in a
known region it is Normal(mu_region_rk, √(sigma_k² + between²)).

Maximum likelihood does not see priors: EM leaves mu, between and mu_region out and fits the means
of every group by themselves, held together by w and sigma only. A component that takes one row of
each group, with its mean on each, then has sigma 0 and an infinite likelihood: with few rows a
group EM ends there (status *collapsed*), or means little.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray

from unmix.errors import UnmixError
from unmix.printable import printable
from unmix.recipe import remember

# ruff takes siblings for the banned root name
from .group_names import Groups, groups_of, nested  # noqa: TID251
from .held import Held  # noqa: TID251
from .latent import Latent  # noqa: TID251
from .normal_rows import by_feature, coordinates, normal_rows  # noqa: TID251
from .normals import observe_cells  # noqa: TID251
from .parts import add_rows  # noqa: TID251


def varying_means(
    x: Any,
    groups: Any,
    components: int | Sequence[str] = 2,
    *,
    regions: Any = None,
    known: Any = None,
    known_regions: Any = None,
    labels: Any = None,
    together: Any = None,
    fixed: Mapping[str, Any] | None = None,
    concentration: float = 1.0,
    centre: Any = None,
    spread: Any = None,
    scale: Any = None,
    weights: Any = None,
) -> pm.Model:
    """Declare a mixture of normals in which every group of rows moves the components' means.

    Parameters
    ----------
    x
        Rows: array of shape (obs,) or (obs, feature), pandas Series or DataFrame.
    groups
        The group of each row: array or Series of names or whole numbers, shape (obs,). A group may
        have a single row.
    components
        K, or names of the components.
    regions
        The region that the row's group lies in, by row; none for a single level.
    known, known_regions
        Names of the groups that the model has means for, and the region of each, shape (group,).
        By default those that rows are of; with fewer, the other rows are of groups never seen (see
        `unmix.models.on_rows`).
    labels
        What is known of rows' components, as in `gaussian`. New rows have no labels.
    together
        The subject of each row: rows of one subject share one ``z``. Missing: a row on its own.
    fixed
        Values of ``w``, ``mu`` or ``sigma`` that are known, as in `gaussian`. ``mu`` is where
        components lie in general; groups still move them.
    concentration
        Of the Dirichlet prior of ``w``.
    centre, spread, scale
        Middle and length of the data's range, and its standard deviation, by which priors are
        scaled; in units of x, shape () or (feature,). By default the data's own.
    weights
        How much each row counts, 0 or more (`unmix.weigh`); rows of one subject have one weight.
        Priors are scaled to the rows as they stand.

    Returns
    -------
    pymc.Model
        Free ``w`` (component), ``mu`` (component[, feature]), ``between`` ([feature]), ``mu_group``
        (group, component[, feature]), ``sigma`` (component[, feature]), and with regions
        ``between_regions`` and ``mu_region`` (region, component[, feature]); latent ``z`` (obs, or
        subject), observed ``x``.

    Raises
    ------
    UnmixError
        As `gaussian`; for a row without a group or region, a group in two regions, or a known one
        in another region than before.
    """
    rows, own = normal_rows(x, centre=centre, spread=spread, scale=scale)
    latent, held = Latent(rows.labels, labels, together, weights), Held(fixed)
    names = latent.component_names(components, counted=known is None)
    group = groups_of("groups", groups, rows.labels, known)
    region, lies_in = _regions(regions, group, rows.labels, known_regions)
    k, each, of_component = len(names), by_feature(rows), by_feature(rows, "component")
    coords = coordinates(rows, names, group=group.names)
    if region is not None:
        coords["region"] = region.names

    with pm.Model(coords=coords) as model:
        add_rows(model, rows.labels)
        w = held("w", ("component",), pm.Dirichlet, [concentration] * k)
        mu = held("mu", of_component, pm.Normal, own.centre, own.spread)
        between = pm.Gamma("between", 2, 4 / own.scale, dims=each)
        if region is None:
            above = mu
        else:
            wide = pm.Gamma("between_regions", 2, 4 / own.scale, dims=each)
            mu_region = pm.Normal("mu_region", mu, wide, dims=("region", *of_component))
            above = mu_region[lies_in]
        mu_group = pm.Normal("mu_group", above, between, dims=("group", *of_component))
        sigma = held("sigma", of_component, pm.Gamma, 2, 2 / own.scale)
        z = latent.declare(w, names)
        if not group.unseen:
            mean, spread_of = mu_group[group.of_row, z], sigma[z]
        elif region is None:
            mean = pt.concatenate([mu_group, mu[None]])[group.of_row, z]
            variance = pt.stack([0 * between, between**2])[_new(group)]
            spread_of = pt.sqrt(sigma[z] ** 2 + variance)
        else:
            mean = pt.concatenate([mu_group, mu_region, mu[None]])[_level(group, region), z]
            far = between**2 + wide**2
            depth = _new(group) * (1 + (region.of_row == len(region.names)))
            variance = pt.stack([0 * between, between**2, far])[depth]
            spread_of = pt.sqrt(sigma[z] ** 2 + variance)
        dims = ("obs",) if rows.values.ndim == 1 else ("obs", "feature")
        observe_cells(rows.values, mean, spread_of, dims=dims)
    arguments = {
        "components": components if isinstance(components, int) else list(names),
        "known": group.names,
        "known_regions": None if region is None else region.names[lies_in],
        "fixed": held.plain(),
        "concentration": concentration,
        "centre": own.centre,
        "spread": own.spread,
        "scale": own.scale,
    }
    of_region = None if region is None else region.values
    by_row = {"groups": group.values, "regions": of_region, **latent.by_row}
    return remember(latent.weigh(model), "varying_means", arguments, by_row=by_row)


def _regions(
    regions: Any, group: Groups, rows: NDArray, known: Any
) -> tuple[Groups | None, NDArray[np.int64]]:
    """The region of each row, and number of the region of each known group."""
    if regions is None:
        if known is not None:
            raise UnmixError(
                "known_regions names regions and regions is left out: give the region of each row"
            )
        return None, np.zeros(0, dtype=np.int64)
    if known is None:
        region = groups_of("regions", regions, rows)
        return region, nested(group, region)
    known = np.asarray(known)
    if len(known) != len(group.names):
        raise UnmixError(
            f"known_regions has {len(known)} entries for {len(group.names)} known groups: give "
            "the region of each"
        )
    names, lies_in = np.unique(known, return_inverse=True)
    region = groups_of("regions", regions, rows, names)
    _require_same_regions(group, region, lies_in, rows)
    return region, lies_in


def _require_same_regions(
    group: Groups, region: Groups, lies_in: NDArray[np.int64], rows: NDArray
) -> None:
    """Refuse a row of a known group that is said to lie elsewhere: its mean would not move."""
    known = _new(group) == 0
    moved = known & (region.of_row != np.append(lies_in, -1)[group.of_row])
    if moved.any():
        i = int(np.flatnonzero(moved)[0])
        before = region.names[lies_in[group.of_row[i]]]
        raise UnmixError(
            f"group {printable(group.values[i])} lies in region {printable(before)}, and row "
            f"{rows[i]} says region {printable(region.values[i])}: correct the region, or give a "
            "group of another region another name"
        )


def _new(group: Groups) -> NDArray[np.int64]:
    """One for each row of a group never seen, else zero."""
    return (group.of_row == len(group.names)).astype(np.int64)


def _level(group: Groups, region: Groups) -> NDArray[np.int64]:
    """Row of the table of means: those of groups, then of regions, then the common one."""
    return np.where(_new(group) == 1, len(group.names) + region.of_row, group.of_row)
