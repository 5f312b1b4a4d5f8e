"""What `summary` hands back: tables, what must be known before they are read, and the figure."""

import html
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from unmix.assign.relabel.relabelling import Relabelling
from unmix.assign.summary_words import LABEL_FREE, legend_of, to_read
from unmix.errors import UnmixError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Summary:
    """Parameters of a mixture over draws, and what must be known before they are read.

    Attributes
    ----------
    table
        As `arviz.summary`, one row for each number: of the aligned draws where components are
        identified; else of what has no component.
    label_free
        The same for what no renaming of components changes (`unmix.assign.label_free`).
    diagnostics
        R-hat and bulk and tail effective sample sizes of the labelled numbers before and after
        alignment, and of the label-free ones.
    flags
        Sentences; the first says what labels mean.
    identified
        Whether components keep their identity over draws.
    relabelling
        The permutations; None where labels come from the declaration.
    fit
        The draws, as they were given.
    """

    table: pd.DataFrame
    label_free: pd.DataFrame
    diagnostics: pd.DataFrame
    flags: tuple[str, ...]
    identified: bool
    relabelling: Relabelling | None
    fit: Any = field(repr=False)

    def figure(self, **options: Any) -> "Figure":
        """Draws before and after alignment: whether components keep their identity, to look at.

        Parameters
        ----------
        **options
            Of `unmix.show.label_traces`.

        Raises
        ------
        UnmixError
            Where nothing was aligned.
        """
        if self.relabelling is None:
            raise UnmixError(
                "labels come from the declaration and nothing was aligned: see unmix.show.traces"
            )
        from unmix.show import label_traces  # here, because Matplotlib takes a while to load

        return label_traces(self.fit, self.relabelling, **options)

    @property
    def to_see(self) -> str:
        """Where to look where components are not identified; empty where they are."""
        if self.identified or self.relabelling is None:
            return ""
        return "To see it: the method figure() shows the draws before and after alignment."

    @property
    def legend(self) -> tuple[str, ...]:
        """What the label-free numbers are, a line for each that there is."""
        return legend_of(self.label_free)

    def __repr__(self) -> str:
        parts = ["\n".join(f"- {flag}" for flag in self.flags)]
        if len(self.table):
            parts.append(to_read(self.table).to_string())
        if len(self.label_free):
            parts.append(f"{LABEL_FREE}\n{to_read(self.label_free).to_string()}")
            parts.append("\n".join(self.legend))
        return "\n\n".join([*parts, self.to_see] if self.to_see else parts)

    def _repr_html_(self) -> str:
        flags = "".join(f"<li>{html.escape(flag)}</li>" for flag in self.flags)
        legend = "".join(f"<li>{html.escape(line)}</li>" for line in self.legend)
        tables = [to_read(t).to_html(escape=True) for t in (self.table, self.label_free) if len(t)]
        return (
            f"<ul>{flags}</ul>"
            + f"<p>{LABEL_FREE}</p>".join(tables)
            + (f"<ul>{legend}</ul>" if legend else "")
            + (f"<p>{self.to_see}</p>" if self.to_see else "")
        )
