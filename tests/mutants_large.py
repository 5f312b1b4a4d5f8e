"""Wrong implementations of what makes many rows cheap, and of classification EM; see `mutants`.

Each is a function that puts the mistake in place through pytest's ``monkeypatch``.
"""

import numpy as np

from unmix.derive import deriving, rowwise
from unmix.infer import classification_em
from unmix.infer.packed_em import Packed
from unmix.onepass.onepass import OnePass

# --- the proof that rows stay apart ---------------------------------------------------------------


def sums_over_rows_are_rows(monkeypatch):
    monkeypatch.setitem(rowwise._RULES, rowwise.CAReduce, lambda node, rows: 0)


def any_array_will_do(monkeypatch):
    """A covariate beside the rows is not noticed."""

    def shared(self, variables):
        return max((a for a in self.of(variables) if a is not None), default=-1)

    monkeypatch.setattr(rowwise._Rows, "shared", shared)


def any_index_will_do(monkeypatch):
    """Rows taken in another order are still taken for rows."""
    monkeypatch.setitem(rowwise._RULES, rowwise.AdvancedSubtensor, lambda node, rows: 0)


def unknown_operations_keep_rows(monkeypatch):
    monkeypatch.setitem(rowwise._RULES, object, lambda node, rows: 0)


PROOFS = {
    f.__name__: f
    for f in (
        sums_over_rows_are_rows,
        any_array_will_do,
        any_index_will_do,
        unknown_operations_keep_rows,
    )
}


def symmetry_of_a_sample(monkeypatch):
    """What some rows say is not asked of all."""
    monkeypatch.setattr(deriving, "_confirmed", lambda derivation, found, *points: found)


# --- classification EM ----------------------------------------------------------------------------


def responsibilities_for_assignments(monkeypatch):
    """The E-step where the C-step belongs."""
    right = OnePass.run

    def run(self, log_w, packed, mode="expected", **more):
        return right(self, log_w, packed, "expected")

    monkeypatch.setattr(OnePass, "run", run)


def weights_left_out_of_the_c_step(monkeypatch):
    """Each row to the component with the largest density, whatever its weight."""
    right = OnePass.run

    def run(self, log_w, packed, mode="expected", **more):
        return right(self, log_w * 0 if mode == "hard" else log_w, packed, mode, **more)

    monkeypatch.setattr(OnePass, "run", run)


def weights_left_where_they_were(monkeypatch):
    """The M-step forgets the weights."""
    right = Packed.maximise

    def maximise(self, sums):
        before = self.log_w.copy()
        right(self, sums)
        self.log_w[:] = before

    monkeypatch.setattr(Packed, "maximise", maximise)


def likelihood_for_the_classification_likelihood(monkeypatch):
    """The value that is reported is that of EM."""
    right = classification_em.complete_log_likelihood

    def wrong(onepass):
        right(onepass)
        return lambda log_w, sums: sums.log_marginal

    monkeypatch.setattr(classification_em, "complete_log_likelihood", wrong)


def weights_left_out_of_the_value(monkeypatch):
    """Σ log p(x | z) without Σ log w."""
    right = classification_em.complete_log_likelihood

    def wrong(onepass):
        value = right(onepass)
        return lambda log_w, sums: value(np.zeros_like(log_w), sums)

    monkeypatch.setattr(classification_em, "complete_log_likelihood", wrong)


CLASSIFICATIONS = {
    f.__name__: f
    for f in (
        responsibilities_for_assignments,
        weights_left_out_of_the_c_step,
        weights_left_where_they_were,
        likelihood_for_the_classification_likelihood,
        weights_left_out_of_the_value,
    )
}
