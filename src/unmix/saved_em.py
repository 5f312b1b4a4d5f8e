"""An EM result as a tree of groups, and back."""

import json

import xarray as xr

from unmix import __version__
from unmix.errors import UnmixError
from unmix.infer import EMResult
from unmix.infer.status import Status


def em_tree(em: EMResult) -> xr.DataTree:
    """Groups ``theta``, ``starts`` and ``trace``; all else in attributes."""
    tree = xr.DataTree.from_dict(
        {
            "theta": em.theta,
            "starts": em.starts,
            "trace": xr.Dataset({"objective": ("iteration", em.trace)}),
        }
    )
    tree.attrs = {
        "unmix_version": __version__,
        "method": "em",
        "kind": em.kind,
        "assignments": em.assignments,
        "log_likelihood": em.log_likelihood,
        "objective": em.objective,
        "df": em.df,
        "n_obs": em.n_obs,
        "weight": em.total_weight,
        "status": em.status.name,
        "advice": em.status.advice,
        "left_out": json.dumps(em.left_out),
        "fixed": json.dumps(em.fixed),
        "seconds": em.seconds,
        "seed": json.dumps(em.seed),
    }
    return tree


def em_result(tree: xr.DataTree) -> EMResult:
    """What `em_tree` made a tree of."""
    a = tree.attrs
    try:
        return EMResult(
            theta=tree["theta"].to_dataset(),
            log_likelihood=float(a["log_likelihood"]),
            objective=float(a["objective"]),
            kind=a["kind"],
            df=int(a["df"]),
            n_obs=int(a["n_obs"]),
            weight=float(a.get("weight", a["n_obs"])),
            status=Status(a["status"], a["advice"]),
            trace=tree["trace"]["objective"].to_numpy(),
            starts=tree["starts"].to_dataset(),
            left_out=tuple(json.loads(a["left_out"])),
            fixed=tuple(json.loads(a["fixed"])),
            seconds=float(a["seconds"]),
            seed=json.loads(a["seed"]),
            assignments=a.get("assignments", "expected"),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnmixError(
            "the fit is of EM and parts of it are missing: it was altered or saved by another "
            "version of unmix"
        ) from error
