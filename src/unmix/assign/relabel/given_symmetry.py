"""Which components are exchangeable, as a user says it for a trace without a model."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from unmix.arguments import said
from unmix.assign.assignment import Symmetry
from unmix.errors import UnmixError


def checked_symmetry(symmetry: Symmetry | None, k: int) -> Symmetry:
    """Blocks that hold every component once; all components in one block by default.

    Raises
    ------
    UnmixError
        If a component is missing, named twice, or unknown.
    """
    if symmetry is None:
        return (tuple(range(k)),)
    blocks = _blocks(symmetry)
    named = [c for block in blocks or () for c in block]
    if blocks is None or len(named) > len(set(named)) or not set(named) <= set(range(k)):
        raise UnmixError(
            f"symmetry is {said(symmetry)}: give blocks of exchangeable components, each of 0 to "
            f"{k - 1} at most once, such as ((0, 1), (2,))"
        )
    return (*blocks, *((c,) for c in range(k) if c not in named))


def _blocks(symmetry: Any) -> Symmetry | None:
    """Blocks as tuples of whole numbers; None where they are something else."""
    if not isinstance(symmetry, Sequence) or isinstance(symmetry, str | bytes):
        return None
    blocks = []
    for block in symmetry:
        if not isinstance(block, Sequence | np.ndarray) or isinstance(block, str | bytes):
            return None
        members = list(block)
        if not all(isinstance(c, int | np.integer) and not isinstance(c, bool) for c in members):
            return None
        blocks.append(tuple(int(c) for c in members))
    return tuple(blocks)
