"""Figures hold the numbers they should: lines, points and colours are read back and compared."""

import re
import subprocess
import sys
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from matplotlib import colors, pyplot
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from scipy.stats import multivariate_normal, norm

import unmix
from unmix.show import calibration, colours, em_against_mcmc, fitted_components, traces, two_roads
from unmix.show.density import densities
from unmix.show.line_figure import bins_of

THETA = {
    "w": np.array([0.36, 0.64]),
    "mu": np.array([54.6, 80.1]),
    "sigma": np.array([5.9, 5.8]),
}
DRAWS = 2000
WAITING = unmix.datasets.old_faithful()["waiting"].to_numpy(float)
DIMS = ("chain", "draw", "component")


@pytest.fixture(autouse=True)
def no_figure_is_left_open():
    yield
    assert pyplot.get_fignums() == []


@pytest.fixture(scope="module")
def waiting():
    return unmix.models.gaussian(unmix.datasets.old_faithful()["waiting"], 2)


@pytest.fixture(scope="module")
def draws():
    """Draws with labels swapped in a third of them: the tree, matched θ, matched r and z."""
    rng = np.random.default_rng(8)
    aligned = {
        "w": rng.dirichlet([98, 174], (2, DRAWS // 2)),
        "mu": THETA["mu"] + 0.8 * rng.normal(size=(2, DRAWS // 2, 2)),
        "sigma": THETA["sigma"] + 0.4 * rng.normal(size=(2, DRAWS // 2, 2)),
    }
    swapped = rng.random((2, DRAWS // 2, 1)) < 1 / 3
    permutation = np.where(swapped, [1, 0], [0, 1])
    tree = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(
                {n: (DIMS, np.take_along_axis(v, permutation, -1)) for n, v in aligned.items()},
                coords={"chain": range(2), "draw": range(DRAWS // 2), "component": range(2)},
            ),
        }
    )
    joint = aligned["w"][:, :, None] * norm.pdf(
        WAITING[:, None], aligned["mu"][:, :, None], aligned["sigma"][:, :, None]
    )
    r = (joint / joint.sum(-1, keepdims=True)).reshape(DRAWS, -1, 2)
    z = (rng.random(r.shape[:2]) < r[..., 1]).astype(int)
    return tree, aligned, r, z


def both_roads(r, z):
    """What `unmix.responsibilities` keeps of draws of r and z."""
    frequency = np.stack([(z == k).mean(0) for k in range(r.shape[-1])], axis=-1)
    kept = {"responsibility": r.mean(0), "sd": r.std(0, ddof=1), "assignment_frequency": frequency}
    return xr.Dataset(
        {name: (("obs", "component"), value) for name, value in kept.items()},
        coords={"obs": range(r.shape[1]), "component": range(r.shape[2])},
        attrs={"samples": r.shape[0]},
    )


def points(axes):
    """Offsets of every scatter in the axes, in the order drawn."""
    return [
        np.asarray(c.get_offsets())
        for c in axes.collections
        if isinstance(c, PathCollection) and not isinstance(c, LineCollection)
    ]


def line_called(axes, label):
    return next(line for line in axes.lines if line.get_label() == label)


# -- data and components ---------------------------------------------------------------------------


def test_densities_of_one_feature(waiting):
    r = unmix.bayes_rule(waiting, THETA)
    figure = fitted_components(waiting, THETA, r, names=["waiting (min)"])
    assert isinstance(figure, Figure)
    top, strip, below = figure.axes
    total = 0
    for k in (0, 1):
        x, y = line_called(top, f"component {k}").get_data()
        expected = THETA["w"][k] * norm.pdf(x, THETA["mu"][k], THETA["sigma"][k])
        np.testing.assert_allclose(y, expected, rtol=1e-10)  # rounding
        total = total + expected
        assert x.min() < WAITING.min() < WAITING.max() < x.max()
        assert len(np.unique(x)) == len(x)
    np.testing.assert_allclose(line_called(top, "sum").get_ydata(), total, rtol=1e-10)
    x, y = below.lines[0].get_data()
    np.testing.assert_allclose(
        y, THETA["w"][0] * norm.pdf(x, THETA["mu"][0], THETA["sigma"][0]) / total, rtol=1e-9
    )
    assert below.get_xlabel() == "waiting (min)"
    assert sum(len(p) for p in points(strip)) == len(WAITING)


def test_the_histogram_is_of_the_data(waiting):
    top = fitted_components(waiting, THETA, unmix.bayes_rule(waiting, THETA)).axes[0]
    bars = [(p.get_x(), p.get_width(), p.get_height()) for p in top.patches]
    for left, width, height in bars:
        inside = ((left <= WAITING) & (left + width > WAITING)).sum()
        assert height == pytest.approx(inside / len(WAITING) / width, rel=1e-9)
    assert sum(width * height for _, width, height in bars) == pytest.approx(1)
    widths = {round(width, 6) for _, width, _ in bars}
    assert len(widths) == 1  # whole minutes, so that no bar holds more possible values than others
    assert widths.pop() == round(bars[0][1])


def test_rows_are_shaded_by_their_responsibility(waiting):
    result = unmix.bayes_rule(waiting, THETA)
    strip = fitted_components(waiting, THETA, result).axes[1]
    r = result["responsibility"].to_numpy()
    seen = 0
    for k, collection in enumerate(strip.collections):
        mine = np.argmax(r, axis=1) == k
        np.testing.assert_array_equal(collection.get_offsets()[:, 0], WAITING[mine])
        np.testing.assert_allclose(collection.get_facecolors()[:, :3], colours.mix(r[mine]))
        seen += int(mine.sum())
    assert seen == len(WAITING)
    shapes = {len(c.get_paths()[0].vertices) for c in strip.collections}
    assert len(shapes) == 2  # a circle and a square: readable without colour


def test_many_rows_are_thinned_and_said():
    x = np.random.default_rng(0).normal(size=12_001)
    model = unmix.models.gaussian(x, 2)
    fit = {"w": np.array([0.5, 0.5]), "mu": np.array([-1.0, 1.0]), "sigma": np.ones(2)}
    strip = fitted_components(model, fit, unmix.bayes_rule(model, fit)).axes[1]
    shown = np.concatenate(points(strip))[:, 0]
    assert len(shown) == 4001
    np.testing.assert_array_equal(np.sort(shown), np.sort(x[::3]))
    assert "4,001 of" in strip.get_ylabel()


def test_densities_of_draws_are_matched_then_averaged(waiting, draws):
    tree, aligned, r, z = draws
    figure = fitted_components(waiting, tree, both_roads(r, z))
    top = figure.axes[0]
    every = np.linspace(0, DRAWS // 2 - 1, 100).astype(int)  # 200 draws, evenly from both chains
    thin = {n: v[:, every].reshape(-1, 1, 2) for n, v in aligned.items()}
    for k in (0, 1):
        x, y = line_called(top, f"component {k}").get_data()
        each = thin["w"][..., k] * norm.pdf(x, thin["mu"][..., k], thin["sigma"][..., k])
        np.testing.assert_allclose(y, each.mean(0), rtol=1e-10)
        band = top.collections[k].get_paths()[0].vertices
        at = len(x) // 2
        here = np.sort(band[np.isclose(band[:, 0], x[at])][:, 1])
        np.testing.assert_allclose(
            [here[0], here[-1]], np.quantile(each[:, at], [0.055, 0.945]), rtol=1e-9
        )
    assert "200 draws" in figure.axes[0].texts[0].get_text().replace("\n", " ")

    # Without labels to match them to, the draws are averaged as they are, which is another curve.
    x, y = line_called(top, "component 0").get_data()
    mixed = densities(unmix.derive(waiting), tree, "x", x, draws=200).joint[:, 0]
    assert np.abs(mixed - y).max() > 0.002


def test_densities_take_the_labels_of_the_responsibilities_shown(waiting, draws):
    tree, _, r, z = draws
    one, other = (
        line_called(fitted_components(waiting, tree, both).axes[0], "component 0").get_ydata()
        for both in (both_roads(r, z), both_roads(r[..., ::-1], 1 - z))
    )
    assert np.argmax(one) < np.argmax(other)  # the short waits, then the long ones


def test_contours_are_at_one_and_two_standard_deviations():
    frame = unmix.datasets.old_faithful()
    model = unmix.models.gaussian(frame, 2)
    fit = {
        "w": np.array([0.36, 0.64]),
        "mu": np.array([[2.04, 54.5], [4.29, 80.0]]),
        "sigma": np.array([[0.26, 5.8], [0.41, 6.0]]),
        "corr": np.array([_cholesky(0.28), _cholesky(0.38)]),
    }
    figure = fitted_components(model, fit, unmix.bayes_rule(model, fit))
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("eruptions", "waiting")
    contours = [c for c in axes.collections if isinstance(c, QuadContourSet)]
    assert len(contours) == 2
    for k, contour in enumerate(contours):
        chol = fit["sigma"][k][:, None] * fit["corr"][k]
        outer, inner = contour.get_paths()
        # The grid's step is at most 0.19 sd (1.3 x 3.5 min / 99 over 0.26 sqrt(1 - .28²)). The peak
        # is then missed by 0.13 sd or less, a factor exp(-.0085), and interpolation within a cell
        # is off by .19²/8 of the curvature over the slope: together below .03 in radius.
        for path, radius in ((outer, 2), (inner, 1)):
            far = np.linalg.norm(np.linalg.solve(chol, (path.vertices - fit["mu"][k]).T), axis=0)
            assert np.abs(far - radius).max() < 0.03
    shown = np.concatenate(points(axes))
    assert {tuple(p) for p in shown} == {tuple(p) for p in frame.to_numpy()}
    figure.draw_without_rendering()
    box = axes.get_legend().get_window_extent()
    assert not any(box.contains(*p) for p in axes.transData.transform(shown))  # a corner is empty


def _cholesky(correlation):
    return np.array([[1, 0], [correlation, np.sqrt(1 - correlation**2)]])


def test_densities_come_from_bayes_rule_in_the_plane_too():
    model = unmix.models.gaussian(unmix.datasets.old_faithful(), 2)
    fit = {
        "w": np.array([0.3, 0.7]),
        "mu": np.array([[2.0, 55.0], [4.3, 80.0]]),
        "sigma": np.array([[0.3, 6.0], [0.4, 6.0]]),
        "corr": np.array([_cholesky(0.2), _cholesky(0.4)]),
    }
    grid = np.array([[2.0, 60.0], [3.0, 70.0], [4.0, 75.0]])
    found = densities(unmix.derive(model), fit, "x", grid, draws=10)
    for k in (0, 1):
        chol = fit["sigma"][k][:, None] * fit["corr"][k]
        expected = multivariate_normal.pdf(grid, fit["mu"][k], chol @ chol.T)
        np.testing.assert_allclose(found.likelihood[:, k], expected, rtol=1e-10)
        np.testing.assert_allclose(found.joint[:, k], fit["w"][k] * expected, rtol=1e-10)
    assert found.draws is None


def test_more_than_two_features_are_drawn_in_pairs():
    x = np.random.default_rng(0).normal(size=(30, 3))
    model = unmix.models.gaussian(
        pd.DataFrame(x, columns=["a", "b", "c"]), 2, covariance="diagonal"
    )
    fit = {"w": np.full(2, 0.5), "mu": np.zeros((2, 3)), "sigma": np.ones((2, 3))}
    fit["mu"][1] = 1.0
    r = unmix.bayes_rule(model, fit)
    figure = fitted_components(model, fit, r)
    lower = figure.axes[3 * 2 + 1]  # c against b
    shown = np.concatenate(points(lower))
    np.testing.assert_allclose(
        shown[np.lexsort(shown.T)], x[:, 1:][np.lexsort(x[:, 1:].T)], rtol=0, atol=0
    )
    # The head stands above the first panel, the legend in the corner that has none.
    assert "Pairs" in figure.axes[0].get_title(loc="left")
    assert [k for k, axes in enumerate(figure.axes) if axes.get_legend()] == [2]
    figure.draw_without_rendering()
    title = figure.axes[0]._left_title.get_window_extent()
    assert not title.overlaps(figure.axes[2].get_legend().get_window_extent())


def test_a_far_row_does_not_make_bins_coarse():
    x = np.r_[np.random.default_rng(0).normal(size=400), 60.0]
    bins = bins_of(x, False)
    assert ((bins > -2) & (bins < 2)).sum() >= 16  # 30 without the far row, 5 when it ruled
    assert len(bins) < 820
    assert bins[0] <= x.min()
    assert bins[-1] >= x.max()


def test_rows_that_follow_covariates_are_drawn_without_densities():
    t = np.linspace(-1, 1, 40)
    x = t + np.random.default_rng(0).normal(size=40)
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        slope = pm.Normal("slope", 0, 2, shape=2)
        z = pm.Categorical("z", w, shape=40)
        pm.Normal("x", slope[z] * t, 1, observed=x)
    fit = {"w": np.array([0.5, 0.5]), "slope": np.array([0.0, 1.0])}
    figure = fitted_components(model, fit, unmix.bayes_rule(model, fit))
    assert len(figure.axes) == 2  # data and rows
    assert not figure.axes[0].lines


def test_counts_are_drawn_at_whole_numbers():
    x = np.random.default_rng(0).poisson([2, 9] * 30)
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        rate = pm.Gamma("rate", 2, 0.5, shape=2)
        z = pm.Categorical("z", w, shape=60)
        pm.Poisson("x", rate[z], observed=x)
    fit = {"w": np.array([0.5, 0.5]), "rate": np.array([2.0, 9.0])}
    top = fitted_components(model, fit, unmix.bayes_rule(model, fit)).axes[0]
    grid = line_called(top, "sum").get_xdata()
    np.testing.assert_array_equal(grid, np.arange(x.min(), x.max() + 1))
    shares = [p.get_height() for p in top.patches]
    np.testing.assert_allclose(shares, np.bincount(x)[x.min() :] / 60)


@pytest.mark.parametrize("observed", [0, 2])
def test_only_one_observed_variable_can_be_drawn(observed):
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 1])
        mu = pm.Normal("mu", 0, 1, shape=2)
        z = pm.Categorical("z", w, shape=5)
        if not observed:
            pm.Potential("x", -((mu[z] - np.arange(5.0)) ** 2))
        for name in ["x", "y"][:observed]:
            pm.Normal(name, mu[z], 1, observed=np.arange(5.0))
    fit = {"w": np.array([0.5, 0.5]), "mu": np.array([0.0, 1.0])}
    with pytest.raises(unmix.UnmixError, match=f"the model has {observed}"):
        fitted_components(model, fit, unmix.bayes_rule(model, fit))


def test_responsibilities_of_another_model_are_refused(waiting):
    r = unmix.bayes_rule(waiting, THETA).isel(obs=slice(10))
    with pytest.raises(unmix.UnmixError, match="10 rows and 2 components"):
        fitted_components(waiting, THETA, r)


def test_a_fit_without_a_parameter_is_an_error_not_a_bare_figure(waiting):
    r = unmix.bayes_rule(waiting, THETA)
    with pytest.raises(unmix.UnmixError, match="'sigma'"):
        fitted_components(waiting, {"w": THETA["w"], "mu": THETA["mu"]}, r)


# -- the two roads ---------------------------------------------------------------------------------


def test_two_roads_holds_both_roads_and_the_exact_band(draws):
    _, _, r, z = draws
    figure = two_roads(both_roads(r, z))
    left, right = figure.axes
    for k in (0, 1):
        shown = points(left)[k]
        np.testing.assert_allclose(shown[:, 0], r[..., k].mean(0))
        np.testing.assert_allclose(shown[:, 1], (z == k).mean(0))
    (bars,) = [c for c in left.collections if isinstance(c, LineCollection)]
    segments = np.array(bars.get_segments())
    # Σ r (1 − r) is taken over the draws themselves here; the figure has only mean and sd of r.
    # Cancellation leaves some 1e-16 of variance, 1e-8 / sqrt(T) of sd.
    exact = np.sqrt((r * (1 - r)).sum(0)) / DRAWS
    np.testing.assert_allclose(
        segments[:, 1, 1] - segments[:, 0, 1], 4 * exact.ravel(), rtol=1e-6, atol=1e-8
    )
    np.testing.assert_allclose(segments[:, :, 1].mean(1), r.mean(0).ravel())

    variance = (r * (1 - r)).sum(0)
    judged = variance >= 10
    for k in (0, 1):
        mine = judged[:, k]
        score = ((z == k).mean(0) - r[..., k].mean(0))[mine] / exact[mine, k]
        np.testing.assert_allclose(points(right)[k][:, 1], score, rtol=1e-5, atol=1e-6)
    text = right.texts[0].get_text()
    assert f"of {judged.sum()} beyond" in text
    assert f"{judged.size - judged.sum()} hardly ever change" in text


def test_counting_by_another_rule_stands_out(draws):
    _, _, r, _ = draws
    rng = np.random.default_rng(1)

    def beyond(truth):
        z = (rng.random(truth.shape[:2]) < truth[..., 1]).astype(int)
        said = two_roads(both_roads(r, z)).axes[1].texts[0].get_text()
        found = re.match(r"(\d+) of (\d+) beyond", said)
        assert found is not None
        return int(found[1]) / int(found[2])

    weights_forgotten = r / THETA["w"]
    weights_forgotten /= weights_forgotten.sum(-1, keepdims=True)
    assert beyond(weights_forgotten) > 0.5
    assert beyond(r) < 0.2  # 4.55 % expected of some 50 rows; 10 or more of 50 has chance 5e-5


def test_z_that_depends_on_the_draw_before_gets_no_standard_deviations(draws):
    _, _, r, z = draws
    left, right = two_roads(both_roads(r, z), fresh=False).axes
    assert not [c for c in left.collections if isinstance(c, LineCollection)]
    assert right.get_ylabel() == "difference"
    np.testing.assert_allclose(points(right)[0][:, 1], (z == 0).mean(0) - r[..., 0].mean(0))


def test_calibration_bins_each_row_once_for_each_component(draws):
    _, _, r, z = draws
    above, below = calibration(both_roads(r, z), bins=5).axes
    averaged, counted = r.mean(0), np.stack([z == 0, z == 1], -1)
    variance = (r * (1 - r)).sum(0)
    for k in (0, 1):
        x, y, error = [], [], []
        for b in range(5):
            rows = [i for i in range(len(averaged)) if b / 5 <= averaged[i, k] < (b + 1) / 5]
            if rows:
                x.append(averaged[rows, k].mean())
                y.append(counted[:, rows, k].mean())
                error.append(np.sqrt(variance[rows, k].sum()) / len(rows) / DRAWS)
        line = line_called(above, str(k))
        np.testing.assert_allclose(line.get_xdata(), x)
        np.testing.assert_allclose(line.get_ydata(), y)
        bars = below.containers[k]
        np.testing.assert_allclose(bars[0].get_ydata(), np.subtract(y, x), atol=1e-12)
        ends = np.array(bars[2][0].get_segments())
        np.testing.assert_allclose(ends[:, 1, 1] - ends[:, 0, 1], 4 * np.array(error), rtol=1e-6)


def test_a_certain_row_is_in_the_last_bin():
    r = np.tile([[[1.0, 0.0], [0.92, 0.08]]], (50, 1, 1))
    above, _ = calibration(both_roads(r, np.zeros((50, 2), int))).axes
    np.testing.assert_allclose(line_called(above, "0").get_xdata(), [0.96])


@pytest.mark.parametrize("figure", [two_roads, calibration])
def test_without_counts_or_their_number(figure, draws):
    _, _, r, z = draws
    both = both_roads(r, z)
    with pytest.raises(unmix.UnmixError, match="no assignment_frequency"):
        figure(both[["responsibility", "sd"]])
    with pytest.raises(unmix.UnmixError, match="number of draws"):
        figure(both.drop_attrs())
    assert isinstance(figure(both.drop_attrs(), DRAWS), Figure)


# -- EM against MCMC, traces -----------------------------------------------------------------------


def comparison(names=("w[0]", "mu[$0$]")):
    rng = np.random.default_rng(4)
    plug_in = rng.dirichlet([1, 1], 40)
    averaged = 0.85 * plug_in + 0.15 * plug_in[:, ::-1]
    averaged[3] = 1 - plug_in[3]
    changed = plug_in.argmax(1) != averaged.argmax(1)
    rows = xr.Dataset(
        {
            "plug_in": (("obs", "component"), plug_in),
            "averaged": (("obs", "component"), averaged),
            "changed": ("obs", changed),
        },
        coords={"obs": np.arange(100, 140), "component": [0, 1]},
    )
    parameters = pd.DataFrame(
        {
            "ml": [0.3, 55.0],
            "mode": [0.31, np.nan],
            "mean": [0.33, 54.0],
            "sd": [0.02, 0.5],
            "lower": [0.29, 53.0],
            "upper": [0.37, 55.5],
            "em_inside": [True, True],
        },
        index=list(names),
    )
    return SimpleNamespace(rows=rows, parameters=parameters)


def test_em_against_mcmc_holds_rows_and_parameters():
    result = comparison()
    figure = em_against_mcmc(result)
    left, right = figure.axes
    *components, rings = points(left)
    for k, shown in enumerate(components):
        np.testing.assert_array_equal(shown[:, 0], result.rows["plug_in"][:, k])
        np.testing.assert_array_equal(shown[:, 1], result.rows["averaged"][:, k])
    assert len(rings) == int(result.rows["changed"].sum()) == 1
    assert rings[0, 1] == pytest.approx(float(result.rows["averaged"][3].max()))
    assert "103" in [t.get_text() for t in left.texts]
    assert any("1 of 40" in t.get_text() for t in left.texts)

    (intervals,) = [c for c in right.collections if isinstance(c, LineCollection)]
    ends = np.array(intervals.get_segments())[:, :, 0]
    np.testing.assert_allclose(ends, [[-2, 2], [-2, 3]])
    ml = line_called(right, "maximum likelihood")
    np.testing.assert_allclose(ml.get_xdata(), [-1.5, 2])
    assert [t.get_text() for t in right.get_yticklabels()] == [
        "w[0] = 0.330",
        r"mu[\$0\$] = 54.0",
    ]


def test_traces_are_arvizs_own_and_hold_the_draws(draws):
    tree = draws[0]
    figure = traces(tree)
    assert isinstance(figure, Figure)
    series = [np.asarray(line.get_ydata()) for axes in figure.axes for line in axes.lines]
    for name in ("w", "mu", "sigma"):
        for k in (0, 1):
            chain = tree["posterior"][name][0, :, k].to_numpy()
            assert any(len(s) == len(chain) and np.array_equal(s, chain) for s in series)
    labels = {axes.get_ylabel().replace("\n", "") for axes in figure.axes[::2]}  # of each row
    assert {"w[0]", "mu[1]", "sigma[0]"} <= labels
    assert [a.get_title(loc="left") != "" for a in figure.axes] == [True, True] + [False] * 10
    assert figure.axes[-1].get_xlabel() == "draw"


def test_figures_are_listed_before_they_are_loaded():
    assert set(unmix.show.__all__) <= set(dir(unmix.show))
    code = "import unmix.show as s; assert {'membership', 'traces'} <= set(dir(s))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_nothing_of_em_against_mcmc_is_cut_off_by_long_names():
    names = ("w[0]", "mu[1, the width of a petal in centimetres]")
    figure = em_against_mcmc(comparison(names))
    figure.draw_without_rendering()
    whole = figure.bbox
    axes = figure.axes[1]
    for part in (axes.xaxis.label, *axes.get_yticklabels(), axes._left_title, *figure.legends):
        box = part.get_window_extent()
        assert whole.x0 <= box.x0, part
        assert box.x1 <= whole.x1, part
        assert whole.y0 <= box.y0, part


def test_names_of_changed_rows_are_not_written_over_each_other():
    result = comparison()
    rng = np.random.default_rng(4)
    plug_in = 0.4 + 0.09 * rng.random(40)
    averaged = 0.5 + 0.15 * rng.random(40)
    for name, first in (("plug_in", plug_in), ("averaged", averaged)):
        result.rows[name] = (("obs", "component"), np.stack([first, 1 - first], axis=1))
    result.rows["changed"] = ("obs", np.ones(40, bool))
    figure = em_against_mcmc(result)
    figure.draw_without_rendering()
    boxes = [t.get_window_extent() for t in figure.axes[0].texts if hasattr(t, "arrow_patch")]
    assert len(boxes) >= 2
    assert not [1 for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]


def test_rows_side_by_side_are_named_and_what_is_unknown_is_not_drawn():
    result = comparison()
    result.rows["changed"] = ("obs", np.isin(np.arange(40), [0, 1]))
    for name, first in (("plug_in", [0.4, 0.9]), ("averaged", [0.7, 0.7])):
        values = np.tile([0.99, 0.01], (40, 1))
        values[:2] = np.transpose([first, np.subtract(1, first)])
        result.rows[name] = (("obs", "component"), values)
    result.parameters["mode"] = np.nan
    figure = em_against_mcmc(result)
    named = [t.get_text() for t in figure.axes[0].texts if hasattr(t, "arrow_patch")]
    assert len(named) == 2  # of one height, and far enough apart
    assert "posterior mode" not in [t.get_text() for t in figure.legends[0].get_texts()]
    result.parameters["mean"] = np.nan
    figure = em_against_mcmc(result)
    (axes,) = figure.axes  # no empty panel beside
    assert "not shown" in axes.texts[-1].get_text()


def test_no_power_of_ten_stands_over_the_words_of_two_roads(draws):
    _, _, r, z = draws
    table = both_roads(r, z)
    tiny = 1e-5 * (table["assignment_frequency"] - table["responsibility"])
    table["assignment_frequency"] = table["responsibility"] + tiny
    figure = two_roads(table, fresh=False)
    figure.draw_without_rendering()
    assert figure.axes[1].yaxis.get_offset_text().get_text() == ""


def test_labels_of_traces_do_not_overlap():
    names = [f"a rather long name of feature {j}" for j in range(6)]
    rng = np.random.default_rng(0)
    posterior = xr.Dataset(
        {"mu": (("chain", "draw", "feature"), rng.normal(size=(2, 20, 6)))},
        coords={"chain": [0, 1], "draw": np.arange(20), "feature": names},
    )
    figure = traces(xr.DataTree.from_dict({"posterior": posterior}))
    figure.draw_without_rendering()
    boxes = [a.yaxis.label.get_window_extent() for a in figure.axes if a.get_ylabel()]
    boxes += [a.get_window_extent() for a in figure.axes]
    boxes += [t.get_window_extent() for a in figure.axes[::2] for t in a.get_xticklabels()[1:-1]]
    for one, other in combinations(boxes, 2):
        assert not one.overlaps(other)


def test_traces_leave_out_what_never_moves():
    rng = np.random.default_rng(0)
    corr = np.zeros((2, 30, 2, 2))
    corr[..., 0, 0] = 1
    corr[..., 1, 0] = rng.uniform(size=(2, 30))
    posterior = xr.Dataset({"corr": (("chain", "draw", "i", "j"), corr)})
    posterior["z"] = (("chain", "draw", "obs"), rng.integers(2, size=(2, 30, 5)))
    figure = traces(xr.DataTree.from_dict({"posterior": posterior}))
    labels = {axes.get_ylabel() for axes in figure.axes} - {""}
    assert labels == {"corr[1, 0]"}
    with pytest.raises(unmix.UnmixError, match="group 'posterior'"):
        traces(posterior)
    still = xr.DataTree.from_dict({"posterior": posterior.isel(i=[0])[["corr"]]})
    with pytest.raises(unmix.UnmixError, match="no parameter that moves"):
        traces(still)


# -- colours, canvas -------------------------------------------------------------------------------


def lightness(code, seen):
    """CIE L* of a colour, as it is or as it is seen through a matrix on linear light."""
    light = seen @ colours._to_light(np.array(colors.to_rgb(code)))
    y = float(np.dot([0.2126, 0.7152, 0.0722], np.clip(light, 0, 1)))
    return 116 * np.cbrt(y) - 16


# Machado, Oliveira and Fernandes 2009 (IEEE Trans. Vis. Comput. Graph. 15:1291), severity 1.0.
PROTAN = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
          [-0.003882, -0.048116, 1.051998]]  # fmt: skip
DEUTAN = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
          [-0.011820, 0.042940, 0.968881]]  # fmt: skip


def test_colours_are_published_ones_and_differ_in_grey():
    # The eight of jfly.uni-koeln.de/color less black, which is ink; Tol's wine for the purple.
    published = {"e69f00", "56b4e9", "009e73", "f0e442", "0072b2", "d55e00", "882255"}
    assert {c[1:].lower() for c in colours.COLOURS} == published
    assert colours.ALARM not in colours.COLOURS
    # Purple was 3 from green. Those who see fewer hues have fewer steps of lightness as well.
    for seen, apart in ((np.eye(3), 10), (np.array(PROTAN), 5), (np.array(DEUTAN), 5)):
        grey = [lightness(c, seen) for c in colours.COLOURS[:4]]
        assert min(abs(a - b) for a, b in combinations(grey, 2)) > apart
    for k in range(20):
        first = {(colours.colour(j), colours.marker(j), str(colours.line(j))) for j in range(k)}
        assert len(first) == k


def test_colours_mix_in_proportion():
    shades = colours.mix(np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [np.nan, np.nan]]))
    first, second = (np.array(colors.to_rgb(colours.colour(k))) for k in (0, 1))
    np.testing.assert_allclose(shades[0], first, atol=1e-12)
    np.testing.assert_allclose(shades[1], second, atol=1e-12)
    assert ((shades[2] > np.minimum(first, second)) & (shades[2] < np.maximum(first, second))).all()
    # Light adds: the mean of the squares is nearer than the mean (gamma is about 2.2).
    assert (shades[2] > (first + second) / 2).all()
    np.testing.assert_allclose(shades[3], colors.to_rgb(colours.GREY))


def test_a_notebook_gets_a_picture(waiting):
    figure = fitted_components(waiting, THETA, unmix.bayes_rule(waiting, THETA))
    assert figure._repr_png_()[:8] == b"\x89PNG\r\n\x1a\n"


def test_importing_figures_leaves_the_backend_alone():
    code = (
        "import sys, unmix.show; assert 'matplotlib' not in sys.modules; import unmix.show.figures;"
        "assert 'matplotlib.pyplot' not in sys.modules and 'arviz' not in sys.modules;"
        "unmix.show.two_roads; "
        "assert not hasattr(unmix.show, 'no_such_figure')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
