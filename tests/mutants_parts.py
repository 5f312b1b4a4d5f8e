"""Wrong implementations of row weights, missing cells and the pass in parts; see `mutants`.

Each is a function that puts the mistake in place through pytest's ``monkeypatch``.
"""

import sys

import numpy as np
import pytensor.tensor as pt
from unmix.models.missing import Cells

from unmix.derive import row_weights
from unmix.infer.missing_normals import MissingNormals
from unmix.infer.objective import Objective
from unmix.onepass.parts import Parts

# --- the pass in parts ----------------------------------------------------------------------------


def rows_left_in_the_order_of_kinds(monkeypatch):
    right = Parts.joint
    monkeypatch.setattr(Parts, "joint", lambda self, w, p: right(self, w, p)[self.rows])


def the_first_weights_for_all(monkeypatch):
    right = Parts._by_kind

    def by_kind(self, log_w, packed):
        return right(self, np.broadcast_to(log_w[:1], log_w.shape), packed)

    monkeypatch.setattr(Parts, "_by_kind", by_kind)


PARTS = {f.__name__: f for f in (rows_left_in_the_order_of_kinds, the_first_weights_for_all)}

# --- missing cells --------------------------------------------------------------------------------


def a_missing_cell_is_a_zero(monkeypatch):
    monkeypatch.setattr(Cells, "mean", lambda self, mu: mu)
    monkeypatch.setattr(Cells, "scale", lambda self, sigma: sigma)


def a_missing_cell_has_unit_variance(monkeypatch):
    """Its density is then no longer 1: responsibilities stay right and the likelihood does not."""
    monkeypatch.setattr("unmix.models.missing.CERTAIN", 1.0)


CELLS = {f.__name__: f for f in (a_missing_cell_is_a_zero, a_missing_cell_has_unit_variance)}


def a_missing_cell_is_the_first_value(monkeypatch):
    monkeypatch.setattr(Cells, "known", lambda self, parameter, certain: parameter)
    monkeypatch.setattr(Cells, "shares", lambda self, p, levels: p)


def a_missing_cell_is_half_certain(monkeypatch):
    """Responsibilities stay right and the likelihood does not."""
    monkeypatch.setattr(sys.modules["unmix.models.poisson"], "NEVER", 0.5)
    monkeypatch.setattr(
        Cells, "shares", lambda self, p, levels: pt.where(self.there[..., None], p, 1 / levels)
    )


FAMILY_CELLS = {
    f.__name__: f for f in (a_missing_cell_is_the_first_value, a_missing_cell_is_half_certain)
}


def cells_filled_with_their_expectation(monkeypatch):
    """What is expected of a missing cell is put in, and that it varies about that is forgotten."""

    def completed(self, r, mu, cov):
        x = np.array(self.x, dtype=float)
        for rows, o, m in self.patterns:
            if len(m):
                b = np.linalg.solve(cov[np.ix_(o, o)], cov[np.ix_(o, m)])
                x[np.ix_(rows, m)] = mu[m] + (x[np.ix_(rows, o)] - mu[o]) @ b
        known = self.present.any(axis=1)
        weight, x = r[known], x[known]
        mean = weight @ x / weight.sum()
        return mean, ((x - mean) * weight[:, None]).T @ (x - mean) / weight.sum()

    monkeypatch.setattr(MissingNormals, "_completed", completed)


def complete_rows_only(monkeypatch):
    right = MissingNormals._completed

    def completed(self, r, mu, cov):
        return right(self, np.where(self.present.all(axis=1), r, 0.0), mu, cov)

    monkeypatch.setattr(MissingNormals, "_completed", completed)


COMPLETIONS = {f.__name__: f for f in (cells_filled_with_their_expectation, complete_rows_only)}

# --- row weights ----------------------------------------------------------------------------------


def steps_without_weights(monkeypatch):
    monkeypatch.setattr(Objective, "weighed", lambda self, responsibility: responsibility)


def a_likelihood_without_weights(monkeypatch):
    monkeypatch.setattr(row_weights, "total", lambda values, weight: values.sum(axis=-1))


WEIGHTS = {f.__name__: f for f in (steps_without_weights, a_likelihood_without_weights)}
