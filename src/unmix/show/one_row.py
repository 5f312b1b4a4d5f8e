"""One row taken out of a model's table: its terms at every draw, and those of rows like it.

Bayes' rule for one row needs that row only, whatever the size of the table. Where rows stand one by
one, the likelihood is evaluated on it alone (`unmix.derive.entries`); where something else in the
model has one entry for each row, on all rows, of which the one is taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmix.derive import Derivation, bayes
from unmix.derive.by_rows import require_sum_of_one
from unmix.derive.entries import Entries
from unmix.derive.follow import in_step
from unmix.derive.theta import Stack
from unmix.errors import UnmixError

# Numbers in one block of draws × rows × component × entries.
BLOCK = 2**20
# A table of at most so many numbers is computed sooner than the row's own graph is compiled.
WHOLE = 2**22


@dataclass(frozen=True, eq=False)
class OneRow:
    """A row, and the likelihood as a function of it.

    Attributes
    ----------
    fitted
        The model as it was declared.
    here
        The model on the rows that the row is one of.
    row
        Its position among them.
    stack
        θ.
    """

    fitted: Derivation
    here: Derivation
    row: int
    stack: Stack

    @cached_property
    def entries(self) -> Entries:
        """The likelihood, opened; of the declared model, which remembers it, where that will do."""
        return self.fitted.entries if self.here.opened is self.fitted.opened else self.here.entries

    @cached_property
    def all_data(self) -> dict[str, NDArray]:
        """Data of all rows by name."""
        opened = self.here.opened
        variables = {**opened.shared_data, **opened.observed}
        return {n: np.asarray(self.here.data[variables[n]].eval()) for n in self.entries.data}

    @cached_property
    def of_rows(self) -> tuple[str, ...]:
        """Names of the data that have one entry, or line of entries, for each row."""
        n, opened = self.here.n_obs, self.here.opened
        observed = [name for name in self.here.table.index if name in self.all_data]
        beside = [
            name
            for name in opened.shared_data
            if name in self.all_data and self.all_data[name].ndim and len(self.all_data[name]) == n
        ]
        return tuple(dict.fromkeys([*observed, *beside]))

    @cached_property
    def alone(self) -> bool:
        """Whether the row can be evaluated without the others."""
        table = self.here.table
        if len(table.z_shape) != 1 or not all(
            in_step(i, table.z_shape) for i in table.index.values()
        ):
            return False
        if any(name not in self.of_rows for name in table.index):
            return False  # a potential, or a further latent
        try:
            self._terms(slice(0, 1), self.rows_like(1))
        except UnmixError:
            return False
        return True

    def rows_like(self, many: int) -> dict[str, NDArray]:
        """Data of so many copies of the row."""
        return {
            name: np.repeat(self.all_data[name][self.row : self.row + 1], many, axis=0)
            for name in self.of_rows
        }

    def _terms(self, samples: slice, data: Mapping[str, NDArray]) -> Any:
        return self.entries.log_terms(self.stack[samples], data)

    def _blocks(self, rows: int) -> list[slice]:
        width = sum(int(np.prod(v.shape[1:])) for n, v in self.all_data.items()
                    if n in self.of_rows) or 1  # fmt: skip
        step = max(1, BLOCK // (rows * self.here.n_components * width))
        return [slice(s, s + step) for s in range(0, len(self.stack), step)]

    def log_terms(self) -> tuple[NDArray, NDArray]:
        """Log prior and log likelihood at every draw, (sample, component), raw labels."""
        if self.here.by_rows is not None:
            return self._by_row()
        parts = []
        numbers = len(self.stack) * self.here.n_obs * self.here.n_components
        if numbers > WHOLE and self.alone:
            data = self.rows_like(1)
            for block in self._blocks(1):
                log_prior, log_likelihood = self._terms(block, data)
                parts.append((log_prior[:, 0], log_likelihood[:, 0]))
        else:
            for block in self.here.blocks(len(self.stack)):
                log_prior, log_likelihood = self.here.log_terms(self.stack[block])
                row = self.row if log_prior.shape[1] > 1 else 0
                parts.append((log_prior[:, row], log_likelihood[:, self.row]))
        return np.concatenate([p for p, _ in parts]), np.concatenate([q for _, q in parts])

    def _by_row(self) -> tuple[NDArray, NDArray]:
        """The same where rows are proved never to meet: a function of one row is there already."""
        by_rows = self.here.by_rows
        assert by_rows is not None
        row = slice(self.row, self.row + 1)
        log_prior, log_likelihood = np.empty((2, len(self.stack), self.here.n_components))
        for s in range(len(self.stack)):
            prior, likelihood = by_rows.tables(self.stack.point(s), row)
            log_prior[s], log_likelihood[s] = prior[:, 0], likelihood[:, 0]
        require_sum_of_one(log_prior, self.here.latent.name, axis=-1)
        return log_prior, log_likelihood

    def averaged(self, data: dict[str, NDArray], permutation: NDArray) -> NDArray[np.float64]:
        """Averaged responsibilities of rows like this one, (row, component), matched labels.

        Parameters
        ----------
        data
            Such rows by name, from `rows_like`.
        permutation
            Raw component of each matched one, (sample, component).
        """
        rows = len(next(iter(data.values())))
        total = np.zeros((rows, self.here.n_components))
        for block in self._blocks(rows):
            _, r = bayes.normalise(bayes.joint(*self._terms(block, data)))
            total += np.take_along_axis(r, permutation[block][:, None, :], axis=-1).sum(axis=0)
        return total / len(self.stack)

    def parts(self) -> dict[str, NDArray]:
        """Log-density of each of the row's entries, by variable, (sample, component, entry)."""
        index = self.here.table.index
        if self.alone:
            _, terms = self.entries(self.stack.values, self.rows_like(1))
            return {n: t.reshape(*t.shape[:2], -1) for n, t in terms.items()}
        found: dict[str, list[NDArray]] = {name: [] for name in index}
        for block in self.here.blocks(len(self.stack)):
            _, terms = self.entries(self.stack[block], self.all_data)
            for name, term in terms.items():
                found[name].append(term[:, :, index[name] == self.row])
        return {name: np.concatenate(some) for name, some in found.items()}
