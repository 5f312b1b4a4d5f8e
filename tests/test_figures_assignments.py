"""Figures of assignments: what is drawn is read back from the artists and compared.

Each way of being wrong in `mutants_figures.py` is put in place of the right one and must be seen.
"""

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from matplotlib import colors, pyplot
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from mutants_figures import (
    ARRANGE_MUTANTS,
    BLOCK_MUTANTS,
    ORDER_MUTANTS,
    PLANE_MUTANTS,
    ROOTOGRAM_MUTANTS,
    SCALE_MUTANTS,
    STACK_MUTANTS,
    UNCERTAINTY_MUTANTS,
    bars_across_components,
    features_for_components,
)
from scipy.stats import norm

import unmix
from unmix.show import (
    colours,
    fitted_components,
    label_traces,
    label_traces_figure,
    membership,
    membership_figure,
    rootogram,
    rootogram_figure,
    similarity,
    similarity_figure,
    uncertainty,
    uncertainty_figure,
)
from unmix.show.normals import Normals

WAITING = unmix.datasets.old_faithful()["waiting"]


@pytest.fixture(autouse=True)
def no_figure_is_left_open():
    yield
    assert pyplot.get_fignums() == []


def result(r, **more):
    """What `unmix.responsibilities` gives, of a table."""
    cells = {"responsibility": r, **more}
    return xr.Dataset(
        {name: (("obs", "component"), value) for name, value in cells.items()},
        coords={"obs": np.arange(len(r)), "component": [f"c{k}" for k in range(r.shape[1])]},
        attrs={"identified": 1, "interval": 0.5},
    )


@pytest.fixture(scope="module")
def r():
    """Sixty rows, three components of different size, none of them in order."""
    return np.random.default_rng(3).dirichlet([0.5, 0.2, 0.9], 60)


# -- membership ------------------------------------------------------------------------------------


def bars_as_drawn(axes, k):
    """Lower and upper ends of the parts of component k, a bar each: from the drawn polygon.

    A polygon of steps has, over the open interval between two edges, one upper and one lower side.
    """
    vertices = axes.collections[k].get_paths()[0].vertices
    a, b = vertices[:-1], vertices[1:]
    level = (a[:, 1] == b[:, 1]) & (a[:, 0] != b[:, 0])
    edges = np.unique(vertices[:, 0])
    middles = (edges[:-1] + edges[1:]) / 2
    ends = np.full((2, len(middles)), np.nan)
    for one, other in zip(a[level], b[level], strict=True):
        side = 0 if one[0] < other[0] else 1  # there along one side, back along the other
        inside = (middles > min(one[0], other[0])) & (middles < max(one[0], other[0]))
        ends[side, inside] = one[1]
    return edges, np.sort(ends, axis=0)


def require_membership(r):
    """The bars are the rows' responsibilities, in the right order and stacked as they should be."""
    axes = membership(result(r)).axes[0]
    expected = sorted(range(len(r)), key=lambda i: (np.argmax(r[i]), -r[i].max()))
    for k in range(r.shape[1]):
        edges, (lower, upper) = bars_as_drawn(axes, k)
        np.testing.assert_array_equal(edges, np.arange(len(r) + 1))
        for bar, i in enumerate(expected):
            lead = int(np.argmax(r[i]))
            below = [] if k == lead else [lead, *(j for j in range(k) if j != lead)]
            assert lower[bar] == pytest.approx(r[i, below].sum(), abs=1e-12)  # rounding
            assert upper[bar] - lower[bar] == pytest.approx(r[i, k], abs=1e-12)


def test_membership_bars_are_the_responsibilities(r):
    require_membership(r)


@pytest.mark.parametrize("mutant", ARRANGE_MUTANTS)
def test_wrong_orders_of_the_rows_are_seen(r, mutant, monkeypatch):
    monkeypatch.setattr(membership_figure, "arrange", mutant)
    with pytest.raises(AssertionError):
        require_membership(r)


@pytest.mark.parametrize("mutant", STACK_MUTANTS)
def test_wrong_stacks_are_seen(r, mutant, monkeypatch):
    monkeypatch.setattr(membership_figure, "_stacked", mutant)
    with pytest.raises(AssertionError):
        require_membership(r)


def require_shared_bars(arrange, r):
    """Few bars for many rows: averages of neighbours, each of rows of one component."""
    bars = arrange(r, 7)
    assert len(bars.lead) <= 7 + r.shape[1]
    np.testing.assert_array_equal(np.sort(bars.order), np.arange(len(r)))
    means = membership_figure.averaged(r, bars)
    for bar, (start, end) in enumerate(zip(bars.edges[:-1], bars.edges[1:], strict=True)):
        rows = bars.order[start:end]
        assert set(np.argmax(r[rows], axis=1)) == {bars.lead[bar]}
        np.testing.assert_allclose(means[bar], r[rows].mean(axis=0), rtol=1e-12)


def test_rows_share_bars(r):
    require_shared_bars(membership_figure.arrange, r)
    with pytest.raises(AssertionError):
        require_shared_bars(bars_across_components, r)


def test_groups_are_named_and_counted(r):
    axes = membership(result(r)).axes[0]
    said = [tick.get_text() for tick in axes.get_xticklabels()]
    counts = np.bincount(np.argmax(r, axis=1), minlength=3)
    assert [s.split()[-1] if "row" not in s else s.split()[-2] for s in said] == [
        str(c) for c in counts if c
    ]
    assert all(f"c{k}" in s for k, s in zip(np.flatnonzero(counts), said, strict=True))
    for k in range(3):
        face = axes.collections[k].get_facecolor()[0, :3]
        np.testing.assert_allclose(face, colors.to_rgb(colours.colour(k)))


def test_the_interval_is_that_of_the_most_likely_component(r):
    lower, upper = r * 0.9, 1 - 0.8 * (1 - r)
    axes = membership(result(r, lower=lower, upper=upper)).axes[0]
    drawn = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
    order = membership_figure.arrange(r).order
    most = np.argmax(r[order], axis=1)
    for line, bound in zip(drawn, (lower, upper), strict=True):
        y = line.get_ydata()[:-1]
        np.testing.assert_allclose(y, bound[order, most], rtol=1e-12)
    assert "50 % interval" in axes.texts[0].get_text()
    bare = membership(result(r, lower=lower, upper=upper), intervals=False).axes[0]
    assert not [line for line in bare.lines if line.get_drawstyle() == "steps-post"]


def test_undefined_rows_stand_last_and_components_that_never_lead_are_named(r):
    r = r.copy()
    r[:, 1] = 0
    r[4] = np.nan
    axes = membership(result(r)).axes[0]
    assert "undefined" in axes.get_xticklabels()[-1].get_text()
    legend = axes.get_legend()
    assert legend is not None
    assert [t.get_text() for t in legend.get_texts()] == ["component c1"]
    bars = membership_figure.arrange(r)
    assert bars.order[-1] == 4
    assert bars.lead[-1] == -1


# -- rootogram -------------------------------------------------------------------------------------


def right_counts(r, k, edges, least):
    return np.histogram(r[r[:, k] >= least, k], edges)[0]


def require_rootogram(r, counts):
    figure = rootogram(result(r), bins=8, least=0.05)
    edges = np.linspace(0, 1, 9)
    for k, axes in enumerate(figure.axes[:3]):
        own, every = axes.containers
        np.testing.assert_allclose([p.get_height() for p in every], counts(r, k, edges, 0.05))
        np.testing.assert_allclose([p.get_x() for p in every], edges[:-1])
        mine = r[(np.argmax(r, axis=1) == k) & (r[:, k] >= 0.05), k]
        np.testing.assert_allclose([p.get_height() for p in own], np.histogram(mine, edges)[0])
        assert f"{(r[:, k] < 0.05).sum()} of 60 rows" in axes.texts[0].get_text()


def test_rootogram_counts_rows(r):
    require_rootogram(r, right_counts)
    for mutant in ROOTOGRAM_MUTANTS:
        with pytest.raises(AssertionError):
            require_rootogram(r, mutant)


def require_roots(r):
    for axes in rootogram(result(r)).axes[:3]:
        heights = axes.transData.transform([[0, 0], [0, 4], [0, 16]])[:, 1]
        assert (heights[2] - heights[0]) / (heights[1] - heights[0]) == pytest.approx(2)
        assert all(float(t).is_integer() for t in axes.get_yticks())


def test_heights_are_roots_and_ticks_counts(r):
    require_roots(r)


@pytest.mark.parametrize("mutant", SCALE_MUTANTS)
def test_scales_without_roots_are_seen(r, mutant, monkeypatch):
    monkeypatch.setattr(rootogram_figure, "_root_scale", mutant)
    with pytest.raises(AssertionError):
        require_roots(r)


@pytest.mark.parametrize("options", [{"bins": 0}, {"least": 1.0}, {"least": -0.1}])
def test_rootogram_options(r, options):
    with pytest.raises(unmix.UnmixError, match=next(iter(options))):
        rootogram(result(r), **options)


# -- co-assignment ---------------------------------------------------------------------------------

C = np.array([0, 1, 0, 2, 1, 1, 2, 1, 0, 1, 1, 1])


@pytest.fixture(scope="module")
def p():
    """Co-assignment where component 1 is two heaps, its even and its odd members."""
    rng = np.random.default_rng(0)
    z = np.tile(C, (4000, 1))
    mine = np.flatnonzero(C == 1)
    split = rng.random((4000, 1)) < 0.6
    z[:, mine[::2]] = np.where(split, 3, z[:, mine[::2]])
    astray = rng.random(z.shape) < 0.05
    z = np.where(astray, rng.integers(0, 4, z.shape), z)
    return (z[:, :, None] == z[:, None]).mean(axis=0)


def require_heat_map(p):
    figure = similarity(p, C)
    axes = figure.axes[0]
    (mesh,) = [c for c in axes.collections if isinstance(c, QuadMesh)]
    shown = np.asarray(mesh.get_array()).reshape(12, 12)
    bounds = sorted({line.get_ydata()[0] for line in axes.lines if line.get_xdata()[0] == 0})
    assert bounds == [7, 10]  # seven rows of component 1, then three, then two
    big = shown[:7, :7]
    # Heaps of four and three, one after the other: together in 95 %² and more, apart in 60 %.
    sizes = (4, 3) if big[0, 3] > 0.7 else (3, 4)
    first = np.arange(7) < sizes[0]
    same = first[:, None] == first
    assert big[same].min() > 0.8
    assert big[~same].max() < 0.6
    np.testing.assert_array_equal(shown, shown.T)
    np.testing.assert_allclose(np.sort(shown[np.triu_indices(12)]), np.sort(p[np.triu_indices(12)]))
    assert mesh.get_clim() == (0, 1)


def test_heat_map_is_in_the_order_of_the_partition(p):
    require_heat_map(p)


@pytest.mark.parametrize("mutant", ORDER_MUTANTS)
def test_wrong_orders_of_the_heat_map_are_seen(p, mutant, monkeypatch):
    monkeypatch.setattr(similarity_figure, "ordered", mutant)
    with pytest.raises(AssertionError):
        require_heat_map(p)


def require_means(blocks, p):
    found = similarity_figure.ordered(p, C, 5)
    assert len(found.edges) < len(C)
    assert set(found.ends) < set(found.edges)  # no cell has rows of two components
    means = blocks(p, found)
    cells = [found.order[a:b] for a, b in zip(found.edges[:-1], found.edges[1:], strict=True)]
    expected = [[p[np.ix_(rows, columns)].mean() for columns in cells] for rows in cells]
    np.testing.assert_allclose(means, expected, rtol=1e-12)


def test_cells_of_many_rows_are_averages(p):
    require_means(similarity_figure.blocks, p)
    for mutant in BLOCK_MUTANTS:
        with pytest.raises(AssertionError):
            require_means(mutant, p)


def test_rows_that_are_always_together_need_no_order():
    figure = similarity(np.ones((5, 5)), np.zeros(5, dtype=int))
    assert "5 rows in the order of a partition into 1 component of 5 rows" in (
        figure.axes[0].texts[0].get_text().replace("\n", " ")
    )


# -- label traces ----------------------------------------------------------------------------------

DIMS = ("chain", "draw", "component", "feature")


@pytest.fixture(scope="module")
def switched():
    """Draws of mu (component, feature) with labels moved by a known permutation; aligned mu."""
    rng = np.random.default_rng(5)
    mu = np.array([[0.0, 50.0], [4.0, 60.0], [9.0, 70.0]]) + rng.normal(0, 0.2, (2, 40, 3, 2))
    permutation = np.array([rng.permutation(3) for _ in range(80)]).reshape(2, 40, 3)
    raw = np.take_along_axis(mu, permutation[..., None], axis=2)
    w = np.take_along_axis(np.tile([0.2, 0.3, 0.5], (2, 40, 1)), permutation, axis=2)
    posterior = xr.Dataset(
        {"w": (DIMS[:3], w), "mu": (DIMS, raw)},
        coords={"chain": [0, 1], "draw": np.arange(40), "component": ["a", "b", "c"]},
    )
    found = unmix.relabel(posterior, method="order", by=("mu", 0), axes="component")
    return posterior, found, raw, mu


def dots(axes):
    return [np.asarray(c.get_offsets()) for c in axes.collections if isinstance(c, PathCollection)]


def require_label_traces(switched):
    posterior, found, raw, mu = switched
    for at in (0, 1):
        figure = label_traces(posterior, found, ("mu", at))
        for axes, values in zip(figure.axes[:2], (raw, mu), strict=True):
            for k, shown in enumerate(dots(axes)):
                np.testing.assert_array_equal(shown[:, 0], np.arange(80))
                np.testing.assert_array_equal(shown[:, 1], values[:, :, k, at].ravel())
        assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()


def test_label_traces_show_the_draws_before_and_after(switched):
    require_label_traces(switched)
    default = label_traces(*switched[:2])
    assert default.axes[0].get_ylabel() == "mu[0]"  # features that have no names
    posterior, found, *_ = switched
    named = posterior.assign_coords(feature=["eruptions", "waiting"])
    assert label_traces(named, found, ("mu", 1)).axes[0].get_ylabel() == "mu[waiting]"
    assert label_traces(named, found, ("mu", -1)).axes[0].get_ylabel() == "mu[waiting]"
    assert label_traces(named, found, "w").axes[0].get_ylabel() == "w"
    np.testing.assert_array_equal(dots(default.axes[0])[1][:, 1], switched[2][:, :, 1, 0].ravel())
    assert [t.get_text() for t in default.axes[0].get_xticklabels()] == ["chain 0", "chain 1"]


def test_a_feature_taken_for_a_component_is_seen(switched, monkeypatch):
    monkeypatch.setattr(label_traces_figure, "_values", features_for_components)
    with pytest.raises(AssertionError):
        require_label_traces(switched)


def test_far_values_do_not_set_the_scale_and_are_said(switched):
    posterior, found, *_ = switched
    far = posterior.copy(deep=True)
    far["mu"][0, 0, 0, 0] = 1e6
    axes = label_traces(far, found, "mu").axes[0]
    assert axes.get_ylim()[1] < 100
    assert f"{1 / 240:.1%} of the values" in axes.texts[0].get_text()


def test_label_traces_refuse_what_they_cannot_draw(switched):
    posterior, found, *_ = switched
    with pytest.raises(unmix.UnmixError, match=r"nu.* has no component axis: give one of w, mu"):
        label_traces(posterior, found, "nu")
    with pytest.raises(unmix.UnmixError, match="has 2 numbers"):
        label_traces(posterior, found, ("mu", 2))
    with pytest.raises(unmix.UnmixError, match="'draw' differs"):
        label_traces(posterior.isel(draw=slice(20)), found)
    with pytest.raises(unmix.UnmixError, match="no relabelling"):
        label_traces(posterior, posterior)
    with pytest.raises(unmix.UnmixError, match="axes holds 1"):
        label_traces(posterior, found, axes=Figure().subplots(1, 1, squeeze=False)[0])


# -- uncertainty map -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def waiting():
    """The model, draws of θ (no label switches), and responsibilities of every draw."""
    model = unmix.models.gaussian(WAITING, 2)
    rng = np.random.default_rng(2)
    theta = {
        "w": rng.dirichlet([30, 50], (2, 50)),
        "mu": np.array([54.6, 80.1]) + 2 * rng.normal(size=(2, 50, 2)),
        "sigma": np.array([5.9, 5.8]) + rng.uniform(-1, 1, (2, 50, 2)),
    }
    posterior = xr.Dataset(
        {name: (("chain", "draw", "component"), value) for name, value in theta.items()}
    )
    return model, posterior, {n: v.reshape(100, 2) for n, v in theta.items()}


def responsibility(theta, x):
    joint = theta["w"][:, None] * norm.pdf(
        x[:, None], theta["mu"][:, None], theta["sigma"][:, None]
    )
    return joint / joint.sum(-1, keepdims=True)


def entropy(r):
    return -(r * np.log(np.maximum(r, 1e-300))).sum(-1)


@pytest.mark.parametrize("mutant", UNCERTAINTY_MUTANTS)
def test_uncertainty_of_something_else_is_seen(waiting, mutant, monkeypatch):
    monkeypatch.setattr(uncertainty_figure, "try_densities", mutant)
    with pytest.raises((AssertionError, StopIteration, IndexError)):
        test_uncertainty_along_an_axis_has_its_two_parts(waiting)


def test_uncertainty_along_an_axis_has_its_two_parts(waiting):
    model, posterior, theta = waiting
    rows = unmix.responsibilities(model, posterior)
    axes = uncertainty(model, posterior, rows, names=["waiting (min)"]).axes[0]
    line = next(line for line in axes.lines if line.get_label() == "entropy")
    x, y = line.get_data()
    r = responsibility(theta, np.asarray(x))
    # All 100 draws are used; rounding of sums of a hundred terms.
    np.testing.assert_allclose(y, entropy(r.mean(0)), atol=1e-9)
    overlap, doubt = axes.collections[:2]
    parts = entropy(r).mean(0)
    assert np.abs(parts - y).max() > 0.01  # the two can be told apart
    top = overlap.get_paths()[0].vertices
    np.testing.assert_allclose(np.interp(70, x, parts), _top(top, 70), atol=1e-6)
    np.testing.assert_allclose(
        np.interp(70, x, y), _top(doubt.get_paths()[0].vertices, 70), atol=1e-6
    )
    shown = np.concatenate(dots(axes))
    own = entropy(rows["responsibility"].to_numpy())
    np.testing.assert_allclose(
        shown[np.lexsort(shown.T)], np.c_[WAITING, own][np.lexsort(np.c_[WAITING, own].T)]
    )
    assert axes.get_xlabel() == "waiting (min)"


def _top(vertices, x):
    """The highest y of a polygon of points over one abscissa, which is one of them."""
    near = np.abs(vertices[:, 0] - x)
    return vertices[near == near.min(), 1].max()


def test_one_theta_has_overlap_only(waiting):
    model, posterior, _ = waiting
    theta = posterior.isel(chain=0, draw=0)
    axes = uncertainty(model, theta, unmix.responsibilities(model, theta)).axes[0]
    said = [t.get_text() for t in axes.get_legend().get_texts()]
    assert "overlap of components" in said
    assert "uncertainty of θ" not in said


def test_uncertainty_in_the_plane():
    x = unmix.datasets.old_faithful()
    model = unmix.models.gaussian(x, 2, covariance="diagonal")
    theta = {
        "w": np.array([0.4, 0.6]),
        "mu": np.array([[2.0, 55.0], [4.3, 80.0]]),
        "sigma": np.array([[0.5, 8.0], [0.6, 9.0]]),
    }
    rows = unmix.responsibilities(model, theta)
    figure = uncertainty(model, theta, rows)
    axes = figure.axes[0]
    mesh = next(c for c in axes.collections if isinstance(c, QuadMesh))
    corners = np.asarray(mesh.get_coordinates())
    middle = (corners[:-1, :-1] + corners[1:, 1:]) / 2
    joint = theta["w"] * norm.pdf(middle[:, :, None], theta["mu"], theta["sigma"]).prod(axis=-1)
    shade = np.asarray(mesh.get_array()).reshape(middle.shape[:2])
    np.testing.assert_allclose(shade, entropy(joint / joint.sum(-1, keepdims=True)), atol=1e-9)
    own = entropy(rows["responsibility"].to_numpy())
    low, high = 18.0, 150.0
    most = rows["responsibility"].to_numpy().argmax(1)
    for k, collection in enumerate(c for c in axes.collections if isinstance(c, PathCollection)):
        np.testing.assert_array_equal(collection.get_offsets(), x.to_numpy()[most == k])
        np.testing.assert_allclose(
            collection.get_sizes(), low + (high - low) * own[most == k] / np.log(2)
        )


@pytest.fixture(scope="module")
def three():
    """Three correlated features: the rows, the model, one θ, responsibilities, covariances."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3)) * [1.0, 10.0, 0.1] + [0, 50, 1]
    model = unmix.models.gaussian(pd.DataFrame(x, columns=["a", "b", "c"]), 2)
    correlation = np.array([[1, 0.6, -0.3], [0.6, 1, 0.4], [-0.3, 0.4, 1]])
    factor = np.linalg.cholesky(correlation)
    theta = {
        "w": np.array([0.3, 0.7]),
        "mu": np.array([[-0.5, 45.0, 0.95], [0.5, 55.0, 1.05]]),
        "sigma": np.array([[1.0, 9.0, 0.1], [0.8, 11.0, 0.12]]),
        "corr": np.array([factor, factor]),
    }
    covariance = theta["sigma"][:, :, None] * correlation * theta["sigma"][:, None]
    return x, model, theta, unmix.responsibilities(model, theta), covariance


def test_rows_in_doubt_are_drawn_in_pairs_of_three_features(three):
    x, model, theta, rows, _ = three
    axes = uncertainty(model, theta, rows).axes
    own = entropy(rows["responsibility"].to_numpy())
    for at, (i, j) in {0: (0, 0), 3: (1, 0), 4: (1, 1), 6: (2, 0), 7: (2, 1), 8: (2, 2)}.items():
        expected = np.c_[x[:, j], own if i == j else x[:, i]]
        shown = np.concatenate(dots(axes[at]))
        np.testing.assert_allclose(shown[np.lexsort(shown.T)], expected[np.lexsort(expected.T)])
        drawn = [c for c in axes[at].collections if isinstance(c, PathCollection)]
        size = np.concatenate([c.get_sizes() for c in drawn])
        doubt = own[[np.argmin(np.abs(x[:, j] - v)) for v in np.concatenate(dots(axes[at]))[:, 0]]]
        np.testing.assert_allclose(size, 8 + 62 * doubt / np.log(2))
    with pytest.raises(unmix.UnmixError, match="3 features, which take a grid of panels"):
        uncertainty(model, theta, rows, ax=Figure().subplots())


def require_marginals(three):
    """Contours and curves of two features and one, the others integrated out."""
    _, model, theta, rows, covariance = three
    axes = fitted_components(model, theta, rows).axes
    for i, j in ((1, 0), (2, 0), (2, 1)):
        contours = [c for c in axes[3 * i + j].collections if isinstance(c, QuadContourSet)]
        for k, contour in enumerate(contours):
            factor = np.linalg.cholesky(covariance[k][np.ix_([j, i], [j, i])])
            # Steps of the grid are at most 8 / 79 sd, over sqrt(1 - .6²): 0.13; the peak is then
            # missed by .09 sd or less, exp(-.004), and interpolation is off by less than that. A
            # contour may leave the rows' side of the axes, where it is cut and not moved.
            for path, radius in zip(contour.get_paths(), (2, 1), strict=True):
                away = (path.vertices - theta["mu"][k, [j, i]]).T
                far = np.linalg.norm(np.linalg.solve(factor, away), axis=0)
                assert np.abs(far - radius).max() < 0.02
    for j in range(3):
        for k, line in enumerate(axes[4 * j].lines):
            at, y = line.get_data()
            sd = np.sqrt(covariance[k, j, j])
            np.testing.assert_allclose(
                y, theta["w"][k] * norm.pdf(at, theta["mu"][k, j], sd), rtol=1e-6, atol=1e-12
            )  # second differences of log-densities near 10 lose six digits at most


def test_pairs_show_marginal_densities(three):
    require_marginals(three)


@pytest.mark.parametrize("mutant", PLANE_MUTANTS)
def test_densities_that_are_no_marginals_are_seen(three, mutant, monkeypatch):
    monkeypatch.setattr(Normals, "plane", mutant)
    with pytest.raises((AssertionError, TypeError, ValueError)):
        require_marginals(three)


def test_bands_on_the_diagonal_are_quantiles_over_draws(three):
    _, model, theta, rows, _ = three
    shift = np.linspace(-1, 1, 9)
    draws = {name: np.broadcast_to(v, (1, 9, *v.shape)).copy() for name, v in theta.items()}
    draws["mu"] += shift[:, None, None] * theta["sigma"].min(axis=0)
    draws = xr.Dataset(
        {
            name: (("chain", "draw", *(f"{name}_{d}" for d in range(v.ndim - 2))), v)
            for name, v in draws.items()
        }
    )
    axes = fitted_components(model, draws, rows).axes[0]
    band = axes.collections[0].get_paths()[0].vertices
    at, _ = axes.lines[0].get_data()
    point = at[len(at) // 3]
    here = np.sort(band[np.isclose(band[:, 0], point, rtol=0, atol=1e-12)][:, 1])
    mu = theta["mu"][0, 0] + shift * theta["sigma"].min(axis=0)[0]
    each = 0.3 * norm.pdf(point, mu, theta["sigma"][0, 0])
    np.testing.assert_allclose([here[0], here[-1]], np.quantile(each, [0.055, 0.945]), rtol=1e-6)


def test_components_that_are_not_normal_get_no_ellipses(three):
    """Student's t: its logarithm is no quadratic, whatever it is called."""
    x, _, theta, _, _ = three
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 10, shape=(2, 3))
        z = pm.Categorical("z", w, shape=60)
        pm.StudentT("x", nu=4, mu=mu[z], sigma=1, observed=x)
    fit = {"w": theta["w"], "mu": theta["mu"]}
    axes = fitted_components(model, fit, unmix.bayes_rule(model, fit)).axes
    assert not [c for c in axes[3].collections if isinstance(c, QuadContourSet)]
    assert not axes[0].lines


def test_a_heat_map_of_some_of_the_rows_says_so(p):
    said = similarity(p, C, of=36).axes[0].texts[0].get_text().replace("\n", " ")
    assert "12 of 36 rows in the order" in said
    assert "of 12 rows" not in similarity(p, C, of=12).axes[0].texts[0].get_text()


# -- components in the plane, over draws -----------------------------------------------------------


def test_contours_of_single_draws_are_a_band_around_the_mean():
    x = unmix.datasets.old_faithful()
    model = unmix.models.gaussian(x, 2, covariance="diagonal")
    mu = np.array([[2.0, 55.0], [4.3, 80.0]]) + 0.05 * np.arange(-2, 3)[None, :, None, None]
    theta = {
        "w": np.full((1, 5, 2), 0.5),
        "mu": mu,
        "sigma": np.tile([[0.5, 8.0], [0.6, 9.0]], (1, 5, 1, 1)),
    }
    dims = {"w": DIMS[:3], "mu": DIMS, "sigma": DIMS}
    posterior = xr.Dataset({n: (dims[n], v) for n, v in theta.items()})
    axes = fitted_components(model, posterior, unmix.responsibilities(model, posterior)).axes[0]
    contours = [c for c in axes.collections if isinstance(c, QuadContourSet)]
    for k in (0, 1):
        *single, _mean = contours[6 * k : 6 * k + 6]
        assert len(single) == 5
        for draw, contour in enumerate(single):
            (path,) = contour.get_paths()
            far = np.linalg.norm(
                (path.vertices - mu[0, draw, k]) / theta["sigma"][0, draw, k], axis=1
            )
            # Steps of the grid are 4.6 / 99 and 69 / 99, at most 0.1 sd: the peak is missed by 0.07
            # sd or less, and interpolation is off by less than that (as in test_figures.py).
            assert np.abs(far - 2).max() < 0.01


# -- all of them -----------------------------------------------------------------------------------


def test_figures_are_drawn_onto_the_callers_axes(r, p, switched, waiting):
    model, posterior, _ = waiting
    rows = unmix.responsibilities(model, posterior)
    figure = Figure(figsize=(12, 8))
    axes = figure.subplots(3, 3).ravel()
    drawn = [
        membership(result(r), ax=axes[0]),
        similarity(p, C, ax=axes[1]),
        uncertainty(model, posterior, rows, ax=axes[2]),
        rootogram(result(r), axes=axes[3:6]),
        label_traces(*switched[:2], axes=axes[6:8]),
    ]
    assert all(one is figure for one in drawn)
    assert all(ax.has_data() for ax in axes[:8])
    assert not axes[8].has_data()
    with pytest.raises(unmix.UnmixError, match="axes holds 2 and there are 3 components: give 3"):
        rootogram(result(r), axes=axes[:2])


@pytest.mark.parametrize("figure", [membership, rootogram])
def test_components_without_identity_are_said(figure, r):
    given = result(r)
    given.attrs["identified"] = 0
    drawn = figure(given)
    texts = [t.get_text() for axes in drawn.axes for t in axes.texts] + [drawn.get_suptitle()]
    assert any("NOT IDENTIFIED" in t for t in texts)


@pytest.mark.parametrize("figure", [membership, rootogram])
def test_names_start_no_formula_and_obey_no_escape(figure, r):
    given = result(r).assign_coords(component=["$\\frac{", "b\x1b[31m", "c" * 100])
    drawn = figure(given)
    drawn.savefig("/dev/null", format="png")
    said = [axes.get_title(loc="left") for axes in drawn.axes]
    said += [t.get_text() for axes in drawn.axes for t in axes.get_xticklabels()]
    assert not any("\x1b" in t or "c" * 30 in t for t in said)


@pytest.mark.parametrize("figure", [membership, rootogram])
def test_what_holds_no_responsibilities_is_refused(figure, r):
    with pytest.raises(unmix.UnmixError, match="ndarray holds no responsibilities"):
        figure(r)
    with pytest.raises(unmix.UnmixError, match="average them over draws"):
        figure(result(r).expand_dims(draw=[0, 1]))


def test_a_heat_map_needs_one_partition_of_its_rows(p):
    with pytest.raises(unmix.UnmixError, match="of 12 rows and the partition of 11"):
        similarity(p, C[:11])
    with pytest.raises(unmix.UnmixError, match="similarity matrix has shape"):
        similarity(p[:, :4], C)
