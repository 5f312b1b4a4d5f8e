"""What a reader of the draws must know, as warnings."""

import warnings

import numpy as np
import xarray as xr

from unmix.assign.convergence import ESS, R_HAT, never_move, still
from unmix.derive import Derivation
from unmix.derive.theta import stack_theta
from unmix.errors import UnmixWarning
from unmix.infer.labellings import unvisited_labelling

# R-hat, on quantities that labels cannot change, beyond which more draws will not do.
CLEARLY = 1.05
# Draws times parameters beyond which R-hat of each would take seconds; `unmix.summary` has them.
MOST_NUMBERS = 2_000_000


def worst_r_hat(stats: xr.Dataset) -> tuple[float, float] | None:
    """Largest R-hat and smallest bulk ESS of what labels cannot change; None where unknown."""
    if stats.sizes["chain"] < 2 or stats.sizes["draw"] < 100:
        return None
    free = stats[["log_likelihood", "concentration"]]
    moving = [n for n, v in free.items() if not still(v.transpose("chain", "draw").values).any()]
    if not moving:
        return None
    free = free[moving]
    import arviz as az  # here, because it takes a second and EM does without

    r_hat = max(float(v) for v in az.rhat(free).data_vars.values())
    return r_hat, min(float(v) for v in az.ess(free).data_vars.values())


def worst_parameter(derivation: Derivation, tree: xr.DataTree) -> tuple[str, float] | None:
    """The number of θ with the largest R-hat, and that; None where unknown.

    Components are matched first. Where they cannot be, only what belongs to none of them is looked
    at.
    """
    posterior, alignment = tree["posterior"].to_dataset(), tree["alignment"].to_dataset()
    if posterior.sizes.get("chain", 0) < 2 or posterior.sizes["draw"] < 100:
        return None
    identified, axes = alignment.attrs["identified"], derivation.components.axes
    names = tuple(n for n in derivation.parameters if identified or n not in axes)
    if not names or sum(posterior[n].size for n in names) > MOST_NUMBERS:
        return None
    stack = stack_theta(derivation, posterior, names)
    order = alignment["permutation"].transpose(*stack.dims, "component").values
    values = derivation.components.permute(stack.values, order.reshape(len(stack), -1))
    import arviz as az  # here, because it takes a second and EM does without

    worst = "", 0.0
    for name, value in values.items():
        numbers = value.reshape(*stack.shape, -1)
        for at in np.flatnonzero(~still(numbers).any(axis=0)):
            r_hat = float(az.rhat(numbers[..., at]))
            if r_hat > worst[1]:
                index = ", ".join(str(i) for i in np.unravel_index(at, value.shape[1:]))
                worst = (f"{name}[{index}]" if index else name), r_hat
    return worst if worst[0] else None


def disagree(r_hat: float, ess: float) -> bool:
    """Whether chains clearly disagree, or slightly while there are few effective draws."""
    return r_hat > CLEARLY or (r_hat > R_HAT and ess < ESS)


def say_labelling(derivation: Derivation, posterior: xr.Dataset) -> None:
    """Warn where chains sat in one of several plausible labellings."""
    found = unvisited_labelling(
        derivation,
        stack_theta(derivation, posterior),
        stack_theta(derivation, posterior, derivation.parameters),
    )
    if found is None:
        return
    i, j, cost = (*(derivation.component_labels[c] for c in found[:2]), found[2])
    warnings.warn(
        f"the prior hardly tells components {i} and {j} apart (swapping them costs {cost:.1f} "
        "log-density units) and no chain moved between the two labellings: responsibilities hold "
        "for the labelling that the chains sat in, and its weight is not known; make the priors "
        "of these components equal, or clearly different",
        UnmixWarning,
        stacklevel=3,
    )


def say_aloud(derivation: Derivation, tree: xr.DataTree, draws: int) -> None:
    """Warn of what a reader of the numbers must know."""
    stats = tree["sample_stats"].to_dataset()
    if tree.attrs["interrupted"]:
        warnings.warn(
            f"interrupted: {stats.sizes['draw']} of {draws} draws were kept, of "
            f"{stats.sizes['chain']} chains",
            UnmixWarning, stacklevel=3,
        )  # fmt: skip
    if "diverging" in stats and int(stats["diverging"].sum()):
        warnings.warn(
            f"{int(stats['diverging'].sum())} divergent draws: the posterior has corners that the "
            "sampler did not reach; tighten the priors, or raise target_accept",
            UnmixWarning, stacklevel=3,
        )  # fmt: skip
    found = worst_r_hat(stats)
    if found is not None and found[0] > CLEARLY:
        warnings.warn(
            f"chains disagree (R-hat {found[0]:.3f} on quantities that labels cannot change): "
            "they may sit on separate modes, whose weights cannot be read from them; draw more, "
            "and look at the chains one by one",
            UnmixWarning, stacklevel=3,
        )  # fmt: skip
    elif found is not None and disagree(*found):
        warnings.warn(
            f"too few effective draws to tell whether chains agree ({found[1]:.0f}, and R-hat "
            f"{found[0]:.3f}, on quantities that labels cannot change): draw more",
            UnmixWarning, stacklevel=3,
        )  # fmt: skip
    else:
        parameter = worst_parameter(derivation, tree)
        if parameter is not None and parameter[1] > CLEARLY:
            warnings.warn(
                f"chains disagree on {parameter[0]} (R-hat {parameter[1]:.3f}): what is said of it "
                "cannot be trusted; draw more, or try another method",
                UnmixWarning, stacklevel=3,
            )  # fmt: skip
    # Where θ holds nothing, nothing could move.
    for sentence in _stuck(stats) if len(tree["posterior"].data_vars) else ():
        warnings.warn(sentence, UnmixWarning, stacklevel=3)
    if not tree["alignment"].attrs["identified"]:
        warnings.warn(
            f"components are {tree['alignment'].attrs['alignment']}", UnmixWarning, stacklevel=3
        )


def _stuck(stats: xr.Dataset) -> tuple[str, ...]:
    """Chains whose likelihood is the same at every draw: θ never moved."""
    if stats.sizes["draw"] < 2:
        return ()
    values = [
        stats[n].transpose("chain", "draw").values for n in ("log_likelihood", "concentration")
    ]
    return never_move(values, stats["chain"].values.tolist())
