"""`import unmix` is quick, its public names are the documented ones, its data the right ones.

Quickness is tested by what is loaded, not by a clock: a new process, and its sys.modules after.
"""

import json
import subprocess
import sys
import types
from pathlib import Path

import pytest

import unmix

HEAVY = {
    "arviz",
    "h5netcdf",
    "matplotlib",
    "numba",
    "nutpie",
    "pandas",
    "pyarrow",
    "pymc",
    "pytensor",
    "scipy",
    "sklearn",
    "xarray",
}

FUNCTIONS = {
    "agreement",
    "align",
    "assignments",
    "bayes_rule",
    "co_assignment",
    "compare",
    "compare_relabellings",
    "crosscheck",
    "derive",
    "draw_assignments",
    "em",
    "explain",
    "load",
    "relabel",
    "occupied",
    "partition",
    "prior_predictive",
    "responsibilities",
    "sample",
    "save",
    "summary",
    "weigh",
}
CLASSES = {
    "Derivation",
    "EMResult",
    "Partition",
    "Relabelling",
    "Summary",
    "UnmixError",
    "UnmixWarning",
}
MODULES = {"datasets", "io", "models", "show"}


def in_new_process(code: str) -> str:
    """What `code` prints, run where nothing has been imported yet."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def modules_loaded_by(code: str) -> set[str]:
    """Top-level names in sys.modules after `code`."""
    out = in_new_process(f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))")
    return {name.partition(".")[0] for name in json.loads(out)}


@pytest.mark.parametrize("code", ["import unmix", "import unmix.datasets", "import unmix.errors"])
def test_import_loads_nothing_heavy(code):
    assert not modules_loaded_by(code) & HEAVY


def test_the_probe_sees_a_heavy_module():
    loaded = modules_loaded_by("import unmix; unmix.datasets.old_faithful()")
    assert "pandas" in loaded & HEAVY


def test_public_names_are_exactly_these():
    assert set(unmix.__all__) == FUNCTIONS | CLASSES | MODULES
    assert set(dir(unmix)) == set(unmix.__all__)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_public_function(name):
    assert isinstance(getattr(unmix, name), types.FunctionType)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_public_class(name):
    assert isinstance(getattr(unmix, name), type)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_public_module(name):
    assert getattr(unmix, name).__name__ == f"unmix.{name}"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="unmiks"):
        _ = unmix.unmiks


# The room `unmix.derive` and the function in it share a name; Python's import machinery would set
# the attribute to the room. Each line below is an order of imports that a user may come to.
@pytest.mark.parametrize(
    "imports",
    [
        "import unmix",
        "import unmix.derive",
        "import unmix.derive.latent",
        "import unmix; unmix.derive; import unmix.derive.latent",
        "import unmix; unmix.bayes_rule; from unmix.derive import latent",
        "import importlib, unmix; importlib.reload(unmix); import unmix.derive.latent",
    ],
)
def test_derive_is_the_function_whatever_was_imported_first(imports):
    code = (
        f"{imports}\n"
        "import sys, types, unmix\n"
        "from unmix import derive\n"
        "assert isinstance(derive, types.FunctionType), derive\n"
        "assert unmix.derive is derive is sys.modules['unmix.derive'].derive\n"
        "from unmix.derive import latent\n"
        "assert latent.__name__ == 'unmix.derive.latent'\n"
    )
    in_new_process(code)


def test_version_is_the_installed_one():
    from importlib.metadata import version

    assert unmix.__version__ == version("unmix")


def test_the_package_says_it_is_typed():
    assert (Path(unmix.__file__).parent / "py.typed").is_file()


# Means as R prints them, to seven digits: colMeans(faithful), mean(MASS::galaxies),
# colMeans(iris[1:4]). pytest.approx's relative 1e-6 allows for that rounding; one cell off by its
# last digit moves a mean by more.
def test_old_faithful():
    x = unmix.datasets.old_faithful()
    assert list(x.columns) == ["eruptions", "waiting"]
    assert x.shape == (272, 2)
    assert x["eruptions"].mean() == pytest.approx(3.487783)
    assert x["waiting"].mean() == pytest.approx(70.89706)


def test_galaxies():
    x = unmix.datasets.galaxies()
    assert list(x.columns) == ["velocity"]
    assert x.shape == (82, 1)
    assert x["velocity"].iloc[77] == 26.69  # MASS; Richardson and Green have 26.96
    assert x["velocity"].is_monotonic_increasing
    assert x["velocity"].mean() == pytest.approx(20.82817, abs=5e-6)  # 20828.17 km/s in R


def test_iris():
    x = unmix.datasets.iris()
    measured = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    assert list(x.columns) == [*measured, "species"]
    assert x["species"].value_counts().to_dict() == {
        "setosa": 50,
        "versicolor": 50,
        "virginica": 50,
    }
    assert x[measured].mean().to_list() == pytest.approx([5.843333, 3.057333, 3.758, 1.199333])
    # Rows 35 and 38 are where R and a widespread other copy of the data differ.
    assert x[measured].iloc[34].to_list() == [4.9, 3.1, 1.5, 0.2]
    assert x[measured].iloc[37].to_list() == [4.9, 3.6, 1.4, 0.1]


def test_penguins():
    """Counts as R has them: table(species, island), colSums(is.na(penguins)), sex by sex."""
    x = unmix.datasets.penguins()
    assert x.shape == (344, 8)
    assert x.groupby(["species", "island"]).size().to_dict() == {
        ("Adelie", "Biscoe"): 44,
        ("Adelie", "Dream"): 56,
        ("Adelie", "Torgersen"): 52,
        ("Chinstrap", "Dream"): 68,
        ("Gentoo", "Biscoe"): 124,
    }
    measured = ["bill_length", "bill_depth", "flipper_length", "body_mass"]
    assert x[measured].isna().sum().to_list() == [2, 2, 2, 2]
    # As palmerpenguins' own summary prints them, to two decimals.
    assert x[measured].mean().to_list() == pytest.approx([43.92, 17.15, 200.92, 4201.75], abs=5e-3)
