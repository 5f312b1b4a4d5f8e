"""Replicated rows: what the fitted mixture makes, and how probable it finds it.

On the fast road components are drawn from their packed parameters and weighed by the compiled
pass. On the general road the model's own graph draws whole tables, z afresh in each, and the
derived table weighs them. What cannot be simulated is said, never guessed at.
"""

from typing import Any

import numpy as np
import pymc as pm
from numpy.typing import NDArray

from unmix.assign.table.tail import Simulate
from unmix.derive import Derivation, bayes
from unmix.derive.compiling import TABLE_MODE
from unmix.derive.present import has_missing
from unmix.derive.theta import Stack


def from_components(onepass: Any, log_w: NDArray, packed: NDArray) -> Simulate:
    """Replicates of a model on the fast road.

    Parameters
    ----------
    onepass
        The compiled pass (`unmix.onepass.onepass.OnePass`).
    log_w, packed
        Of every draw, (sample, component) and (sample, component, parameter).
    """
    from unmix.onepass import compiled
    from unmix.onepass.chunks import for_kernel

    terms = onepass.recognised.terms
    columns = sum(t.d for t in terms)
    none = np.zeros(columns)

    def simulate(s: int, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        w = np.exp(log_w[s])
        x = np.empty((columns, n))
        at = 0
        # Rows have no order, so those of one component may stand together.
        for k, count in enumerate(rng.multinomial(n, w / w.sum())):
            rows = slice(at, at + int(count))
            for t in terms:
                x[t.columns, rows] = t.family.replicate(
                    packed[s, k, t.parameters], t.d, int(count), rng
                )
            at += int(count)
        r, log_marginal = np.empty((n, len(w))), np.empty(n)
        compiled.responsibility_rows(onepass.families)(
            onepass.terms, x, none, for_kernel(log_w[s]),
            for_kernel(packed[s]), r, log_marginal,
        )  # fmt: skip
        for t in terms:
            if t.family.has_base:
                log_marginal += t.family.log_base(x[t.columns])
        return log_marginal

    return simulate


def why_not(derivation: Derivation) -> str:
    """Why tables of a model on the general road cannot be simulated; empty where they can."""
    if has_missing(derivation.model):
        return "rows lack different cells, and densities of different cells cannot be compared"
    by_name = {rv.name for rv in derivation.model.basic_RVs}
    for name in derivation.opened.assignment_terms:
        if name not in by_name:
            return f"{name!r} is a potential, and nothing can be drawn from it"
        if name not in derivation.opened.observed:
            return f"{name!r} is a further latent that depends on {derivation.latent.name!r}"
    if derivation.on_new_rows:
        return (
            f"the model takes the general road ({derivation.recognised}), where tables are drawn "
            "from a model: pass a second model built on the new rows"
        )
    return ""


def from_model(derivation: Derivation, stack: Stack) -> Simulate:
    """Replicates of any model whose observed variables can be drawn; whole tables at a time.

    Rows of a table need not have the same distribution. A replicated row is then that of any row,
    and the flags' rate holds for the table: the expected number of false flags is N times the
    average over rows.
    """
    names = [n for n in derivation.opened.assignment_terms if n in derivation.opened.observed]
    by_name = {rv.name: rv for rv in derivation.model.basic_RVs}
    inputs = [by_name[name] for name in derivation.touched]
    outputs = [by_name[name] for name in names]
    compiled: list[Any] = []  # seeded by the first generator that it is given

    def simulate(s: int, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        if not compiled:
            compiled.append(
                pm.compile(
                    inputs,
                    outputs,
                    random_seed=int(rng.integers(2**31)),
                    mode=TABLE_MODE,
                    on_unused_input="ignore",
                )
            )
        theta = {name: np.asarray(stack.values[name][s]) for name in derivation.touched}
        found: list[NDArray] = []
        while sum(map(len, found)) < n:
            rows = compiled[0](*theta.values())
            data = {
                name: np.asarray(v, dtype=derivation.entries.data[name].dtype)
                for name, v in zip(names, rows, strict=True)
            }
            one = {name: value[None] for name, value in theta.items()}
            found.append(
                bayes.normalise(bayes.joint(*derivation.entries.log_terms(one, data)))[0][0]
            )
        return np.concatenate(found)[:n]

    return simulate
