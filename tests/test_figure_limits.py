"""A few far rows do not rule a picture: they stand at its margin, and their number is said."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure

import unmix
from unmix.show import colours, fitted_components, rootogram_figure, uncertainty
from unmix.show.limits import far_rows, limits, placed, to_draw, view, words
from unmix.show.rows_drawn import emptiest_corner

FAR = 1e6
NEAR = np.random.default_rng(0).normal(size=(150, 3)) * [1.0, 10.0, 0.1]


def with_far_row(features):
    x = np.vstack([NEAR, [FAR, 0.0, 0.0]])[:, :features]
    return pd.DataFrame(x, columns=list("abc")[:features])


@pytest.fixture(scope="module", params=[1, 2, 3], ids=["line", "plane", "pairs"])
def both(request):
    """Number of features, and both figures of data with a far row in the first of them."""
    d = request.param
    model = unmix.models.gaussian(with_far_row(d), 2, covariance="diagonal")
    theta = {
        "w": np.array([0.9, 0.1]),
        "mu": np.array([[0.0] * d, [1.0] * d]),
        "sigma": np.array([[1.0, 10.0, 0.1][:d], [1e5] * d]),
    }
    if d == 1:
        theta |= {"mu": theta["mu"][:, 0], "sigma": theta["sigma"][:, 0]}
    r = unmix.responsibilities(model, theta).assign_attrs(identified=0)
    return d, fitted_components(model, theta, r), uncertainty(model, theta, r)


def panels_of_a(d, figure, *, on_the_line):
    """Axes whose horizontal one is the first feature, and that hold rows."""
    at = {1: [1] if on_the_line else [0], 2: [0], 3: [3, 6]}[d]
    return [figure.axes[i] for i in at]


def test_a_far_row_stands_at_the_margin_and_is_said(both):
    d, components, doubt = both
    for figure, on_the_line in ((components, True), (doubt, False)):
        for axes in panels_of_a(d, figure, on_the_line=on_the_line):
            low, high = axes.get_xlim()
            # The core of 149 rows in all but their ends has more than a quarter of the axis.
            assert high - low < 4 * np.ptp(NEAR[:, 0])
            assert low < NEAR[:, 0].min() < NEAR[:, 0].max() < high
            rows = [c for c in axes.collections if isinstance(c, PathCollection)]
            x = np.concatenate([c.get_offsets()[:, 0] for c in rows])
            assert len(x) == 151
            assert low < x.min() <= x.max() < high
            last = max(
                (c for c in rows if len(c.get_offsets())), key=lambda c: c.get_offsets()[:, 0].max()
            )
            at = int(np.argmax(last.get_offsets()[:, 0]))
            edged = [to_hex(e).upper() == colours.INK.upper() for e in last.get_edgecolors()]
            assert edged[at]
            assert sum(edged) == 1
        said = " ".join(t.get_text() for a in figure.axes for t in a.texts).replace("\n", " ")
        assert "1 row lies far outside and stands at the margin" in said


def test_components_without_identity_are_said_where_they_are_drawn(both):
    for figure in both[1:]:
        assert any("NOT IDENTIFIED" in t.get_text() for a in figure.axes for t in a.texts)


def test_contours_of_a_component_beyond_the_axes_are_of_its_own_peak():
    """A component on far rows has its peak there; within the axes it has no contour."""
    rng = np.random.default_rng(1)
    x = np.vstack([rng.normal(size=(300, 2)), 1000 + rng.normal(size=(2, 2))])
    model = unmix.models.gaussian(x, 2, covariance="diagonal")
    theta = {
        "w": np.array([0.99, 0.01]),
        "mu": np.array([[0.0, 0.0], [1000.0, 1000.0]]),
        "sigma": np.array([[1.0, 1.0], [60.0, 60.0]]),  # exp(−280) at the others, which is no 0
    }
    (axes,) = fitted_components(model, theta, unmix.responsibilities(model, theta)).axes
    assert len([c for c in axes.collections if isinstance(c, QuadContourSet)]) == 1


def test_limits_cut_only_what_is_far_and_rare():
    rng = np.random.default_rng(2)
    x = rng.normal(size=200)
    assert limits(x) == (x.min(), x.max())
    # A hundredth of the rows at either end, and no more, may be taken for far.
    for n, cut in ((2, True), (3, False)):
        rows = np.r_[x, np.full(n, 1e3)]
        assert far_rows(rows).sum() == (n if cut else 0)
        assert (limits(rows)[1] < 10) == cut
    # What is constant but for a row, and what is hardly any rows, has no core.
    assert limits(np.r_[np.zeros(50), 1.0]) == (0.0, 1.0)
    assert limits(np.array([0.0, 1.0, 2.0, 1e9])) == (0.0, 1e9)
    assert view(np.zeros(20)) == (-0.5, 0.5)
    galaxies = unmix.datasets.galaxies().to_numpy(float).ravel()
    assert limits(galaxies) == (galaxies.min(), galaxies.max())


def test_far_rows_are_drawn_whatever_is_thinned():
    x = np.r_[np.random.default_rng(3).normal(size=12_001), 1e4]
    far = far_rows(x)
    assert len(x) - 1 in to_draw(far)
    assert len(to_draw(far)) == 4002
    np.testing.assert_array_equal(placed(x, view(x))[:-1], x[:-1])
    assert words(far[:-1]) == ""
    assert "2 rows lie" in words(np.r_[far, True])


def test_counts_with_a_far_one():
    x = np.r_[np.random.default_rng(4).poisson(5, 300), 10**9]
    low, high = limits(x)
    assert high < 30
    assert low == x.min()


def test_markers_of_sure_rows_are_whole(both):
    d, _, doubt = both
    if d == 2:
        return  # entropy is a shade there
    axes = doubt.axes[0]
    doubt.draw_without_rendering()
    bottom = axes.transData.transform([[0, axes.get_ylim()[0]], [0, 0.0]])[:, 1]
    sizes = np.concatenate(
        [c.get_sizes() for c in axes.collections if isinstance(c, PathCollection)]
    )
    # Half of the smallest marker's side, in pixels of a hundred to the inch.
    assert bottom[1] - bottom[0] >= np.sqrt(sizes.min()) / 2 * 100 / 72


@pytest.mark.parametrize("top", [1, 3, 17, 97, 180, 400, 12_345, 10**6])
def test_ticks_of_roots_are_round_and_have_room(top):
    ticks = rootogram_figure._counts(top)
    assert ticks[0] == 0
    assert 2 <= len(ticks) <= 8
    assert all(str(t).rstrip("0") in ("1", "2", "5") for t in ticks[1:])
    assert ticks[-1] >= top / 2.5
    assert ticks[-1] <= 1.1 * top
    room = np.diff(np.sqrt(ticks)) / np.sqrt(1.1 * top)
    assert room.min() >= 1 / 8


@pytest.mark.parametrize("corner", ["upper left", "upper right", "lower right", "lower left"])
def test_a_legend_stands_where_it_hides_no_row(corner):
    axes = Figure().subplots()
    axes.set_xlim(-10, 10)
    axes.set_ylim(0, 1)
    everywhere = np.random.default_rng(0).random((400, 2)) * [20, 1] - [10, 0]
    x, y = everywhere[:, 0], everywhere[:, 1]
    top, left = corner.startswith("upper"), corner.endswith("left")
    hidden = ((y > 0.8) if top else (y < 0.2)) & ((x < -2) if left else (x > 2))
    assert hidden.any()
    assert emptiest_corner(axes, x[~hidden], y[~hidden], 2) == corner
