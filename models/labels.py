r"""What is known of some rows' components before they are looked at (semi-supervised mixtures).

A label is one more factor of the row's density,

.. math:: p(x_i, z_i = k \mid θ) \propto w_k \, a_{ik} \, p(x_i \mid z_i = k, θ),

where a_ik is 1 for the component that the row is known to come from and 0 for the others, or, for
a soft label, how much more probable k is for this row than its weight says. The factors are not
made to sum to one, so that labelled rows still inform w: a row known to be of k counts w_k
(McLachlan and Peel 2000, Finite Mixture Models, Wiley, section 2.19).
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray

from unmix.by_row import by_row, missing, named
from unmix.errors import UnmixError
from unmix.printable import listed, printable

from .together import Subjects  # noqa: TID251

UNKNOWN = -1
UNLABELLED = "a row without a label is None, NaN, -1 or empty"


def declare(z: Any, known: NDArray, *, name: str = "labels", dims: str | None = None) -> None:
    """Add what is known of ``z`` to the model whose `with` block this is called in.

    Parameters
    ----------
    z
        The assignments, (obs,).
    known
        From `read`: component numbers (obs,), −1 where unknown, or factors a (obs, component).
    name
        Of the potential.
    dims
        Of ``z``.
    """
    if known.ndim == 1:
        possible = pt.eq(known, z) | (known == UNKNOWN)
        pm.Potential(name, pt.switch(possible, 0.0, -np.inf), dims=dims)
    else:
        with np.errstate(divide="ignore"):
            log_a = pt.as_tensor(np.log(known))
        pm.Potential(name, log_a[np.arange(len(known)), z], dims=dims)


def first_guess(known: NDArray) -> NDArray:
    """Assignments that the labels allow, (obs,): where a sampler that moves ``z`` may begin."""
    return np.maximum(known, 0) if known.ndim == 1 else known.argmax(axis=1)


def read(labels: Any, components: Any, rows: NDArray) -> NDArray:
    """Check labels, and put them as the model takes them.

    Parameters
    ----------
    labels
        Names or numbers of components, shape (obs,), missing where unknown (None, NaN, −1, empty
        text); or factors a of the components' weights, shape (obs, component), a frame's columns
        being names of components and a row of missing cells meaning nothing known.
    components
        Names of the components.
    rows
        Names of the rows.

    Returns
    -------
    numpy.ndarray
        Component numbers (obs,), −1 where unknown; or factors (obs, component).

    Raises
    ------
    UnmixError
        For labels that name no component, factors that are negative or all zero, another length;
        the rows are named.
    """
    if np.ndim(labels) == 2:
        return _soft(labels, components, rows)
    return _hard(by_row("labels", labels, rows), components, rows)


def of_subjects(known: NDArray, rows: NDArray, who: Subjects) -> NDArray:
    """What is known of each subject, from what is known of its rows.

    Parameters
    ----------
    known
        From `read`, of rows.
    rows
        Names of the rows.
    who
        Which rows share an assignment.

    Returns
    -------
    numpy.ndarray
        The same for subjects: their common label, or the product of their rows' factors, up to a
        multiple for each subject.

    Raises
    ------
    UnmixError
        If rows of one subject have labels that cannot all be right.
    """
    return _agreed(known, rows, who) if known.ndim == 1 else _product(known, rows, who)


def to_keep(known: NDArray, components: Any) -> NDArray:
    """Labels as `read` takes them again: by name where a name looks like a number."""
    named_by_text = not isinstance(components, range)
    if known.ndim == 1 and named_by_text and any(_whole(k) is not None for k in components):
        return np.append(np.array(components, dtype=np.str_), "")[known]  # −1 is the last, empty
    return known


# -- hard labels ----------------------------------------------------------------------------------


def _hard(values: NDArray, components: Any, rows: NDArray) -> NDArray:
    unknown = missing(values)
    code, found = pd.factorize(np.where(unknown, np.array(None), values))
    number = {str(name): k for k, name in enumerate(components)}
    named_by_text = not isinstance(components, range)
    # Components whose names are numbers: positions then mean nothing.
    called = [(_whole(name), name) for name in number if named_by_text and _whole(name) is not None]
    of_value = np.full(len(found) + 1, UNKNOWN)  # the last is for code −1, which is unknown
    wrong = np.zeros(len(found) + 1, dtype=bool)
    for j, value in enumerate(found):
        # What is text is a name first; a number is never taken for a name that looks like one.
        k = number.get(value.strip()) if isinstance(value, str) else None
        if k is None:
            k = _whole(value)
            if k is not None and k != UNKNOWN and called:
                if not isinstance(value, str):
                    raise UnmixError(
                        f"labels are numbers and a component is called {called[0][1]!r}: give the "
                        "names as text"
                    )
                by_number = {n: number[name] for n, name in called}
                k = by_number.get(k)  # a file may have 1.0 for a component called 1
            if k is None or not UNKNOWN <= k < len(components):
                wrong[j] = True
                continue
        of_value[j] = k
    if wrong.any():
        bad = wrong[code]
        first = found[int(code[np.flatnonzero(bad)[0]])]
        are = listed(list(components)) if named_by_text else f"0 to {len(components) - 1}"
        raise UnmixError(
            f"labels name no component in {named(rows, bad)} ({printable(first)} in the first): "
            f"the components are {are}, and {UNLABELLED}"
        )
    return of_value[code].astype(np.int16 if len(components) > 127 else np.int8)


def _whole(value: Any) -> int | None:
    """A component's number from what a table holds: 1, 1.0, True and "1" are numbers, 1.5 is none.

    Text is one as well: a file has nothing else.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return int(number) if number == np.floor(number) and abs(number) < 2**31 else None


def _agreed(known: NDArray, rows: NDArray, who: Subjects) -> NDArray:
    """The label of each subject: that of its rows, which must agree."""
    highest = np.full(len(who.names), UNKNOWN, dtype=known.dtype)
    np.maximum.at(highest, who.of_row, known)
    torn = (known != UNKNOWN) & (known != highest[who.of_row])
    if torn.any():
        subject = who.of_row[int(np.flatnonzero(torn)[0])]
        of_it = (who.of_row == subject) & (known != UNKNOWN)
        raise UnmixError(
            f"labels contradict each other: {named(rows, of_it)} belong to subject "
            f"{printable(who.names[subject])} and have different labels; correct one of them"
        )
    return highest


# -- soft labels ----------------------------------------------------------------------------------


def _soft(labels: Any, components: Any, rows: NDArray) -> NDArray:
    if isinstance(labels, pd.DataFrame):
        columns = {str(c): c for c in labels.columns}
        for k in components:
            if str(k) not in columns:
                raise UnmixError(
                    f"labels have no column {printable(k)}: give one for each component, "
                    f"{listed(list(components))}"
                )
        labels = labels[[columns[str(k)] for k in components]]
    values = by_row("labels", labels, rows)
    if values.shape[1] != len(components):
        raise UnmixError(
            f"labels have {values.shape[1]} columns for {len(components)} components: give one "
            "for each"
        )
    try:
        a = values.astype(np.float64)
    except (TypeError, ValueError):
        raise UnmixError("labels with one column a component must be numbers") from None
    nothing = np.isnan(a).all(axis=1)
    a = np.where(nothing[:, None], 1.0, a)
    for wrong, what in (
        (~(np.isfinite(a) & (a >= 0)).all(axis=1), "are negative or not finite"),
        (~(a > 0).any(axis=1), "are zero for every component"),
    ):
        if wrong.any():
            raise UnmixError(
                f"labels {what} in {named(rows, wrong)}: give factors of the weights, 0 or more "
                "and not all 0"
            )
    return a


def _product(a: NDArray, rows: NDArray, who: Subjects) -> NDArray:
    """The factors of each subject: the product of those of its rows."""
    log_a = np.zeros((len(who.names), a.shape[1]))
    with np.errstate(divide="ignore"):
        np.add.at(log_a, who.of_row, np.log(a))
    torn = np.isneginf(log_a).all(axis=1)
    if torn.any():
        subject = int(np.flatnonzero(torn)[0])
        raise UnmixError(
            f"labels contradict each other: those of {named(rows, who.of_row == subject)}, which "
            f"belong to subject {printable(who.names[subject])}, leave no component possible; "
            "correct one"
        )
    product: NDArray = np.exp(log_a - log_a.max(axis=1, keepdims=True))
    return product
