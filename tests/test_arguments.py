"""What verbs are given beside model and fit is refused in one sentence that names the option."""

import numpy as np
import pytest
import xarray as xr
from registry import built
from test_relabel import AXES, trace

import unmix
from unmix import arguments

GOOD = np.array([[0, 1, 1], [0, 0, 1]])
RAGGED = [[0, 1], [0, 1, 1]]
THETA = {"w": np.array([0.4, 0.6]), "mu": np.array([-2.0, 2.0]), "sigma": np.array([1.0, 1.0])}


def refuse(said, verb, *given, **options):
    with pytest.raises(unmix.UnmixError, match=said) as caught:
        verb(*given, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"z": GOOD, "restarts": True}, "^restarts is True: give a whole number, 1 or more$"),
        ({"z": GOOD, "restarts": "a"}, "^restarts is 'a'"),
        ({"z": GOOD, "components": 1.5}, "^components is 1.5"),
        ({"z": GOOD, "level": "a"}, "^level is 'a': give a share between 0 and 1, such as 0.95$"),
        ({"z": GOOD, "level": None}, "^level is None"),
        ({"z": GOOD, "level": np.nan}, "^level is nan"),
        ({"z": GOOD, "loss": "binder", "costs": ("a", "b")}, "^costs is .'a', 'b'., which holds"),
        ({"z": GOOD, "loss": "binder", "costs": (True, True)}, "^costs is .True, True.: give two"),
        ({"z": GOOD, "costs": [[1], [1, 2]]}, "^costs has rows of different lengths"),
        ({"z": GOOD, "loss": ["vi"]}, "^loss is"),
        ({"z": GOOD, "rng": "x"}, "^rng is 'x': give a seed, a whole number from 0, or a generat"),
        ({"z": GOOD, "rng": -1}, "^rng is -1"),
        ({"z": GOOD, "rng": True}, "^rng is True"),
        ({"z": RAGGED}, "^z has rows of different lengths: give draws"),
        ({"similarity": "abc", "loss": "binder"}, "^the similarity matrix is 'abc', which holds n"),
        ({"similarity": [[1], [1, 1]], "loss": "binder"}, "^the similarity matrix has rows of"),
    ],
)
def test_partition(options, said):
    refuse(said, unmix.partition, **options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"out": [[0]]}, r"^out is \[\[0\]\]: give an array of NumPy"),
        ({"from_": ["z"]}, "^from_ is"),
        ({"obs": RAGGED}, "^obs has rows of different lengths"),
        ({"other": [True, False]}, r"^other is \[True, False\]: give positions"),
        ({"rng": "x"}, "^rng is 'x'"),
    ],
)
def test_co_assignment(options, said):
    refuse(said, unmix.co_assignment, z=GOOD, **options)


def test_other_partitions():
    refuse("^rng is 1.5", unmix.occupied, z=GOOD, rng=1.5)
    refuse("^the second partition has rows of", unmix.agreement, [0, 1], RAGGED)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"symmetry": "abc"}, "^symmetry is 'abc': give blocks of exchangeable components"),
        ({"symmetry": (0, 1)}, r"^symmetry is \(0, 1\): give blocks"),
        ({"symmetry": (("a", "b"),)}, "^symmetry is"),
        ({"symmetry": ((0, True),)}, "^symmetry is"),
        ({"symmetry": 2}, "^symmetry is 2"),
        ({"axes": 3}, "^axes is 3: give the component dim"),
        ({"axes": {}}, "^axes names no variable"),
        ({"method": ["ecr"]}, "^method is"),
        ({"method": "order", "by": 5}, "^by is 5: give the name"),
        ({"method": "order", "by": ("mu", "a")}, "^by is .'mu', 'a'.: give the name"),
        ({"method": "order", "by": ()}, r"^by is \(\): give the name"),
        ({"method": "stephens", "start": np.zeros(2)}, "^start is"),
        ({"pivot": RAGGED}, "^pivot has rows of different lengths"),
        ({"pivot": "abc"}, "^pivot is 'abc'"),
        ({"pivot": (True, 0)}, "^pivot is .True, 0."),
        ({"z": RAGGED}, "^'z' has rows of different lengths"),
        ({"method": "stephens", "responsibility": RAGGED}, "^responsibility has rows of"),
        ({"method": "stephens", "responsibility": lambda s: 1}, "^the function of responsibilit"),
        ({"method": "data", "data": RAGGED}, "^data has rows of different lengths"),
        ({"rng": "x"}, "^rng is 'x'"),
    ],
)
def test_relabel(options, said):
    refuse(said, unmix.relabel, None, trace(), **{"axes": AXES, "z": "z", **options})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"to": 5}, "^to is 5: give the path of a file"),
        ({"interval": "a"}, "^interval is 'a': give a share between 0 and 1, such as 0.89$"),
        ({"false_alarms": True}, "^false_alarms is True"),
        ({"rng": "x"}, "^rng is 'x'"),
        ({"id": 3}, "^id is 3: give text"),
        ({"partition": RAGGED}, "^partition has rows of different lengths"),
    ],
)
def test_assignments(options, said):
    refuse(said, unmix.assignments, built("normal"), THETA, **options)


def test_verbs_that_take_the_same():
    model = built("normal")
    refuse("^interval is 'a'", unmix.responsibilities, model, THETA, interval="a")
    refuse("^interval is None", unmix.explain, model, THETA, 0, interval=None)
    refuse("^neighbours is 'a'", unmix.explain, model, THETA, 0, neighbours="a")
    refuse("^neighbours is True", unmix.explain, model, THETA, 0, neighbours=True)
    refuse("^interval is 'a'", unmix.compare, model, THETA, THETA, interval="a")
    refuse("^rng is 'x'", unmix.draw_assignments, model, THETA, rng="x")
    refuse("^rng is 'x'", unmix.crosscheck, model, THETA, rng="x")
    refuse("^level is 'a': give a chance of a", unmix.crosscheck, model, THETA, level="a")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"starts": "a"}, "^starts is 'a'"),
        ({"max_iterations": True}, "^max_iterations is True"),
        ({"tolerance": "a"}, "^tolerance is 'a': give 0 or a positive number"),
        ({"tolerance": -1e-9}, "^tolerance is -1e-09: give 0 or a positive number"),
        ({"floor": "a"}, "^floor is 'a': give a share of the data's variance"),
        ({"threads": 1.5}, "^threads is 1.5"),
        ({"storage": ["float32"]}, "^storage is"),
        ({"assignments": 3}, "^assignments is 3"),
        ({"rng": "x"}, "^rng is 'x'"),
    ],
)
def test_em(options, said):
    refuse(said, unmix.em, built("normal"), progress=False, **options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"draws": "a"}, "^draws is 'a'"),
        ({"chains": np.inf}, "^chains is inf"),
        ({"cores": "a"}, "^cores is 'a'"),
        ({"store": 5}, "^store is 5"),
        ({"checkpoint": 5, "method": "gibbs"}, "^checkpoint is 5"),
        ({"method": None}, "^method is None"),
        ({"rng": "x"}, "^rng is 'x'"),
    ],
)
def test_sample(options, said):
    refuse(said, unmix.sample, built("normal"), progress=False, **options)


def test_figures():
    from unmix import show

    r = xr.Dataset(
        {"responsibility": (("obs", "component"), np.full((4, 2), 0.5))},
        coords={"obs": range(4), "component": range(2)},
    )
    refuse("^bins is 'a'", show.rootogram, r, bins="a")
    refuse("^bins is True", show.rootogram, r, bins=True)
    refuse("^least is 'a': give a number from 0", show.rootogram, r, least="a")
    refuse("^axes holds 1 and", show.rootogram, r, axes=show.rootogram(r).axes[0])
    refuse("^bins is 0", show.calibration, r, bins=0)


def test_whole_numbers_may_come_from_anywhere():
    for three in (3, 3.0, np.int8(3), np.float32(3), np.array(3)):
        assert arguments.whole("n", three) == 3
    for none in (True, np.bool_(1), "3", None, 10**400, 3j, [3], np.nan):
        refuse("^n is ", arguments.whole, "n", none)
    refuse("…: give", arguments.whole, "n", list(range(100)))


def test_a_fit_by_em_names_what_to_check_instead():
    from unmix import EMResult

    fit = object.__new__(EMResult)
    refuse(r'^a fit by EM is .* unmix\.sample\(model, method="gibbs", em=fit\)',
           unmix.crosscheck, built("normal"), fit)  # fmt: skip
