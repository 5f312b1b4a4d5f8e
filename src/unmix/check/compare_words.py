"""EM against MCMC in words."""

import numpy as np
import pandas as pd
import xarray as xr

# Responsibilities beyond this on both sides leave overlap and parameter uncertainty no say.
SURE = 0.95


def in_sentences(
    rows: xr.Dataset,
    parameters: pd.DataFrame,
    averaged: xr.Dataset,
    seconds: dict[str, float],
    without_mode: str,
) -> tuple[str, ...]:
    """What the comparison comes to, one sentence a fact.

    Parameters
    ----------
    rows, parameters
        Of `unmix.check.compare.Comparison`.
    averaged
        Responsibilities of the draws.
    seconds
        What took how long.
    without_mode
        Why there is no posterior mode; empty where there is one, or none was asked for.
    """
    n = rows.sizes["obs"]
    changed = int(rows["changed"].sum())
    overlap = float(rows["overlap"].mean())
    uncertainty = float(rows["parameter_uncertainty"].mean())
    total = overlap + uncertainty
    worst = int(np.argmax(rows["difference"].values))
    sentences = []
    if averaged.attrs["identified"]:
        inside = parameters["em_inside"].dropna()
        sentences.append(
            f"{int(inside.astype(bool).sum())} of {len(inside)} maximum-likelihood estimates lie "
            "in the posterior's interval."
        )
    else:
        sentences.append(f"Components are {averaged.attrs['alignment']}.")
    sentences += [
        f"{changed} of {n} rows change their most likely component; the largest change of a "
        f"responsibility is {float(rows['difference'].max()):.3f}, at row "
        f"{rows['obs'].values[worst]}.",
        f"{int((rows['over_confident'] > 0.01).sum())} rows are surer by more than 0.01 nats "
        "under EM than over the posterior.",
        f"Mean entropy of an assignment {total:.4f} nats: {overlap:.4f} from overlap of the "
        f"components, {uncertainty:.4f} from uncertain parameters.",
        "Time: " + ", ".join(f"{what} {s:.1f} s" for what, s in seconds.items()) + ".",
    ]
    if without_mode:
        sentences.insert(-1, f"No posterior mode: {without_mode}.")
    sure = (rows["plug_in"].max("component") > SURE) & (rows["averaged"].max("component") > SURE)
    apart = int((rows["changed"] & sure).sum())
    if apart:
        sentences.insert(
            -1,
            f"{apart} of {n} rows are surely of one component under EM and surely of another under "
            "MCMC: the two sit on different modes; compare their log-likelihoods, and sample with "
            "em= or from other seeds.",
        )
    return tuple(sentences)
