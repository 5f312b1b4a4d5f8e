"""Wrong implementations of row weights, missing cells and the pass in parts; see `mutants`.

Each is a function that puts the mistake in place through pytest's ``monkeypatch``.
"""

import sys

import numpy as np
import pytensor.tensor as pt
from unmix.models.missing import Cells

from unmix.derive import row_weights
from unmix.infer import missing_normals
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


def assignments_in_the_order_of_kinds(monkeypatch):
    run = Parts.run

    def wrong(self, log_w, packed, mode="expected", *, key=0, z=None):
        sums = run(self, log_w, packed, mode, key=key, z=z)
        z[:] = z[self.rows]
        return sums

    monkeypatch.setattr(Parts, "run", wrong)


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
    right = missing_normals.completed

    def completed(moments, there, mu, cov):
        mean, covariance = right(moments, there, mu, cov)
        n = moments.n * there.any(axis=1)[:, None]
        for k, own in enumerate(cov):
            for count, here in zip(n[:, k], there, strict=True):
                o, m = np.flatnonzero(here), np.flatnonzero(~here)
                if len(o) and len(m):
                    b = np.linalg.solve(own[np.ix_(o, o)], own[np.ix_(o, m)])
                    left = own[np.ix_(m, m)] - own[np.ix_(m, o)] @ b
                    covariance[k][np.ix_(m, m)] -= count / n[:, k].sum() * left
        return mean, covariance

    monkeypatch.setattr(missing_normals, "completed", completed)


def complete_rows_only(monkeypatch):
    right = missing_normals.completed

    def completed(moments, there, mu, cov):
        return right(
            moments._replace(
                n=moments.n * there.all(axis=1)[:, None],
                first=moments.first * there.all(axis=1)[:, None, None],
                second=moments.second * there.all(axis=1)[:, None, None, None],
            ),
            there,
            mu,
            cov,
        )

    monkeypatch.setattr(missing_normals, "completed", completed)


COMPLETIONS = {f.__name__: f for f in (cells_filled_with_their_expectation, complete_rows_only)}

# --- row weights ----------------------------------------------------------------------------------


def steps_without_weights(monkeypatch):
    monkeypatch.setattr(Objective, "weighed", lambda self, responsibility: responsibility)


def a_likelihood_without_weights(monkeypatch):
    monkeypatch.setattr(row_weights, "total", lambda values, weight: values.sum(axis=-1))


WEIGHTS = {f.__name__: f for f in (steps_without_weights, a_likelihood_without_weights)}
