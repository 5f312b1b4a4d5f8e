r"""`partition`: one partition that stands for a posterior of them, and how much it can be trusted.

The estimate minimises the posterior expected loss,

.. math:: c^* = \arg\min_c E[L(c, z) \mid x],

over all partitions, not only over the draws; losses in `unmix.assign.partition.losses`, the search
in `unmix.assign.partition.search`. No loss knows what components are called, so nothing is aligned.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr
from numpy.typing import NDArray

from unmix.arguments import numbers, one_of, random_generator, said, share, whole
from unmix.assign.partition.ball import CredibleBall, credible_ball
from unmix.assign.partition.expected import expected_loss, together, together_in_draws
from unmix.assign.partition.given import as_similarity
from unmix.assign.partition.similarity import one_hot
from unmix.assign.partition.similarity import similarity as matrix
from unmix.assign.partition.source import Draws, draws_of, given_draws, posterior
from unmix.assign.relabel.reading import variable_of
from unmix.assign.stream import stream
from unmix.derive.theta import in_order_of, stack_theta
from unmix.errors import UnmixError

Loss = Literal["vi", "vi_lower_bound", "binder", "omari", "omari_approximate"]
# Judged on draws of z alone; the others on the similarity matrix.
ON_DRAWS = ("vi", "omari")
# What comes nearest to them on the matrix.
ON_MATRIX = {"vi": "vi_lower_bound", "omari": "omari_approximate"}


@dataclass(frozen=True)
class Partition:
    """A partition that minimises an expected loss, as far as was found.

    Attributes
    ----------
    z
        Component of every row (obs), numbered by first appearance: numbers are no names.
    loss
        The loss minimised.
    expected_loss
        Its posterior expectation: bits for VI and its bound; pairs of rows, weighted by the costs,
        for Binder; one minus the index for omARI.
    components
        How many components it has.
    restarts, restarts_at_best
        Runs of the search, and how many came to this loss. Few of many: a better one may be left.
    own
        Mean probability that the row is with another row of its own component (obs); NaN where it
        is alone.
    other
        The same with the rows of the other component that is likeliest for it (obs); NaN where
        there is no other. A row with `other` near `own` could as well be there.
    ball
        The credible ball around it; None where only a similarity matrix was given.
    """

    z: xr.DataArray
    loss: Loss
    expected_loss: float
    components: int
    restarts: int
    restarts_at_best: int
    own: xr.DataArray
    other: xr.DataArray
    ball: CredibleBall | None

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Rows of each component, shape (component,)."""
        return np.bincount(self.z.values)

    def __str__(self) -> str:
        unit = {"vi": " bits", "vi_lower_bound": " bits", "binder": " pairs"}.get(self.loss, "")
        sizes = ", ".join(map(str, self.sizes[:12])) + (", …" if self.components > 12 else "")
        lines = [
            f"partition of {self.z.size} rows into {self.components} components ({sizes} rows)",
            f"  expected loss {self.expected_loss:.6g}{unit} ({self.loss}), "
            f"reached by {self.restarts_at_best} of {self.restarts} restarts",
        ]
        if self.ball is not None:
            lines.append(f"  {self.ball}")
        return "\n".join(lines)


def partition(
    model: pm.Model | None = None,
    fit: Any = None,
    *,
    z: Any = None,
    similarity: Any = None,
    loss: Loss = "vi",
    costs: tuple[float, float] = (1.0, 1.0),
    components: int | None = None,
    restarts: int = 16,
    level: float = 0.95,
    rng: int | np.random.Generator | None = None,
) -> Partition:
    r"""The partition of the rows with the least posterior expected loss.

    A partition is of the rows of the table: each counts once, whatever weights the model has
    (`unmix.weigh`), one of weight 0 as well.

    Parameters
    ----------
    model
        The declared mixture; found in the ``with`` block when left out.
    fit
        Draws of any origin; where they hold no z it is drawn exactly.
    z
        Draws of assignments from anywhere, (draw, obs) or (chain, draw, obs), in place of a model
        and its fit; or the name of the variable that holds them in ``fit``, without a model.
    similarity
        A matrix of P(z_i = z_j), (obs, obs), alone or beside ``z``: what the losses on the
        similarity matrix are taken over. Left out, it is `co_assignment` of the fit, from
        responsibilities; or of ``z``.
    loss
        ``"vi"``: variation of information, exact from the draws. ``"vi_lower_bound"``: Jensen's
        bound of it, from the similarity matrix. ``"binder"``: pairs wrongly joined and separated;
        it tends to leave single rows apart. ``"omari"``: one minus the adjusted Rand index, exact
        from the draws; ``"omari_approximate"``: from the similarity matrix (one minus PEAR).
    costs
        Binder's: of separating two rows that belong together, and of joining two that do not.
    components
        Most components that it may have; not bounded by default.
    restarts
        Runs of the search; every second begins at a draw.
    level
        Mass of the credible ball, which is in VI, or in pairs of rows for Binder.
    rng
        Seed or generator.

    Returns
    -------
    Partition
        The partition, its expected loss, doubts row by row, and its credible ball.

    Raises
    ------
    UnmixError
        If the fit does not belong to the model, the draws or the matrix are not what they should
        be, there is one draw only, or an option is out of range.

    References
    ----------
    Binder 1978, Biometrika 65:31; Fritsch and Ickstadt 2009, Bayesian Anal. 4:367; Wade and
    Ghahramani 2018, Bayesian Anal. 13:559; Dahl, Johnson and Müller 2022, JCGS 31:1189.
    """
    # Here, because Numba takes a while to import.
    from unmix.assign.partition.search import search

    costs, components, restarts, level = _options(loss, costs, components, restarts, level)
    generator = random_generator(rng)
    draws, p, labels = _evidence(model, fit, z, similarity, loss, generator)
    # What the loss is taken over: the matrix where there is one, else the draws.
    over = draws.z if draws is not None and p is None else None
    found = search(
        loss,
        len(labels),
        generator,
        costs=costs,
        starts=None if draws is None else draws.z,
        components=components,
        restarts=restarts,
        z=over,
        p=p,
    )
    c = found.c
    if over is not None:
        mass = together_in_draws(c, over)
    else:
        assert p is not None
        mass = together(c, p)
    own, other = _doubts(c, mass)
    ball = None
    if draws is not None:
        ball = credible_ball(c, draws.z, level, "binder" if loss == "binder" else "vi")

    def by_row(values: NDArray, name: str) -> xr.DataArray:
        return xr.DataArray(values, dims="obs", coords={"obs": labels}, name=name)

    return Partition(
        by_row(c, "z"),
        loss,
        expected_loss(loss, c, costs=costs, z=over, p=p),
        int(c.max()) + 1,
        restarts,
        found.at_best,
        by_row(own, "own"),
        by_row(other, "other"),
        ball,
    )


def _evidence(
    model: pm.Model | None, fit: Any, z: Any, given: Any, loss: Loss, rng: np.random.Generator
) -> tuple[Draws | None, NDArray[np.float64] | None, NDArray]:
    """Draws where there are some, the similarity matrix where the loss takes one, and row names."""
    draws, p = None, None
    if isinstance(z, str) and model is None and fit is not None:
        z, fit = variable_of(fit, z), None
    if z is not None and (model is not None or fit is not None):
        raise UnmixError("give a model and its fit, or z=, not both")
    if given is not None and fit is not None:
        raise UnmixError("give a fit, or a similarity matrix, not both: the fit makes its own")
    if given is not None:
        p = as_similarity(given)
        if loss in ON_DRAWS and z is None:
            raise UnmixError(
                f"the loss {loss!r} is taken over draws of z and there is a similarity matrix "
                f"only: give z=, or take {ON_MATRIX[loss]!r}"
            )
    if z is not None:
        draws = given_draws(z)
    elif given is None:
        derivation = posterior(model, fit)
        stack = stack_theta(derivation, fit)
        if stack.dims or loss in ON_DRAWS:
            draws = draws_of(derivation, fit, rng)
        if loss not in ON_DRAWS:
            rows = np.arange(derivation.n_obs)
            blocks = (block.responsibility for block in stream(derivation, stack))
            p = np.asarray(matrix(blocks, len(stack), rows, rows), dtype=float)
        labels = derivation.obs_labels
    if draws is not None:
        labels = draws.obs_labels
        if len(draws.z) < 2:
            raise UnmixError(
                "there is one draw of z, and a partition is to stand for many: give more draws"
            )
        if p is not None and len(p) != len(labels):
            raise UnmixError(
                f"the similarity matrix is of {len(p)} rows and z of {len(labels)}: give both of "
                "the same rows"
            )
        if p is not None and given is not None:
            order = in_order_of(labels, _labels(given, len(p)))
            p = p if order is None else p[np.ix_(order, order)]
    elif given is not None:
        assert p is not None
        labels = _labels(given, len(p))
    if loss in ON_DRAWS:
        p = None
    elif loss == "vi_lower_bound" and p is None:
        assert draws is not None
        rows = np.arange(len(labels))
        p = np.asarray(matrix(one_hot(draws.z), len(draws.z), rows, rows), dtype=float)
    return draws, p, labels


def _labels(given: Any, n: int) -> NDArray:
    """Names of the rows of a similarity matrix."""
    if isinstance(given, xr.DataArray) and given.dims[0] in given.coords:
        return np.asarray(given[given.dims[0]].values)
    if isinstance(given, pd.DataFrame) and not isinstance(given.index, pd.RangeIndex):
        if not given.index.equals(given.columns):
            raise UnmixError(
                "rows and columns of the similarity matrix are named differently, or in another "
                "order: give the same names in one order"
            )
        return given.index.to_numpy()
    return np.arange(n)


def _doubts(
    c: NDArray[np.int64], mass: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean co-assignment of each row with the others of its component, and of the next best."""
    rows, size = np.arange(len(c)), np.bincount(c)
    with np.errstate(invalid="ignore"):
        own = (mass[rows, c] - 1.0) / (size[c] - 1)
    others = mass / size
    others[rows, c] = -np.inf
    other = others.max(axis=1)
    own = np.where(size[c] == 1, np.nan, np.clip(own, 0.0, 1.0))
    return own, np.where(np.isinf(other), np.nan, other)


class _Options(NamedTuple):
    costs: tuple[float, float]
    components: int | None
    restarts: int
    level: float


def _options(loss: Any, costs: Any, components: Any, restarts: Any, level: Any) -> _Options:
    """The options, or a refusal of those that mean nothing.

    Raises
    ------
    UnmixError
        Naming the option.
    """
    one_of("loss", loss, get_args(Loss))
    pair = numbers("costs", costs, "two positive numbers")
    if pair.shape != (2,) or pair.dtype.kind == "b" or not np.all(np.isfinite(pair) & (pair > 0)):
        raise UnmixError(f"costs is {said(costs)}: give two positive numbers")
    if loss != "binder" and pair.tolist() != [1.0, 1.0]:
        raise UnmixError(f"costs are Binder's and the loss is {loss!r}: leave them out")
    return _Options(
        (float(pair[0]), float(pair[1])),
        None if components is None else whole("components", components),
        whole("restarts", restarts),
        share("level", level),
    )
