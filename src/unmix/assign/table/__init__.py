"""One row, one table: `assignments`, and the parts it is made of."""

from unmix.assign.table.assignments import assignments

__all__ = ["assignments"]
