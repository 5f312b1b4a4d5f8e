"""How a summary of draws is read: numbers in few digits, and what the label-free ones are."""

import numpy as np
import pandas as pd

LABEL_FREE = (
    "whatever components are called; (1) marks the smallest of a draw, (2) the next: each "
    "parameter is sorted by itself, so equal numbers need not be one component's"
)
LEGEND = {
    "log_likelihood": "Σ log p(x_i | θ) over the rows",
    "entropy": "doubt about a row's component, a mean over rows; 0 for none, log K nats at most",
    "concentration": "sum of the squared shares: 1 where one component has all rows, 1/K for equal",
    "share": "a component's share of the rows, by responsibilities; they sum to 1",
    "occupied": "how many components have a row, counted in the drawn z",
}


def legend_of(label_free: pd.DataFrame) -> tuple[str, ...]:
    """What label-free numbers are, a line for each that there is."""
    names = {str(name).split("_(")[0] for name in label_free.index}
    return tuple(f"{name}: {line}" for name, line in LEGEND.items() if name in names)


def to_read(table: pd.DataFrame) -> pd.DataFrame:
    """Numbers to read: three digits, counts whole."""
    shown = table.copy()
    for column in shown.columns:
        digits = 0 if str(column).startswith("ess") else 3
        shown[column] = [f"{v:.{digits}f}" if np.isfinite(v) else "–" for v in table[column]]
    return shown
