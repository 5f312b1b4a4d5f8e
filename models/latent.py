"""The middle line of every story: who made a row, and what is known of that beforehand.

    z_i            ~ Categorical(w)              which component made observation i

Three things may be known beside the rows: the component of some (`labels`), which rows share one z
(`together`), and how much each counts (`weights`; `unmix.weigh`).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pymc as pm
from numpy.typing import NDArray

from unmix.by_row import by_row, named
from unmix.derive.row_weights import checked_weights, weigh
from unmix.errors import UnmixError
from unmix.printable import printable

from . import labels as marks  # noqa: TID251  ruff takes siblings for the banned root name
from .components import component_names  # noqa: TID251
from .together import Subjects, subjects  # noqa: TID251


class Latent:
    """The assignments ``z`` of a story, one for each row or for each subject.

    Parameters
    ----------
    rows
        Names of the rows, shape (obs,).
    labels
        As `unmix.models.labels.read` takes them, or None.
    together
        The subject of each row, as `unmix.models.together.subjects` takes it, or None.
    weights
        How much each row counts, or each subject, or None.
    called
        What the story calls ``together``.

    Attributes
    ----------
    by_row
        What `unmix.recipe.remember` keeps of these, once ``z`` is declared.

    Raises
    ------
    UnmixError
        For subjects or weights that do not fit the rows.
    """

    def __init__(
        self,
        rows: NDArray,
        labels: Any = None,
        together: Any = None,
        weights: Any = None,
        *,
        called: str = "together",
    ) -> None:
        self._rows, self._labels = rows, labels
        self._who = None if together is None else subjects(together, rows, called)
        self._weights = weights
        self.by_row: dict[str, NDArray] = {}
        if self._who is not None:
            self.by_row[called] = self._who.names[self._who.of_row]
            if np.ndim(weights) and len(weights) == len(rows):
                self._weights = _of_subjects(by_row("weights", weights, rows), rows, self._who)

    def component_names(self, components: Any, *, counted: bool = True) -> Sequence[Any]:
        """Labels of the components, at most one for each assignment where they are ``counted``."""
        n, what = (
            (len(self._rows), "row") if self._who is None else (len(self._who.names), "subject")
        )
        return component_names(components, n if counted else None, what)

    def declare(self, w: Any, names: Sequence[Any]) -> Any:
        """Declare ``z``, in a model's `with` block; the component of each row, (obs,).

        Parameters
        ----------
        w
            Weights (component); or those of each row (obs, component), where no rows share a z.
        names
            Of the components.
        """
        model, dims, known = pm.modelcontext(None), "obs", None
        if self._labels is not None:
            known = marks.read(self._labels, names, self._rows)
            self.by_row["labels"] = marks.to_keep(known, names)
        if self._who is not None:
            dims = "subject"
            model.add_coord(dims, self._who.names)
            known = None if known is None else marks.of_subjects(known, self._rows, self._who)
        if known is None:
            z = pm.Categorical("z", w, dims=dims)
        else:
            z = pm.Categorical("z", w, dims=dims, initval=marks.first_guess(known))
            marks.declare(z, known, dims=dims)
        return z if self._who is None else z[self._who.of_row]

    def weigh(self, model: pm.Model) -> pm.Model:
        """The model, declared to its end, with the weights of its rows."""
        return model if self._weights is None else weigh(model, self._weights)


def _of_subjects(weights: NDArray, rows: NDArray, who: Subjects) -> NDArray[np.float64]:
    """How much each subject counts: what all of its rows say."""
    checked = checked_weights(weights, rows)
    found = np.zeros(len(who.names))
    found[who.of_row] = checked
    torn = checked != found[who.of_row]
    if torn.any():
        subject = who.of_row[int(np.flatnonzero(torn)[0])]
        raise UnmixError(
            f"weights contradict each other: {named(rows, who.of_row == subject)} belong to "
            f"subject {printable(who.names[subject])} and have different weights; a subject counts "
            "as one, so give all of its rows the same"
        )
    return found
